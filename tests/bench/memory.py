#!/usr/bin/env python3
"""./run bench memory: does resident memory stay below its stated bound, and does it not grow?

usage: memory.py [--households N] [--each N] [--minutes N] [--rate N] [--workers N]

Loads so many households, each with a profile and --each settlements, through shouwangd on a real Kafka and Redis as fast
as it takes them; then new settlements at a steady rate for so many minutes.  Resident memory is looked at each second.
Ends with 1 where it was above shouwang_memory_bound_bytes, or where the median of the steady time's last third is more
than 2 % of the bound above that of its middle third."""

import argparse
import datetime
import os
import random
import statistics
import subprocess
import sys
import time

import bench
from servers import Daemon, Kafka, Redis, die_with_parent, in_folder

TOPIC = "household.events"
GROWTH = 0.02  # of the bound
TURN = 0.1  # s


def event(kind, number, household, data):
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (f'{TOPIC}\th{household:08}\t{{"specversion":"1.0","id":"e{number}","source":"/memory","type":"cn.{kind}",'
            f'"subject":"h{household:08}","time":"{now}","data":{data}}}\n').encode()


def settlement(number, household):
    day = datetime.date.today() - datetime.timedelta(days=number % 300)
    return event("medical.settled", number, household,
                 f'{{"settlement_no":"n{number}","settled_on":"{day}","self_paid":{number % 40 + 1}}}')


class Feed:
    """Everything that comes, on one connection; counts what was sent."""

    def __init__(self, environment):
        self.sent = 0
        self.process = subprocess.Popen([os.path.join(bench.BUILD, "peek"), bench.CONFIG, "feed"], env=environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, preexec_fn=die_with_parent)

    def send(self, lines):
        self.process.stdin.write(b"".join(lines))
        self.process.stdin.flush()
        self.sent += len(lines)

    def load(self, households, each, watch):
        for first in range(0, households, 1000):
            some = range(first, min(first + 1000, households))
            self.send([event("household.profile", h, h, '{"region":"360704102","dibao":false}') for h in some])
            watch.look()
        for round_ in range(each):
            for first in range(0, households, 1000):
                self.send([settlement(self.sent + i, h)
                           for i, h in enumerate(range(first, min(first + 1000, households)))])
                watch.look()

    def trickle(self, households, rate, seconds, watch):
        dice, end = random.Random(1), time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            self.send([settlement(self.sent + i, dice.randrange(households)) for i in range(int(rate * TURN))])
            watch.look()
            time.sleep(max(0.0, began + TURN - time.monotonic()))


class Watch:
    """Resident memory of the daemon, MB, looked at each second."""

    def __init__(self, daemon):
        self.daemon, self.seen, self.due = daemon, [], 0.0

    def look(self):
        if time.monotonic() >= self.due:
            self.daemon.must_run()
            self.due = time.monotonic() + 1
            self.seen.append(bench.memory(self.daemon.pid)[0])

    def wait_committed(self, events):
        while self.daemon.total("shouwang_events_total") < events:
            self.look()
            time.sleep(0.2)


def measure(options, folder):
    environment = {**os.environ, "SHOUWANG_CONFIG": bench.CONFIG, "SHOUWANG_NODE": "memory",
                   "SHOUWANG_INSTANCE": "memory", "SHOUWANG_TOPICS_STATE": "memory.state",
                   "SHOUWANG_WORKERS": str(options.workers)}
    with Kafka(folder, {"log.segment.bytes": "16777216", "log.retention.bytes": "268435456"}, heap="1g").start() as kafka, \
            Redis(folder).start() as redis:
        environment.update(SHOUWANG_KAFKA_BOOTSTRAP=kafka.bootstrap, SHOUWANG_REDIS_URL=redis.url)
        bench.ctl(environment, "topics", stdout=subprocess.DEVNULL)
        with Daemon(folder, os.path.join(bench.BUILD, "shouwangd"), bench.CONFIG, environment=environment) as daemon:
            daemon.start()
            feed, watch = Feed(environment), Watch(daemon)
            began = time.monotonic()
            feed.load(options.households, options.each, watch)
            watch.wait_committed(feed.sent)
            loaded, seconds = list(watch.seen), time.monotonic() - began
            watch.seen.clear()
            feed.trickle(options.households, options.rate, options.minutes * 60, watch)
            feed.process.stdin.close()
            watch.wait_committed(feed.sent)
            bound = daemon.total("shouwang_memory_bound_bytes") / 2**20
            batches = daemon.total("shouwang_arena_bytes") / 2**20
            states = bench.redis_states(redis)
        return bound, loaded, seconds, watch.seen, feed.sent, batches, states


def judge(options, folder):
    bound, loaded, seconds, steady, sent, batches, states = measure(options, folder)
    third = max(1, len(steady) // 3)
    middle, last = (statistics.median(part) for part in (steady[third:2 * third], steady[-third:]))
    peak = max(loaded + steady)
    bench.show(f"{options.households} households, {sent} events, {options.workers} workers", {
        "bound, MB": bound,
        "resident MB at most": peak,
        "  while loading": max(loaded),
        "  at the steady rate": max(steady),
        "steady: median of the middle third": middle,
        "steady: median of the last third": last,
        "growth, MB": last - middle,
        "batches hold, MB": batches,
        "s to load": seconds,
        "s at the steady rate": len(steady),
        **states})
    faults = []
    if peak > bound:
        faults.append(f"{peak:.0f} MB is above the bound of {bound:.0f} MB")
    if last - middle > GROWTH * bound:
        faults.append(f"it grew by {last - middle:.0f} MB")
    print("; ".join(faults) or "below the bound, and no growth")
    return 1 if faults else 0


def main():
    parser = argparse.ArgumentParser(prog="./run bench memory", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--households", type=int, default=1000000)
    parser.add_argument("--each", type=int, default=2, help="settlements of each household to begin with (default 2)")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=int, default=2000, help="events a second after loading (default 2000)")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    return in_folder("shouwang-memory-", lambda folder: judge(options, folder))


if __name__ == "__main__":
    sys.exit(main())
