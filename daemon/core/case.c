/* Cases: the alerts of one subject at one unit.  After the alerts have moved, each case is compared with what it last
 * told its unit; what has changed in one step is one message (language.md, "The life of alerts and cases"). */
#include "step.h"
#include <string.h>

static bool is_active(const struct alert *a)
{
	return a->state == ALERT_OPEN || a->state == ALERT_CLEARING;
}

static struct casefile *casefile_of(struct engine *e, const struct unit *unit)
{
	struct subject *s = e->s;
	struct str name = str_of(unit->name);
	for (uint32_t i = 0; i < s->n_cases; i++)
		if (str_equal(s->cases[i].unit, name))
			return &s->cases[i];
	ARENA_PUSH_ROOM(s->arena, s->cases, s->n_cases, s->cap_cases);
	s->cases[s->n_cases] = (struct casefile){.unit = name, .is = unit, .due = DAY_NEVER};
	return &s->cases[s->n_cases++];
}

static struct case_alert *find_case_alert(struct casefile *c, const struct alert *a)
{
	for (uint32_t i = 0; i < c->n_alerts; i++)
		if (str_equal(c->alerts[i].rule, a->rule) && str_equal(c->alerts[i].member, a->member))
			return &c->alerts[i];
	return NULL;
}

/* "The opening day isn't counted": the n-th day after, by the deadline of the level. */
static int32_t deadline(const struct engine *e, const struct rule *rule, uint32_t level)
{
	const struct ruleset *r = e->ruleset;
	for (size_t i = 0; i < rule->n_levels; i++) {
		struct span d = rule->levels[i].deadline;
		if (rule->levels[i].level != level)
			continue;
		if (d.n < 0)
			return DAY_NEVER;
		if (d.unit == SPAN_WORKING_DAYS)
			return calendar_add(r->calendar, e->today, d.n);
		return day_of(r->zone, span_end(d, r->zone, r->calendar, day_start(r->zone, e->today)));
	}
	return DAY_NEVER;
}

static void join_case(struct engine *e, struct casefile *c, const struct alert *a)
{
	ARENA_PUSH_ROOM(e->s->arena, c->alerts, c->n_alerts, c->cap_alerts);
	c->alerts[c->n_alerts++] = (struct case_alert){.rule = a->rule,
						       .member = a->member,
						       .level = a->level,
						       .due = deadline(e, a->is, a->level),
						       .until = TIME_NEVER,
						       .joined = a->number};
	e->s->changed = true;
}

/* "Rising takes the earlier of the old due and the new one." */
static void follow_level(struct engine *e, struct case_alert *entry, const struct alert *a)
{
	if (entry->level == a->level)
		return;
	if (a->level > entry->level) {
		int32_t due = deadline(e, a->is, a->level);
		if (due < entry->due)
			entry->due = due;
	}
	entry->level = a->level;
	e->s->changed = true;
}

/* Joins the active alerts to the cases of their rules' units. */
static void join_alerts(struct engine *e)
{
	for (uint32_t i = 0; i < e->s->n_alerts; i++) {
		const struct alert *a = &e->s->alerts[i];
		if (!is_active(a) || !a->is)
			continue;
		for (size_t u = 0; u < a->is->n_units; u++) {
			struct casefile *c = casefile_of(e, &e->ruleset->units[a->is->units[u]]);
			struct case_alert *entry = find_case_alert(c, a);
			if (!entry)
				join_case(e, c, a);
			else
				follow_level(e, entry, a);
		}
	}
}

static const struct alert *alert_of(const struct engine *e, const struct case_alert *entry)
{
	return find_alert(e->s, entry->rule, entry->member);
}

static bool still_at(const struct engine *e, const struct casefile *c, const struct case_alert *entry)
{
	const struct alert *a = alert_of(e, entry);
	if (!a || !a->is || !is_active(a) || a->number != entry->joined)
		return false;
	for (size_t u = 0; u < a->is->n_units; u++)
		if (c->is && a->is->units[u] == c->is->index)
			return true;
	return false; /* the rule names this unit no more */
}

/* Takes out the entries whose alerts have left; returns how many, copies in left. */
static size_t take_left(struct engine *e, struct casefile *c, struct case_alert *left)
{
	uint32_t kept = 0;
	size_t n = 0;
	for (uint32_t i = 0; i < c->n_alerts; i++) {
		if (still_at(e, c, &c->alerts[i]))
			c->alerts[kept++] = c->alerts[i];
		else
			left[n++] = c->alerts[i];
	}
	c->n_alerts = kept;
	e->s->changed |= n > 0;
	return n;
}

/* "While every alert is clearing, due, reminders and escalation rest; if one comes back after `due` has passed, it is
 * counted anew."  Otherwise the earliest due of its alerts. */
static void settle_due(struct engine *e, struct casefile *c)
{
	bool resting = true;
	int32_t due = DAY_NEVER;
	for (uint32_t i = 0; i < c->n_alerts; i++)
		resting &= alert_of(e, &c->alerts[i])->state == ALERT_CLEARING;
	for (uint32_t i = 0; i < c->n_alerts; i++) {
		struct case_alert *entry = &c->alerts[i];
		const struct alert *a = alert_of(e, entry);
		if (c->resting && !resting && a->state == ALERT_OPEN && entry->due < e->today) {
			entry->due = deadline(e, a->is, a->level);
			c->missed = false;
			e->s->changed = true;
		}
		if (entry->due < due)
			due = entry->due;
	}
	if (c->resting != resting || c->due != due)
		e->s->changed = true;
	c->resting = resting;
	c->due = due;
	if (!c->missed && !resting && due != DAY_NEVER && due < e->today) {
		c->missed = true;
		e->s->changed = true;
	}
}

static uint32_t highest_level(const struct casefile *c)
{
	uint32_t level = 0;
	for (uint32_t i = 0; i < c->n_alerts; i++)
		if (c->alerts[i].level > level)
			level = c->alerts[i].level;
	return level;
}

static void open_case(struct engine *e, struct casefile *c)
{
	c->open = true;
	c->number++;
	c->messages = 0;
	c->opened = e->now;
	c->missed = false;
	c->previous = 0;
	c->region = arena_str(e->s->arena, subject_region(e));
}

static void end_case(struct casefile *c)
{
	c->open = c->missed = c->resting = false;
	c->n_alerts = 0;
	c->due = DAY_NEVER;
	c->region = (struct str){"", 0};
}

static bool has_news(const struct casefile *c, size_t n_left)
{
	if (n_left)
		return true;
	for (uint32_t i = 0; i < c->n_alerts; i++)
		if (c->alerts[i].told != c->alerts[i].level + 1)
			return true;
	return false;
}

static void mark_told(struct casefile *c)
{
	for (uint32_t i = 0; i < c->n_alerts; i++)
		c->alerts[i].told = c->alerts[i].level + 1;
}

static const char *reason_of(const struct engine *e, const struct case_alert *left, size_t n_left)
{
	for (size_t i = 0; i < n_left; i++) {
		const struct alert *a = alert_of(e, &left[i]);
		if (a && a->is)
			return "cleared";
	}
	return "rule removed";
}

static void update_case(struct engine *e, struct casefile *c)
{
	struct case_alert *left = arena_alloc(&e->scratch, (c->n_alerts + 1) * sizeof *left);
	size_t n_left = take_left(e, c, left);
	if (c->n_alerts == 0) {
		if (c->open)
			send_message(e, c, CASE_CLEARED, reason_of(e, left, n_left), left, n_left);
		end_case(c);
		return;
	}
	settle_due(e, c);
	if (c->open && !has_news(c, n_left))
		return;
	enum message_type type = CASE_OPENED;
	uint32_t level = highest_level(c);
	if (c->open)
		type = level > c->level ? CASE_RAISED : CASE_CHANGED;
	else
		open_case(e, c);
	c->level = level;
	send_message(e, c, type, NULL, left, n_left);
	mark_told(c);
	e->s->changed = true;
}

void update_cases(struct engine *e)
{
	join_alerts(e);
	for (uint32_t i = 0; i < e->s->n_cases; i++)
		if (e->s->cases[i].open || e->s->cases[i].n_alerts)
			update_case(e, &e->s->cases[i]);
}

void close_cases(struct engine *e, const char *reason)
{
	for (uint32_t i = 0; i < e->s->n_cases; i++) {
		struct casefile *c = &e->s->cases[i];
		if (!c->open)
			continue;
		send_message(e, c, CASE_CLOSED, reason, NULL, 0);
		end_case(c);
	}
	for (uint32_t i = 0; i < e->s->n_alerts; i++)
		e->s->alerts[i] = (struct alert){.rule = e->s->alerts[i].rule,
						 .member = e->s->alerts[i].member,
						 .is = e->s->alerts[i].is,
						 .number = e->s->alerts[i].number,
						 .version = e->s->alerts[i].version};
	e->s->changed = true;
}

/* The deadline passes at 00:00 after the due day. */
int64_t case_due(const struct engine *e, const struct casefile *c)
{
	if (!c->open || c->missed || c->resting || c->due == DAY_NEVER)
		return TIME_NEVER;
	return day_start(e->ruleset->zone, c->due + 1);
}
