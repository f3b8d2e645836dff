/* Loads watches: facts and members here, measures and derived values in load_measure.c, events in load_event.c. */
#include "../core/event.h"
#include "../state/partition_record.h"
#include "load.h"
#include <string.h>

enum { OWN_TOPICS = 2 }; /* feedback and forward, which a partition's record holds, too */

static const char *const type_words[] = {"bool", "int", "double", "string", "date"};

bool is_money(const char *unit)
{
	return unit && strncmp(unit, "yuan", 4) == 0;
}

const struct cel_type *field_cel_type(struct cel_env *env, const struct field *f)
{
	switch (f->type) {
	case FIELD_BOOL:
		return cel_type_bool(env);
	case FIELD_INT:
		return cel_type_with_unit(env, cel_type_int(env), f->unit);
	case FIELD_DOUBLE:
		return cel_type_with_unit(env, cel_type_double(env), f->unit);
	case FIELD_STRING:
		return cel_type_string(env);
	case FIELD_DATE:
		return cel_type_timestamp(env);
	case FIELD_ENUM:
		return cel_type_enum(env, f->name, f->values, f->n_values);
	}
	return cel_type_dyn(env);
}

/* --- one field */
static void read_enum(struct loader *l, const struct node *n, struct field *f)
{
	f->type = FIELD_ENUM;
	if (!read_list(l, n, "`enum`"))
		return;
	if (n->n == 0)
		FAULT(l, n, "`enum` is empty; expected the values that are possible");
	const char **values = ARENA_ARRAY(&l->r->arena, const char *, n->n);
	for (uint32_t i = 0; i < n->n; i++) {
		const struct node *item = n->entries[i].value;
		const char *text = read_text(l, item, "a value of `enum`");
		for (size_t k = 0; text && k < f->n_values; k++)
			if (strcmp(values[k], text) == 0)
				FAULT(l, item, "the value `%s` is given twice; expected it once", text);
		if (text)
			values[f->n_values++] = text;
	}
	f->values = values;
}

static void read_default(struct loader *l, const struct node *n, struct field *f)
{
	bool b = false;
	int64_t i = 0;
	double d = 0;
	int32_t day = 0;
	int word;
	switch (f->type) {
	case FIELD_BOOL:
		f->has_default = read_bool(l, n, "`default`", &b);
		f->initial = cel_bool(b);
		break;
	case FIELD_INT:
		f->has_default = read_int(l, n, "`default`", INT64_MIN, INT64_MAX, &i);
		f->initial = cel_int(i);
		break;
	case FIELD_DOUBLE:
		f->has_default = read_double(l, n, "`default`", &d);
		if (f->has_default && f->money && !money_parse(n->text, &i))
			FAULT(l, n, "`default` is `%s`; expected an amount of money", n->text.s);
		f->initial = cel_double(f->money ? (double)i / 100 : d);
		break;
	case FIELD_STRING:
		f->has_default = n->kind == NODE_SCALAR && !node_empty(n) ? !n->bad : read_scalar(l, n, "`default`");
		f->initial = cel_string(keep_text(l, n->text), n->text.len);
		break;
	case FIELD_DATE:
		f->has_default = read_day(l, n, "`default`", &day);
		f->initial = cel_timestamp(cel_zone_midnight(l->r->zone, day), 0);
		break;
	case FIELD_ENUM:
		word = read_word(l, n, "`default`", f->values, f->n_values);
		f->has_default = word >= 0;
		if (word >= 0)
			f->initial = cel_string(f->values[word], strlen(f->values[word]));
		break;
	}
	if (!f->has_default)
		f->initial = cel_unknown(NULL);
}

static void read_type(struct loader *l, const struct node *map, const struct node *type, struct field *f)
{
	const struct node *values = node_get(map, "enum");
	if (type && values)
		FAULT(l, type, "`type` beside `enum`; expected one of them");
	if (values) {
		read_enum(l, values, f);
		return;
	}
	if (!type) {
		FAULT(l, map, "`%s` has neither `type` nor `enum`; expected one of them", f->name);
		return;
	}
	if (node_is(type, "enum")) {
		FAULT(l, type, "an enum without its values; expected `{enum: [a, b]}`");
		return;
	}
	int i = read_word(l, type, "the type", type_words, COUNT(type_words));
	if (i >= 0)
		f->type = (enum field_type)i;
}

static void load_field(struct loader *l, const char *name, const struct node *key, const struct node *value,
		       struct field *f)
{
	static const char *const keys[] = {"type", "enum", "unit", "default", "title", "sensitive"};
	*f = (struct field){.name = name,
			    .title = name,
			    .id = field_id(name),
			    .type = FIELD_STRING,
			    .initial = cel_unknown(NULL),
			    .place = keep_place(l, key)};
	if (value->kind == NODE_SCALAR) {
		if (read_scalar(l, value, arena_printf(&l->scratch, "the type of `%s`", name)))
			read_type(l, value, value, f);
		return;
	}
	if (!read_map(l, value, arena_printf(&l->scratch, "`%s`", name), keys, COUNT(keys)))
		return;
	const struct node *unit = node_get(value, "unit"), *sensitive = node_get(value, "sensitive");
	const struct node *initial = node_get(value, "default");
	read_type(l, value, node_get(value, "type"), f);
	f->title = read_title(l, value, name);
	f->unit = unit ? read_text(l, unit, "`unit`") : NULL;
	f->money = f->type == FIELD_DOUBLE && is_money(f->unit);
	if (unit && f->type != FIELD_DOUBLE && f->type != FIELD_INT)
		FAULT(l, unit, "`unit` of a field that is no number; expected it only with double or int");
	if (sensitive)
		read_bool(l, sensitive, "`sensitive`", &f->sensitive);
	if (initial)
		read_default(l, initial, f);
}

static const char *same_id(const struct field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fields[i].id == fields[n].id)
			return fields[i].name;
	return NULL;
}

/* --- the scope of a watch */
static uint32_t taken_line(const struct watch *w, const char *name, const char **as)
{
	*as = "a fact";
	for (size_t i = 0; i < w->n_facts; i++)
		if (strcmp(w->facts[i].name, name) == 0)
			return w->facts[i].place.line;
	*as = "a member list";
	for (size_t i = 0; i < w->n_lists; i++)
		if (strcmp(w->lists[i].name, name) == 0)
			return w->lists[i].place.line;
	*as = "a measure";
	for (size_t i = 0; i < w->n_measures; i++)
		if (strcmp(w->measures[i].name, name) == 0)
			return w->measures[i].place.line;
	*as = "a derived value";
	for (size_t i = 0; i < w->n_derived; i++)
		if (strcmp(w->derived[i].name, name) == 0)
			return w->derived[i].place.line;
	return 0;
}

const char *claim_name(struct loader *l, const struct watch *w, const struct node *key)
{
	static const char *const ours[] = {"threshold", "today", "since"};
	const char *as, *name = read_identifier(l, key, "a name");
	if (!name)
		return NULL;
	for (size_t i = 0; i < COUNT(ours); i++)
		if (strcmp(name, ours[i]) == 0) {
			FAULT(l, key, "`%s` has a meaning of its own in every expression; expected another name", name);
			return NULL;
		}
	uint32_t line = taken_line(w, name, &as);
	if (!line)
		return name;
	FAULT(l, key, "`%s` is already %s (line %u); expected a name of its own", name, as, line);
	return NULL;
}

uint32_t declare_name(struct loader *l, struct watch *w, const char *name, const struct cel_type *type,
		      enum name_kind kind, uint32_t index)
{
	uint32_t variable = cel_env_variable(w->env, name, type);
	if (variable >= w->n_names) { /* variables come one by one: the room doubles at each power of two */
		if ((w->n_names & (w->n_names - 1)) == 0) {
			struct name *names = ARENA_ARRAY(&l->r->arena, struct name, w->n_names ? 2 * w->n_names : 1);
			if (w->n_names)
				memcpy(names, w->names, w->n_names * sizeof *names);
			w->names = names;
		}
		w->n_names = variable + 1;
	}
	w->names[variable] = (struct name){kind, index, keep_text(l, str_of(name))};
	return variable;
}

static void load_facts(struct loader *l, struct watch *w, const struct node *map)
{
	if (!map || !read_map(l, map, "`facts`", NULL, 0))
		return;
	w->facts = ARENA_ARRAY(&l->r->arena, struct field, map->n);
	for (uint32_t i = 0; i < map->n; i++) {
		const char *name = claim_name(l, w, map->entries[i].key);
		if (!name)
			continue;
		struct field *f = &w->facts[w->n_facts];
		load_field(l, name, map->entries[i].key, map->entries[i].value, f);
		const char *other = same_id(w->facts, w->n_facts);
		if (other)
			faults_add(l->faults, f->place, "`%s` and `%s` have the same short code; rename one", name,
				   other);
		declare_name(l, w, name, field_cel_type(w->env, f), NAME_FACT, (uint32_t)w->n_facts++);
	}
}

/* --- member lists */
enum { MAX_MEMBER_FIELDS = 60 };

static void load_list(struct loader *l, struct watch *w, const struct node *map, struct member_list *list)
{
	char *what = arena_printf(&l->scratch, "the member list `%s`", list->name);
	if (!read_map(l, map, what, NULL, 0))
		return;
	if (map->n > MAX_MEMBER_FIELDS)
		FAULT(l, map, "%s has %u fields; expected at most %d", what, map->n, MAX_MEMBER_FIELDS);
	list->fields = ARENA_ARRAY(&l->r->arena, struct field, map->n);
	for (uint32_t i = 0; i < map->n && i < MAX_MEMBER_FIELDS; i++) {
		const struct node *key = map->entries[i].key;
		const char *name = read_identifier(l, key, "a field");
		if (name && strcmp(name, "since") == 0)
			FAULT(l, key, "`since` is a field that every member has; expected another name");
		else if (name)
			load_field(l, name, key, map->entries[i].value, &list->fields[list->n_fields++]);
	}
	(void)w;
}

static const struct cel_type *record_type(struct loader *l, struct watch *w, const struct member_list *list)
{
	struct cel_field *fields = ARENA_ARRAY(&l->scratch, struct cel_field, list->n_fields + 1);
	for (size_t i = 0; i < list->n_fields; i++)
		fields[i] = (struct cel_field){list->fields[i].name, field_cel_type(w->env, &list->fields[i])};
	fields[list->n_fields] = (struct cel_field){"since", cel_type_timestamp(w->env)};
	return cel_type_record(w->env, list->name, fields, list->n_fields + 1);
}

static void load_lists(struct loader *l, struct watch *w, const struct node *map)
{
	if (!map || !read_map(l, map, "`members`", NULL, 0))
		return;
	w->lists = ARENA_ARRAY(&l->r->arena, struct member_list, map->n);
	for (uint32_t i = 0; i < map->n; i++) {
		const char *name = claim_name(l, w, map->entries[i].key);
		if (!name)
			continue;
		struct member_list *list = &w->lists[w->n_lists];
		*list = (struct member_list){
			.name = name, .id = field_id(name), .place = keep_place(l, map->entries[i].key)};
		load_list(l, w, map->entries[i].value, list);
		list->type = record_type(l, w, list);
		declare_name(l, w, name, cel_type_list(w->env, list->type), NAME_MEMBERS, (uint32_t)w->n_lists++);
	}
}

/* --- the watch */
static void read_region_fact(struct loader *l, struct watch *w, const struct node *n)
{
	if (!n || !read_scalar(l, n, "`region`"))
		return;
	const char **names = ARENA_ARRAY(&l->scratch, const char *, w->n_facts);
	for (size_t i = 0; i < w->n_facts; i++) {
		names[i] = w->facts[i].name;
		if (node_is(n, names[i]))
			w->region = (int32_t)i;
	}
	if (w->region < 0)
		unknown_name(l, n, "fact", n->text.s, names, w->n_facts);
	else if (w->facts[w->region].type != FIELD_STRING)
		FAULT(l, n, "the fact `%s` is no string; expected one that holds a division code", n->text.s);
}

static void declare_common(struct loader *l, struct watch *w)
{
	for (size_t i = 0; i < l->r->n_thresholds; i++) {
		const struct threshold *t = &l->r->thresholds[i];
		declare_name(l, w, arena_printf(&l->scratch, "threshold.%s", t->name),
			     cel_type_with_unit(w->env, cel_type_double(w->env), t->unit), NAME_THRESHOLD, (uint32_t)i);
	}
	declare_name(l, w, "today", cel_type_timestamp(w->env), NAME_TODAY, 0);
	declare_name(l, w, "since", cel_type_timestamp(w->env), NAME_SINCE, 0);
}

/* A watch may read the outcomes; the daemon's other topics are its own. */
static void check_topic(struct loader *l, const struct node *n, const struct watch *w)
{
	const struct settings *s = l->settings;
	const char *own[] = {s->topics.feedback, s->topics.rejects, s->topics.forward, s->topics.state};
	for (size_t i = 0; i < COUNT(own); i++)
		if (own[i] && strcmp(own[i], w->topic) == 0)
			FAULT(l, n,
			      "`%s` is one of the daemon's own topics; expected a topic of the watch's own, or `%s`",
			      w->topic, s->topics.outcomes);
}

static bool share_type(const struct watch *a, const struct watch *b)
{
	enum answer_kind kind;
	for (size_t t = 0; t < a->n_events; t++)
		if (watch_event(b, str_of(a->events[t].type)) && !answer_kind_of(str_of(a->events[t].type), &kind))
			return true;
	return false;
}

/* Of the watches that read one topic, an event is for each that knows its type; feedback is for that of its case. */
static void share_topic(struct loader *l, struct watch *w)
{
	struct watch *before = NULL;
	for (uint32_t i = 0; i < w->index; i++)
		if (l->r->watches[i]->topic && strcmp(l->r->watches[i]->topic, w->topic) == 0) {
			before = l->r->watches[i];
			w->by_copy |= share_type(w, before);
		}
	if (before)
		before->beside = w;
	else if (++l->n_topics == MAX_TOPICS - OWN_TOPICS + 1)
		faults_add(l->faults, w->place,
			   "`%s` is one topic too many; expected at most %d for all watches, and several may read one",
			   w->topic, MAX_TOPICS - OWN_TOPICS);
}

static void load_watch(struct loader *l, const struct node *root, struct watch *w)
{
	static const char *const keys[] = {"watch",   "title",    "topic",   "region", "facts",
					   "members", "measures", "derived", "events", "subject"};
	if (!read_map(l, root, "a watch", keys, COUNT(keys)))
		return;
	w->title = read_title(l, root, w->name);
	const struct node *topic = read_needed(l, root, "the watch", "topic"), *subject = node_get(root, "subject");
	w->topic = topic ? read_topic(l, topic, false) : NULL;
	w->fed_by_outcomes = w->topic && strcmp(w->topic, l->settings->topics.outcomes) == 0;
	if (w->topic)
		check_topic(l, topic, w);
	load_facts(l, w, node_get(root, "facts"));
	load_lists(l, w, node_get(root, "members"));
	load_measures(l, w, node_get(root, "measures"));
	declare_common(l, w);
	load_derived(l, w, node_get(root, "derived"));
	load_events(l, w, node_get(root, "events"), subject);
	if (w->topic)
		share_topic(l, w);
	read_region_fact(l, w, node_get(root, "region"));
}

void load_watches(struct loader *l)
{
	struct ruleset *r = l->r;
	struct named *list = collect_documents(l, DOC_WATCH, read_label, &r->n_watches);
	r->watches = ARENA_ARRAY(&r->arena, struct watch *, r->n_watches);
	l->watch_nodes = ARENA_ARRAY(&l->scratch, const struct node *, r->n_watches);
	for (size_t i = 0; i < r->n_watches; i++) {
		struct watch *w = r->watches[i] = arena_zero(&r->arena, sizeof *w);
		w->name = w->title = list[i].name;
		w->index = (uint32_t)i;
		w->region = -1;
		w->place = keep_place(l, list[i].root);
		w->env = new_env(l);
		if (list[i].broken)
			continue;
		l->watch_nodes[i] = list[i].root;
		load_watch(l, list[i].root, w);
	}
}
