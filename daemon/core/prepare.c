/* An event's expressions evaluated and fitted to the types of their targets, before anything is changed: an event
 * that must be rejected leaves the subject as it was.  No value is quoted in a reason, only names and types. */
#include "step.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The event as its expressions see it: the variables EVENT_DATA and EVENT_META. */
struct seen_event {
	const struct event *event;
	struct cel_record data, meta;
	struct cel_value meta_fields[N_META], variables[2];
	bool ready; /* the records are made when an expression is no plain data.<name> */
};

static const char *kind_name(struct cel_value v)
{
	static const char *const names[] = {
		"nothing",    "an error", "null",       "a bool", "an integer", "an unsigned integer",
		"a number",   "a string", "bytes",      "a list", "a map",      "a timestamp",
		"a duration", "a type",   "an optional"};
	return names[v.kind];
}

static const char *type_name(const struct field *f)
{
	static const char *const names[] = {"a bool (true or false)",
					    "a whole number",
					    "a number",
					    "a string",
					    "a date (2015-03-02, 2015-03 or a timestamp)",
					    "one of its values"};
	return f->money ? "an amount of money" : names[f->type];
}

static const char *expression_name(const struct assignment *a, const struct event_type *type)
{
	return a->data >= 0 ? type->data[a->data] : cel_program_text(a->program);
}

static bool wrong(struct err *why, const struct assignment *a, const struct event_type *type, const char *found,
		  const char *expected)
{
	return err_set(why, "%s%s: found %s, expected %s", a->data >= 0 ? "data." : "", expression_name(a, type), found,
		       expected);
}

static void see_event(struct engine *e, struct seen_event *seen)
{
	const struct event *v = seen->event;
	int64_t seconds = v->time / 1000 - (v->time % 1000 < 0);
	seen->meta_fields[META_ID] = cel_string(v->id.s, v->id.len);
	seen->meta_fields[META_SOURCE] = cel_string(v->source.s, v->source.len);
	seen->meta_fields[META_TYPE] = cel_string(v->type->type, strlen(v->type->type));
	seen->meta_fields[META_TIME] = cel_timestamp(seconds, (uint32_t)(v->time - seconds * 1000) * 1000000);
	struct str key = v->key.s ? v->key : v->subject;
	seen->meta_fields[META_KEY] = cel_string(key.s, key.len);
	seen->data = (struct cel_record){cel_env_variable_type(v->type->env, EVENT_DATA), v->data, v};
	seen->meta = (struct cel_record){cel_env_variable_type(v->type->env, EVENT_META), seen->meta_fields, v};
	seen->variables[EVENT_DATA] = cel_of_record(&seen->data);
	seen->variables[EVENT_META] = cel_of_record(&seen->meta);
	seen->ready = true;
	(void)e;
}

/* "A field that an event lacks", within an object or a list of its data: CEL's errors are told apart by their texts. */
static bool is_lacking(struct cel_value v)
{
	const char *text = v.kind == CEL_ERROR && v.problem ? v.problem->text : "";
	return strncmp(text, "no such key: ", 13) == 0 || strncmp(text, "there is no element ", 20) == 0;
}

static struct cel_value value_of(struct engine *e, struct seen_event *seen, const struct assignment *a)
{
	if (a->data >= 0)
		return seen->event->data[a->data];
	if (!seen->ready)
		see_event(e, seen);
	struct cel_activation activation = {
		.heap = &e->heap, .values = seen->variables, .ctx = e, .budget = e->ruleset->cost_limit};
	struct cel_value v = cel_eval(a->program, &activation);
	return is_lacking(v) ? cel_unknown(v.problem) : v;
}

static struct str raw_of(const struct event *event, const struct assignment *a)
{
	return a->data >= 0 && event->raw ? event->raw[a->data] : (struct str){"", 0};
}

static struct cel_value date_value(const struct engine *e, int32_t day)
{
	return cel_timestamp(cel_zone_midnight(e->ruleset->zone, day), 0);
}

static bool to_number(struct cel_value v, double *out)
{
	if (v.kind == CEL_INT)
		*out = (double)v.i;
	else if (v.kind == CEL_UINT)
		*out = (double)v.u;
	else if (v.kind == CEL_DOUBLE)
		*out = v.d;
	else
		return false;
	return isfinite(*out);
}

static bool to_money(struct cel_value v, struct str raw, int64_t *fen)
{
	double number;
	if (!to_number(v, &number))
		return false;
	return raw.len ? money_parse(raw, fen) : money_round(number, fen);
}

static bool to_int(struct cel_value v, int64_t *out)
{
	double number;
	if (v.kind == CEL_INT)
		*out = v.i;
	else if (to_number(v, &number) && number == floor(number) && fabs(number) < 9e15)
		*out = (int64_t)number;
	else
		return false;
	return true;
}

static bool is_one_of(const struct field *f, struct cel_value v)
{
	for (size_t i = 0; i < f->n_values; i++)
		if (strlen(f->values[i]) == v.len && memcmp(f->values[i], v.s, v.len) == 0)
			return true;
	return false;
}

/* Fits a value to a field's type; false: it doesn't. */
static bool to_field(const struct engine *e, const struct field *f, struct cel_value v, struct str raw,
		     struct cel_value *out)
{
	int32_t day;
	int64_t i;
	double d;
	*out = v;
	switch (f->type) {
	case FIELD_BOOL:
		return v.kind == CEL_BOOL;
	case FIELD_STRING:
		return v.kind == CEL_STRING;
	case FIELD_ENUM:
		return v.kind == CEL_STRING && is_one_of(f, v);
	case FIELD_INT:
		if (!to_int(v, &i))
			return false;
		*out = cel_int(i);
		return true;
	case FIELD_DOUBLE:
		if (f->money) {
			if (!to_money(v, raw, &i))
				return false;
			*out = cel_double((double)i / 100);
			return true;
		}
		if (!to_number(v, &d))
			return false;
		*out = cel_double(d);
		return true;
	case FIELD_DATE:
		if (v.kind == CEL_TIMESTAMP)
			day = day_of(e->ruleset->zone, v.i * 1000);
		else if (v.kind != CEL_STRING || !day_parse(e->ruleset->zone, (struct str){v.s, v.len}, &day))
			return false;
		*out = date_value(e, day);
		return true;
	}
	return false;
}

/* The reason for a value that does not fit: a string of the wrong form is said apart from a wrong type. */
static bool misfit(struct err *why, const struct assignment *a, const struct event_type *type, const struct field *f,
		   struct cel_value v)
{
	const char *found = v.kind == CEL_STRING && f->type == FIELD_DATE   ? "a string that is no date"
			    : v.kind == CEL_STRING && f->type == FIELD_ENUM ? "another string"
									    : kind_name(v);
	if (f->type != FIELD_ENUM)
		return wrong(why, a, type, found, type_name(f));
	char expected[256] = "one of";
	size_t used = strlen(expected);
	for (size_t i = 0; i < f->n_values && used < sizeof expected - 1; i++)
		used += (size_t)snprintf(expected + used, sizeof expected - used, "%s %s", i ? "," : "", f->values[i]);
	return wrong(why, a, type, found, expected);
}

static bool prepare_fields(struct engine *e, struct seen_event *seen, const struct assignment *list, size_t n,
			   const struct field *fields, struct assigned **out, size_t *n_out, struct err *why)
{
	*n_out = 0;
	*out = n ? arena_alloc(&e->scratch, n * sizeof **out) : NULL;
	for (size_t i = 0; i < n; i++) {
		const struct assignment *a = &list[i];
		struct cel_value v = value_of(e, seen, a);
		struct assigned *to = &(*out)[*n_out];
		if (v.kind == CEL_UNKNOWN)
			continue; /* the event lacks it: leaves the fact as it was */
		to->target = a->target;
		to->value = v;
		if (v.kind != CEL_NULL && !to_field(e, &fields[a->target], v, raw_of(seen->event, a), &to->value))
			return misfit(why, a, seen->event->type, &fields[a->target], v);
		(*n_out)++;
	}
	return true;
}

static bool prepare_contributions(struct engine *e, struct seen_event *seen, struct prepared *out, struct err *why)
{
	const struct event_type *type = seen->event->type;
	const struct watch *w = seen->event->watch;
	out->add = type->n_add ? arena_alloc(&e->scratch, type->n_add * sizeof *out->add) : NULL;
	for (size_t i = 0; i < type->n_add; i++) {
		const struct assignment *a = &type->add[i];
		const struct measure *m = &w->measures[a->target];
		struct cel_value v = value_of(e, seen, a);
		struct assigned *to = &out->add[out->n_add];
		double d;
		if (v.kind == CEL_UNKNOWN)
			continue;
		*to = (struct assigned){.target = a->target, .value = v};
		if (v.kind == CEL_NULL) {
			/* null: the key contributes nothing any more */
		} else if (m->count) {
			if (v.kind != CEL_BOOL)
				return wrong(why, a, type, kind_name(v), "a bool (a count adds true or false)");
			to->fen = v.b;
		} else if (m->money) {
			if (!to_money(v, raw_of(seen->event, a), &to->fen))
				return wrong(why, a, type, kind_name(v), "an amount of money");
		} else {
			if (!to_number(v, &d))
				return wrong(why, a, type, kind_name(v), "a number");
			to->value = cel_double(d);
		}
		out->n_add++;
	}
	return true;
}

/* A key: text, or a whole number as its digits. */
static bool prepare_key(struct engine *e, struct seen_event *seen, const struct assignment *a, struct str *out,
			struct err *why)
{
	struct cel_value v = value_of(e, seen, a);
	if (v.kind == CEL_STRING && v.len > 0 && v.len <= 256)
		*out = (struct str){v.s, v.len};
	else if (v.kind == CEL_INT)
		*out = str_of(arena_printf(&e->scratch, "%lld", (long long)v.i));
	else if (v.kind == CEL_STRING)
		return wrong(why, a, seen->event->type, v.len ? "a key of more than 256 bytes" : "an empty key",
			     "a key of 1 to 256 bytes");
	else
		return wrong(why, a, seen->event->type, kind_name(v), "a key (a string or a whole number)");
	return true;
}

static bool prepare_at(struct engine *e, struct seen_event *seen, const struct assignment *a, int64_t *at,
		       struct err *why)
{
	struct cel_value v = value_of(e, seen, a);
	if (v.kind == CEL_UNKNOWN || v.kind == CEL_NULL)
		return true; /* lacking: the event's own time */
	if (v.kind == CEL_TIMESTAMP && v.i > -62135596800 && v.i < 253402300800) {
		*at = v.i * 1000 + v.nanos / 1000000;
		return true;
	}
	if (v.kind == CEL_STRING && time_parse(e->ruleset->zone, (struct str){v.s, v.len}, at))
		return true;
	return wrong(why, a, seen->event->type, v.kind == CEL_STRING ? "a string that is no time" : kind_name(v),
		     "a time (a timestamp, 2015-03-02 or 2015-03)");
}

static bool prepare_members(struct engine *e, struct seen_event *seen, struct prepared *out, struct err *why)
{
	const struct event_type *type = seen->event->type;
	out->n_members = type->n_members;
	out->members = type->n_members ? arena_alloc(&e->scratch, type->n_members * sizeof *out->members) : NULL;
	for (size_t i = 0; i < type->n_members; i++) {
		const struct member_change *c = &type->members[i];
		struct prepared_members *to = &out->members[i];
		to->is = c;
		if (!prepare_key(e, seen, &c->key, &to->key, why) ||
		    !prepare_fields(e, seen, c->set, c->n_set, seen->event->watch->lists[c->list].fields, &to->set,
				    &to->n_set, why))
			return false;
	}
	return true;
}

bool prepare_event(struct engine *e, const struct event *event, struct prepared *out, struct err *why)
{
	const struct event_type *type = event->type;
	struct seen_event seen = {.event = event};
	*out = (struct prepared){
		.event = event,
		.origin = {.source = event->source, .id = event->id, .at = event->time, .time = event->time}};
	if (type->key && !prepare_key(e, &seen, type->key, &out->origin.key, why))
		return false;
	if (type->at && !prepare_at(e, &seen, type->at, &out->origin.at, why))
		return false;
	return prepare_fields(e, &seen, type->set, type->n_set, event->watch->facts, &out->set, &out->n_set, why) &&
	       prepare_contributions(e, &seen, out, why) && prepare_members(e, &seen, out, why);
}

bool engine_subject(struct engine *e, const struct event *event, struct str *out, struct err *why)
{
	struct seen_event seen = {.event = event};
	return prepare_key(e, &seen, event->type->subject, out, why);
}
