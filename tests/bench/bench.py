#!/usr/bin/env python3
"""./run bench: 1,000,000 sample events through shouwangd with the shipped configuration, on a real Kafka and Redis.

usage: bench.py [N] [--events N] [--workers N]      N runs; with more than one, the medians at the end

Each run starts from nothing (an instance, a state topic and a Redis of its own) and reads the same published events.
The clock runs from the first commit to the last, with the broker, Redis and the daemon on this machine.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from servers import Daemon, Kafka, Redis, in_folder  # noqa: E402

BUILD, CONFIG = os.path.join(ROOT, "build"), os.path.join(ROOT, "config")
CTL = os.path.join(BUILD, "shouwangctl")
TICKS = os.sysconf("SC_CLK_TCK")
MONTHS, SEED = 18, 1
# The sum of the lengths of all values of all hashes, and how many there are: the states (partition records are small).
STATES = """
local n, bytes = 0, 0
for _, key in ipairs(redis.call('KEYS', '*')) do
  if redis.call('TYPE', key).ok == 'hash' and redis.call('HLEN', key) > 8 then
    for _, field in ipairs(redis.call('HKEYS', key)) do
      n, bytes = n + 1, bytes + redis.call('HSTRLEN', key, field)
    end
  end
end
return n .. ' ' .. bytes
"""


def ctl(environment, *words, **options):
    subprocess.run([CTL, *words], env=environment, check=True, **options)


def write_sample(path, events):
    """A prefix of a sample that is large enough; returns how many households it has."""
    households = events // 60
    while True:
        made = subprocess.Popen([CTL, "sample", "--households", str(households), "--months", str(MONTHS), "--seed",
                                 str(SEED)], stdout=subprocess.PIPE)
        with open(path, "wb") as out:
            n = 0
            for line in made.stdout:
                if n < events:
                    out.write(line)
                n += 1
        if made.wait() != 0:
            raise RuntimeError("shouwangctl sample failed")
        if n >= events:
            return households
        households = households * events // max(n, 1) * 21 // 20


def cpu(pid, thread=None):
    """User and system seconds of a process, or of one of its threads, and its name."""
    with open(f"/proc/{pid}/task/{thread}/stat" if thread else f"/proc/{pid}/stat", encoding="utf-8") as stat:
        text = stat.read()
    name, fields = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS, name


def threads(pid):
    """{name: (user, system)}, threads of one name summed."""
    found = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            user, system, name = cpu(pid, thread)
        except OSError:
            continue
        was = found.get(name, (0, 0))
        found[name] = (was[0] + user, was[1] + system)
    return found


def memory(pid):
    """Resident memory now and at most, MB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        values = dict(line.split(":", 1) for line in status)
    return tuple(int(values[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM"))


def sums(metrics, name):
    return sum(value for key, value in metrics.items() if key.split("{")[0] == name)


def quantile(metrics, name, q):
    """The bucket's bound, seconds."""
    buckets = [(float(key.split('le="')[1].split('"')[0]), value) for key, value in metrics.items()
               if key.startswith(name + "_bucket")]
    total = max((value for _, value in buckets), default=0)
    return min((bound for bound, value in buckets if value >= q * total), default=0)


def watch(daemon, events):
    """Follows it from its first commit to its last; returns what was measured."""
    first, cpu_first, done, began = None, None, 0, time.monotonic()
    while done < events:
        daemon.must_run()
        metrics, now = daemon.metrics(), time.monotonic()
        done = sums(metrics, "shouwang_events_total")
        if done and first is None:
            first, cpu_first, events_first = now, cpu(daemon.pid), done
        if now - began > 1800:
            raise RuntimeError("no end: " + daemon.get("/-/healthy")[1])
        time.sleep(0.1)
    seconds, share = now - first, 1e6 / max(done - events_first, 1)
    user, system, _ = cpu(daemon.pid)
    commits = sums(metrics, "shouwang_commit_seconds_count")
    measured = {
        "events/s": (done - events_first) / seconds,
        "CPU s per million events": (user + system - cpu_first[0] - cpu_first[1]) * share,
        "  user": (user - cpu_first[0]) * share,
        "  system": (system - cpu_first[1]) * share,
    }
    for name, (u, s) in sorted(threads(daemon.pid).items(), key=lambda item: -sum(item[1])):
        if u + s >= 0.05:
            measured[f"  thread {name}"] = (u + s) * 1e6 / done
    measured["ms per commit (mean)"] = 1000 * sums(metrics, "shouwang_commit_seconds_sum") / max(commits, 1)
    measured["ms per commit (99 %, below)"] = 1000 * quantile(metrics, "shouwang_commit_seconds", 0.99)
    measured["events per commit"] = done / max(commits, 1)
    measured["resident MB"], measured["resident MB at most"] = memory(daemon.pid)
    measured["messages to units"] = sums(metrics, "shouwang_messages_total")
    measured["rejected"] = sums(metrics, "shouwang_rejected_total")
    states = max(sums(metrics, "shouwang_states_total"), 1)
    measured["bytes of a state written (mean)"] = sums(metrics, "shouwang_state_bytes_total") / states
    return measured


def redis_states(redis):
    n, size = subprocess.run(["redis-cli", "-s", redis.socket, "EVAL", STATES, "0"], capture_output=True, text=True,
                             check=True).stdout.split()
    info = subprocess.run(["redis-cli", "-s", redis.socket, "INFO", "memory"], capture_output=True, text=True,
                          check=True).stdout
    used = next(int(line.split(":")[1]) for line in info.splitlines() if line.startswith("used_memory:"))
    return {"households with a state": int(n), "bytes of state per household": int(size) / max(int(n), 1),
            "Redis memory per household": used / max(int(n), 1)}


def one_run(number, folder, environment, events):
    folder = os.path.join(folder, f"run{number}")
    with Redis(folder).start() as redis:
        environment = {**environment, "SHOUWANG_REDIS_URL": redis.url, "SHOUWANG_INSTANCE": f"bench{number}",
                       "SHOUWANG_TOPICS_STATE": f"bench{number}.state"}
        ctl(environment, "topics", stdout=subprocess.DEVNULL)
        daemon = Daemon(folder, os.path.join(BUILD, "shouwangd"), CONFIG, environment=environment)
        with daemon.start():
            measured = watch(daemon, events)
            measured.update(redis_states(redis))
            daemon.stop()
        if daemon.child.returncode != 0:
            raise RuntimeError(f"shouwangd ended with {daemon.child.returncode}:\n" + daemon.log()[-3000:])
        return measured


def show(title, measured):
    print(title)
    for name, value in measured.items():
        print(f"  {name:<34} {value:>12,.{0 if value >= 1000 else 2}f}")
    sys.stdout.flush()


def bench(options, folder):
    environment = {**os.environ, "SHOUWANG_CONFIG": CONFIG, "SHOUWANG_NODE": "bench",
                   "SHOUWANG_CLOCK": options.clock, "SHOUWANG_FUTURE_TOLERANCE": "3650 days"}
    if options.workers:
        environment["SHOUWANG_WORKERS"] = str(options.workers)
    sample = os.path.join(folder, "events.jsonl")
    households = write_sample(sample, options.events)
    print(f"{options.events} events of {households} households, {os.path.getsize(sample) / options.events:.0f} bytes "
          f"each; {os.cpu_count()} cores")
    with Kafka(folder, heap="1g").start() as kafka:
        environment["SHOUWANG_KAFKA_BOOTSTRAP"] = kafka.bootstrap
        ctl(environment, "topics", stdout=subprocess.DEVNULL)
        ctl(environment, "publish", sample, "--topic", "household.events")
        runs = []
        for number in range(1, options.runs + 1):
            runs.append(one_run(number, folder, environment, options.events))
            show(f"run {number}", runs[-1])
        if len(runs) > 1:
            names = [name for name in runs[0] if all(name in run for run in runs)]
            show(f"median of {len(runs)} runs",
                 {name: statistics.median(run[name] for run in runs) for name in names})


def main():
    parser = argparse.ArgumentParser(prog="./run bench", description="measures shouwangd on a real Kafka and Redis")
    parser.add_argument("runs", nargs="?", type=int, default=1, help="how often (default 1); medians if more")
    parser.add_argument("--events", type=int, default=1000000)
    parser.add_argument("--workers", type=int, default=0, help="default: as in the configuration")
    parser.add_argument("--clock", default="wall", help="as in the settings: wall or events")
    options = parser.parse_args()
    return in_folder("shouwang-bench-", lambda folder: bench(options, folder))


if __name__ == "__main__":
    sys.exit(main())
