"""Fault 7: topics, rights, offsets, Redis and settings that aren't what they were."""

import collections
import json
import os
import re
import signal
import subprocess
import time

import acl
import stage as staging
import workload
from cases import equal, expect, has
from servers import wait_until
from world import PATIENCE

NUMBER = 7
NAME = "identity"
PARTITIONS = staging.PARTITIONS
HOUSEHOLDS, MONTHS = 100, 12
KINDS = ("input-missing", "input-made-anew", "output-missing", "partitions-differ", "partitions-added",
         "topic-takes-less", "state-too-large", "message-too-large",
         "no-right-to-read", "no-right-to-write", "no-right-to-group", "no-right-to-changelog", "no-right-to-id",
         "retention", "retention-at-work", "offsets-expired", "changelog-behind-group",
         "changelog-made-anew", "changelog-made-anew-at-work", "changelog-shorter",
         "redis-of-another-cluster", "redis-of-another-topic", "redis-of-another-instance",
         "another-partitioner", "one-id-twice")


def run(world):
    """Topics that are missing, made anew, of other partitions, too small for a record or cut by retention; rights that are
    refused; a group without its offsets, a changelog without its tail, a Redis of others, another partitioner and two
    daemons of one name.  Each is said in a sentence of its own, none is passed over; once a person has done what the
    sentence says, nothing is lost but what retention took, and nothing is there twice."""
    kinds = world.draw(KINDS)
    county = County(world, len(kinds))
    for kind in kinds:
        county.begin()
        began = time.monotonic()
        globals()[kind.replace("-", "_")](county)
        world.happened(kind)
        world.say(f"{kind}: {time.monotonic() - began:.1f} s")
    county.verify()


class County:
    """A stage whose events come in portions, one with each fault, and its daemon."""

    def __init__(self, world, faults):
        self.world = world
        world.start_servers(**acl.SERVER)
        self.kafka, self.redis = world.kafka, world.redis
        self.config = workload.config(world.folder)
        self.stage = world.stage = self.new_stage()
        sample = staging.Sample(world.programs, world.folder, HOUSEHOLDS, MONTHS, world.seed)
        self.lines, self.at, self.portion = sample.lines, 0, len(sample.lines) // (faults + 4)
        self.sent = []  # without what was lost
        self.read = []  # of the queues: what was in topics that are gone
        self.daemon = self.stage.daemon("one").start()
        self.feed()
        self.goes_on()

    def new_stage(self, **settings):
        stage = staging.Stage(self.world.programs, self.kafka.bootstrap, self.redis.url, self.world.folder,
                              {"LOG_LEVEL": "info", **settings}, self.config)
        stage.patch("shouwang.yaml", r"properties: *\{", "properties: {topic.metadata.refresh.interval.ms: 1000, ")
        self.world.stack.callback(stage.stop)
        return stage.topics()

    # --- what a fault is made of

    def begin(self):
        self.mark = len(self.daemon.log())

    def meddle(self, *words):
        staging.output([self.world.programs.meddle, self.kafka.bootstrap, *map(str, words)])

    def feed(self, n=None):
        """The next portion of the events, or the next few."""
        part = self.lines[self.at:self.at + (n or self.portion)]
        expect(part, "no events are left")
        self.stage.publish(part)
        self.at += len(part)
        self.sent += part

    def said(self, *parts, page=True):
        """Waits until the daemon has said a sentence with these parts in its log, and on its page; returns it."""
        def line():
            return next((line for line in self.daemon.log()[self.mark:].split("\n")
                         if all(part in line for part in parts)), None)
        found = self.wait(f"sentence with {parts}", line)
        if page:
            shown = re.sub(r"^partition \d+: ", "", parts[0])  # the page has the partition in words of its own
            self.wait(f"{shown} on the page", lambda: shown in self.page())
        return found

    def page(self):
        ready, healthy = self.daemon.get("/-/ready"), self.daemon.get("/-/healthy")
        return ready[1] + healthy[1]

    def wait(self, what, condition, seconds=PATIENCE):
        try:
            return wait_until(what, seconds, condition)
        except TimeoutError as late:
            raise AssertionError(f"{late}\n{self.page()}\n{self.daemon.log()[self.mark:][-6000:]}") from None

    def stopped(self, partition):
        return self.daemon.metrics().get(f'shouwang_partition_state{{partition="{partition}"}}') == 3

    def stop(self):
        self.world.stop(self.daemon)

    def restart(self):
        self.stop()
        self.begin()
        self.daemon.start()

    def reload(self):
        self.daemon.signal(signal.SIGHUP)

    def goes_on(self):
        self.wait("ready", lambda: self.daemon.get("/-/ready")[0] == 200)
        self.stage.wait_all()

    def forget_redis(self, partition):
        for what in ("meta", "states", "timers"):
            self.redis.command("DEL", self.key(partition, what))

    def key(self, partition, what="meta"):
        return f"{{{self.stage.name}:{partition}}}:{what}"

    def records(self, topic):
        return staging.lines(self.stage.peek("read", topic))

    def reposition(self, *words):
        return self.stage.ctl("reposition", self.stage.events, *words)

    # --- the end

    def verify(self):
        stage = self.stage
        self.feed(len(self.lines))
        self.goes_on()
        self.wait("everything in Redis", lambda: json.loads(stage.peek("unsettled")).get("behind") == 0)
        path = os.path.join(stage.folder, "sent.jsonl")
        with open(path, "wb") as out:
            out.writelines(self.sent)
        wanted, states = stage.alone(path)
        expect(len(wanted) > 20, "too few messages to prove anything")
        queues = stage.queues()
        faults = staging.differences(wanted, *(self.read + queues))
        for where in ("raw-states", "raw-cached"):
            faults += staging.state_differences(states, stage.peek(where), where)
        self.world.figures = {"messages": {"expected": len(wanted), "got": sum(map(len, self.read + queues)),
                                           "lost": sum(f.startswith("lost") for f in faults),
                                           "repeated": sum(f.startswith("repeated") for f in faults)}}
        self.world.say("faults: " + ", ".join(f"{kind} {n}" for kind, n in sorted(self.world.faults.items())))
        self.world.say(f"messages: {self.world.figures['messages']}")
        expect(not faults, "\n".join(faults[:10]) + f"\n({len(faults)} faults)\n" + stage.logs())


# --- topics

def input_missing(c):
    topic = c.stage.settings["TOPICS_FEEDBACK"]
    c.meddle("delete-topic", topic)
    c.said(f"topic {topic} is missing", "`shouwangctl topics` makes it")
    c.feed()
    c.stage.topics()
    c.goes_on()


def input_made_anew(c):
    """All of it was read; of what is not, nobody could tell anything."""
    c.meddle("delete-topic", c.stage.events)
    c.said(f"topic {c.stage.events} is missing")
    c.stage.topics()
    c.stage.published = 0
    c.said(f"{c.stage.events} ends at offset 0, but was read up to", "made anew", "shouwangctl reposition")
    c.feed()
    refused = subprocess.run([c.world.programs.shouwangctl, "reposition", c.stage.events, "--to", "earliest"],
                             env=c.stage.environment, capture_output=True, text=True)
    equal(refused.returncode, 1, "exit status of reposition while a daemon runs")
    has(refused.stderr, "stop every shouwangd")
    c.stop()
    equal(c.reposition("--to", "earliest", "--check").count("would go on at 0"), PARTITIONS, "partitions that need it")
    equal(c.reposition("--to", "earliest").count("goes on at 0"), PARTITIONS, "repositioned")
    c.daemon.start()
    c.goes_on()


def output_missing(c):
    """Whoever deletes a queue loses what is in it; what comes after is kept until there is one again."""
    gone = [*c.stage.units, c.stage.settings["TOPICS_REJECTS"]]
    c.read += c.stage.queues()
    for topic in gone:
        c.meddle("delete-topic", topic)
    c.feed()
    c.said("topic ", " is missing", "`shouwangctl topics` makes it")
    c.stage.topics()
    c.reload()
    c.goes_on()


def partitions_differ(c):
    old, new = c.stage.events, c.stage.events + "x"
    c.meddle("add-partitions", old, PARTITIONS + 2)
    c.said(f"topic {old} has {PARTITIONS + 2} partitions and", "must have the same number")
    c.stage.events = new
    c.stage.patch("watches/household.yaml", rf"^topic: {re.escape(old)}(?= |$)", f"topic: {new}")
    c.stage.topics()
    c.stage.published = 0
    c.feed()
    c.reload()
    c.goes_on()
    c.meddle("delete-topic", old)


def partitions_added(c):
    """To all topics, as if that were allowed; on a stage of its own, since nothing mends it."""
    small = Small(c)
    small.feed(50)
    small.daemon.stop()
    settings = small.stage.settings
    for topic in (small.stage.events, *(settings[f"TOPICS_{kind}"] for kind in ("FEEDBACK", "FORWARD", "STATE"))):
        c.meddle("add-partitions", topic, PARTITIONS * 2)
    small.daemon.start()
    small.said(f"states were made with {PARTITIONS} partitions, the topics have {PARTITIONS * 2} now")
    small.daemon.stop()


class Small(County):
    """A stage and daemon beside the county's."""

    def __init__(self, c, **settings):  # pylint: disable=super-init-not-called
        self.world, self.kafka, self.redis, self.config, self.mark = c.world, c.kafka, c.redis, c.config, 0
        self.stage, self.lines = self.new_stage(WORKERS=1, **settings), c.lines
        self.daemon = self.stage.daemon("small")

    def feed(self, n):
        self.stage.publish(self.lines[:n])
        self.daemon.start()
        self.goes_on()


def takes_less(c, topic, size):
    c.meddle("configure", topic, *(["cleanup.policy=compact"] if topic.startswith("state") else []),
             f"max.message.bytes={size}")


def topic_takes_less(c):
    """Less than a batch, more than any record."""
    takes_less(c, c.stage.settings["TOPICS_STATE"], 6000)
    c.feed()
    c.said("Message size too large", "max.message.bytes", page=False)
    c.goes_on()
    takes_less(c, c.stage.settings["TOPICS_STATE"], 1048588)


def settlements(n):
    return [json.dumps({"specversion": "1.0", "id": f"e{i}", "source": "/test", "type": "cn.medical.settled",
                        "subject": "h-1", "time": "2026-01-05T09:00:00+08:00",
                        "data": {"settlement_no": f"n{i}", "settled_on": "2026-01-04", "self_paid": 1}}).encode() + b"\n"
            for i in range(n)]


def too_large(c, topic, size):
    """What would make it so is rejected, with the reason; all else flows."""
    small = Small(c)
    takes_less(c, topic(small.stage), size)
    small.lines = settlements(300) + c.lines[:600]
    small.feed(len(small.lines))
    reasons = [r["headers"]["reason"] for r in small.stage.rejects()]
    n = sum("would be larger than a record may be" in reason for reason in reasons)
    expect(3 < n < 900, f"{n} rejected for their size, of {len(reasons)}")
    equal(small.daemon.total("shouwang_aborts_total"), 0, "aborts")
    small.daemon.stop()


def state_too_large(c):
    too_large(c, lambda stage: stage.settings["TOPICS_STATE"], 4000)


def message_too_large(c):
    too_large(c, lambda stage: stage.units[0], 1400)


# --- rights

def refuse(c, resource, name, operation, sentence, feed_first=False):
    if feed_first:
        c.feed()
    acl.deny(c.kafka, resource, name, operation)
    if not feed_first:
        c.feed()
    c.said(*sentence)
    acl.allow(c.kafka, resource, name)
    c.reload()
    c.goes_on()


def no_right_to_read(c):
    refuse(c, "topic", c.stage.events, "read", (f"topic {c.stage.events}: this user may not read it", "allow this user to"))


def no_right_to_write(c):
    topic = c.stage.settings["TOPICS_STATE"]
    refuse(c, "topic", topic, "write", (f"topic {topic}", "Topic authorization failed", "allow this user to"))


def no_right_to_group(c):
    refuse(c, "group", c.stage.name, "read", (f"group {c.stage.name}", "may not join", "allow this user to Read the group"))


def no_right_to_changelog(c):
    topic = c.stage.settings["TOPICS_STATE"]
    c.stop()
    acl.deny(c.kafka, "topic", topic, "read")
    c.feed()
    c.daemon.start()
    c.said(f"topic {topic}: this user may not read it", "allow this user to")
    acl.allow(c.kafka, "topic", topic)
    c.reload()
    c.goes_on()


def no_right_to_id(c):
    for i in range(2):
        acl.deny(c.kafka, "transactional id", f"{c.stage.name}-one-{i}", "write")
    c.stop()
    c.feed()
    c.daemon.start()
    c.said(f"earlier transactions of {c.stage.name}-one-", "authorization failed", "Write and Describe the transactional id")
    for i in range(2):
        acl.allow(c.kafka, "transactional id", f"{c.stage.name}-one-{i}")
    c.reload()
    c.goes_on()


# --- what is there no more

SENTENCE = re.compile(r"partition (\d+): \S+ begins at offset (\d+), expected (\d+): (\d+) records were removed")


def remove(c, partition, records):
    """As retention does: the first half of the records."""
    upto = records[len(records) // 2]["offset"] + 1
    c.meddle("delete-records", c.stage.events, partition, upto)
    return upto


def accept_the_loss(c, partition, upto, records):
    sentence = c.said(f"{c.stage.events} begins at offset {upto}", "removed before they were read", "are lost", "reposition")
    at, first, expected, lost = map(int, SENTENCE.search(sentence).groups())
    equal((at, first, lost), (partition, upto, first - expected), "what the sentence says")
    expect(c.stopped(partition), f"partition {partition} isn't stopped")
    c.stop()
    told = c.reposition("--to", "earliest")
    equal((told.count(f"goes on at {upto}, without the {lost} records"), told.count("nothing to do")), (1, PARTITIONS - 1),
          told)
    gone = [staging.value_of(r) for r in records if expected <= r["offset"] < first]
    equal(len(gone), lost, "records lost")
    for line in gone:
        c.sent.remove(line + b"\n")
    c.daemon.start()
    c.goes_on()


def unread(c, partition, position):
    return [r for r in c.records(c.stage.events) if r["partition"] == partition and r["offset"] >= position]


def recorded(c, partition):
    """The position of the events' topic in the changelog's newest record."""
    newest = [r for r in c.records(c.stage.settings["TOPICS_STATE"])
              if r["partition"] == partition and r["key"] == "/partition"][-1]
    return json.loads(newest["value"])["positions"][c.stage.events]


def retention(c):
    partition = c.world.random.randrange(PARTITIONS)
    at = recorded(c, partition)
    c.stop()
    c.feed()
    records = unread(c, partition, at)
    upto = remove(c, partition, records)
    c.daemon.start()
    accept_the_loss(c, partition, upto, records)


def retention_at_work(c):
    """It stands still while events come and go.  (The first of them answer the fetch that it has left open.)"""
    at = [recorded(c, partition) for partition in range(PARTITIONS)]
    c.daemon.signal(signal.SIGSTOP)
    c.feed(c.portion // 2)
    first = collections.Counter(r["partition"] for r in c.records(c.stage.events))
    c.feed(c.portion // 2)
    later = collections.Counter(r["partition"] for r in c.records(c.stage.events)) - first
    partition, n = later.most_common(1)[0]
    records = unread(c, partition, at[partition])
    upto = remove(c, partition, records[-n:])
    c.daemon.signal(signal.SIGCONT)
    accept_the_loss(c, partition, upto, records)


def offsets_expired(c):
    c.stop()
    c.meddle("forget", c.stage.name)
    c.feed()
    c.daemon.start()
    c.said(f"the group {c.stage.name} has no offsets of it any more", "goes on where the changelog says", page=False)
    c.goes_on()


def changelog_behind_group(c):
    """As after an unclean election: what the group knows, the changelog doesn't."""
    partition = c.world.random.randrange(PARTITIONS)
    at = recorded(c, partition)
    c.stop()
    c.feed()
    c.meddle("commit", c.stage.name, c.stage.events, partition, at + 5)
    c.daemon.start()
    c.said(f"partition {partition}: the group {c.stage.name} has committed offset {at + 5} of", f"knows only of {at}",
           "lost its tail", "--to recorded")
    expect(c.stopped(partition), f"partition {partition} isn't stopped")
    c.stop()
    equal(c.reposition("--to", "recorded").count(f"goes on at {at}\n"), 1, "repositioned")
    c.daemon.start()
    c.goes_on()


def make_changelog_anew(c):
    topic = c.stage.settings["TOPICS_STATE"]
    c.meddle("create-topic", topic + ".backup", PARTITIONS, "cleanup.policy=compact")
    c.meddle("copy", topic, topic + ".backup", PARTITIONS)
    c.meddle("delete-topic", topic)
    c.meddle("create-topic", topic, PARTITIONS, "cleanup.policy=compact")


def restore_changelog(c):
    """The topic first, then Redis, which is filled anew."""
    topic = c.stage.settings["TOPICS_STATE"]
    c.stop()
    c.meddle("copy", topic + ".backup", topic, PARTITIONS)
    c.meddle("delete-topic", topic + ".backup")
    for partition in range(PARTITIONS):
        c.forget_redis(partition)
    c.daemon.start()
    c.goes_on()


def changelog_made_anew(c):
    c.stop()
    make_changelog_anew(c)
    c.feed()
    c.daemon.start()
    c.said("Redis reflects", c.stage.settings["TOPICS_STATE"], "made anew", "restore it")
    restore_changelog(c)


def changelog_made_anew_at_work(c):
    make_changelog_anew(c)
    c.feed()
    c.said("Redis reflects", c.stage.settings["TOPICS_STATE"], "made anew", "restore it")
    restore_changelog(c)


def changelog_shorter(c):
    """Redis knows of more than the changelog holds; here it is Redis that is wrong."""
    partition = c.world.random.randrange(PARTITIONS)
    c.redis.command("HSET", c.key(partition), "watermark", "1000000")
    c.feed()
    c.said(f"partition {partition}: Redis reflects", "up to offset 1000000, but it ends at", "shortened or made anew")
    c.forget_redis(partition)
    c.reload()
    c.goes_on()


# --- others

def change_redis(c, field, value, *sentence):
    partition = c.world.random.randrange(PARTITIONS)
    c.stop()
    c.redis.command("HSET", c.key(partition), field, value)
    c.feed()
    c.daemon.start()
    c.said(f"partition {partition}: Redis holds", *sentence, f"delete {{{c.stage.name}:{partition}}}:* in Redis")
    c.wait("the others", lambda: sum(v == 2 for k, v in c.daemon.metrics().items()
                                     if k.startswith("shouwang_partition_state{")) == PARTITIONS - 1)
    expect(c.stopped(partition), f"partition {partition} isn't stopped")
    c.forget_redis(partition)
    c.reload()
    c.goes_on()


def redis_of_another_cluster(c):
    change_redis(c, "cluster", "another", "states of Kafka cluster another, this is cluster")


def redis_of_another_topic(c):
    change_redis(c, "topic", "state.another", "states of topic state.another, settings name " + c.stage.settings["TOPICS_STATE"])


def redis_of_another_instance(c):
    record = {"v": 1, "incarnation": "0" * 32, "rules": "0" * 16, "revision": 0, "partitions": PARTITIONS,
              "partitioner": "murmur2", "positions": {}}
    change_redis(c, "record", json.dumps(record), "incarnation " + "0" * 32 + ", the changelog", "another instance's")


def another_partitioner(c):
    c.stop()
    c.feed()
    c.daemon.environment["SHOUWANG_PARTITIONER"] = "consistent"
    c.daemon.start()
    c.said("states were made with partitioner murmur2, settings say consistent", "Set `partitioner: murmur2`")
    c.daemon.environment.pop("SHOUWANG_PARTITIONER")
    c.restart()
    c.goes_on()


def one_id_twice(c):
    other = c.stage.daemon("other", NODE="one").start()

    def war():
        c.feed(15)
        time.sleep(0.5)
        return any("is used by another process too, which last was: host " in log and
                   (f"process {c.daemon.pid}," in log or f"process {other.pid}," in log)
                   for log in (c.daemon.log()[c.mark:], other.log()))
    c.wait("sentence about the other", war)
    other.stop()
    c.stage.daemons.remove(other)
    c.reload()
    c.goes_on()
