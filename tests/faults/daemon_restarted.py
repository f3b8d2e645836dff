"""Fault 3: daemons come and go as they are meant to."""

from cases import equal

NUMBER = 3
NAME = "daemon-restarted"
KINDS = ("stop-and-start", "rolling-restart", "third-joins-and-leaves")


def run(world):
    """A daemon is stopped and started under load; both are restarted one after the other; a third joins and leaves.
    Nothing must be replayed: a clean end leaves nothing behind."""
    faults = world.draw(KINDS)
    world.begin(len(faults))
    for kind in faults:
        world.wait_lag()
        world.pause()
        {"stop-and-start": stop_and_start, "rolling-restart": rolling_restart,
         "third-joins-and-leaves": third}[kind](world)
        world.happened(kind)
    world.settle()
    equal(sum(world.replayed), 0, "replayed records")
    world.verify()


def restart(world, daemon):
    world.replayed.append(daemon.total("shouwang_replayed_records_total"))
    world.stop(daemon)
    world.pause()
    world.start(daemon)


def stop_and_start(world):
    restart(world, world.random.choice((world.one, world.two)))


def rolling_restart(world):
    for daemon in (world.one, world.two):
        restart(world, daemon)


def third(world):
    daemon = world.stage.daemon("three").start()
    world.wait("work of the third", lambda: daemon.total("shouwang_commits_total") > 0)
    world.pause()
    world.stop(daemon)
    world.stage.daemons.remove(daemon)
