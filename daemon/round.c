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
enum { EVENT_SUBJECTS = 2500, LOOK_MS = 1000 };

/* --- the distinct subjects of the items */

struct keys {
	struct str *list;
	struct item **of; /* the first item of each */
	size_t n, most;
	uint32_t *table; /* index + 1; 0: free */
	size_t mask;
};

static uint64_t hash(struct str s)
{
	uint64_t h = s.len * 0x9e3779b97f4a7c15u, word = 0;
	uint32_t i = 0;
	for (; i + 8 <= s.len; i += 8) {
		memcpy(&word, s.s + i, 8);
		h = (h ^ word) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	word = 0;
	memcpy(&word, s.s + i, s.len - i);
	h = (h ^ word) * 0xc4ceb9fe1a85ec53u;
	return h ^ h >> 29;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static struct keys keys_new(struct arena *a, size_t n_items, size_t room)
{
	size_t most = least(least(n_items, room), EVENT_SUBJECTS), size = 16;
	while (size < most * 2)
		size *= 2;
	return (struct keys){.most = most,
			     .list = arena_alloc(a, sizeof(struct str) * (most + 1)),
			     .of = arena_alloc(a, sizeof(struct item *) * (most + 1)),
			     .table = ARENA_ARRAY(a, uint32_t, size),
			     .mask = size - 1};
}

/* False: there is no room for a further subject. */
static bool keys_add(struct keys *k, struct item *item)
{
	size_t i = hash(item->key) & k->mask;
	for (; k->table[i]; i = (i + 1) & k->mask)
		if (str_equal(k->list[k->table[i] - 1], item->key))
			return true;
	if (k->n == k->most)
		return false;
	k->list[k->n] = item->key;
	k->of[k->n] = item;
	k->table[i] = (uint32_t)++k->n;
	return true;
}

/* --- cutting */

static bool by_events(const struct worker *w)
{
	return w->settings->clock == CLOCK_EVENTS;
}

/* The partition's time never goes back. */
static int64_t now_of(const struct worker *w, const struct partition *p)
{
	if (by_events(w))
		return p->record.clock;
	int64_t now = w->settings->clock == CLOCK_FIXED ? w->settings->fixed_clock : clock_wall();
	return now > p->record.clock ? now : p->record.clock;
}

static void take_items(struct worker *w, struct turn *t, struct keys *keys, size_t room)
{
	struct partition *p = t->partition;
	*keys = keys_new(&w->round, p->n_items, room);
	t->items = p->first;
	for (struct item *i = p->first; i; i = i->next) {
		if (i->kind == ITEM_EVENT && !keys_add(keys, i))
			break;
		if (by_events(w) && i->kind == ITEM_EVENT && i->event.time > t->now)
			t->now = i->event.time;
		t->n_items++;
	}
	t->load.keys = keys->list;
	t->load.n_keys = keys->n;
}

/* One more than the share is asked for, to see whether there are more. */
static void ask_timers(struct turn *t, size_t share)
{
	t->due_share = share < 1 ? 1 : least(share, CACHE_MAX_FIELDS - 1 - t->load.n_keys);
	t->load.due_until = t->now;
	t->load.due_max = t->now == INT64_MIN ? 0 : t->due_share + 1;
}

static bool wants_turn(const struct partition *p, int64_t now)
{
	return p->state == PARTITION_RUNNING && (p->n_items || p->unsaved || p->look <= now);
}

/* The first keep what they hold. */
static void trim_batches(struct worker *w)
{
	size_t held = 0;
	for (size_t i = 0; i < w->n_batches; i++) {
		size_t size = batch_size(w->batches[i]);
		if (held + size > KEPT_BATCH_BYTES)
			batch_trim(w->batches[i]);
		else
			held += size;
	}
}

static void lend_batches(struct worker *w, struct round *r)
{
	size_t next = 0;
	if (w->n_batches < r->n) {
		w->batches = realloc(w->batches, r->n * sizeof(struct batch *));
		if (!w->batches)
			abort();
		while (w->n_batches < r->n)
			w->batches[w->n_batches++] = batch_new(w->engine, w->settings->clock);
	}
	trim_batches(w);
	for (int busy = 1; busy >= 0; busy--)
		for (size_t i = 0; i < r->n; i++)
			if ((r->turns[i].n_items > 0) == busy)
				r->turns[i].batch = w->batches[next++];
}

/* Partitions that get no turn because there is no more room begin the next round. */
static void choose(struct worker *w, struct round *r, struct keys **keys)
{
	int64_t now = clock_monotonic();
	size_t room = w->load_most, first = w->first_turn;
	*r = (struct round){.turns = ARENA_ARRAY(&w->round, struct turn, w->n_partitions + 1)};
	*keys = ARENA_ARRAY(&w->round, struct keys, w->n_partitions + 1);
	for (size_t i = 0; i < w->n_partitions && room; i++) {
		size_t at = (first + i) % w->n_partitions;
		struct partition *p = &w->partitions[at];
		if (!wants_turn(p, now))
			continue;
		p->look = now + LOOK_MS;
		struct turn *t = &r->turns[r->n];
		t->partition = p;
		t->now = now_of(w, p);
		t->load.partition = p->id;
		t->load.watermark = p->watermark;
		take_items(w, t, &(*keys)[r->n++], room);
		room -= t->load.n_keys;
		w->first_turn = room ? first : at + 1;
	}
	lend_batches(w, r);
	for (size_t i = 0; i < r->n; i++)
		ask_timers(&r->turns[i], least((size_t)w->settings->batch.events / 2, room) / r->n);
}

/* With `clock: events`, all timers that are due before an event must fire before it.  Where more are due than the
 * round's share, the events that come after those left out must wait; where that is all of them, the round is for
 * timers alone.  So what comes out doesn't depend on where a batch ends. */
static void cut_before_timers(struct turn *t)
{
	size_t n = 0;
	int64_t time = t->partition->record.clock, left_out = t->load.due[t->due_share].due;
	for (struct item *i = t->items; n < t->n_items; i = i->next, n++) {
		int64_t moved = i->kind == ITEM_EVENT && i->event.time > time ? i->event.time : time;
		if (moved >= left_out)
			break;
		time = moved;
	}
	t->n_items = n;
	t->now = n ? time : t->load.due[t->due_share - 1].due;
}

/* --- loading */

/* One turn with one subject and two timers must be possible, however large their states. */
static size_t load_bytes(const struct worker *w)
{
	size_t largest = 4 * outbox_max_state(w->outbox), bytes = (size_t)w->settings->batch.bytes;
	return bytes > largest ? bytes : largest;
}

/* How many subjects the next round may load: as many as give half of what is allowed at most, by the sizes of these. */
static void learn_sizes(struct worker *w, size_t subjects, size_t bytes)
{
	size_t half = load_bytes(w) / 2;
	if (bytes > half)
		w->load_most = subjects * half / bytes;
	else if (bytes < half / 2 && subjects > w->load_most / 2)
		w->load_most *= 2;
	if (w->load_most < 1)
		w->load_most = 1;
}

static size_t loaded(const struct cache_load *loads, size_t n)
{
	size_t subjects = 0;
	for (size_t i = 0; i < n; i++)
		subjects += loads[i].n_keys + loads[i].n_due;
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
		w->load_most = least(w->load_most, loaded(loads, r->n)) / 4 + 1;
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

static bool load_subject(struct worker *w, struct turn *t, const struct watch *watch, struct str key, struct str bytes,
			 int64_t due)
{
	struct err why = {""};
	if (batch_load(t->batch, watch, key, bytes, due, &why))
		return true;
	char text[SENTENCE_MAX];
	snprintf(text, sizeof text, "partition %" PRId32 ": a subject's state can't be read: %.250s", t->partition->id,
		 why.text);
	log_error("%s", text);
	partition_set(w, t->partition, PARTITION_STOPPED, text);
	return false;
}

/* Those that are due are loaded already.  Where not all were asked for, a stored due time that has passed may still be
 * owed: it fires (with `clock: events` the round ends before those left out). */
static bool load_events(struct worker *w, struct turn *t, const struct keys *keys)
{
	for (size_t i = 0; i < keys->n; i++) {
		const struct event *e = &keys->of[i]->event;
		int64_t due = INT64_MIN;
		if (batch_find(t->batch, e->watch, e->subject))
			continue;
		if (t->hungry && !by_events(w))
			codec_due(t->load.states[i], &due);
		if (!load_subject(w, t, e->watch, e->subject, t->load.states[i], due))
			return false;
	}
	return true;
}

static bool load_due(struct worker *w, struct turn *t)
{
	size_t n = t->load.n_due < t->due_share ? t->load.n_due : t->due_share;
	t->strangers = ARENA_ARRAY(&w->round, struct str, n);
	for (size_t i = 0; i < n; i++) {
		struct str subject;
		const struct cache_due *d = &t->load.due[i];
		const struct watch *watch = changelog_watch(w->rules, d->key, &subject);
		if (!watch)
			t->strangers[t->n_strangers++] = d->key;
		else if (!load_subject(w, t, watch, subject, d->state, d->due))
			return false;
	}
	return true;
}

/* --- stepping */

static size_t state_size(struct worker *w, const struct subject *s)
{
	w->json.len = 0;
	codec_encode(s, w->rules, &w->json);
	return w->json.len + s->key.len + strlen(s->watch->name) + 1;
}

static size_t message_size(struct worker *w, const struct turn *t, const struct message *m)
{
	w->json.len = 0;
	message_json(m, w->rules, str_of(t->partition->record.incarnation), &w->json);
	return w->json.len + m->subject.len;
}

/* After an event, where sizes are looked at one by one: would its state or its messages be too large? */
static bool too_large(struct worker *w, const struct turn *t, const struct item *i, const struct message *sent)
{
	const struct batch_subject *s = batch_find(t->batch, i->event.watch, i->event.subject);
	for (; sent; sent = sent->next)
		if (message_size(w, t, sent) > outbox_max_message(w->outbox))
			return true;
	return s->subject.changed && state_size(w, &s->subject) > outbox_max_state(w->outbox);
}

static void refuse(struct worker *w, struct item *i, enum reject_class class, const char *reason)
{
	i->class = class;
	i->reason = arena_text(&w->collected, reason, strlen(reason));
}

/* False: the item was found to be the one that makes a record too large; step all again without it. */
static bool step_item(struct worker *w, struct turn *t, struct item *i, struct effects *fx, bool careful)
{
	struct batch *b = t->batch;
	struct err why;
	if (i->kind != ITEM_EVENT)
		return true;
	if (i->oversized) {
		if (by_events(w))
			batch_timers(b, i->event.time, fx);
		return true;
	}
	struct message **sent = fx->last;
	i->reason = NULL;
	why.text[0] = '\0';
	if (!batch_event(b, &i->event, t->now, fx, &why)) {
		refuse(w, i, REJECT_RULES, why.text);
	} else if (careful && too_large(w, t, i, *sent)) {
		i->oversized = true;
		refuse(w, i, REJECT_SIZE,
		       "data: its subject's state, or a message, would be larger than a record may be");
		return false;
	}
	return true;
}

static bool step_all(struct worker *w, struct turn *t, struct effects *fx, bool careful)
{
	struct item *i = t->items;
	effects_init(fx, &w->effects);
	fx->rules = w->counts;
	if (t->n_items == 0 || !by_events(w))
		batch_timers(t->batch, t->now, fx);
	for (size_t n = 0; n < t->n_items; n++, i = i->next) {
		if (!step_item(w, t, i, fx, careful))
			return false;
		if (arena_used(&w->effects) > (size_t)w->settings->batch.bytes)
			t->n_items = n + 1; /* the rest has another round */
	}
	return true;
}

static bool load_turn(struct worker *w, struct turn *t, const struct keys *keys)
{
	batch_begin(t->batch, t->partition->record.clock);
	t->n_strangers = 0;
	return load_due(w, t) && load_events(w, t, keys);
}

static bool oversized(const struct worker *w, const struct batch_subject *s)
{
	return s->subject.changed &&
	       s->bytes.len + s->subject.key.len + strlen(s->subject.watch->name) + 1 > outbox_max_state(w->outbox);
}

static void render(struct worker *w, struct turn *t, const struct effects *fx)
{
	t->messages = fx->first;
	t->n_messages = 0;
	t->message_json = ARENA_ARRAY(&w->round, struct str, fx->n_messages);
	for (const struct message *m = fx->first; m; m = m->next) {
		message_size(w, t, m); /* left in json */
		t->message_json[t->n_messages++] =
			(struct str){arena_copy(&w->round, w->json.data, w->json.len), (uint32_t)w->json.len};
	}
}

static void render_outcomes(struct worker *w, struct turn *t, const struct effects *fx)
{
	size_t n = 0;
	const char *incarnation = t->partition->record.incarnation;
	for (const struct outcome *o = fx->first_outcome; o; o = o->next)
		n++;
	t->outcomes = fx->first_outcome;
	t->outcome_json = ARENA_ARRAY(&w->round, struct str, n);
	t->n_outcomes = n;
	n = 0;
	for (const struct outcome *o = fx->first_outcome; o; o = o->next) {
		w->json.len = 0;
		outcome_json(o, w->rules, str_of(incarnation), &w->json);
		t->outcome_json[n++] =
			(struct str){arena_copy(&w->round, w->json.data, w->json.len), (uint32_t)w->json.len};
	}
}

static bool any_oversized(struct worker *w, struct turn *t)
{
	size_t i = 0;
	for (const struct batch_subject *s = t->subjects; s; s = s->next)
		if (oversized(w, s))
			return true;
	for (const struct message *m = t->messages; m; m = m->next, i++)
		if (t->message_json[i].len + m->subject.len > outbox_max_message(w->outbox))
			return true;
	return false;
}

/* What is still too large when no event is at fault was made so by a timer: its subject stays as it was, without a
 * timer, and goes to the rejects. */
static void reject_timers(struct worker *w, struct turn *t)
{
	for (struct batch_subject *s = t->subjects; s; s = s->next) {
		if (!oversized(w, s))
			continue;
		s->subject.changed = false;
		s->subject.due = s->indexed;
		struct item *i = arena_zero(&w->round, sizeof *i);
		i->key = changelog_key(&w->round, s->subject.watch, s->subject.key);
		i->record = (struct record){.topic = s->subject.watch->topic,
					    .partition = t->partition->id,
					    .offset = -1,
					    .key = s->subject.key};
		refuse(w, i, REJECT_TIMER, "timer: its subject's state would be larger than a record may be");
		i->next = t->timer_rejects;
		t->timer_rejects = i;
	}
}

/* Steps; where something turns out too large, again, one by one, until it is known which events to leave out. */
static bool step_turn(struct worker *w, struct turn *t, const struct keys *keys)
{
	struct effects fx;
	bool careful = false;
	if (by_events(w) && t->load.n_due > t->due_share)
		cut_before_timers(t);
	t->hungry = t->load.n_due > t->due_share;
	for (;;) {
		if (!load_turn(w, t, keys))
			return false;
		if (!step_all(w, t, &fx, careful))
			continue;
		t->subjects = batch_store(t->batch);
		render(w, t, &fx);
		render_outcomes(w, t, &fx);
		if (!any_oversized(w, t))
			break;
		if (careful) {
			reject_timers(w, t);
			break;
		}
		careful = true;
	}
	w->late += fx.late_contributions;
	return true;
}

/* --- what to commit */

static bool changed_any(const struct turn *t)
{
	for (const struct batch_subject *s = t->subjects; s; s = s->next)
		if (s->subject.changed || batch_moved(s))
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
		t->n_misplaced += i->kind == ITEM_MISPLACED;
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
	t->touched = p->unsaved || t->n_items || t->n_messages || t->n_outcomes || t->n_strangers || t->timer_rejects ||
		     changed_any(t);
	if (!t->touched)
		return;
	t->record = p->record;
	t->record.clock = batch_clock(t->batch);
	t->record.rules = w->rules->fingerprint;
	t->record.revision = w->settings->revision;
	account(t);
	t->out = (struct outbox_partition){.partition = p->id};
}

bool round_step(struct worker *w, struct round *r)
{
	struct keys *keys;
	bool touched = false;
	int64_t start = clock_monotonic();
	arena_reset(&w->round);
	arena_reset(&w->effects);
	memset(w->counts, 0, sizeof *w->counts * w->rules->n_rules);
	w->late = 0;
	choose(w, r, &keys);
	if (r->n == 0 || !load_all(w, r))
		return false;
	for (size_t i = 0; i < r->n; i++) {
		struct turn *t = &r->turns[i];
		if (t->load.answer == CACHE_OK && step_turn(w, t, &keys[i]))
			finish(w, t);
		touched |= t->touched;
	}
	if (touched)
		meter_observe(w->meter, w->series.step_seconds, (double)(clock_monotonic() - start) / 1000);
	return touched;
}
