/* What follows from the expressions: which inputs and names each rule reads, whether time alone can change it, how far
 * back contributions are needed. */
#include "load.h"
#include <stdlib.h>
#include <string.h>

struct effect { /* of one expression, with the derived values that it reads */
	struct inputs inputs;
	bool *reads; /* by CEL variable */
	uint64_t each_fields;
	bool timed;
};

static bool tells_time(const char *text)
{
	static const char *const functions[] = {"age",          "days_since",         "days_until",
						"months_since", "working_days_since", "working_days_until"};
	for (size_t i = 0; i < COUNT(functions); i++)
		if (scan_names(str_of(text), functions[i]))
			return true;
	return false;
}

static void read_list_fields(const struct watch *w, uint32_t list, uint64_t fields, struct effect *out)
{
	inputs_set(&out->inputs, w->list_inputs[list]);
	for (size_t f = 0; f < w->lists[list].n_fields; f++)
		if (fields & ((uint64_t)1 << f))
			inputs_set(&out->inputs, w->list_inputs[list] + 1 + f);
}

static void merge(const struct watch *w, const struct effect *from, struct effect *to)
{
	for (size_t i = 0; i < COUNT(to->inputs.bits); i++)
		to->inputs.bits[i] |= from->inputs.bits[i];
	for (size_t i = 0; i < w->n_names; i++)
		to->reads[i] |= from->reads[i];
	to->timed |= from->timed;
	to->each_fields |= from->each_fields;
}

static void add_program(const struct watch *w, const struct effect *derived, const struct cel_program *p,
			struct effect *out)
{
	size_t n = 0;
	const uint32_t *variables = p ? cel_program_variables(p, &n) : NULL;
	out->timed |= p && tells_time(cel_program_text(p));
	for (size_t i = 0; i < n; i++) {
		const struct name *name = &w->names[variables[i]];
		uint32_t index = name->index;
		out->reads[variables[i]] = true;
		switch (name->kind) {
		case NAME_FACT:
			inputs_set(&out->inputs, index);
			break;
		case NAME_MEMBERS:
			read_list_fields(w, index, cel_program_fields(p, w->lists[index].type), out);
			break;
		case NAME_MEASURE:
			inputs_set(&out->inputs, w->measure_inputs[index]);
			out->timed = true;
			break;
		case NAME_DERIVED:
			merge(w, &derived[index], out);
			break;
		case NAME_THRESHOLD:
			if (w->region >= 0)
				inputs_set(&out->inputs, (size_t)w->region);
			out->timed = true;
			break;
		case NAME_TODAY:
			out->timed = true;
			break;
		case NAME_SINCE:
			inputs_set(&out->inputs, w->since_input);
			break;
		case NAME_EACH:
			out->each_fields |= cel_program_fields(p, w->lists[index].type);
			read_list_fields(w, index, out->each_fields, out);
			break;
		}
	}
}

static struct effect new_effect(struct loader *l, const struct watch *w)
{
	return (struct effect){.reads = ARENA_ARRAY(&l->scratch, bool, w->n_names)};
}

static void depend_rule(struct loader *l, struct rule *rule, const struct effect *derived)
{
	const struct watch *w = rule->watch;
	struct effect e = new_effect(l, w);
	for (size_t i = 0; i < rule->n_levels; i++)
		add_program(w, derived, rule->levels[i].program, &e);
	add_program(w, derived, rule->clear, &e);
	if (rule->each >= 0) /* a member that comes or goes is judged, whatever is read of it */
		inputs_set(&e.inputs, w->list_inputs[rule->each]);
	uint32_t *reads = ARENA_ARRAY(&l->r->arena, uint32_t, w->n_names);
	for (size_t i = 0; i < w->n_names; i++)
		if (e.reads[i])
			reads[rule->n_reads++] = (uint32_t)i;
	rule->reads = reads;
	rule->inputs = e.inputs;
	rule->timed = e.timed;
	rule->each_fields = e.each_fields;
}

/* --- a watch's inputs, and how far back its windows reach */
static bool number_inputs(struct loader *l, struct watch *w)
{
	size_t n = w->n_facts;
	w->list_inputs = ARENA_ARRAY(&l->r->arena, uint32_t, w->n_lists);
	for (size_t i = 0; i < w->n_lists; i++) {
		w->list_inputs[i] = (uint32_t)n;
		n += 1 + w->lists[i].n_fields;
	}
	w->measure_inputs = ARENA_ARRAY(&l->r->arena, uint32_t, w->n_measures);
	for (size_t i = 0; i < w->n_measures; i++)
		if (w->measures[i].base == i)
			w->measure_inputs[i] = (uint32_t)n++;
	for (size_t i = 0; i < w->n_measures; i++)
		w->measure_inputs[i] = w->measure_inputs[w->measures[i].base];
	w->since_input = (uint32_t)n++;
	w->n_inputs = n;
	if (n <= MAX_INPUTS)
		return true;
	faults_add(l->faults, w->place, "the watch `%s` has %zu facts, member fields and measures; expected at most %d",
		   w->name, n, MAX_INPUTS);
	return false;
}

/* In months, rounded up: no month has fewer than 28 days. */
static int32_t months_of(struct span s)
{
	switch (s.unit) {
	case SPAN_YEARS:
		return s.n * 12;
	case SPAN_QUARTERS:
		return s.n * 3;
	case SPAN_MONTHS:
		return s.n;
	default:
		return (s.n + 27) / 28;
	}
}

static void find_reach(struct watch *w)
{
	bool *endless = calloc(w->n_measures + 1, sizeof *endless);
	if (!endless)
		abort();
	for (size_t i = 0; i < w->n_measures; i++)
		w->measures[i].reach = (struct span){0, SPAN_MONTHS};
	for (size_t i = 0; i < w->n_measures; i++) {
		const struct measure *m = &w->measures[i];
		struct span *reach = &w->measures[m->base].reach, whole = {1, m->window.length.unit};
		int32_t months = months_of(m->window.length) + months_of(m->window.ago) +
				 (m->window.whole ? months_of(whole) : 0); /* the current period isn't in it */
		endless[m->base] |= m->window.length.n == 0;
		reach->n = months > reach->n ? months : reach->n;
	}
	for (size_t i = 0; i < w->n_measures; i++)
		if (endless[i])
			w->measures[i].reach.n = 0;
	free(endless);
}

static void depend_watch(struct loader *l, struct watch *w)
{
	struct effect *derived = ARENA_ARRAY(&l->scratch, struct effect, w->n_derived);
	uint32_t *rules = ARENA_ARRAY(&l->r->arena, uint32_t, l->r->n_rules);
	if (!number_inputs(l, w))
		return;
	find_reach(w);
	for (size_t i = 0; i < w->n_derived; i++) {
		derived[i] = new_effect(l, w);
		add_program(w, derived, w->derived[i].program, &derived[i]);
	}
	for (size_t i = 0; i < l->r->n_rules; i++) {
		if (l->r->rules[i]->watch != w)
			continue;
		depend_rule(l, l->r->rules[i], derived);
		rules[w->n_rules++] = (uint32_t)i;
	}
	w->rules = rules;
}

void find_dependencies(struct loader *l)
{
	for (size_t i = 0; i < l->r->n_watches; i++)
		depend_watch(l, l->r->watches[i]);
}
