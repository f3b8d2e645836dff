"""A second, slow and simple evaluator of language.md: from events to the messages and outcomes of cases.

Nothing is indexed or kept up to date: at every event and at every midnight all that is known is computed anew from all
events, every rule is judged, and every case is looked at.  Only alerts and cases have a memory.  It exists to disagree
with the engine where one of the two misreads a sentence."""
import decimal
import json

from calendar_days import MS, civil, day_text, instant
from config import FEEDBACK, Config, Reject
from expression import UNKNOWN, any3
from knowledge import Known
from show import show

NEVER = float("inf")


class Alert:
    """One of subject, rule and member: pending, open, clearing, over."""

    def __init__(self, rule, member):
        self.rule, self.member, self.key = rule, member, (rule.name, member)
        self.number, self.since = 0, None
        self.over()

    def over(self):
        # The runs begin anew: who clears the alert says that what was true has ended.
        self.state, self.level, self.up, self.down, self.clear = "over", None, {}, {}, None

    def active(self):
        return self.state in ("open", "clearing")

    def judge(self, verdicts, clear, clock, now):
        """verdicts: by level, lowest first, True, False or UNKNOWN; clear: the condition's, None for the default."""
        rule, n = self.rule, len(verdicts)
        # "A level counts as true while it or a higher one is"
        at_least = [any3(verdicts[i:]) for i in range(n)]
        for i, v in enumerate(at_least):
            follow(self.up, i, v, now)
            follow(self.down, i, True if v is False else False if v is True else UNKNOWN, now)
        if self.active() and rule.per and period(clock, self.since, rule.per) != period(clock, now, rule.per):
            # "ends an alert with its period, so that a new one may open": what is still true goes on being true
            self.state, self.level, self.clear = "over", None, None
        held = [i for i in range(n) if at_least[i] is True and now >= rule.hold.end(clock, self.up[i])]
        if not self.active():
            self.clear = None
            if held:
                self.number, self.since, self.level, self.state = self.number + 1, now, held[-1], "open"
            else:
                self.state = "pending" if self.up else "over"
            return
        self.level = max([self.level, *held])
        while self.level > 0 and at_least[self.level] is False and now >= rule.keep.end(clock, self.down[self.level]):
            self.level -= 1
        # "`clear` counts only while no level is true"
        if at_least[0] is True:
            clear = False
        elif clear is None:
            clear = True if at_least[0] is False else UNKNOWN
        run = {} if self.clear is None else {0: self.clear}
        follow(run, 0, clear, now)
        self.clear = run.get(0)
        self.state = "open" if self.clear is None else "clearing"
        if clear is True and now >= rule.keep.end(clock, self.clear):
            self.over()

    def ends(self):
        """When runs that are given in hours or minutes are complete; all others end at a midnight."""
        runs = [(self.rule.hold, t) for t in self.up.values()] + [(self.rule.keep, t) for t in self.down.values()]
        runs += [(self.rule.keep, self.clear)] if self.clear is not None else []
        return [t + s.n * MS[s.unit] for s, t in runs if s.unit in MS]


def follow(runs, i, verdict, now):
    """A run is begun by true and broken by false; unknown does neither."""
    if verdict is True:
        runs.setdefault(i, now)
    elif verdict is False:
        runs.pop(i, None)


def period(clock, ms, months):
    date = civil(clock.day(ms))
    return (date.year * 12 + date.month - 1) // months


class Entry:
    """An alert in a case."""

    def __init__(self, alert):
        self.alert, self.number, self.level = alert, alert.number, alert.level
        self.answered, self.due, self.told = None, None, []         # answered: the level; told: (message number, level)

    def absolute(self):
        """Among the levels of the settings."""
        return self.alert.rule.levels[self.level][0]


class Case:
    def __init__(self, unit, number, previous, opened):
        self.unit, self.number, self.previous, self.opened = unit, number, previous, opened
        self.entries, self.left = {}, {}                            # by alert key; left: not told so yet
        self.messages, self.sent, self.told, self.told_level, self.told_due = 0, None, {}, None, None
        self.news = set()                                           # alerts to be told although their level was
        self.due, self.due_set, self.resting, self.level = None, 0, False, None
        self.answer = self.missed = self.escalated = None
        self.late = None                                            # the earliest due that was missed


class Subject:
    def __init__(self, oracle, watch, name):
        self.oracle, self.config, self.clock, self.watch, self.name = oracle, oracle.config, oracle.clock, watch, name
        self.events, self.known = [], None
        self.alerts, self.cases, self.numbers = {}, {}, {}          # cases: the open ones by unit
        self.answers = {}                                           # unit -> alert key -> (number, level, until, case id)
        self.messages, self.outcomes = [], []

    # --- steps
    def event(self, event, seq, now):
        if event["type"] in FEEDBACK:
            self.feedback(event, now)
        if event["type"] in self.watch.events:
            Known(self.watch, [(event, seq)])                       # or Reject, also where it is older than all else
            known = Known(self.watch, self.events + [(event, seq)])
            self.events.append((event, seq))
            if known.ends(event):
                self.forget(now)                                    # the last message still shows what was known
            self.known = known
        self.look(now)

    def forget(self, now):
        for case in list(self.cases.values()):
            self.close(case, "ended", now)
        for alert in self.alerts.values():
            alert.over()
        self.answers = {}

    def timer(self, now):
        for case in list(self.cases.values()):
            self.miss(case, now)                                    # "missed when the due day ends": what clears then is late
        self.look(now)
        for case in list(self.cases.values()):
            self.remind(case, now)

    def miss(self, case, now):
        """Only what the unit was told of can be missed."""
        due = case.due
        if due is None or not case.messages or case.resting:
            return
        ends = self.clock.midnight(due + 1)
        if case.missed != due and (now == ends != case.due_set or (now > ends and case.missed is None)):   # the latter where told late
            case.missed, case.late = due, earliest([case.late, due])
            self.outcome(case, "missed", False, now, ended=False)

    def look(self, now):
        self.now, self.today = now, self.clock.day(now)
        self.env = self.known.environment(self.today) if self.known and self.known.exists else None
        self.region = self.env.get(self.watch.region, UNKNOWN) if self.env else UNKNOWN
        if self.env:
            for rule in self.config.rules:
                if rule.watch is self.watch:
                    self.judge(rule, now)
        self.carry_answers()
        for unit in sorted({u for a in self.alerts.values() if a.active() for u in self.units(a)} | self.cases.keys()):
            self.look_at(unit, now)

    def judge(self, rule, now):
        members = {"": None}
        if rule.list:
            rows = self.env[rule.list]
            members = {m["#"]: m for m in rows} if rows is not UNKNOWN else {}
        for key, alert in self.alerts.items():                      # a member that is gone ends its alert
            if alert.rule is rule and alert.member not in members:
                alert.over()
        for member, row in members.items():
            env = {**self.env, rule.variable: row} if rule.list else self.env
            alert = self.alerts.setdefault((rule.name, member), Alert(rule, member))
            alert.judge([e(env) for _, e in rule.levels], rule.clear(env) if rule.clear else None, self.clock, now)

    def units(self, alert):
        return list(dict.fromkeys(u for name in alert.rule.units if (u := self.config.resolve(name, self.region))))

    # --- a unit's case
    def look_at(self, unit, now):
        here = [a for a in sorted(self.alerts.values(), key=lambda a: a.key) if a.active() and unit in self.units(a)]
        answers = self.answers.setdefault(unit, {})
        case, previous, moved = self.cases.get(unit), [], False
        for alert in here:
            given = answers.get(alert.key)
            if given and not self.covers(given, alert, now):        # it speaks again
                previous.append(given[3])
                del answers[alert.key]
                if case and alert.key in {**case.left, **case.entries}:
                    case.news.add(alert.key)                        # that it speaks is news, also in an open case, and
                if case and alert.key in case.entries:              # an answer to an older message doesn't cover it
                    case.entries[alert.key].told = []
        if case:
            for key, entry in list(case.entries.items()):
                alert = entry.alert
                if not alert.active() or alert.number != entry.number or alert not in here:
                    case.entries.pop(key)
                    if key in case.told:                            # else it came and went untold
                        case.left[key] = entry
                        moved |= alert.active() and alert.number == entry.number and alert not in here
                    if alert.active() and alert in here:            # one ended and the next opened in this step: news
                        case.news.add(key)
        fresh = [a for a in here if a.key not in answers and not (case and a.key in case.entries)]
        if fresh and not case:
            number = self.numbers[unit] = self.numbers.get(unit, 0) + 1
            case = self.cases[unit] = Case(unit, number, self.newest(previous, unit), now)
        if not case:
            return
        for alert in fresh:
            entry = case.entries[alert.key] = Entry(alert)
            entry.due = self.deadline(entry)
            if alert.key in case.left and alert.key not in case.news:
                entry.told = case.left[alert.key].told              # it left and came again before the unit heard of it
            case.left.pop(alert.key, None)
        self.update(case, answers)
        if all(e.answered is not None for e in case.entries.values()):
            why = "moved" if moved and not case.entries else case.answer[0] if case.entries else "cleared"
            self.close(case, why, now)
        else:
            self.tell(case, now)

    def newest(self, ids, unit):
        """Of the cases that are followed up, the last one at this unit, else that of the greatest number."""
        def place(id_):
            start, _, number = id_.rpartition("/")
            return start == f"{self.watch.name}/{self.name}/{unit}", int(number), start
        return max(ids, key=place, default=None)

    def carry_answers(self):
        """What was answered stays answered at the new unit after a move: the one that the same unit of the rule now means."""
        for alert in self.alerts.values():
            for name in alert.rule.units if alert.active() else ():
                unit = self.config.resolve(name, self.region)
                case, answers = self.cases.get(unit), self.answers.setdefault(unit, {})
                if alert.key not in answers and not (case and alert.key in {**case.left, **case.entries}):
                    for other, given in self.answers.items():
                        if alert.key in given and other not in self.units(alert) and self.config.may_mean(name, other):
                            answers[alert.key] = given[alert.key]
                            break
        for unit, answers in self.answers.items():                  # what goes on elsewhere is forgotten here
            for key in [k for k in answers if self.alerts[k].active() and unit not in self.units(self.alerts[k])]:
                del answers[key]

    def covers(self, given, alert, now):
        """Not when it rises above the answered level, when `until` passes while it is still true, or as a new number."""
        number, level, until, _ = given
        return alert.number == number and alert.level <= level and not (now >= until and alert.state == "open")

    def deadline(self, entry):
        span = entry.alert.rule.deadline.get(entry.alert.rule.levels[entry.alert.level][0])
        return span.after(self.clock, self.today) if span else None

    def update(self, case, answers):
        """Levels, deadlines and what rests."""
        for entry in case.entries.values():
            if entry.answered is not None and entry.alert.key not in answers:
                entry.answered, entry.due = None, self.deadline(entry)
            elif entry.alert.level > entry.level and entry.answered is None:
                entry.due = earliest([entry.due, self.deadline(entry)])         # rising
            entry.level = entry.alert.level
        waiting = [e for e in case.entries.values() if e.answered is None]
        rested = case.resting
        if waiting:
            case.resting = all(e.alert.state == "clearing" for e in waiting)
        if rested and not case.resting:
            for entry in waiting:                                   # "it is counted anew"
                if entry.due is not None and entry.due < self.today:
                    entry.due = self.deadline(entry)
        due = earliest([e.due for e in waiting])
        if waiting and due != case.due:
            case.due, case.due_set = due, self.now
        if case.entries:
            case.level = max(e.absolute() for e in case.entries.values())

    # --- messages
    def tell(self, case, now):
        unit = self.unit(case)
        if case.messages == 0:
            if now >= case.opened + unit.gather:
                self.send(case, "case.opened", now)
                self.miss(case, now)
            return
        changed = {k: e.level for k, e in case.entries.items()} != case.told or case.news & case.entries.keys()
        raised = case.level > case.told_level
        nearer = case.due is not None and not case.resting and (case.told_due is None or case.due < case.told_due)
        if raised or nearer or (changed and now >= case.sent + unit.quiet):
            self.send(case, "case.raised" if raised else "case.changed", now)
        self.miss(case, now)

    def remind(self, case, now):
        unit, due = self.unit(case), case.due
        if due is None or case.resting or case.messages == 0 or case.due_set == now:
            return
        if unit.remind and now == self.clock.midnight(self.clock.add_working(due, -unit.remind.n)):
            self.send(case, "case.reminded", now)
        if unit.escalate and now == self.clock.midnight(unit.escalate_after.after(self.clock, due)):
            for to in unit.escalate:
                self.send(case, "case.escalated", now, to)
            case.escalated = True

    def close(self, case, why, now):
        del self.cases[case.unit]
        if not case.messages:                                       # nothing was told: there was no case
            self.numbers[case.unit] -= 1
            return
        if why == "moved":                                          # the level of what goes, not of what is over
            case.level = max(e.absolute() for e in case.left.values() if e.alert.active() and e.number == e.alert.number)
        kind = "case.cleared" if why == "cleared" else "case.closed"
        self.send(case, kind, now, reason=why)
        for to in self.unit(case).escalate if case.escalated else []:
            self.send(case, kind, now, to, reason=why)
        if why == "moved":
            return
        on_time = None
        if case.late is not None:                                   # silence can't be made up for
            on_time = False
        elif why in ("handled", "not_confirmed"):
            on_time = None if case.answer[2] is None else self.clock.day(case.answer[1]) <= case.answer[2]
        self.outcome(case, why, on_time, now, ended=True)

    def unit(self, case):
        return self.config.units[case.unit.partition("/")[0]]

    def case_id(self, case):
        return f"{self.watch.name}/{self.name}/{case.unit}/{case.number}"

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
            "type": kind, "now": now, "case": self.case_id(case), "previous": case.previous, "unit": to or case.unit,
            "region": None if self.region is UNKNOWN else self.region, "level": self.config.levels[case.level],
            "due": None if case.due is None else day_text(case.due), "opened": case.opened,
            "message_no": case.messages, "reason": reason, "alerts": shown})

    def outcome(self, case, result, on_time, now, ended):
        self.outcomes.append({"case": self.case_id(case), "unit": case.unit, "result": result, "on_time": on_time,
                              "due": None if case.due is None else day_text(case.due), "opened": case.opened,
                              "ended": now if ended else None, "time": now,
                              "rules": sorted({k[0] for k in {**case.left, **case.entries}})})

    # --- answers
    def feedback(self, event, now):
        data, kind = event["data"], event["type"].partition(".")[2]
        case = next((c for c in self.cases.values() if self.case_id(c) == data["case"]), None)
        if not case or not case.messages:
            raise Reject("case: unknown or ended")
        if kind not in ("handled", "not_confirmed"):
            return
        upto, rules = data.get("message_no", case.messages), data.get("rules", {k[0] for k in case.entries})
        if upto > case.messages or not set(rules) <= {k[0] for k in {**case.left, **case.entries}}:
            raise Reject("message_no or rules: the case has not told that")
        until = data.get("until")                                   # a date passes at its 00:00, as everywhere
        until = NEVER if not until else instant(until) if "T" in until else self.clock.midnight(self.clock.date(until))
        at, before = self.clock.moment(data["at"]) if "at" in data else event["time_ms"], case.answer
        for key, entry in case.entries.items():
            told = [level for n, level in entry.told if n <= upto]
            # one that has risen since wasn't told as it is: it goes on waiting, with its due
            if told and told[-1] >= entry.level and key[0] in rules:
                case.answer = (kind, at, case.due)
                entry.answered = told[-1]
                self.answers.setdefault(case.unit, {})[key] = (entry.number, told[-1], until, self.case_id(case))
        if case.answer is not before and case.late is not None and self.clock.day(at) <= case.late and not any(
                e.answered is None and e.due is not None and e.due <= case.late for e in case.entries.values()):
            case.late = None                                        # it came late, but was given in time
        if all(e.answered is not None for e in case.entries.values()):          # also where `until` has passed already
            self.close(case, kind, now)

    def next_time(self, after):
        """The next moment at which something may change without an event."""
        times = [self.clock.midnight(self.clock.day(after) + 1)]
        times += [t for a in self.alerts.values() for t in a.ends()]
        for case in self.cases.values():
            unit = self.unit(case)
            times.append(case.opened + unit.gather if case.messages == 0 else case.sent + unit.quiet)
        times += [a[2] for answers in self.answers.values() for a in answers.values()]
        return min(t for t in times if t > after)


def earliest(days):
    return min((d for d in days if d is not None), default=None)


class Oracle:
    """One partition with `clock: events`."""

    def __init__(self, folder):
        self.config = Config(folder)
        self.clock = self.config.clock
        self.subjects, self.now, self.seq, self.rejected = {}, None, 0, []

    def subject(self, watch, name):
        return self.subjects.setdefault((watch.name, name), Subject(self, watch, name))

    def advance(self, to):
        """Before an event moves the clock, all timers due up to then fire, each at its own time."""
        while self.now is not None and self.now < to:
            alive = [s for s in self.subjects.values() if s.events]
            now = min([s.next_time(self.now) for s in alive], default=NEVER)
            if now > to:
                break
            for s in alive:
                if s.next_time(self.now) == now:
                    s.timer(now)
            self.now = now
        self.now = to if self.now is None else max(self.now, to)

    def line(self, line):
        event = json.loads(line, parse_float=decimal.Decimal)
        event["time_ms"] = instant(event["time"])
        watch = self.config.types.get(event["type"])
        if not watch and event["type"] in FEEDBACK:
            watch = self.config.watches.get(event["data"].get("case", "").partition("/")[0])
        if not watch:
            return
        self.advance(event["time_ms"])
        self.seq += 1
        subject = self.subject(watch, event["subject"])
        try:
            subject.event(event, self.seq, self.now)
        except Reject as why:
            self.rejected.append((event["id"], str(why)))
