#!/usr/bin/env python3
"""The tools that speak to Kafka: `test_tools.py SHOUWANGCTL MOCK_BROKER [NAME…]`: publish, read, report and topics on
the embedded broker; topics on a real Kafka too, where that can be had."""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import cases  # noqa: E402
from servers import Kafka, MockBroker, Unavailable  # noqa: E402

CTL, MOCK = os.path.abspath(sys.argv.pop(1)), os.path.abspath(sys.argv.pop(1))
CONFIG = os.path.join(HERE, "..", "..", "config")
TOPICS = {"household.events": 8, "case.feedback": 8, "case.outcomes": 8, "shouwang.forward": 8, "shouwang.state": 8,
          "shouwang.rejects": 8, "alerts.social-assistance": 8, "alerts.rural-revitalization": 8,
          "alerts.child-welfare": 8, "alerts.office": 8}
FOLDER = tempfile.TemporaryDirectory(prefix="shouwang-tools-")


class ctl:  # noqa: N801 (a command)
    """One call: its exit code, output and complaints."""

    def __init__(self, *words, broker=None, **settings):
        environment = {**os.environ, "SHOUWANG_CONFIG": CONFIG, **{"SHOUWANG_" + k: v for k, v in settings.items()}}
        if broker:
            environment["SHOUWANG_KAFKA_BOOTSTRAP"] = broker
        done = subprocess.run([CTL, *words], env=environment, capture_output=True, timeout=120)
        self.code, self.raw = done.returncode, done.stdout
        self.out = done.stdout.decode("utf-8", "replace")
        self.err = done.stderr.decode("utf-8", "replace")

    def good(self):
        cases.equal(self.code, 0, "exit code; " + self.err + self.out)
        return self


def mock(topics=None):
    folder = tempfile.mkdtemp(dir=FOLDER.name)
    return MockBroker(folder, MOCK, topics or TOPICS)


def write(name, content):
    path = os.path.join(FOLDER.name, name)
    with open(path, "wb") as out:
        out.write(content)
    return path


def sample(households=40):
    return ctl("sample", "--households", str(households), "--months", "18", "--seed", "1").good().raw


def murmur2(key):
    """org.apache.kafka.common.utils.Utils.murmur2, as Java's producers have it."""
    m, mask = 0x5bd1e995, 0xffffffff
    h = (0x9747b28c ^ len(key)) & mask
    whole = len(key) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(key[i:i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if whole < len(key):
        h = (h ^ int.from_bytes(key[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return (h ^ h >> 15) & 0x7fffffff


def it_publishes_every_line_as_it_is_to_its_partition():
    lines = sample().splitlines()
    path = write("events.jsonl", b"".join(line + b"\n" for line in lines))
    with mock().start() as broker:
        told = ctl("publish", path, "--topic", "household.events", broker=broker.bootstrap).good()
        cases.has(told.err, f"household.events: {len(lines)} lines sent, {len(lines)} delivered, 0 failed")
        read = ctl("read", "household.events", "--until-end", "--where", "--key", broker=broker.bootstrap).good()
    got = {}
    for line in read.raw.split(b"\n")[:-1]:
        where, key, value = line.split(b"\t", 2)
        partition = int(where.split(b":")[0])
        got.setdefault(partition, []).append(value)
        if key:
            cases.equal(partition, murmur2(key) % 8, f"partition of {key}")
            cases.has(value.decode("utf-8", "replace"), key.decode())
    cases.equal(sorted(v for values in got.values() for v in values), sorted(lines), "lines")
    place = {line: i for i, line in enumerate(lines)}
    for values in got.values():  # of each partition in the file's order (a repeated line stands at its last place)
        firsts = list(dict.fromkeys(reversed(values)))[::-1]
        cases.equal(firsts, sorted(firsts, key=place.get), "order")


def it_finds_the_key_of_a_faulty_line():
    lines = [b'{"specversion":"0.3","subject":"h1","x":1}', b'{"subject":"h2","broken', b'no json, h3',
             b'{"subject":17}', b'{"subject":"h\\u0031"}']
    path = write("faulty.jsonl", b"\n".join(lines))
    with mock().start() as broker:
        ctl("publish", path, "--topic", "household.events", broker=broker.bootstrap).good()
        read = ctl("read", "household.events", "--until-end", "--key", broker=broker.bootstrap).good()
        with_headers = ctl("read", "household.events", "--max", "1", "--headers", broker=broker.bootstrap).good()
        cases.has(with_headers.out, "content-type=application/cloudevents+json\t")
    keys = {tuple(line.split(b"\t", 1)) for line in read.raw.split(b"\n")[:-1]}
    cases.equal(keys, {(b"h1", lines[0]), (b"", lines[1]), (b"", lines[2]), (b"", lines[3]), (b"h1", lines[4])}, "keys")


def it_publishes_standard_input_at_a_rate():
    with mock().start() as broker:
        environment = {**os.environ, "SHOUWANG_CONFIG": CONFIG}
        lines = b"".join(b'{"subject":"h%d"}\n' % i for i in range(30))
        done = subprocess.run(["bash", "-c", 'time "$@"', "-", CTL, "publish", "-", "--topic", "household.events",
                               "--bootstrap", broker.bootstrap, "--rate", "30"], env={**environment, "TIMEFORMAT": "%R"},
                              input=lines, capture_output=True, timeout=60)
        cases.equal(done.returncode, 0, done.stderr.decode())
        seconds = float(done.stderr.split()[-1])
        cases.expect(0.8 < seconds < 60, f"30 lines at 30 a second took {seconds} s")
        read = ctl("read", "household.events", "--max", "30", broker=broker.bootstrap).good()
        cases.equal(len(read.out.splitlines()), 30, "lines")


def it_says_what_is_missing():
    with mock({"other": 1}).start() as broker:
        path = write("one.jsonl", b"{}\n")
        for words in (["publish", path, "--topic", "household.events"], ["read", "household.events", "--until-end"]):
            told = ctl(*words, broker=broker.bootstrap)
            cases.equal(told.code, 1, "exit code")
            cases.has(told.err, "topic household.events: there is none; `shouwangctl topics` creates it")
        told = ctl("publish", "/nonexistent", "--topic", "other", broker=broker.bootstrap)
        cases.equal(told.code, 1, "exit code")
        cases.has(told.err, "/nonexistent: No such file or directory")
    for words in (["publish"], ["answer"], ["answer", "x"], ["read"], ["report", "x"], ["topics", "x"], ["sample"], ["run", CONFIG], ["sample", "--households",
                  "0", "--months", "1", "--seed", "1"], ["sample", "--households", "1", "--months", "1", "--seed", "1",
                  "--until", "2026-02-30"], ["nonsense"]):
        cases.equal(ctl(*words).code, 2, f"exit code of {words}")


def it_reports_the_same_from_topics_as_from_files():
    path = write("county.jsonl", sample(600))
    rejects = os.path.join(FOLDER.name, "rejects.jsonl")
    messages = ctl("run", CONFIG, path, "--quiet", "--rejects", rejects).good().raw
    by_topic = {}
    for line in messages.splitlines(True):
        unit = json.loads(line)["data"]["unit"]
        by_topic[unit] = by_topic.get(unit, b"") + line
    from_file = ctl("report", "--file", write("messages.jsonl", messages)).good().out
    with mock().start() as broker:
        for unit, lines in by_topic.items():
            ctl("publish", write(unit, lines), "--topic", "alerts." + unit, broker=broker.bootstrap).good()
        from_topics = ctl("report", broker=broker.bootstrap).good().out
        text = ctl("read", "alerts.social-assistance", "--until-end", "--text", broker=broker.bootstrap).good().out
    without_rejects = from_topics.replace("\n退回的数据: 0条\n\n", "")
    cases.equal(without_rejects, from_file, "report")
    for part in ("社会救助股", "案例", "【新预警】", "办理期限", "依据"):
        cases.has(from_file, part)
    cases.has(text, "【新预警】")
    told = ctl("report", "--file", os.path.join(FOLDER.name, "messages.jsonl"), "--rejects", rejects, "--cases", "0").good().out
    cases.has(told, "退回的数据")
    cases.expect("案例" not in told, told)


def it_checks_partitions_where_settings_are_not_told():
    with mock().start() as broker:
        told = ctl("topics", "--check", broker=broker.bootstrap).good()
        cases.has(told.out, "does not tell the topics' settings")
        cases.has(told.out, "10 topics: 0 created, 0 changed, 0 differences left")
        told = ctl("topics", broker=broker.bootstrap, PARTITIONS="4")
        cases.equal(told.code, 1, "exit code")
        cases.has(told.out, "household.events: has 8 partitions, expected 4")
    with mock({k: v for k, v in TOPICS.items() if k != "shouwang.state"}).start() as broker:
        told = ctl("topics", "--check", broker=broker.bootstrap)
        cases.equal(told.code, 1, "exit code")
        cases.has(told.out, "shouwang.state: missing (state (changelog))")


def it_lists_topics_without_a_server():
    listed = dict(line.split() for line in ctl("topics", "--list").good().out.splitlines())
    cases.equal(listed, {name: str(n) for name, n in TOPICS.items()}, "topics")


def it_creates_and_mends_topics_on_a_real_kafka():
    folder = tempfile.mkdtemp(dir=FOLDER.name)
    try:
        kafka = Kafka(folder, heap="512m").start()
    except Unavailable as why:
        raise cases.Skip(str(why))
    with kafka:
        told = ctl("topics", "--check", broker=kafka.bootstrap)
        cases.equal(told.code, 1, "exit code")
        cases.equal(told.out.count("missing"), len(TOPICS), "missing topics")
        told = ctl("topics", broker=kafka.bootstrap).good()
        cases.has(told.out, "shouwang.state: created with 8 partitions, 1 replicas (state (changelog))")
        cases.has(told.out, "10 topics: 10 created, 0 changed, 0 differences left")
        told = ctl("topics", "--check", broker=kafka.bootstrap).good()
        cases.equal(told.out, "10 topics: 0 created, 0 changed, 0 differences left\n", "second look")

        # the state's topic was made for rejects: its setting is told, mended, and the rest of them kept
        swapped = {"TOPICS_STATE": "shouwang.rejects", "TOPICS_REJECTS": "shouwang.state"}
        told = ctl("topics", "--check", broker=kafka.bootstrap, **swapped)
        cases.equal(told.code, 1, "exit code")
        cases.has(told.out, "shouwang.rejects: setting cleanup.policy is delete, expected compact")
        told = ctl("topics", broker=kafka.bootstrap, **swapped).good()
        cases.has(told.out, "shouwang.rejects: changed: cleanup.policy is delete, expected compact")
        cases.has(told.out, "shouwang.state: changed: cleanup.policy is compact, expected delete")
        ctl("topics", "--check", broker=kafka.bootstrap, **swapped).good()
        told = ctl("topics", broker=kafka.bootstrap).good()
        cases.has(told.out, "10 topics: 0 created, 2 changed, 0 differences left")

        told = ctl("topics", broker=kafka.bootstrap, PARTITIONS="12", REPLICATION="2")
        cases.equal(told.code, 1, "exit code")
        cases.has(told.out, "household.events: has 8 partitions, expected 12 (events of a watch); not changed")
        cases.has(told.out, "alerts.office: has 1 replicas, expected 2")
        cases.expect("alerts.office: has 8 partitions" not in told.out, "a queue may have as many as it likes")
        told = ctl("topics", broker=kafka.bootstrap, TOPICS_FORWARD="forward.2", REPLICATION="3")
        cases.equal(told.code, 1, "exit code")
        cases.has(told.err, "shouwangctl topics: topic forward.2: ")

        path = write("events.jsonl", sample())
        told = ctl("publish", path, "--topic", "household.events", broker=kafka.bootstrap).good()
        read = ctl("read", "household.events", "--until-end", broker=kafka.bootstrap).good()
        cases.equal(sorted(read.raw.split(b"\n")[:-1]), sorted(open(path, "rb").read().splitlines()), "lines")


if __name__ == "__main__":
    cases.main(globals())
