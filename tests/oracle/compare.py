"""Runs one batch through the engine and through the oracle, and says where they differ."""
import datetime
import json
import math
import os
import subprocess

import yaml

from calendar_days import instant
from oracle import Oracle


DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def write(folder, documents):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "shouwang.yaml"), "w", encoding="utf-8") as f:
        f.write(yaml.dump_all(documents, Dumper=DUMPER, allow_unicode=True, sort_keys=False, width=10_000))


class Batch:
    """documents: the configuration; events: dicts in order of processing, some with `answer` still to be filled in."""

    def __init__(self, documents, events, until):
        self.documents, self.events, self.until = documents, events, until

    def run(self, folder, ctl):
        """The differences, as (subject, what, engine's, oracle's); raises where the engine fails."""
        write(folder, self.documents)
        self.ask(folder)
        file = os.path.join(folder, "events.jsonl")
        with open(file, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(e, ensure_ascii=False) + "\n" for e in self.events)
        done = subprocess.run([ctl, "run", folder, file, "--partitions", "1", "--until", str(self.until), "--check"],
                              capture_output=True, text=True, encoding="utf-8")
        self.stderr = done.stderr
        if done.returncode:
            raise EngineFailed(done.stderr.strip() or f"exit code {done.returncode}")
        got = {}
        for line in done.stdout.splitlines():
            m = json.loads(line)
            outcome = m["type"] == "case.outcome"                       # its subject is the unit
            got.setdefault((m["data"]["case"].split("/")[1] if outcome else m["subject"], outcome), []).append(m)
        if self.sabotage:
            self.sabotage(got)
        differences = []
        for name in sorted({e["subject"] for e in self.events}):
            wanted = [s for s in self.oracle.subjects.values() if s.name == name]
            messages = [m for s in wanted for m in s.messages]
            differences += compare(name, "message", [read_message(m) for m in got.get((name, False), [])], messages)
            differences += compare(name, "outcome", [read_outcome(m) for m in got.get((name, True), [])],
                                   [o for s in wanted for o in s.outcomes])
        return differences

    sabotage = None                                                 # for the runner's own test: spoils what the engine said

    def ask(self, folder):
        """Runs the oracle; answers are given to cases that are open, or were, at their time."""
        self.oracle = oracle = Oracle(folder)
        kept = []
        for e in self.events:
            wish = e.get("answer")
            if wish:
                e = fill_in(oracle, e, wish)
                if not e:
                    continue
            oracle.line(json.dumps(e, ensure_ascii=False))
            kept.append(e)
        self.events = kept
        oracle.advance(oracle.clock.moment(str(self.until)))


class EngineFailed(Exception):
    pass


def fill_in(oracle, e, wish):
    subject = next((s for s in oracle.subjects.values() if s.name == e["subject"]), None)
    cases = [c for c in subject.cases.values() if c.messages] if subject else []
    if not cases and not wish["wrong"]:
        return None
    e = {k: v for k, v in e.items() if k != "answer"}
    e["type"] = "case." + wish["kind"]
    if wish["wrong"]:
        e["data"] = {"case": f"home/{e['subject']}/office/{1 + int(wish['pick'] * 3)}"}
        return e
    case = cases[int(wish["pick"] * len(cases))]
    e["data"] = {"case": case.id, "by": "tester"}
    if wish["old"]:
        e["data"]["message_no"] = 1 + int(wish["pick"] * case.messages)
    if wish["rules"]:
        e["data"]["rules"] = [next(iter(case.entries))[0]]
    day = datetime.date.fromisoformat(e["time"][:10]) + datetime.timedelta(wish["until"] or 0)
    if wish["until"] and instant(f"{day}T00:00:00Z") > oracle.now:
        e["data"]["until"] = str(day)
    return e


def read_message(m):
    d = m["data"]
    alerts = [{"rule": a["rule"], "member": a["member"], "version": a["version"], "level": a["level"], "since": instant(a["since"]),
               "state": a["state"], "values": {v["name"]: v["value"] for v in a["values"]},
               "thresholds": {t["name"]: (t["value"], t["region"], t["from"]) for t in a["thresholds"]},
               "unknown": sorted(a["unknown"]), "evidence": [(e["source"], e["id"], instant(e["time"])) for e in a["evidence"]],
               "evidence_count": a["evidence_count"], "summary": a["summary"] or ""} for a in d["alerts"]]
    return {"type": m["type"], "now": instant(m["time"]), **{k: d[k] for k in ("case", "previous", "unit", "region", "level", "due")},
            "opened": instant(d["opened"]), "message_no": d["message_no"], "reason": d["reason"],
            "alerts": sorted(alerts, key=lambda a: (a["rule"], a["member"] or ""))}


def read_outcome(m):
    d = m["data"]
    at = lambda v: None if v is None else instant(v)
    return {"case": d["case"], "unit": d["unit"], "result": d["result"], "on_time": d.get("on_time"), "due": d.get("due"),
            "opened": at(d.get("opened")), "ended": at(d.get("ended")), "time": instant(m["time"]), "rules": sorted(d["rules"])}


def compare(subject, what, got, wanted):
    """Per receiving unit and unit of the case, since the order between them isn't promised."""
    key = lambda m: (m["unit"], m["case"].rpartition("/")[0])
    for group in sorted({key(m) for m in got + wanted}):
        a, b = ([m for m in side if key(m) == group] for side in (got, wanted))
        for i in range(max(len(a), len(b))):
            x, y = (side[i] if i < len(side) else None for side in (a, b))
            if x is None or y is None:
                return [(subject, f"{what}: {'missing' if x is None else 'extra'} {(x or y).get('type', what)}", x, y)]
            path = first_difference(x, y)
            if path:
                return [(subject, f"{what}: {path}", x, y)]
    return []


def first_difference(a, b, path=""):
    if isinstance(a, dict) and isinstance(b, dict):
        for k in [*a, *(k for k in b if k not in a)]:
            if k not in a or k not in b:
                return f"{path}.{k}"
            if found := first_difference(a[k], b[k], f"{path}.{k}"):
                return found
        return None
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        if len(a) != len(b):
            return f"{path}.length"
        return next((f for x, y in zip(a, b) if (f := first_difference(x, y, path))), None)
    if isinstance(a, (int, float)) and isinstance(b, (int, float)) and isinstance(a, bool) == isinstance(b, bool):
        return None if a == b or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) else path
    return None if a == b else path
