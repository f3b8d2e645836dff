"""Measures: sums and counts over windows of local days (language.md, Windows)."""
import datetime

from calendar_days import DAY, MONTHS, Span, add_months
from expression import UNKNOWN
from values import Reject, fen, is_money, is_number


class Measure:
    def __init__(self, measures, name):
        d, self.base = measures[name], name
        while "of" in measures[self.base]:
            self.base = measures[self.base]["of"]
        self.count, self.money = "count" in measures[self.base], is_money(measures[self.base])
        self.window, self.ago = (Span(d[k]) if k in d else None for k in ("window", "ago"))
        self.gaps = d.get("gaps") == "unknown"

    def amount(self, v):
        if not (isinstance(v, bool) if self.count else is_number(v)):
            raise Reject(f"{self.base}: expected a {'bool' if self.count else 'number'}")
        return int(v) if self.count else fen(v) if self.money else float(v)

    def holds(self, day, today):
        """Is a contribution of this day in the window?  Without a window: all up to today.  `ago` is added to the day, as
        the length is ("while d + 12 months > today"), so that of two windows that adjoin exactly one has it."""
        if self.window and self.window.kind == "whole":             # those that end before the one of today, moved back by `ago`
            months, past = MONTHS[self.window.unit], add_months(today, -self.ago.months if self.ago else 0)
            last = datetime.date(past.year, (past.month - 1) // months * months + 1, 1)
            return add_months(last, -self.window.months) <= day < last
        enters = self.ago.after(day) if self.ago else day
        if not self.window or enters > today:
            return enters <= today
        if self.ago and self.ago.months and self.window.months:
            return add_months(day, self.ago.months + self.window.months) > today
        return self.window.after(enters) > today

    def months(self, today):
        """The first and last days of the whole months of the window: those whose every day is in it."""
        for n in range(66):
            first = add_months(today.replace(day=1), -n)
            last = add_months(first, 1) - DAY
            if self.holds(first, today) and self.holds(last, today):
                yield first, last

    def value(self, contributions, today):
        """contributions: (day, amount) of this measure's base; of money, amounts are fen."""
        contributions = [c for c in contributions if c[0] and self.holds(c[0], today)]
        if self.gaps and any(not any(first <= d <= last for d, _ in contributions) for first, last in self.months(today)):
            return UNKNOWN
        total = sum(amount for _, amount in contributions)
        return total if self.count else total / 100 if self.money else float(total)
