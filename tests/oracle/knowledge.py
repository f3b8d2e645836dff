"""What is known of a subject: reads the YAML, and recomputes facts, members, measures, thresholds and derived values from all
events, each time.  Written from language.md; where that leaves something open, a comment says what was chosen."""
import decimal
import os
import re

import yaml

from calendar_days import MONTHS, Clock, Span, Ts, add_months, civil, day_of, instant, months_between, parse_day
from expression import UNKNOWN, Expression

FEEDBACK = ("case.acknowledged", "case.confirmed", "case.measure_taken", "case.handled", "case.not_confirmed")


class Reject(Exception):
    """The event is rejected; the text names the field."""


def fen(text):
    """Whole fen, half up (away from zero) by the decimal digits as written."""
    return int(decimal.Decimal(text).scaleb(2).quantize(decimal.Decimal(1), decimal.ROUND_HALF_UP))


def is_money(unit):
    return bool(unit) and unit.startswith("yuan")


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


class Measure:
    def __init__(self, name, d, all_of_them):
        base = name
        while "of" in all_of_them[base]:
            base = all_of_them[base]["of"]
        self.base, self.count, self.unit = base, "count" in all_of_them[base], all_of_them[base].get("unit")
        self.window = Span(d["window"]) if "window" in d else None
        self.ago = Span(d["ago"]) if "ago" in d else None
        self.gaps = d.get("gaps") == "unknown"

    def holds(self, day, today):
        """Is a contribution of this day in the window?  Without a window: all up to today.  `ago` is added to the day, as
        the length is ("while d + 12 months > today"), so that of two windows that adjoin exactly one has it."""
        if self.window and self.window.kind == "whole":
            first, last = self.whole(today)
            return first <= day <= last
        enters = self.ago.added(day) if self.ago else day
        if not self.window or enters > today:
            return enters <= today
        if self.ago and "day" not in (self.ago.unit, self.window.unit):
            return add_months(day, self.ago.months() + self.window.months()) > today
        return self.window.added(enters) > today

    def whole(self, today):
        """The whole months, quarters or years that end before the one of today, moved back by `ago`."""
        date, months = civil(add_months(today, -self.ago.months()) if self.ago else today), MONTHS[self.window.unit]
        start = day_of(date.year, (date.month - 1) // months * months + 1, 1)
        return add_months(start, -self.window.n * months), start - 1

    def months(self, today):
        """The first days of the whole months of the window: those whose every day is in it."""
        month, far = add_months(day_of(civil(today).year, civil(today).month, 1), 1), today - 2000
        while (month := add_months(month, -1)) > far:
            last = add_months(month, 1) - 1
            if self.holds(month, today) and self.holds(last, today):
                yield month, last

    def value(self, contributions, today):
        """contributions: (day, amount) of this measure's base; of money, amounts are fen."""
        contributions = [c for c in contributions if self.holds(c[0], today)]
        if self.gaps and any(not any(first <= d <= last for d, _ in contributions) for first, last in self.months(today)):
            return UNKNOWN
        total = sum(amount for _, amount in contributions)
        return total if self.count else total / 100 if is_money(self.unit) else float(total)


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
        self.derived, todo = {}, dict(d.get("derived") or {})
        while todo:                                                 # in an order in which each reads only earlier ones
            for name, text in list(todo.items()):
                e = config.expression(text["value"] if isinstance(text, dict) else text)
                if not e.names & todo.keys():
                    self.derived[name] = (e, text.get("unit") if isinstance(text, dict) else None)
                    del todo[name]


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


class Known:
    """All that the events so far tell of one subject.  events: (event, seq) of those accepted, in order of processing."""

    def __init__(self, watch, events):
        self.watch, self.facts, self.since = watch, {}, None
        self.lists = {name: {} for name in watch.lists}             # key -> {"stamp", "present", "since", field: ...}
        self.touched = set()
        self.contributions = {}                                     # (base measure, key) -> (newness, day or None, amount, event, stamp)
        self.end, taken = None, []
        for event, seq in events:
            stamp = (read_at(watch, event), event["time_ms"], seq)
            if self.end and stamp[:2] < self.end[0][:2]:
                continue                                            # older than the end
            if not watch.events[event["type"]].end:
                taken.append(stamp)
                self.take(watch.events[event["type"]], stamp, event)
            elif not self.end or stamp[:2] > self.end[0][:2]:       # a repeat ends nothing
                self.end = (stamp, event)
                taken = [t for t in taken if t > stamp]
                self.forget(stamp)
        self.since = min((t[0] for t in taken), default=None)
        self.exists = self.since is not None

    def ends(self, event):
        """Is it the newest end?"""
        return self.end is not None and self.end[1] is event

    def forget(self, end):
        """What is known of an earlier time than the end is forgotten; what is about a later time, and came first, stays."""
        self.facts = {n: f for n, f in self.facts.items() if f[0] > end}
        self.contributions = {k: c for k, c in self.contributions.items() if c[4] > end}
        for name, rows in self.lists.items():
            for key, row in list(rows.items()):
                for f in [f for f in self.watch.lists[name] if f in row and row[f][0] < end]:
                    del row[f]
                row["since"] = min((t for t in row["named"] if t > end), default=(None,))[0]
                if row["stamp"] and row["stamp"] < end:
                    row["stamp"], row["present"] = None, False
                    del row["event"]
                if row["since"] is None:
                    del rows[key]
            if not any(row["stamp"] for row in rows.values()):
                self.touched.discard(name)

    def take(self, kind, stamp, event):
        at, time, seq = stamp
        scope = scope_of(event)
        for name, e in kind.set.items():
            newest(self.facts, name, self.watch.facts[name], e(scope), stamp, event)
        for action, list_name, key, fields in kind.members:
            row = self.lists[list_name].setdefault(member_key(key(scope)), {"since": at, "stamp": None, "present": False, "named": []})
            row["since"] = min(row["since"], at)
            row["named"].append(stamp)
            if action != "update":                                  # an update waits unseen: it tells not who is there
                self.touched.add(list_name)
                if row["stamp"] is None or stamp > row["stamp"]:
                    row["stamp"], row["present"], row["event"] = stamp, action == "upsert", event
            for name, e in fields.items():                          # fields live on: a member that comes back is the same
                newest(row, name, self.watch.lists[list_name][name], e(scope), stamp, event)
        key = member_key(kind.key(scope)) if kind.key else (event["source"], event["id"])
        day = self.watch.config.clock.day(at)
        for name, e in kind.add.items():
            v = e(scope)
            if v is not UNKNOWN:                                    # null takes the contribution back
                self.contribute(name, key, stamp, None if v is None else day, amount(self.watch, name, v), event)
        for name in kind.remove:
            self.contribute(name, key, stamp, None, 0, event)

    def contribute(self, name, key, stamp, day, value, event):
        """For one key the newest event time wins; equal: the one processed later."""
        slot = (self.watch.measures[name].base, key)
        if slot not in self.contributions or stamp[1:] >= self.contributions[slot][0]:
            self.contributions[slot] = (stamp[1:], day, value, event, stamp)

    def environment(self, today):
        w, config = self.watch, self.watch.config
        env = {"#": today, "today": Ts(config.clock.midnight(today)), "since": Ts(self.since)}
        for name, field in w.facts.items():
            env[name] = self.facts[name][1] if name in self.facts else field.initial
        for name, fields in w.lists.items():
            env[name] = [{f: row[f][1] if f in row else field.initial for f, field in fields.items()} |
                         {"since": Ts(row["since"]), "#": key}
                         for key, row in sorted(self.lists[name].items()) if row["present"]] \
                if name in self.touched else UNKNOWN
        for name, m in w.measures.items():
            env[name] = m.value([(c[1], c[2]) for slot, c in self.contributions.items()
                                 if slot[0] == m.base and c[1] is not None], today)
        region = env.get(w.region, UNKNOWN)
        for name in config.thresholds:
            found = config.threshold(name, region, today)
            env["threshold." + name] = float(found["value"]) if found else UNKNOWN
        for name, (e, unit) in w.derived.items():
            v = e(env)
            # by its 15 significant digits, so that the noise of doubles decides nothing
            env[name] = rounded(v) if is_money(unit) and v is not UNKNOWN else v
        return env


def rounded(v):
    return fen(f"{v:.15g}") / 100 if abs(v) < 9e13 else UNKNOWN      # infinity has no fen: an evaluation error


def newest(into, name, field, value, stamp, event):
    if value is not UNKNOWN and (name not in into or stamp >= into[name][0]):
        into[name] = (stamp, field.initial if value is None else field.read(value), event)


def amount(watch, name, v):
    m = watch.measures[name]
    if v is None:
        return 0
    if m.count:
        if not isinstance(v, bool):
            raise Reject(f"{name}: expected a bool")
        return int(v)
    if isinstance(v, bool) or not isinstance(v, (int, decimal.Decimal)):
        raise Reject(f"{name}: expected a number")
    return fen(v) if is_money(m.unit) else float(v)


def member_key(v):
    if v is UNKNOWN or v is None or isinstance(v, bool) or not isinstance(v, (str, int)) or v == "":
        raise Reject("a missing key")
    return str(v)


def scope_of(event):
    return {"data": event["data"], "event": {k: event[k] for k in ("id", "source", "type")}}


def read_at(watch, event):
    """What the event is about, in ms; its own time where the field is lacking or null."""
    kind = watch.events[event["type"]]
    v = kind.at(scope_of(event)) if kind.at else UNKNOWN
    if v is UNKNOWN or v is None:
        return event["time_ms"]
    at = watch.config.clock.moment(v) if isinstance(v, str) else None
    if at is None:
        raise Reject("at: expected a date")
    return at
