#!/usr/bin/env python3
"""What the language promises between topics, on a real Apache Kafka: feedback answers cases, outcomes feed a second watch
in the same daemon, misplaced events travel through the forward topic once.  usage: test_language.py BUILD [CASE…]"""

import collections
import contextlib
import datetime
import json
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_kafka  # noqa: E402  (takes BUILD; its servers serve here too)
import stage as staging  # noqa: E402
import cases  # noqa: E402
from cases import equal, expect, has  # noqa: E402
from servers import missing, wait_until  # noqa: E402

CONFIG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "language")
P = staging.PARTITIONS


class Language(staging.Stage):
    """A stage with the configuration in language/, and a clock by events unless told otherwise."""

    def __init__(self, **settings):
        folder, kafka, redis = test_kafka.Servers.get()
        super().__init__(test_kafka.PROGRAMS, kafka.bootstrap, redis.url, folder, settings, CONFIG)
        self.outcomes = f"case.outcomes.{self.name}"
        self.environment["SHOUWANG_TOPICS_OUTCOMES"] = self.settings["TOPICS_OUTCOMES"] = self.outcomes
        self.feedback, self.forward = self.settings["TOPICS_FEEDBACK"], self.settings["TOPICS_FORWARD"]
        self.persons = f"person.events.{self.name}"
        self.units = [t for t in self.topics().all_topics() if t.startswith("alerts.")]
        self.history, self.sent, self.number = [], collections.Counter(), 0

    def event(self, kind, subject, time, data):
        self.number += 1
        return {"specversion": "1.0", "id": f"e{self.number}", "source": "/test", "type": kind, "subject": subject,
                "time": time, "data": data}

    def settled(self, subject, time, paid, on="2026-01-04"):
        return self.event("cn.settled", subject, time, {"no": f"n{self.number}", "on": on, "paid": paid})

    def post(self, topic, *events, partition=None):
        """Where each belongs, or all to one partition."""
        self.history += events
        self.sent[topic] += len(events)
        partition_of = (lambda e: partition) if partition is not None else (lambda e: self.partition(e["subject"]))
        self.peek("send", topic, given="\n".join(json.dumps(
            {"value": json.dumps(e, ensure_ascii=False), "key": e["subject"], "partition": partition_of(e)},
            ensure_ascii=False) for e in events).encode())

    @staticmethod
    def partition(key):
        return staging.murmur2(key.encode(), P)

    def settle(self, d, seconds=60):
        """Until a daemon that has lived through it all has done everything, and what followed from it."""
        def done():
            d.must_run()
            m = d.metrics()

            def read(topic):
                return m.get(f'shouwang_events_total{{topic="{topic}"}}', 0)
            return all(read(t) == n for t, n in self.sent.items()) and \
                read(self.outcomes) == m["shouwang_outcomes_total"] and read(self.forward) == m["shouwang_forwarded_total"]
        try:
            wait_until("everything done", seconds, done)
        except Exception:
            print(self.sent, d.metrics(), d.log()[-3000:])
            raise

    def read(self, topic):
        return staging.lines(self.peek("read", topic))

    def told(self, kind=None):
        return [m for m in self.messages() if kind in (None, m["type"])]

    def came_of(self):
        return [json.loads(record["value"]) for record in self.read(self.outcomes)]

    def reasons(self):
        return collections.Counter(r["headers"]["reason"] for r in self.rejects())

    def engine_alone(self):
        """What `shouwangctl run` makes of the history: (messages, outcomes, states, reasons of rejects)."""
        path, rejects = (os.path.join(self.folder, name) for name in ("history.jsonl", "rejects.jsonl"))
        with open(path, "w", encoding="utf-8") as out:
            out.writelines(json.dumps(e, ensure_ascii=False) + "\n" for e in self.history)
        words = ["run", self.config, path, "--partitions", str(P), "--quiet", "--check"]
        out = staging.lines(self.ctl(*words, "--rejects", rejects))
        with open(rejects, encoding="utf-8") as text:
            reasons = collections.Counter(r["reason"] for r in staging.lines(text.read()))
        states = self.ctl(*words, "--state")
        return ([m for m in out if m["type"] != "case.outcome"], [m for m in out if m["type"] == "case.outcome"], states,
                reasons)

    def verify_all(self):
        """Messages, outcomes, states and rejects are the engine's alone; ids of outcomes are told apart by what they
        say, since the engine alone has no incarnation."""
        messages, outcomes, states, reasons = self.engine_alone()
        got = self.came_of()
        names = {o["id"]: json.dumps([o["data"], o["time"]], sort_keys=True) for o in outcomes + got}

        def named(value):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for id_, name in names.items():
                text = text.replace(id_, f"outcome-{abs(hash(name))}")
            return text if isinstance(value, str) else sorted_evidence(json.loads(text))

        equal(len({o["id"] for o in got}), len(got), "ids of outcomes")
        equal(sorted(map(str, map(named, got))), sorted(map(str, map(named, outcomes))), "outcomes")
        faults = staging.differences(named(messages), *([{**named(m), "id": m["id"]} for m in queue]
                                                        for queue in self.queues()))
        for what in ("states", "cached"):
            faults += staging.state_differences(named(states), named(self.peek(what)), what)
        expect(not faults, "\n".join(faults[:10]) + f"\n({len(faults)} faults)")
        equal(self.reasons(), reasons, "reasons of rejects")
        return messages, outcomes, reasons


def sorted_evidence(messages):
    """Of evidence of one time, the ids decide the order."""
    for m in messages if isinstance(messages, list) else [messages]:
        for alert in m["data"].get("alerts", ()):
            alert["evidence"].sort(key=lambda e: (e["time"], e["id"]))
    return messages


@contextlib.contextmanager
def language(**settings):
    s = Language(**settings)
    try:
        yield s
    finally:
        s.stop()


# --- feedback and outcomes

def an_answer_closes_the_case_and_gives_an_outcome():
    with language(CLOCK="wall") as s:
        d = s.daemon().start()
        s.post(s.events, s.settled("h-1", "2026-01-05T12:00:00+08:00", 200, on=today()))
        wait_until("a case", 30, lambda: s.told("case.opened"))
        opened, = s.told("case.opened")
        equal(opened["data"]["case"], "household/h-1/social/1", "case")
        sent = json.loads(s.ctl("answer", "household/h-1/social/1", "handled", "--by", "李", "--note", "已救助",
                                "--message-no", "1", "--rules", "burden"))
        equal((sent["type"], sent["subject"], sent["data"]), ("case.handled", "h-1", {
            "case": "household/h-1/social/1", "by": "李", "note": "已救助", "message_no": 1, "rules": ["burden"]}), "sent")
        wait_until("the end", 30, lambda: s.told("case.closed"))
        closed, = s.told("case.closed")
        equal((closed["data"]["reason"], closed["data"]["message_no"]), ("handled", 2), "message")
        record, = s.read(s.outcomes)
        outcome = json.loads(record["value"])
        equal(record["key"], "social", "key")
        equal(record["partition"], s.partition("social"), "partition")
        has(record["headers"]["content-type"], "application/cloudevents+json")
        equal((outcome["type"], outcome["subject"], outcome["data"]["result"], outcome["data"]["on_time"]),
              ("case.outcome", "social", "handled", True), "outcome")
        equal((outcome["data"]["rules"], outcome["data"]["watch"], outcome["data"]["opened"]),
              (["burden"], "household", opened["data"]["opened"]), "outcome")
        feedback, = s.read(s.feedback)
        equal((feedback["key"], feedback["partition"]), ("h-1", s.partition("h-1")), "feedback")
        has(s.peek("states"), '"handled_by":"李"')  # its type stands under `events`, too
        s.ctl("answer", "household/h-1/social/1", "not_confirmed")
        s.ctl("answer", "household/h-1/social/2", "handled")
        wait_until("rejects", 30, lambda: len(s.rejects()) == 2)
        equal(s.reasons(), {"data.case: the case household/h-1/social/1 has ended": 1,
                            "data.case: there is no case household/h-1/social/2": 1}, "reasons")
        equal({r["headers"]["topic"] for r in s.rejects()}, {s.feedback}, "topic of the rejects")
        equal(len(s.told()), 2, "messages")
        test_kafka.stop(d)


def today():
    return datetime.date.today().isoformat()


def an_answer_that_cant_be_is_refused_before_it_is_sent():
    with language() as s:
        for words, part in ((["household/h-1/nobody/1", "handled"], "CASE"), (["house/h-1/social/1", "handled"], "CASE"),
                            (["household/h-1/social", "handled"], "CASE"), (["household/h-1/social/1", "done"], "TYPE"),
                            (["household/h-1/social/1", "handled", "--until", "soon"], "--until"),
                            (["household/h-1/social/1", "handled", "--rules", "a,,b"], "data.rules"),
                            (["household/h-1/social/1", "handled", "--at", "2100-01-01"], "data.at")):
            done = staging.subprocess.run([s.programs.shouwangctl, "answer", *words], env=s.environment,
                                          capture_output=True, text=True)
            equal(done.returncode, 1, f"exit code of {words}")
            has(done.stderr, part)
        equal(s.read(s.feedback), [], "sent")


def a_missed_deadline_feeds_the_second_watch_in_the_same_daemon():
    with language() as s:
        d = s.daemon().start()
        s.post(s.events, s.event("cn.profile", "h-1", "2026-01-05T12:00:00+08:00", {"region": "360704102001"}))
        s.post(s.events, s.settled("h-1", "2026-01-05T12:00:00+08:00", 200))
        s.settle(d)
        s.post(s.events, s.event("cn.tick", "h-1", "2026-01-12T12:00:00+08:00", {}))
        s.settle(d)
        late = [m for m in s.told("case.opened") if m["data"]["watch"] == "township"]
        equal(sorted(m["subject"] for m in late), ["social", "township/360704102"], "late units")
        equal({m["data"]["unit"] for m in late}, {"office"}, "who hears of them")
        equal([(o["data"]["result"], o["data"]["on_time"], o["data"]["due"], o["data"]["ended"]) for o in s.came_of()],
              [("missed", False, "2026-01-07", None)] * 2, "outcomes")
        expect(any(json.loads(r["value"])["data"]["unit"] == "township/360704102"
                   for r in s.read(f"alerts.township.360704102.{s.name}")), "the township's queue")
        s.post(s.events, s.event("cn.tick", "h-1", "2026-02-12T12:00:00+08:00", {}))
        s.settle(d)
        equal(len(s.came_of()), 2, "outcomes: cases of a watch that is fed by them give none")
        s.verify_all()
        test_kafka.stop(d)


def what_comes_out_with_feedback_is_what_the_engine_alone_gives():
    dice = random.Random(7)
    with language() as s:
        d = s.daemon().start()
        homes = [f"h-{i}" for i in range(24)]
        ticks = {p: next(f"t-{i}" for i in range(100) if s.partition(f"t-{i}") == p) for p in range(P)}
        s.post(s.events, *(s.event("cn.profile", h, "2026-01-05T07:00:00+08:00", {
            "region": dice.choice(["360704102", "360704103001", "3607"])}) for h in homes))
        s.settle(d)
        for day in ("05", "07", "12", "13", "19", "26"):
            at = f"2026-01-{day}T%s:00:00+08:00"
            for p, subject in ticks.items():  # each partition's timers alone, so that outcomes have one order
                s.post(s.events, s.event("cn.tick", subject, at % f"0{8 - 4 + p}", {}) if day != "05" else
                       s.event("cn.tick", subject, at % "08", {}))
                s.settle(d)
            s.post(s.events, *(s.settled(h, at % 12, dice.choice([30, 90, 400, 900]))
                               for h in dice.sample(homes, 12)))
            s.settle(d)
            messages = s.engine_alone()[0]
            known = sorted({m["data"]["case"] for m in messages if m["data"]["watch"] == "household"})
            for case in dice.sample(known, min(4, len(known))):
                subject = case.split("/")[1]
                data = {"case": case, "by": "李"}
                if dice.random() < 0.3:
                    data["until"] = "2026-01-20"
                if dice.random() < 0.2:
                    data["message_no"] = dice.choice([1, 9])
                s.post(s.feedback, s.event(dice.choice(["case.handled", "case.not_confirmed", "case.acknowledged"]),
                                           subject, at % 13, data))
                s.settle(d)
        messages, outcomes, reasons = s.verify_all()
        kinds = collections.Counter(m["type"] for m in messages)
        results = collections.Counter((o["data"]["result"], o["data"].get("on_time")) for o in outcomes)
        print(f"  {dict(kinds)}, {dict(results)}, {dict(reasons)}")
        expect(kinds["case.closed"] > 3 and results["missed", False] > 3 and results["handled", True] > 1 and reasons,
               "too little happened to prove anything")
        expect(any(m["data"]["watch"] == "township" and m["data"]["level"] == "red" for m in messages), "no red township")
        test_kafka.stop(d)


def a_code_without_a_topic_stops_nobody():
    with language() as s:
        d = s.daemon().start()
        at = "2026-01-05T12:00:00+08:00"
        for home, region in (("h-1", "360704199"), ("h-2", "360704102")):
            s.post(s.events, s.event("cn.profile", home, at, {"region": region}), s.settled(home, at, 200))
        s.settle(d)
        equal(sorted(m["data"]["case"] for m in s.told()), ["household/h-1/social/1", "household/h-2/social/1",
                                                           "household/h-2/township/360704102/1"], "told")
        reject, = s.rejects()
        has(reject["headers"]["reason"], "found no topic alerts.township.360704199")
        equal(json.loads(reject["value"])["data"]["case"], "household/h-1/township/360704199/1", "its message is kept")
        has(d.log(), "found no topic alerts.township.360704199")
        test_kafka.stop(d)


# --- misplaced events

def misplaced(s, n, time):
    """Events in any partition, each of a subject of its own (what comes out doesn't depend on their order)."""
    dice, places = random.Random(11), collections.defaultdict(list)
    for i in range(n):
        places[dice.randrange(P)].append(s.settled(f"m-{i}", time, dice.choice([30, 200, 2000])))
    return places


def wrong(s, places):
    return sum(s.partition(e["subject"]) != p for p, events in places.items() for e in events)


def verify_forwarded(s, n):
    forwarded = s.read(s.forward)
    origins = collections.Counter((r["headers"]["origin_topic"], r["headers"]["origin_partition"],
                                   r["headers"]["origin_offset"]) for r in forwarded)
    equal((len(forwarded), len(origins), max(origins.values())), (n, n, 1), "forwarded, each once")
    for r in forwarded:
        equal(r["partition"], s.partition(json.loads(r["value"])["subject"]), "partition")


def misplaced_events_are_forwarded_once_whatever_is_killed():
    with language(BATCH_EVENTS=60) as s:
        places = misplaced(s, 1500, "2026-01-05T12:00:00+08:00")
        for p, events in places.items():
            s.post(s.events, *events, partition=p)
        n = wrong(s, places)
        expect(1000 < n < 1300, f"{n} misplaced")
        for events in (150, 500, 1):
            d = s.daemon().start()
            wait_until(f"{events} events", 60, lambda: d.must_run() or d.total("shouwang_events_total") >= events)
            d.kill()
        forwarded = len(s.read(s.forward))
        expect(0 < forwarded < n, f"killed with {forwarded} of {n} forwarded: not in the middle")
        d = s.daemon().start()
        wanted = len(s.engine_alone()[0])
        wait_until("all messages", 90, lambda: d.must_run() or len(s.told()) >= wanted)
        wait_until("an idle daemon", 30, lambda: sum(
            v for k, v in d.metrics().items() if k.startswith("shouwang_lag_events")) == 0)
        s.verify_all()
        verify_forwarded(s, n)
        test_kafka.stop(d)


def a_record_that_cant_be_forwarded_is_rejected_with_its_reason():
    with language() as s:
        subject, right = "h-1", s.partition("h-1")
        event = json.dumps(s.settled(subject, "2026-01-05T12:00:00+08:00", 200))
        origin = {"origin_topic": s.events, "origin_partition": "3", "origin_offset": "7", "origin_timestamp": "1767585600000",
                  "origin_watch": "household"}
        records = [({**origin}, (right + 1) % P, "forwarded once already"),
                   ({}, right, "origin_topic: found nothing"),
                   ({**origin, "origin_topic": "elsewhere"}, right, "origin_topic: found a topic that no watch reads"),
                   ({**origin, "origin_watch": "person"}, right, "origin_watch: found a watch that doesn't read"),
                   ({**origin, "origin_watch": ""}, right, "origin_watch: found nothing"),
                   ({**origin, "origin_timestamp": "x"}, right, "origin_timestamp")]
        s.peek("send", s.forward, given="\n".join(json.dumps(
            {"value": event, "key": subject, "partition": p, "headers": headers}) for headers, p, _ in records).encode())
        no_time = json.loads(event)
        del no_time["time"]
        s.peek("send", s.forward, given=json.dumps({"value": json.dumps(no_time), "key": subject, "partition": right,
                                                    "headers": origin}).encode())
        s.sent[s.forward] = 0
        d = s.daemon().start()
        wait_until("the good one", 30, lambda: s.told("case.opened"))
        wait_until("rejects", 30, lambda: len(s.rejects()) == len(records))
        for _, _, reason in records:
            expect(any(reason in got for got in s.reasons()), f"no reason like {reason}: {s.reasons()}")
        equal(s.told("case.opened")[0]["time"], "2026-01-05T12:00:00+08:00", "time: of the original record")
        equal(len(s.read(s.forward)), len(records) + 1, "nothing was forwarded again")
        test_kafka.stop(d)


def a_subject_in_the_data_decides_the_partition():
    with language() as s:
        d = s.daemon().start()
        times = "2026-01-05T12:00:00+08:00"
        events = [s.event("cn.admitted", f"h-{i % 7}", times, {"person_id": 100 + i, "on": "2026-01-04", "inpatient": True})
                  for i in range(40)]
        s.post(s.persons, *events)
        s.settle(d)
        s.post(s.persons, *(s.event("cn.admitted", f"h-{i % 5}", times, {
            "person_id": str(100 + i), "on": "2026-01-04", "inpatient": True}) for i in range(20)))
        s.post(s.persons, s.event("cn.admitted", "h-1", times, {"on": "2026-01-04", "inpatient": True}))
        s.settle(d)
        messages, _, reasons = s.verify_all()
        equal(len(messages), 20, "persons who were admitted twice")
        equal({m["subject"] for m in messages}, {str(100 + i) for i in range(20)}, "their subjects")
        expect(d.total("shouwang_forwarded_total") > 20, "hardly anything was forwarded")
        equal(list(reasons), ["data.person_id: found nothing, expected a key (a string or a whole number)"], "reasons")
        has(s.peek("states"), '"household":"h-1"')  # event.key is still what the producer said
        test_kafka.stop(d)


# --- watches that share a topic

def admitted(s, person, household, time, **data):
    return s.event("cn.admitted", household, time, {"person_id": person, "on": "2026-01-04", "inpatient": True, **data})


def share(s, of_households=""):
    """Persons' events come on the households' topic; some of their types may be the households', too."""
    s.patch("watches/all.yaml", rf"^topic: *{s.persons}", f"topic: {s.events}")
    s.patch("watches/all.yaml", r"^  cn\.tick:\n", of_households + "  cn.tick:\n")


def two_watches_read_one_topic():
    with language() as s:
        share(s)
        d = s.daemon().start()
        at = "2026-01-05T12:00:00+08:00"
        s.post(s.events, *(s.settled(f"h-{i}", at, 200) for i in range(8)))
        s.post(s.events, *(admitted(s, 100 + person, f"h-{person % 7}", at) for _ in range(2) for person in range(20)))
        s.settle(d)
        messages, _, reasons = s.verify_all()
        equal(collections.Counter(m["data"]["watch"] for m in messages), {"household": 8, "person": 20}, "messages")
        equal(reasons, {}, "reasons")
        test_kafka.stop(d)


def two_watches_know_one_type_and_each_gets_the_event_once_whatever_is_killed():
    with language(BATCH_EVENTS=60) as s:
        share(s, "  cn.admitted:\n    at: data.on\n    add: {paid: data.paid}\n")
        at = "2026-01-05T12:00:00+08:00"
        events = [admitted(s, f"p-{i}", f"h-{i}", at, paid=60) for i in range(500)]
        events += [admitted(s, f"p-{i}", f"h-{i}", at, paid=60) for i in range(500)]
        nobody = s.event("cn.admitted", "h-1", at, {"on": "2026-01-04", "paid": 1000})
        unpaid = admitted(s, "p-1", "h-1", at, paid="x")
        neither = s.event("cn.admitted", "h-1", at, {"on": 5})
        for p in range(P):
            s.post(s.events, *events[p::P], partition=p)
        s.post(s.events, nobody, unpaid, neither, admitted(s, "p-1", "h-1", "soon", paid=1))
        for n in (150, 500, 900):
            d = s.daemon().start()
            wait_until(f"{n} events", 60, lambda: d.must_run() or d.total("shouwang_events_total") >= n)
            d.kill()
        d = s.daemon().start()
        wanted = len(s.engine_alone()[0])
        wait_until("all messages", 90, lambda: d.must_run() or len(s.told()) >= wanted)
        wait_until("an idle daemon", 30, lambda: sum(
            v for k, v in d.metrics().items() if k.startswith("shouwang_lag_events")) == 0)
        messages, _, reasons = s.verify_all()
        equal(collections.Counter((m["data"]["watch"], m["type"], m["data"]["level"]) for m in messages), {
            ("household", "case.opened", "yellow"): 500, ("household", "case.raised", "red"): 1,
            ("person", "case.opened", "yellow"): 500}, "messages")
        equal(reasons, {"data.on: found an integer, expected a time (a timestamp, 2015-03-02 or 2015-03)": 1,
                        "data.paid: found a string, expected an amount of money": 1,
                        "data.person_id: found nothing, expected a key (a string or a whole number)": 2,
                        "time: found another text, expected an RFC 3339 timestamp": 1}, "reasons")
        equal({(r["headers"]["reason"].split(":")[0], r["headers"].get("watch")) for r in s.rejects()}, {
            ("data.on", "household"), ("data.paid", "household"), ("data.person_id", "person"), ("time", "household")},
            "who rejects")
        forwarded = collections.Counter((r["headers"]["origin_watch"], r["headers"]["origin_partition"],
                                         r["headers"]["origin_offset"]) for r in s.read(s.forward))
        equal(set(forwarded.values()), {1}, "times that each is forwarded")
        equal(collections.Counter(watch for watch, *_ in forwarded), {
            "person": 1001, "household": sum(s.partition(e["subject"]) != i % P for i, e in enumerate(events))}, "forwarded")
        test_kafka.stop(d)


def add(path, document):
    with open(path, "a", encoding="utf-8") as out:
        out.write("---\n" + document)


def events_of_a_watch_keep_their_order_also_where_it_shares_but_some_of_their_types():
    with language(BATCH_EVENTS=60) as s:
        add(os.path.join(s.config, "watches", "all.yaml"), f"""watch: zeta
topic: {s.events}
measures: {{paid: {{sum: double, unit: yuan, window: 12 months}}}}
events:
  cn.settled: {{key: data.no, at: data.on, add: {{paid: data.paid}}}}
  cn.undone: {{key: data.no, remove: [paid]}}
""")
        add(os.path.join(s.config, "rules", "all.yaml"), """rule: paid
version: 1
title: 自付
watch: zeta
basis: 示例
assistance: 示例
unit: office
levels: {yellow: paid >= 100}
deadline: 5 working days
summary: 自付{paid}元
""")
        d = s.daemon().start()
        at = "2026-01-05T12:00:00+08:00"  # of equal event times the one that is processed later counts
        for i in range(50):
            settled = s.settled(f"h-{i}", at, 200)
            s.post(s.events, settled, s.event("cn.undone", f"h-{i}", at, {"no": settled["data"]["no"]}))
        s.settle(d)
        messages, _, reasons = s.verify_all()
        equal(collections.Counter((m["data"]["watch"], m["type"]) for m in messages), {
            ("household", "case.opened"): 50, ("zeta", "case.opened"): 50, ("zeta", "case.cleared"): 50}, "messages")
        equal(reasons, {}, "reasons")
        test_kafka.stop(d)


def forwarded_events_are_for_their_watch_also_where_the_rules_changed_on_their_way():
    with language(BATCH_EVENTS=60) as s:
        for p, events in misplaced(s, 1000, "2026-01-05T12:00:00+08:00").items():
            s.post(s.events, *events, partition=p)
        d = s.daemon().start()
        wait_until("400 events", 60, lambda: d.must_run() or d.total("shouwang_events_total") >= 400)
        d.kill()
        under_way = int(s.peek("left", s.forward))
        expect(under_way > 50, f"{under_way} events under way: too few to prove anything")
        add(os.path.join(s.config, "watches", "all.yaml"), f"""watch: aaa
topic: {s.events}
measures: {{n: {{count: true, window: 12 months}}}}
events:
  cn.settled: {{add: {{n: true}}}}
""")
        d = s.daemon().start()
        wait_until("all", 90, lambda: d.must_run() or int(s.peek("left", s.forward)) + int(s.peek("left", s.events)) == 0)
        counts = collections.Counter()
        for state in staging.lines(s.peek("states")):
            counts[state["watch"]] += sum(map(len, state["measures"].values()))
        equal(counts["household"], 1000, "events of the households")
        expect(0 < counts["aaa"] <= 1000 - under_way, f"{counts['aaa']} of the new watch, with {under_way} under way")
        equal(s.reasons(), {}, "reasons")
        test_kafka.stop(d)


if __name__ == "__main__":
    cases.PREFIXES += ("what_", "misplaced_", "two_", "events_", "forwarded_")
    with test_kafka.Servers.stack:
        cases.main(globals(), missing())
