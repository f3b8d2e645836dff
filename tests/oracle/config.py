"""Reads the configuration: the same YAML files as the engine, for the parts that the oracle evaluates."""
import decimal
import os
import re

import yaml

from calendar_days import MONTHS, Clock, Span, Ts, months_between, parse_day
from expression import UNKNOWN, Expression
from measure import Measure, fen, is_money

FEEDBACK = ("case.acknowledged", "case.confirmed", "case.measure_taken", "case.handled", "case.not_confirmed")


class Reject(Exception):
    """The event is rejected; the text names the field."""


class Field:
    def __init__(self, config, text):
        d = text if isinstance(text, dict) else {"type": text}
        self.config, self.unit, self.values = config, d.get("unit"), d.get("enum")
        self.type = "enum" if self.values else d["type"]
        self.initial = UNKNOWN
        if "default" in d:
            self.initial = self.read(d["default"] if self.type in ("string", "enum", "date") else
                                     d["default"] == "true" if self.type == "bool" else
                                     decimal.Decimal(d["default"]) if self.type == "double" else int(d["default"]))

    def read(self, v):
        """A JSON value (numbers with a fraction as Decimal) as the field's, or Reject."""
        if self.type == "bool" and isinstance(v, bool):
            return v
        if self.type == "int" and isinstance(v, int) and not isinstance(v, bool):
            return v
        if self.type == "double" and isinstance(v, (int, decimal.Decimal)) and not isinstance(v, bool):
            return fen(v) / 100 if is_money(self.unit) else float(v)
        if self.type == "string" and isinstance(v, str) or self.type == "enum" and v in self.values:
            return v
        if self.type == "date" and isinstance(v, str) and (day := self.config.clock.date(v)) is not None:
            return Ts(self.config.clock.midnight(day))
        raise Reject(f"expected {self.type}")


class EventType:
    def __init__(self, d):
        expr = lambda text: Expression(text) if text is not None else None
        exprs = lambda m: {name: Expression(text) for name, text in (m or {}).items()}
        self.key, self.at, self.end = expr(d.get("key")), expr(d.get("at")), d.get("end") == "true"
        self.set, self.add, self.remove = exprs(d.get("set")), exprs(d.get("add")), d.get("remove", [])
        self.members = []
        for action in ("upsert", "update", "drop"):
            for name, change in d.get(action, {}).items():
                change = change if isinstance(change, dict) else {"key": change}
                self.members.append((action, name, Expression(change["key"]), exprs(change.get("set"))))


class Watch:
    def __init__(self, config, d):
        self.config, self.name, self.region = config, d["watch"], d.get("region")
        self.facts = {n: Field(config, t) for n, t in (d.get("facts") or {}).items()}
        self.lists = {n: {f: Field(config, t) for f, t in fields.items()}
                      for n, fields in (d.get("members") or {}).items()}
        self.measures = {n: Measure(n, m, d["measures"]) for n, m in (d.get("measures") or {}).items()}
        self.events = {t: EventType(e or {}) for t, e in d.get("events", {}).items()}
        self.derived, waiting = {}, dict(d.get("derived") or {})
        while waiting:                                              # in an order in which each reads only earlier ones
            for name, text in list(waiting.items()):
                e = config.expression(text["value"] if isinstance(text, dict) else text)
                if not e.names & waiting.keys():
                    self.derived[name] = (e, text.get("unit") if isinstance(text, dict) else None)
                    del waiting[name]


class Rule:
    def __init__(self, config, d):
        self.name, self.watch, self.version = d["rule"], config.watches[d["watch"]], int(d.get("version", 1))
        self.units = d["unit"] if isinstance(d["unit"], list) else [d["unit"]]
        self.variable, _, self.list = d.get("each", "").partition(" in ")
        self.levels = sorted((config.levels.index(n), config.expression(t)) for n, t in d["levels"].items())
        self.clear = config.expression(d["clear"]) if "clear" in d else None
        self.hold, self.keep = Span(d.get("hold", "0 days")), Span(d.get("keep", "0 days"))
        self.per = MONTHS[d["per"]] if "per" in d else 0
        deadline = d.get("deadline", {})
        self.deadline = {i: Span(text) for i, _ in self.levels
                         if (text := deadline.get(config.levels[i]) if isinstance(deadline, dict) else deadline)}
        self.summary = [config.expression(part[1:-1]) if part[:1] == "{" else part
                        for part in re.findall(r"\{[^}]*\}|[^{]+", d.get("summary", ""))]
        self.reads = [e for _, e in self.levels] + ([self.clear] if self.clear else [])


class Unit:
    def __init__(self, d):
        self.name, self.otherwise = d["unit"], d.get("otherwise")
        self.digits = int(d["each"].split()[0]) if "each" in d else 0
        self.gather, self.quiet = (Span(d.get(k, "0 minutes")).elapsed() for k in ("gather", "quiet"))
        self.remind = Span(d["remind"]) if "remind" in d else None
        self.escalate = d["escalate"]["to"] if "escalate" in d else []
        self.escalate_after = Span(d["escalate"]["after"]) if "escalate" in d else None


class Config:
    def __init__(self, folder):
        files = [os.path.join(at, f) for at, _, names in os.walk(folder) for f in sorted(names) if f.endswith(".yaml")]
        documents = []
        for file in sorted(files):
            with open(file, encoding="utf-8") as f:
                documents += [d for d in yaml.load_all(f, getattr(yaml, "CBaseLoader", yaml.BaseLoader)) if d]
        of = lambda kind: [d for d in documents if next(iter(d)) == kind]
        settings = of("instance")[0]
        calendars = {d["calendar"]: d.get("years", {}) for d in of("calendar")}
        self.clock = Clock(settings.get("timezone", "Asia/Shanghai"), calendars.get(settings.get("calendar", "cn"), {}))
        self.levels = settings.get("levels", ["green", "yellow", "red"])
        self.thresholds = {d["threshold"]: d for d in of("threshold")}
        self.units = {d["unit"]: Unit(d) for d in of("unit")}
        self.watches = {d["watch"]: Watch(self, d) for d in of("watch")}
        self.rules = [Rule(self, d) for d in of("rule")]
        self.types = {t: w for w in reversed(self.watches.values()) for t in w.events}

    def expression(self, text):
        day = lambda run: lambda env, ts: run(self.clock.day(ts), env["#"])
        return Expression(text, {
            "age": day(lambda d, today: months_between(d, today) // 12),
            "months_since": day(months_between), "days_since": day(lambda d, today: today - d),
            "days_until": day(lambda d, today: d - today),
            "working_days_since": day(self.clock.working_between),
            "working_days_until": day(lambda d, today: self.clock.working_between(today, d)),
            "date": lambda env, text: Ts(self.clock.midnight(parse_day(text)))})

    def threshold(self, name, region, today):
        """Of the values in effect whose region is a prefix of the subject's: the longest region, then the newest date."""
        region = "" if region is UNKNOWN else region                # a value for "" is for all, also without a region
        fitting = [v for v in self.thresholds[name]["values"]
                   if region.startswith(v.get("region", "")) and parse_day(v["from"]) <= today]
        return max(fitting, key=lambda v: (len(v.get("region", "")), v["from"]), default=None)

    def resolve(self, unit, region):
        """A rule's unit as the subject's own: township/360704102."""
        u = self.units[unit]
        if not u.digits:
            return unit
        if region is UNKNOWN or len(region) < u.digits:
            return u.otherwise or unit                              # without `otherwise` one for all that have no code
        return f"{unit}/{region[:u.digits]}"

    def may_mean(self, unit, named):
        """Is this what the rule's unit means for some region?"""
        return named.partition("/")[0] in (unit, self.units[unit].otherwise)
