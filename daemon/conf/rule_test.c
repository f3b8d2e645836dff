/* Reads rule tests.  An event's data is YAML here and JSON over Kafka: numbers, true, false and null are what JSON
 * would have, except where they go straight to a fact that is text. */
#include "rule_test_read.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const event_keys[] = {"time", "id", "source", "subject", "rejected"};

static bool read_time(struct reader *t, const struct node *n, const char *what, parse_time *parse, int64_t *out)
{
	if (!read_scalar(&t->l, n, what))
		return false;
	if (parse(t->r->zone, n->text, out))
		return true;
	FAULT(&t->l, n, "%s is `%s`; expected a date or a time such as 2023-06-01 or 2023-06-01T08:00:00+08:00", what,
	      n->text.s);
	return false;
}

/* --- data */
static bool is_json_number(struct str s, bool *whole)
{
	size_t i = s.len && s.s[0] == '-', digits = i;
	while (i < s.len && s.s[i] >= '0' && s.s[i] <= '9')
		i++;
	if (i == digits || (s.s[digits] == '0' && i > digits + 1))
		return false;
	*whole = i == s.len;
	if (i < s.len && s.s[i] == '.') {
		size_t fraction = ++i;
		while (i < s.len && s.s[i] >= '0' && s.s[i] <= '9')
			i++;
		if (i == fraction)
			return false;
	}
	if (i < s.len && (s.s[i] == 'e' || s.s[i] == 'E')) {
		i += i + 1 < s.len && (s.s[i + 1] == '+' || s.s[i + 1] == '-') ? 2 : 1;
		size_t exponent = i;
		while (i < s.len && s.s[i] >= '0' && s.s[i] <= '9')
			i++;
		if (i == exponent)
			return false;
	}
	return i == s.len;
}

static struct cel_value scalar_value(const struct node *n, bool as_text)
{
	bool whole;
	struct str s = n->text;
	if (n->style == STYLE_PLAIN && (node_empty(n) || node_is(n, "null") || node_is(n, "~")))
		return cel_null();
	if (n->style == STYLE_PLAIN && !as_text) {
		if (node_is(n, "true") || node_is(n, "false"))
			return cel_bool(node_is(n, "true"));
		if (is_json_number(s, &whole)) {
			errno = 0;
			long long i = whole ? strtoll(s.s, NULL, 10) : 0;
			return whole && errno == 0 ? cel_int(i) : cel_double(strtod(s.s, NULL));
		}
	}
	return cel_string(s.s, s.len);
}

static bool text_target(const struct assignment *set, size_t n, const struct field *fields, struct str path)
{
	for (size_t i = 0; i < n; i++) {
		enum field_type type = fields[set[i].target].type;
		if (path.len && str_equal(set[i].path, path) &&
		    (type == FIELD_STRING || type == FIELD_DATE || type == FIELD_ENUM))
			return true;
	}
	return false;
}

/* Does this field of data go straight to a fact, or a member's field, that is text? */
static bool goes_to_text(const struct watch *w, const struct event_type *type, struct str path)
{
	bool text = text_target(type->set, type->n_set, w->facts, path);
	for (size_t i = 0; i < type->n_members; i++)
		text |= text_target(type->members[i].set, type->members[i].n_set,
				    w->lists[type->members[i].list].fields, path);
	return text;
}

/* The value at this path of the data, such as phones.0.code. */
static struct cel_value data_value(struct reader *t, const struct node *n, const struct event_type *type,
				   struct str path)
{
	if (n->kind == NODE_SCALAR)
		return scalar_value(n, goes_to_text(t->w, type, path));
	bool map = n->kind == NODE_MAP;
	struct cel_value *items = ARENA_ARRAY(t->arena, struct cel_value, n->n * (map ? 2u : 1u));
	for (uint32_t i = 0; i < n->n; i++) {
		struct str inner = str_of(map ? arena_printf(&t->l.scratch, "%s.%s", path.s, n->entries[i].key->text.s)
					      : arena_printf(&t->l.scratch, "%s.%u", path.s, i));
		if (map)
			items[2 * i] = cel_string(n->entries[i].key->text.s, n->entries[i].key->text.len);
		items[map ? 2 * i + 1 : i] = data_value(t, n->entries[i].value, type, inner);
	}
	struct cel_value v = cel_list(items, n->n);
	v.kind = map ? CEL_MAP : CEL_LIST;
	return v;
}

static void read_data(struct reader *t, const struct node *map, struct test_event *e)
{
	const struct event_type *type = e->type;
	struct cel_value *data = ARENA_ARRAY(t->arena, struct cel_value, type->n_data);
	struct str *raw = ARENA_ARRAY(t->arena, struct str, type->n_data);
	bool whole;
	e->data = data;
	e->raw = raw;
	if (map->kind == NODE_SCALAR && node_empty(map))
		return;
	if (!read_map(&t->l, map, "an event's data", NULL, 0))
		return;
	for (uint32_t i = 0; i < map->n; i++) {
		const struct node *key = map->entries[i].key, *value = map->entries[i].value;
		size_t k = 0;
		while (k < type->n_data && !node_is(key, type->data[k]))
			k++;
		if (k == type->n_data) { /* an event may hold more than is read, but here a near miss is a slip */
			const char *near = cel_nearest(key->text.s, type->data, type->n_data);
			if (near)
				FAULT(&t->l, key, "`%s` reads no `%s`; did you mean `%s`?", type->type, key->text.s,
				      near);
			continue;
		}
		data[k] = data_value(t, value, type, key->text);
		if (value->kind == NODE_SCALAR && value->style == STYLE_PLAIN && is_json_number(value->text, &whole))
			raw[k] = value->text;
	}
}

/* --- events */
static bool is_event_key(const struct node *key)
{
	for (size_t k = 0; k < COUNT(event_keys); k++)
		if (node_is(key, event_keys[k]))
			return true;
	return false;
}

static const struct entry *event_entry(const struct node *item)
{
	for (uint32_t i = 0; i < item->n; i++)
		if (!is_event_key(item->entries[i].key))
			return &item->entries[i];
	return NULL;
}

/* An attribute of the event (CloudEvents), or empty where the test leaves it out. */
static struct str read_attribute(struct reader *t, const struct node *item, const char *key)
{
	const struct node *n = node_get(item, key);
	if (!n || !read_scalar(&t->l, n, arena_printf(&t->l.scratch, "`%s`", key)))
		return STR("");
	return n->text;
}

enum { N_ANSWERS = ANSWER_NOT_CONFIRMED + 1 };

static int find_answer(const struct node *key)
{
	for (int i = 0; i < N_ANSWERS; i++)
		if (node_is(key, answer_type((enum answer_kind)i)))
			return i;
	return -1;
}

static bool read_type(struct reader *t, const struct node *key, struct test_event *e)
{
	int answer = find_answer(key);
	e->type = watch_event(t->w, key->text);
	if (answer >= 0) {
		e->answer = ARENA_ARRAY(t->arena, struct answer, 1);
		*e->answer = (struct answer){
			.kind = (enum answer_kind)answer, .at = e->time, .until = TIME_NEVER, .message_no = -1};
	}
	if (e->type || key->bad || answer >= 0)
		return e->type || answer >= 0;
	const char **names = ARENA_ARRAY(&t->l.scratch, const char *, t->w->n_events + N_ANSWERS);
	size_t n = 0;
	for (; n < t->w->n_events; n++)
		names[n] = t->w->events[n].type;
	for (int i = 0; i < N_ANSWERS; i++)
		names[n++] = answer_type((enum answer_kind)i);
	unknown_name(&t->l, key, "event type", key->text.s, names, n);
	return false;
}

/* What feedback says (language.md, "Feedback"). */
static void read_answer(struct reader *t, const struct node *map, const struct event_type *type, struct answer *a)
{
	static const char *const ours[] = {"case",       "by",    "at",      "note",  "until",
					   "message_no", "rules", "measure", "which", "when"};
	size_t n = type ? type->n_data : 0;
	const char **keys = ARENA_ARRAY(&t->l.scratch, const char *, COUNT(ours) + n);
	memcpy(keys, ours, sizeof ours);
	for (size_t i = 0; i < n; i++) /* what the watch's `events` read of it besides */
		keys[COUNT(ours) + i] = type->data[i];
	if ((map->kind == NODE_SCALAR && node_empty(map)) || !read_map(&t->l, map, "feedback", keys, COUNT(ours) + n))
		return;
	const struct node *id = node_get(map, "case"), *at = node_get(map, "at"), *until = node_get(map, "until");
	const struct node *number = node_get(map, "message_no"), *rules = node_get(map, "rules");
	if (id && read_scalar(&t->l, id, "`case`"))
		a->case_id = id->text;
	if (at)
		read_time(t, at, "`at`", time_parse, &a->at);
	if (until)
		read_time(t, until, "`until`", until_parse, &a->until);
	if (number)
		read_int(&t->l, number, "`message_no`", 1, UINT32_MAX, &a->message_no);
	if (!rules || !read_list(&t->l, rules, "`rules`"))
		return;
	struct str *list = ARENA_ARRAY(t->arena, struct str, rules->n);
	for (uint32_t i = 0; i < rules->n; i++)
		list[i] = rules->entries[i].value->text;
	a->rules = list;
	a->n_rules = rules->n;
}

static bool read_event(struct reader *t, const struct node *item, int64_t at, struct test_event *e)
{
	if (!read_map(&t->l, item, "an event", NULL, 0))
		return false;
	const struct entry *entry = event_entry(item);
	const struct node *time = node_get(item, "time"), *rejected = node_get(item, "rejected");
	*e = (struct test_event){.node = item, .time = at};
	if (!entry) {
		FAULT(&t->l, item, "an event without its type; expected `type: {data}`");
		return false;
	}
	if (time)
		read_time(t, time, "`time`", time_parse, &e->time);
	if (!read_type(t, entry->key, e))
		return false;
	for (uint32_t i = 0; i < item->n; i++) {
		const struct node *key = item->entries[i].key;
		if (&item->entries[i] != entry && !is_event_key(key))
			unknown_name(&t->l, key, "key", key->text.s, event_keys, COUNT(event_keys));
	}
	e->id = read_attribute(t, item, "id");
	e->source = read_attribute(t, item, "source");
	e->subject = read_attribute(t, item, "subject");
	if (rejected && read_scalar(&t->l, rejected, "`rejected`"))
		e->rejected = node_is(rejected, "true") ? "" : rejected->text.s; /* for whatever reason */
	if (e->answer)
		read_answer(t, entry->value, e->type, e->answer);
	if (e->type)
		read_data(t, entry->value, e);
	return true;
}

static void read_events(struct reader *t, const struct node *list, struct test_step *step)
{
	if (!list || !read_list(&t->l, list, "`events`"))
		return;
	step->events = ARENA_ARRAY(t->arena, struct test_event, list->n);
	for (uint32_t i = 0; i < list->n; i++)
		step->n_events += read_event(t, list->entries[i].value, step->at, &step->events[step->n_events]);
}

/* --- tests */
static void read_step(struct reader *t, const struct node *n, struct test_step *step)
{
	static const char *const keys[] = {"at", "events", "expect", "expect_messages", "expect_outcomes", "values"};
	step->node = n;
	if (!read_map(&t->l, n, "a step", keys, COUNT(keys)))
		return;
	const struct node *at = read_needed(&t->l, n, "the step", "at");
	if (at)
		read_time(t, at, "`at`", time_parse, &step->at);
	read_events(t, node_get(n, "events"), step);
	read_expectations(t, n, step);
}

static bool expects(const struct test_step *step)
{
	bool found = step->expect || step->messages || step->outcomes || step->n_values;
	for (size_t i = 0; i < step->n_events && !found; i++)
		found = step->events[i].rejected;
	return found;
}

static void check_something(struct reader *t, const struct rule_test *test)
{
	for (size_t i = 0; i < test->n_steps; i++)
		if (expects(&test->steps[i]))
			return;
	FAULT(&t->l, test->node,
	      "the test `%s` expects nothing; expected `expect`, `expect_messages`, `expect_outcomes` or `values` in a "
	      "step, or `rejected` of an event",
	      test->name);
}

static void read_steps(struct reader *t, const struct node *list, struct rule_test *test)
{
	if (!list || !read_list(&t->l, list, "`steps`"))
		return;
	uint32_t before = t->l.faults->errors;
	test->steps = ARENA_ARRAY(t->arena, struct test_step, list->n);
	for (uint32_t i = 0; i < list->n; i++) {
		struct test_step *step = &test->steps[test->n_steps++];
		step->at = i ? step[-1].at : 0;
		read_step(t, list->entries[i].value, step);
		if (i && step->at < step[-1].at)
			FAULT(&t->l, node_get(step->node, "at"),
			      "the step is earlier than the one before; expected time to go on");
	}
	if (t->l.faults->errors == before) /* else the fault may be why */
		check_something(t, test);
}

static void read_test(struct reader *t, const struct node *root, struct rule_test *test)
{
	static const char *const keys[] = {"test", "watch", "subject", "steps"};
	if (!read_map(&t->l, root, "a test", keys, COUNT(keys)))
		return;
	const struct node *watch = read_needed(&t->l, root, "the test", "watch");
	test->subject = read_attribute(t, root, "subject");
	const struct node *steps = read_needed(&t->l, root, "the test", "steps");
	if (!watch || !read_scalar(&t->l, watch, "`watch`"))
		return;
	test->watch = t->w = ruleset_watch(t->r, watch->text);
	if (t->w) {
		read_steps(t, steps, test);
		return;
	}
	const char **names = ARENA_ARRAY(&t->l.scratch, const char *, t->r->n_watches);
	for (size_t i = 0; i < t->r->n_watches; i++)
		names[i] = t->r->watches[i]->name;
	unknown_name(&t->l, watch, "watch", watch->text.s, names, t->r->n_watches);
}

struct rule_test *tests_read(const struct documents *docs, struct config *config, struct arena *arena,
			     struct faults *faults, size_t *n)
{
	struct reader t = {.l = {.faults = faults, .r = config->ruleset, .settings = &config->settings, .docs = docs},
			   .arena = arena,
			   .r = config->ruleset};
	struct rule_test *tests = ARENA_ARRAY(arena, struct rule_test, docs->n);
	*n = 0;
	for (size_t i = 0; i < docs->n; i++) {
		const struct config_document *d = &docs->list[i];
		if (d->kind != DOC_TEST || d->broken)
			continue;
		const struct node *name = d->root->entries[0].value;
		if (!read_scalar(&t.l, name, "`test`"))
			continue;
		struct rule_test *test = &tests[(*n)++];
		*test = (struct rule_test){.name = name->text.s, .node = d->root};
		read_test(&t, d->root, test);
	}
	arena_close(&t.l.scratch);
	faults_sort(faults);
	return tests;
}
