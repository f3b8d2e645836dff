"""Fault 2: SIGSTOP, for longer than the group waits."""

import re
import signal

from cases import expect
from world import PARTITIONS

NUMBER = 2
NAME = "daemon-paused"
KINDS = ("pause-at-random", "pause-in-transaction", "pause-before-commit", "pause-after-commit")
BY_REDIS = re.compile("Redis didn't take|Redis is at changelog offset|another worker wrote to Redis")
MUST_BE = {"in-transaction": "refused by Kafka", "before-commit": "refused by Kafka", "after-commit": "refused by Redis"}


def run(world):
    """SIGSTOP of a daemon until its partitions have moved to the other, at a random moment, in the middle of a
    transaction, before it commits, and between commit and the write to Redis; then SIGCONT.  What it goes on with is
    refused by Kafka (fenced, or no member any more) and by Redis's watermark."""
    faults = world.draw(KINDS)
    world.begin(len(faults))
    for kind in faults:
        sleeper, point = world.random.choice((world.one, world.two)), kind.removeprefix("pause-")
        before = refusals(sleeper) if point == "at-random" else 0
        pause(world, sleeper, point)
        world.wait("partitions to move", lambda: world.running_partitions(world.other(sleeper)) == PARTITIONS)
        log = len(sleeper.log())
        sleeper.signal(signal.SIGCONT)
        world.wait("partitions to come back", lambda: all(world.running_partitions(d) == PARTITIONS // 2
                                                          for d in (world.one, world.two)))
        look(world, point, refusals(sleeper) > before, sleeper.log()[log:])
        world.happened(kind)
    world.settle()
    world.verify()


def pause(world, sleeper, point):
    if point == "at-random":
        world.busy()
        sleeper.signal(signal.SIGSTOP)
    else:
        world.stop(sleeper)
        world.start(sleeper, f"{point}:{world.random.randint(1, 30)}=stop")
        world.busy(0)
    world.wait("SIGSTOP", lambda: world.stopped(sleeper))


def refusals(daemon):
    """Transactions that Kafka didn't let it complete: aborted, or the end of a producer (fenced, or expired)."""
    metrics = daemon.metrics()
    return metrics["shouwang_aborts_total"] + metrics.get('shouwang_errors_total{of="kafka"}', 0)


def look(world, point, by_kafka, log):
    seen = {"refused by Kafka": by_kafka, "refused by Redis": bool(BY_REDIS.search(log))}
    for what in filter(seen.get, seen):
        world.saw(what)
    expect(seen.get(MUST_BE.get(point), True), f"nothing was {MUST_BE.get(point)}:\n{log}")
