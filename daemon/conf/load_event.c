/* Loads what each event type does to the subject.  Event expressions see `data` and `event` only; which names of `data`
 * they read is found first, since the decoder takes no others. */
#include "load.h"
#include <stdlib.h>
#include <string.h>

struct event_load {
	struct loader *l;
	struct watch *w;
	struct event_type *t;
	const struct node *subject; /* of the watch, or NULL */
	const char **data;
	size_t n_data, cap_data;
};

static int find_data(const struct event_load *e, struct str name)
{
	for (size_t i = 0; i < e->n_data; i++)
		if (str_equal(name, str_of(e->data[i])))
			return (int)i;
	return -1;
}

static void add_data(struct event_load *e, struct str name)
{
	if (find_data(e, name) >= 0)
		return;
	ARENA_PUSH_ROOM(&e->l->r->arena, e->data, e->n_data, e->cap_data);
	e->data[e->n_data++] = keep_text(e->l, name);
}

static bool is_char(const struct token *t, char c)
{
	return t->kind == TOKEN_OTHER && t->c == c;
}

/* After the name `data`: `.name`, `.?name` or `["name"]`.  False: something else. */
static bool data_name(struct scan *s, struct str *name)
{
	struct token t, close;
	struct scan ahead = *s;
	if (!scan_next(&ahead, &t))
		return false;
	bool index = is_char(&t, '[');
	if (!index && !is_char(&t, '.'))
		return false;
	bool good = scan_next(&ahead, &t);
	if (good && !index && is_char(&t, '?'))
		good = scan_next(&ahead, &t);
	if (!good || t.kind != (index ? TOKEN_TEXT : TOKEN_NAME))
		return false;
	if (index && (!scan_next(&ahead, &close) || !is_char(&close, ']')))
		return false;
	*name = (struct str){s->text.s + t.pos, t.len};
	*s = ahead;
	return true;
}

static void scan_data(struct event_load *e, const struct node *n)
{
	struct scan s = {.text = n->text};
	struct token t;
	struct str name;
	while (scan_next(&s, &t)) {
		if (t.kind != TOKEN_NAME || t.after_dot ||
		    !str_equal((struct str){n->text.s + t.pos, t.len}, STR("data")))
			continue;
		if (data_name(&s, &name))
			add_data(e, name);
		else
			faults_add(e->l->faults, node_place_at(n, t.pos),
				   "`data` as a whole; expected one of its fields: data.<name> or data[\"name\"]");
	}
}

/* After a path's beginning: `[0]`, an element of a list. */
static bool data_element(struct scan *s, struct str *number)
{
	struct token open, t, close;
	struct scan ahead = *s;
	if (!scan_next(&ahead, &open) || !is_char(&open, '[') || !scan_next(&ahead, &t) || t.kind != TOKEN_OTHER ||
	    t.c < '0' || t.c > '9' || !scan_next(&ahead, &close) || !is_char(&close, ']'))
		return false;
	*number = (struct str){s->text.s + t.pos, t.len};
	*s = ahead;
	return true;
}

/* Is the whole expression one field of data, or a field or an element within one?  Its path, such as phones.0.code; and
 * if it is no deeper than data.<name>, the index. */
static void find_path(const struct event_load *e, struct str text, struct assignment *out)
{
	struct scan s = {.text = text};
	struct token t;
	struct str name, path = STR("");
	size_t depth = 0;
	if (!scan_next(&s, &t) || t.kind != TOKEN_NAME ||
	    !str_equal((struct str){text.s + t.pos, t.len}, STR("data")) || memchr(text.s, '?', text.len))
		return;
	for (; data_name(&s, &name) || (depth && data_element(&s, &name)); depth++)
		path = str_of(arena_printf(&e->l->r->arena, "%.*s%s%.*s", (int)path.len, path.s, depth ? "." : "",
					   (int)name.len, name.s));
	if (scan_next(&s, &t))
		return;
	out->path = path;
	if (depth == 1)
		out->data = find_data(e, path);
}

static void scan_all(struct event_load *e, const struct node *n)
{
	if (n->kind == NODE_SCALAR && !n->bad)
		scan_data(e, n);
	for (uint32_t i = 0; n->kind != NODE_SCALAR && i < n->n; i++)
		scan_all(e, n->entries[i].value);
}

static struct cel_env *event_env(struct event_load *e)
{
	struct cel_env *env = new_env(e->l);
	const struct cel_type *text = cel_type_string(env);
	const struct cel_field meta[N_META] = {[META_ID] = {"id", text},
					       [META_SOURCE] = {"source", text},
					       [META_TYPE] = {"type", text},
					       [META_TIME] = {"time", cel_type_timestamp(env)},
					       [META_KEY] = {"key", text}};
	struct cel_field *fields = ARENA_ARRAY(&e->l->scratch, struct cel_field, e->n_data);
	for (size_t i = 0; i < e->n_data; i++)
		fields[i] = (struct cel_field){e->data[i], cel_type_dyn(env)};
	cel_env_variable(env, "data", cel_type_record(env, "data", fields, e->n_data));
	cel_env_variable(env, "event", cel_type_record(env, "event", meta, N_META));
	return env;
}

static void assign(struct event_load *e, const struct node *n, unsigned kinds, const char *expected,
		   struct assignment *out)
{
	out->place = keep_place(e->l, n);
	out->data = -1;
	out->program = compile_expression(e->l, e->t->env, n, kinds | KIND_BIT(CEL_NULL), expected);
	if (out->program)
		find_path(e, n->text, out);
}

static struct assignment *assign_one(struct event_load *e, const struct node *n, unsigned kinds, const char *expected)
{
	if (!n)
		return NULL;
	struct assignment *a = arena_zero(&e->l->r->arena, sizeof *a);
	assign(e, n, kinds, expected, a);
	return a;
}

/* --- targets */
static int find_field(struct loader *l, const struct node *key, const char *what, const struct field *fields, size_t n)
{
	const char **names = ARENA_ARRAY(&l->scratch, const char *, n);
	for (size_t i = 0; i < n; i++) {
		names[i] = fields[i].name;
		if (node_is(key, names[i]))
			return (int)i;
	}
	if (!key->bad)
		unknown_name(l, key, what, key->text.s, names, n);
	return -1;
}

static int find_measure(struct event_load *e, const struct node *key)
{
	const struct watch *w = e->w;
	const char **names = ARENA_ARRAY(&e->l->scratch, const char *, w->n_measures);
	for (size_t i = 0; i < w->n_measures; i++) {
		names[i] = w->measures[i].name;
		if (!node_is(key, names[i]))
			continue;
		if (w->measures[i].base == i)
			return (int)i;
		FAULT(e->l, key, "`%s` reads the contributions of `%s`; expected that one", names[i],
		      w->measures[w->measures[i].base].name);
		return -1;
	}
	if (!key->bad)
		unknown_name(e->l, key, "measure", key->text.s, names, w->n_measures);
	return -1;
}

static unsigned field_kinds(const struct field *f, const char **expected)
{
	static const struct {
		unsigned kinds;
		const char *expected;
	} fits[] = {
		[FIELD_BOOL] = {KIND_BIT(CEL_BOOL), "bool"},
		[FIELD_INT] = {KIND_BIT(CEL_INT) | KIND_BIT(CEL_UINT), "int"},
		[FIELD_DOUBLE] = {KINDS_NUMBER, "double"},
		[FIELD_STRING] = {KIND_BIT(CEL_STRING), "string"},
		[FIELD_DATE] = {KIND_BIT(CEL_STRING) | KIND_BIT(CEL_TIMESTAMP), "a date"},
		[FIELD_ENUM] = {KIND_BIT(CEL_STRING), "string"},
	};
	*expected = fits[f->type].expected;
	return fits[f->type].kinds;
}

static void load_set(struct event_load *e, const struct node *map, const char *what, const struct field *fields,
		     size_t n_fields, struct assignment **out, size_t *n_out)
{
	const char *expected;
	if (!map || !read_map(e->l, map, "`set`", NULL, 0))
		return;
	*out = ARENA_ARRAY(&e->l->r->arena, struct assignment, map->n);
	for (uint32_t i = 0; i < map->n; i++) {
		int target = find_field(e->l, map->entries[i].key, what, fields, n_fields);
		if (target < 0)
			continue;
		struct assignment *a = &(*out)[(*n_out)++];
		a->target = (uint32_t)target;
		unsigned kinds = field_kinds(&fields[target], &expected);
		assign(e, map->entries[i].value, kinds, expected, a);
	}
}

static void load_add(struct event_load *e, const struct node *map)
{
	struct event_type *t = e->t;
	if (!map || !read_map(e->l, map, "`add`", NULL, 0))
		return;
	t->add = ARENA_ARRAY(&e->l->r->arena, struct assignment, map->n);
	for (uint32_t i = 0; i < map->n; i++) {
		int target = find_measure(e, map->entries[i].key);
		if (target < 0)
			continue;
		bool count = e->w->measures[target].count;
		struct assignment *a = &t->add[t->n_add++];
		a->target = (uint32_t)target;
		assign(e, map->entries[i].value, count ? KIND_BIT(CEL_BOOL) : KINDS_NUMBER,
		       count ? "bool, since it is counted" : "a number, since it is summed", a);
	}
}

static void load_remove(struct event_load *e, const struct node *list)
{
	struct event_type *t = e->t;
	if (!list || !read_list(e->l, list, "`remove`"))
		return;
	uint32_t *remove = ARENA_ARRAY(&e->l->r->arena, uint32_t, list->n);
	for (uint32_t i = 0; i < list->n; i++) {
		const struct node *item = list->entries[i].value;
		int target = read_scalar(e->l, item, "a measure") ? find_measure(e, item) : -1;
		if (target >= 0)
			remove[t->n_remove++] = (uint32_t)target;
		for (size_t k = 0; target >= 0 && k < t->n_add; k++)
			if (t->add[k].target == (uint32_t)target)
				FAULT(e->l, item, "`%s` is both added and removed; expected one of them", item->text.s);
	}
	t->remove = remove;
	if (!t->key)
		FAULT(e->l, list, "`remove` without `key`; expected a `key` that names the contribution to remove");
}

/* --- members */
static int find_list(struct event_load *e, const struct node *key)
{
	const char **names = ARENA_ARRAY(&e->l->scratch, const char *, e->w->n_lists);
	for (size_t i = 0; i < e->w->n_lists; i++) {
		names[i] = e->w->lists[i].name;
		if (node_is(key, names[i]))
			return (int)i;
	}
	if (!key->bad)
		unknown_name(e->l, key, "member list", key->text.s, names, e->w->n_lists);
	return -1;
}

enum { KINDS_KEY = KIND_BIT(CEL_STRING) | KIND_BIT(CEL_INT) };
static const char KEY_EXPECTED[] = "a key (string or int)";

static void load_member_change(struct event_load *e, const struct node *value, struct member_change *c)
{
	static const char *const keys[] = {"key", "set"};
	const struct member_list *list = &e->w->lists[c->list];
	if (c->action == MEMBER_DROP) {
		assign(e, value, KINDS_KEY, KEY_EXPECTED, &c->key);
		return;
	}
	if (!read_map(e->l, value, "the member", keys, COUNT(keys)))
		return;
	const struct node *key = read_needed(e->l, value, "the member", "key");
	if (key)
		assign(e, key, KINDS_KEY, KEY_EXPECTED, &c->key);
	load_set(e, node_get(value, "set"), arena_printf(&e->l->scratch, "field of `%s`", list->name), list->fields,
		 list->n_fields, &c->set, &c->n_set);
}

static void load_members(struct event_load *e, const struct node *map)
{
	static const char *const words[] = {
		[MEMBER_UPSERT] = "upsert", [MEMBER_UPDATE] = "update", [MEMBER_DROP] = "drop"};
	struct event_type *t = e->t;
	size_t most = 0;
	for (size_t i = 0; i < COUNT(words); i++)
		most += node_get(map, words[i]) ? node_get(map, words[i])->n : 0;
	t->members = ARENA_ARRAY(&e->l->r->arena, struct member_change, most);
	for (size_t i = 0; i < COUNT(words); i++) {
		const struct node *changes = node_get(map, words[i]);
		if (!changes || !read_map(e->l, changes, arena_printf(&e->l->scratch, "`%s`", words[i]), NULL, 0))
			continue;
		for (uint32_t k = 0; k < changes->n; k++) {
			int list = find_list(e, changes->entries[k].key);
			if (list < 0)
				continue;
			struct member_change *c = &t->members[t->n_members++];
			*c = (struct member_change){
				.action = (enum member_action)i, .list = (uint32_t)list, .key.data = -1};
			load_member_change(e, changes->entries[k].value, c);
		}
	}
}

/* --- event types */
static void load_event(struct event_load *e, const struct node *map)
{
	static const char *const keys[] = {"key", "at", "set", "add", "remove", "upsert", "update", "drop", "end"};
	struct loader *l = e->l;
	struct event_type *t = e->t;
	if (!read_map(l, map, arena_printf(&l->scratch, "the event `%s`", t->type), keys, COUNT(keys)))
		return;
	scan_all(e, map);
	if (e->subject && e->subject->kind == NODE_SCALAR && !e->subject->bad)
		scan_data(e, e->subject);
	t->data = e->data;
	t->n_data = e->n_data;
	t->env = event_env(e);
	t->subject = assign_one(e, e->subject, KINDS_KEY, KEY_EXPECTED);
	t->key = assign_one(e, node_get(map, "key"), KINDS_KEY, KEY_EXPECTED);
	t->at = assign_one(e, node_get(map, "at"), KIND_BIT(CEL_STRING) | KIND_BIT(CEL_TIMESTAMP), "a time");
	load_set(e, node_get(map, "set"), "fact", e->w->facts, e->w->n_facts, &t->set, &t->n_set);
	load_add(e, node_get(map, "add"));
	load_remove(e, node_get(map, "remove"));
	load_members(e, map);
	const struct node *end = node_get(map, "end");
	if (end)
		read_bool(l, end, "`end`", &t->end);
}

static int by_type(const void *a, const void *b)
{
	return str_compare(str_of(((const struct event_type *)a)->type), str_of(((const struct event_type *)b)->type));
}

/* The watch's `subject` alone, so that its faults are told once and not for each event type; NULL where it has some. */
static const struct node *check_subject(struct loader *l, const struct node *n)
{
	struct event_type type = {0};
	struct event_load e = {.l = l, .t = &type};
	size_t errors = l->faults->errors;
	if (!n || !read_scalar(l, n, "`subject`"))
		return NULL;
	scan_data(&e, n);
	type.env = event_env(&e);
	cel_program_free(compile_expression(l, type.env, n, KINDS_KEY, KEY_EXPECTED));
	cel_env_free(type.env);
	return l->faults->errors == errors ? n : NULL;
}

void load_events(struct loader *l, struct watch *w, const struct node *map, const struct node *subject)
{
	subject = check_subject(l, subject);
	if (!map || !read_map(l, map, "`events`", NULL, 0))
		return;
	w->events = ARENA_ARRAY(&l->r->arena, struct event_type, map->n);
	for (uint32_t i = 0; i < map->n; i++) {
		const struct node *key = map->entries[i].key;
		if (key->bad || (key->text.len == 0 && !read_scalar(l, key, "an event's type")))
			continue;
		struct event_type *t = &w->events[w->n_events++];
		*t = (struct event_type){.type = keep_text(l, key->text), .place = keep_place(l, key)};
		/* Feedback is about the subject that is its key, wherever the watch's other events say theirs. */
		enum answer_kind kind;
		struct event_load e = {
			.l = l, .w = w, .t = t, .subject = answer_kind_of(key->text, &kind) ? NULL : subject};
		load_event(&e, map->entries[i].value);
	}
	qsort(w->events, w->n_events, sizeof *w->events, by_type);
}
