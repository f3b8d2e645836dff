/* cel_library_time.c: the getters of timestamps and durations, in UTC, at a fixed offset or in an IANA zone. */
#include "cel_library.h"
#include "cel_print.h"
#include "cel_time.h"
#include <string.h>

enum part { YEAR, MONTH, DATE, DAY_OF_MONTH, DAY_OF_WEEK, DAY_OF_YEAR, HOURS, MINUTES, SECONDS, MILLISECONDS };

static int64_t part_of(enum part part, int64_t seconds, uint32_t nanos)
{
	int64_t days = seconds / 86400 - (seconds % 86400 < 0), rest = seconds - days * 86400, year;
	unsigned month, day;
	cel_civil_from_days(days, &year, &month, &day);
	switch (part) {
	case YEAR:
		return year;
	case MONTH:
		return month - 1;
	case DATE:
		return day;
	case DAY_OF_MONTH:
		return day - 1;
	case DAY_OF_WEEK:
		return ((days + 4) % 7 + 7) % 7;
	case DAY_OF_YEAR:
		return days - cel_days_from_civil(year, 1, 1);
	case HOURS:
		return rest / 3600;
	case MINUTES:
		return rest / 60 % 60;
	case SECONDS:
		return rest % 60;
	default:
		return nanos / 1000000;
	}
}

static bool two_digits(const char *s)
{
	return s[0] >= '0' && s[0] <= '9' && s[1] >= '0' && s[1] <= '9';
}

/* "+08:00", "-02:30", "02:00" */
static bool fixed_offset(const char *s, size_t len, int64_t *offset)
{
	bool west = len && *s == '-';
	if (len == 6 && (*s == '+' || *s == '-')) {
		s++;
		len--;
	}
	if (len != 5 || s[2] != ':' || !two_digits(s) || !two_digits(s + 3))
		return false;
	int hours = (s[0] - '0') * 10 + s[1] - '0', minutes = (s[3] - '0') * 10 + s[4] - '0';
	*offset = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
	return hours <= 23 && minutes <= 59;
}

bool cel_find_offset(const struct cel_options *options, struct cel_value name, int64_t at, int64_t *offset)
{
	if (fixed_offset(name.s, name.len, offset))
		return true;
	*offset = 0;
	if (name.len == 3 && memcmp(name.s, "UTC", 3) == 0)
		return true;
	const struct cel_zone *zone = options->zone ? options->zone(options->zone_ctx, name.s, name.len) : NULL;
	if (zone)
		*offset = cel_zone_offset(zone, at);
	return zone != NULL;
}

static struct cel_value get(const struct cel_call *call, const struct cel_value *args, size_t n, enum part part,
			    const char *name)
{
	const struct cel_options *options = run_of(call)->options;
	int64_t offset = 0;
	char text[64];
	if (n == 1 && options->refuse_utc_getters)
		return cel_fail(call, "%s() needs a time zone", name);
	if (n == 2 && !cel_find_offset(options, args[1], args[0].i, &offset))
		return cel_fail(call, "there is no time zone %s", cel_show(args[1], text, sizeof text));
	return cel_int(part_of(part, args[0].i + offset, args[0].nanos));
}

#define GETTER(function, name, part)                                                                          \
	static struct cel_value function(const struct cel_call *call, const struct cel_value *args, size_t n) \
	{                                                                                                     \
		return get(call, args, n, part, name);                                                        \
	}
GETTER(full_year, "getFullYear", YEAR)
GETTER(month, "getMonth", MONTH)
GETTER(date, "getDate", DATE)
GETTER(day_of_month, "getDayOfMonth", DAY_OF_MONTH)
GETTER(day_of_week, "getDayOfWeek", DAY_OF_WEEK)
GETTER(day_of_year, "getDayOfYear", DAY_OF_YEAR)
GETTER(hours, "getHours", HOURS)
GETTER(minutes, "getMinutes", MINUTES)
GETTER(seconds, "getSeconds", SECONDS)
GETTER(milliseconds, "getMilliseconds", MILLISECONDS)

/* Whole units of a duration, toward zero. */
static int64_t units(struct cel_value d, int64_t unit)
{
	int64_t whole = d.i + (d.i < 0 && d.nanos > 0);
	return whole / unit;
}

#define DURATION(function, value)                                                                             \
	static struct cel_value function(const struct cel_call *call, const struct cel_value *args, size_t n) \
	{                                                                                                     \
		(void)call, (void)n;                                                                          \
		return cel_int(value);                                                                        \
	}
DURATION(duration_hours, units(args[0], 3600))
DURATION(duration_minutes, units(args[0], 60))
DURATION(duration_seconds, units(args[0], 1))
/* the milliseconds within the second, as the standard's cases have it */
DURATION(duration_milliseconds,
	 args[0].i < 0 && args[0].nanos ? -(int64_t)(1000000000 - args[0].nanos) / 1000000 : args[0].nanos / 1000000)

#define BOTH(name, function)            \
	{name, ".t:i", function},       \
	{                               \
		name, ".ts:i", function \
	}
static const struct builtin functions[] = {
	BOTH("getFullYear", full_year),
	BOTH("getMonth", month),
	BOTH("getDate", date),
	BOTH("getDayOfMonth", day_of_month),
	BOTH("getDayOfWeek", day_of_week),
	BOTH("getDayOfYear", day_of_year),
	BOTH("getHours", hours),
	BOTH("getMinutes", minutes),
	BOTH("getSeconds", seconds),
	BOTH("getMilliseconds", milliseconds),
	{"getHours", ".p:i", duration_hours},
	{"getMinutes", ".p:i", duration_minutes},
	{"getSeconds", ".p:i", duration_seconds},
	{"getMilliseconds", ".p:i", duration_milliseconds},
};
const struct library cel_library_time = {functions, sizeof functions / sizeof *functions};
