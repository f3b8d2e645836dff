/* Local days, spans of time and working days.  A day is a count of days since 1970-01-01 (Gregorian); an instant
 * is in milliseconds since 1970-01-01T00:00Z. */
#ifndef DAY_H
#define DAY_H
#include "cel.h"
#include "../util/arena.h"

#define DAY_NEVER INT32_MAX
#define TIME_NEVER INT64_MAX

enum span_unit { SPAN_MINUTES, SPAN_HOURS, SPAN_DAYS, SPAN_MONTHS, SPAN_QUARTERS, SPAN_YEARS, SPAN_WORKING_DAYS };
struct span {
	int32_t n;
	enum span_unit unit;
};

int32_t day_of(const struct cel_zone *zone, int64_t ms);     /* the local day of an instant */
int64_t day_start(const struct cel_zone *zone, int32_t day); /* the instant of its 00:00 */
int32_t day_add_months(int32_t day, int32_t months);         /* keeps the day of the month, or takes the month's last */
int32_t day_of_month_start(int32_t day);                     /* the first day of its month */
int32_t day_of_period_start(int32_t day, enum span_unit unit); /* of its month, quarter or year */
int32_t day_months_between(int32_t from,
			   int32_t to);            /* largest m with day_add_months(from, m) <= to; may be negative */
struct str day_text(struct arena *a, int32_t day); /* 2023-06-01 */
/* "2015-03-02", "2015-03" (its first day) or an RFC 3339 timestamp (its local day).  False: none of these. */
bool day_parse(const struct cel_zone *zone, struct str text, int32_t *day);
/* An RFC 3339 timestamp, or a date or month as above (its local 00:00), to an instant. */
bool time_parse(const struct cel_zone *zone, struct str text, int64_t *ms);
/* The same of what lasts until then: a date or a month passes when it ends. */
bool until_parse(const struct cel_zone *zone, struct str text, int64_t *ms);
typedef bool parse_time(const struct cel_zone *zone, struct str text, int64_t *ms); /* either of them */
struct str time_text(struct arena *a, const struct cel_zone *zone,
		     int64_t ms); /* 2023-06-01T08:00:00+08:00, with .123 where not whole */

/* When a run (hold, keep) that began at start is complete: elapsed time for minutes and hours, 00:00 of the day it
 * began plus that many for the others; 0 is at once. */
struct calendar;
int64_t span_end(struct span span, const struct cel_zone *zone, const struct calendar *calendar, int64_t start);

/* Working days: Monday to Friday, without the calendar's days off, with its days of 调休 (weekend days worked). */
struct calendar {
	const char *name;
	int32_t first_day, last_day; /* of the years that it lists; first > last: none */
	/* working[d - base] is the number of working days in [base, d); covers the years 1970 to 2199 */
	const int32_t *working;
};
enum { CALENDAR_FIRST_YEAR = 1970, CALENDAR_LAST_YEAR = 2199 };
/* off and work: n days each, any order.  The calendar and its table live in the arena. */
struct calendar *calendar_new(struct arena *a, const char *name, const int32_t *off, size_t n_off, const int32_t *work,
			      size_t n_work, int32_t first_day, int32_t last_day);
bool calendar_is_working(const struct calendar *c, int32_t day);
int32_t calendar_count(const struct calendar *c, int32_t from,
		       int32_t to); /* working days in (from, to]; negative where to < from */
int32_t calendar_add(const struct calendar *c, int32_t day,
		     int32_t n); /* the n-th working day after day; n 0: day itself */
#endif
