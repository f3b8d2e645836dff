/* Checks messages and outcomes against what was told before (language.md, "Messages" and "Outcomes"). */
#include "journal.h"
#include <string.h>

struct journal_alert {
	struct str rule, member;
	const char *level;
	int64_t since;
};
struct journal_case {
	struct str id, region;
	uint32_t message; /* number of the newest */
	size_t level;
	int32_t due, missed;           /* missed: the due day of the newest such outcome; DAY_NEVER: none */
	bool answered, ended, settled; /* settled: the outcome of its end came */
	struct journal_alert *alerts;
	size_t n_alerts;
	struct journal_case *next;
};

void journal_close(struct journal *j)
{
	arena_close(&j->arena);
}

static struct journal_case *find_case(struct journal *j, struct str id)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (uint32_t i = 0; i < id.len; i++)
		hash = (hash ^ (unsigned char)id.s[i]) * 16777619u;
	struct journal_case **at = &j->cases[hash % JOURNAL_BUCKETS];
	while (*at && !str_equal((*at)->id, id))
		at = &(*at)->next;
	if (!*at) {
		*at = arena_zero(&j->arena, sizeof **at);
		(*at)->id = arena_str(&j->arena, id);
		(*at)->missed = DAY_NEVER;
		(*at)->settled = true;
	}
	return *at;
}

void journal_answer(struct journal *j, struct str case_id)
{
	find_case(j, case_id)->answered = true;
}

static size_t level_of(const struct ruleset *r, const char *name)
{
	size_t i = 0;
	while (i < r->n_levels && strcmp(r->levels[i], name) != 0)
		i++;
	return i;
}

static bool was_told(const struct journal_case *c, const struct message_alert *a)
{
	for (size_t i = 0; i < c->n_alerts; i++) {
		const struct journal_alert *b = &c->alerts[i];
		if (str_equal(a->rule_name, b->rule) && str_equal(a->member, b->member) && a->since == b->since &&
		    strcmp(a->level, b->level) == 0)
			return true;
	}
	return false;
}

/* "A change is an alert that joins, leaves or changes level."  One that leaves for another region's unit is shown as it
 * goes on there; one that was answered joins anew as it is. */
static bool is_change(const struct journal_case *c, const struct message *m)
{
	bool change = m->n_alerts != c->n_alerts || m->due != c->due || c->answered || !str_equal(m->region, c->region);
	for (size_t i = 0; i < m->n_alerts && !change; i++)
		change = strcmp(m->alerts[i].state, "over") == 0 || !was_told(c, &m->alerts[i]);
	return change;
}

static void keep(struct journal *j, const struct ruleset *r, struct journal_case *c, const struct message *m)
{
	c->message = m->number;
	c->level = level_of(r, m->level);
	c->due = m->due;
	c->region = arena_str(&j->arena, m->region);
	c->alerts = ARENA_ARRAY(&j->arena, struct journal_alert, m->n_alerts);
	c->n_alerts = 0;
	for (size_t i = 0; i < m->n_alerts; i++) {
		const struct message_alert *a = &m->alerts[i];
		if (strcmp(a->state, "over") != 0)
			c->alerts[c->n_alerts++] =
				(struct journal_alert){arena_str(&j->arena, a->rule_name),
						       arena_str(&j->arena, a->member), a->level, a->since};
	}
}

static bool broken(struct err *why, const struct message *m, const char *what)
{
	return err_set(why, "message %u of %.*s, %s: %s", m->number, (int)m->case_id.len, m->case_id.s,
		       message_type_name(m->type), what);
}

/* Does it go to the case's own unit, <watch>/<subject>/<unit>/<number>? */
static bool is_own(const struct message *m)
{
	const char *id = m->case_id.s;
	size_t end = m->case_id.len;
	while (end && id[end - 1] != '/')
		end--;
	return end > m->unit.len + 2 && id[end - m->unit.len - 2] == '/' &&
	       memcmp(id + end - 1 - m->unit.len, m->unit.s, m->unit.len) == 0;
}

static bool take_message(struct journal *j, const struct ruleset *r, const struct message *m, struct err *why)
{
	struct journal_case *c = find_case(j, m->case_id);
	bool own = is_own(m);
	bool end = m->type == CASE_CLEARED || m->type == CASE_CLOSED;
	if (m->number <= c->message)
		return broken(why, m, "its number isn't above that of the one before");
	if (!own) { /* an escalation, or its end, told to others */
		c->message = m->number;
		return true;
	}
	if (c->ended)
		return broken(why, m, "the case has ended");
	if ((m->type == CASE_OPENED) != (c->message == 0) && !j->any_start)
		return broken(why, m, "the first message opens a case, and no other");
	if (c->message && m->type == CASE_RAISED && level_of(r, m->level) <= c->level)
		return broken(why, m, "the level didn't rise");
	if (c->message && m->type == CASE_CHANGED && level_of(r, m->level) > c->level)
		return broken(why, m, "the level rose");
	if (c->message && m->type == CASE_CHANGED && !is_change(c, m))
		return broken(why, m, "nothing has changed");
	keep(j, r, c, m);
	c->ended = end;
	c->settled = !end || (m->reason && strcmp(m->reason, "moved") == 0) || m->watch->fed_by_outcomes;
	return true;
}

static bool take_outcome(struct journal *j, const struct outcome *o, struct err *why)
{
	struct journal_case *c = find_case(j, o->case_id);
	if (!o->ended && c->missed == o->due)
		return err_set(why, "case %.*s: a second outcome of one missed deadline", (int)c->id.len, c->id.s);
	if (o->ended && (!c->ended || c->settled) && !j->any_start)
		return err_set(why, "case %.*s: an outcome of an end that isn't one, or a second", (int)c->id.len,
			       c->id.s);
	if (o->ended)
		c->settled = true;
	else
		c->missed = o->due;
	return true;
}

bool journal_take(struct journal *j, const struct ruleset *r, const struct effects *fx, struct err *why)
{
	for (const struct message *m = fx->first; m; m = m->next)
		if (!take_message(j, r, m, why))
			return false;
	for (const struct outcome *o = fx->first_outcome; o; o = o->next)
		if (!take_outcome(j, o, why))
			return false;
	for (const struct message *m = fx->first; m; m = m->next)
		if (!find_case(j, m->case_id)->settled)
			return err_set(why, "case %.*s: it ended without its outcome", (int)m->case_id.len,
				       m->case_id.s);
	return true;
}
