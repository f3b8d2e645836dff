"""Fault 1: kill -9."""

NUMBER = 1
NAME = "daemon-killed"
KINDS = ("kill-at-random", "kill-in-transaction", "kill-before-commit", "kill-during-commit", "kill-after-commit",
         "kill-in-takeover", "kill-in-replay")


def run(world):
    """kill -9 of a daemon at a random moment, in the middle of a transaction, before and while it commits, between commit
    and the write to Redis, and while it takes partitions over or replays."""
    faults = world.draw(KINDS)
    world.begin(len(faults))
    victim = world.random.choice((world.one, world.two))
    for i, kind in enumerate(faults):
        if i == len(faults) // 2:
            victim = world.other(victim)
        if victim.running():  # the first fault of each: later ones come after a start that leads to them
            kill_at_random(world, victim)
        point = kind.removeprefix("kill-")
        {"at-random": at_random, "in-replay": in_replay}.get(point, at_point)(world, victim, point)
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
