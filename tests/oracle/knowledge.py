"""What is known of a subject: facts, members, measures, thresholds and derived values, computed anew from all events, each
time.  Written from language.md; where that leaves something open, a comment says what was chosen."""
import decimal

from calendar_days import Ts
from config import Reject
from expression import UNKNOWN
from measure import fen, is_money, rounded


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
