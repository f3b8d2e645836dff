"""Fault 11: events in the wrong partition.

Which of two subjects' events is forwarded first, nothing fixes.  So all events of a step have one time: the first that
comes to a partition moves its clock there, and then their order matters no more.  The events of one subject take the
same way within a step."""

import collections
import os
import time
import zlib

import stage as staging
import steps
import workload
from cases import expect
from verify import Found, Verdict
from world import PARTITIONS

NUMBER = 11
NAME = "misplaced"
KINDS = ("misplaced-crc32", "misplaced-random")
POINTS = (None, "in-transaction", "before-commit", "after-commit")  # None: at random
HOUSEHOLDS = {True: 800, False: workload.HOUSEHOLDS}  # in the short form, and in the long one
STEPS = 4  # of each fault


def run(world):
    """Producers with another partitioner, by CRC32 or at random, with kill -9 of a daemon in between: each event travels
    to its partition, once."""
    faults = world.draw(KINDS)
    world.servers()
    feeder = Misplacing(world.stage, len(faults), world.random.random())
    sample = steps.begin(world, feeder, HOUSEHOLDS[world.rounds < 20])
    given = Given(world, feeder)
    world.one, world.two = world.stage.daemon("one").start(), world.stage.daemon("two").start()
    for i, (kind, part) in enumerate(zip(faults, steps.split(sample, len(faults)))):
        feeder.kind = kind
        parts = [("events", lines) for lines in steps.split(part, STEPS)]
        if i % 3 == 1:
            parts.append(("feedback", steps.answers(world.stage, given.time, f"a{i}", world.random)))
        fatal = world.random.randrange(len(parts))
        for k, (topic, lines) in enumerate(parts):
            given.begin(topic, lines)
            if k == fatal:
                kill(world)
            given.finish()
        world.happened(kind)
    given.begin("events", workload.ticks(sample, world.random))
    given.finish()
    feeder.steps.put(None)
    world.settle()
    verify(world, feeder, given)


class Misplacing(steps.Steps):
    """Chooses the partition of each subject, anew in each step."""

    def __init__(self, stage, faults, seed):
        super().__init__(stage, faults)
        self.seed, self.kind, self.step = seed, KINDS[0], 0
        self.misplaced = collections.Counter()  # values

    def address(self, kind, line):
        key = workload.key_of(line)
        if self.kind == "misplaced-crc32":  # as librdkafka's producers do
            partition = zlib.crc32(key) % PARTITIONS
        else:
            partition = zlib.crc32(b"%s %r %d" % (key, self.seed, self.step)) % PARTITIONS
        if key and partition != staging.murmur2(key, PARTITIONS):
            self.misplaced[line.rstrip(b"\n")] += 1
        return b"%s:%d" % (self.topics[kind].encode(), partition)


class Given:
    """What was given, in its order, for the engine alone."""

    def __init__(self, world, feeder):
        self.world, self.feeder, self.time = world, feeder, ""
        self.folder = os.path.join(world.stage.folder, "given")
        os.makedirs(self.folder)
        self.path = os.path.join(self.folder, "events.jsonl")

    def begin(self, topic, lines):
        """All of one time, no earlier than that of the step before."""
        if lines:
            self.time = max(self.time, steps.newest_time(lines))
        lines = [workload.TIME.sub(b'"time":"%s"' % self.time.encode(), line) for line in lines]
        with open(self.path, "ab") as out:
            out.writelines(lines)
        self.feeder.step += 1
        self.feeder.give(topic, lines)

    def finish(self):
        """All of it is committed, and so is what was forwarded."""
        self.feeder.join_steps()
        forward = self.world.stage.settings["TOPICS_FORWARD"]
        self.world.wait("all forwarded", lambda: int(self.world.stage.peek("left", forward)) == 0)
        self.world.wait("everything in Redis", self.world.settled)


def kill(world):
    victim = world.random.choice((world.one, world.two))
    point = world.random.choice(POINTS)
    if point:
        world.stop(victim)
        world.start(victim, f"{point}:{world.random.randint(1, 3)}")
        time.sleep(world.random.uniform(0, 5))
        if victim.running():
            world.kill(victim)
        else:
            world.saw(f"kill {point}")
            world.wait_killed(victim)
    else:
        time.sleep(world.random.uniform(0, 0.5))
        world.kill(victim)
    world.start(victim)


def verify(world, feeder, given):
    found = Found.of(world.stage)
    verdict = Verdict(workload.Expected.of(world.stage, given.path, given.folder), found)
    verdict.faults += forward_faults(world, feeder.misplaced, found, verdict.figures)
    world.figures = verdict.figures
    world.say("faults: " + ", ".join(f"{kind} {n}" for kind, n in sorted(world.faults.items())))
    world.say("seen: " + ", ".join(f"{what} {n}" for what, n in sorted(world.seen.items())))
    for line in verdict.lines():
        world.say(line)
    if verdict.faults:
        world.keep(verdict)
    verdict.must_be_right(world.logs())


def forward_faults(world, misplaced, found, figures):
    """Each misplaced event was forwarded once, to its partition, but for those that could not be read."""
    records = staging.lines(world.stage.peek("read", world.stage.settings["TOPICS_FORWARD"]))
    origins = collections.Counter(tuple(r["headers"][f"origin_{name}"] for name in ("topic", "partition", "offset"))
                                  for r in records)
    forwarded = collections.Counter(map(staging.value_of, records))
    rejected = collections.Counter(value for _, value in found.rejects)
    lost, more = misplaced - forwarded - rejected, forwarded - misplaced
    faults = [f"forwarded {n} times: {origin}" for origin, n in origins.items() if n > 1]
    faults += [f"forwarded to partition {r['partition']}: {r['value']}" for r in records if
               r["partition"] != staging.murmur2(workload.key_of(staging.value_of(r)), PARTITIONS)]
    faults += [f"not forwarded, {n} times: {value}" for value, n in lost.items()]
    faults += [f"forwarded, but not misplaced, {n} times: {value}" for value, n in more.items()]
    unreadable = (misplaced - forwarded) & rejected  # these stay where they are found
    figures["forwarded"] = {"expected": misplaced.total() - unreadable.total(), "got": len(records),
                            "lost": lost.total(), "repeated": sum(n - 1 for n in origins.values())}
    expect(len(records) > world.work.events / 2, f"only {len(records)} events were forwarded")
    return faults
