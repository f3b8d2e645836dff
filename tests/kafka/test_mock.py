#!/usr/bin/env python3
"""The daemon against the embedded broker, where no real Kafka is to be had: the same messages and states as from the
engine alone, over a restart too.  The embedded broker forgets transactional offsets and never fences, so this proves
nothing about exactly-once; test_kafka.py does.  usage: test_mock.py BUILD [CASE…]"""

import contextlib
import json
import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stage as staging  # noqa: E402  (finds tests/lib for the rest)
import cases  # noqa: E402
from cases import equal, has  # noqa: E402
from servers import MockBroker, Redis, wait_until  # noqa: E402

PROGRAMS = staging.Programs(sys.argv.pop(1))


@contextlib.contextmanager
def stage(**settings):
    with staging.temporary_folder() as folder, Redis(folder) as redis:
        redis.start()
        s = staging.Stage(PROGRAMS, "127.0.0.1:1", redis.url, folder, settings)
        with MockBroker(folder, PROGRAMS.mock_broker, s.all_topics()) as broker:
            broker.start()
            s.settings["KAFKA_BOOTSTRAP"] = s.environment["SHOUWANG_KAFKA_BOOTSTRAP"] = broker.bootstrap
            s.redis = redis
            try:
                yield s
            finally:
                s.stop()


def the_queues_get_what_the_engine_alone_gives_over_a_restart():
    with stage(BATCH_EVENTS=300) as s:
        sample = staging.Sample(PROGRAMS, s.folder, 120, 12, 5)
        s.publish(sample.lines[:len(sample.lines) // 2])
        d = s.daemon().start()
        s.wait_all()
        d.signal(signal.SIGTERM)
        equal(d.wait(40), 0, "exit status")
        s.publish(sample.lines[len(sample.lines) // 2:])
        d = s.daemon().start()
        s.wait_all()
        s.verify(sample.path)
        equal(d.total("shouwang_replayed_records_total"), 0, "replayed records")
        has(d.log(), "settings can't be checked")  # the embedded broker doesn't tell them


def a_flushed_redis_is_filled_again():
    with stage(BATCH_EVENTS=300) as s:
        sample = staging.Sample(PROGRAMS, s.folder, 120, 12, 5)
        s.publish(sample.path)
        s.daemon().start()
        s.wait_all()
        s.redis.command("FLUSHALL")
        wait_until("the states in Redis", 30, lambda: s.peek("cached") == s.peek("states"))
        s.verify(sample.path)


def the_timers_of_idle_partitions_fire():
    def event(number, kind, data):
        return json.dumps({"specversion": "1.0", "id": f"e{number}", "source": "/test", "type": kind, "subject": "h-1",
                           "time": "2026-01-09T09:00:00+08:00", "data": data}).encode() + b"\n"

    with stage() as s:
        s.publish([event(1, "cn.household.profile", {"region": "360704102", "dibao": False}),
                   event(2, "cn.medical.settled", {"settlement_no": "n", "settled_on": "2026-01-05",
                                                   "self_paid": 90000})])
        for day, wanted in (("2026-01-10", ["case.opened"]), ("2027-01-10", []), ("2027-03-01", ["case.cleared"])):
            d = s.daemon(CLOCK=f"{day}T08:00:00+08:00").start()
            before = s.messages() if wanted != ["case.opened"] else []
            s.wait_all()
            wait_until(f"{wanted} at {day}", 30, lambda: d.total("shouwang_states_total") > 0)
            equal([m["type"] for m in s.messages()[len(before):]], wanted, f"messages at {day}")
            equal(d.total("shouwang_timers_total") > 0, day != "2026-01-10", "timers fired")
            d.signal(signal.SIGTERM)
            equal(d.wait(40), 0, "exit status")
        equal(s.peek("cached"), s.peek("states"), "Redis")


if __name__ == "__main__":
    cases.main(globals(), None if shutil.which("redis-server") else "redis-server is not installed")
