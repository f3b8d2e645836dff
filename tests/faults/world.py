"""Where faults happen: a real Kafka, a Redis, two daemons of one group over eight partitions, and a feeder that gives
them something to do as long as it lasts.

    def run(world):
        world.begin(faults=len(kinds))    # servers and daemons run, the feeder feeds
        for kind in world.draw(KINDS):
            …                             # the fault
            world.happened(kind)
        world.settle()                    # all is fed, committed and in Redis, timers included
        world.verify()                    # nothing lost, nothing twice

What a number needs otherwise (no Redis at the start, another stage, …) it does with the parts: world.kafka, world.redis,
world.stage, world.daemon(), world.feeder."""

import collections
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import stage as staging
import verify
import workload
from cases import expect
from servers import Kafka, Redis, die_with_parent

PARTITIONS = 8
TRANSACTION_MS = 6000  # longer than a session (3 s), short enough to wait for
BATCH = 300  # events; small, so that there are many transactions
PATIENCE = 300  # s; for what takes seconds on an idle machine
KAFKA = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500", "log.retention.check.interval.ms": "5000"}
SANITIZER = re.compile(r"^.*(Sanitizer:|runtime error:).*$", re.M)
STATE_OF_PARTITION = re.compile(r'shouwang_partition_state\{.*partition="(\d+)"')
TAKING_OVER, RUNNING, STOPPED = 1, 2, 3  # as daemon/run.h numbers them
SETTINGS = {"BATCH_EVENTS": BATCH, "LOG_LEVEL": "info"}


class Feeder(threading.Thread):
    """Publishes the workload: of n faults each gets an equal share, the first of it in one burst, and at the end comes
    the rest.  A phase begins when all before it is committed."""
    TURN = 0.1  # s
    TRICKLE = 2  # events in a turn, when a share is used up: there is always something to do
    BURST = 3000  # events

    def __init__(self, stage, work, faults):
        super().__init__(daemon=True)
        self.stage, self.work, self.faults = stage, work, faults
        self.topics = {"events": stage.events, "feedback": stage.settings["TOPICS_FEEDBACK"]}
        self.sent, self.delivered, self.of_topic = 0, 0, collections.Counter()
        self.done, self.began, self.hurried = 0, None, False
        self.error, self.stopped, self.awake, self.burst = None, False, threading.Event(), False
        self.process = subprocess.Popen([stage.programs.peek, stage.config, "feed"], env=stage.environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=die_with_parent,
                                        stderr=open(os.path.join(stage.folder, "feeder.log"), "wb"))
        self.reader = threading.Thread(target=self.read, daemon=True)

    def start(self):
        self.began = time.monotonic()
        self.reader.start()
        super().start()

    def read(self):
        for line in self.process.stdout:
            self.delivered = int(line)

    def run(self):
        try:
            for kind, lines in self.work.phases:
                self.feed(kind, lines)
                self.wait_committed()
        except Exception as why:  # told by settle
            self.error = why

    def feed(self, kind, lines):
        at = 0
        while at < len(lines) and not self.stopped:
            n = min(max(self.portion(), self.TRICKLE), len(lines) - at)
            self.process.stdin.write(b"".join(
                b"%s\t%s\t%s\n" % (self.address(kind, line), workload.key_of(line), line.rstrip(b"\n"))
                for line in lines[at:at + n]))
            self.process.stdin.flush()
            at, self.sent, self.of_topic[kind] = at + n, self.sent + n, self.of_topic[kind] + n
            if not self.hurried:
                self.awake.wait(self.TURN)
                self.awake.clear()

    def address(self, kind, _):
        """Where a line goes: TOPIC, or TOPIC:PARTITION."""
        return self.topics[kind].encode()

    def portion(self):
        """How many events to send now: what is left of the present fault's share, spread over the time that a fault
        takes on average."""
        if self.hurried:
            return 2000
        share = self.work.events * (self.done + 1) / (self.faults + 1) - self.sent
        if self.burst:
            self.burst = False
            return int(min(self.BURST, share / 2))
        seconds = (time.monotonic() - self.began) / self.done if self.done else 5
        return int(share * self.TURN / max(seconds, 1))

    def committed(self):
        """By topic; None while Kafka doesn't answer."""
        try:
            got = json.loads(self.stage.peek("committed", *self.topics.values()))
        except (RuntimeError, ValueError, subprocess.TimeoutExpired):
            return None
        return {kind: got.get(topic, 0) for kind, topic in self.topics.items()}

    def wait_committed(self):
        while not self.stopped and self.committed() != {kind: self.of_topic[kind] for kind in self.topics}:
            expect(self.process.poll() is None, "the feeding ended early")
            time.sleep(0.2)

    def reason(self):
        """Of its failure."""
        with open(os.path.join(self.stage.folder, "feeder.log"), encoding="utf-8", errors="replace") as log:
            return f"{self.error}\n{log.read()[-2000:]}"

    def hit(self):
        """A burst comes now."""
        self.burst = True
        self.awake.set()

    def finish(self):
        """What is left comes at once; call join then."""
        self.hurried = True
        self.awake.set()

    def stop(self):
        self.stopped = self.hurried = True
        self.process.kill()
        self.process.wait()


class World:
    def __init__(self, programs, folder, rounds, seed, dice, kinds=None):
        self.programs, self.folder, self.rounds, self.seed, self.random = programs, folder, rounds, seed, dice
        self.chosen = kinds  # by --only; None: all
        self.stack = contextlib.ExitStack()
        self.kafka = self.second = self.redis = self.stage = self.work = self.feeder = self.one = self.two = None
        self.faults, self.seen, self.figures = collections.Counter(), collections.Counter(), {}
        self.stages, self.began = [], time.monotonic()
        staging.Stage.number = 0  # equal names, equal workload

    # --- what a number does

    def draw(self, kinds):
        """The faults to come, in random order: each kind at least once, and rounds in all or more."""
        kinds = [kind for kind in kinds if self.chosen is None or kind in self.chosen]
        n = max(self.rounds, len(kinds))
        list_ = (kinds * n)[:n]
        self.random.shuffle(list_)
        return list_

    def happened(self, kind):
        self.faults[kind] += 1
        if self.feeder:
            self.feeder.done += 1

    def servers(self, **kafka_properties):
        """A Kafka and a Redis that run, and a stage whose topics are there."""
        self.start_servers(**kafka_properties)
        return self.set_stage()

    def start_servers(self, **kafka_properties):
        self.kafka = self.stack.enter_context(
            Kafka(os.path.join(self.folder, "kafka"), {**KAFKA, **kafka_properties}, heap="512m", short=True).start())
        self.redis = self.stack.enter_context(Redis(os.path.join(self.folder, "redis")).start())

    def start_second_broker(self):
        """Of the topics that are made from now on it leads about half the partitions; transactions and groups are the
        first's: Kafka's own topics are made by what asks for them before."""
        meddle = [self.programs.meddle, self.kafka.bootstrap]
        staging.output([*meddle, "fence", "nobody"])
        staging.output([*meddle, "forget", "nobody"], wanted=1)
        self.second = self.stack.enter_context(Kafka(os.path.join(self.folder, "second"), KAFKA, heap="512m", short=True,
                                                     beside=self.kafka).start())

    def set_stage(self, config=None, **settings):
        """config: another folder than the workload's."""
        self.stage = staging.Stage(self.programs, self.kafka.bootstrap, self.redis.url, self.folder,
                                   {**SETTINGS, **settings}, config or workload.config(self.folder), PARTITIONS)
        self.stage.patch("shouwang.yaml", r"properties: *\{", f"properties: {{transaction.timeout.ms: {TRANSACTION_MS}, ")
        self.stage.topics()
        self.stages.append(self.stage)
        self.stack.callback(self.stage.stop)
        return self.stage

    def load(self, faults, households=workload.HOUSEHOLDS):
        """The workload; it begins to come in."""
        self.work = workload.Workload(self.stage, self.seed, households)
        self.feeder = Feeder(self.stage, self.work, faults)
        self.stack.callback(self.feeder.stop)
        self.feeder.start()

    def begin(self, faults, **settings):
        """Servers, load for so many faults, and both daemons at work.  settings: of the daemons."""
        if not self.kafka:
            self.start_servers()
        self.set_stage(**settings)
        self.load(faults)
        self.one, self.two = self.stage.daemon("one").start(), self.stage.daemon("two").start()
        for daemon in (self.one, self.two):
            self.wait(f"work of {daemon.name}", lambda d=daemon: d.total("shouwang_commits_total") > 0)

    def wait(self, what, condition, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            expect(not (self.feeder and self.feeder.error), f"the feeder: {self.feeder and self.feeder.reason()}")
            expect(time.monotonic() < end, f"no {what} within {seconds} s\n" + self.logs())
            time.sleep(0.05)

    def saw(self, what):
        """Something that a fault was to lead to, for the report."""
        self.seen[what] += 1

    # --- daemons

    def other(self, daemon):
        return self.two if daemon is self.one else self.one

    @staticmethod
    def start(daemon, fault=None, ready=True):
        """fault: where it is to kill or stop itself, as daemon/ops/fault_point.h has it."""
        daemon.environment.pop("FAULT_POINT", None)
        if fault:
            daemon.environment["FAULT_POINT"] = fault
        daemon.start(ready and not fault)

    def wait_killed(self, daemon):
        self.wait(f"end of {daemon.name}", lambda: not daemon.running())
        expect(daemon.wait() == -signal.SIGKILL, f"{daemon.name} ended with {daemon.wait()}\n{self.logs()}")

    def kill(self, daemon):
        daemon.signal(signal.SIGKILL)
        self.wait_killed(daemon)

    def start_without(self, server):
        """Both daemons start while the server is away, and are unhealthy until it is back."""
        for daemon in (self.one, self.two):
            self.stop(daemon)
        server.kill()
        for daemon in (self.one, self.two):
            self.start(daemon)
        self.wait_unhealthy()
        server.start()

    def stop(self, daemon):
        """A clean end."""
        daemon.signal(signal.SIGTERM)
        expect(daemon.wait(PATIENCE) == 0, f"{daemon.name} ended with {daemon.wait()}\n{self.logs()}")

    @staticmethod
    def stopped(daemon):
        """By SIGSTOP."""
        with open(f"/proc/{daemon.pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "T"

    @staticmethod
    def partitions(daemon, state):
        """Those that it has in this state."""
        return {int(found[1]) for key, value in daemon.metrics().items()
                if (found := STATE_OF_PARTITION.match(key)) and value == state}

    def running_partitions(self, daemon):
        return len(self.partitions(daemon, RUNNING))

    def healthy(self):
        return [daemon for daemon in (self.one, self.two) if daemon.get("/-/healthy")[0] == 200]

    def wait_unhealthy(self):
        """Each daemon must say that it doesn't get on, once it lasts longer than `stall`."""
        self.wait("ill health", lambda: not self.healthy())
        self.saw("both daemons unhealthy")

    def committed_here(self):
        """Transactions, of both daemons since they started."""
        return sum(daemon.total("shouwang_commits_total") for daemon in (self.one, self.two))

    def wait_recovered(self):
        self.wait("recovery", lambda: all(d.get("/-/healthy")[0] == 200 and d.get("/-/ready")[0] == 200
                                          for d in (self.one, self.two)))

    def busy(self, most=1.0):
        """A random moment, with events coming in, so that a fault finds the daemons at work."""
        self.feeder.hit()
        time.sleep(self.random.uniform(0, most))

    def settle(self):
        self.feeder.finish()
        self.wait("end of the feeding", lambda: not self.feeder.is_alive())
        expect(not self.feeder.error, f"the feeder: {self.feeder.reason()}")
        self.wait("everything committed and in Redis", self.settled)

    def settled(self):
        try:
            return json.loads(self.stage.peek("unsettled")) == {"behind": 0, "due": 0}
        except (RuntimeError, ValueError):  # while partitions are taken over
            return False

    def verify(self):
        verdict = verify.Verdict(self.work.expected, verify.Found.of(self.stage))
        self.figures = verdict.figures
        self.say("faults: " + ", ".join(f"{kind} {n}" for kind, n in sorted(self.faults.items())))
        if self.seen:
            self.say("seen: " + ", ".join(f"{what} {n}" for what, n in sorted(self.seen.items())))
        self.say(f"events: {self.work.events}, in {time.monotonic() - self.began:.0f} s")
        for line in verdict.lines():
            self.say(line)
        if verdict.faults:
            self.keep(verdict)
        verdict.must_be_right(self.logs())

    def keep(self, verdict):
        """What was wrong, each topic's records and the logs, for whoever looks for the cause."""
        folder = os.path.join(self.programs.build, "faults", f"failed-{time.strftime('%m%d-%H%M%S')}-{os.getpid()}")
        os.makedirs(folder)
        with open(os.path.join(folder, "faults"), "w", encoding="utf-8") as out:
            out.writelines(fault + "\n" for fault in verdict.faults)
        self.say(f"kept in {folder}")
        for daemon in self.stage.daemons:
            shutil.copy(daemon.log_path, folder)
        for topic in self.stage.all_topics():
            with open(os.path.join(folder, topic), "w", encoding="utf-8") as out:
                out.write(self.stage.peek("read", topic))

    # --- the rest

    def logs(self):
        return self.stage.logs() if self.stage else ""

    @staticmethod
    def say(line):
        print("  " + line, flush=True)

    def report(self):
        return {"kinds": dict(self.faults), "seen": dict(self.seen),
                "events": self.work.events if self.work else 0, **self.figures, "seconds": round(time.monotonic() - self.began, 1)}

    def end(self):
        """Ends the daemons, and looks for what a sanitizer has said of any that ran."""
        for daemon in (daemon for stage in self.stages for daemon in stage.daemons):
            daemon.stop(PATIENCE)
            said = SANITIZER.search(daemon.log())
            expect(not said, f"{daemon.name}:\n{said and daemon.log()[said.start():][:4000]}")

    def close(self):
        self.stack.close()
