"""Reads the same YAML files as the engine, for the parts that the oracle evaluates."""
import functools
import glob
import re

import yaml

from calendar_days import MONTHS, Clock, Span, Ts, months_between
from expression import UNKNOWN, Expression
from measure import Measure

FEEDBACK = ("case.acknowledged", "case.confirmed", "case.measure_taken", "case.handled", "case.not_confirmed")


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
        deadlines = deadline if isinstance(deadline, dict) else dict.fromkeys(config.levels, deadline)
        self.deadline = {config.levels.index(n): Span(text) for n, text in deadlines.items()}
        self.summary = [config.expression(part[1:-1]) if part[:1] == "{" else part
                        for part in re.findall(r"\{[^}]*\}|[^{]+", d.get("summary", ""))]
        self.reads = [e for _, e in self.levels] + ([self.clear] if self.clear else [])


class Unit:
    def __init__(self, d):
        self.otherwise, self.digits = d.get("otherwise"), int(d.get("each", "0 digits").split()[0])
        self.gather, self.quiet = (Span(d.get(k, "0 minutes")).ms for k in ("gather", "quiet"))
        self.remind = Span(d["remind"]) if "remind" in d else None
        self.escalate = d["escalate"]["to"] if "escalate" in d else []
        self.escalate_after = Span(d["escalate"]["after"]) if "escalate" in d else None


class Config:
    """watches, thresholds, rules: by name, as the YAML has them; field types always as {type: …}, derived values as {value: …}."""

    def __init__(self, folder):
        documents = []
        for file in sorted(glob.glob(f"{folder}/**/*.yaml", recursive=True)):
            with open(file, encoding="utf-8") as f:
                documents += filter(None, yaml.load_all(f, getattr(yaml, "CBaseLoader", yaml.BaseLoader)))
        of = lambda kind: {d[kind]: d for d in documents if next(iter(d)) == kind}
        settings, = of("instance").values()
        self.clock = Clock(settings.get("timezone", "Asia/Shanghai"),
                           of("calendar").get(settings.get("calendar", "cn"), {}).get("years", {}))
        self.levels = settings.get("levels", ["green", "yellow", "red"])
        self.expression, self.thresholds, self.watches = functools.cache(self.expression), of("threshold"), of("watch")
        for watch in self.watches.values():
            for part in ("facts", "members", "measures", "derived", "events"):
                watch[part] = watch.get(part) or {}
            for named in (watch["facts"], watch["derived"], *watch["members"].values()):
                short = "value" if named is watch["derived"] else "type"
                named.update({n: {short: text} for n, text in named.items() if isinstance(text, str)})
            watch["measures"] = {n: Measure(watch["measures"], n) for n in watch["measures"]}
        self.units = {name: Unit(d) for name, d in of("unit").items()}
        self.rules = [Rule(self, d) for d in of("rule").values()]
        self.types = {t: w for _, w in sorted(self.watches.items(), reverse=True) for t in w["events"]}

    def expression(self, text):
        day = lambda run: lambda env, ts: run(self.clock.day(ts), env["#"])
        return Expression(text, {
            "age": day(lambda d, today: months_between(d, today) // 12),
            "months_since": day(months_between), "days_since": day(lambda d, today: (today - d).days),
            "days_until": day(lambda d, today: (d - today).days),
            "working_days_since": day(self.clock.working_between),
            "working_days_until": day(lambda d, today: self.clock.working_between(today, d)),
            "date": lambda env, text: Ts(self.clock.moment(text))})

    def threshold(self, name, region, today):
        """Of the values in effect whose region is a prefix of the subject's: the longest region, then the newest date."""
        region = "" if region is UNKNOWN else region                # a value for "" is for all, also without a region
        fitting = [v for v in self.thresholds[name]["values"]
                   if region.startswith(v.get("region", "")) and v["from"] <= str(today)]
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
