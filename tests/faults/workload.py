"""What the daemons are given to do while faults happen, and what the engine alone makes of it.

A county's sample events under the shipped rules and those in config/, which speak often and wait much; in between, the
units answer some of their cases.  Answers come by a topic of their own, whose order to the events no partition fixes:
so they come in phases, each begun when all before it is committed.  At the end a few events of a later day let all
timers fire.  What comes out depends on the events alone.

Made once for each program, configuration and seed, and kept in the build's folder."""

import contextlib
import fcntl
import hashlib
import json
import os
import random
import re
import shutil
import subprocess

import stage as staging

HERE = os.path.dirname(os.path.abspath(__file__))
HOUSEHOLDS, MONTHS, UNTIL, LAST_DAY = 3300, 12, "2025-07-01", "2025-09-01"
PARTS, ANSWERS, TICKS = 4, 250, 200  # answers: after each part but the last
KINDS = ("handled", "not_confirmed", "acknowledged", "confirmed", "measure_taken")
SUBJECT = re.compile(rb'"subject":"([^"]+)"')
TIME = re.compile(rb'"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00)"')


def config(folder):
    """The shipped configuration with what is added for faults; returns its path."""
    path = os.path.join(folder, "config-for-faults")
    shutil.copytree(os.path.join(staging.ROOT, "config"), path, dirs_exist_ok=True)
    shutil.copytree(os.path.join(HERE, "config"), path, dirs_exist_ok=True)
    return path


def key_of(line):
    found = SUBJECT.search(line)
    return found.group(1) if found else b""


def event(kind, id_, subject, time, data):
    return json.dumps({"specversion": "1.0", "id": id_, "source": "/faults", "type": kind, "subject": subject,
                       "time": time, "data": data}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class Expected:
    """What must be there at the end: messages and outcomes, each subject's in its order; rejects, each its reason and
    bytes; states, "key hex" lines."""

    def __init__(self, printed, states, rejects):
        out = staging.lines(printed)
        self.messages = [m for m in out if m["type"] != "case.outcome"]
        self.outcomes = [m for m in out if m["type"] == "case.outcome"]
        self.states, self.rejects = states, [(r["reason"], staging.value_of(r)) for r in staging.lines(rejects)]

    @classmethod
    def of(cls, stage, path, folder):
        """Runs the engine alone over the events in path; folder keeps what came out."""
        files = {name: os.path.join(folder, name) for name in ("messages", "states", "rejects")}
        with open(files["messages"], "w", encoding="utf-8") as out:
            out.write(stage.ctl("run", stage.config, path, "--partitions", str(stage.partitions), "--quiet", "--raw",
                                f"--state={files['states']}", "--rejects", files["rejects"]))
        return cls.read(folder)

    @classmethod
    def read(cls, folder):
        def text(name):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                return file.read()
        return cls(text("messages"), text("states"), text("rejects"))


class Workload:
    """phases: [("events" or "feedback", lines)…], in the order in which they are to be committed."""

    def __init__(self, stage, seed, households=HOUSEHOLDS):
        self.households, self.seed = households, seed
        folder = os.path.join(stage.programs.build, "faults", self.name(stage))
        with locked(folder + ".lock"):
            if not os.path.isdir(folder):
                self.make(stage, folder)
        with open(os.path.join(folder, "phases"), "rb") as text:
            self.phases = [(kind.decode(), [bytes.fromhex(line.decode()) for line in list_])
                           for kind, *list_ in (phase.split(b" ") for phase in text.read().splitlines())]
        self.expected = Expected.read(folder)
        self.events = sum(len(list_) for _, list_ in self.phases)

    def name(self, stage):
        key = hashlib.sha256(f"{self.households} {stage.name} {stage.partitions}".encode())
        for path in [stage.programs.shouwangctl, __file__] + sorted(
                os.path.join(at, file) for at, _, files in os.walk(stage.config) for file in files):
            with open(path, "rb") as data:
                key.update(os.path.basename(path).encode() + data.read())
        return f"workload-{self.seed}-{key.hexdigest()[:16]}"

    def make(self, stage, folder):
        dice = random.Random(self.seed)
        partial = folder + ".part"
        shutil.rmtree(partial, ignore_errors=True)
        os.makedirs(partial)
        sample = subprocess.run([stage.programs.shouwangctl, "sample", "--households", str(self.households), "--months",
                                 str(MONTHS), "--seed", str(self.seed), "--until", UNTIL], check=True,
                                stdout=subprocess.PIPE).stdout.splitlines(keepends=True)
        path = os.path.join(partial, "events.jsonl")
        phases = [("events", sample[len(sample) * i // PARTS:len(sample) * (i + 1) // PARTS]) for i in range(PARTS)]
        write(path, phases)
        unanswered = Expected.of(stage, path, partial)
        phases = with_answers(phases, unanswered.messages, dice) + [("events", ticks(sample, dice))]
        write(path, phases)
        Expected.of(stage, path, partial)
        with open(os.path.join(partial, "phases"), "w", encoding="ascii") as out:
            out.writelines(" ".join([kind] + [line.hex() for line in list_]) + "\n" for kind, list_ in phases)
        os.rename(partial, folder)


def write(path, phases):
    with open(path, "wb") as out:
        for _, list_ in phases:
            out.writelines(list_)


def with_answers(phases, messages, dice):
    """After each part but the last, answers to cases that are open then (and some that are no more)."""
    out, newest = [], b""
    for kind, list_ in phases[:-1]:
        newest = max(newest, max(m.group(1) for m in map(TIME.search, list_) if m))
        time = newest.decode()
        opened = sorted({m["data"]["case"] for m in messages if m["type"] == "case.opened" and m["time"] <= time})
        cases = dice.sample(opened, min(ANSWERS, len(opened)))
        out += [(kind, list_), ("feedback", [answer(f"a{len(out)}-{i}", case, time, dice)
                                             for i, case in enumerate(cases)])]
    return out + phases[-1:]


def answer(id_, case, time, dice):
    data = {"case": case, "by": "李"}
    if dice.random() < 0.3:
        data["until"] = "2025-07-15"
    return event("case." + dice.choice(KINDS), id_, case.split("/")[1], time, data)


def ticks(sample, dice):
    """Visits so much later that every timer of every partition is due before."""
    subjects = sorted({key_of(line).decode(errors="replace") for line in sample[:len(sample) // 10]} - {""})
    return [event("cn.household.visited", f"tick-{i}", subject, LAST_DAY + "T12:00:00+08:00", {"visited_on": LAST_DAY})
            for i, subject in enumerate(dice.sample(subjects, min(TICKS, len(subjects))))]


@contextlib.contextmanager
def locked(path):
    """One at a time, also of several processes."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
