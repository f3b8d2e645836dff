/* Loads units: the queues that get the cases.  Names first, so that units can name each other. */
#include "load.h"
#include <stdlib.h>
#include <string.h>

static int find_unit(const struct loader *l, const struct node *n)
{
	for (size_t i = 0; i < l->r->n_units; i++)
		if (node_is(n, l->r->units[i].name))
			return (int)i;
	return -1;
}

static int read_unit(struct loader *l, const struct node *n)
{
	if (!read_scalar(l, n, "a unit"))
		return -1;
	int i = find_unit(l, n);
	if (i >= 0)
		return i;
	const char **names = ARENA_ARRAY(&l->scratch, const char *, l->r->n_units);
	for (size_t k = 0; k < l->r->n_units; k++)
		names[k] = l->r->units[k].name;
	unknown_name(l, n, "unit", n->text.s, names, l->r->n_units);
	return -1;
}

const uint32_t *read_units(struct loader *l, const struct node *n, size_t *n_out)
{
	*n_out = 0;
	if (n->bad || (n->kind == NODE_MAP && !read_scalar(l, n, "a unit")))
		return NULL;
	uint32_t count = n->kind == NODE_LIST ? n->n : 1;
	uint32_t *list = ARENA_ARRAY(&l->r->arena, uint32_t, count);
	if (!count)
		FAULT(l, n, "an empty list of units; expected at least one");
	for (uint32_t i = 0; i < count; i++) {
		const struct node *item = n->kind == NODE_LIST ? n->entries[i].value : n;
		int unit = read_unit(l, item);
		if (unit < 0)
			continue;
		for (size_t k = 0; k < *n_out; k++)
			if (list[k] == (uint32_t)unit)
				FAULT(l, item, "the unit `%s` is given twice; expected it once", item->text.s);
		list[(*n_out)++] = (uint32_t)unit;
	}
	return list;
}

/* "9 digits" */
static void read_each(struct loader *l, const struct node *n, struct unit *u)
{
	if (!read_scalar(l, n, "`each`"))
		return;
	char *end;
	long digits = strtol(n->text.s, &end, 10);
	if (strcmp(end, " digits") != 0 || digits < 1 || digits > 12)
		FAULT(l, n, "`each` is `%s`; expected a number of digits of the division code such as `9 digits`",
		      n->text.s);
	else
		u->each_digits = (uint32_t)digits;
}

static void read_codes(struct loader *l, const struct node *map, struct unit *u)
{
	if (!read_map(l, map, "`names`", NULL, 0))
		return;
	const char **codes = ARENA_ARRAY(&l->r->arena, const char *, map->n);
	const char **names = ARENA_ARRAY(&l->r->arena, const char *, map->n);
	for (uint32_t i = 0; i < map->n; i++) {
		const struct node *key = map->entries[i].key;
		const char *code = read_region(l, key), *name = read_text(l, map->entries[i].value, "a unit's name");
		if (code && u->each_digits && key->text.len != u->each_digits)
			FAULT(l, key, "`%s` has %u digits; expected %u, as `each` says", code, key->text.len,
			      u->each_digits);
		else if (code && name) {
			codes[u->n_codes] = code;
			names[u->n_codes++] = name;
		}
	}
	u->codes = codes;
	u->code_names = names;
}

static void read_escalation(struct loader *l, const struct node *n, struct unit *u)
{
	static const char *const keys[] = {"to", "after"};
	if (!read_map(l, n, "`escalate`", keys, COUNT(keys)))
		return;
	const struct node *to = read_needed(l, n, "`escalate`", "to"),
			  *after = read_needed(l, n, "`escalate`", "after");
	if (to)
		u->escalate = read_units(l, to, &u->n_escalate);
	for (size_t i = 0; i < u->n_escalate; i++)
		if (u->escalate[i] == u->index)
			FAULT(l, to, "`%s` escalates to itself; expected another unit", u->name);
	if (after)
		read_span(l, after, "`after`", SPANS_OF_DAYS, &u->escalate_after);
}

static void read_wait(struct loader *l, const struct node *map, const char *key, unsigned units, struct span *out)
{
	const struct node *n = node_get(map, key);
	char *what = arena_printf(&l->scratch, "`%s`", key);
	if (n)
		read_span(l, n, what, units, out);
}

static void read_township(struct loader *l, const struct node *map, struct unit *u)
{
	const struct node *each = node_get(map, "each"), *names = node_get(map, "names");
	const struct node *otherwise = node_get(map, "otherwise");
	if (each)
		read_each(l, each, u);
	if (names && !each)
		FAULT(l, names, "`names` in a unit without `each`; expected `each: 9 digits` or the like beside it");
	else if (names)
		read_codes(l, names, u);
	if (!otherwise)
		return;
	u->otherwise = read_unit(l, otherwise);
	if (!each)
		FAULT(l, otherwise,
		      "`otherwise` in a unit without `each`; expected `each: 9 digits` or the like beside it");
	else if (u->otherwise == (int32_t)u->index)
		FAULT(l, otherwise, "`otherwise` is the unit itself; expected another");
}

/* Is the topic one of the daemon's own? */
static bool own_topic(const struct settings *s, const char *topic)
{
	const char *own[] = {s->topics.feedback, s->topics.outcomes, s->topics.rejects, s->topics.forward,
			     s->topics.state};
	for (size_t i = 0; i < COUNT(own); i++)
		if (own[i] && strcmp(own[i], topic) == 0)
			return true;
	return false;
}

static void load_unit(struct loader *l, const struct node *root, struct unit *u)
{
	static const char *const keys[] = {"unit",   "title",    "topic", "gather", "quiet",
					   "remind", "escalate", "each",  "names",  "otherwise"};
	const unsigned elapsed = SPANS_CLOCK | SPAN_BIT(SPAN_DAYS);
	if (!read_map(l, root, "a unit", keys, COUNT(keys)))
		return;
	u->title = read_title(l, root, u->name);
	const struct node *topic = read_needed(l, root, "the unit", "topic"), *escalate = node_get(root, "escalate");
	u->topic = topic ? read_topic(l, topic, node_get(root, "each") != NULL) : NULL;
	if (u->topic && own_topic(l->settings, u->topic))
		FAULT(l, topic, "`%s` is one of the daemon's own topics; expected a topic of the unit's own", u->topic);
	read_wait(l, root, "gather", elapsed, &u->gather);
	read_wait(l, root, "quiet", elapsed, &u->quiet);
	read_wait(l, root, "remind", SPANS_OF_DAYS, &u->remind);
	if (u->remind.n == 0) /* before `due` by nothing: none */
		u->remind.n = -1;
	if (escalate)
		read_escalation(l, escalate, u);
	read_township(l, root, u);
}

/* An `otherwise` that leads to a unit for each code would need a region again. */
static void check_otherwise(struct loader *l, const struct unit *u, const struct node *root)
{
	if (u->otherwise >= 0 && l->r->units[u->otherwise].each_digits && u->otherwise != (int32_t)u->index)
		FAULT(l, node_get(root, "otherwise"), "`%s` is a unit for each code; expected one without `each`",
		      l->r->units[u->otherwise].name);
}

void load_units(struct loader *l)
{
	struct ruleset *r = l->r;
	struct named *list = collect_documents(l, DOC_UNIT, read_label, &r->n_units);
	const struct span none = {-1, SPAN_WORKING_DAYS};
	r->units = ARENA_ARRAY(&r->arena, struct unit, r->n_units);
	for (size_t i = 0; i < r->n_units; i++)
		r->units[i] = (struct unit){.name = list[i].name,
					    .title = list[i].name,
					    .index = (uint32_t)i,
					    .otherwise = -1,
					    .gather = {0, SPAN_MINUTES},
					    .quiet = {0, SPAN_MINUTES},
					    .remind = none,
					    .escalate_after = none,
					    .place = keep_place(l, list[i].root)};
	for (size_t i = 0; i < r->n_units; i++)
		if (!list[i].broken)
			load_unit(l, list[i].root, &r->units[i]);
	for (size_t i = 0; i < r->n_units; i++)
		if (!list[i].broken)
			check_otherwise(l, &r->units[i], list[i].root);
}
