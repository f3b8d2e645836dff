/* The compiled configuration's life and look-ups. */
#include "ruleset.h"
#include <stdlib.h>
#include <string.h>

struct ruleset *ruleset_new(void)
{
	struct ruleset *r = calloc(1, sizeof *r);
	if (!r)
		abort();
	arena_init(&r->arena);
	r->references = 1;
	return r;
}

struct ruleset *ruleset_hold(struct ruleset *r)
{
	__atomic_add_fetch(&r->references, 1, __ATOMIC_RELAXED);
	return r;
}

static void free_assignment(struct assignment *a)
{
	if (a)
		cel_program_free(a->program);
}

static void free_event(struct event_type *t)
{
	free_assignment(t->key);
	free_assignment(t->at);
	free_assignment(t->subject);
	for (size_t i = 0; i < t->n_set; i++)
		free_assignment(&t->set[i]);
	for (size_t i = 0; i < t->n_add; i++)
		free_assignment(&t->add[i]);
	for (size_t i = 0; i < t->n_members; i++) {
		free_assignment(&t->members[i].key);
		for (size_t j = 0; j < t->members[i].n_set; j++)
			free_assignment(&t->members[i].set[j]);
	}
	cel_env_free(t->env);
}

static void free_rule(struct rule *rule)
{
	for (size_t i = 0; i < rule->n_levels; i++)
		cel_program_free(rule->levels[i].program);
	cel_program_free(rule->clear);
	for (size_t i = 0; i < rule->n_summary; i++)
		cel_program_free(rule->summary[i].program);
}

void ruleset_release(struct ruleset *r)
{
	if (!r || __atomic_sub_fetch(&r->references, 1, __ATOMIC_ACQ_REL))
		return;
	for (size_t i = 0; i < r->n_rules; i++)
		if (r->rules[i])
			free_rule(r->rules[i]);
	for (size_t i = 0; i < r->n_watches; i++) {
		struct watch *w = r->watches[i];
		for (size_t j = 0; j < w->n_derived; j++)
			cel_program_free(w->derived[j].program);
		for (size_t j = 0; j < w->n_events; j++)
			free_event(&w->events[j]);
		cel_env_free(w->env);
	}
	for (size_t i = 0; i < r->n_zones; i++)
		cel_zone_free(r->zones[i]);
	arena_close(&r->arena);
	free(r);
}

uint32_t field_id(const char *name)
{
	uint32_t h = 2166136261u;
	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return h;
}

const struct event_type *watch_event(const struct watch *w, struct str type)
{
	size_t low = 0, high = w->n_events;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int c = str_compare(type, str_of(w->events[middle].type));
		if (c == 0)
			return &w->events[middle];
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct watch *ruleset_watch(const struct ruleset *r, struct str name)
{
	for (size_t i = 0; i < r->n_watches; i++)
		if (str_equal(name, str_of(r->watches[i]->name)))
			return r->watches[i];
	return NULL;
}

const struct rule *ruleset_rule(const struct ruleset *r, struct str name)
{
	for (size_t i = 0; i < r->n_rules; i++)
		if (str_equal(name, str_of(r->rules[i]->name)))
			return r->rules[i];
	return NULL;
}

const struct threshold_value *threshold_at(const struct threshold *t, struct str region, int32_t day, int32_t *until)
{
	const struct threshold_value *found = NULL;
	for (size_t i = 0; i < t->n_values && !found; i++) {
		const struct threshold_value *v = &t->values[i];
		size_t len = strlen(v->region);
		if (len > region.len || memcmp(v->region, region.s, len) != 0)
			continue;
		if (v->from <= day)
			found = v; /* longest region first, then newest: a later one of these would not win */
		else if (v->from < *until)
			*until = v->from; /* of a region at least as long: it will win at its date */
	}
	return found;
}
