/* cel_zone.c: time zones from TZif data (RFC 8536): the transitions, and the POSIX rule of the footer for all later. */
#include "cel.h"
#include <stdlib.h>
#include <string.h>

enum rule_form { RULE_NONE, RULE_MONTH, RULE_JULIAN, RULE_DAY };
struct rule { /* when in a year the clock changes */
	uint8_t form;
	int month, week, weekday; /* Mm.w.d */
	int day;                  /* Jn: 1 to 365 without leap days; n: 0 to 365 */
	int64_t time;             /* seconds from local midnight */
};

struct cel_zone {
	size_t n;
	int64_t *at;      /* instants of change */
	int32_t *offsets; /* from then on */
	int32_t first;    /* before all */
	bool footer;
	int32_t standard, summer;
	struct rule begin, end; /* of summer time; none: always standard */
};

/* --- the footer: "CET-1CEST,M3.5.0,M10.5.0/3" */
struct reader {
	const char *s, *end;
	bool fine;
};

static int look(const struct reader *r)
{
	return r->s < r->end ? (unsigned char)*r->s : 0;
}
static bool digit(int ch)
{
	return ch >= '0' && ch <= '9';
}

static int number(struct reader *r)
{
	int v = 0, n = 0;
	for (; digit(look(r)) && n < 4; r->s++, n++)
		v = v * 10 + (look(r) - '0');
	r->fine &= n > 0;
	return v;
}

static void name(struct reader *r)
{
	if (look(r) == '<') {
		while (look(r) && look(r) != '>')
			r->s++;
		r->fine &= look(r) == '>';
		r->s++;
		return;
	}
	const char *start = r->s;
	while ((look(r) >= 'A' && look(r) <= 'Z') || (look(r) >= 'a' && look(r) <= 'z'))
		r->s++;
	r->fine &= r->s > start;
}

static int64_t clock_time(struct reader *r)
{
	int sign = look(r) == '-' ? -1 : 1;
	if (look(r) == '-' || look(r) == '+')
		r->s++;
	int64_t t = number(r) * INT64_C(3600);
	for (int unit = 60; unit && look(r) == ':'; unit /= 60) {
		r->s++;
		t += number(r) * (int64_t)unit;
	}
	return sign * t;
}

static struct rule read_rule(struct reader *r)
{
	struct rule rule = {.form = RULE_DAY, .time = 7200};
	if (look(r) == 'M') {
		rule.form = RULE_MONTH;
		r->s++;
		rule.month = number(r);
		r->fine &= look(r) == '.';
		r->s++;
		rule.week = number(r);
		r->fine &= look(r) == '.';
		r->s++;
		rule.weekday = number(r);
		r->fine &= rule.month >= 1 && rule.month <= 12 && rule.week >= 1 && rule.week <= 5 && rule.weekday <= 6;
	} else {
		if (look(r) == 'J') {
			rule.form = RULE_JULIAN;
			r->s++;
		}
		rule.day = number(r);
		r->fine &= rule.day <= 365;
	}
	if (look(r) == '/') {
		r->s++;
		rule.time = clock_time(r);
	}
	return rule;
}

static void read_footer(struct cel_zone *z, const char *s, const char *end)
{
	struct reader r = {s, end, true};
	name(&r);
	z->standard = (int32_t)-clock_time(&r);
	if (r.s < r.end && look(&r)) {
		name(&r);
		z->summer = z->standard + 3600;
		if (look(&r) != ',' && look(&r))
			z->summer = (int32_t)-clock_time(&r);
		r.fine &= look(&r) == ',';
		r.s++;
		z->begin = read_rule(&r);
		r.fine &= look(&r) == ',';
		r.s++;
		z->end = read_rule(&r);
	}
	z->footer = r.fine && r.s >= r.end;
}

/* The instant at which the rule strikes in a year, on a clock of the given offset. */
static int64_t strikes(const struct rule *rule, int64_t year, int32_t offset)
{
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	int64_t day;
	if (rule->form == RULE_MONTH) {
		int64_t first = cel_days_from_civil(year, (unsigned)rule->month, 1);
		int64_t next = rule->month == 12 ? cel_days_from_civil(year + 1, 1, 1)
						 : cel_days_from_civil(year, (unsigned)rule->month + 1, 1);
		int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
		day = first + (rule->weekday - weekday + 7) % 7 + (rule->week - 1) * INT64_C(7);
		if (day >= next)
			day -= 7;
	} else {
		day = cel_days_from_civil(year, 1, 1) + rule->day;
		if (rule->form == RULE_JULIAN)
			day += (leap && rule->day >= 60) - 1;
	}
	return day * 86400 + rule->time - offset;
}

static int32_t by_footer(const struct cel_zone *z, int64_t seconds)
{
	if (z->begin.form == RULE_NONE)
		return z->standard;
	int64_t year;
	unsigned month, day;
	int64_t days = (seconds + z->standard) / 86400 - ((seconds + z->standard) % 86400 < 0);
	cel_civil_from_days(days, &year, &month, &day);
	int64_t begin = strikes(&z->begin, year, z->standard), end = strikes(&z->end, year, z->summer);
	bool summer = begin < end ? seconds >= begin && seconds < end : seconds >= begin || seconds < end;
	return summer ? z->summer : z->standard;
}

/* --- the file */
static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static int64_t get_time(const unsigned char *p, unsigned width)
{
	return width == 4 ? (int32_t)get32(p) : (int64_t)((uint64_t)get32(p) << 32 | get32(p + 4));
}

struct counts {
	uint64_t isut, isstd, leap, times, types, chars;
	uint64_t size; /* of the block */
};

static bool read_header(const unsigned char *p, size_t size, unsigned width, struct counts *c)
{
	if (size < 44 || memcmp(p, "TZif", 4) != 0)
		return false;
	*c = (struct counts){
		get32(p + 20), get32(p + 24), get32(p + 28), get32(p + 32), get32(p + 36), get32(p + 40), 0};
	c->size = c->times * (width + 1) + c->types * 6 + c->chars + c->leap * (width + 4) + c->isstd + c->isut;
	return c->types > 0 && c->size <= size - 44;
}

static bool read_block(struct cel_zone *z, const unsigned char *p, const struct counts *c, unsigned width)
{
	const unsigned char *index = p + c->times * width, *types = index + c->times;
	z->n = c->times;
	z->at = calloc(z->n + 1, sizeof *z->at);
	z->offsets = calloc(z->n + 1, sizeof *z->offsets);
	if (!z->at || !z->offsets)
		return false;
	z->first = (int32_t)get32(types);
	for (size_t i = 0; i < z->n; i++) {
		if (index[i] >= c->types)
			return false;
		z->at[i] = get_time(p + i * width, width);
		z->offsets[i] = (int32_t)get32(types + index[i] * 6u);
		if (z->offsets[i] <= -90000 || z->offsets[i] >= 93600 || (i && z->at[i] <= z->at[i - 1]))
			return false;
	}
	return z->first > -90000 && z->first < 93600;
}

struct cel_zone *cel_zone_new(const void *tzif, size_t size)
{
	const unsigned char *p = tzif;
	struct counts c;
	if (!read_header(p, size, 4, &c))
		return NULL;
	unsigned width = p[4] >= '2' ? 8 : 4;
	if (width == 8) { /* the second block holds the same with wide times */
		p += 44 + c.size;
		size -= 44 + c.size;
		if (!read_header(p, size, 8, &c))
			return NULL;
	}
	struct cel_zone *z = calloc(1, sizeof *z);
	if (!z || !read_block(z, p + 44, &c, width)) {
		cel_zone_free(z);
		return NULL;
	}
	const char *footer = (const char *)p + 44 + c.size, *end = (const char *)p + size;
	if (width == 8 && footer < end && *footer == '\n') {
		const char *stop = memchr(footer + 1, '\n', (size_t)(end - footer - 1));
		if (stop && stop > footer + 1)
			read_footer(z, footer + 1, stop);
	}
	return z;
}

void cel_zone_free(struct cel_zone *zone)
{
	if (!zone)
		return;
	free(zone->at);
	free(zone->offsets);
	free(zone);
}

int32_t cel_zone_offset(const struct cel_zone *zone, int64_t seconds)
{
	size_t low = 0, high = zone->n;
	if (high && zone->at[high - 1] <= seconds)
		low = high; /* after the last transition, as most are */
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (zone->at[middle] <= seconds)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == zone->n && zone->footer)
		return by_footer(zone, seconds);
	return low ? zone->offsets[low - 1] : zone->first;
}

int64_t cel_zone_midnight(const struct cel_zone *zone, int64_t day)
{
	/* A day's first instant is where the local clock first shows it; clocks differ from UTC by at most 26 hours,
	 * and within those two days an offset changes a few times at most. */
	int64_t wall = day * 86400, low = wall - 93600, high = wall + 93600;
	int64_t plain = wall - cel_zone_offset(zone, wall - cel_zone_offset(zone, wall));
	int64_t before = cel_zone_offset(zone, plain - 1) + plain - 1;
	if (plain + cel_zone_offset(zone, plain) == wall && before < wall) {
		/* the usual case; where midnight comes twice the earlier one is meant */
		int64_t earlier = wall - cel_zone_offset(zone, plain - 7200);
		return earlier < plain && earlier + cel_zone_offset(zone, earlier) == wall ? earlier : plain;
	}
	while (low < high) { /* 00:00 is skipped: the first instant whose local time is not before it */
		int64_t middle = low + (high - low) / 2;
		if (middle + cel_zone_offset(zone, middle) < wall)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
