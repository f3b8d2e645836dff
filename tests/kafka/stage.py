"""A stage for tests of the whole daemon: topics, settings and daemons of one instance on shared servers, what the
engine alone makes of the same events, and the comparison of both.

Every stage has an instance, topics and a configuration folder of its own, so that many fit on one broker."""

import base64
import collections
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from cases import expect  # noqa: E402
from servers import Daemon, wait_until  # noqa: E402

PARTITIONS = 4


class Programs:
    def __init__(self, build):
        self.build = os.path.abspath(build)

    def __getattr__(self, name):
        return os.path.join(self.build, name)


def output(argv, environment=None, given=None, wanted=0):
    done = subprocess.run(argv, env=environment, input=given, capture_output=True, timeout=180)
    if done.returncode != wanted:
        raise RuntimeError(f"{argv} ended with {done.returncode}:\n{done.stderr.decode(errors='replace')[-3000:]}")
    return done.stdout.decode(errors="surrogateescape")


def lines(text):
    return [json.loads(line) for line in text.split("\n") if line]


def value_of(record):
    """A record's bytes, as peek and `shouwangctl run --rejects` tell them."""
    base64_ = record.get("value_base64")
    return base64.b64decode(base64_) if base64_ is not None else (record["value"] or "").encode()


def murmur2(key, partitions):
    """The partition of a key's bytes by Kafka's Java clients; tests/edge has it too, for comparison."""
    m, mask = 0x5bd1e995, 0xffffffff
    h = 0x9747b28c ^ len(key)
    for i in range(0, len(key) & ~3, 4):
        k = int.from_bytes(key[i:i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    tail = key[len(key) & ~3:]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return ((h ^ h >> 15) & 0x7fffffff) % partitions


# --- the comparison

def name(message):
    """Messages are told apart by case and number."""
    return message["data"]["case"], message["data"]["message_no"]


def content(message):
    """All but the id: the engine alone has no incarnation."""
    return {key: value for key, value in message.items() if key != "id"}


def differences(wanted, *queues):
    """What is lost, repeated, wrong or out of order in the units' messages, queue by queue; [] where nothing is.
    Wanted are those of each subject in their order; of the ids it is only asked that they be unique."""
    faults, found, ids = [], collections.defaultdict(list), collections.Counter()
    for message in (m for queue in queues for m in queue):
        found[name(message)].append(message)
        ids[message["id"]] += 1
    expected = {name(message): message for message in wanted}
    faults += [f"lost: {key}" for key in expected if key not in found]
    faults += [f"not expected: {key}" for key in found if key not in expected]
    faults += [f"repeated {len(list_)} times: {key}" for key, list_ in found.items() if len(list_) > 1]
    faults += [f"id given {n} times: {id_}" for id_, n in ids.items() if n > 1]
    for key in sorted(expected.keys() & found.keys()):
        if content(expected[key]) != content(found[key][0]):
            faults.append(f"another content: wanted {expected[key]}\n got {found[key][0]}")
    place = {key: i for i, key in enumerate(expected)}
    for queue in queues:
        order = collections.defaultdict(list)
        for message in queue:
            order[message.get("subject")].append(name(message))
        faults += [f"out of order: {subject} {names}" for subject, names in order.items()
                   if any(place.get(a, 0) > place.get(b, len(place)) for a, b in zip(names, names[1:]))]
    return faults


def state_differences(wanted, got, where):
    wanted, got = wanted.split("\n"), got.split("\n")
    faults = [f"{where}: {len(got)} states, wanted {len(wanted)}"] if len(wanted) != len(got) else []
    return faults + [f"{where}: wanted {w}\n got {g}" for w, g in zip(wanted, got) if w != g][:5]


# --- events

class Sample:
    """Sample events, and what the engine alone makes of them."""

    def __init__(self, programs, folder, households, months, seed):
        self.path = os.path.join(folder, f"events-{households}-{months}-{seed}.jsonl")
        with open(self.path, "wb") as out:
            subprocess.run([programs.shouwangctl, "sample", "--households", str(households), "--months", str(months),
                            "--seed", str(seed)], stdout=out, check=True)
        with open(self.path, "rb") as text:
            self.lines = text.read().splitlines(keepends=True)  # bytes: some faulty ones are no UTF-8


class Stage:
    number = 0

    def __init__(self, programs, bootstrap, redis_url, folder, settings=None, config=os.path.join(ROOT, "config"),
                 partitions=PARTITIONS):
        Stage.number += 1
        self.partitions = partitions
        self.programs, self.name = programs, f"stage{Stage.number}"
        self.folder = os.path.join(folder, self.name)
        self.config = os.path.join(self.folder, "config")
        shutil.copytree(config, self.config)
        self.units, self.events = [], f"household.events.{self.name}"
        self.rename_topics()
        self.patch("shouwang.yaml", r"properties: *\{",
                   "properties: {session.timeout.ms: 3000, heartbeat.interval.ms: 300, ")
        self.settings = {"INSTANCE": self.name, "PARTITIONS": partitions, "CLOCK": "events", "NODE": "one",
                         "KAFKA_BOOTSTRAP": bootstrap, "REDIS_URL": redis_url, "WORKERS": 2, "LOG_LEVEL": "debug",
                         **{f"TOPICS_{kind.upper()}": f"{kind}.{self.name}"
                            for kind in ("feedback", "outcomes", "rejects", "forward", "state")},
                         **(settings or {})}
        self.environment = {**os.environ, "SHOUWANG_CONFIG": self.config,
                            **{"SHOUWANG_" + key: str(value) for key, value in self.settings.items()}}
        self.published, self.daemons = 0, []

    def patch(self, file, pattern, text):
        path = os.path.join(self.config, file)
        with open(path, encoding="utf-8") as old:
            new, n = re.subn(pattern, text, old.read(), flags=re.M)
        expect(n > 0, f"nothing like {pattern} in {path}")
        with open(path, "w", encoding="utf-8") as out:
            out.write(new)

    def rename_topics(self):
        for kind in ("watches", "units"):
            for file in os.listdir(os.path.join(self.config, kind)):
                path = os.path.join(kind, file)
                with open(os.path.join(self.config, path), encoding="utf-8") as text:
                    found = re.findall(r"^topic: *(\S+)", text.read(), re.M)
                self.patch(path, r"^(topic: *\S+)", rf"\1.{self.name}")
                if kind == "units":
                    self.units += [f"{topic}.{self.name}" for topic in found]

    def ctl(self, *words, **options):
        return output([self.programs.shouwangctl, *words], self.environment, **options)

    def peek(self, *words, **options):
        return output([self.programs.peek, self.config, *words], self.environment, **options)

    def topics(self):
        self.ctl("topics")
        return self

    def all_topics(self):
        return {line.split()[0]: self.partitions for line in self.ctl("topics", "--list").splitlines()}

    def publish(self, path_or_lines):
        path = path_or_lines
        if not isinstance(path, str):
            path = os.path.join(self.folder, "part.jsonl")
            with open(path, "wb") as out:
                out.writelines(path_or_lines)
        self.ctl("publish", path, "--topic", self.events)
        with open(path, "rb") as text:
            self.published += sum(1 for _ in text)

    def send(self, records):
        """Records as they are: each may have partition, key, value and headers."""
        self.peek("send", self.events, given="\n".join(json.dumps(r) for r in records).encode())
        self.published += len(records)

    def daemon(self, name="one", **settings):
        d = Daemon(os.path.join(self.folder, name), self.programs.shouwangd, self.config,
                   {**self.settings, "NODE": name, **settings}, name=f"shouwangd-{name}")
        self.daemons.append(d)
        return d

    def positions(self):
        """How many records of the events' topic are committed."""
        return json.loads(self.peek("positions")).get(self.events, 0)

    def wait_committed(self, n, seconds=60):
        """Until some daemon has committed n events since it started."""
        def done():
            expect(self.running(), "no daemon runs any more\n" + self.logs())
            return sum(d.total("shouwang_events_total") for d in self.running()) >= n
        wait_until(f"{n} events committed", seconds, done)

    def wait_all(self, seconds=90):
        def done():
            expect(self.running(), "no daemon runs any more\n" + self.logs())
            return self.positions() >= self.published
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"{self.positions()} of {self.published} events after {seconds} s\n" + self.logs())
            time.sleep(0.2)

    def running(self):
        return [d for d in self.daemons if d.running()]

    def logs(self):
        return "\n".join(f"--- {d.name}\n{d.log()[-4000:]}" for d in self.daemons)

    def queues(self):
        """The messages of each unit's queue."""
        return [[json.loads(record["value"]) for record in lines(self.peek("read", unit))] for unit in self.units]

    def messages(self):
        return [message for queue in self.queues() for message in queue]

    def rejects(self):
        return lines(self.peek("read", self.settings["TOPICS_REJECTS"]))

    def alone(self, path):
        """Messages and states of the engine alone, over the same partitions."""
        messages = self.ctl("run", self.config, path, "--partitions", str(self.partitions), "--quiet", "--messages")
        states = self.ctl("run", self.config, path, "--partitions", str(self.partitions), "--quiet", "--state", "--raw")
        return lines(messages), states

    def verify(self, path, states=True):
        """Nothing lost, nothing twice, everything equal to the engine alone."""
        wanted, wanted_states = self.alone(path)
        expect(len(wanted) > 5, "too few messages to prove anything")
        faults = differences(wanted, *self.queues())
        if states:
            faults += state_differences(wanted_states, self.peek("raw-states"), "changelog")
            faults += state_differences(wanted_states, self.peek("raw-cached"), "Redis")
        expect(not faults, "\n".join(faults[:10]) + f"\n({len(faults)} faults)\n" + self.logs())

    def stop(self):
        for d in self.daemons:
            d.stop()


@contextlib.contextmanager
def temporary_folder():
    path = tempfile.mkdtemp(prefix="shouwang-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
