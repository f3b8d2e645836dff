/* Folding a prepared event into the state: "what is newest by the time it is about wins, not the newest arrival"
 * (design.md, 2).  Equal `at`: the later event time, then the one processed later.  For a contribution's key the
 * newest event time wins, also for a retraction. */
#include "step.h"
#include <string.h>

/* Is the stamp of a at least as new as b's? */
static bool as_new(const struct origin *a, const struct origin *b)
{
	return a->at != b->at ? a->at > b->at : a->time >= b->time;
}

static bool same_origin(const struct origin *a, const struct origin *b)
{
	return a->time == b->time && a->at == b->at && str_equal(a->id, b->id) && str_equal(a->source, b->source) &&
	       str_equal(a->key, b->key);
}

static bool same_value(struct cel_value a, struct cel_value b)
{
	if (a.kind != b.kind)
		return false;
	if (a.kind == CEL_STRING)
		return a.len == b.len && memcmp(a.s, b.s, a.len) == 0;
	if (a.kind == CEL_BOOL)
		return a.b == b.b;
	if (a.kind == CEL_TIMESTAMP && a.nanos != b.nanos)
		return false;
	return a.kind == CEL_NULL || a.kind == CEL_UNKNOWN || a.i == b.i; /* a double by its bits */
}

/* The event's row among the origins, made when first needed. */
struct folding {
	struct engine *e;
	struct subject *s;
	const struct prepared *p;
	uint32_t origin; /* 0: not yet made */
};

static struct str keep(struct folding *f, struct str text)
{
	return arena_str(f->s->arena, text);
}

static uint32_t origin_of(struct folding *f)
{
	struct subject *s = f->s;
	const struct origin *o = &f->p->origin;
	if (f->origin)
		return f->origin;
	for (uint32_t i = s->n_origins; i-- > 1;)
		if (same_origin(&s->origins[i], o))
			return f->origin = i;
	ARENA_PUSH_ROOM(s->arena, s->origins, s->n_origins, s->cap_origins);
	s->origins[s->n_origins] = (struct origin){keep(f, o->source), keep(f, o->id), keep(f, o->key), o->at, o->time};
	return f->origin = s->n_origins++;
}

/* Sets a fact or a member's field where the event's stamp is as new; returns whether its value is another. */
static bool set_known(struct folding *f, struct known *k, struct cel_value value)
{
	if (k->origin && !as_new(&f->p->origin, &f->s->origins[k->origin]))
		return false;
	bool same = k->origin && same_value(k->value, value);
	if (same && same_origin(&f->p->origin, &f->s->origins[k->origin]))
		return false; /* the same event again */
	if (value.kind == CEL_STRING && !same)
		value.s = keep(f, (struct str){value.s, value.len}).s;
	if (!same)
		k->value = value;
	k->origin = origin_of(f);
	f->s->changed = true;
	return !same;
}

/* --- contributions, sorted by measure, `at`, key and source, id: sums have one order */

static int compare_origins(const struct origin *a, const struct origin *b)
{
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	int c = str_compare(a->key, b->key);
	if (c == 0)
		c = str_compare(a->source, b->source);
	return c ? c : str_compare(a->id, b->id);
}

static int compare_contributions(const struct subject *s, const struct contribution *a, const struct contribution *b)
{
	if (a->measure != b->measure)
		return a->measure < b->measure ? -1 : 1;
	return compare_origins(&s->origins[a->origin], &s->origins[b->origin]);
}

static bool same_key(const struct origin *a, const struct origin *b)
{
	if (a->key.len || b->key.len)
		return str_equal(a->key, b->key);
	return str_equal(a->id, b->id) && str_equal(a->source, b->source);
}

static void remove_contribution(struct subject *s, uint32_t i)
{
	memmove(&s->contributions[i], &s->contributions[i + 1],
		(s->n_contributions - i - 1) * sizeof *s->contributions);
	s->n_contributions--;
}

static void insert_contribution(struct subject *s, struct contribution c)
{
	uint32_t i = s->n_contributions;
	ARENA_PUSH_ROOM(s->arena, s->contributions, s->n_contributions, s->cap_contributions);
	for (; i > 0 && compare_contributions(s, &c, &s->contributions[i - 1]) < 0; i--)
		s->contributions[i] = s->contributions[i - 1];
	s->contributions[i] = c;
	s->n_contributions++;
}

static void contribute(struct folding *f, uint32_t measure, bool removed, struct cel_value value, int64_t fen)
{
	struct subject *s = f->s;
	const struct origin *o = &f->p->origin;
	const struct measure *base = &s->watch->measures[measure];
	bool late = out_of_reach(f->e, base, day_of(f->e->ruleset->zone, o->at)), replaces = false;
	if (late && f->e->fx)
		f->e->fx->late_contributions++;
	bool plain = !base->money && !base->count;
	struct contribution c = {.measure = (uint16_t)measure, .removed = removed};
	if (!removed && plain)
		c.d = value.d;
	else if (!removed)
		c.i = fen;
	for (uint32_t i = 0; i < s->n_contributions; i++) {
		const struct contribution *old = &s->contributions[i];
		const struct origin *oo = &s->origins[old->origin];
		if (old->measure != measure || !same_key(oo, o))
			continue;
		if (oo->time > o->time || (same_origin(oo, o) && old->removed == removed && old->i == c.i))
			return; /* superseded already, or the same event again */
		remove_contribution(s, i);
		replaces = true;
		break;
	}
	if (late && !replaces) /* one that is corrected to be so old is no longer where it was */
		return;
	if (!late) {
		c.origin = origin_of(f);
		insert_contribution(s, c);
	}
	inputs_set(&f->e->dirty, s->watch->measure_inputs[measure]);
	s->changed = true;
}

/* --- members */

static struct member *member_at(struct folding *f, uint32_t list, struct str key)
{
	struct members *m = &f->s->lists[list];
	uint32_t i = 0;
	for (; i < m->n; i++) {
		int c = str_compare(m->rows[i].key, key);
		if (c == 0)
			return &m->rows[i];
		if (c > 0)
			break;
	}
	ARENA_PUSH_ROOM(f->s->arena, m->rows, m->n, m->cap);
	memmove(&m->rows[i + 1], &m->rows[i], (m->n - i) * sizeof *m->rows);
	m->n++;
	m->rows[i] = (struct member){.key = keep(f, key), .since = TIME_NEVER};
	m->rows[i].fields = ARENA_ARRAY(f->s->arena, struct known, f->s->watch->lists[list].n_fields);
	f->s->changed = true;
	return &m->rows[i];
}

static void fold_presence(struct folding *f, struct member *m, bool present, uint32_t input)
{
	if (m->presence && !as_new(&f->p->origin, &f->s->origins[m->presence]))
		return;
	if (m->presence && m->present == present && same_origin(&f->p->origin, &f->s->origins[m->presence]))
		return;
	if (!m->presence || m->present != present)
		inputs_set(&f->e->dirty, input);
	m->presence = origin_of(f);
	m->present = present;
	f->s->changed = true;
}

static void fold_member(struct folding *f, const struct prepared_members *p)
{
	uint32_t input = f->s->watch->list_inputs[p->is->list];
	struct member *m = member_at(f, p->is->list, p->key);
	if (f->p->origin.at < m->since) {
		m->since = f->p->origin.at;
		inputs_set(&f->e->dirty, input);
		f->s->changed = true;
	}
	if (p->is->action != MEMBER_UPDATE)
		fold_presence(f, m, p->is->action == MEMBER_UPSERT, input);
	for (size_t i = 0; i < p->n_set; i++)
		if (set_known(f, &m->fields[p->set[i].target], p->set[i].value))
			inputs_set(&f->e->dirty, input + 1 + p->set[i].target);
}

/* --- the whole event */

void fold_event(struct engine *e, const struct prepared *p)
{
	struct subject *s = e->s;
	const struct event_type *type = p->event->type;
	struct folding f = {e, s, p, 0};
	if (!s->exists)
		s->exists = s->changed = true;
	if (p->origin.at < s->since) {
		s->since = p->origin.at;
		inputs_set(&e->dirty, s->watch->since_input);
		s->changed = true;
	}
	for (size_t i = 0; i < p->n_set; i++)
		if (set_known(&f, &s->facts[p->set[i].target], p->set[i].value))
			inputs_set(&e->dirty, p->set[i].target);
	for (size_t i = 0; i < p->n_add; i++)
		contribute(&f, p->add[i].target, p->add[i].value.kind == CEL_NULL, p->add[i].value, p->add[i].fen);
	for (size_t i = 0; i < type->n_remove; i++)
		contribute(&f, type->remove[i], true, cel_null(), 0);
	for (size_t i = 0; i < p->n_members; i++)
		fold_member(&f, &p->members[i]);
}

/* The contributions of a measure are sorted by `at`: only its first can be the oldest. */
void fold_prune(struct engine *e)
{
	struct subject *s = e->s;
	for (uint32_t i = 0, first = 1; i < s->n_contributions;) {
		const struct contribution *c = &s->contributions[i];
		if (first && out_of_reach(e, &s->watch->measures[c->measure], contribution_day(e, c))) {
			remove_contribution(s, i);
			s->changed = true;
			continue;
		}
		i++;
		first = i < s->n_contributions && s->contributions[i].measure != s->contributions[i - 1].measure;
	}
}

/* --- end */

static bool newer(const struct subject *s, uint32_t origin, const struct origin *end)
{
	return origin && !as_new(end, &s->origins[origin]);
}

static void forget_members(struct subject *s, uint32_t list, const struct origin *end)
{
	struct members *m = &s->lists[list];
	uint32_t kept = 0;
	for (uint32_t i = 0; i < m->n; i++) {
		struct member row = m->rows[i];
		bool any = newer(s, row.presence, end);
		if (!any) {
			row.presence = 0;
			row.present = false;
		}
		for (size_t j = 0; j < s->watch->lists[list].n_fields; j++) {
			if (newer(s, row.fields[j].origin, end))
				any = true;
			else
				row.fields[j] = (struct known){0};
		}
		if (row.since <= end->at)
			row.since = TIME_NEVER;
		bool again = row.since == TIME_NEVER; /* the earliest of what is left */
		for (size_t j = 0; again && j < s->watch->lists[list].n_fields; j++)
			if (row.fields[j].origin && s->origins[row.fields[j].origin].at < row.since)
				row.since = s->origins[row.fields[j].origin].at;
		if (row.presence && s->origins[row.presence].at < row.since)
			row.since = s->origins[row.presence].at;
		if (any)
			m->rows[kept++] = row;
	}
	m->n = kept;
}

/* What stays of a subject that an `end` at this stamp forgets: what is newer, and then it lives on with that. */
void fold_end(struct engine *e, const struct prepared *p)
{
	struct subject *s = e->s;
	const struct origin *end = &p->origin;
	s->ended_at = end->at;
	s->ended_time = end->time;
	s->since = TIME_NEVER;
	s->exists = false;
	for (size_t i = 0; i < s->watch->n_facts; i++)
		if (!newer(s, s->facts[i].origin, end))
			s->facts[i] = (struct known){0};
	for (uint32_t i = 0; i < s->watch->n_lists; i++)
		forget_members(s, i, end);
	for (uint32_t i = s->n_contributions; i-- > 0;)
		if (!newer(s, s->contributions[i].origin, end))
			remove_contribution(s, i);
	bool *used = ARENA_ARRAY(&e->scratch, bool, s->n_origins);
	subject_origins_used(s, used);
	for (uint32_t i = 1; i < s->n_origins; i++) {
		if (!used[i])
			continue;
		s->exists = true;
		if (s->origins[i].at < s->since)
			s->since = s->origins[i].at;
	}
	s->recheck = DAY_NEVER;
	s->ruleset = 0; /* what comes after is a new subject: every rule is judged */
	s->changed = true;
	for (size_t i = 0; i < s->watch->n_inputs; i++)
		inputs_set(&e->dirty, i);
}
