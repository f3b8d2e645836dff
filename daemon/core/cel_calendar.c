/* cel_calendar.c: the proleptic Gregorian calendar; reading and adding timestamps and durations. */
#include "cel_time.h"
#include <string.h>

enum { NANOS = 1000000000 };

/* Days are counted in years that begin in March, so that the leap day ends a year; 400 years are 146,097 days. */
int64_t cel_days_from_civil(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + (int64_t)day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void cel_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t of_era = days - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * of_year + 2) / 153;
	*day = (unsigned)(of_year - (153 * m + 2) / 5 + 1);
	*month = (unsigned)(m < 10 ? m + 3 : m - 9);
	*year = y + era * 400 + (*month <= 2);
}

bool cel_timestamp_fits(int64_t seconds)
{
	return seconds >= INT64_C(-62135596800) && seconds <= INT64_C(253402300799);
}

static bool duration_fits(int64_t seconds, uint32_t nanos)
{
	int64_t total;
	if (seconds < 0 && nanos) { /* so that the least one doesn't overflow on its way */
		seconds++;
		return !__builtin_mul_overflow(seconds, (int64_t)NANOS, &total) &&
		       !__builtin_sub_overflow(total, (int64_t)NANOS - nanos, &total);
	}
	return !__builtin_mul_overflow(seconds, (int64_t)NANOS, &total) &&
	       !__builtin_add_overflow(total, (int64_t)nanos, &total);
}

bool cel_time_add(struct cel_value a, struct cel_value b, bool minus, int kind, struct cel_value *sum)
{
	int64_t seconds, nanos = minus ? (int64_t)a.nanos - b.nanos : (int64_t)a.nanos + b.nanos;
	bool over = minus ? __builtin_sub_overflow(a.i, b.i, &seconds) : __builtin_add_overflow(a.i, b.i, &seconds);
	if (nanos < 0) {
		nanos += NANOS;
		over |= __builtin_sub_overflow(seconds, 1, &seconds);
	} else if (nanos >= NANOS) {
		nanos -= NANOS;
		over |= __builtin_add_overflow(seconds, 1, &seconds);
	}
	*sum = cel_timestamp(seconds, (uint32_t)nanos);
	sum->kind = (uint8_t)kind;
	return !over && (kind == CEL_TIMESTAMP ? cel_timestamp_fits(seconds) : duration_fits(seconds, (uint32_t)nanos));
}

/* --- reading */
struct reader {
	const char *s, *end;
	bool fine;
};

static int64_t digits(struct reader *r, int n)
{
	int64_t v = 0;
	for (; n > 0; n--, r->s++) {
		if (r->s == r->end || *r->s < '0' || *r->s > '9') {
			r->fine = false;
			return 0;
		}
		v = v * 10 + (*r->s - '0');
	}
	return v;
}

static bool letter(struct reader *r, const char *any)
{
	if (r->s == r->end || !*r->s || !strchr(any, *r->s))
		return false;
	r->s++;
	return true;
}

static void must(struct reader *r, const char *any)
{
	r->fine &= letter(r, any);
}

static uint32_t fraction(struct reader *r)
{
	uint32_t nanos = 0, scale = NANOS / 10;
	const char *start = r->s;
	for (; r->s < r->end && *r->s >= '0' && *r->s <= '9'; r->s++, scale /= 10)
		nanos += (uint32_t)(*r->s - '0') * scale;
	r->fine &= r->s > start;
	return nanos;
}

static unsigned days_of_month(int64_t year, unsigned month)
{
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month == 2 ? 28u + leap : 30u + ((month + (month > 7)) & 1);
}

bool cel_parse_timestamp(const char *s, size_t len, int64_t *seconds, uint32_t *nanos)
{
	struct reader r = {s, s + len, true};
	int64_t year = digits(&r, 4);
	must(&r, "-");
	unsigned month = (unsigned)digits(&r, 2);
	must(&r, "-");
	unsigned day = (unsigned)digits(&r, 2);
	must(&r, "Tt");
	int64_t hour = digits(&r, 2);
	must(&r, ":");
	int64_t minute = digits(&r, 2);
	must(&r, ":");
	int64_t second = digits(&r, 2), offset = 0;
	*nanos = letter(&r, ".") ? fraction(&r) : 0;
	if (!letter(&r, "Zz")) {
		bool west = r.s < r.end && *r.s == '-';
		must(&r, "+-");
		int64_t hours = digits(&r, 2);
		must(&r, ":");
		int64_t minutes = digits(&r, 2);
		r.fine &= hours <= 23 && minutes <= 59;
		offset = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
	}
	if (!r.fine || r.s != r.end || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) ||
	    hour > 23 || minute > 59 || second > 59)
		return false;
	*seconds = cel_days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
	return true;
}

/* One number and unit, added to *total (nanoseconds, of one sign). */
static bool duration_part(struct reader *r, __int128 *total)
{
	static const struct {
		const char *name;
		int64_t nanos;
	} units[] = {
		{"ns", 1},
		{"us", 1000},
		{"µs", 1000},
		{"μs", 1000},
		{"ms", 1000000},
		{"s", NANOS},
		{"m", INT64_C(60) * NANOS},
		{"h", INT64_C(3600) * NANOS},
	};
	__int128 whole = 0, part = 0, scale = 1;
	const char *start = r->s;
	for (; r->s < r->end && *r->s >= '0' && *r->s <= '9'; r->s++)
		if ((whole = whole * 10 + (*r->s - '0')) > (__int128)INT64_MAX + 1)
			return false;
	size_t n = (size_t)(r->s - start);
	if (letter(r, "."))
		for (; r->s < r->end && *r->s >= '0' && *r->s <= '9'; r->s++, n++)
			if (scale < INT64_C(1000000000000000)) {
				part = part * 10 + (*r->s - '0');
				scale *= 10;
			}
	if (n == 0)
		return false;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		size_t len = strlen(units[i].name);
		if ((size_t)(r->end - r->s) < len || memcmp(r->s, units[i].name, len) != 0)
			continue;
		const char *after = r->s + len;
		if (after < r->end && (*after < '0' || *after > '9') && *after != '.')
			continue; /* m of ms */
		*total += whole * units[i].nanos + part * units[i].nanos / scale;
		r->s = after;
		return *total <= (__int128)INT64_MAX + 1;
	}
	return false;
}

bool cel_parse_duration(const char *s, size_t len, struct cel_value *out)
{
	struct reader r = {s, s + len, true};
	__int128 total = 0;
	bool negative = r.s < r.end && *r.s == '-';
	if (r.s < r.end && (*r.s == '-' || *r.s == '+'))
		r.s++;
	if (r.end - r.s == 1 && *r.s == '0') {
		r.s++;
	} else {
		do
			if (!duration_part(&r, &total))
				return false;
		while (r.s < r.end);
	}
	if (negative)
		total = -total;
	int64_t seconds = (int64_t)(total / NANOS), nanos = (int64_t)(total % NANOS);
	if (nanos < 0) {
		nanos += NANOS;
		seconds--;
	}
	*out = (struct cel_value){.kind = CEL_DURATION, .nanos = (uint32_t)nanos, .i = seconds};
	return duration_fits(seconds, (uint32_t)nanos);
}
