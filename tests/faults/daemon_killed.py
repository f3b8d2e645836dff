"""Fault 1."""

import signal

NUMBER = 1
NAME = "daemon-killed"
KINDS = ("at-random",)


def run(world):
    """kill -9 of a daemon at a random moment; it is started again."""
    faults = world.draw(KINDS)
    world.begin(len(faults))
    for kind in faults:
        victim = world.random.choice((world.one, world.two))
        world.wait_lag()
        world.pause()
        victim.signal(signal.SIGKILL)
        victim.wait()
        world.happened(kind)
        victim.start()
    world.settle()
    world.verify()
