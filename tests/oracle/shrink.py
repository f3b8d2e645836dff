"""Makes a difference small: drops events, fields, rules and keys, simplifies expressions, and prints a rule test."""
import copy
import json
import re

import yaml

from calendar_days import instant
from compare import DUMPER, Batch


class Shrinker:
    def __init__(self, batch, subject, what, folder, ctl, most=1500):
        self.folder, self.ctl, self.left = folder, ctl, most
        self.subject, self.what = subject, what
        self.best = batch
        self.best.events = json.loads(json.dumps(batch.events))     # repeats must not share their data

    def differs(self, batch):
        self.left -= 1
        if self.left < 0:
            return None
        try:
            return next((d for d in batch.run(self.folder, self.ctl) if d[1] == self.what), None)
        except Exception:
            return None

    def attempt(self, documents, events):
        batch = Batch(copy.deepcopy(documents), copy.deepcopy(events), self.best.until)
        if self.differs(batch):
            self.best = batch
            return True
        return False

    def run(self):
        own = [e for e in self.best.events if e["subject"] == self.subject]
        self.attempt(self.best.documents, own)
        before = None
        while before != (before := json.dumps([self.best.documents, self.best.events], default=str)) and self.left > 0:
            self.drop_events()
            self.drop_fields()
            self.drop_parts()
        final = Batch(copy.deepcopy(self.best.documents), copy.deepcopy(self.best.events), self.best.until)
        self.left = 1
        return final, self.differs(final)

    def drop_events(self):
        i = len(self.best.events) - 1
        while i >= 0:
            self.attempt(self.best.documents, self.best.events[:i] + self.best.events[i + 1:])
            i -= 1

    def drop_fields(self):
        for i, e in enumerate(self.best.events):
            for k in list(e["data"]):
                events = copy.deepcopy(self.best.events)
                del events[i]["data"][k]
                self.attempt(self.best.documents, events)

    def drop_parts(self):
        """Every key of every document that can go, goes; every expression that can be simpler, is."""
        for path in sorted(paths(self.best.documents), key=lambda p: (len(p), [str(x) for x in p])):
            documents = copy.deepcopy(self.best.documents)
            try:
                del at(documents, path[:-1])[path[-1]]
            except (KeyError, IndexError, TypeError):
                continue
            self.attempt(documents, self.best.events)
        for path in list(paths(self.best.documents)):
            try:
                text = at(self.best.documents, path)
            except (KeyError, IndexError, TypeError):
                continue
            for simpler in simplify(text, path) if isinstance(text, str) else ():
                documents = copy.deepcopy(self.best.documents)
                at(documents, path[:-1])[path[-1]] = simpler
                if self.attempt(documents, self.best.events):
                    break


def paths(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for k, v in list(items)[::-1]:
        yield (*path, k)
        yield from paths(v, (*path, k))


def at(value, path):
    for k in path:
        value = value[k]
    return value


def simplify(text, path):
    if "levels" in path or "clear" in path or "derived" in path:
        yield from sorted({"true", *parts(text)} - {text}, key=len)


def parts(text):
    for op in (" && ", " || ", " ? ", " : "):
        pieces = text.split(op)
        for i in range(1, len(pieces)):
            yield op.join(pieces[:i])
            yield op.join(pieces[i:])
    for m in re.finditer(r"\(([^()]*)\)", text):
        yield m[1]
        yield text[:m.start()] + m[1] + text[m.end():]
    if text[:1] == "!":
        yield text[1:]


def rule_test(batch, subject, difference):
    """The configuration and the history as one YAML text in language.md's form; expected is what the oracle says."""
    oracle, clock, steps = batch.oracle, batch.oracle.clock, []
    told = [m for s in oracle.subjects.values() for m in s.messages if s.name == subject]
    now = None
    for e in batch.events:
        time = instant(e["time"])
        now = time if now is None else max(now, time)
        steps.append({"at": iso(clock, now), "events": [{e["type"]: e["data"], **({"time": e["time"]} if time != now else {})}], "now": now})
    steps.append({"at": str(batch.until), "now": float("inf")})
    last = float("-inf")
    for i, step in enumerate(steps):
        after = steps[i + 1]["now"] if i + 1 < len(steps) else None
        mine = [m for m in told if last < m["now"] <= step["now"]] if after != step["now"] else []
        if after != step["now"]:
            step["expect_messages"] = [{"unit": m["unit"], "type": m["type"], "case": m["case"], "level": m["level"], "due": m["due"] or "none",
                                        "message_no": m["message_no"]} for m in mine]
            last = step["now"]
    for step in steps:
        del step["now"]
    test = {"test": "an oracle's history", "watch": "home", "steps": steps}
    _, what, engine, wanted = difference
    note = f"# differs in {what}\n# engine: {brief(engine, what)}\n# oracle: {brief(wanted, what)}\n"
    return note + yaml.dump_all([*batch.documents, test], Dumper=DUMPER, allow_unicode=True, sort_keys=False, width=160,
                                default_flow_style=None)


def brief(m, what):
    """The message or outcome without what is too long to read; alerts only where the difference is in them."""
    if m and "alerts" in m:
        short = {k: v for k, v in m.items() if k != "alerts"}
        field = what.rpartition("alerts.")[2].partition(".")[0]
        m = {**short, "alerts": [{k: a[k] for k in ("rule", "member", "level", "state", field) if k in a} for a in m["alerts"]]}
    return json.dumps(m, ensure_ascii=False, default=str)


def iso(clock, ms):
    import datetime
    return datetime.datetime.fromtimestamp(ms / 1000, clock.zone).isoformat()
