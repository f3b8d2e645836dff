#!/usr/bin/env python3
"""The daemon's promises on a real Apache Kafka and a private Redis: what reaches the units' queues is what the engine
alone makes of the same events, exactly once, whatever happens in between.  usage: test_kafka.py BUILD [CASE…]"""

import contextlib
import functools
import json
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stage as staging  # noqa: E402  (finds tests/lib for the rest)
import cases  # noqa: E402
import murmur2  # noqa: E402
from cases import equal, expect, has  # noqa: E402
from servers import Kafka, Redis, missing, wait_until  # noqa: E402

PROGRAMS = staging.Programs(sys.argv.pop(1))
SMALL = {"BATCH_EVENTS": 40}  # many transactions, so that something happens in between


class Servers:
    """Started once, for all cases."""
    stack = contextlib.ExitStack()

    @classmethod
    @functools.lru_cache(None)
    def get(cls):
        folder = cls.stack.enter_context(staging.temporary_folder())
        kafka = cls.stack.enter_context(Kafka(os.path.join(folder, "k")).start())
        redis = cls.stack.enter_context(Redis(folder).start())
        return folder, kafka, redis

    @classmethod
    @functools.lru_cache(None)
    def sample(cls, households=300, months=12, seed=3):
        return staging.Sample(PROGRAMS, cls.get()[0], households, months, seed)


@contextlib.contextmanager
def stage(topics=True, **settings):
    folder, kafka, redis = Servers.get()
    s = staging.Stage(PROGRAMS, kafka.bootstrap, redis.url, folder, settings)
    try:
        yield s.topics() if topics else s
    finally:
        s.stop()


def stop(d, seconds=40):
    d.signal(signal.SIGTERM)
    equal(d.wait(seconds), 0, f"exit status of {d.name}; log:\n{d.log()[-3000:]}\n")


# --- the harness itself

def the_comparison_finds_every_kind_of_fault():
    def message(case, number, level="red"):
        return {"id": f"{case}{number}", "data": {"case": case, "message_no": number, "level": level}}

    wanted = [message("a", 1), message("a", 2), message("b", 1)]
    equal(staging.differences(wanted, list(wanted)), [], "faults of equals")
    for got, fault in ((wanted[:2], "lost"), (wanted + [message("c", 1)], "not expected"),
                       (wanted + wanted[:1], "repeated"), (wanted[:2] + [message("b", 1, "yellow")], "content"),
                       ([wanted[1], wanted[0], wanted[2]], "order"),
                       (wanted[:2] + [{**wanted[2], "id": "a1"}], "id given")):
        expect(any(fault in f for f in staging.differences(wanted, got)), f"{fault} isn't found")
    equal(staging.state_differences("a\nb", "a\nb", "x"), [], "faults of equal states")
    expect(staging.state_differences("a\nb", "a\nc", "x"), "a changed state isn't found")
    expect(staging.state_differences("a\nb", "a", "x"), "a missing state isn't found")


# --- exactly once

def the_queues_get_what_the_engine_alone_gives():
    with stage() as s:
        sample = Servers.sample()
        s.publish(sample.path)
        d = s.daemon().start()
        s.wait_all()
        s.verify(sample.path)
        s.ctl("run", s.config, sample.path, "--partitions", str(staging.PARTITIONS), "--quiet", "--rejects",
              os.path.join(s.folder, "rejects"))
        with open(os.path.join(s.folder, "rejects"), encoding="utf-8") as alone:
            wanted = sorted(json.loads(line)["reason"] for line in alone)
        expect(len(wanted) > 5, "too few rejects")
        equal(sorted(r["headers"]["reason"] for r in s.rejects()), wanted, "rejects")
        equal(int(d.total("shouwang_rejected_total")), len(wanted), "rejects counted")
        ids = [m["id"] for m in s.messages()]
        expect(all(len(id_) == 32 for id_ in ids), "an odd id")
        for record in staging.lines(s.peek("read", s.units[-1])):
            has(record["headers"]["content-type"], "application/cloudevents+json")
            equal(record["key"], json.loads(record["value"])["subject"], "key")
        stop(d)


def the_size_of_a_batch_changes_nothing():
    with stage(BATCH_EVENTS=37, BATCH_WAIT="1 ms", WORKERS=1) as s:
        sample = Servers.sample()
        s.publish(sample.path)
        s.daemon().start()
        s.wait_all()
        s.verify(sample.path)


def settlements(households, numbers):
    return [(event(number, subject=f"h-{h}", data={"settlement_no": f"{h}-{number}", "self_paid": 900}) + "\n").encode()
            for number in numbers for h in households]


def a_batch_is_bounded_in_bytes_and_where_it_is_cut_changes_nothing():
    """Many large states after many small ones are more than a round may load."""
    with stage(BATCH_BYTES="64 KiB", WORKERS=1, LOG_LEVEL="debug") as s:
        kafka_configs(s.settings["TOPICS_STATE"], "max.message.bytes=6000")
        profiles = [(event(h, subject=f"h-{h}", type="cn.household.profile",
                           data={"region": "360704102", "dibao": False}) + "\n").encode() for h in range(60)]
        parts = (profiles + settlements(range(60), range(150)), settlements(range(1000, 1600), range(2)),
                 settlements(range(60), range(150, 160)))
        path = os.path.join(s.folder, "all.jsonl")
        with open(path, "wb") as out:
            out.writelines(line for part in parts for line in part)
        d = s.daemon().start()
        for part in parts:
            s.publish(part)
            s.wait_all()
        equal(len(s.rejects()), 0, "rejects")
        s.verify(path)
        held = d.total("shouwang_arena_bytes")
        expect(held < 4 << 20, f"batches hold {held} bytes")


def a_kill_in_the_middle_loses_nothing_and_repeats_nothing():
    with stage(**SMALL) as s:
        sample = Servers.sample()
        s.publish(sample.path)
        reached = []
        for n in (300, 900, 1):
            d = s.daemon().start()
            s.wait_committed(n)
            d.kill()
            reached.append(s.positions())
        expect(0 < reached[0] < s.published, f"it was killed at {reached[0]}, not in the middle")
        s.daemon().start()
        s.wait_all()
        s.verify(sample.path)


def a_flushed_redis_is_filled_again():
    with stage(**SMALL) as s:
        redis = Servers.get()[2]
        sample = Servers.sample()
        s.publish(sample.path)
        d = s.daemon().start()
        for n in (500, 1500):
            s.wait_committed(n)
            redis.command("FLUSHALL")
        s.wait_all()
        wait_until("the states in Redis", 30, lambda: s.peek("cached") == s.peek("states"))
        s.verify(sample.path)
        redis.command("FLUSHALL")  # with nothing to do: the poll for timers finds out
        wait_until("the states in Redis again", 30, lambda: s.peek("cached") == s.peek("states"))
        has(d.log(), "taking over anew")


def the_same_events_twice_change_nothing():
    with stage() as s:
        sample = Servers.sample()
        s.publish(sample.path)
        s.daemon().start()
        s.wait_all()
        s.publish(sample.path)
        s.wait_all()
        s.verify(sample.path)


def a_clean_end_in_the_middle_leaves_nothing_to_replay():
    with stage(**SMALL) as s:
        sample = Servers.sample()
        s.publish(sample.path)
        d = s.daemon().start()
        s.wait_committed(1000)
        stop(d)
        before = s.positions()
        expect(0 < before < s.published, f"it ended at {before}, not in the middle")
        d = s.daemon().start()
        s.wait_all()
        s.verify(sample.path)
        equal(d.total("shouwang_replayed_records_total"), 0, "replayed records")


def a_second_daemon_joins_and_the_first_leaves():
    with stage(**SMALL) as s:
        sample = Servers.sample()
        s.publish(sample.lines[:6000])
        first = s.daemon("one").start()
        s.wait_committed(500)
        second = s.daemon("two").start()
        wait_until("partitions of the second", 40, lambda: second.total("shouwang_takeovers_total") > 0)
        s.publish(sample.lines[6000:8000])
        s.wait_all()
        stop(first)
        s.publish(sample.lines[8000:])
        s.wait_all()
        s.verify(sample.path)


# --- broken events

GOOD = {"specversion": "1.0", "id": "g", "source": "/test", "type": "cn.medical.settled", "subject": "h-1",
        "time": "2026-01-05T09:00:00+08:00", "data": {"settlement_no": "n", "settled_on": "2026-01-04", "self_paid": 10}}


def event(number, leave_out=(), data=None, **changes):
    made = {**GOOD, "id": f"e{number}", **changes,
            "data": {**GOOD["data"], "settlement_no": f"n{number}", **(data or {})}}
    return json.dumps({key: value for key, value in made.items() if key not in leave_out}, ensure_ascii=False)


def broken_events():
    """(record, a part of the reason)"""
    return [
        ({"value": event(1)[:60]}, "JSON"),
        ({"value": event(2, leave_out=["subject"])}, "subject"),
        ({"value": event(3, leave_out=["type"])}, "type"),
        ({"value": event(4, leave_out=["id"])}, "id"),
        ({"value": event(5, time="yesterday")}, "time"),
        ({"value": event(6, data={"self_paid": "much"})}, "data.self_paid"),
        ({"value": event(7, data={"settlement_no": None})}, "key"),
        ({"value": event(8, data={"settled_on": "the fourth"})}, "data.settled_on"),
        ({"value": event(9, type="cn.household.profile", data={"category": "另一类"})}, "data.category"),
        ({"value": event(10, type="cn.household.profile", data={"dibao": "yes"})}, "data.dibao"),
        ({"value": event(11, specversion="0.3")}, "specversion"),
        ({"value": "[]"}, ""),
        ({"value": "x" * 100000}, "JSON"),
        ({"value": '{"settlement_no": "n14", "self_paid": "much"}', "key": "h-1",
          "headers": {"ce_specversion": "1.0", "ce_id": "e14", "ce_source": "/test", "ce_type": "cn.medical.settled",
                      "ce_time": "2026-01-05T09:00:00+08:00", "content-type": "application/json"}}, "data.self_paid"),
        ({"value": event(16, subject="")}, "subject"),
    ]


def partition_of_h_1():
    """Found by asking where a good one went."""
    with stage() as probe:
        probe.send([{"value": event(0), "key": "h-1"}])
        return staging.lines(probe.peek("read", probe.events))[0]["partition"]


def a_broken_event_goes_to_the_rejects_with_its_field_and_the_rest_flows():
    right = partition_of_h_1()
    with stage() as s:
        records, wanted = [], []
        for i, (record, part) in enumerate(broken_events()):
            record = dict(record)
            record["partition"] = right
            records += [record, {"value": event(100 + i), "key": "h-1", "partition": right}]
            wanted.append((record, part))
        s.send(records)
        d = s.daemon().start()
        s.wait_all()
        got = s.rejects()
        equal(len(got), len(wanted), "rejects")
        expect(any(len(r["value"]) == 65536 for r in got), "the long one isn't cut")
        by_value = {r["value"]: r for r in got}
        for record, part in wanted:
            reject = by_value.get(record["value"][:65536])
            expect(reject, f"not rejected: {record}")
            has(reject["headers"]["reason"], part)
            equal(reject["headers"]["topic"], s.events, "topic")
            equal(int(reject["headers"]["partition"]), record["partition"], "partition")
            expect(int(reject["headers"]["offset"]) >= 0, "no offset")
        state = s.peek("states")
        for i in range(len(wanted)):
            has(state, f'"n{100 + i}"')
        equal(d.total("shouwang_rejected_total"), len(wanted), "rejects counted")
        stop(d)


def a_state_that_grows_too_large_rejects_only_the_event_that_makes_it_so():
    right = partition_of_h_1()
    with stage() as s:
        kafka_configs(s.settings["TOPICS_STATE"], "max.message.bytes=4000")
        s.send([{"value": event(i), "key": "h-1", "partition": right} for i in range(1000)]
               + [{"value": event(i, subject="h-1", type="cn.medical.settlement.cancelled"), "partition": right}
                  for i in range(1000, 1010)])
        d = s.daemon(BATCH_EVENTS=400).start()
        s.wait_all()
        got = s.rejects()
        expect(100 < len(got) < 990, f"{len(got)} rejects; states of {d.total('shouwang_state_bytes_total')} bytes")
        for reject in got:
            has(reject["headers"]["reason"], "larger than a record may be")
        state = s.peek("states")
        equal(state.count("\n"), 1, "states")
        equal(s.peek("cached"), state, "Redis")
        equal(d.total("shouwang_aborts_total"), 0, "aborts")


def a_timer_that_makes_a_state_too_large_loses_no_event():
    right = murmur2.partition_of(b"h-1", staging.PARTITIONS)
    stranger = next(name for name in (f"x-{i}" for i in range(1000))
                    if murmur2.partition_of(name.encode(), staging.PARTITIONS) == right)
    with stage() as s:
        s.patch("rules/assistance.yaml", "^hold: 0 days", "hold: 30 days")  # the alert opens by time
        kafka_configs(s.settings["TOPICS_STATE"], "max.message.bytes=4000")
        sent = [event(0, type="cn.household.profile", data={"region": "360704102"})] \
            + [event(i, data={"self_paid": 1000}) for i in range(1, 400)]
        moves_time = event(1000, subject=stranger, time="2026-03-01T09:00:00+08:00")
        s.send([{"value": value, "partition": right} for value in [*sent, moves_time]])
        s.daemon(BATCH_EVENTS=2000).start()
        s.wait_all()
        rejects = s.rejects()
        equal(sum(r["headers"]["reason"].startswith("timer: ") for r in rejects), 1, "timers in the rejects")
        refused = {json.loads(r["value"])["id"] for r in rejects if r["value"]}
        kept = set(re.findall(r'"id":"(e\d+)"', s.peek("states")))
        equal(sorted({f"e{i}" for i in range(1, 400)} - refused - kept), [], "lost events")
        equal(s.peek("cached"), s.peek("states"), "Redis")


def kafka_configs(topic, setting):
    kafka = Servers.get()[1]
    staging.output(kafka.java("128m", "kafka.admin.ConfigCommand",
                              "--bootstrap-server", kafka.bootstrap, "--alter", "--entity-type", "topics",
                              "--entity-name", topic, "--add-config", setting))


# --- rules, topics, identities

def a_reload_in_the_middle_loses_nothing_and_a_broken_one_changes_nothing():
    with stage(**SMALL) as s:
        sample = Servers.sample()
        s.publish(sample.lines[:5000])
        d = s.daemon().start()
        s.wait_committed(500)
        before = d.count_told("READY", "1")
        s.patch("shouwang.yaml", r"\A", "# the same again\n")
        d.signal(signal.SIGHUP)
        d.wait_told("READY", "1", before + 1)
        s.wait_committed(2500)
        s.patch("rules/assistance.yaml", r"^rule:", "ruel:")
        d.signal(signal.SIGHUP)
        d.wait_told("READY", "1", before + 2)
        has(d.log(), "reload refused")
        s.patch("rules/assistance.yaml", r"^ruel:", "rule:")
        s.publish(sample.lines[5000:])
        s.wait_all()
        s.verify(sample.path)
        equal(d.log().count("works by new rules"), 2, "workers with new rules")
        stop(d)


def a_missing_topic_is_named_and_waited_for():
    with stage(topics=False) as s:
        d = s.daemon().start()
        wait_until("a sentence", 30, lambda: "is missing" in d.log())
        has(d.log(), "shouwangctl topics")
        equal(d.get("/-/ready")[0], 503, "readiness")
        s.topics()
        sample = Servers.sample()
        s.publish(sample.lines[:100])
        s.wait_all()
        stop(d)


def no_partition_works_on_a_redis_of_another_cluster():
    with stage(WORKERS=1) as s:
        redis = Servers.get()[2]
        sample = Servers.sample()
        d = s.daemon().start()
        s.publish(sample.lines[:500])
        s.wait_all()
        stop(d)
        redis.command("HSET", f"{{{s.name}:1}}:meta", "cluster", "another")
        s.publish(sample.lines[500:1000])
        d = s.daemon().start()
        wait_until("a sentence", 30, lambda: "another" in d.log())
        has(d.log(), "partition 1: Redis holds states of Kafka cluster another")
        wait_until("the others", 30, lambda: sum(
            d.metrics().get(f'shouwang_partition_state{{partition="{p}"}}', 0) == 2 for p in range(4)) == 3)
        equal(d.metrics()['shouwang_partition_state{partition="1"}'], 3, "state of partition 1")
        expect(s.positions() < s.published, "partition 1 was worked on")
        stop(d)
        redis.command("DEL", f"{{{s.name}:1}}:meta")
        s.daemon().start()
        s.wait_all()


def a_changelog_that_lost_its_tail_stops_the_partition():
    with stage(WORKERS=1) as s:
        redis = Servers.get()[2]
        sample = Servers.sample()
        d = s.daemon().start()
        s.publish(sample.lines[:500])
        s.wait_all()
        stop(d)
        redis.command("HSET", f"{{{s.name}:2}}:meta", "watermark", "1000000")
        d = s.daemon().start()
        wait_until("a sentence", 30, lambda: "shortened or made anew" in d.log())
        equal(d.metrics()['shouwang_partition_state{partition="2"}'], 3, "state of partition 2")
        stop(d)


def two_daemons_of_one_name_are_told():
    with stage(WORKERS=1, **SMALL) as s:
        sample = Servers.sample()
        first = s.daemon("one").start()
        s.publish(sample.lines[:200])
        s.wait_all()
        second = s.daemon("other", NODE="one").start()
        for i in range(4):
            s.publish(sample.lines[200 + 200 * i:400 + 200 * i])
            time.sleep(1)
        s.publish(sample.lines[1000:])
        s.wait_all(120)
        s.verify(sample.path)
        said = first.log() + second.log()
        has(said, f"the transactional id {s.name}-one-0 is used by another process too, which last was: host ")
        expect(f"process {first.pid}," in said or f"process {second.pid}," in said, "the holder isn't named:\n" + said)


def the_daemon_waits_for_redis_and_goes_on():
    folder = Servers.get()[0]
    with stage(**SMALL) as s, Redis(os.path.join(folder, "own")) as own:
        own.start()
        s.environment["SHOUWANG_REDIS_URL"] = s.settings["REDIS_URL"] = own.url
        sample = Servers.sample()
        s.publish(sample.path)
        d = s.daemon().start()
        s.wait_committed(1000)
        own.kill()
        wait_until("a sentence", 30, lambda: "pauses" in d.log())
        own.start()
        s.wait_all()
        s.verify(sample.path)
        has(d.log(), "answer again")
        stop(d)


if __name__ == "__main__":
    cases.PREFIXES += ("two_",)
    with Servers.stack:
        cases.main(globals(), missing())
