#!/usr/bin/env python3
"""./run demo: a county's 18 months through shouwangd with the shipped configuration, on private servers.

By default on the embedded broker, with --kafka on a real Apache Kafka and more households.  Everything it starts and
writes is in one folder under /tmp, and gone at the end, also after Ctrl-C.  The same figures each time: the sample is
made from a seed, and `clock: events` takes the time from the events.
"""

import os
import subprocess
import sys
import time

from servers import Daemon, Kafka, MockBroker, Redis, free_port, in_folder

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
CONFIG = os.path.join(ROOT, "config")
CTL = os.path.join(BUILD, "shouwangctl")
MONTHS, SEED, UNTIL = 18, 1, "2026-07-01"
HOUSEHOLDS = {"mock": 600, "kafka": 2000}  # the embedded broker keeps 5 MiB a partition
PATIENCE = 600  # seconds


def say(text):
    print(f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text, flush=True)


def ctl(environment, *words, **options):
    done = subprocess.run([CTL, *words], env=environment, **options)
    if done.returncode != 0:
        raise RuntimeError(f"shouwangctl {words[0]} failed")
    return done


def all_topics(environment):
    """{"household.events": 8, …}: what the configuration needs."""
    listed = ctl(environment, "topics", "--list", stdout=subprocess.PIPE, text=True).stdout
    return {line.split()[0]: int(line.split()[1]) for line in listed.splitlines()}


def show(line, done=False):
    """One line that is written over, or, away from a terminal, each line that is new."""
    if sys.stdout.isatty():
        print(f"\r\033[K  {line}", end="\n" if done else "", flush=True)
    elif line != show.last:
        print("  " + line, flush=True)
    show.last = line


show.last = None


def show_progress(daemon, wanted):
    """Until every event is committed."""
    began, events = time.monotonic(), 0
    while events < wanted:
        daemon.must_run()
        metrics = daemon.metrics()
        events = int(sum(v for k, v in metrics.items() if k.startswith("shouwang_events_total")))
        messages = int(sum(v for k, v in metrics.items() if k.startswith("shouwang_messages_total")))
        elapsed = time.monotonic() - began
        if events:
            show(f"{events} of {wanted} events, {messages} messages to the units", events >= wanted)
        else:
            show(daemon.get("/-/ready")[1].strip())
        if elapsed > PATIENCE:
            raise RuntimeError("shouwangd doesn't come to an end: " + daemon.get("/-/healthy")[1])
        time.sleep(0.1)


def demo(kind, folder):
    environment = {**os.environ, "SHOUWANG_CONFIG": CONFIG, "SHOUWANG_CLOCK": "events", "SHOUWANG_NODE": "demo",
                   # the sample ends on a fixed day, wherever this machine's clock stands
                   "SHOUWANG_FUTURE_TOLERANCE": "3650 days"}
    households = HOUSEHOLDS[kind]
    sample = os.path.join(folder, "events.jsonl")
    say(f"[1/6] Inventing {households} households of 19 townships over {MONTHS} months")
    with open(sample, "wb") as out:
        ctl(environment, "sample", "--households", str(households), "--months", str(MONTHS), "--seed", str(SEED),
            "--until", UNTIL, stdout=out)
    with open(sample, "rb") as lines:
        n_events = sum(1 for _ in lines)
    print(f"  {n_events} events, {os.path.getsize(sample) / 1e6:.1f} MB, some late, repeated, corrected or faulty")

    say("[2/6] Starting a private Redis and " + ("Apache Kafka" if kind == "kafka" else "the embedded broker"))
    topics = all_topics(environment)
    broker = Kafka(folder) if kind == "kafka" else MockBroker(folder, os.path.join(BUILD, "mock_broker"), topics)
    with Redis(folder).start() as redis, broker.start():
        environment["SHOUWANG_KAFKA_BOOTSTRAP"] = broker.bootstrap
        environment["SHOUWANG_REDIS_URL"] = redis.url
        environment["SHOUWANG_HTTP"] = f"127.0.0.1:{free_port()}"

        say(f"[3/6] Topics: {len(topics)}")
        if kind == "kafka":
            ctl(environment, "topics", stdout=subprocess.DEVNULL)
        say("[4/6] Publishing the events")
        ctl(environment, "publish", sample, "--topic", "household.events")

        say("[5/6] shouwangd at work, with the configuration in config/")
        daemon = Daemon(folder, os.path.join(BUILD, "shouwangd"), CONFIG, environment=environment)
        with daemon.start():
            show_progress(daemon, n_events)
            daemon.stop()
        if daemon.child.returncode != 0:
            raise RuntimeError(f"shouwangd ended with {daemon.child.returncode}:\n{daemon.log()[-3000:]}")

        say("[6/6] What the units were told")
        ctl(environment, "report")


def main(words):
    began = time.monotonic()

    def program(folder):
        demo("kafka" if "--kafka" in words else "mock", folder)
        print(f"({time.monotonic() - began:.0f} s)")

    return in_folder("shouwang-demo-", program)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
