#!/usr/bin/env python3
"""Changing the rules of a running daemon, on a real Apache Kafka: every subject is judged anew, also those that no event
speaks of; whatever is wrong with the new rules keeps the old ones.  usage: test_reload.py BUILD [CASE…]"""

import json
import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stage as staging  # noqa: E402
import cases  # noqa: E402
from cases import equal, expect, has  # noqa: E402
from servers import missing, wait_until  # noqa: E402
from test_kafka import Servers, stage, stop  # noqa: E402  (takes BUILD; its servers serve here too)

P = staging.PARTITIONS
LOWER = 'value: 40000', 'value: 3000'  # of the threshold medical_burden: many more cases
FAST = {"SWEEP": 1000000}


class Rules:
    """The rules that a stage's daemon works by, one after the other, each with the events that it was given then."""

    def __init__(self, s):
        self.s, self.parts = s, []
        self.keep([])

    def keep(self, events):
        folder = os.path.join(self.s.folder, f"rules-{len(self.parts)}")
        shutil.copytree(self.s.config, folder)
        path = folder + ".jsonl"
        with open(path, "wb") as out:
            out.writelines(events)
        self.parts.append((folder, path))

    def publish(self, events):
        with open(self.parts[-1][1], "ab") as out:
            out.writelines(events)
        self.s.publish(events)
        self.s.wait_all()

    def change(self, daemon, file, pattern, text, workers=2):
        """Reloads, and waits until the workers have the new rules."""
        self.s.patch(file, pattern, text)
        self.keep([])
        before = daemon.log().count("works by new rules")
        reload(daemon)
        wait_until("new rules", 60, lambda: daemon.log().count("works by new rules") == before + workers)

    def verify(self):
        """Messages and states are those of the engine alone, which judges all anew where the rules change."""
        words = ["--partitions", str(P), "--quiet"]
        for i, part in enumerate(self.parts):
            words += ["--then", *part] if i else []
        words = ["run", *self.parts[0], *words]
        wanted = staging.lines(self.s.ctl(*words, "--messages"))
        states = self.s.ctl(*words, "--state", "--raw")
        faults = staging.differences(wanted, *self.s.queues())
        faults += staging.state_differences(states, self.s.peek("raw-states"), "changelog")
        faults += staging.state_differences(states, self.s.peek("raw-cached"), "Redis")
        expect(not faults, "\n".join(faults[:10]) + f"\n({len(faults)} faults)\n" + self.s.logs())
        return wanted


def reload(daemon):
    before = daemon.count_told("READY", "1")
    daemon.signal(signal.SIGHUP)
    daemon.wait_told("READY", "1", before + 1)


def left(*daemons):
    return [value for d in daemons for key, value in d.metrics().items()
            if key.startswith("shouwang_sweep_left_subjects{")]


def wait_swept(*daemons):
    wait_until("end of the sweep", 90, lambda: left(*daemons) == [0] * P)


def swept(*daemons):
    return sum(d.total("shouwang_swept_subjects_total") for d in daemons)


def subjects(s):
    return s.peek("raw-states").count("\n")


def record(s, partition):
    redis = Servers.get()[2]
    reply = redis.command("HGET", f"{{{s.name}:{partition}}}:meta", "record").decode()
    return json.loads(reply.split("\r\n", 1)[1])


# --- every subject is judged anew

def a_changed_threshold_judges_every_subject_anew():
    with stage(**FAST) as s:
        rules, d = Rules(s), s.daemon().start()
        rules.publish(Servers.sample().lines[:8000])
        equal(left(d), [0] * P, "to sweep at the start")
        before = len(s.messages())
        rules.change(d, "thresholds/household.yaml", *LOWER)
        wait_swept(d)
        equal(swept(d), subjects(s), "subjects judged anew")
        expect(len(s.messages()) > before + 50, "the new threshold opens no case")
        rules.verify()
        expect(record(s, 1)["swept"] == record(s, 1)["rules"], f"{record(s, 1)}")
        rules.change(d, "thresholds/household.yaml", *reversed(LOWER))
        rules.publish(Servers.sample().lines[8000:9000])  # in the middle of it, or before
        wait_swept(d)
        stop(d)


def a_removed_rule_clears_its_alerts_with_that_reason():
    with stage(**FAST) as s:
        s.patch("thresholds/household.yaml", *LOWER)
        rules, d = Rules(s), s.daemon().start()
        rules.publish(Servers.sample().lines[:8000])
        rules.change(d, "rules/assistance.yaml", r"^rule: medical-burden(.|\n)*?^---$", "")
        wait_swept(d)
        wanted = rules.verify()
        cleared = [m for m in wanted if m["data"]["reason"] == "rule removed"]
        expect(len(cleared) > 50, "no case was cleared by that")
        equal({m["type"] for m in cleared}, {"case.cleared"}, "types")
        stop(d)


def a_sweep_that_is_killed_goes_on_where_it_was():
    with stage(SWEEP=100) as s:
        rules, first = Rules(s), s.daemon().start()
        rules.publish(Servers.sample().lines[:8000])
        all_ = subjects(s)
        rules.change(first, "thresholds/household.yaml", *LOWER)
        wait_until("some judged", 60, lambda: swept(first) > all_ / 4)
        done = swept(first)
        expect(done < all_, f"all {all_} subjects were judged before the kill")
        first.kill()
        second = s.daemon().start()
        wait_swept(second)
        expect(swept(second) <= all_ - done, f"{swept(second)} of {all_} were judged anew, {done} had been")
        rules.verify()
        stop(second)
        third = s.daemon().start()  # the records say that it is complete
        wait_swept(third)
        equal(swept(third), 0, "judged once more")
        stop(third)


def a_sweep_goes_at_the_rate_that_the_settings_give():
    with stage() as s:
        s.patch("shouwang.yaml", r"^sweep: \d+", "sweep: 1")
        rules, d = Rules(s), s.daemon().start()
        rules.publish(Servers.sample().lines[:6000])
        rules.change(d, "thresholds/household.yaml", *LOWER)
        wait_until("some judged", 30, lambda: swept(d) >= 4)
        expect(swept(d) < 200, f"{swept(d)} subjects judged at once")
        expect(all(n > 0 for n in left(d)), f"complete: {left(d)}")
        rules.publish(Servers.sample().lines[6000:6500])  # events are not held up by it
        rules.change(d, "shouwang.yaml", r"^sweep: 1\b", "sweep: 100000")
        wait_swept(d)
        stop(d)


TOWN = """watch: town
topic: town.events.%s
facts: {size: int}
events: {cn.town: {set: {size: data.size}}}
---
threshold: town_size
values: [{from: 2020-01-01, value: 100}]
---
rule: small-town
watch: town
unit: office
levels: {yellow: size < threshold.town_size}
deadline: 3 days
summary: small
"""


def add_towns(s):
    with open(os.path.join(s.config, "watches", "town.yaml"), "w", encoding="utf-8") as out:
        out.write(TOWN % s.name)
    return s.topics()


def send_towns(s, size, n=10, time="2026-06-01T10:00:00+08:00"):
    s.peek("send", f"town.events.{s.name}", given="\n".join(json.dumps(
        {"key": f"t{i}", "partition": staging.murmur2(b"t%d" % i, P),
         "value": json.dumps({"specversion": "1.0", "id": f"{size}-{i}", "source": "/test", "type": "cn.town",
                              "subject": f"t{i}", "time": time, "data": {"size": size}})}) for i in range(n)).encode())


def a_change_is_applied_to_the_subjects_that_it_touches_only():
    with stage(topics=False, **FAST) as s:
        add_towns(s)
        rules, d = Rules(s), s.daemon().start()
        rules.publish(Servers.sample().lines[:2000])
        send_towns(s, 150)
        wait_until("towns", 60, lambda: s.peek("states").count('"watch":"town"') == 10)
        rules.change(d, "watches/town.yaml", "value: 100", "value: 200")
        wait_swept(d)
        equal(swept(d), 10, "subjects judged anew")
        told = [m for m in s.messages() if m["data"]["watch"] == "town"]
        equal(sorted(m["subject"] for m in told), sorted(f"t{i}" for i in range(10)), "towns told of")
        stop(d)


def the_subjects_of_a_watch_that_is_gone_wait_for_it():
    with stage(topics=False, **FAST) as s:
        add_towns(s)
        rules, d = Rules(s), s.daemon().start()
        send_towns(s, 50)
        wait_until("towns", 60, lambda: s.peek("states").count('"watch":"town"') == 10)
        file = os.path.join(s.config, "watches", "town.yaml")
        os.rename(file, file + ".away")
        rules.change(d, "shouwang.yaml", r"\A", "# no towns\n")
        has(d.log(), "there is no watch `town` any more")
        # the deadline passes meanwhile
        s.publish([json.dumps({"specversion": "1.0", "id": f"x{i}", "source": "/test", "type": "cn.household.visited",
                               "subject": f"h-{i}", "time": "2026-06-20T10:00:00+08:00",
                               "data": {"visited_on": "2026-06-20"}}).encode() + b"\n" for i in range(100)])
        s.wait_all()
        wait_until("timers taken out", 30, lambda: json.loads(s.peek("unsettled"))["due"] == 0)
        os.rename(file + ".away", file)
        rules.change(d, "shouwang.yaml", "# no towns", "# towns")
        wait_swept(d)
        equal(swept(d), 10, "subjects judged anew")
        outcomes = [json.loads(r["value"])["data"] for r in staging.lines(s.peek("read", s.settings["TOPICS_OUTCOMES"]))]
        equal(sorted(o["result"] for o in outcomes), ["missed"] * 10, "outcomes")
        stop(d)


def a_threshold_takes_effect_by_its_date_without_an_event():
    with stage() as s:
        s.patch("thresholds/household.yaml", r"value: 40000, basis: 示例}",
                'value: 40000, basis: 示例}\n  - {region: "360704", from: 2026-03-15, value: 9000, basis: 示例}')
        sample = Servers.sample()
        s.publish(sample.path)
        d = s.daemon().start()
        s.wait_all()
        wanted, _ = s.alone(sample.path)
        that_day = [m for m in wanted if m["time"].startswith("2026-03-15T00:00:00") and
                    any(a["rule"] == "medical-burden" for a in m["data"]["alerts"])]
        expect(len(that_day) > 2, "nothing happens that midnight")
        s.verify(sample.path)
        stop(d)


# --- what keeps the old rules

def wait_ready(d):
    """The group may still be moving partitions between the workers."""
    wait_until("readiness", 60, lambda: d.get("/-/ready")[0] == 200)


def refused(d, text):
    wait_ready(d)
    before = d.metrics().get('shouwang_reloads_total{result="refused"}', 0)
    reload(d)
    equal(d.metrics()['shouwang_reloads_total{result="refused"}'], before + 1, "refusals")
    equal(d.metrics()["shouwang_config_last_reload_successful"], 0, "the last one")
    has(d.log(), text)
    wait_ready(d)


def a_reload_that_names_a_missing_topic_keeps_the_old_rules():
    with stage() as s:
        d = s.daemon().start()
        s.publish(Servers.sample().lines[:500])
        s.wait_all()
        with open(os.path.join(s.config, "units", "new.yaml"), "w", encoding="utf-8") as out:
            out.write("unit: new\ntopic: alerts.not-there\n")
        refused(d, "topic alerts.not-there is missing")
        s.publish(Servers.sample().lines[500:1000])
        s.wait_all()
        s.topics()
        reload(d)
        equal(d.metrics()["shouwang_config_last_reload_successful"], 1, "with the topic")
        stop(d)


def a_reload_names_what_only_a_restart_changes():
    with stage() as s:
        d = s.daemon().start()
        s.publish(Servers.sample().lines[:500])
        s.wait_all()
        s.patch("shouwang.yaml", r"properties: *\{", "properties: {linger.ms: 3, ")
        s.patch("shouwang.yaml", r"^batch: .*$", "batch: {events: 60, wait: 1 ms}")
        reload(d)
        has(d.log(), "taken over only by a restart: kafka.properties\n")
        s.publish(Servers.sample().lines[500:3000])
        s.wait_all()
        over = d.metrics()["shouwang_batch_events_count"] - d.metrics()['shouwang_batch_events_bucket{le="100"}']
        expect(over <= 4, f"{over} batches of more than 60 events")  # of before the reload
        stop(d)


# --- several machines

def revision(s, n):
    s.patch("shouwang.yaml", r"^revision: \d+", f"revision: {n}")


def a_lower_revision_works_on_nothing_that_a_higher_one_has_judged():
    with stage() as s:
        revision(s, 5)
        sample = Servers.sample()
        s.publish(sample.lines[:1000])
        d = s.daemon().start()
        s.wait_all()
        equal([record(s, p)["revision"] for p in range(P)], [5] * P, "revisions")
        revision(s, 4)
        refused(d, "`revision` is 4, and 5 is in use")
        stop(d)
        s.publish(sample.lines[1000:2000])
        d = s.daemon().start()
        wait_until("stopped partitions", 30, lambda: [
            d.metrics().get(f'shouwang_partition_state{{partition="{p}"}}') for p in range(P)] == [3] * P)
        has(d.log(), "partition 0: it was judged by revision 5 of the rules, this daemon has revision 4")
        status, sentence = d.get("/-/healthy")
        equal(status, 503, "health")
        has(sentence, "revision 5")
        wait_until("a status", 30, lambda: any("revision 5" in m.get("STATUS", "") for m in d.listen()))
        equal(s.positions(), 1000, "events taken")
        revision(s, 6)
        reload(d)
        s.wait_all()
        wait_until("the records", 30, lambda: [record(s, p)["revision"] for p in range(P)] == [6] * P)
        s.publish(sample.lines[2000:])
        s.wait_all()
        s.verify(sample.path)
        stop(d)


def two_machines_with_different_rules_say_so():
    with stage(WORKERS=1) as s:
        one = s.daemon("one").start()
        wait_until("work", 30, lambda: "taken over" in one.log())
        s.patch("thresholds/household.yaml", *LOWER)
        two = s.daemon("two").start()
        for d, other in ((two, "one"), (one, "two")):
            wait_until("a warning", 60, lambda d=d, other=other: f"node {other} on " in d.log())
            has(d.log(), "both of revision 0")
            equal(d.total("shouwang_peers_with_other_rules"), 1, "the metric")
        revision(s, 1)
        reload(two)
        wait_until("a warning", 60, lambda: "by revision 1 of the rules, this one by 0" in one.log())
        reload(one)
        wait_until("peace", 60, lambda: one.total("shouwang_peers_with_other_rules") +
                   two.total("shouwang_peers_with_other_rules") == 0)
        stop(two)
        stop(one)


if __name__ == "__main__":
    cases.PREFIXES += ("two_",)
    with Servers.stack:
        cases.main(globals(), missing())
