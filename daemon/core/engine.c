/* One step of one subject.  Read engine_step first, at the end of this file. */
#include "step.h"
#include <stdlib.h>
#include <string.h>

/* --- life */

static void *heap_alloc(void *ctx, size_t size)
{
	return arena_alloc(ctx, size);
}

static bool watch_sensitive(const struct watch *w, const bool *so_far, const struct name *name)
{
	if (name->kind == NAME_FACT)
		return w->facts[name->index].sensitive;
	if (name->kind == NAME_MEMBERS) {
		for (size_t i = 0; i < w->lists[name->index].n_fields; i++)
			if (w->lists[name->index].fields[i].sensitive)
				return true;
		return false;
	}
	if (name->kind != NAME_DERIVED)
		return false;
	size_t n;
	const uint32_t *reads = cel_program_variables(w->derived[name->index].program, &n);
	for (size_t i = 0; i < n; i++)
		if (so_far[reads[i]])
			return true;
	return false;
}

static void index_sensitive(struct arena *a, const struct watch *w, struct watch_index *x)
{
	x->sensitive = ARENA_ARRAY(a, bool, w->n_names);
	for (int pass = 0; pass < 2; pass++) /* facts and lists, then derived values, each after those that it reads */
		for (size_t d = 0; d < (pass ? w->n_derived : 1); d++)
			for (size_t i = 0; i < w->n_names; i++) {
				const struct name *name = &w->names[i];
				if (pass ? name->kind == NAME_DERIVED && name->index == d : name->kind != NAME_DERIVED)
					x->sensitive[i] = watch_sensitive(w, x->sensitive, name);
			}
}

static void index_missing(struct arena *a, const struct watch *w, struct watch_index *x)
{
	x->missing = ARENA_ARRAY(a, struct cel_problem, w->n_names);
	for (size_t i = 0; i < w->n_names; i++)
		x->missing[i].text = w->names[i].text;
	x->field_missing = ARENA_ARRAY(a, struct cel_problem *, w->n_lists);
	for (size_t i = 0; i < w->n_lists; i++) {
		const struct member_list *l = &w->lists[i];
		x->field_missing[i] = ARENA_ARRAY(a, struct cel_problem, l->n_fields + 1);
		for (size_t j = 0; j <= l->n_fields; j++)
			x->field_missing[i][j].text =
				arena_printf(a, "%s.%s", l->name, j < l->n_fields ? l->fields[j].name : "since");
	}
}

static void index_rules(struct arena *a, const struct ruleset *r, const struct watch *w, struct watch_index *x)
{
	x->rules_of = ARENA_ARRAY(a, uint32_t *, w->n_inputs);
	x->n_rules_of = ARENA_ARRAY(a, uint32_t, w->n_inputs);
	for (size_t input = 0; input < w->n_inputs; input++) {
		uint32_t cap = 0;
		for (size_t i = 0; i < w->n_rules; i++) {
			const struct rule *rule = r->rules[w->rules[i]];
			if (!(rule->inputs.bits[input / 64] >> (input % 64) & 1))
				continue;
			ARENA_PUSH_ROOM(a, x->rules_of[input], x->n_rules_of[input], cap);
			x->rules_of[input][x->n_rules_of[input]++] = rule->index;
		}
	}
}

struct engine *engine_new(struct ruleset *ruleset)
{
	struct engine *e = calloc(1, sizeof *e);
	if (!e)
		abort();
	e->ruleset = ruleset_hold(ruleset);
	e->heap = (struct cel_heap){heap_alloc, &e->scratch};
	struct arena *a = &e->index_arena;
	size_t most_names = 0;
	e->index = ARENA_ARRAY(a, struct watch_index, ruleset->n_watches);
	for (size_t i = 0; i < ruleset->n_watches; i++) {
		const struct watch *w = ruleset->watches[i];
		struct watch_index *x = &e->index[i];
		most_names = w->n_names > most_names ? w->n_names : most_names;
		x->windows = ARENA_ARRAY(a, struct window_today, w->n_measures);
		for (size_t j = 0; j < w->n_measures; j++)
			x->windows[j].today = DAY_NEVER;
		index_sensitive(a, w, x);
		index_missing(a, w, x);
		index_rules(a, ruleset, w, x);
	}
	e->seen = ARENA_ARRAY(a, uint32_t, most_names);
	e->values = ARENA_ARRAY(a, struct cel_value, most_names);
	e->untils = ARENA_ARRAY(a, int32_t, most_names);
	e->marked = ARENA_ARRAY(a, uint32_t, ruleset->n_rules);
	e->queue = ARENA_ARRAY(a, uint32_t, ruleset->n_rules);
	return e;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	arena_close(&e->scratch);
	arena_close(&e->index_arena);
	ruleset_release(e->ruleset);
	free(e);
}

const struct ruleset *engine_ruleset(const struct engine *e)
{
	return e->ruleset;
}

void engine_reset(struct engine *e)
{
	arena_reset(&e->scratch);
}

/* --- which rules to evaluate */

static void mark_rule(struct engine *e, uint32_t rule)
{
	if (e->marked[rule] == e->generation)
		return;
	e->marked[rule] = e->generation;
	e->queue[e->n_queue++] = rule;
}

static void mark_touched(struct engine *e)
{
	const struct watch_index *x = &e->index[e->s->watch->index];
	for (size_t word = 0; word < MAX_INPUTS / 64; word++)
		for (uint64_t bits = e->dirty.bits[word]; bits; bits &= bits - 1) {
			size_t input = word * 64 + (size_t)__builtin_ctzll(bits);
			for (uint32_t i = 0; i < x->n_rules_of[input]; i++)
				mark_rule(e, x->rules_of[input][i]);
		}
}

static int by_index(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

/* The rules that the event touches, that time may have changed, whose runs have ended; all where the rules are others
 * than those that the subject was last evaluated with. */
static void choose_rules(struct engine *e)
{
	const struct subject *s = e->s;
	const struct watch *w = s->watch;
	bool all = s->ruleset != e->ruleset->fingerprint, timed = s->recheck <= e->today;
	e->n_queue = 0;
	mark_touched(e);
	for (size_t i = 0; (all || timed) && i < w->n_rules; i++)
		if (all || e->ruleset->rules[w->rules[i]]->timed)
			mark_rule(e, w->rules[i]);
	for (uint32_t i = 0; i < s->n_alerts; i++)
		if (s->alerts[i].is && s->alerts[i].state != ALERT_OVER && s->due <= e->now)
			mark_rule(e, s->alerts[i].is->index);
	if (e->n_queue > 1)
		qsort(e->queue, e->n_queue, sizeof *e->queue, by_index);
}

/* Returns the day at which a verdict may next change by time alone. */
static int32_t judge_rules(struct engine *e)
{
	struct subject *s = e->s;
	bool all = s->ruleset != e->ruleset->fingerprint;
	int32_t recheck = all || s->recheck <= e->today ? DAY_NEVER : s->recheck;
	choose_rules(e);
	for (uint32_t i = 0; i < e->n_queue; i++) {
		e->until = DAY_NEVER;
		judge_rule(e, e->ruleset->rules[e->queue[i]]);
		if (e->until < recheck)
			recheck = e->until;
	}
	if (all) {
		drop_orphans(e);
		s->ruleset = e->ruleset->fingerprint;
		s->changed = true;
	}
	return recheck;
}

/* Most timers change nothing but the time of the next one, and write no state for that: the index alone keeps `due`.  A
 * state that is loaded again has the `recheck` of its last change, so that is what the next step goes by, loaded or
 * not: what comes out doesn't depend on where a batch ends. */
static void settle_due(struct engine *e, int32_t recheck)
{
	struct subject *s = e->s;
	int64_t due = day_start(e->ruleset->zone, recheck);
	for (uint32_t i = 0; i < s->n_alerts; i++) {
		int64_t at = s->alerts[i].state == ALERT_OVER ? TIME_NEVER : alert_due(e, &s->alerts[i]);
		due = at < due ? at : due;
	}
	for (uint32_t i = 0; i < s->n_cases; i++) {
		int64_t at = case_due(e, &s->cases[i]);
		due = at < due ? at : due;
	}
	s->due = due;
	if (s->changed) {
		s->recheck = recheck;
		s->due_then = due;
	}
}

/* Older than the end of the subject: "older events are ignored from then on". */
static bool is_over(const struct subject *s, const struct prepared *p)
{
	if (s->ended_at == -TIME_NEVER)
		return false;
	const struct origin *o = &p->origin;
	int64_t at = o->at - s->ended_at, time = o->time - s->ended_time;
	bool older = at ? at < 0 : time < 0, same = at == 0 && time == 0;
	return older || (same && p->event->type->end);
}

static void begin(struct engine *e, struct subject *s, int64_t now, struct effects *fx)
{
	e->s = s;
	e->now = now;
	e->today = day_of(e->ruleset->zone, now);
	e->fx = fx;
	e->each = NULL;
	e->answering = 0;
	e->masking = false;
	e->until = DAY_NEVER;
	memset(&e->dirty, 0, sizeof e->dirty);
	forget_values(e);
}

bool engine_step(struct engine *e, struct subject *s, const struct event *event, int64_t now, struct effects *fx,
		 struct err *why)
{
	struct prepared p;
	bool folds = event && event->type, changed_before = s->changed;
	begin(e, s, now, fx);
	if (folds && !prepare_event(e, event, &p, why))
		return false;
	if (event && event->answer && !check_answer(e, event->answer, why))
		return false;
	if (folds && is_over(s, &p))
		return true;
	s->changed = false;
	pass_deadlines(e);
	if (event && event->answer)
		apply_answer(e, event);
	if (folds && event->type->end) {
		close_cases(e, "ended");
		fold_end(e, &p);
	} else if (folds) {
		fold_event(e, &p);
	}
	forget_values(e); /* what a closing message has read is of before */
	int32_t recheck = s->recheck;
	if (s->exists) {
		recheck = judge_rules(e);
		update_cases(e);
	}
	if (s->changed) /* a repeat leaves the state as it is, to the byte, and so does a timer without effect */
		fold_prune(e);
	settle_due(e, recheck);
	s->changed |= changed_before;
	return true;
}
