/* A round: what was collected and what is due, cut to a batch, loaded in one round trip and stepped.  Nothing is done
 * to the world here; a round that can't be committed is simply made again. */
#include "ops/log.h"
#include "ops/memory_bound.h"
#include "worker.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Subjects of events in a partition; the rest of a script's fields is for other subjects' timers. */
enum {
	EVENT_SUBJECTS = 15000,
	SWEEP_ROOM = 500, /* kept from the timers for a page of the sweep, which may be larger than was asked for */
	LOOK_MS = 1000
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* --- cutting */

static bool by_events(const struct worker *w)
{
	return w->settings->clock == CLOCK_EVENTS;
}

int64_t round_now(const struct worker *w, const struct partition *p)
{
	if (by_events(w))
		return p->record.clock;
	int64_t now = w->settings->clock == CLOCK_FIXED ? w->settings->fixed_clock : clock_wall();
	return now > p->record.clock ? now : p->record.clock;
}

/* The first event of a subject lists it; the others follow in a chain.  False: there is no room for a further subject.
 */
static bool take_event(struct turn *t, struct item *i, struct item **last, size_t most)
{
	struct turn_subject *s = turn_find(t, i->key);
	i->same = NULL;
	if (s) {
		size_t n = (size_t)(s - t->subjects);
		last[n] = last[n]->same = i;
		return true;
	}
	if (t->n_subjects == most)
		return false;
	s = turn_add(t, i->event.watch, i->event.subject, i->key);
	s->items = last[t->n_subjects - 1] = i;
	return true;
}

static void take_items(struct worker *w, struct turn *t, size_t room)
{
	struct partition *p = t->partition;
	size_t most = least(least(p->n_items, room), EVENT_SUBJECTS);
	struct item **last = arena_alloc(&w->round, sizeof *last * (most + 1));
	turn_room(w, t, most);
	t->items = p->first;
	for (struct item *i = p->first; i; i = i->next) {
		if (i->kind == ITEM_EVENT && !take_event(t, i, last, most))
			break;
		if (by_events(w) && i->kind == ITEM_EVENT && i->event.time > t->now)
			t->now = i->event.time;
		i->now = t->now;
		i->place = t->n_items++;
	}
	t->load.n_keys = t->n_subjects;
	struct str *keys = arena_alloc(&w->round, sizeof *keys * (t->n_subjects + 1));
	for (size_t i = 0; i < t->n_subjects; i++)
		keys[i] = t->subjects[i].key;
	t->load.keys = keys;
}

/* One more than the share is asked for, to see whether there are more. */
static void ask_timers(struct turn *t, size_t share)
{
	size_t room = CACHE_MAX_FIELDS - 1 - t->load.n_keys;
	if (t->load.scan_max)
		room -= SWEEP_ROOM;
	t->due_share = share < 1 ? 1 : least(share, room);
	t->load.due_until = t->now;
	t->load.due_max = t->now == INT64_MIN ? 0 : t->due_share + 1;
}

static bool wants_turn(struct worker *w, const struct partition *p, int64_t now)
{
	return p->state == PARTITION_RUNNING && (p->n_items || p->unsaved || p->look <= now || sweep_wants(w, p));
}

/* A third of what may be loaded is kept for timers, without which events would have to wait.  Partitions that get no
 * turn because there is no more room begin the next round. */
static void choose(struct worker *w, struct round *r)
{
	int64_t now = clock_monotonic();
	size_t kept = w->load_most / 3, room = w->load_most - kept, first = w->first_turn;
	*r = (struct round){.turns = ARENA_ARRAY(&w->round, struct turn, w->n_partitions + 1)};
	for (size_t i = 0; i < w->n_partitions && room; i++) {
		size_t at = (first + i) % w->n_partitions;
		struct partition *p = &w->partitions[at];
		if (!wants_turn(w, p, now))
			continue;
		p->look = now + LOOK_MS;
		struct turn *t = &r->turns[r->n++];
		t->partition = p;
		t->began = t->now = round_now(w, p);
		t->load.partition = p->id;
		t->load.watermark = p->watermark;
		take_items(w, t, room);
		room -= least(room, t->load.n_keys + 1); /* one for a timer */
		w->first_turn = room ? first : at + 1;
	}
	room += kept;
	int64_t sweep_room = (int64_t)least((size_t)sweep_allowance(w), w->load_most);
	for (size_t i = 0; i < r->n; i++) {
		sweep_ask(w, &r->turns[i], r->n, &sweep_room);
		ask_timers(&r->turns[i], least((size_t)w->tuning.batch.events / 2, room) / r->n);
	}
}

/* With `clock: events`, all timers that are due before an event must fire before it.  Where more are due than the
 * round's share, the events that come after those left out must wait; where that is all of them, the round is for
 * timers alone.  So what comes out doesn't depend on where a batch ends. */
static void cut_before_timers(struct turn *t)
{
	size_t n = 0;
	int64_t time = t->began, left_out = t->load.due[t->due_share].due;
	for (struct item *i = t->items; n < t->n_items && i->now < left_out; i = i->next, n++)
		time = i->now;
	t->n_items = n;
	t->now = n ? time : t->load.due[t->due_share - 1].due;
}

/* --- loading */

/* One turn with one subject, two timers and a small page of the sweep must be possible, however large their states. */
static size_t load_bytes(const struct worker *w)
{
	size_t largest = 16 * outbox_max_state(w->outbox), bytes = (size_t)w->settings->batch.bytes;
	return bytes > largest ? bytes : largest;
}

/* How many subjects the next round may load: as many as give half of what is allowed at most, by the sizes of these. */
static void learn_sizes(struct worker *w, size_t subjects, size_t bytes)
{
	size_t half = load_bytes(w) / 2, fit = bytes ? subjects * half / bytes : SIZE_MAX;
	if (bytes > half)
		w->load_most = fit;
	else if (subjects > w->load_most / 2 && fit > w->load_most)
		w->load_most = least(fit, w->load_most * 2);
	if (w->load_most < 1)
		w->load_most = 1;
}

static size_t loaded(const struct cache_load *loads, size_t n)
{
	size_t subjects = 0;
	for (size_t i = 0; i < n; i++)
		subjects += loads[i].n_keys + loads[i].n_due + loads[i].n_scanned;
	return subjects;
}

static bool load_all(struct worker *w, struct round *r)
{
	struct err why = {""};
	struct cache_load *loads = ARENA_ARRAY(&w->round, struct cache_load, r->n);
	size_t bytes = load_bytes(w);
	for (size_t i = 0; i < r->n; i++)
		loads[i] = r->turns[i].load;
	worker_calls(w, "reading states from Redis");
	enum cache_answer answer = cache_load(w->cache, loads, r->n, &bytes, &w->round, &why);
	worker_calls(w, NULL);
	if (answer == CACHE_TOO_MUCH) {
		w->load_most = w->load_most / 4 + 1;
		log_debug("worker %" PRId32 ": the states were too large, at most %zu subjects are loaded now",
			  w->number, w->load_most);
		return false;
	}
	if (answer != CACHE_OK) {
		meter_add(w->meter, w->series.redis_errors, 1);
		worker_pause(w, true, why.text);
		return false;
	}
	learn_sizes(w, loaded(loads, r->n), bytes);
	for (size_t i = 0; i < r->n; i++) {
		r->turns[i].load = loads[i];
		if (loads[i].answer == CACHE_OK)
			continue;
		log_warn("partition %" PRId32 ": Redis is at changelog offset %" PRId64 ", not at %" PRId64
			 " as it was left; taking over anew",
			 loads[i].partition, loads[i].found, loads[i].watermark);
		partition_set(w, r->turns[i].partition, PARTITION_TAKING_OVER, "");
	}
	return true;
}

/* Where not all that are due were asked for, a stored due time that has passed may still be owed: it fires (with
 * `clock: events` the round ends before those left out). */
static void give_states(struct worker *w, struct turn *t)
{
	for (size_t i = 0; i < t->load.n_keys; i++) {
		struct turn_subject *s = &t->subjects[i];
		s->state = t->load.states[i];
		if (t->hungry && !by_events(w))
			codec_due(s->state, &s->due);
	}
}

static void list_due(struct worker *w, struct turn *t)
{
	size_t n = least(t->load.n_due, t->due_share);
	t->strangers = ARENA_ARRAY(&w->round, struct cache_due, n);
	for (size_t i = 0; i < n; i++) {
		struct str name;
		const struct cache_due *d = &t->load.due[i];
		const struct watch *watch = changelog_watch(w->rules, d->key, &name);
		struct turn_subject *s = watch ? turn_find(t, d->key) : NULL;
		if (!watch) {
			t->strangers[t->n_strangers++] =
				(struct cache_due){d->key, codec_unjudged(d->state, &w->round), TIME_NEVER};
			continue;
		}
		if (!s)
			s = turn_add(t, watch, name, d->key);
		s->state = d->state;
		s->due = d->due;
	}
}

static void list_subjects(struct worker *w, struct turn *t)
{
	t->hungry = t->load.n_due > t->due_share;
	if (by_events(w) && t->hungry)
		cut_before_timers(t);
	turn_room(w, t, t->load.n_due + t->load.n_scanned);
	give_states(w, t);
	list_due(w, t);
	sweep_list(w, t);
}

/* --- what to commit */

static bool changed_any(const struct turn *t)
{
	for (size_t i = 0; i < t->n_subjects; i++)
		if (t->subjects[i].changed || t->subjects[i].moved)
			return true;
	return false;
}

/* The only walk over the items after they are stepped: each is a cache miss. */
static void account(struct turn *t)
{
	int64_t next[MAX_TOPICS];
	const char *names[MAX_TOPICS];
	struct item *i = t->items;
	for (size_t n = 0; n < t->n_items; n++, i = i->next) {
		next[i->topic] = i->record.offset + 1;
		names[i->topic] = i->record.topic;
		t->events[i->topic]++;
		t->ignored[i->topic] += i->kind == ITEM_IGNORED;
		t->n_rejected += i->reason != NULL;
		for (const struct passage *p = i->passages; p; p = p->next) {
			t->n_rejected += p->reason != NULL;
			t->n_forwarded += p->reason == NULL;
		}
	}
	t->after = i;
	for (size_t k = 0; k < MAX_TOPICS; k++)
		if (t->events[k])
			partition_record_move(&t->record, names[k], next[k]);
}

static void finish(struct worker *w, struct turn *t)
{
	struct partition *p = t->partition;
	if (t->hungry)
		p->look = 0;
	t->touched = p->unsaved || t->n_items || t->messages.n || t->outcomes.n || t->n_strangers || t->timer_rejects ||
		     t->sweep_ends || changed_any(t);
	if (!t->touched) {
		sweep_moved(w, t);
		return;
	}
	t->record = p->record;
	if (t->now > t->record.clock)
		t->record.clock = t->now;
	t->record.rules = w->rules->fingerprint;
	t->record.revision = w->tuning.revision;
	sweep_note(w, t);
	account(t);
	t->out = (struct outbox_partition){.partition = p->id, .from = p->watermark};
}

bool round_step(struct worker *w, struct round *r)
{
	bool touched = false;
	int64_t start = clock_monotonic();
	arena_reset(&w->round);
	memset(w->counts, 0, sizeof *w->counts * w->rules->n_rules);
	w->late = 0;
	choose(w, r);
	if (r->n == 0 || !load_all(w, r))
		return false;
	for (size_t i = 0; i < r->n; i++) {
		struct turn *t = &r->turns[i];
		if (t->load.answer != CACHE_OK)
			continue;
		list_subjects(w, t);
		if (turn_step(w, t))
			finish(w, t);
		touched |= t->touched;
	}
	if (touched)
		meter_observe(w->meter, w->series.step_seconds, (double)(clock_monotonic() - start) / 1000);
	return touched;
}
