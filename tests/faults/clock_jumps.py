"""Fault 9: clocks that jump by a day."""

import copy
import datetime
import glob
import json
import os
import re
import shutil
import subprocess
import time

import stage as staging  # finds tests/lib for the rest
import murmur2
import verify
import workload
from cases import Skip, equal, expect
from servers import die_with_parent
from world import PARTITIONS

NUMBER = 9
NAME = "clock-jumps"
KINDS = ("forward", "back", "forward-and-moved")
HERE = os.path.dirname(os.path.abspath(__file__))
DAY, HOUR = 86400, 3600
ZONE = datetime.timezone(datetime.timedelta(hours=8))
STARTS = ("2024-09-11", "2025-01-22", "2025-04-24", "2025-09-25", "2026-02-11")  # holidays and worked weekends are near
FAST, SLOW = 200, 100  # subjects of which one hears all the time, or once in a while, so that their cases last
SESSION_MS = 60000  # so long that no partition moves but where it is meant to
HEARTBEAT_S = 3  # librdkafka's default
WORKERS = 2  # of a daemon
WATCHDOG_S = 8


def run(world):
    """The clock of a daemon jumps by a day, forward or back, under load and by the wall clock: nothing is held up, no
    partition moves; after a jump forward a partition's time stands until the clock has caught up, also where another
    daemon takes it over, and a metric shows it.  What is present by the partition's time isn't future; each event has
    the message that the engine alone makes of it at the partition's time, holding times and deadlines follow from that
    time, each timer fires once and none too early."""
    faults = world.draw(KINDS)
    preload = libfaketime(world.programs.shouwangd)
    world.start_servers()
    stage = world.set_stage(config(world.folder), CLOCK="wall")
    stage.patch("shouwang.yaml", r"session.timeout.ms: \d+", f"session.timeout.ms: {SESSION_MS}")
    jumps = Jumps(world, stage, preload, 5000 if world.rounds >= 20 else 800)
    jumps.load(jumps.share)
    jumps.commit()
    for kind in faults:
        jumps.happen(kind)
        world.happened(kind)
    jumps.send([jumps.meters.make(name) for name in jumps.meters.slow + jumps.meters.fast])  # at the last times
    jumps.commit()
    world.wait("everything in Redis", world.settled)
    world.figures = check(world, stage, jumps)


def libfaketime(program):
    """What to preload; the sanitizer's library must come first."""
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not found:
        raise Skip("libfaketime is not installed")
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return ":".join(re.findall(r"=> (\S+/lib[atu]+san\.so\S*)", linked) + found[:1])


def config(folder):
    path = os.path.join(folder, "config-for-clocks")
    shutil.copytree(os.path.join(HERE, "clock-config"), path)
    shutil.copytree(os.path.join(staging.ROOT, "config", "calendars"), os.path.join(path, "calendars"))
    shutil.copy(os.path.join(staging.ROOT, "config", "shouwang.yaml"), path)
    return path


def told(seconds):
    return datetime.datetime.fromtimestamp(seconds, ZONE).isoformat(timespec="seconds")


def assigned(daemon):
    """How many partitions the group gave each worker last."""
    found = re.findall(r"worker (\d+): the group assigned (\d+)", daemon.log())
    return {int(worker): int(partitions) for worker, partitions in found}


def ahead(partition):
    return f'shouwang_clock_ahead_seconds{{partition="{partition}"}}'


class Clock:
    """A daemon's."""

    def __init__(self, path, offset):
        self.path, self.offset = path, offset
        self.jump(0)

    def now(self):
        return time.time() + self.offset

    def jump(self, days):
        self.offset += days * DAY
        with open(self.path + ".new", "w", encoding="ascii") as out:
            out.write(f"{self.offset:+d}\n")
        os.rename(self.path + ".new", self.path)


class Meters:
    """Subjects, and events each of which changes the level of one, and so gives one message.  What they are about is
    long ago, in their order."""

    def __init__(self, dice):
        self.dice, self.events = dice, []
        self.fast, self.slow = [f"fast-{i}" for i in range(FAST)], [f"slow-{i}" for i in range(SLOW)]
        self.last = {}  # value and flag of each

    def make(self, name=None, **changes):
        if not name:
            name = self.dice.choice(self.slow) if self.dice.random() < 0.05 else self.fast[len(self.events) % FAST]
        value, flag = self.last.get(name, (0, False))
        value = self.dice.choice([v for v in (0, 12, 25) if v != value])
        flag ^= self.dice.random() < 0.4
        n = len(self.events)
        event = {"specversion": "1.0", "id": f"e{n}", "source": "/clock", "type": "meter.told", "subject": name,
                 "time": told(1577836800 + n), "data": {"value": value, "flag": flag}, **changes}
        self.last[name] = value, flag
        self.events.append(event)
        return event


class Jumps:
    def __init__(self, world, stage, preload, share):
        self.world, self.stage, self.dice, self.share = world, stage, world.random, share
        self.meters, self.future, self.sent = Meters(world.random), [], 0
        self.standing = []  # (partition, first and last event that came while its time stood)
        self.feed = subprocess.Popen([stage.programs.peek, stage.config, "feed"], env=stage.environment,
                                     stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, preexec_fn=die_with_parent)
        world.stack.callback(self.feed.kill)
        start = datetime.datetime.fromisoformat(world.random.choice(STARTS) + "T10:00:00+08:00").timestamp()
        self.clocks = {}
        for name in ("one", "two"):
            daemon = stage.daemon(name)
            clock = Clock(os.path.join(world.folder, "clock-" + name), int(start - time.time()))
            daemon.environment.update(
                LD_PRELOAD=preload, FAKETIME_TIMESTAMP_FILE=clock.path, FAKETIME_NO_CACHE="1",
                FAKETIME_DONT_FAKE_MONOTONIC="1", WATCHDOG_USEC=str(WATCHDOG_S * 1000000))
            self.clocks[daemon] = clock
            daemon.start()
        world.one, world.two = self.clocks
        self.time = [0] * PARTITIONS  # of each partition, as far as it can be by now
        self.wait_shared()

    # --- load

    def load(self, n):
        """Events at a pace that leaves room for something to happen in their midst."""
        for _ in range(n // 40):
            self.send([self.meters.make() for _ in range(40)])
            time.sleep(0.02)

    def send(self, events):
        topic = self.stage.events.encode()
        for event in events:
            self.feed.stdin.write(b"%s\t%s\t%s\n" % (topic, event["subject"].encode(), json.dumps(event).encode()))
        self.feed.stdin.flush()
        self.sent += len(events)

    def commit(self):
        """Until everything is committed."""
        self.world.wait("commits of everything", lambda: self.committed() == self.sent)
        self.look_at_clocks()

    def look_at_clocks(self):
        for daemon, clock in self.clocks.items():
            for p in self.partitions(daemon):
                self.time[p] = max(self.time[p], clock.now())

    def committed(self):
        return json.loads(self.stage.peek("committed", self.stage.events)).get(self.stage.events, 0)

    # --- daemons

    @staticmethod
    def partitions(daemon):
        states = daemon.metrics() if daemon.running() else {}
        return [p for p in range(PARTITIONS) if states.get(f'shouwang_partition_state{{partition="{p}"}}') == 2]

    def wait_shared(self):
        """Until each worker has its share, and no member can still be on its way to a group that is another: each asks
        at its heartbeats."""
        share = PARTITIONS // (WORKERS * len(self.clocks))
        self.world.wait("partitions for all workers", lambda: all(
            d.running() and assigned(d) == {w: share for w in range(WORKERS)} and
            len(self.partitions(d)) == WORKERS * share for d in self.clocks))
        self.joined = self.rebalances()
        self.since = time.monotonic()
        self.world.wait("a group at rest", self.rested)

    def rested(self):
        if self.rebalances() != self.joined:
            self.joined, self.since = self.rebalances(), time.monotonic()
        return time.monotonic() - self.since > 2 * HEARTBEAT_S

    def rebalances(self):
        return sum(daemon.log().count("the group assigned") for daemon in self.clocks)

    # --- jumps

    def victim(self, kind):
        """Clocks stay within a day of each other, so that no partition's time skips more than a day: what is due at a
        midnight is then found to be so on that day, and deadlines are the engine's."""
        behind, ahead = sorted(self.clocks, key=lambda daemon: self.clocks[daemon].offset)
        if self.clocks[ahead].offset - self.clocks[behind].offset < HOUR:
            return self.dice.choice((behind, ahead))
        return ahead if kind == "back" else behind

    def happen(self, kind):
        daemon = self.victim(kind)
        fed = daemon.count_told("WATCHDOG", "1")
        self.load(self.dice.randrange(self.share // 2))
        self.look_at_clocks()
        self.clocks[daemon].jump(-1 if kind == "back" else 1)
        commits = daemon.total("shouwang_commits_total")
        self.load(self.share // 2)
        self.world.wait("commit after the jump", lambda: daemon.total("shouwang_commits_total") > commits)
        self.commit()
        self.stand(daemon)
        if kind == "forward-and-moved":
            self.move(daemon)
            fed = 0  # it was started anew
        self.world.wait("word to the watchdog", lambda: daemon.count_told("WATCHDOG", "1") > fed)
        for other in self.clocks:
            equal(other.metrics().get("shouwang_healthy"), 1, f"{other.name} healthy; log:\n{other.log()[-2000:]}\n")
        equal(self.rebalances(), self.joined, f"rebalances; logs:\n{self.world.logs()}\n")

    def stand(self, daemon):
        """A daemon whose clock is behind a partition's time: that stands, and is shown."""
        behind = [p for p in self.partitions(daemon) if self.time[p] - self.clocks[daemon].now() > HOUR]
        try:
            self.world.wait("metric of partitions ahead",
                            lambda: all(self.shown(daemon, p) for p in self.partitions(daemon)))
        except AssertionError as error:
            now, metrics = self.clocks[daemon].now(), daemon.metrics()
            raise AssertionError("\n".join(
                f"partition {p} of {daemon.name}: ahead {metrics.get(ahead(p))}, wanted {self.time[p] - now:.0f}"
                for p in self.partitions(daemon))) from error
        if not behind:
            return
        self.send(self.probes(behind))
        first = len(self.meters.events)
        self.load(2 * FAST)
        self.commit()
        self.standing += [(p, first, len(self.meters.events)) for p in behind]
        self.world.saw("a partition's time stands")

    def shown(self, daemon, p):
        """The time of a partition's last commit is some way before the latest that it can be."""
        got = daemon.metrics().get(ahead(p), -1)
        wanted = max(0, self.time[p] - self.clocks[daemon].now())
        return wanted - HOUR < got <= wanted + 60

    def probes(self, partitions):
        """Events that are present by the partition's time, and too far in the future by the clock; and ones that are
        too far in the future by both."""
        made = []
        for p in partitions:
            made.append(self.meters.make(self.name_in(p, "present"), time=told(self.time[p] - 60)))
            made.append({**made[-1], "id": f"future-{len(self.future)}", "subject": self.name_in(p, "future"),
                         "time": told(self.time[p] + 3 * HOUR)})
            self.future.append(made[-1]["id"])
        return made

    def name_in(self, p, what):
        n = 0
        while murmur2.partition_of(f"{what}-{len(self.future)}-{n}".encode(), PARTITIONS) != p:
            n += 1
        return f"{what}-{len(self.future)}-{n}"

    def move(self, daemon):
        """Its partitions go to the other, whose clock is another."""
        other = self.world.other(daemon)
        self.world.stop(daemon)
        self.world.wait("partitions at the other", lambda: len(self.partitions(other)) == PARTITIONS)
        self.load(2 * FAST)
        self.commit()
        self.stand(other)
        daemon.start()
        self.wait_shared()
        self.load(2 * FAST)
        self.commit()


# --- what came out

TIMERS = ("case.reminded", "case.escalated")


def by_timer(message):
    """The shelf's alerts hold and keep, so that all that it hears of is a timer's."""
    return message["type"] in TIMERS or "/shelf/" in message["data"]["case"]


def plain(message):
    """Without what depends on the moment at which a timer that was due was found to be so: within a day."""
    message = copy.deepcopy(message)
    data = message["data"]
    for alert in data.get("alerts", []):
        alert["evidence"] = [e["id"] for e in alert["evidence"]]
    if by_timer(message) or message["type"] == "case.outcome":
        message["time"] = message["time"][:10]
    if "/shelf/" in data["case"]:
        for holder in (data, *data.get("alerts", [])):
            holder.update({name: holder[name][:10] for name in ("opened", "since", "ended") if holder.get(name)})
    return message


def check(world, stage, jumps):
    desk = staging.lines(stage.peek("read", stage.units[0]))
    expect("desk" in stage.units[0], stage.units)
    times = times_of(jumps.meters.events, [json.loads(record["value"]) for record in desk])
    never_back(jumps, times)
    found, expected = verify.Found.of(stage), engine_alone(stage, jumps.meters.events, times)
    too_early = early(expected.messages, found.queues)
    expected.messages, expected.outcomes = [plain(m) for m in expected.messages], [plain(o) for o in expected.outcomes]
    found.queues = [[plain(m) for m in queue] for queue in found.queues]
    found.outcomes = [plain(o) for o in found.outcomes]
    expected.rejects = [("time", id_) for id_ in jumps.future]
    found.rejects = [(reason.split(":")[0], json.loads(value)["id"]) for reason, value in found.rejects]
    expected.states = found.changelog  # their bytes hold the events' times
    verdict = verify.Verdict(expected, found)
    verdict.faults += too_early
    kinds = [m["type"] for queue in found.queues for m in queue]
    world.say("messages: " + ", ".join(f"{kind} {kinds.count(kind)}" for kind in sorted(set(kinds))))
    expect(any(by_timer(m) for m in expected.messages), "no timer fired: the test shows too little")
    for line in verdict.lines():
        world.say(line)
    verdict.must_be_right(world.logs())
    return {"events": len(jumps.meters.events), **verdict.figures}


def times_of(events, desk):
    """When each event was worked on, by its partition's time: its message says so."""
    left = {}
    for message in desk:
        if message["type"] not in TIMERS:
            left.setdefault(message["subject"], []).append(message["time"])
    times = []
    for event in events:
        expect(left.get(event["subject"]), f"no message about {event}")
        times.append(left[event["subject"]].pop(0))
    expect(not any(left.values()), f"messages about no event: { {s: t for s, t in left.items() if t} }")
    return times


def never_back(jumps, times):
    """The time of a partition doesn't go back, and stands where it must."""
    newest, of_partition = [""] * PARTITIONS, [[] for _ in range(PARTITIONS)]
    for i, (event, at) in enumerate(zip(jumps.meters.events, times)):
        p = murmur2.partition_of(event["subject"].encode(), PARTITIONS)
        expect(at >= newest[p], f"partition {p} goes back from {newest[p]} to {at} with {event}")
        newest[p] = at
        of_partition[p].append((i, at))
    for p, first, last in jumps.standing:
        seen = {at for i, at in of_partition[p] if first <= i < last}
        equal(len(seen), 1, f"times of partition {p} while it stands: {sorted(seen)[:5]}")


def engine_alone(stage, events, times):
    """The same events, each at the time at which the daemons worked on it."""
    path = os.path.join(stage.folder, "events.jsonl")
    with open(path, "w", encoding="utf-8") as out:
        for event, at in zip(events, times):
            out.write(json.dumps({**event, "time": at}) + "\n")
    return workload.Expected.of(stage, path, stage.folder)


def early(expected, queues):
    """Timers that fired before they were due."""
    due = {staging.name(m): m["time"] for m in expected if by_timer(m)}
    return [f"too early: {message}, due at {due[staging.name(message)]}" for queue in queues for message in queue
            if by_timer(message) and staging.name(message) in due and message["time"] < due[staging.name(message)]]
