#!/usr/bin/env python3
"""shouwangd from the outside: argv, start, HTTP, signals, reload and what the service manager is told, against the
embedded broker and a private Redis.  usage: test_daemon.py SHOUWANGD MOCK_BROKER [CASE…]"""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
import cases  # noqa: E402
from cases import equal, expect, has  # noqa: E402
from servers import Daemon, MockBroker, Redis, free_port, wait_until  # noqa: E402

PROGRAM, BROKER = (os.path.abspath(p) for p in sys.argv[1:3])
del sys.argv[1:3]
CONFIG = os.path.join(ROOT, "config")
PARTITIONS = 4
PR_SET_CHILD_SUBREAPER = 36


def topics():
    """All topics that the shipped configuration names."""
    names = {"case.feedback", "case.outcomes", "shouwang.rejects", "shouwang.forward", "shouwang.state"}
    for folder in ("watches", "units"):
        path = os.path.join(CONFIG, folder)
        for file in os.listdir(path) if os.path.isdir(path) else ():
            with open(os.path.join(path, file), encoding="utf-8") as text:
                names.update(re.findall(r"^topic:\s*(\S+)", text.read(), re.M))
    return {name: PARTITIONS for name in names}


@contextlib.contextmanager
def folder():
    path = tempfile.mkdtemp(prefix="shouwang-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def daemon(config=CONFIG, servers=True, settings=None, environment=None, start=True):
    """A daemon with its servers; servers=False: nobody listens where it looks for them."""
    with folder() as path, contextlib.ExitStack() as stack:
        given = {"INSTANCE": "test", "NODE": "one", "PARTITIONS": PARTITIONS, "STALL": "60 seconds",
                 "KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}", "REDIS_URL": f"unix://{path}/redis.sock"}
        broker = None
        if servers:
            stack.enter_context(Redis(path).start())
            broker = stack.enter_context(MockBroker(path, BROKER, topics()).start())
            given["KAFKA_BOOTSTRAP"] = broker.bootstrap
        d = Daemon(path, PROGRAM, config, {**given, **(settings or {})}, environment)
        d.broker = broker
        stack.enter_context(d)
        if start:
            d.start()
        yield d


@contextlib.contextmanager
def copied_config():
    with folder() as path:
        shutil.copytree(CONFIG, os.path.join(path, "config"))
        yield os.path.join(path, "config")


def write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def change(path, old, new):
    with open(path, encoding="utf-8") as text:
        was = text.read()
    expect(old in was, f"no {old!r} in {path}")
    write(path, was.replace(old, new))


def some_rule_file(config):
    path = os.path.join(config, "rules")
    return os.path.join(path, sorted(os.listdir(path))[0])


def run(*words, **options):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60, **options)


def ready(d, seconds=60):
    wait_until("readiness", seconds, lambda: d.must_run() or d.get("/-/ready")[0] == 200)


def stop(d, number=signal.SIGTERM):
    d.signal(number)
    equal(d.wait(40), 0, "exit status")


# --- argv

def it_tells_its_version_and_usage():
    has(run("--version").stdout, "shouwangd ")
    has(run("--help").stdout, "--config DIR")
    equal(run("--help").returncode, 0, "exit status")


def it_refuses_what_it_does_not_know():
    for words in (["--colour"], ["something"], ["--config"]):
        got = run(*words)
        equal(got.returncode, 2, f"exit status of {words}")
        has(got.stderr, "usage: shouwangd")


def it_checks_the_shipped_configuration():
    got = run("--config", CONFIG, "--check")
    equal((got.returncode, got.stderr), (0, ""), "status and complaints")
    has(got.stdout, "no fault")
    equal(got.stdout.count("\n"), 1, "lines")


def it_checks_a_broken_configuration():
    with copied_config() as config:
        change(some_rule_file(config), "rule:", "ruel:")
        got = run("--config", config, "--check")
        equal(got.returncode, 1, "exit status")
        expect(re.search(r"rules/[^:]+\.yaml:\d+:\d+: ", got.stderr), got.stderr)


# --- start and end

def a_broken_configuration_does_not_start():
    with copied_config() as config:
        change(some_rule_file(config), "rule:", "ruel:")
        with daemon(config, servers=False, start=False) as d:
            d.start(ready=False)
            equal(d.wait(30), 1, "exit status")
            expect(re.search(r"error: .*rules/[^:]+\.yaml:\d+:\d+: ", d.log()), d.log())
            equal(d.count_told("READY", "1"), 0, "READY=1")


def a_missing_configuration_does_not_start():
    with folder() as empty, daemon(os.path.join(empty, "none"), servers=False, start=False) as d:
        d.start(ready=False)
        equal(d.wait(30), 1, "exit status")
        has(d.log(), os.path.join(empty, "none"))


def it_is_started_without_its_servers_and_says_what_it_waits_for():
    with daemon(servers=False) as d:
        status, text = d.get("/-/ready")
        equal(status, 503, "readiness")
        expect(re.search(r"\w+ \w+", text), f"no sentence: {text!r}")
        equal(d.get("/-/healthy")[0], 200, "health in the first minute")
        stop(d)
        equal(d.count_told("STOPPING", "1"), 1, "STOPPING=1")


def it_becomes_ready():
    with daemon() as d:
        ready(d)
        wait_until("status", 10, lambda: any("Keeping watch" in m.get("STATUS", "") for m in d.listen()))
        metrics = d.metrics()
        running = [p for p in range(PARTITIONS) if metrics.get(f'shouwang_partition_state{{partition="{p}"}}') == 2]
        equal(len(running), PARTITIONS, "running partitions")
        equal(metrics["shouwang_ready"], 1, "ready")
        expect(any(key.startswith('shouwang_build_info{version="') for key in metrics), "no build info")
        stop(d)


def it_ends_at_interrupt_too():
    with daemon() as d:
        ready(d)
        stop(d, signal.SIGINT)
        equal(d.count_told("STOPPING", "1"), 1, "STOPPING=1")


def a_port_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with daemon(servers=False, start=False) as d:
            port = taken.getsockname()[1]
            d.environment["SHOUWANG_HTTP"] = f"127.0.0.1:{port}"
            d.start(ready=False)
            equal(d.wait(30), 1, "exit status")
            has(d.log(), f"cannot listen on 127.0.0.1:{port}: Address already in use")


def it_goes_to_the_background():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    with daemon(servers=False, start=False) as d:
        got = subprocess.run([PROGRAM, "--config", CONFIG], env=d.environment, capture_output=True, timeout=60)
        equal(got.returncode, 0, "exit status of the parent")
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as list_of_children:
            child = next(int(pid) for pid in list_of_children.read().split()
                         if os.readlink(f"/proc/{pid}/exe") == os.path.realpath(PROGRAM))
        try:
            equal(d.get("/-/healthy")[0], 200, "health")
            equal(os.readlink(f"/proc/{child}/fd/2"), "/dev/null", "its stderr")
        finally:
            os.kill(child, signal.SIGTERM)
            equal(os.waitpid(child, 0)[1], 0, "exit status of the child")


def a_start_in_the_background_that_fails_says_so():
    with copied_config() as config:
        change(some_rule_file(config), "rule:", "ruel:")
        got = run("--config", config)
        equal(got.returncode, 1, "exit status")
        expect(re.search(r"rules/[^:]+\.yaml:\d+:\d+: ", got.stderr), got.stderr)


# --- HTTP

def it_answers_only_what_it_should():
    with daemon(servers=False) as d:
        status, text = d.get("/metrics")
        equal(status, 200, "/metrics")
        has(text, "# TYPE shouwang_commits_total counter\nshouwang_commits_total 0\n")
        equal(d.get("/nowhere")[0], 404, "/nowhere")
        equal(d.get("/")[0], 200, "/")
        for method, wanted in (("HEAD", 200), ("POST", 405), ("DELETE", 405)):
            body = b"x" * 100000 if method == "POST" else None
            request = urllib.request.Request(f"http://{d.http}/metrics", method=method, data=body)
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    got = answer.status
            except urllib.error.HTTPError as refusal:
                got = refusal.code
            equal(got, wanted, method)


def it_listens_on_loopback_only():
    with daemon(servers=False) as d:
        port = int(d.http.split(":")[1])
        with open(f"/proc/{d.pid}/net/tcp", encoding="ascii") as table:
            lines = [line.split() for line in table if f":{port:04X} " in line]
        equal({line[1].split(":")[0] for line in lines if line[3] == "0A"}, {"0100007F"}, "listening addresses")


# --- reload

def reload(d, times=1):
    before = d.count_told("READY", "1")
    d.signal(signal.SIGHUP)
    d.wait_told("READY", "1", before + times)


def fingerprint(d):
    return next(key for key in d.metrics() if key.startswith("shouwang_build_info"))


def it_reloads():
    with copied_config() as config, daemon(config) as d:
        ready(d)
        was = fingerprint(d)
        change(some_rule_file(config), "version: ", "version: 9")
        reload(d)
        told = next(m for m in d.told if m.get("RELOADING") == "1")
        expect(abs(int(told["MONOTONIC_USEC"]) / 1e6 - time.monotonic()) < 30, f"odd time: {told}")
        expect(fingerprint(d) != was, "the rules are the same")
        metrics = d.metrics()
        equal(metrics['shouwang_reloads_total{result="ok"}'], 1, "reloads")
        equal(metrics["shouwang_config_last_reload_successful"], 1, "the last one")
        equal(sum(key.startswith("shouwang_build_info") for key in metrics), 1, "builds shown")
        ready(d)
        stop(d)


def a_broken_reload_changes_nothing():
    with copied_config() as config, daemon(config) as d:
        ready(d)
        was = fingerprint(d)
        rules = some_rule_file(config)
        shutil.copy(rules, rules + ".kept")
        change(rules, "rule:", "ruel:")
        change(os.path.join(config, "shouwang.yaml"), "instance:", "colour: 1\ninstance:")
        reload(d)
        has(d.log(), "reload refused")
        expect(re.search(r"rules/[^:]+\.yaml:\d+:\d+: .*ruel", d.log()), d.log())
        expect(re.search(r"shouwang\.yaml:\d+:\d+: .*colour", d.log()), "not every fault is named:\n" + d.log())
        equal(fingerprint(d), was, "rules")
        metrics = d.metrics()
        equal(metrics['shouwang_reloads_total{result="refused"}'], 1, "refusals")
        equal(metrics["shouwang_config_last_reload_successful"], 0, "the last one")
        equal(d.get("/-/ready")[0], 200, "readiness")
        shutil.move(rules + ".kept", rules)
        change(os.path.join(config, "shouwang.yaml"), "colour: 1\n", "")
        reload(d)
        equal(d.metrics()["shouwang_config_last_reload_successful"], 1, "after the repair")
        stop(d)


def a_setting_that_needs_a_restart_is_named():
    with copied_config() as config, daemon(config, servers=False) as d:
        settings = os.path.join(config, "shouwang.yaml")
        with open(settings, encoding="utf-8") as text:
            was = re.sub(r"^(workers|partitioner):.*\n", "", text.read(), flags=re.M)
        write(settings, was + "\nworkers: 3\npartitioner: consistent\n")
        reload(d)
        expect(re.search(r"restart: .*partitioner.*workers|restart: .*workers.*partitioner", d.log()), d.log())
        stop(d)


def a_level_of_the_log_is_reloaded():
    with copied_config() as config, daemon(config, servers=False) as d:
        settings = os.path.join(config, "shouwang.yaml")
        with open(settings, encoding="utf-8") as text:
            was = re.sub(r"^log:.*\n", "", text.read(), flags=re.M)
        write(settings, was + "\nlog: {level: error}\n")
        reload(d)
        said = d.log()
        reload(d)
        expect("reloaded:" not in d.log()[len(said):], "still at info:\n" + d.log())
        stop(d)


def many_reloads_leak_no_thread(count=20):
    with daemon() as d:
        ready(d)
        threads = len(os.listdir(f"/proc/{d.pid}/task"))
        for _ in range(count):
            reload(d)
        expect(len(os.listdir(f"/proc/{d.pid}/task")) <= threads, "more threads than before")
        equal(d.metrics()['shouwang_reloads_total{result="ok"}'], count, "reloads")
        stop(d)


# --- the log, the watchdog, health

def the_journal_gets_priorities():
    with daemon(servers=False, settings={"LOG_TARGET": "journal"}) as d:
        stop(d)
        has(d.log(), "<6>shouwangd ")
        has(d.log(), "<6>ended")


def the_watchdog_is_fed_in_health():
    with daemon(environment={"WATCHDOG_USEC": "1000000"}) as d:
        ready(d)
        d.wait_told("WATCHDOG", "1", times=3, seconds=10)
        stop(d)


def a_server_away_for_long_is_unhealthy_and_back_again():
    with daemon(settings={"STALL": "2 seconds"}, environment={"WATCHDOG_USEC": "1000000"}) as d:
        ready(d)
        d.broker.child.stdin.write("down\n")
        d.broker.child.stdin.flush()
        wait_until("ill health", 60, lambda: d.get("/-/healthy")[0] == 503)
        said = d.get("/-/healthy")[1]
        expect(re.search(r"held up by Kafka or Redis for \d+ s|still committing a transaction", said), said)
        time.sleep(1)  # the last feeding before may still come
        fed = d.count_told("WATCHDOG", "1")
        time.sleep(3)
        equal(d.count_told("WATCHDOG", "1"), fed, "feedings of the watchdog while it is unhealthy")
        has(d.log(), "UNHEALTHY: Worker ")
        has(d.log(), "the watchdog is no longer fed")
        d.broker.child.stdin.write("up\n")
        d.broker.child.stdin.flush()
        wait_until("health", 90, lambda: d.get("/-/healthy")[0] == 200 and d.get("/-/ready")[0] == 200)
        d.wait_told("WATCHDOG", "1", times=fed + 2)
        wait_until("a last word", 10, lambda: "all moves again" in d.log())
        stop(d)


if __name__ == "__main__":
    cases.PREFIXES += ("many_",)
    cases.main(globals(), None if shutil.which("redis-server") else "redis-server is not installed")
