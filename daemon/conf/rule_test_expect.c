/* Reads what a rule test's steps expect, and checks every key, rule, level, unit and name in it. */
#include "rule_test_read.h"
#include <string.h>

/* What an alert, a message and an alert in a message may be compared by. */
static const char *const alert_keys[] = {"rule",       "version", "member",   "level",  "state", "unit",
					 "case",       "due",     "since",    "number", "title", "basis",
					 "assistance", "summary", "previous", "subject"};
static const char *const message_keys[] = {"unit",  "type",   "case",   "previous",   "level",  "due",   "opened",
					   "topic", "reason", "region", "message_no", "alerts", "watch", "subject"};
static const char *const told_keys[] = {"rule",       "version",  "member",  "level",     "state",
					"since",      "title",    "basis",   "summary",   "values",
					"thresholds", "evidence", "unknown", "assistance"};
static const char *const outcome_keys[] = {"case",   "watch", "unit",  "region", "rules",
					   "opened", "due",   "ended", "result", "on_time"};
/* The lists in them: of maps with these keys, or where there are none of words. */
static const struct {
	const char *name, *keys[8];
} inner_lists[] = {
	{"values", {"name", "title", "value", "unit"}},
	{"thresholds", {"name", "value", "unit", "region", "from", "basis"}},
	{"evidence", {"source", "id", "time"}},
	{"unknown", {NULL}},
	{"rules", {NULL}},
};
static const char *const alert_states[] = {"pending", "open", "clearing", "over"};

static void check_known(struct reader *t, const struct node *n, const char *what, const char *const *names,
			size_t count)
{
	bool known = n->kind == NODE_SCALAR && n->bad;
	for (size_t i = 0; i < count && !known; i++)
		known = node_is(n, names[i]);
	if (!known && read_scalar(&t->l, n, what))
		unknown_name(&t->l, n, what, n->text.s, names, count);
}

static void check_rule(struct reader *t, const struct node *n)
{
	const char **names = ARENA_ARRAY(&t->l.scratch, const char *, t->r->n_rules);
	size_t count = 0;
	for (size_t i = 0; i < t->r->n_rules; i++)
		if (t->r->rules[i]->watch == t->w)
			names[count++] = t->r->rules[i]->name;
	check_known(t, n, "rule", names, count);
}

/* A unit for each code is written with its code: township/360704102. */
static void check_unit(struct reader *t, const struct node *n)
{
	const char **names = ARENA_ARRAY(&t->l.scratch, const char *, t->r->n_units);
	const char *slash = n->kind == NODE_SCALAR ? strchr(n->text.s, '/') : NULL;
	for (size_t i = 0; i < t->r->n_units; i++) {
		const struct unit *u = &t->r->units[i];
		names[i] = u->name;
		if (slash && u->each_digits && strlen(u->name) == (size_t)(slash - n->text.s) &&
		    strncmp(u->name, n->text.s, strlen(u->name)) == 0)
			return;
	}
	check_known(t, n, "unit", names, t->r->n_units);
}

/* `values`, `rules` and the like; false: another key. */
static bool check_inner(struct reader *t, const struct node *key, const struct node *list)
{
	size_t i = 0, n = 0;
	while (i < COUNT(inner_lists) && !node_is(key, inner_lists[i].name))
		i++;
	if (i == COUNT(inner_lists))
		return false;
	while (inner_lists[i].keys[n])
		n++;
	for (uint32_t k = 0; read_list(&t->l, list, inner_lists[i].name) && k < list->n; k++)
		if (n)
			read_map(&t->l, list->entries[k].value, inner_lists[i].name, inner_lists[i].keys, n);
		else
			read_scalar(&t->l, list->entries[k].value, inner_lists[i].name);
	return true;
}

static void check_alert_by(struct reader *t, const struct node *item, const char *const *keys, size_t n_keys)
{
	if (!read_map(&t->l, item, "an alert", keys, n_keys))
		return;
	for (uint32_t i = 0; i < item->n; i++) {
		const struct node *key = item->entries[i].key, *value = item->entries[i].value;
		if (node_is(key, "rule"))
			check_rule(t, value);
		else if (node_is(key, "unit"))
			check_unit(t, value);
		else if (node_is(key, "level"))
			check_known(t, value, "level", t->r->levels, t->r->n_levels);
		else if (node_is(key, "state"))
			check_known(t, value, "state", alert_states, COUNT(alert_states));
		else if (!check_inner(t, key, value) && value->kind != NODE_SCALAR)
			read_scalar(&t->l, value, key->text.s);
	}
}

static void check_alert(struct reader *t, const struct node *item)
{
	check_alert_by(t, item, alert_keys, COUNT(alert_keys));
}

static void check_message(struct reader *t, const struct node *item)
{
	static const char *const types[] = {"case.opened",    "case.changed", "case.raised", "case.reminded",
					    "case.escalated", "case.cleared", "case.closed"};
	if (!read_map(&t->l, item, "a message", message_keys, COUNT(message_keys)))
		return;
	for (uint32_t i = 0; i < item->n; i++) {
		const struct node *key = item->entries[i].key, *value = item->entries[i].value;
		if (node_is(key, "unit"))
			check_unit(t, value);
		else if (node_is(key, "type"))
			check_known(t, value, "type", types, COUNT(types));
		else if (node_is(key, "level"))
			check_known(t, value, "level", t->r->levels, t->r->n_levels);
		else if (node_is(key, "alerts") && read_list(&t->l, value, "`alerts`"))
			for (uint32_t k = 0; k < value->n; k++)
				check_alert_by(t, value->entries[k].value, told_keys, COUNT(told_keys));
		else if (!node_is(key, "alerts") && value->kind != NODE_SCALAR)
			read_scalar(&t->l, value, key->text.s);
	}
}

static void check_outcome(struct reader *t, const struct node *item)
{
	static const char *const results[] = {"missed", "handled", "not_confirmed", "cleared", "moved", "ended"};
	if (!read_map(&t->l, item, "an outcome", outcome_keys, COUNT(outcome_keys)))
		return;
	for (uint32_t i = 0; i < item->n; i++) {
		const struct node *key = item->entries[i].key, *value = item->entries[i].value;
		if (node_is(key, "unit"))
			check_unit(t, value);
		else if (node_is(key, "result"))
			check_known(t, value, "result", results, COUNT(results));
		else if (!check_inner(t, key, value))
			read_scalar(&t->l, value, key->text.s);
	}
}

static const struct node *check_list(struct reader *t, const struct node *list, const char *what,
				     void (*check)(struct reader *, const struct node *))
{
	if (!list || !read_list(&t->l, list, what))
		return NULL;
	for (uint32_t i = 0; i < list->n; i++)
		check(t, list->entries[i].value);
	return list;
}

static void read_values(struct reader *t, const struct node *map, struct test_step *step)
{
	const struct watch *w = t->w;
	if (!map || !read_map(&t->l, map, "`values`", NULL, 0))
		return;
	const char **names = ARENA_ARRAY(&t->l.scratch, const char *, w->n_names);
	size_t count = 0;
	for (size_t v = 0; v < w->n_names; v++)
		if (w->names[v].kind != NAME_EACH)
			names[count++] = w->names[v].text;
	step->values = ARENA_ARRAY(t->arena, struct test_value, map->n);
	for (uint32_t i = 0; i < map->n; i++) {
		const struct node *key = map->entries[i].key, *value = map->entries[i].value;
		uint32_t v = 0;
		while (v < w->n_names && !node_is(key, w->names[v].text))
			v++;
		if (v == w->n_names)
			unknown_name(&t->l, key, "name", key->text.s, names, count);
		else if (read_scalar(&t->l, value, "an expected value"))
			step->values[step->n_values++] = (struct test_value){v, key, value};
	}
}

void read_expectations(struct reader *t, const struct node *n, struct test_step *step)
{
	step->expect = check_list(t, node_get(n, "expect"), "`expect`", check_alert);
	step->messages = check_list(t, node_get(n, "expect_messages"), "`expect_messages`", check_message);
	step->outcomes = check_list(t, node_get(n, "expect_outcomes"), "`expect_outcomes`", check_outcome);
	read_values(t, node_get(n, "values"), step);
}
