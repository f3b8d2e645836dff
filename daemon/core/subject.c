/* A subject of which nothing is known, and an empty list of effects. */
#include "effects.h"

void subject_init(struct subject *s, struct arena *arena, const struct watch *watch, struct str key)
{
	*s = (struct subject){.arena = arena,
			      .watch = watch,
			      .key = key,
			      .since = TIME_NEVER,
			      .ended_at = -TIME_NEVER,
			      .ended_time = -TIME_NEVER,
			      .recheck = DAY_NEVER,
			      .due = TIME_NEVER,
			      .due_then = TIME_NEVER};
	s->facts = ARENA_ARRAY(arena, struct known, watch->n_facts);
	s->lists = ARENA_ARRAY(arena, struct members, watch->n_lists);
	s->cap_origins = 8;
	s->origins = ARENA_ARRAY(arena, struct origin, s->cap_origins);
	s->n_origins = 1;
}

void subject_origins_used(const struct subject *s, bool *used)
{
	for (size_t i = 0; i < s->watch->n_facts; i++)
		used[s->facts[i].origin] = true;
	for (size_t i = 0; i < s->watch->n_lists; i++)
		for (uint32_t j = 0; j < s->lists[i].n; j++) {
			const struct member *m = &s->lists[i].rows[j];
			used[m->presence] = true;
			for (size_t k = 0; k < s->watch->lists[i].n_fields; k++)
				used[m->fields[k].origin] = true;
		}
	for (uint32_t i = 0; i < s->n_contributions; i++)
		used[s->contributions[i].origin] = true;
	used[0] = false;
}

void effects_init(struct effects *fx, struct arena *arena)
{
	*fx = (struct effects){.arena = arena};
	fx->last = &fx->first;
	fx->last_outcome = &fx->first_outcome;
}

const char *message_type_name(enum message_type type)
{
	static const char *const names[] = {"case.opened",    "case.changed", "case.raised", "case.reminded",
					    "case.escalated", "case.cleared", "case.closed"};
	return names[type];
}
