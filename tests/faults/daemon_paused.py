"""Fault 2: SIGSTOP, for longer than the group waits."""

import signal

from world import PARTITIONS

NUMBER = 2
NAME = "daemon-paused"
POINTS = ("in-transaction", "before-commit", "after-commit")
KINDS = ("at-random", *POINTS)


def run(world):
    """SIGSTOP of a daemon until its partitions have moved to the other, at a random moment, in the middle of a
    transaction, before it commits, and between commit and the write to Redis; then SIGCONT."""
    faults = world.draw(KINDS)
    world.begin(len(faults))
    for kind in faults:
        sleeper = world.random.choice((world.one, world.two))
        if kind == "at-random":
            world.wait_lag()
            world.pause()
            sleeper.signal(signal.SIGSTOP)
        else:
            world.stop(sleeper)
            world.start(sleeper, f"{kind}:{world.random.randint(1, 30)}=stop")
        world.wait("SIGSTOP", lambda: world.stopped(sleeper))
        world.wait("partitions to move", lambda: world.running_partitions(world.other(sleeper)) == PARTITIONS)
        before = len(sleeper.log())
        sleeper.signal(signal.SIGCONT)
        world.wait("partitions to come back", lambda: world.running_partitions(sleeper) == PARTITIONS // 2)
        print(kind, sleeper.name, sleeper.log()[before:])
        world.happened(kind)
    world.settle()
    world.verify()
