"""What is known of a subject: facts, members, measures, thresholds and derived values, computed anew from all events, each
time.  Written from language.md; where that leaves something open, a comment says what was chosen."""
from calendar_days import Ts
from expression import UNKNOWN
from values import Reject, initial, is_money, key_of, read, rounded


class Known:
    """events: (event, seq) of those accepted, in order of processing.  told: for each slot the newest (stamp, value, event).
    Slots are ("fact", name), ("field", list, key, name), ("member", list, key) whose value is whether it is there, and
    ("amount", measure, key) whose value is (day or None, amount)."""

    def __init__(self, config, watch, events):
        self.config, self.watch, self.told, self.joined = config, watch, {}, {}
        self.end, taken = None, []
        for event, seq in events:
            kind = watch["events"][event["type"]] or {}
            stamp = (self.about(kind, event), event["time_ms"], seq)
            if self.end and stamp[:2] < self.end[0][:2]:
                continue                                            # older than the end
            if kind.get("end") != "true":
                taken.append(stamp)
                for slot, value in self.tells(kind, event, stamp[0]):
                    self.tell(slot, stamp, value, event)
            elif not self.end or stamp[:2] > self.end[0][:2]:       # a repeat ends nothing
                self.end = (stamp, event)
                taken = self.forget(stamp)
        self.since = min((t[0] for t in taken), default=None)

    def tell(self, slot, stamp, value, event):
        """The newest wins; for contributions to measures that is the newest event time, whatever day it is about."""
        newness = lambda stamp: stamp[1:] if slot[0] == "amount" else stamp
        if slot[0] == "joined":
            self.joined[slot[1:]] = min(stamp[0], self.joined.get(slot[1:], stamp[0]))
        elif slot not in self.told or newness(stamp) >= newness(self.told[slot][0]):
            self.told[slot] = stamp, value, event

    def forget(self, end):
        """What is known of an earlier time than the end is forgotten, with all that left nothing; what is about a later
        time, and came first, stays."""
        self.told = {slot: t for slot, t in self.told.items() if t[0] > end}
        left = [(slot[1:3], stamp[0]) for slot, (stamp, _, _) in self.told.items() if slot[0] in ("member", "field")]
        self.joined = {m: self.joined[m] if self.joined[m] > end[0] else min(at for n, at in left if n == m) for m, _ in left}
        return [stamp for stamp, _, _ in self.told.values()]

    def about(self, kind, event):
        """What the event is about, in ms; its own time where the field is lacking or null."""
        at = self.value(kind.get("at"), event)
        if at is UNKNOWN or at is None:
            return event["time_ms"]
        if not isinstance(at, str):
            raise Reject("at: expected a date")
        return self.config.clock.moment(at)

    def value(self, text, event):
        return self.config.expression(text)({"data": event["data"], "event": event}) if text else UNKNOWN

    def tells(self, kind, event, at):
        """The (slot, value) of an event.  A field that is lacking tells nothing, null the default.  Fields live on: a
        member that comes back is the same."""
        watch = self.watch
        for name, text in (kind.get("set") or {}).items():
            yield from self.field(("fact", name), watch["facts"][name], text, event)
        for action in ("upsert", "update", "drop"):
            for name, change in (kind.get(action) or {}).items():
                key, fields = (change, {}) if isinstance(change, str) else (change["key"], change.get("set") or {})
                key = key_of(self.value(key, event))
                yield ("joined", name, key), None
                if action != "update":                              # which waits unseen: it tells not who is there
                    yield ("member", name, key), action == "upsert"
                for field, text in fields.items():
                    yield from self.field(("field", name, key, field), watch["members"][name][field], text, event)
        key = key_of(self.value(kind["key"], event)) if "key" in kind else (event["source"], event["id"])
        for name, text in (kind.get("add") or {}).items():
            if (v := self.value(text, event)) is not UNKNOWN:       # null takes the contribution back
                m = watch["measures"][name]
                yield ("amount", m.base, key), (None, 0) if v is None else (self.config.clock.day(at), m.amount(v))
        for name in kind.get("remove") or []:
            yield ("amount", watch["measures"][name].base, key), (None, 0)

    def field(self, slot, field, text, event):
        v = self.value(text, event)
        if v is not UNKNOWN:
            yield slot, initial(self.config, field) if v is None else read(self.config, field, v)

    # --- what expressions read
    def now(self, slot, field):
        return self.told[slot][1] if slot in self.told else initial(self.config, field)

    def member(self, name, key):
        """As last known, also one that is gone."""
        return {f: self.now(("field", name, key, f), field) for f, field in self.watch["members"][name].items()} | \
            {"since": Ts(self.joined.get((name, key), 0)), "#": key}

    def members(self, name):
        if not any(slot[:2] == ("member", name) for slot in self.told):
            return UNKNOWN
        return [self.member(name, key) for _, _, key in sorted(s for s, t in self.told.items() if s[:2] == ("member", name) and t[1])]

    def environment(self, today):
        watch, config = self.watch, self.config
        env = {"#": today, "today": Ts(config.clock.midnight(today)), "since": Ts(self.since)}
        env |= {name: self.now(("fact", name), field) for name, field in watch["facts"].items()}
        env |= {name: self.members(name) for name in watch["members"]}
        env |= {name: m.value([t[1] for slot, t in self.told.items() if slot[:2] == ("amount", m.base)], today)
                for name, m in watch["measures"].items()}
        for name in config.thresholds:
            found = config.threshold(name, env.get(watch.get("region"), UNKNOWN), today)
            env["threshold." + name] = float(found["value"]) if found else UNKNOWN
        while waiting := watch["derived"].keys() - env.keys():
            for name in waiting:
                e = config.expression(watch["derived"][name]["value"])
                if not e.names & waiting:
                    v = e(env)
                    env[name] = rounded(v) if is_money(watch["derived"][name]) and v is not UNKNOWN else v
        return env
