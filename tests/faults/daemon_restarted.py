"""Fault 3: daemons come and go as they are meant to."""

from cases import equal

NUMBER = 3
NAME = "daemon-restarted"
KINDS = ("stop-and-start", "rolling-restart", "third-joins-and-leaves")


def run(world):
    """A daemon is stopped and started under load; both are restarted, one after the other; a third joins and leaves.
    A clean end leaves nothing to replay."""
    faults, replayed = world.draw(KINDS), []
    world.begin(len(faults))
    for kind in faults:
        world.busy()
        if kind == "stop-and-start":
            restart(world, world.random.choice((world.one, world.two)), replayed)
        elif kind == "rolling-restart":
            for daemon in (world.one, world.two):
                restart(world, daemon, replayed)
        else:
            come_and_go(world, replayed)
        world.happened(kind)
    world.settle()
    equal(sum(replayed) + sum(map(replays, (world.one, world.two))), 0, "replayed records")
    world.verify()


def replays(daemon):
    return daemon.total("shouwang_replayed_records_total")


def leave(world, daemon, replayed):
    world.busy()
    replayed.append(replays(daemon))
    world.stop(daemon)


def restart(world, daemon, replayed):
    leave(world, daemon, replayed)
    world.busy()
    world.start(daemon)


def come_and_go(world, replayed):
    third = world.stage.daemon("three").start()
    world.wait("work of the third", lambda: third.total("shouwang_commits_total") > 0)
    leave(world, third, replayed)
    world.stage.daemons.remove(third)
