"""Measures: sums and counts over windows of local days (language.md, Windows), and money in whole fen."""
import decimal

from calendar_days import MONTHS, Span, add_months, civil, day_of
from expression import UNKNOWN


def fen(text):
    """Whole fen, half up (away from zero) by the decimal digits as written."""
    return int(decimal.Decimal(text).scaleb(2).quantize(decimal.Decimal(1), decimal.ROUND_HALF_UP))


def is_money(unit):
    return bool(unit) and unit.startswith("yuan")


def rounded(v):
    return fen(f"{v:.15g}") / 100 if abs(v) < 9e13 else UNKNOWN      # infinity has no fen: an evaluation error


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
