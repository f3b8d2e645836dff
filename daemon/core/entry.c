/* The entries of a case: alerts that join, follow their level, leave, are answered and speak again (language.md, "The
 * life of alerts and cases"). */
#include "step.h"
#include <string.h>

/* "The opening day isn't counted": the n-th day after today, by the deadline of the level. */
int32_t deadline(const struct engine *e, const struct rule *rule, uint32_t level)
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

/* Does one of the rule's units mean this case's, for the subject's region? */
static bool is_addressed(struct engine *e, const struct rule *rule, const struct casefile *c)
{
	const struct unit *is;
	for (size_t i = 0; i < rule->n_units; i++)
		if (str_equal(unit_for(e, rule->units[i], &is), c->unit))
			return true;
	return false;
}

/* The alert goes on, at another unit: for the subject's region, or since a reload, its rule no longer means this one.
 */
bool is_moved(struct engine *e, const struct casefile *c, const struct case_alert *entry)
{
	const struct alert *a = find_alert(e->s, entry->rule, entry->member);
	return a && is_active(a) && a->number == entry->joined && !is_addressed(e, a->is, c);
}

static void count_anew(struct engine *e, struct case_alert *entry, const struct alert *a)
{
	entry->joined = a->number;
	entry->level = a->level;
	entry->due = deadline(e, a->is, a->level);
	entry->answered = 0;
	entry->until = TIME_NEVER;
	e->s->changed = true;
}

static bool speaks_again(const struct engine *e, const struct case_alert *entry, const struct alert *a)
{
	return a->number != entry->joined || a->level + 1 > entry->answered ||
	       (entry->until <= e->now && a->state == ALERT_OPEN);
}

/* "Rising takes the earlier of the old due and the new one." */
static void follow_level(struct engine *e, struct case_alert *entry, const struct alert *a)
{
	if (entry->level == a->level)
		return;
	int32_t due = a->level > entry->level ? deadline(e, a->is, a->level) : DAY_NEVER;
	if (due < entry->due)
		entry->due = due;
	entry->level = a->level;
	e->s->changed = true;
}

static void set_left(struct engine *e, struct case_alert *entry, bool left)
{
	if (entry->left != left)
		e->s->changed = true;
	entry->left = left;
}

static void follow_in_case(struct engine *e, const struct casefile *c, struct case_alert *entry, const struct alert *a)
{
	bool next = a->number != entry->joined, answered_now = (uint32_t)(c - e->s->cases) + 1 == e->answering;
	bool speaks = entry->answered && !answered_now && speaks_again(e, entry, a);
	if ((next && !entry->left) ||
	    speaks) { /* one ended and the next opened in one step, or it speaks again: news */
		entry->renewed = true;
		entry->told_from = c->messages;
	}
	bool back =
		entry->left && !next && !entry->answered; /* it moved to another unit, and back before this one heard */
	set_left(e, entry, false);
	if (next || speaks)
		count_anew(e, entry, a);
	else
		follow_level(e, entry, a);
	if (back)
		entry->due = deadline(e, a->is, a->level);
}

/* Of several that speak again at once, the last case at this unit is named, else that of the greatest number. */
static bool newer(const struct case_name *a, const struct case_name *b)
{
	bool here = a->unit.len == 0;
	if (b->number == 0 || here != (b->unit.len == 0))
		return b->number == 0 || here;
	return a->number != b->number ? a->number > b->number : str_compare(a->unit, b->unit) > 0;
}

static void follow_remembered(struct engine *e, struct casefile *c, struct case_alert *entry, const struct alert *a)
{
	if (!speaks_again(e, entry, a)) {
		if (entry->level != a->level)
			e->s->changed = true;
		entry->level = a->level;
		return;
	}
	if (newer(&entry->answered_in, &c->follow_up))
		c->follow_up = entry->answered_in;
	count_anew(e, entry, a);
	entry->in = true;
	entry->left = entry->renewed = false;
	entry->n_told = entry->told_from = 0;
}

static void leave(struct engine *e, struct case_alert *entry)
{
	entry->leaves = !entry->left;
	set_left(e, entry, true);
}

void follow_alerts(struct engine *e, struct casefile *c)
{
	uint32_t kept = 0;
	c->follow_up = (struct case_name){0};
	for (uint32_t i = 0; i < c->n_alerts; i++) {
		struct case_alert entry = c->alerts[i];
		const struct alert *a = find_alert(e->s, entry.rule, entry.member);
		bool wanted = a && is_active(a) && is_addressed(e, a->is, c);
		entry.leaves = false;
		bool forgotten = !entry.in && a && is_active(a) && !wanted;
		if (entry.in && wanted)
			follow_in_case(e, c, &entry, a);
		else if (entry.in)
			leave(e, &entry);
		else if (wanted)
			follow_remembered(e, c, &entry, a);
		if (forgotten || (entry.in && entry.left && entry.n_told == 0 && !entry.answered)) {
			e->s->changed = true; /* it came and went untold, or went to another unit answered */
			continue;
		}
		c->alerts[kept++] = entry;
	}
	c->n_alerts = kept;
}

/* --- joining */

static struct casefile *casefile_of(struct engine *e, struct str unit, const struct unit *is)
{
	struct subject *s = e->s;
	for (uint32_t i = 0; i < s->n_cases; i++)
		if (str_equal(s->cases[i].unit, unit))
			return &s->cases[i];
	ARENA_PUSH_ROOM(s->arena, s->cases, s->n_cases, s->cap_cases);
	s->cases[s->n_cases] = (struct casefile){.unit = arena_str(s->arena, unit),
						 .is = is,
						 .due = DAY_NEVER,
						 .told_due = DAY_NEVER,
						 .missed_due = DAY_NEVER};
	return &s->cases[s->n_cases++];
}

static struct case_alert *find_entry(const struct casefile *c, const struct alert *a)
{
	for (uint32_t i = 0; i < c->n_alerts; i++)
		if (str_equal(c->alerts[i].rule, a->rule) && str_equal(c->alerts[i].member, a->member))
			return &c->alerts[i];
	return NULL;
}

/* Does the rule's unit, given as its place in the list, mean this one for some region? */
static bool may_mean(const struct ruleset *r, const struct rule *rule, size_t place, const struct unit *is)
{
	const struct unit *u = &r->units[rule->units[place]];
	return is == u || (u->otherwise >= 0 && is == &r->units[u->otherwise]);
}

/* Each of a rule's units answers for itself: was the case of one that means this unit now, or, before a reload, of none
 * that the rule has now? */
static bool was_of(struct engine *e, const struct rule *rule, const struct casefile *to, const struct casefile *from)
{
	bool known = false, same = false;
	for (size_t i = 0; i < rule->n_units; i++) {
		const struct unit *is;
		bool may = may_mean(e->ruleset, rule, i, from->is);
		known |= may;
		same |= may && str_equal(unit_for(e, rule->units[i], &is), to->unit);
	}
	return !known || same;
}

/* What was answered before the subject moved stays answered at the new unit: "an alert about a household already
 * handled" must not come (design.md, 1).  Where it speaks again there, it names that case. */
static const struct case_alert *answered_before_move(struct engine *e, const struct casefile *to, const struct alert *a,
						     struct case_name *in)
{
	for (uint32_t i = 0; i < e->s->n_cases; i++) {
		const struct casefile *from = &e->s->cases[i];
		const struct case_alert *entry = from == to ? NULL : find_entry(from, a);
		if (!entry || !entry->answered || is_addressed(e, a->is, from) || !was_of(e, a->is, to, from))
			continue;
		if (entry->in && entry->left && entry->joined == a->number) /* its answer went with it when it left */
			continue;
		*in = entry->answered_in;
		if (in->unit.len == 0)
			in->unit = from->unit;
		if (str_equal(in->unit, to->unit))
			in->unit.len = 0;
		return entry;
	}
	return NULL;
}

static void join(struct engine *e, struct casefile *c, const struct alert *a)
{
	struct case_alert entry = {.rule = a->rule, .member = a->member, .in = true, .until = TIME_NEVER};
	const struct case_alert *before = answered_before_move(e, c, a, &entry.answered_in);
	count_anew(e, &entry, a);
	if (before) {
		entry.in = false;
		entry.joined = before->joined;
		entry.answered = before->answered;
		entry.until = before->until;
	}
	ARENA_PUSH_ROOM(e->s->arena, c->alerts, c->n_alerts, c->cap_alerts);
	c->alerts[c->n_alerts++] = entry;
}

void join_alerts(struct engine *e)
{
	for (uint32_t i = 0; i < e->s->n_alerts; i++) {
		const struct alert *a = &e->s->alerts[i];
		for (size_t u = 0; is_active(a) && u < a->is->n_units; u++) {
			const struct unit *is;
			struct str name = unit_for(e, a->is->units[u], &is);
			struct casefile *c = casefile_of(e, name, is);
			if (!find_entry(c, a))
				join(e, c, a);
		}
	}
}
