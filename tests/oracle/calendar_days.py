"""Local days, months by language.md's rule, working days and spans.  A day is a number of days since 1970-01-01, a time is
in milliseconds since then."""
import datetime
import functools
import re
import zoneinfo

EPOCH = datetime.date(1970, 1, 1).toordinal()
MS = {"minute": 60_000, "hour": 3_600_000}
MONTHS = {"month": 1, "quarter": 3, "year": 12}


class Ts(int):
    """A CEL timestamp, in ms."""


def day_of(year, month, day):
    return datetime.date(year, month, day).toordinal() - EPOCH


def parse_day(text):
    return datetime.date.fromisoformat(text).toordinal() - EPOCH


def civil(day):
    return datetime.date.fromordinal(day + EPOCH)


def day_text(day):
    return civil(day).isoformat()


@functools.lru_cache(100_000)
def add_months(day, n):
    """Adding months keeps the day of the month, or takes the month's last."""
    date = civil(day)
    year, month = divmod(date.year * 12 + date.month - 1 + n, 12)
    last = (datetime.date(year + month // 11, (month + 1) % 12 + 1, 1) - datetime.timedelta(1)).day
    return day_of(year, month + 1, min(date.day, last))


@functools.lru_cache(100_000)
def months_between(start, today):
    """The most months that can be added to start without passing today."""
    a, b = civil(start), civil(today)
    n = (b.year - a.year) * 12 + b.month - a.month + 1
    while add_months(start, n) > today:
        n -= 1
    return n


class Span:
    """'10 working days', '12 whole months', '1 month', '20 minutes'."""

    def __init__(self, text):
        m = re.fullmatch(r"(\d+) (whole |working )?(\w+?)s?", text)
        self.n, self.kind, self.unit = int(m[1]), (m[2] or "").strip(), m[3]

    def after(self, clock, day):
        """The day so much later."""
        if self.kind == "working":
            return clock.add_working(day, self.n)
        return self.added(day)

    def months(self):
        return self.n * MONTHS[self.unit]

    def added(self, day):
        return day + self.n if self.unit == "day" else add_months(day, self.months())

    def end(self, clock, start):
        """When a run that began at start is complete: hold and keep end at 00:00 of the day they began plus that many."""
        if self.n == 0:
            return start
        if self.unit in MS:
            return start + self.n * MS[self.unit]
        return clock.midnight(self.after(clock, clock.day(start)))

    def elapsed(self):
        return self.n * MS.get(self.unit, 86_400_000)


class Clock:
    """One zone and one calendar."""

    def __init__(self, zone, years):
        self.zone = zoneinfo.ZoneInfo(zone)
        self.off, self.work = set(), set()
        for year in years.values():
            for kind, days in (("off", self.off), ("work", self.work)):
                for item in year.get(kind) or []:
                    first, _, last = item.partition(" to ")
                    days.update(range(parse_day(first), parse_day(last or first) + 1))
        self.day = functools.lru_cache(100_000)(self.day)
        self.midnight = functools.lru_cache(100_000)(self.midnight)

    def day(self, ms):
        return datetime.datetime.fromtimestamp(ms / 1000, self.zone).date().toordinal() - EPOCH

    def midnight(self, day):
        date = civil(day)
        local = datetime.datetime(date.year, date.month, date.day, tzinfo=self.zone)
        return int(local.timestamp()) * 1000

    def working(self, day):
        return day in self.work or (day not in self.off and civil(day).weekday() < 5)

    def add_working(self, day, n):
        step = 1 if n > 0 else -1
        while n:
            day += step
            n -= step * self.working(day)
        return day

    def working_between(self, start, end):
        """Working days after start up to end; 0 on the day itself, negative backwards."""
        if end < start:
            return -self.working_between(end, start)
        return sum(self.working(d) for d in range(start + 1, end + 1))

    def date(self, text):
        """2015-03-02, 2015-03 for its first day, or a timestamp's local day: a day; None where it is none of them."""
        try:
            if re.fullmatch(r"\d{4}-\d\d(-\d\d)?", text):
                return parse_day(text if len(text) > 7 else text + "-01")
            return self.day(instant(text))
        except ValueError:
            return None

    def moment(self, text):
        """As date, but a timestamp keeps its time: in ms."""
        if "T" not in text:
            day = self.date(text)
            return None if day is None else self.midnight(day)
        return instant(text)


def instant(text):
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)", text):
        raise ValueError(text)
    at = datetime.datetime.fromisoformat(text)
    return (int(at.replace(microsecond=0).timestamp()) * 1000) + at.microsecond // 1000
