"""What a message shows of an alert: the values and thresholds that its rule reads, the events behind them, what is missing,
and the summary."""
import decimal
import math

from calendar_days import Ts, day_text
from expression import UNKNOWN
from knowledge import read_at
from measure import fen


def show(subject, entry):
    alert, rule, show = entry.alert, entry.alert.rule, Shown(subject, entry.alert)
    if subject.env:
        show.look()
    newest = sorted(show.evidence, key=lambda k: (-k[2], -read_at(subject.watch, show.evidence[k]), k[0], k[1]))
    return {"rule": rule.name, "member": alert.member or None, "version": rule.version,
            "level": subject.config.levels[entry.absolute()], "since": alert.since,
            "state": alert.state if alert.active() and alert.number == entry.number else "over",
            "values": {n: plain(subject.clock, v) for n, v in show.values.items()}, "thresholds": show.thresholds,
            "unknown": sorted(show.missing | {n for n, v in show.values.items() if v is UNKNOWN}),
            "evidence": newest[:20], "evidence_count": len(newest),
            "summary": "".join(p if isinstance(p, str) else text(subject.clock, p(show.env)) for p in rule.summary)}


class Shown:
    def __init__(self, subject, alert):
        self.subject, self.rule, self.known, self.watch = subject, alert.rule, subject.known, subject.watch
        self.env, self.values, self.thresholds, self.missing, self.evidence = subject.env or {}, {}, {}, set(), {}
        self.names, self.fields, self.of_each = set(), set(), set()
        unread = list(self.rule.reads)
        while unread:                                               # through derived values too
            e = unread.pop()
            unread += [self.watch.derived[n][0] for n in e.names - self.names if n in self.watch.derived]
            self.names |= e.names
            self.fields |= {f for _, f in e.fields} - {"since"}
            self.of_each |= {f for _, f in e.fields if self.rule.variable in e.names} - {"since"}
        if self.rule.list:                                          # the member as last known, also of one that is gone
            self.row = self.known.lists[self.rule.list].get(alert.member, {})
            fields = self.watch.lists[self.rule.list]
            self.env = {**self.env, self.rule.variable: {f: self.row[f][1] if f in self.row else field.initial
                                                         for f, field in fields.items()} |
                        {"since": Ts(self.row.get("since", 0))}}

    def look(self):
        for name in self.names - {"today", "since"}:
            if name == self.rule.variable:
                self.values |= {f"{name}.{f}": self.env[name][f] for f in self.of_each}
                self.use_members([self.row])
            elif name.startswith("threshold."):
                self.look_at_threshold(name)
            elif name in self.watch.lists:
                self.missing |= {name} if self.env[name] is UNKNOWN else set()
                self.use_members(self.known.lists[name].values())
            else:
                self.values[name] = self.env[name]
                self.use_contributions(name)
                if name in self.known.facts:
                    self.use(self.known.facts[name][2])

    def look_at_threshold(self, name):
        v = self.subject.config.threshold(name[10:], self.subject.region, self.subject.today)
        if v:
            self.thresholds[name[10:]] = (float(v["value"]), v.get("region", ""), v["from"])
        else:
            self.missing.add(name)

    def use(self, event):
        self.evidence[event["source"], event["id"], event["time_ms"]] = event

    def use_members(self, rows):
        """Who came and who left, and of those that are there the fields that the rule reads."""
        for row in rows:
            for f in self.fields & row.keys() if row.get("present") else ():
                self.use(row[f][2])
            if "event" in row:
                self.use(row["event"])

    def use_contributions(self, name):
        m = self.watch.measures.get(name)
        for (base, _), c in self.known.contributions.items() if m else ():
            if base == m.base and c[1] is not None and m.holds(c[1], self.subject.today):
                self.use(c[3])


def plain(clock, v):
    """As JSON has it: infinity has no number there."""
    if v is UNKNOWN or (isinstance(v, float) and math.isinf(v)):
        return None
    return day_text(clock.day(v)) if isinstance(v, Ts) else v


def text(clock, v):
    """At most two decimals and no trailing zeros, dates 2023-06-01, unknown `?`."""
    v = plain(clock, v)
    if v is None:
        return "?"
    if isinstance(v, float):
        digits = format(decimal.Decimal(fen(f"{v:.15g}")).scaleb(-2), "f")
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    return str(v).lower() if isinstance(v, bool) else str(v)
