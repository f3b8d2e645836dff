"""Alerts (language.md): hold, keep, per and clear, as runs that verdicts begin and break."""
from calendar_days import MS, period
from expression import any3


class Alert:
    """One of subject, rule and member: pending, open, clearing, over."""

    def __init__(self, rule, member):
        self.rule, self.member, self.key = rule, member, (rule.name, member)
        self.number, self.since = 0, None
        self.over()

    def over(self):
        # The runs begin anew: who clears the alert says that what was true has ended.
        self.state, self.level, self.up, self.down, self.clear = "over", None, {}, {}, {}

    def active(self):
        return self.state in ("open", "clearing")

    def judge(self, verdicts, clear, clock, now):
        """verdicts: by level, lowest first, True, False or UNKNOWN; clear: the condition's, None for the default."""
        rule = self.rule
        at_least = [any3(verdicts[i:]) for i in range(len(verdicts))]           # "while it or a higher one is"
        for i, v in enumerate(at_least):
            follow(self.up, i, v, now)
            follow(self.down, i, opposite(v), now)
        if self.active() and rule.per and period(clock.day(self.since), rule.per) != period(clock.day(now), rule.per):
            # "ends an alert with its period, so that a new one may open": what is still true goes on being true
            self.state, self.level = "over", None
        held = [i for i in self.up if now >= rule.hold.end(clock, self.up[i]) and at_least[i] is True]
        if not self.active():
            self.clear, self.state = {}, "open" if held else "pending" if self.up else "over"
            if held:
                self.number, self.since, self.level = self.number + 1, now, max(held)
            return
        self.level = max([self.level, *held])
        while self.level > 0 and at_least[self.level] is False and now >= rule.keep.end(clock, self.down[self.level]):
            self.level -= 1
        # "`clear` counts only while no level is true"
        clear = False if at_least[0] is True else opposite(at_least[0]) if clear is None else clear
        follow(self.clear, 0, clear, now)
        self.state = "clearing" if self.clear else "open"
        if clear is True and now >= rule.keep.end(clock, self.clear[0]):
            self.over()

    def ends(self):
        """When runs that are given in hours or minutes are complete; all others end at a midnight."""
        runs = [(self.rule.hold, self.up), (self.rule.keep, self.down), (self.rule.keep, self.clear)]
        return [start + span.ms for span, of in runs if span.unit in MS for start in of.values()]


def follow(runs, i, verdict, now):
    """A run is begun by true and broken by false; unknown does neither."""
    if verdict is True:
        runs.setdefault(i, now)
    elif verdict is False:
        runs.pop(i, None)


def opposite(verdict):
    return not verdict if isinstance(verdict, bool) else verdict
