"""Fault 8: events that are broken in every way."""

import base64
import datetime
import collections
import json
import os
import re

import stage as staging  # finds tests/lib for the rest
import murmur2
import mutations
import verify
import workload
from cases import equal, expect
from world import PARTITIONS

NUMBER = 8
NAME = "broken-events"
KINDS = mutations.KINDS
BROKEN, FEW, FUTURE = 10000, 12, 150  # in all; of the largest, and of those that move the clock to the end of time
KILLS = 2
REJECT_BYTES = 65536
FIELD = re.compile(r"^(event|specversion|id|source|type|subject|time|data|data_base64|data\.[a-z_0-9]+|content-type|"
                   r"key)\b")
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
OTHER_TYPE = "type: found one that "  # which watch doesn't know it, only the topic tells
FIXED = "2026-07-01T08:00:00+08:00"


def run(world):
    """10,000 broken events among good ones, and kill -9 in between: each is in the rejects once, with its bytes, where
    it was found and the field that is wrong, or has done what the engine alone does with it."""
    world.start_servers()
    stage = world.set_stage(UNKNOWN_EVENTS="reject")
    work = Mixture(world, stage)
    for record in work.records:
        if record.kind:
            world.happened(record.kind)
    send(stage, work.records)
    world.one, world.two = stage.daemon("one").start(), stage.daemon("two").start()
    for i in range(KILLS):
        world.wait("progress", lambda n=i: committed(stage) > len(work.records) * (n + 1) / (KILLS + 2))
        world.kill(world.one)
        world.start(world.one)
    world.wait("the end", lambda: committed(stage) == len(work.records))
    world.wait("everything in Redis", world.settled)
    world.figures = check(world, stage, work)
    stage.stop()
    too_far_in_the_future(world, [r for r in work.records if r.kind == "future"])


class Mixture:
    """records, in the order in which they are sent; rejected: {index: the engine's reason}; expected: all else that
    comes out."""

    def __init__(self, world, stage):
        sample = staging.Sample(stage.programs, stage.folder, 300, 12, world.seed).lines
        made = mutations.Mutations(world.seed, stage.events, stage.settings["TOPICS_FEEDBACK"])
        good = [json.loads(line) for line in sample if whole(line)]
        kinds = world.random.choices([k for k in KINDS if k not in ("large", "future")],
                                     k=BROKEN - FEW - FUTURE) + ["large"] * FEW
        if world.chosen is not None:
            kinds = [kind for kind in kinds if kind in world.chosen]
        world.random.shuffle(kinds)
        self.records = [as_it_is(stage, line) for line in sample]
        places = sorted((world.random.randrange(len(sample)) for _ in kinds), reverse=True)
        for place, kind in zip(places, kinds):
            self.records.insert(place, made.make(kind, near(good, sample, place)))
        if world.chosen is None or "future" in world.chosen:
            self.records += [made.make("future", world.random.choice(good)) for _ in range(FUTURE)]
        self.engine_alone(stage)

    def engine_alone(self, stage):
        path, of_line = os.path.join(stage.folder, "lines.jsonl"), {}
        with open(path, "wb") as out:
            for i, record in enumerate(self.records):
                if record.line is not None:
                    of_line[len(of_line) + 1] = i
                    out.write(record.line + b"\n")
        self.expected = workload.Expected.of(stage, path, stage.folder)
        with open(os.path.join(stage.folder, "rejects"), encoding="utf-8") as text:
            rejects = staging.lines(text.read())
        self.rejected = {of_line[reject["line"]]: reject["reason"] for reject in rejects}
        self.expected.rejects = []  # they are compared one by one


def whole(line):
    """Is it good?  The sample has faulty ones, too: settlements."""
    try:
        event = json.loads(line)
        data = event["data"]
        if event["type"] == "cn.medical.settled":
            datetime.date.fromisoformat(data["settled_on"])
            return isinstance(data["self_paid"], (int, float)) and bool(data["settlement_no"]) and \
                event["specversion"] == "1.0" and RFC3339.match(event["time"]) and bool(event["subject"])
        return set(mutations.ATTRIBUTES) <= set(event)
    except (ValueError, KeyError, TypeError):
        return False


def near(good, sample, place):
    return good[min(len(good) - 1, place * len(good) // len(sample))]


def as_it_is(stage, line):
    line = line.rstrip(b"\n")
    key = workload.key_of(line)
    return mutations.Record(None, stage.events, key.decode(errors="replace"), key or None, line, [], None, line, None)


# --- to Kafka

def partition_of(record):
    return murmur2.partition_of(record.subject.encode(errors="replace"), PARTITIONS)


def json_bytes(value):
    return None if value is None else {"base64": base64.b64encode(value).decode()}


def line_of(record):
    """As peek wants it."""
    headers = [[name, json_bytes(value) if isinstance(value, bytes) else value] for name, value in record.headers]
    return json.dumps({"partition": partition_of(record), "key": json_bytes(record.key), "value": json_bytes(record.value),
                       "timestamp": record.time or 0, "headers": headers})


def send(stage, records):
    for topic in sorted({record.topic for record in records}):
        stage.peek("send", topic, given="\n".join(line_of(r) for r in records if r.topic == topic).encode())


def committed(stage):
    try:
        return sum(json.loads(stage.peek("committed", stage.events, stage.settings["TOPICS_FEEDBACK"])).values())
    except (RuntimeError, ValueError):
        return -1


# --- what came out

def check(world, stage, work):
    found = verify.Found.of(stage)
    found.rejects = []
    verdict = verify.Verdict(work.expected, found)
    verdict.faults += check_engine(work)
    verdict.figures["rejects"], faults = check_rejects(stage, work)
    verdict.faults += faults
    equal(sum(d.total("shouwang_forwarded_total") for d in (world.one, world.two)), 0, "forwarded")
    for daemon in (world.one, world.two):
        states = [value for key, value in daemon.metrics().items() if key.startswith("shouwang_partition_state{")]
        expect(3 not in states, "a partition stopped\n" + daemon.log()[-3000:])
    kinds = collections.Counter(r.kind for i, r in enumerate(work.records)
                                if r.kind and r.line and i not in work.rejected)
    world.say(f"broken: {sum(1 for r in work.records if r.kind)}; still events, and accepted: {dict(kinds)}")
    for line in verdict.lines():
        world.say(line)
    verdict.must_be_right(world.logs())
    return verdict.figures


def check_engine(work):
    """Where it is known without the engine what is broken, and that a reason names a field."""
    faults = []
    for i, record in enumerate(work.records):
        reason = work.rejected.get(i)
        if reason is not None and not FIELD.match(reason):
            faults.append(f"a reason without a field: {reason}")
        if record.beginnings and record.line is not None and not (reason or "accepted").startswith(record.beginnings):
            faults.append(f"{record.kind}: {reason or 'accepted'}, should begin with {record.beginnings}: "
                          f"{record.line[:300]}")
    return faults


def places(stage, records):
    """Where each record lies: {(topic, partition, offset): index}, and its key as it is printed."""
    found, keys = {}, {}
    for topic in {record.topic for record in records}:
        there = collections.defaultdict(list)
        for line in staging.lines(stage.peek("read", topic)):
            there[line["partition"]].append(line)
        for i, record in enumerate(records):
            if record.topic == topic:
                line = there[partition_of(record)].pop(0)
                equal(staging.value_of(line), record.value or b"", "value in the input")
                found[topic, line["partition"], line["offset"]], keys[i] = i, line["key"]
    return found, keys


def check_rejects(stage, work):
    at, keys = places(stage, work.records)
    surely = {i for i, r in enumerate(work.records) if r.line is None}
    wanted, got, faults = surely | set(work.rejected), collections.Counter(), []
    for reject in stage.rejects():
        headers = reject["headers"]
        place = headers["topic"], int(headers["partition"]), int(headers["offset"])
        if place not in at:
            faults.append(f"a reject of no record: {headers}")
            continue
        i = at[place]
        got[i] += 1
        faults += unlike(work.records[i], keys[i], work.rejected.get(i), reject)
    for i in sorted(set(got) | wanted):
        if got[i] != (i in wanted):
            faults.append(f"{got[i]} times in the rejects: {work.records[i].kind} {str(work.records[i].value)[:300]}")
    return {"expected": len(wanted), "got": got.total(), "lost": len(wanted - set(got)),
            "repeated": sum(n - 1 for n in got.values()), "unexpected": len(set(got) - wanted)}, faults


def unlike(record, key, reason, reject):
    """What of a reject isn't as it must be."""
    headers = reject["headers"]
    text = headers["reason"]
    if reason is not None and text != reason and not (text.startswith(OTHER_TYPE) and reason.startswith(OTHER_TYPE)):
        yield f"another reason: {text}, the engine alone says {reason}"
    if record.beginnings and not text.startswith(record.beginnings):
        yield f"{record.kind}: {text}, should begin with {record.beginnings}"
    if not FIELD.match(text):
        yield f"a reason without a field: {text}"
    value = record.value[:REJECT_BYTES] if record.value is not None else None
    if (None if reject["value"] is None else staging.value_of(reject)) != value:
        yield f"{record.kind}: other bytes than {str(record.value)[:300]}"
    if reject["key"] != key:
        yield f"{record.kind}: key {reject['key']}, was {key}"
    lost = [name for name, _ in record.headers if name not in headers and name not in mutations.REJECTS_OWN]
    if lost:
        yield f"{record.kind}: without its headers {lost}"


# --- by the wall clock

def too_far_in_the_future(world, records):
    """With a clock that isn't the events': all of them are rejected for their time."""
    stage = world.set_stage(CLOCK=FIXED)
    records = [record._replace(topic=stage.events) for record in records]
    send(stage, records)
    stage.daemon("three").start()
    world.wait("the future ones", lambda: committed(stage) == len(records))
    reasons = [reject["headers"]["reason"] for reject in stage.rejects()]
    equal(len(reasons), len(records), "events of the future that are rejected")
    for reason in reasons:
        expect(reason.startswith("time: found one ") and "in the future" in reason, reason)
