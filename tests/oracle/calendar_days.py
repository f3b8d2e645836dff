"""Local days, months by language.md's rule, working days and spans.  Days are dates; times are ms since 1970."""
import calendar
import datetime
import functools
import re
import zoneinfo

DAY = datetime.timedelta(1)
MS = {"minute": 60_000, "hour": 3_600_000}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
NEVER = float("inf")


class Ts(int):
    """A CEL timestamp, in ms."""


@functools.lru_cache(100_000)
def add_months(day, n):
    """Adding months keeps the day of the month, or takes the month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + n, 12)
    return datetime.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def months_between(start, today):
    """The most months that can be added to start without passing today."""
    n = (today.year - start.year) * 12 + today.month - start.month
    return n if add_months(start, n) <= today else n - 1


def period(day, months):
    """The number of its month, quarter or year."""
    return (day.year * 12 + day.month - 1) // months


def earliest(days):
    return min((d for d in days if d is not None), default=None)


class Span:
    """'10 working days', '12 whole months', '1 month', '20 minutes'."""

    def __init__(self, text):
        n, self.kind, self.unit = re.fullmatch(r"(\d+) (?:(whole|working) )?(\w+?)s?", text).groups()
        self.n, self.months = int(n), int(n) * MONTHS.get(self.unit, 0)
        self.ms = self.n * MS.get(self.unit, 86_400_000)            # for what counts elapsed time

    def after(self, day, clock=None):
        """The day so much later."""
        if self.kind == "working":
            return clock.add_working(day, self.n)
        return add_months(day, self.months) if self.months else day + self.n * DAY

    def end(self, clock, start):
        """When a run that began at start is complete: hold and keep end at 00:00 of the day they began plus that many."""
        if self.n == 0 or self.unit in MS:
            return start + self.ms
        return clock.midnight(self.after(clock.day(start), clock))


class Clock:
    """One zone and one calendar."""

    def __init__(self, zone, years):
        self.zone, self.listed = zoneinfo.ZoneInfo(zone), {}        # day -> is it a working day, where the calendar says so
        for year in years.values():
            for item, works in [(i, False) for i in year.get("off") or []] + [(i, True) for i in year.get("work") or []]:
                first, last = (datetime.date.fromisoformat(t) for t in (item.split(" to ") * 2)[:2])
                self.listed |= {first + n * DAY: works for n in range((last - first).days + 1)}
        self.day, self.midnight = functools.cache(self.day), functools.cache(self.midnight)

    def day(self, ms):
        return datetime.datetime.fromtimestamp(ms / 1000, self.zone).date()

    def midnight(self, day):
        return int(datetime.datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp()) * 1000

    def working(self, day):
        return self.listed.get(day, day.weekday() < 5)

    def add_working(self, day, n):
        while n:
            day += DAY if n > 0 else -DAY
            n -= self.working(day) * (1 if n > 0 else -1)
        return day

    def working_between(self, start, end):
        """Working days after start up to end; 0 on the day itself, negative backwards."""
        if end < start:
            return -self.working_between(end, start)
        return sum(self.working(start + n * DAY) for n in range(1, (end - start).days + 1))

    def moment(self, text):
        """2015-03-02, 2015-03 for its first day, or a timestamp: in ms; ValueError where it is none of them."""
        if re.fullmatch(r"\d{4}-\d\d(-\d\d)?", text):
            return self.midnight(datetime.date.fromisoformat(text if len(text) > 7 else text + "-01"))
        return instant(text)

    def end_of(self, text):
        """When what lasts until then is over: a date, or a month, when it ends."""
        if not re.fullmatch(r"\d{4}-\d\d(-\d\d)?", text):
            return instant(text)
        day = datetime.date.fromisoformat(text if len(text) > 7 else text + "-01")
        return self.midnight(day + datetime.timedelta(1) if len(text) > 7 else (day + datetime.timedelta(31)).replace(day=1))


def instant(text):
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)", text):
        raise ValueError(f"{text}: expected a date or a timestamp")
    at = datetime.datetime.fromisoformat(text)
    return int(at.replace(microsecond=0).timestamp()) * 1000 + at.microsecond // 1000
