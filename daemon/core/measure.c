/* Measures: sums and counts over windows of local days (language.md, "Windows").
 *
 * A rolling window reads a contribution of day d while d + ago <= today < d + ago + length; whole months, quarters or
 * years end before the current one, moved back by `ago`.  Both are a range of days, first to last. */
#include "step.h"
#include <math.h>
#include <string.h>

int32_t contribution_day(const struct engine *e, const struct contribution *c)
{
	return day_of(e->ruleset->zone, e->s->origins[c->origin].at);
}

static int32_t add_span(int32_t day, struct span span)
{
	int32_t months = span.unit == SPAN_YEARS ? 12 : span.unit == SPAN_QUARTERS ? 3 : 1;
	return span.n == 0 ? day : span.unit == SPAN_DAYS ? day + span.n : day_add_months(day, span.n * months);
}

static struct span negative(struct span span)
{
	return (struct span){-span.n, span.unit};
}

/* The day at which a contribution of day d enters a rolling window. */
static int32_t entry(const struct window *w, int32_t d)
{
	return add_span(d, w->ago);
}

/* The day at which it leaves; months of ago and length are added in one step, so that adjoining windows meet. */
static int32_t leave(const struct window *w, int32_t d)
{
	bool months = w->ago.n && w->ago.unit != SPAN_DAYS && w->length.unit != SPAN_DAYS;
	if (!months)
		return add_span(add_span(d, w->ago), w->length);
	return day_add_months(d, day_months_between(0, add_span(0, w->ago)) +
					 day_months_between(0, add_span(0, w->length)));
}

/* The smallest day whose key (entry or leave, both rising) is after today. */
static int32_t first_after(const struct window *w, int32_t (*key)(const struct window *, int32_t), int32_t today)
{
	int32_t low = today - (key(w, today) - today) - 10;
	while (key(w, low) > today)
		low -= 32;
	while (key(w, low) <= today)
		low++;
	return low;
}

static struct range whole_range(const struct window *w, int32_t today)
{
	int32_t ref = add_span(today, negative(w->ago));
	int32_t end = day_of_period_start(ref, w->length.unit);
	return (struct range){add_span(end, negative(w->length)), end - 1};
}

static struct range find_range(const struct window *w, int32_t today)
{
	if (w->length.n == 0)
		return (struct range){INT32_MIN, first_after(w, entry, today) - 1};
	if (w->whole)
		return whole_range(w, today);
	return (struct range){first_after(w, leave, today), first_after(w, entry, today) - 1};
}

/* The next day at which a whole window moves. */
static int32_t whole_until(const struct window *w, int32_t today)
{
	int32_t ref = add_span(today, negative(w->ago));
	int32_t next = add_span(day_of_period_start(ref, w->length.unit), (struct span){1, w->length.unit});
	int32_t day = add_span(next, w->ago);
	return day > today ? day : today + 1;
}

/* "Contributions are kept as long as a window can reach them plus three months": the first day still kept. */
static int32_t find_oldest(const struct measure *base, int32_t today)
{
	if (base->reach.n <= 0)
		return INT32_MIN;
	int32_t months = base->reach.n + 3, day = day_add_months(today, -months) - 3;
	while (day_add_months(day, months) <= today)
		day++;
	return day;
}

static struct range window_range(struct engine *e, const struct measure *m)
{
	const struct watch *w = e->s->watch;
	struct window_today *cached = &e->index[w->index].windows[m - w->measures];
	if (cached->today != e->today)
		*cached = (struct window_today){e->today, find_range(&m->window, e->today), find_oldest(m, e->today)};
	return cached->range;
}

bool out_of_reach(struct engine *e, const struct measure *base, int32_t day)
{
	const struct watch *w = e->s->watch;
	window_range(e, base);
	return day < e->index[w->index].windows[base - w->measures].oldest;
}

/* One byte for each whole month within the range, from its first: which have a contribution. */
struct months {
	int32_t first; /* counted from year 0 */
	uint32_t n;
	unsigned char seen[240];
};

static int32_t month_of(int32_t day)
{
	int64_t year;
	unsigned month, d;
	cel_civil_from_days(day, &year, &month, &d);
	return (int32_t)(year * 12 + (int64_t)month - 1);
}

static void months_init(struct months *m, struct range range)
{
	int32_t end = month_of(range.last + 1); /* of the first day beyond: the months before it are whole */
	*m = (struct months){.first = month_of(range.first - 1) + 1};
	if (end > m->first)
		m->n = (uint32_t)(end - m->first) < sizeof m->seen ? (uint32_t)(end - m->first) : sizeof m->seen;
}

static void months_see(struct months *m, int32_t day)
{
	int32_t i = m->n ? month_of(day) - m->first : -1;
	if (i >= 0 && (uint32_t)i < m->n)
		m->seen[i] = 1;
}

static bool months_gap(const struct months *m)
{
	return m->n && memchr(m->seen, 0, m->n) != NULL;
}

bool measure_holds(struct engine *e, const struct measure *m, const struct contribution *c)
{
	if (c->removed || c->measure != m->base)
		return false;
	struct range range = window_range(e, m);
	int32_t d = contribution_day(e, c);
	return d >= range.first && d <= range.last;
}

/* One pass over a measure's contributions, which are sorted by day. */
struct reading {
	struct range range;
	struct months months;
	int64_t whole;
	double sum;
	bool within, beyond; /* noted: one in the range, one after it */
};

/* Notes when time alone will change what the window reads: the first that is in it leaves first, the first that is
 * beyond it enters first. */
static void note_window(struct engine *e, const struct window *w, struct reading *r, int32_t d)
{
	bool beyond = d > r->range.last;
	if (beyond ? r->beyond : r->within)
		return;
	*(beyond ? &r->beyond : &r->within) = true;
	if (w->whole)
		note_until(e, whole_until(w, e->today));
	else if (beyond)
		note_until(e, entry(w, d));
	else if (w->length.n)
		note_until(e, leave(w, d));
}

static void read_contributions(struct engine *e, const struct measure *m, struct reading *r)
{
	const struct subject *s = e->s;
	const struct measure *base = &s->watch->measures[m->base];
	bool whole = base->money || base->count;
	for (uint32_t i = 0; i < s->n_contributions; i++) {
		const struct contribution *c = &s->contributions[i];
		if (c->measure != m->base || c->removed)
			continue;
		int32_t d = contribution_day(e, c);
		if (d < r->range.first)
			continue;
		note_window(e, &m->window, r, d);
		if (d > r->range.last)
			continue;
		if (whole)
			r->whole += c->i;
		else
			r->sum += c->d;
		months_see(&r->months, d);
	}
}

struct cel_value measure_value(struct engine *e, const struct measure *m)
{
	const struct measure *base = &e->s->watch->measures[m->base];
	struct reading r = {.range = window_range(e, m)};
	bool gaps = m->gaps_unknown && m->window.length.n > 0;
	if (gaps)
		months_init(&r.months, r.range);
	read_contributions(e, m, &r);
	if (gaps && !m->window.whole)
		note_until(e, e->today + 1); /* a month becomes whole, or ceases to be, as the window slides */
	if (gaps && months_gap(&r.months))
		return cel_unknown(NULL);
	if (base->count)
		return cel_int(r.whole);
	return base->money ? cel_double((double)r.whole / 100) : cel_double(r.sum);
}
