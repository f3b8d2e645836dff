"""Random configurations, as an admin would write them, and random event histories: late, repeated, corrected, retracted,
members coming and going, dissolutions, answers, moves; around midnights, months' ends and leap days."""
import datetime
import random

ALL_FEATURES = ("each", "per", "gather", "quiet", "remind", "escalate", "townships", "moves", "answers", "end", "clocks")
REGIONS = ["360704101", "360704102", "360705001", "36070", "110101001", "3607"]
LEVELS = ["green", "yellow", "red"]
STARTS = ["2023-01-13", "2023-03-20", "2023-04-24", "2023-09-20", "2023-12-18", "2024-02-12", "2024-10-20", "2025-03-22",
          "2024-08-25"]
CALENDAR = {"calendar": "cn", "years": {
    "2022": {"off": ["2022-10-01 to 2022-10-07"], "work": ["2022-10-08"]},
    "2023": {"off": ["2023-01-01 to 2023-01-02", "2023-01-21 to 2023-01-27", "2023-04-05", "2023-04-29 to 2023-05-03",
                     "2023-06-22 to 2023-06-24", "2023-09-29 to 2023-10-06"],
             "work": ["2023-01-28", "2023-01-29", "2023-04-23", "2023-05-06", "2023-06-25", "2023-10-07", "2023-10-08"]},
    "2024": {"off": ["2024-01-01", "2024-02-10 to 2024-02-17", "2024-04-04 to 2024-04-06", "2024-05-01 to 2024-05-05",
                     "2024-10-01 to 2024-10-07"],
             "work": ["2024-02-04", "2024-02-18", "2024-04-07", "2024-10-12"]},
    "2025": {"off": ["2025-01-01", "2025-01-28 to 2025-02-04", "2025-05-01 to 2025-05-05"], "work": ["2025-01-26"]},
    "2026": {"off": ["2026-01-01 to 2026-01-03"], "work": ["2026-01-04"]}}}


class Gen:
    def __init__(self, seed, features):
        self.r, self.features = random.Random(seed), set(features)
        self.pick, self.chance = self.r.choice, lambda p: self.r.random() < p

    def maybe(self, feature, p):
        return feature in self.features and self.chance(p)

    # --- configuration: a list of documents
    def config(self):
        r, pick = self.r, self.pick
        self.zone = "Asia/Shanghai" if self.chance(0.8) else "Europe/Berlin"
        self.start = datetime.date.fromisoformat(pick(STARTS)) + datetime.timedelta(r.randint(0, 15))
        self.days = pick([12, 25, 45, 45, 90, 200])
        self.watch = self.make_watch()
        settings = {"instance": "oracle", "timezone": self.zone, "levels": LEVELS, "clock": "events"}
        units = self.make_units()
        thresholds = [self.make_threshold(n, u) for n, u in self.thresholds.items()]
        self.rules = [self.make_rule(i, units) for i in range(pick([1, 1, 2, 2, 3]))]
        return [settings, self.watch, CALENDAR, *thresholds, *units, *self.rules]

    def make_watch(self):
        self.facts = {"region": "string", "flag": {"type": "bool", "default": self.pick(["true", "false"])},
                      "sick": "bool", "heads": self.pick(["int", {"type": "int", "default": "2"}]),
                      "ratio": self.pick(["double", {"type": "double", "default": "0.5"}]),
                      "rent": {"type": "double", "unit": "yuan"}, "visited": "date", "born": "date",
                      "kind": {"enum": ["甲", "乙", "丙"], **({"default": "甲"} if self.chance(0.5) else {})},
                      "note": self.pick(["string", {"type": "string", "default": "no"}])}
        self.persons = {"born": "date", "grade": {"type": "int", "default": "0"}, "ill": self.pick(["bool", {"type": "bool", "default": "false"}]),
                        "wage": self.pick([{"type": "double", "unit": "yuan"}, {"type": "double", "unit": "yuan", "default": "0"}]),
                        "seen": "date"}
        self.measures = {"paid": {"sum": "double", "unit": "yuan", **self.window()},
                         "points": {"sum": "double", **self.window()}, "stays": {"count": "true", **self.window()}}
        for i in range(self.r.randint(0, 2)):
            self.measures[f"other{i}"] = {"of": self.pick(["paid", "points", "stays"]), **self.window()}
        self.thresholds = {"line": "yuan", "limit": None, "share": None}
        self.derived = {}
        self.number_derived = set()
        for i in range(self.r.randint(0, 3)):
            self.make_derived(f"derived{i}")
        data = lambda names: {n: f"data.{n}" for n in names}
        some = lambda names: data(n for n in names if self.chance(0.7)) or data([next(iter(names))])
        keyed = {"key": "data.no"} if self.chance(0.7) else {}
        at = {"at": "data.on"} if self.chance(0.75) else {}
        events = {
            "told": {**self.maybe_at(0.3), "set": data(self.facts)},
            "moved": {"set": {"region": "data.region"}},
            "paid": {**keyed, **at, "add": some({"paid": 0, "points": 0, "stays": 0})},
            "stayed": {"key": "data.no", **self.maybe_at(0.5), "add": {"stays": "data.stays"}, **({"set": {"sick": "data.sick"}} if self.chance(0.4) else {})},
            "cancelled": {"key": "data.no", **self.maybe_at(0.3), "remove": [m for m in ("paid", "points", "stays") if self.chance(0.7)] or ["paid"]},
            "person": {**self.maybe_at(0.3), "upsert": {"person": {"key": "data.person", "set": some({f: 0 for f in self.persons if f != "seen"})}}},
            "seen": {**self.maybe_at(0.6), "update": {"person": {"key": "data.person", "set": {"seen": "data.seen", **({"ill": "data.ill"} if self.chance(0.3) else {})}}}},
            "left": {**self.maybe_at(0.4), "drop": {"person": "data.person"}}}
        if "end" in self.features:
            events["ended"] = {**self.maybe_at(0.3), "end": "true"}
        return {"watch": "home", "topic": "home.events", "region": "region", "facts": self.facts, "members": {"person": self.persons},
                "measures": self.measures, **({"derived": self.derived} if self.derived else {}), "events": events}

    def maybe_at(self, p):
        return {"at": "data.on"} if self.chance(p) else {}

    def window(self):
        if self.chance(0.15):
            return {}
        n = self.pick([1, 1, 2, 3])
        window = {"window": self.pick([f"{n} months", f"{n} whole months", f"{self.pick([7, 10, 30, 60, 90])} days",
                                       "1 whole quarter", "1 year", "1 whole year", "12 months"])}
        if self.chance(0.3):
            window["ago"] = self.pick(["1 month", "2 months"]) if "whole" in window["window"] else self.pick(["1 month", "10 days"])
        if self.chance(0.3):
            window["gaps"] = "unknown"
        return window

    def make_derived(self, name):
        kind = self.pick(["money", "number", "bool", "members"])
        if kind == "money":
            value = {"unit": "yuan", "value": f"({self.money()} + {self.money()}) / {self.pick(['3.0', 'double(heads)', '7.0'])}"}
        elif kind == "number":
            value = f"{self.number()} * {self.pick(['2.0', 'ratio', 'threshold.share'])}"
        else:
            value = self.condition(1) if kind == "bool" else "person.filter(p, " + self.of_person(0) + ").size()"
        if kind in ("number", "members"):
            self.number_derived.add(name)
        self.derived[name] = value

    def make_threshold(self, name, unit):
        low, high = {"line": (10, 4000), "limit": (1, 6), "share": (0, 2)}[name]
        values, seen = [], set()
        for _ in range(self.r.randint(1, 4)):
            at = self.pick(["36", "3607", "360704", "360704102", "11"]), str(self.start + datetime.timedelta(self.pick([-400, -400, -90, self.r.randint(0, self.days)])))
            if at not in seen:
                seen.add(at)
                v = self.r.uniform(low, high)
                values.append({"region": at[0], "from": at[1], "value": self.pick([f"{v:.0f}", f"{v:.2f}"])})
        return {"threshold": name, **({"unit": unit} if unit else {}), "values": values}

    def make_units(self):
        span = lambda *s: self.pick(s)
        units = []
        for name in ("office", "aid"):
            u = {"unit": name, "topic": f"alerts.{name}"}
            if self.maybe("gather", 0.35):
                u["gather"] = span("30 minutes", "2 hours", "1 day", "3 days")
            if self.maybe("quiet", 0.4):
                u["quiet"] = span("90 minutes", "12 hours", "1 day", "5 days")
            if self.maybe("remind", 0.5):
                u["remind"] = span("1 working day", "2 working days", "4 working days")
            if name == "aid" and self.maybe("escalate", 0.5):
                to = [["office"], ["township"], ["township", "office"]] if "townships" in self.features else [["office"]]
                u["escalate"] = {"to": self.pick(to), "after": span("1 working day", "3 working days")}
            units.append(u)
        if "townships" in self.features:
            u = {**units[1], "unit": "township", "each": "9 digits", "topic": "alerts.township", **({"otherwise": self.pick(["office", "aid"])} if self.chance(0.8) else {})}
            if "escalate" in u:
                u["escalate"] = {**u["escalate"], "to": ["office"]}
            units.append(u)
        return units

    def make_rule(self, i, units):
        rule = {"rule": f"rule{i}", "version": str(self.r.randint(1, 5)), "watch": "home"}
        self.each = self.maybe("each", 0.35)
        if self.each:
            rule["each"] = "q in person"
        names = [u["unit"] for u in units]
        rule["unit"] = self.pick(names) if self.chance(0.7) else self.r.sample(names, 2)
        levels = self.pick([["yellow"], ["yellow", "red"], ["yellow", "red"], ["green", "yellow", "red"], ["red"]])
        base = self.condition(2)
        rule["levels"] = {n: base if j == 0 else self.condition(2) if self.chance(0.5) else f"({base}) && {self.atom()}" for j, n in enumerate(levels)}
        if self.chance(0.35):
            rule["clear"] = self.pick([f"!({base})", f"!({base}) && {self.atom()}", self.condition(1)])
        for key in ("hold", "keep"):
            if self.chance(0.4):
                rule[key] = self.pick(["1 day", "2 days", "5 days", "1 month", "3 working days"] +
                                      (["36 hours", "90 minutes", "3 hours"] if "clocks" in self.features else []))
        if self.maybe("per", 0.3):
            rule["per"] = self.pick(["month", "quarter", "year"])
        if self.chance(0.85):
            deadline = lambda: self.pick(["1 working day", "3 working days", "10 working days", "5 days", "1 month"])
            rule["deadline"] = deadline() if self.chance(0.6) else {n: deadline() for n in levels if self.chance(0.8)} or deadline()
        rule["summary"] = self.summary()
        return rule

    def summary(self):
        parts = ["paid", "heads", "threshold.line", "visited", "kind", "person.size()", "rent / 3.0", "ratio * 7.0", "flag", "points"] + \
                (["q.wage", "q.born", "age(q.born)"] if self.each else []) + list(self.derived)
        return "户" + "".join(f"{self.pick(['值', ', ', ':'])}{{{p}}}" for p in self.r.sample(parts, self.r.randint(0, 3)))

    # --- expressions
    def condition(self, depth):
        if depth == 0 or self.chance(0.25):
            return self.atom()
        a, b = self.condition(depth - 1), self.condition(depth - 1)
        return self.pick([f"{a} && {b}", f"{a} || {b}", f"({a}) && !({b})", f"!({a}) || ({b})", f"({self.atom()} ? {a} : {b})",
                          f"({a}) && ({b} || {self.atom()})", a])

    def atom(self):
        if getattr(self, "each", False) and self.chance(0.6):
            return self.of_person(0, "q")
        k = self.r.randint(0, 3)
        return self.pick([
            lambda: self.pick(["flag", "sick", "!flag", "!sick", "has(sick)", "has(visited)", "!has(heads)", "has(paid)", "has(person)"]),
            lambda: f"{self.money()} {self.relation()} {self.pick(['', '0.6 * ', '1.5 * '])}threshold.line",
            lambda: f"{self.money()} {self.relation()} {self.r.randint(0, 4000)}.0",
            lambda: f"{self.number()} {self.relation()} {self.pick(['threshold.limit', str(k), f'{k}.5'])}",
            lambda: f"{self.pick(['heads', 'stays', 'person.size()'])} {self.relation()} {k}",
            lambda: self.pick(["kind == '甲'", "kind != '乙'", "kind in ['甲', '丙']", "region.startsWith('3607')", "note == 'no'", "'36' in [region, note]"]),
            lambda: f"{self.elapsed(self.pick(['visited', 'born', 'since', 'has(visited) ? visited : since']))} {self.relation()} {self.pick([0, 1, 2, 5, 10, 30])}",
            lambda: f"{self.pick(['visited', 'today', 'since', 'born'])} {self.relation()} {self.pick(['today', self.date()])}",
            lambda: f"person.{self.pick(['exists', 'all'])}(p, {self.of_person(1)})",
            lambda: f"person.filter(p, {self.of_person(1)}).size() {self.relation()} {k}",
            lambda: f"person.map(p, {self.pick(['p.wage', 'p.wage * 2.0', 'p.wage + 1.5'])}).sum() {self.relation()} {self.pick(['threshold.line', '900.0'])}",
            lambda: f"person.map(p, p.grade).sum() {self.relation()} {k}",
            lambda: self.of_derived()])()

    def of_derived(self):
        if not self.derived:
            return "flag"
        name, d = self.pick(list(self.derived.items()))
        if isinstance(d, dict):
            return f"{name} {self.relation()} threshold.line"
        return f"{name} {self.relation()} {self.pick(['threshold.limit', '1', '2.5'])}" if name in self.number_derived else name

    def of_person(self, depth, p="p"):
        a = self.pick([f"{p}.ill", f"!{p}.ill", f"has({p}.seen)", f"has({p}.born)", f"{p}.grade {self.relation()} {self.r.randint(0, 3)}",
                       f"{p}.wage {self.relation()} {self.pick(['800.0', '0.5 * threshold.line'])}", f"age({p}.born) {self.relation()} {self.pick([16, 60])}",
                       f"days_since(has({p}.seen) ? {p}.seen : {p}.since) >= {self.pick([0, 5, 20])}", f"{p}.seen {self.relation()} visited",
                       f"days_since({p}.since) {self.relation()} {self.pick([1, 7])}"])
        return f"{a} {self.pick(['&&', '||'])} {self.of_person(0, p)}" if depth and self.chance(0.4) else a

    def relation(self):
        return self.pick([">=", ">=", "<", ">", "<="])

    def elapsed(self, what):
        return self.pick(["days_since", "days_since", "days_until", "months_since", "working_days_since", "working_days_until", "age"]) + f"({what})"

    def date(self):
        return f"date('{self.start + datetime.timedelta(self.r.randint(-30, self.days))}')"

    def money(self):
        return self.pick(["paid", "paid", "rent"] + [m for m, d in self.measures.items() if d.get("of") == "paid"])

    def number(self):
        return self.pick(["points", "ratio", "stays", "heads"] + [m for m, d in self.measures.items() if d.get("of") in ("points", "stays")])

    # --- events: dicts in order of processing; {"answer": …} stands for one that the runner fills in
    def history(self, subjects):
        all_of_them = []
        for s in subjects:
            all_of_them += self.one(s)
        all_of_them.sort(key=lambda e: e["arrives"])
        for e in all_of_them:
            del e["arrives"]
        return all_of_them

    def one(self, subject):
        events, keys, n = [], [], self.r.randint(2, 14) if self.chance(0.8) else self.r.randint(15, 40)
        for i in range(n):
            at = self.moment()
            kind = self.pick(self.kinds()) if i else self.pick(["told", "told", "person", "paid"])
            e = {"specversion": "1.0", "id": f"{subject}-{i}", "source": self.pick(["a", "b"]), "type": kind, "subject": subject,
                 "time": at, "arrives": at.astimezone(datetime.timezone.utc)}
            if self.chance(0.12):
                e["arrives"] += datetime.timedelta(self.pick([0.2, 1, 3, 20]))
            if kind == "answer":
                e["answer"] = {"pick": self.r.random(), "kind": self.pick(["handled", "not_confirmed", "handled", "acknowledged"]), "old": self.chance(0.3),
                               "rules": self.chance(0.25), "until": self.pick([None, None, 3, 10]), "wrong": self.chance(0.1)}
            else:
                e["data"] = self.data(kind, at, keys)
                if self.chance(0.06) and kind != "told":
                    events.append({**e, "arrives": e["arrives"] + datetime.timedelta(self.pick([0, 0.01, 2]))})
            events.append(e)
        for e in events:
            e["time"] = e["time"].isoformat()
        return events

    def kinds(self):
        kinds = ["told", "told", "told", "paid", "paid", "paid", "stayed", "cancelled", "person", "person", "person", "seen", "left"]
        return kinds + ["answer"] * 4 * ("answers" in self.features) + ["moved"] * ("moves" in self.features) + ["ended"] * self.maybe("end", 0.3)

    def moment(self):
        day = self.start + datetime.timedelta(self.r.randint(0, self.days))
        if self.chance(0.15):
            day = day.replace(day=1) - datetime.timedelta(self.pick([0, 1]))
        h, m, s = self.pick([(0, 0, 0), (23, 59, 59), (9, 0, 0), (0, 30, 0), (self.r.randint(0, 23), self.r.randint(0, 59), 0)])
        east = 8 if self.zone == "Asia/Shanghai" else self.pick([1, 2])
        east = 0 if self.chance(0.1) else east
        zone = datetime.timezone(datetime.timedelta(hours=east))
        return datetime.datetime(day.year, day.month, day.day, h, m, s, tzinfo=zone)

    def data(self, kind, at, keys):
        d = {}
        if self.chance(0.9):
            d["on"] = self.about(at)
        if kind == "told":
            for name in self.facts:
                if name == "region" and ("moves" not in self.features or self.chance(0.3)) and self.chance(0.4):
                    continue
                if self.chance(0.55):
                    d[name] = None if self.chance(0.06) else self.fact(name, at)
            if "moves" not in self.features:
                d["region"] = "360704102"
        elif kind == "moved":
            d["region"] = self.pick(REGIONS)
        elif kind in ("paid", "stayed", "cancelled"):
            if keys and self.chance(0.45):
                d["no"] = self.pick(keys)
            elif self.chance(0.98):
                d["no"] = f"k{len(keys)}"
                keys.append(d["no"])
            if kind != "cancelled":
                d.update({"paid": self.amount(), "points": self.r.randint(-4, 16) * 0.25, "stays": self.chance(0.8), "sick": self.chance(0.5)})
                for name in ("paid", "points", "stays"):
                    if self.chance(0.08):
                        del d[name]
        elif kind in ("person", "seen", "left"):
            d["person"] = self.pick(["p1", "p2", "p3"])
            if kind == "seen":
                d["seen"] = self.about(at)
            if kind != "left":
                d.update({f: self.person(f, at) for f in self.persons if f not in d and self.chance(0.6)})
        if self.chance(0.015) and d:
            d[self.pick(list(d))] = self.pick(["x", 5, True, 2.5])
        return d

    def about(self, at):
        day = at.date() - datetime.timedelta(self.pick([0, 0, 0, 1, 2, 5, 20, 40, 100, -1, -3]))
        if self.chance(0.1):
            day = day.replace(day=1) - datetime.timedelta(1)
        return self.pick([str(day)] * 8 + [str(day)[:7], f"{day}T{self.pick(['00:00:00', '23:59:59', '12:30:00'])}+08:00"])

    def amount(self):
        return self.pick([self.r.randint(0, 3000), round(self.r.uniform(0, 3000), 2), round(self.r.uniform(-100, 900), 3), 1.005, 100.115])

    def fact(self, name, at):
        return {"region": lambda: self.pick(REGIONS), "flag": lambda: self.chance(0.5), "sick": lambda: self.chance(0.5),
                "heads": lambda: self.r.randint(0, 5), "ratio": lambda: self.r.randint(-2, 8) * 0.25, "rent": self.amount,
                "visited": lambda: self.about(at), "born": lambda: self.birth(at), "kind": lambda: self.pick("甲乙丙"),
                "note": lambda: self.pick(["no", "36", "a {b}", ""])}[name]()

    def person(self, field, at):
        return {"born": lambda: self.birth(at), "grade": lambda: self.r.randint(0, 3), "ill": lambda: self.chance(0.5),
                "wage": self.amount, "seen": lambda: self.about(at)}[field]()

    def birth(self, at):
        day = at.date() + datetime.timedelta(self.r.randint(-5, 30))
        year = day.year - self.pick([15, 16, 16, 59, 60, 60, 1, 0])
        return f"{year}-02-28" if (day.month, day.day) == (2, 29) and self.chance(0.3) else \
            str(datetime.date(year, day.month, min(day.day, 28))) if self.chance(0.85) else "2008-02-29"
