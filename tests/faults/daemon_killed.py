"""Fault 1: kill -9."""

import signal
import time

from cases import expect
from world import PARTITIONS, RUNNING, STOPPED, TAKING_OVER

NUMBER = 1
NAME = "daemon-killed"
KINDS = ("kill-at-random", "kill-in-transaction", "kill-before-commit", "kill-during-commit", "kill-between-markers",
         "kill-after-commit", "kill-in-takeover", "kill-in-replay")


def run(world):
    """kill -9 of a daemon at a random moment, in the middle of a transaction, before and while it commits, when only one of
    two brokers has written the commit's markers, between commit and the write to Redis, and while it takes partitions
    over or replays."""
    faults = world.draw(KINDS)
    world.start_servers()
    world.start_second_broker()
    world.begin(len(faults))
    victim = world.random.choice((world.one, world.two))
    for i, kind in enumerate(faults):
        if i == len(faults) // 2:
            victim = world.other(victim)
        if victim.running():  # the first fault of each: later ones come after a start that leads to them
            kill_at_random(world, victim)
        point = kind.removeprefix("kill-")
        {"at-random": at_random, "in-replay": in_replay, "between-markers": between_markers}.get(point, at_point)(
            world, victim, point)
        world.happened(kind)
        if i + 1 in (len(faults) // 2, len(faults)):
            world.start(victim)
    world.settle()
    world.verify()


def kill_at_random(world, victim):
    world.busy()
    world.kill(victim)


def at_random(world, victim, _):
    world.start(victim)
    kill_at_random(world, victim)


def at_point(world, victim, point):
    world.start(victim, fault_at(world, point))
    world.busy(0)
    world.wait_killed(victim)


def fault_at(world, point):
    if point == "in-takeover":
        return f"{point}:{world.random.randint(1, 2)}"
    passage = f"{point}:{world.random.randint(1, 30)}"
    return passage + f"+{world.random.randint(50, 5000)}us" if point == "during-commit" else passage


def in_replay(world, victim, point):
    """What a commit left for the replay is found by the same daemon, which must be alone then."""
    at_point(world, victim, "after-commit")
    world.kill(world.other(victim))
    world.start(victim, point + ":1")
    world.wait_killed(victim)
    world.start(world.other(victim))


def between_markers(world, victim, _):
    """From before the commit is asked for, the second broker gets no markers.  The daemon hears that it is committed, and
    dies; so does the other, whose transactions would wait for their markers.  A third finds partitions of which the group
    has the offsets and the changelog an undecided end, and goes on there only once the markers are written."""
    for _ in range(10):
        if die_between_markers(world, victim):
            world.saw("markers waited for")
            return
        # a small transaction of the first's partitions alone, or the third hadn't come to the others yet
    expect(False, "no markers were waited for in ten attempts")


def die_between_markers(world, victim):
    """The partitions that the third waited for."""
    other = world.other(victim)
    workers = victim.environment["SHOUWANG_WORKERS"]
    victim.environment["SHOUWANG_WORKERS"] = "1"  # the one that stops is the one whose commit is the next
    world.start(victim, f"before-commit:{world.random.randint(1, 30)}=stop,after-commit:1")
    victim.environment["SHOUWANG_WORKERS"] = workers
    world.busy(0)
    world.wait("SIGSTOP", lambda: world.stopped(victim))
    world.second.gate.shut()
    victim.signal(signal.SIGCONT)
    world.wait_killed(victim)
    owed = world.second.owed(world.stage.settings["TOPICS_STATE"]) - world.partitions(other, RUNNING)
    world.kill(other)
    third = world.stage.daemon("three").start(ready=False)
    world.wait("work of the third", lambda: third.get("/-/healthy")[0] and world.partitions(third, RUNNING))
    time.sleep(world.random.uniform(0, 3))
    waited = owed & world.partitions(third, TAKING_OVER)
    expect(not owed & (world.partitions(third, RUNNING) | world.partitions(third, STOPPED)),
           f"{sorted(owed)} are not waited for:\n{third.log()}")
    world.second.gate.open()
    world.wait("work of the third everywhere", lambda: len(world.partitions(third, RUNNING)) == PARTITIONS)
    world.stop(third)  # and not killed, so that the next third finds no transaction of its own undecided
    world.start(other)
    return waited
