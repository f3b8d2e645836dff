"""A second, slow and simple evaluator of language.md: from events to the messages and outcomes of cases.

Nothing is indexed or kept up to date: at every event and at every midnight all that is known is computed anew from all
events, every rule is judged, and every case is looked at.  Only alerts and cases have a memory.  It exists to disagree
with the engine where one of the two misreads a sentence.  Here are cases; knowledge, measure, alerts and show are the
rest, 600 lines; config, values, calendar_days and expression read what they work on."""
import decimal
import json

from alerts import Alert
from calendar_days import DAY, NEVER, earliest, instant
from config import FEEDBACK, Config
from expression import UNKNOWN
from knowledge import Known
from show import show
from values import Reject


class Entry:
    """An alert in a case.  answered: the level; told: (message number, level)."""

    def __init__(self, alert, due):
        self.alert, self.number, self.level, self.due, self.answered, self.told = alert, alert.number, alert.level, due, None, []

    def absolute(self):
        """Among the levels of the settings."""
        return self.alert.rule.levels[self.level][0]


class Case:
    def __init__(self, id_, unit, settings, previous, opened):
        self.id, self.unit, self.settings, self.previous, self.opened = id_, unit, settings, previous, opened
        self.entries, self.left = {}, {}                            # by alert key; left: not told so yet
        self.messages, self.sent, self.told, self.told_level, self.told_due = 0, None, {}, None, None
        self.news = set()                                           # alerts to be told although their level was
        self.due, self.due_set, self.resting, self.level = None, 0, False, None
        self.answer, self.escalated = None, []                      # (what, when, the due then); the units that heard of it
        self.missed = self.late = None                              # the last due that was missed; the earliest


class Subject:
    def __init__(self, config, watch, name):
        self.config, self.clock, self.watch, self.name = config, config.clock, watch, name
        self.events, self.known, self.messages, self.outcomes = [], None, [], []
        self.alerts, self.cases, self.numbers = {}, {}, {}          # cases: the open ones by unit
        self.answers = {}                                           # unit -> alert key -> (number, level, until, case id)

    # --- steps
    def event(self, event, seq, now):
        if event["type"] in FEEDBACK:
            self.feedback(event, now)
        if event["type"] in self.watch["events"]:
            Known(self.config, self.watch, [(event, seq)])          # or Reject, also where it is older than all else
            known = Known(self.config, self.watch, self.events + [(event, seq)])
            self.events.append((event, seq))
            if known.end and known.end[1] is event:                 # the last message still shows what was known
                for case in list(self.cases.values()):
                    self.close(case, "ended", now)
                for alert in self.alerts.values():
                    alert.over()
                self.answers = {}
            self.known = known
        self.look(now)

    def timer(self, now):
        for case in list(self.cases.values()):
            self.miss(case, now)                                    # "missed when the due day ends": what clears then is late
        self.look(now)
        for case in list(self.cases.values()):
            self.remind(case, now)

    def next_time(self, after):
        """The next moment at which something may change without an event."""
        times = [self.clock.midnight(self.clock.day(after) + DAY)] + [t for a in self.alerts.values() for t in a.ends()]
        times += [given[2] for answers in self.answers.values() for given in answers.values()]
        times += [c.sent + c.settings.quiet if c.messages else c.opened + c.settings.gather for c in self.cases.values()]
        return min(t for t in times if t > after)

    def look(self, now):
        self.now, self.today = now, self.clock.day(now)
        self.env = self.known.environment(self.today) if self.known and self.known.since is not None else None
        self.region = (self.env or {}).get(self.watch.get("region"), UNKNOWN)
        for rule in self.config.rules if self.env else ():
            if rule.watch is self.watch:
                self.judge(rule, now)
        self.carry_answers()
        units = {u for a in self.alerts.values() if a.active() for u in self.units(a)}
        for unit in sorted(units | self.cases.keys()):
            self.look_at(unit, [a for _, a in sorted(self.alerts.items()) if a.active() and unit in self.units(a)], now)

    def judge(self, rule, now):
        rows = self.env[rule.list] if rule.list else [{"#": ""}]
        members = {} if rows is UNKNOWN else {row["#"]: row for row in rows}
        for alert in self.alerts.values():                          # a member that is gone ends its alert
            if alert.rule is rule and alert.member not in members:
                alert.over()
        for member, row in members.items():
            env = {**self.env, rule.variable: row}
            alert = self.alerts.setdefault((rule.name, member), Alert(rule, member))
            alert.judge([e(env) for _, e in rule.levels], rule.clear(env) if rule.clear else None, self.clock, now)

    def units(self, alert):
        return list(dict.fromkeys(self.config.resolve(name, self.region) for name in alert.rule.units))

    # --- a unit's case
    def look_at(self, unit, here, now):
        """here: the alerts that are the unit's now."""
        answers, case, previous = self.answers.setdefault(unit, {}), self.cases.get(unit), []
        for alert in here:
            if alert.key in answers and not covers(answers[alert.key], alert, now):         # it speaks again
                previous.append(answers.pop(alert.key)[3])
                if case and alert.key in {**case.left, **case.entries}:
                    case.news.add(alert.key)                        # that it speaks is news, also in an open case, and
                if case and alert.key in case.entries:              # an answer to an older message doesn't cover it
                    case.entries[alert.key].told = []
        moved = False
        for key, entry in list(case.entries.items()) if case else ():
            goes_on = entry.alert.active() and entry.alert.number == entry.number
            if not goes_on or entry.alert not in here:
                del case.entries[key]
                if key in case.told:                                # else it came and went untold
                    case.left[key] = entry
                    moved |= goes_on
                if entry.alert in here:                             # one ended and the next opened in this step: news
                    case.news.add(key)
        fresh = [a for a in here if a.key not in answers and not (case and a.key in case.entries)]
        if fresh and not case:
            self.numbers[unit] = self.numbers.get(unit, 0) + 1
            place = f"{self.watch['watch']}/{self.name}/{unit}"
            # of the cases that are followed up, the last one at this unit, else that of the greatest number
            last = max(previous, key=lambda id_: (id_.rpartition("/")[0] == place, int(id_.rpartition("/")[2]), id_), default=None)
            settings = self.config.units[unit.partition("/")[0]]
            case = self.cases[unit] = Case(f"{place}/{self.numbers[unit]}", unit, settings, last, now)
        if not case:
            return
        for alert in fresh:
            entry = case.entries[alert.key] = Entry(alert, self.deadline(alert))
            before = case.left.pop(alert.key, None)
            if before and alert.key not in case.news:
                entry.told = before.told                            # it left and came again before the unit heard of it
        self.update(case, answers)
        if all(e.answered is not None for e in case.entries.values()):
            self.close(case, case.answer[0] if case.entries else "moved" if moved else "cleared", now)
        else:
            self.tell(case, now)

    def carry_answers(self):
        """What was answered stays answered at the new unit after a move: the one that the same unit of the rule now means."""
        for alert in self.alerts.values():
            for name in alert.rule.units if alert.active() else ():
                unit = self.config.resolve(name, self.region)
                case, answers = self.cases.get(unit), self.answers.setdefault(unit, {})
                if alert.key not in answers and not (case and alert.key in {**case.left, **case.entries}):
                    moved = [given[alert.key] for other, given in self.answers.items() if alert.key in given
                             and other not in self.units(alert) and self.config.may_mean(name, other)]
                    answers.update({alert.key: given for given in moved[:1]})
        for unit, answers in self.answers.items():                  # what goes on elsewhere is forgotten here
            for key in [k for k in answers if self.alerts[k].active() and unit not in self.units(self.alerts[k])]:
                del answers[key]

    def deadline(self, alert):
        span = alert.rule.deadline.get(alert.rule.levels[alert.level][0])
        return span.after(self.today, self.clock) if span else None

    def update(self, case, answers):
        """Levels, deadlines and what rests."""
        for entry in case.entries.values():
            if entry.answered is not None and entry.alert.key not in answers:
                entry.answered, entry.due = None, self.deadline(entry.alert)
            elif entry.alert.level > entry.level and entry.answered is None:
                entry.due = earliest([entry.due, self.deadline(entry.alert)])   # rising
            entry.level = entry.alert.level
        case.level = max((e.absolute() for e in case.entries.values()), default=case.level)
        if waiting := [e for e in case.entries.values() if e.answered is None]:
            rested, case.resting = case.resting, all(e.alert.state == "clearing" for e in waiting)
            for entry in waiting if rested and not case.resting else ():
                if entry.due is not None and entry.due < self.today:
                    entry.due = self.deadline(entry.alert)          # "it is counted anew"
            if (due := earliest([e.due for e in waiting])) != case.due:
                case.due, case.due_set = due, self.now

    # --- messages
    def tell(self, case, now):
        if case.messages == 0:
            if now >= case.opened + case.settings.gather:
                self.send(case, "case.opened", now)
        else:
            changed = {k: e.level for k, e in case.entries.items()} != case.told or case.news & case.entries.keys()
            raised = case.level > case.told_level
            nearer = not case.resting and case.due != case.told_due and case.due == earliest([case.due, case.told_due])
            if raised or nearer or (changed and now >= case.sent + case.settings.quiet):
                self.send(case, "case.raised" if raised else "case.changed", now)
        self.miss(case, now)

    def miss(self, case, now):
        """Only what the unit was told of can be missed."""
        if case.due is None or case.messages == 0 or case.resting or case.missed == case.due:
            return
        ends = self.clock.midnight(case.due + DAY)
        if now == ends != case.due_set or (now > ends and case.missed is None):             # the latter where told late
            case.missed, case.late = case.due, earliest([case.late, case.due])
            self.outcome(case, "missed", False, now, ended=False)

    def remind(self, case, now):
        unit, due = case.settings, case.due
        if due is None or case.resting or case.messages == 0 or case.due_set == now:
            return
        if unit.remind and now == self.clock.midnight(self.clock.add_working(due, -unit.remind.n)):
            self.send(case, "case.reminded", now)
        if unit.escalate and now == self.clock.midnight(unit.escalate_after.after(due, self.clock)):
            case.escalated = [to for to in dict.fromkeys(self.config.resolve(u, self.region) for u in unit.escalate) if to != case.unit]
            for to in case.escalated:
                self.send(case, "case.escalated", now, to)

    def close(self, case, why, now):
        del self.cases[case.unit]
        if not case.messages:                                       # nothing was told: there was no case
            self.numbers[case.unit] -= 1
            return
        if why == "moved":                                          # the level of what goes, not of what is over
            case.level = max(e.absolute() for e in case.left.values() if e.alert.active() and e.number == e.alert.number)
        for to in [None, *case.escalated]:
            self.send(case, "case.cleared" if why == "cleared" else "case.closed", now, to, reason=why)
        if why != "moved":
            _, at, due = case.answer if why in ("handled", "not_confirmed") else (None, None, None)
            on_time = None if due is None else self.clock.day(at) <= due
            self.outcome(case, why, on_time if case.late is None else False, now, ended=True)   # silence can't be made up for

    def send(self, case, kind, now, to=None, reason=None):
        """What a message shows has been told: a reminder too.  One to another unit tells the case's own unit nothing."""
        case.messages += 1
        shown = [show(self, e) for _, e in sorted({**case.left, **case.entries}.items())]
        if not to:
            case.sent, case.told_level, case.told_due = now, case.level, case.due
            case.told = {k: e.level for k, e in case.entries.items()}
            for entry in case.entries.values():
                entry.told.append((case.messages, entry.level))
            case.left, case.news = case.left if reason else {}, set()
        self.messages.append({
            "type": kind, "now": now, "case": case.id, "previous": case.previous, "unit": to or case.unit,
            "region": None if self.region is UNKNOWN else self.region, "level": self.config.levels[case.level],
            "due": case.due and str(case.due), "opened": case.opened, "message_no": case.messages, "reason": reason, "alerts": shown})

    def outcome(self, case, result, on_time, now, ended):
        self.outcomes.append({"case": case.id, "unit": case.unit, "result": result, "on_time": on_time,
                              "due": case.due and str(case.due), "opened": case.opened, "ended": now if ended else None,
                              "time": now, "rules": sorted({k[0] for k in {**case.left, **case.entries}})})

    # --- answers
    def feedback(self, event, now):
        data, kind = event["data"], event["type"].partition(".")[2]
        case = next((c for c in self.cases.values() if c.id == data["case"]), None)
        if not case or not case.messages:
            raise Reject("case: unknown or ended")
        if kind not in ("handled", "not_confirmed"):
            return
        upto, rules = data.get("message_no", case.messages), data.get("rules", {k[0] for k in case.entries})
        if upto > case.messages or not set(rules) <= {k[0] for k in {**case.left, **case.entries}}:
            raise Reject("message_no or rules: the case has not told that")
        at = self.clock.moment(data["at"]) if "at" in data else event["time_ms"]
        before, until = case.answer, self.clock.end_of(data["until"]) if data.get("until") else NEVER
        for key, entry in case.entries.items():
            told = [level for n, level in entry.told if n <= upto]
            # one that has risen since wasn't told as it is: it goes on waiting, with its due
            if told and told[-1] >= entry.level and key[0] in rules:
                case.answer, entry.answered = (kind, at, case.due), told[-1]
                self.answers.setdefault(case.unit, {})[key] = (entry.number, told[-1], until, case.id)
        waiting = [e for e in case.entries.values() if e.answered is None]
        if case.answer is not before and case.late is not None and self.clock.day(at) <= case.late \
                and not any(e.due is not None and e.due <= case.late for e in waiting):
            case.late = None                                        # it came late, but was given in time
        if not waiting:                                             # also where `until` has passed already
            self.close(case, kind, now)


def covers(given, alert, now):
    """Not when it rises above the answered level, when `until` passes while it is still true, or as a new number."""
    number, level, until, _ = given
    return alert.number == number and alert.level <= level and not (now >= until and alert.state == "open")


class Oracle:
    """One partition with `clock: events`."""

    def __init__(self, folder):
        self.config = Config(folder)
        self.clock, self.subjects, self.now, self.seq, self.rejected = self.config.clock, {}, None, 0, []

    def advance(self, to):
        """Before an event moves the clock, all timers due up to then fire, each at its own time."""
        alive = [s for s in self.subjects.values() if s.events]
        while self.now is not None and (now := min([s.next_time(self.now) for s in alive], default=NEVER)) <= to:
            for s in [s for s in alive if s.next_time(self.now) == now]:
                s.timer(now)
            self.now = now
        self.now = to if self.now is None else max(self.now, to)

    def line(self, line):
        event = json.loads(line, parse_float=decimal.Decimal)
        event["time_ms"] = instant(event["time"])
        watch = self.config.types.get(event["type"])
        if event["type"] in FEEDBACK:
            watch = self.config.watches.get(event["data"].get("case", "").partition("/")[0])
        if not watch:
            return
        self.advance(event["time_ms"])
        self.seq += 1
        subject = self.subjects.setdefault((watch["watch"], event["subject"]), Subject(self.config, watch, event["subject"]))
        try:
            subject.event(event, self.seq, self.now)
        except ValueError as why:
            self.rejected.append((event["id"], str(why)))
