/* The values of names in scope (facts, members, measures, derived values, thresholds, today, since) as CEL sees
 * them; each is read at most once in a step.  Reading notes the day at which time alone will change it. */
#include "step.h"
#include <math.h>
#include <string.h>

struct str mask_text(struct arena *a, struct str text)
{
	uint32_t starts[64], n = 0; /* characters; what is longer is cut, which is no loss here */
	for (uint32_t i = 0; i < text.len && n < 64; i++)
		if (((unsigned char)text.s[i] & 0xc0) != 0x80)
			starts[n++] = i;
	if (n < 8)
		return STR("***");
	uint32_t head = starts[3], tail = text.len - starts[n - 2];
	return str_of(arena_printf(a, "%.*s****%.*s", (int)head, text.s, (int)tail, text.s + text.len - tail));
}

void forget_values(struct engine *e)
{
	e->generation++;
}

struct cel_value fact_value(const struct engine *e, const struct field *field, const struct known *known,
			    const struct cel_problem *missing)
{
	struct cel_value v = known->value;
	(void)e;
	if (!known->origin || v.kind == CEL_NULL || v.kind == CEL_UNKNOWN)
		return field->has_default ? field->initial : cel_unknown(missing);
	return v;
}

/* A sensitive value while masking: text masked, anything else unknown. */
static struct cel_value hidden(struct engine *e, struct cel_value v, const struct cel_problem *missing)
{
	e->masked = true;
	if (v.kind != CEL_STRING)
		return cel_unknown(missing);
	struct str masked = mask_text(&e->scratch, (struct str){v.s, v.len});
	return cel_string(masked.s, masked.len);
}

static struct cel_value instant(int64_t ms)
{
	int64_t seconds = ms / 1000 - (ms % 1000 < 0);
	return cel_timestamp(seconds, (uint32_t)(ms - seconds * 1000) * 1000000);
}

struct str subject_region(const struct engine *e)
{
	const struct watch *w = e->s->watch;
	if (w->region < 0)
		return (struct str){"", 0};
	const struct field *f = &w->facts[w->region];
	struct cel_value v = fact_value(e, f, &e->s->facts[w->region], NULL);
	return v.kind == CEL_STRING ? (struct str){v.s, v.len} : (struct str){"", 0};
}

struct cel_value member_record(struct engine *e, uint32_t list, const struct member *m)
{
	const struct member_list *l = &e->s->watch->lists[list];
	const struct cel_problem *missing = e->index[e->s->watch->index].field_missing[list];
	struct cel_value *fields = arena_alloc(&e->scratch, (l->n_fields + 1) * sizeof *fields);
	struct cel_record *record = arena_alloc(&e->scratch, sizeof *record);
	for (size_t i = 0; i < l->n_fields; i++) {
		fields[i] = fact_value(e, &l->fields[i], &m->fields[i], &missing[i]);
		if (e->masking && l->fields[i].sensitive)
			fields[i] = hidden(e, fields[i], &missing[i]);
	}
	fields[l->n_fields] = m->since == TIME_NEVER ? cel_unknown(&missing[l->n_fields]) : instant(m->since);
	*record = (struct cel_record){l->type, fields, m};
	return cel_of_record(record);
}

/* "A member list that no event has touched is unknown; one emptied is empty." */
static struct cel_value members_value(struct engine *e, uint32_t list, const struct cel_problem *missing)
{
	const struct members *m = &e->s->lists[list];
	struct cel_value *items = arena_alloc(&e->scratch, (m->n + 1) * sizeof *items);
	size_t n = 0;
	bool touched = false;
	for (uint32_t i = 0; i < m->n; i++) {
		touched |= m->rows[i].presence != 0;
		if (m->rows[i].present)
			items[n++] = member_record(e, list, &m->rows[i]);
	}
	return touched ? cel_list(items, n) : cel_unknown(missing);
}

struct cel_value evaluate(struct engine *e, const struct cel_program *program)
{
	struct cel_activation activation = {
		.heap = &e->heap, .load = load_name, .ctx = e, .budget = e->ruleset->cost_limit};
	return cel_eval(program, &activation);
}

static struct cel_value derived_value(struct engine *e, const struct derived *d, const struct cel_problem *missing)
{
	struct cel_value v = evaluate(e, d->program);
	int64_t fen;
	if (v.kind == CEL_ERROR)
		return cel_unknown(missing);
	if (d->money && v.kind == CEL_DOUBLE)
		return money_round(v.d, &fen) ? cel_double((double)fen / 100) : cel_unknown(missing);
	if (v.kind == CEL_DOUBLE && isnan(v.d))
		return cel_unknown(missing);
	return v;
}

static struct cel_value threshold_value(struct engine *e, const struct threshold *t, const struct cel_problem *missing)
{
	int32_t until = DAY_NEVER;
	const struct threshold_value *v = threshold_at(t, subject_region(e), e->today, &until);
	note_until(e, until);
	return v ? cel_double(v->value) : cel_unknown(missing);
}

void judge_member(struct engine *e, const struct rule *rule, const struct member *m)
{
	e->each = m;
	e->each_list = m ? (uint32_t)rule->each : 0;
}

static struct cel_value read_name(struct engine *e, const struct name *name, uint32_t variable)
{
	const struct subject *s = e->s;
	const struct watch *w = s->watch;
	const struct cel_problem *missing = &e->index[w->index].missing[variable];
	struct cel_value v;
	switch (name->kind) {
	case NAME_FACT:
		v = fact_value(e, &w->facts[name->index], &s->facts[name->index], missing);
		return e->masking && w->facts[name->index].sensitive ? hidden(e, v, missing) : v;
	case NAME_MEMBERS:
		return members_value(e, name->index, missing);
	case NAME_MEASURE:
		v = measure_value(e, &w->measures[name->index]);
		return v.kind == CEL_UNKNOWN ? cel_unknown(missing) : v;
	case NAME_DERIVED:
		return derived_value(e, &w->derived[name->index], missing);
	case NAME_THRESHOLD:
		return threshold_value(e, &e->ruleset->thresholds[name->index], missing);
	case NAME_TODAY:
		note_until(e, e->today + 1);
		return cel_timestamp(cel_zone_midnight(e->ruleset->zone, e->today), 0);
	case NAME_SINCE:
		return s->since == TIME_NEVER ? cel_unknown(missing) : instant(s->since);
	case NAME_EACH:
		return e->each ? member_record(e, e->each_list, e->each) : cel_unknown(missing);
	}
	return cel_unknown(missing);
}

struct cel_value load_name(void *engine, uint32_t variable)
{
	struct engine *e = engine;
	const struct watch *w = e->s->watch;
	const struct name *name = &w->names[variable];
	if (name->kind == NAME_EACH || (e->masking && e->index[w->index].sensitive[variable]))
		return read_name(e, name, variable);
	if (e->seen[variable] != e->generation) {
		int32_t outer = e->until;
		e->until = DAY_NEVER;
		e->values[variable] = read_name(e, name, variable);
		e->untils[variable] = e->until;
		e->seen[variable] = e->generation;
		e->until = outer;
	}
	if (e->untils[variable] < e->until)
		e->until = e->untils[variable];
	return e->values[variable];
}
