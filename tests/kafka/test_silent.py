#!/usr/bin/env python3
"""Never silent, on a real Apache Kafka and a private Redis: whatever doesn't move for longer than `stall` turns
/-/healthy to 503 with a sentence, ends the feeding of systemd's watchdog, and is over when its cause is.
usage: test_silent.py BUILD [CASE…]"""

import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stage as staging  # noqa: E402  (finds tests/lib for the rest)
import cases  # noqa: E402
from cases import equal, expect, has  # noqa: E402
from servers import Redis, die_with_parent, missing, wait_until  # noqa: E402
import test_kafka  # noqa: E402
from test_kafka import PROGRAMS, Servers  # noqa: E402

STALL = 4  # s
PATIENCE = 120  # s


def stage(**settings):
    return test_kafka.stage(**{"STALL": f"{STALL} seconds", "WORKERS": 1, **settings})


def event(number, subject="h-1"):
    return json.dumps({"specversion": "1.0", "id": f"e{number}", "source": "/test", "type": "cn.medical.settled",
                       "subject": subject, "time": "2026-01-05T09:00:00+08:00",
                       "data": {"settlement_no": f"n{number}", "settled_on": "2026-01-04", "self_paid": 10}})


def start(s, name="one", **settings):
    d = s.daemon(name, **settings)
    d.environment["WATCHDOG_USEC"] = "1000000"
    d.start()
    wait_until("readiness", PATIENCE, lambda: d.must_run() or d.get("/-/ready")[0] == 200)
    return d


def fed(d, seconds=3.0):
    """How often it feeds the watchdog in so much time; it is to be each half second."""
    before = d.count_told("WATCHDOG", "1")
    time.sleep(seconds)
    return d.count_told("WATCHDOG", "1") - before


def must_be_unhealthy(d, *sentences, watchdog_fed=False):
    """Soon, in one of these sentences, in STATUS= and the log too; but not before it has lasted for STALL."""
    began = time.monotonic()
    wait_until("ill health", PATIENCE, lambda: d.must_run() or d.get("/-/healthy")[0] == 503)
    if not watchdog_fed:
        expect(time.monotonic() - began > STALL - 2, f"unhealthy after {time.monotonic() - began:.1f} s already")
    try:
        wait_until("sentence", PATIENCE, lambda: re.search("|".join(sentences), d.get("/-/healthy")[1]))
    except TimeoutError as late:
        raise AssertionError(f"{late}: {sentences} isn't what it says: {d.get('/-/healthy')[1]}\n{d.log()[-3000:]}") from late
    wait_until("metric of ill health", PATIENCE, lambda: d.metrics().get("shouwang_healthy") == 0)
    time.sleep(1.5)  # a feeding from before may still come
    equal(fed(d) > 0, watchdog_fed, "is the watchdog fed?")
    expect(any(message.get("STATUS", "").startswith("UNHEALTHY: ") for message in d.listen()), "STATUS= doesn't say it")
    wait_until("a line in the log", PATIENCE, lambda: "UNHEALTHY: " in d.log())


def must_recover(d):
    wait_until("recovery", PATIENCE, lambda: d.must_run() or (d.get("/-/healthy")[0], d.get("/-/ready")[0]) == (200, 200))
    expect(fed(d) > 0, "the watchdog isn't fed again")
    wait_until("a last word", PATIENCE, lambda: "all moves again" in d.log())


def a_healthy_daemon_says_when_it_last_committed():
    with stage() as s:
        d = start(s)
        s.send([{"value": event(1), "key": "h-1"}])
        s.wait_all()
        times = [value for key, value in d.metrics().items() if key.startswith("shouwang_last_commit_timestamp_seconds{")]
        expect(times and all(abs(value - time.time()) < PATIENCE for value in times), f"last commits: {times}")
        time.sleep(STALL + 2)  # with nothing to do
        equal(d.get("/-/healthy")[0], 200, "health")
        expect(fed(d) > 0, "the watchdog isn't fed")


def an_absent_redis_is_told_and_over():
    with stage() as s, Redis(os.path.join(Servers.get()[0], "own")) as own:
        own.start()
        d = start(s, REDIS_URL=own.url)
        own.kill()
        must_be_unhealthy(d, r"Worker 0 has been held up by Kafka or Redis for \d+ s: Redis at ")
        own.start()
        must_recover(d)


def an_absent_redis_is_told_by_a_worker_without_partitions_too():
    with stage() as s, Redis(os.path.join(Servers.get()[0], "own2")) as own:
        own.start()
        d = start(s, WORKERS=staging.PARTITIONS + 1, REDIS_URL=own.url)
        standby = wait_until("a worker without partitions", PATIENCE, lambda: re.findall(
            r"worker (\d): the group assigned 0 partitions", d.log()))[-1]
        own.kill()
        must_be_unhealthy(d, r"has been held up by Kafka or Redis for \d+ s")
        wait_until("its line", PATIENCE, lambda: re.search(
            rf"UNHEALTHY: Worker {standby} has been held up by Kafka or Redis for \d+ s: Redis at ", d.log()))
        own.start()
        must_recover(d)


def an_absent_kafka_is_told_and_over():
    kafka = Servers.get()[1]
    with stage() as s:
        d = start(s)
        kafka.kill()
        try:
            must_be_unhealthy(d, r"Worker 0 has been held up by Kafka or Redis for \d+ s: ")
        finally:
            kafka.start()
        must_recover(d)


def a_kafka_that_hangs_is_told_and_over():
    kafka = Servers.get()[1]
    with stage() as s:
        d = start(s)
        kafka.signal(signal.SIGSTOP)
        try:
            must_be_unhealthy(d, r"held up by Kafka or Redis for \d+ s", r"has not moved for \d+ s")
        finally:
            kafka.signal(signal.SIGCONT)
        must_recover(d)


def a_rebalance_that_does_not_end_is_told_and_over():
    """A member that neither answers nor leaves: the group waits for it as long as its session lasts."""
    with stage() as s:
        d = start(s)
        other = start(s, "two", KAFKA_PROPERTIES="{session.timeout.ms: 60000}")
        wait_until("readiness", PATIENCE, lambda: d.get("/-/ready")[0] == 200)
        other.signal(signal.SIGSTOP)
        third = s.daemon("three").start()
        must_be_unhealthy(d, r"Worker 0 has not got to work for \d+ s: it waits for the group")
        other.signal(signal.SIGCONT)
        must_recover(d)
        third.stop()


def a_hanging_transaction_is_told_and_over_and_no_restart_is_asked_for():
    with stage() as s:
        d = start(s)
        s.send([{"value": event(1), "key": "h-1"}])
        s.wait_all()
        with subprocess.Popen([PROGRAMS.peek, s.config, "hold", s.events, json.dumps({"value": event(2), "key": "h-1"})],
                              env=s.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              preexec_fn=die_with_parent) as holder:
            equal(holder.stdout.readline(), "held\n", "the transaction")
            s.send([{"value": event(3), "key": "h-1"}])
            must_be_unhealthy(d, rf"Partition \d, for \d+ s: 2 records of {s.events} are held up by a transaction",
                              watchdog_fed=True)
            equal(sum(value for key, value in d.metrics().items() if key.startswith("shouwang_unstable_records")), 2,
                  "unstable records")
            holder.stdin.close()
        must_recover(d)
        has(s.peek("states"), '"n3"')
        equal(d.total("shouwang_lag_events"), 0, "lag behind an aborted transaction")


def a_stopped_partition_is_told_and_no_restart_is_asked_for():
    with stage() as s:
        redis = Servers.get()[2]
        d = start(s)
        d.stop()
        redis.command("HSET", f"{{{s.name}:1}}:meta", "cluster", "another")
        d = s.daemon()
        d.environment["WATCHDOG_USEC"] = "1000000"
        d.start()
        must_be_unhealthy(d, r"Partition 1 has been stopped for \d+ s and is tried again each minute: .*another",
                          watchdog_fed=True)


if __name__ == "__main__":
    with Servers.stack:
        cases.main(globals(), missing())
