/* Local days, months by the rule of language.md ("adding months keeps the day of the month, or takes the month's
 * last"), spans and working days. */
#include "day.h"
#include <string.h>

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int32_t day_of(const struct cel_zone *zone, int64_t ms)
{
	int64_t seconds = floor_div(ms, 1000);
	return (int32_t)floor_div(seconds + cel_zone_offset(zone, seconds), 86400);
}

int64_t day_start(const struct cel_zone *zone, int32_t day)
{
	return day == DAY_NEVER ? TIME_NEVER : cel_zone_midnight(zone, day) * 1000;
}

static unsigned days_in_month(int64_t year, unsigned month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month == 2 && leap ? 29 : days[month - 1];
}

int32_t day_add_months(int32_t day, int32_t months)
{
	int64_t year;
	unsigned month, d;
	cel_civil_from_days(day, &year, &month, &d);
	int64_t m = year * 12 + (int64_t)month - 1 + months;
	year = floor_div(m, 12);
	month = (unsigned)(m - year * 12) + 1;
	unsigned last = days_in_month(year, month);
	return (int32_t)cel_days_from_civil(year, month, d < last ? d : last);
}

int32_t day_of_month_start(int32_t day)
{
	return day_of_period_start(day, SPAN_MONTHS);
}

int32_t day_of_period_start(int32_t day, enum span_unit unit)
{
	int64_t year;
	unsigned month, d;
	cel_civil_from_days(day, &year, &month, &d);
	if (unit == SPAN_YEARS)
		month = 1;
	else if (unit == SPAN_QUARTERS)
		month = (month - 1) / 3 * 3 + 1;
	return (int32_t)cel_days_from_civil(year, month, 1);
}

int32_t day_months_between(int32_t from, int32_t to)
{
	int64_t y1, y2;
	unsigned m1, m2, d1, d2;
	cel_civil_from_days(from, &y1, &m1, &d1);
	cel_civil_from_days(to, &y2, &m2, &d2);
	int32_t months = (int32_t)((y2 - y1) * 12 + (int64_t)m2 - (int64_t)m1);
	return day_add_months(from, months) <= to ? months : months - 1;
}

struct str day_text(struct arena *a, int32_t day)
{
	int64_t year;
	unsigned month, d;
	cel_civil_from_days(day, &year, &month, &d);
	return str_of(arena_printf(a, "%04lld-%02u-%02u", (long long)year, month, d));
}

static bool digits(struct str text, uint32_t from, uint32_t n, unsigned *out)
{
	*out = 0;
	if (from + n > text.len)
		return false;
	for (uint32_t i = from; i < from + n; i++) {
		if (text.s[i] < '0' || text.s[i] > '9')
			return false;
		*out = *out * 10 + (unsigned)(text.s[i] - '0');
	}
	return true;
}

/* 2015-03-02 or 2015-03 */
static bool date_parse(struct str text, int32_t *day)
{
	unsigned y, m, d = 1;
	if ((text.len != 7 && text.len != 10) || !digits(text, 0, 4, &y) || text.s[4] != '-' || !digits(text, 5, 2, &m))
		return false;
	if (text.len == 10 && (text.s[7] != '-' || !digits(text, 8, 2, &d)))
		return false;
	if (y < 1 || m < 1 || m > 12 || d < 1 || d > days_in_month(y, m))
		return false;
	*day = (int32_t)cel_days_from_civil(y, m, d);
	return true;
}

bool day_parse(const struct cel_zone *zone, struct str text, int32_t *day)
{
	int64_t seconds;
	uint32_t nanos;
	if (date_parse(text, day))
		return true;
	if (!cel_parse_timestamp(text.s, text.len, &seconds, &nanos))
		return false;
	*day = day_of(zone, seconds * 1000);
	return true;
}

bool time_parse(const struct cel_zone *zone, struct str text, int64_t *ms)
{
	int32_t day;
	int64_t seconds;
	uint32_t nanos;
	if (date_parse(text, &day)) {
		*ms = day_start(zone, day);
		return true;
	}
	if (!cel_parse_timestamp(text.s, text.len, &seconds, &nanos))
		return false;
	*ms = seconds * 1000 + nanos / 1000000;
	return true;
}

bool until_parse(const struct cel_zone *zone, struct str text, int64_t *ms)
{
	int32_t day;
	if (!date_parse(text, &day))
		return time_parse(zone, text, ms);
	*ms = day_start(zone, text.len == strlen("2015-03") ? day_add_months(day, 1) : day + 1);
	return true;
}

struct str time_text(struct arena *a, const struct cel_zone *zone, int64_t ms)
{
	int64_t seconds = floor_div(ms, 1000), year;
	int32_t offset = cel_zone_offset(zone, seconds);
	int64_t local = seconds + offset, day = floor_div(local, 86400);
	int millis = (int)(ms - seconds * 1000), second = (int)(local - day * 86400);
	unsigned month, d;
	cel_civil_from_days(day, &year, &month, &d);
	char fraction[8] = "";
	if (millis) {
		fraction[0] = '.';
		fraction[1] = (char)('0' + millis / 100);
		fraction[2] = (char)('0' + millis / 10 % 10);
		fraction[3] = (char)('0' + millis % 10);
		fraction[4] = '\0';
	}
	int east = offset < 0 ? -offset : offset;
	return str_of(arena_printf(a, "%04lld-%02u-%02uT%02d:%02d:%02d%s%c%02d:%02d", (long long)year, month, d,
				   second / 3600, second / 60 % 60, second % 60, fraction, offset < 0 ? '-' : '+',
				   east / 3600, east / 60 % 60));
}

int64_t span_end(struct span span, const struct cel_zone *zone, const struct calendar *calendar, int64_t start)
{
	if (span.n <= 0)
		return start;
	int32_t day = day_of(zone, start);
	switch (span.unit) {
	case SPAN_MINUTES:
		return start + (int64_t)span.n * 60000;
	case SPAN_HOURS:
		return start + (int64_t)span.n * 3600000;
	case SPAN_DAYS:
		return day_start(zone, day + span.n);
	case SPAN_MONTHS:
		return day_start(zone, day_add_months(day, span.n));
	case SPAN_QUARTERS:
		return day_start(zone, day_add_months(day, 3 * span.n));
	case SPAN_YEARS:
		return day_start(zone, day_add_months(day, 12 * span.n));
	case SPAN_WORKING_DAYS:
		return day_start(zone, calendar_add(calendar, day, span.n));
	}
	return start;
}

/* --- working days */

static int32_t table_first(void)
{
	return (int32_t)cel_days_from_civil(CALENDAR_FIRST_YEAR, 1, 1);
}
static int32_t table_end(void)
{
	return (int32_t)cel_days_from_civil(CALENDAR_LAST_YEAR + 1, 1, 1);
}

static bool is_weekday(int32_t day)
{
	int32_t w = (day + 3) % 7; /* 1970-01-01 was a Thursday: Monday is 0 */
	return (w < 0 ? w + 7 : w) < 5;
}

struct calendar *calendar_new(struct arena *a, const char *name, const int32_t *off, size_t n_off, const int32_t *work,
			      size_t n_work, int32_t first_day, int32_t last_day)
{
	struct calendar *c = arena_zero(a, sizeof *c);
	int32_t first = table_first(), end = table_end();
	size_t n = (size_t)(end - first);
	char *working = arena_alloc(a, n);
	for (int32_t d = first; d < end; d++)
		working[d - first] = is_weekday(d);
	for (size_t i = 0; i < n_off; i++)
		if (off[i] >= first && off[i] < end)
			working[off[i] - first] = 0;
	for (size_t i = 0; i < n_work; i++)
		if (work[i] >= first && work[i] < end)
			working[work[i] - first] = 1;
	int32_t *table = arena_alloc(a, (n + 1) * sizeof *table);
	table[0] = 0;
	for (size_t i = 0; i < n; i++)
		table[i + 1] = table[i] + working[i];
	*c = (struct calendar){name, first_day, last_day, table};
	return c;
}

/* Working days before the day, counted from the table's first; days beyond the table are weekdays or not. */
static int64_t count_before(const struct calendar *c, int32_t day)
{
	int32_t first = table_first(), end = table_end();
	if (day >= first && day <= end)
		return c->working[day - first];
	int32_t edge = day < first ? first : end;
	int64_t away = (int64_t)day - edge, weeks = floor_div(away, 7), n = weeks * 5;
	for (int64_t d = edge + weeks * 7; d < day; d++)
		n += is_weekday((int32_t)d);
	return (day < first ? 0 : c->working[end - first]) + n;
}

bool calendar_is_working(const struct calendar *c, int32_t day)
{
	return count_before(c, day + 1) > count_before(c, day);
}

int32_t calendar_count(const struct calendar *c, int32_t from, int32_t to)
{
	return (int32_t)(count_before(c, to + 1) - count_before(c, from + 1));
}

int32_t calendar_add(const struct calendar *c, int32_t day, int32_t n)
{
	if (n <= 0)
		return day;
	int64_t want = count_before(c, day + 1) + n;
	int32_t low = day, high = day + n + 30; /* count_before(low + 1) < want <= count_before(high + 1) */
	while (count_before(c, high + 1) < want)
		high += n + 30;
	while (high - low > 1) {
		int32_t middle = low + (high - low) / 2;
		if (count_before(c, middle + 1) < want)
			low = middle;
		else
			high = middle;
	}
	return high;
}
