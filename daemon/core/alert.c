/* Alerts: raised and lowered by level (language.md, "Levels" and "The life of alerts and cases").
 *
 * A level holds (its bit in alert.on) once it has been true for `hold`, and until it has been false for `keep`; it
 * counts as true while it or a higher one is.  Unknown neither breaks nor completes a run.  The lowest level is left
 * only by `clear`, which ends the alert. */
#include "step.h"
#include <math.h>
#include <string.h>

static enum verdict verdict_of(struct cel_value v)
{
	return v.kind == CEL_BOOL ? (v.b ? VERDICT_TRUE : VERDICT_FALSE) : VERDICT_UNKNOWN;
}

void judge(struct engine *e, const struct rule *rule, struct judgement *out)
{
	enum verdict above = VERDICT_FALSE;
	for (size_t i = rule->n_levels; i-- > 0;) {
		if (above != VERDICT_TRUE) {
			enum verdict v = verdict_of(evaluate(e, rule->levels[i].program));
			if (v != VERDICT_FALSE)
				above = v == VERDICT_TRUE ? VERDICT_TRUE : VERDICT_UNKNOWN;
		}
		out->level[i] = above;
	}
	if (above == VERDICT_TRUE)
		out->clear = VERDICT_FALSE;
	else if (!rule->clear)
		out->clear = above == VERDICT_FALSE ? VERDICT_TRUE : VERDICT_UNKNOWN;
	else
		out->clear = verdict_of(evaluate(e, rule->clear));
}

struct alert *find_alert(const struct subject *s, struct str rule, struct str member)
{
	for (uint32_t i = 0; i < s->n_alerts; i++)
		if (str_equal(s->alerts[i].rule, rule) && str_equal(s->alerts[i].member, member))
			return &s->alerts[i];
	return NULL;
}

bool is_active(const struct alert *a)
{
	return a->is && (a->state == ALERT_OPEN || a->state == ALERT_CLEARING);
}

static struct alert *add_alert(struct subject *s, const struct rule *rule, struct str member)
{
	ARENA_PUSH_ROOM(s->arena, s->alerts, s->n_alerts, s->cap_alerts);
	s->alerts[s->n_alerts] = (struct alert){.rule = str_of(rule->name),
						.member = arena_str(s->arena, member),
						.is = rule,
						.version = rule->version};
	return &s->alerts[s->n_alerts++];
}

static int64_t run_end(const struct engine *e, struct span span, int64_t start)
{
	return span_end(span, e->ruleset->zone, e->ruleset->calendar, start);
}

/* Moves one level's runs by its verdict.  A level that holds has no run upwards, unless it was false meanwhile and is
 * true again: then the next period's alert waits for that run. */
static void move_level(const struct engine *e, struct alert *a, size_t i, enum verdict v)
{
	const struct rule *rule = a->is;
	uint32_t bit = 1u << i;
	if (v == VERDICT_TRUE) {
		if (!a->up[i] && (!(a->on & bit) || a->down[i]))
			a->up[i] = e->now;
		a->down[i] = 0;
		if (a->up[i] && run_end(e, rule->hold, a->up[i]) <= e->now) {
			a->on |= bit;
			a->up[i] = 0;
		}
	} else if (v == VERDICT_FALSE) {
		a->up[i] = 0;
		if (!(a->on & bit) || (i == 0 && !rule->has_per))
			return;
		if (!a->down[i])
			a->down[i] = e->now;
		if (i > 0 && run_end(e, rule->keep, a->down[i]) <= e->now) {
			a->on &= ~bit;
			a->down[i] = 0;
		}
	}
}

static void end_alert(struct alert *a)
{
	a->state = ALERT_OVER;
	a->level = 0;
	a->on = 0;
	a->clear = 0;
	memset(a->up, 0, sizeof a->up);
	memset(a->down, 0, sizeof a->down);
}

/* `clear` true for `keep` ends the alert; returns whether it did. */
static bool move_clear(const struct engine *e, struct alert *a, enum verdict clear)
{
	if (!a->on || clear == VERDICT_UNKNOWN)
		return false;
	if (clear == VERDICT_FALSE) {
		a->clear = 0;
		return false;
	}
	if (!a->clear)
		a->clear = e->now;
	if (run_end(e, a->is->keep, a->clear) > e->now)
		return false;
	end_alert(a);
	return true;
}

static void settle_state(struct engine *e, struct alert *a)
{
	bool was_open = a->state == ALERT_OPEN || a->state == ALERT_CLEARING, pending = false;
	if (a->on) {
		a->level = a->is->levels[31 - __builtin_clz(a->on)].level;
		a->state = a->clear ? ALERT_CLEARING : ALERT_OPEN;
		if (!was_open) {
			a->number++;
			a->since = e->now;
			if (e->fx && e->fx->rules)
				e->fx->rules[a->is->index].opened++;
		}
		return;
	}
	a->level = 0; /* not stored of one that is over: it must not depend on whether it has been stored since */
	for (size_t i = 0; i < a->is->n_levels; i++)
		pending |= a->up[i] != 0;
	a->state = pending ? ALERT_PENDING : ALERT_OVER;
}

static bool same_alert(const struct alert *a, const struct alert *b)
{
	return a->version == b->version && a->number == b->number && a->state == b->state && a->level == b->level &&
	       a->since == b->since && a->clear == b->clear && a->on == b->on &&
	       memcmp(a->up, b->up, sizeof a->up) == 0 && memcmp(a->down, b->down, sizeof a->down) == 0;
}

/* "`per: month`, `quarter` or `year` ends an alert with its period, so that a new one may open": the first day of the
 * period after the one in which it opened. */
static int32_t period_end(const struct engine *e, const struct alert *a)
{
	if (!a->is->has_per || !is_active(a))
		return DAY_NEVER;
	int32_t start = day_of_period_start(day_of(e->ruleset->zone, a->since), a->is->per);
	int32_t months = a->is->per == SPAN_YEARS ? 12 : a->is->per == SPAN_QUARTERS ? 3 : 1;
	return day_add_months(start, months);
}

/* A level that goes on being true over the period's end goes on with its run in the next one. */
static void end_period(struct alert *a)
{
	struct alert before = *a;
	end_alert(a);
	for (size_t i = 0; i < a->is->n_levels; i++)
		a->up[i] = before.up[i] || before.down[i] || !(before.on >> i & 1) ? before.up[i] : 1 /* long ago */;
}

static void move_alert(struct engine *e, struct alert *a, const struct judgement *j)
{
	struct alert before = *a;
	a->version = a->is->version;
	if (period_end(e, a) <= e->today)
		end_period(a);
	if (!move_clear(e, a, j->clear))
		for (size_t i = 0; i < a->is->n_levels; i++)
			move_level(e, a, i, j->level[i]);
	settle_state(e, a);
	if (!same_alert(a, &before))
		e->s->changed = true;
}

static void drop_alert(struct subject *s, struct alert *a)
{
	uint32_t i = (uint32_t)(a - s->alerts);
	memmove(a, a + 1, (s->n_alerts - i - 1) * sizeof *a);
	s->n_alerts--;
	s->changed = true;
}

static void judge_one(struct engine *e, const struct rule *rule, struct str member)
{
	struct judgement j;
	struct alert *a = find_alert(e->s, str_of(rule->name), member);
	judge(e, rule, &j);
	if (e->fx && e->fx->rules) {
		e->fx->rules[rule->index].evaluated++;
		e->fx->rules[rule->index].unknown += j.level[0] == VERDICT_UNKNOWN;
	}
	if (!a && j.level[0] != VERDICT_TRUE)
		return;
	if (!a)
		a = add_alert(e->s, rule, member);
	move_alert(e, a, &j);
	if (a->state == ALERT_OVER && a->number == 0)
		drop_alert(e->s, a); /* it never opened: nothing to remember */
}

/* Alerts of members that are there no more are over at once. */
static void end_absent(struct engine *e, const struct rule *rule)
{
	const struct members *m = &e->s->lists[rule->each];
	for (uint32_t i = 0; i < e->s->n_alerts; i++) {
		struct alert *a = &e->s->alerts[i];
		bool present = false;
		if (a->is != rule || a->state == ALERT_OVER)
			continue;
		for (uint32_t k = 0; k < m->n && !present; k++)
			present = m->rows[k].present && str_equal(m->rows[k].key, a->member);
		if (!present) {
			end_alert(a);
			e->s->changed = true;
		}
	}
}

void judge_rule(struct engine *e, const struct rule *rule)
{
	if (rule->each < 0) {
		judge_one(e, rule, (struct str){"", 0});
		return;
	}
	const struct members *m = &e->s->lists[rule->each];
	for (uint32_t i = 0; i < m->n; i++) {
		if (!m->rows[i].present)
			continue;
		judge_member(e, rule, &m->rows[i]);
		judge_one(e, rule, m->rows[i].key);
		judge_member(e, rule, NULL);
	}
	end_absent(e, rule);
}

void drop_orphans(struct engine *e)
{
	for (uint32_t i = 0; i < e->s->n_alerts; i++) {
		struct alert *a = &e->s->alerts[i];
		bool judged = a->is && (a->is->each >= 0 || a->member.len == 0); /* it may have had `each` before */
		if (!judged && a->state != ALERT_OVER) {
			end_alert(a);
			e->s->changed = true;
		}
	}
}

static int64_t later(const struct engine *e, int64_t due, int64_t least)
{
	return due > e->now && due < least ? due : least;
}

/* The next end of a run; one that has passed while the verdict was unknown waits for the verdict, not for time. */
int64_t alert_due(const struct engine *e, const struct alert *a)
{
	int64_t due = TIME_NEVER;
	if (!a->is)
		return due;
	for (size_t i = 0; i < a->is->n_levels; i++) {
		if (a->up[i])
			due = later(e, run_end(e, a->is->hold, a->up[i]), due);
		if (a->down[i] && i > 0)
			due = later(e, run_end(e, a->is->keep, a->down[i]), due);
	}
	due = later(e, day_start(e->ruleset->zone, period_end(e, a)), due);
	return a->clear ? later(e, run_end(e, a->is->keep, a->clear), due) : due;
}
