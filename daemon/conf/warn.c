/* Warnings: what is well formed, and will still surprise. */
#include "load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The day from which the configuration is judged; DAY_NEVER where time comes from the events. */
static int32_t reference_day(const struct loader *l)
{
	if (l->settings->clock == CLOCK_EVENTS)
		return DAY_NEVER;
	int64_t now = l->settings->clock == CLOCK_FIXED ? l->settings->fixed_clock : (int64_t)time(NULL) * 1000;
	return day_of(l->r->zone, now);
}

/* --- thresholds */
static bool covers(const struct threshold *t, const char *region)
{
	for (size_t i = 0; i < t->n_values; i++)
		if (strncmp(t->values[i].region, region, strlen(t->values[i].region)) == 0)
			return true;
	return false;
}

static bool in_effect(const struct threshold *t, int32_t day)
{
	for (size_t i = 0; i < t->n_values; i++)
		if (t->values[i].from <= day)
			return true;
	return false;
}

/* The regions that the configuration itself names: subjects of theirs are to be expected. */
struct named_region {
	const char *region, *by;
};
struct regions {
	struct named_region *list;
	size_t n, cap;
};

static int by_region(const void *pa, const void *pb)
{
	const struct named_region *a = pa, *b = pb;
	int c = strcmp(a->region, b->region);
	return c ? c : strcmp(a->by, b->by);
}

static struct regions find_regions(struct loader *l)
{
	const struct ruleset *r = l->r;
	struct regions all = {0};
	for (size_t i = 0; i < r->n_thresholds; i++)
		for (size_t k = 0; k < r->thresholds[i].n_values; k++) {
			ARENA_PUSH_ROOM(&l->scratch, all.list, all.n, all.cap);
			all.list[all.n++] =
				(struct named_region){r->thresholds[i].values[k].region, r->thresholds[i].name};
		}
	for (size_t i = 0; i < r->n_units; i++)
		for (size_t k = 0; k < r->units[i].n_codes; k++) {
			ARENA_PUSH_ROOM(&l->scratch, all.list, all.n, all.cap);
			all.list[all.n++] = (struct named_region){r->units[i].codes[k], r->units[i].name};
		}
	if (all.n)
		qsort(all.list, all.n, sizeof *all.list, by_region);
	size_t kept = all.n ? 1 : 0;
	for (size_t i = 1; i < all.n; i++)
		if (strcmp(all.list[i].region, all.list[kept - 1].region) != 0)
			all.list[kept++] = all.list[i];
	all.n = kept;
	return all;
}

static const struct named_region *uncovered(const struct regions *all, const struct threshold *t)
{
	for (size_t i = 0; i < all->n && !covers(t, ""); i++)
		if (!covers(t, all->list[i].region))
			return &all->list[i];
	return NULL;
}

static void warn_threshold(struct loader *l, const struct regions *all, const struct threshold *t,
			   const struct rule *rule, int32_t today)
{
	const struct named_region *elsewhere = uncovered(all, t);
	if (t->n_values == 0)
		faults_warn(l->faults, t->place, "`%s` has no value: the rule `%s` stays unknown", t->name, rule->name);
	else if (rule->watch->region < 0 && !covers(t, ""))
		faults_warn(l->faults, t->place,
			    "`%s` has values by region only, but the watch `%s` names no `region`: the rule `%s` stays "
			    "unknown",
			    t->name, rule->watch->name, rule->name);
	else if (today != DAY_NEVER && !in_effect(t, today))
		faults_warn(l->faults, t->place, "no value of `%s` is in effect yet: the rule `%s` stays unknown",
			    t->name, rule->name);
	else if (elsewhere && !*elsewhere->region)
		faults_warn(l->faults, t->place,
			    "`%s` has values for some regions only, while `%s` has one for the whole country: "
			    "elsewhere the "
			    "rule `%s` stays unknown",
			    t->name, elsewhere->by, rule->name);
	else if (elsewhere)
		faults_warn(l->faults, t->place,
			    "`%s` has no value for region `%s`, which `%s` names: there the rule `%s` stays unknown",
			    t->name, elsewhere->region, elsewhere->by, rule->name);
}

static void warn_thresholds(struct loader *l, int32_t today)
{
	const struct ruleset *r = l->r;
	struct regions all = find_regions(l);
	for (size_t t = 0; t < r->n_thresholds; t++)
		for (size_t i = 0; i < r->n_rules; i++) {
			const struct rule *rule = r->rules[i];
			bool reads = false;
			for (size_t k = 0; k < rule->n_reads; k++) {
				const struct name *name = &rule->watch->names[rule->reads[k]];
				reads |= name->kind == NAME_THRESHOLD && name->index == t;
			}
			if (reads) {
				warn_threshold(l, &all, &r->thresholds[t], rule, today);
				break; /* once for each threshold */
			}
		}
}

/* --- calendar */
/* The longest deadline of a rule in working days; -1: none. */
static int32_t working_days(const struct rule *rule)
{
	int32_t most = -1;
	for (size_t i = 0; i < rule->n_levels; i++) {
		struct span d = rule->levels[i].deadline;
		if (d.unit == SPAN_WORKING_DAYS && d.n > most)
			most = d.n;
	}
	return most;
}

static const struct node *calendar_node(const struct loader *l)
{
	for (size_t i = 0; i < l->docs->n; i++)
		if (l->docs->list[i].kind == DOC_CALENDAR &&
		    node_is(l->docs->list[i].root->entries[0].value, l->r->calendar->name))
			return l->docs->list[i].root->entries[0].key;
	return NULL;
}

/* Deadlines of alerts that open today; one warning for all of them, where the calendar is written. */
static void warn_calendar(struct loader *l, int32_t today)
{
	const struct calendar *c = l->r->calendar;
	const struct node *calendar = calendar_node(l);
	const struct rule *first = NULL;
	size_t n = 0;
	int32_t farthest = INT32_MIN;
	for (size_t i = 0; i < l->r->n_rules; i++) {
		const struct rule *rule = l->r->rules[i];
		int32_t days = working_days(rule);
		int32_t end = days < 0 || today == DAY_NEVER ? INT32_MIN : calendar_add(c, today, days);
		if (days < 0 || (calendar && end <= c->last_day))
			continue;
		farthest = end > farthest ? end : farthest;
		first = first ? first : rule;
		n++;
	}
	if (!n)
		return;
	char *more = n > 1 ? arena_printf(&l->scratch, " and %zu more", n - 1) : "";
	if (!calendar)
		faults_warn(l->faults, first->place,
			    "a deadline in working days (rule `%s`%s), but there is no calendar `%s`: only weekends "
			    "are left out",
			    first->name, more, c->name);
	else
		WARN(l, calendar,
		     "a deadline can reach %.4s (rule `%s`%s), a year that the calendar `%s` lacks: there only "
		     "weekends are "
		     "left out",
		     day_text(&l->scratch, farthest).s, first->name, more, c->name);
}

static void warn_year_gaps(struct loader *l)
{
	for (size_t i = 0; i < l->docs->n; i++) {
		const struct node *root = l->docs->list[i].root, *years = node_get(root, "years");
		if (l->docs->list[i].kind != DOC_CALENDAR || !years || years->kind != NODE_MAP || !years->n)
			continue;
		long first = 9999, last = 0;
		for (uint32_t k = 0; k < years->n; k++) {
			long year = strtol(years->entries[k].key->text.s, NULL, 10);
			first = year < first ? year : first;
			last = year > last ? year : last;
		}
		for (long year = first; year < last; year++) {
			char text[24];
			snprintf(text, sizeof text, "%ld", year);
			if (!node_get(years, text))
				WARN(l, years,
				     "the calendar lacks %s, between years that it has: there only weekends are left "
				     "out",
				     text);
		}
	}
}

/* --- units and rules that lead nowhere */
static void warn_unused(struct loader *l)
{
	const struct ruleset *r = l->r;
	for (size_t i = 0; i < r->n_watches; i++)
		if (!r->watches[i]->n_events)
			faults_warn(l->faults, r->watches[i]->place,
				    "the watch `%s` has no `events`: nothing will ever be known of its subjects",
				    r->watches[i]->name);
}

/* Some levels have a deadline and a higher one has none: the graver case would have no due. */
static void warn_deadlines(struct loader *l)
{
	for (size_t i = 0; i < l->r->n_rules; i++) {
		const struct rule *rule = l->r->rules[i];
		bool lower = false;
		for (size_t k = 0; k < rule->n_levels; k++) {
			if (lower && rule->levels[k].deadline.n < 0)
				faults_warn(l->faults, rule->place,
					    "the rule `%s` has no deadline for `%s`, but for a lower level", rule->name,
					    l->r->levels[rule->levels[k].level]);
			lower |= rule->levels[k].deadline.n >= 0;
		}
	}
}

/* A rule's unit that is one for each code, without a word on what has none. */
static void warn_otherwise(struct loader *l)
{
	for (size_t i = 0; i < l->r->n_units; i++) {
		const struct unit *u = &l->r->units[i];
		if (u->each_digits && u->otherwise < 0)
			faults_warn(l->faults, u->place,
				    "the unit `%s` has no `otherwise`: where the region is unknown or shorter, alerts "
				    "go to "
				    "a unit `%s` without a code",
				    u->name, u->name);
	}
}

void warn_all(struct loader *l)
{
	int32_t today = reference_day(l);
	warn_thresholds(l, today);
	warn_calendar(l, today);
	warn_year_gaps(l);
	warn_unused(l);
	warn_deadlines(l);
	warn_otherwise(l);
}
