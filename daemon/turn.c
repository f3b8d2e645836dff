/* A turn: one partition's part of a round.  Its subjects are those of its events, those whose timers are due and those
 * that are judged anew.  Each is loaded, moved through its events and timers in their order, stored, and forgotten
 * before the next, so that all of it stays in the processor's cache: what becomes of a subject depends on no other one,
 * only on the partition's time, and that every event knows. */
#include "ops/log.h"
#include "worker.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the subjects, each once */

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

static uint32_t *slot_of(const struct turn *t, struct str key)
{
	size_t i = hash(key) & t->mask;
	while (t->table[i] && !str_equal(t->subjects[t->table[i] - 1].key, key))
		i = (i + 1) & t->mask;
	return &t->table[i];
}

void turn_room(struct worker *w, struct turn *t, size_t more)
{
	size_t most = t->n_subjects + more, size = 16;
	struct turn_subject *subjects = arena_alloc(&w->round, sizeof *subjects * (most + 1));
	if (t->n_subjects)
		memcpy(subjects, t->subjects, sizeof *subjects * t->n_subjects);
	while (size < most * 2)
		size *= 2;
	t->subjects = subjects;
	t->table = ARENA_ARRAY(&w->round, uint32_t, size);
	t->mask = size - 1;
	for (size_t i = 0; i < t->n_subjects; i++)
		*slot_of(t, subjects[i].key) = (uint32_t)i + 1;
}

struct turn_subject *turn_find(const struct turn *t, struct str key)
{
	uint32_t place = *slot_of(t, key);
	return place ? &t->subjects[place - 1] : NULL;
}

struct turn_subject *turn_add(struct turn *t, const struct watch *watch, struct str name, struct str key)
{
	struct turn_subject *s = &t->subjects[t->n_subjects];
	*slot_of(t, key) = (uint32_t)++t->n_subjects;
	*s = (struct turn_subject){.watch = watch, .name = name, .key = key, .due = INT64_MIN};
	return s;
}

/* --- sizes */

static bool too_large_state(const struct worker *w, const struct turn_subject *s, size_t bytes)
{
	return bytes + s->key.len > outbox_max_state(w->outbox);
}

/* Its JSON is left in w->json. */
static bool too_large_message(struct worker *w, const struct turn *t, const struct message *m)
{
	w->json.len = 0;
	message_json(m, w->rules, str_of(t->partition->record.incarnation), &w->json);
	return w->json.len + m->subject.len > outbox_max_message(w->outbox);
}

/* --- stepping a subject */

struct stepping { /* a subject under way */
	struct worker *w;
	struct turn *t;
	struct turn_subject *is;
	struct batch_subject *loaded;
	struct effects fx;
	bool careful; /* something of it was too large: sizes are looked at event by event */
};

static void refuse(struct worker *w, struct item *i, enum reject_class class, const char *reason)
{
	i->class = class;
	i->reason = arena_text(&w->collected, reason, strlen(reason));
}

static bool too_large_after(struct stepping *x, const struct message *sent)
{
	struct worker *w = x->w;
	for (; sent; sent = sent->next)
		if (too_large_message(w, x->t, sent))
			return true;
	if (!x->loaded->subject.changed)
		return false;
	w->json.len = 0;
	codec_encode(&x->loaded->subject, w->rules, &w->json);
	return too_large_state(w, x->is, w->json.len);
}

/* False: the event was found to be the one that makes a record too large; the subject is stepped again without it. */
static bool step_event(struct stepping *x, struct item *i)
{
	struct worker *w = x->w;
	struct message **sent = x->fx.last;
	struct err why = {""};
	if (i->oversized) {
		batch_timers(w->batch, i->now, &x->fx);
		return true;
	}
	i->reason = NULL;
	if (!batch_event(w->batch, &i->event, i->now, &x->fx, &why)) {
		refuse(w, i, REJECT_RULES, why.text);
	} else if (x->careful && too_large_after(x, *sent)) {
		i->oversized = true;
		refuse(w, i, REJECT_SIZE,
		       "data: its subject's state, or a message, would be larger than a record may be");
		return false;
	}
	return true;
}

static bool step_all(struct stepping *x)
{
	struct turn *t = x->t;
	if (x->is->recheck)
		batch_recheck(x->w->batch, x->loaded, t->began, &x->fx);
	for (struct item *i = x->is->items; i && i->place < t->n_items; i = i->same)
		if (!step_event(x, i))
			return false;
	batch_timers(x->w->batch, t->now, &x->fx);
	return true;
}

/* NULL: its state can't be read, and the partition is stopped. */
static struct batch_subject *load(struct worker *w, struct turn *t, const struct turn_subject *s)
{
	struct err why = {""};
	char text[SENTENCE_MAX];
	batch_begin(w->batch, t->partition->record.clock);
	struct batch_subject *loaded = batch_load(w->batch, s->watch, s->name, s->state, s->due, &why);
	if (loaded)
		return loaded;
	snprintf(text, sizeof text, "partition %" PRId32 ": a subject's state can't be read: %.250s", t->partition->id,
		 why.text);
	log_error("%s", text);
	partition_set(w, t->partition, PARTITION_STOPPED, text);
	return NULL;
}

/* --- what comes of it */

static struct sent *add_sent(struct worker *w, struct sent_list *list, int64_t now)
{
	ARENA_PUSH_ROOM(&w->round, list->list, list->n, list->cap);
	struct sent *s = &list->list[list->n];
	*s = (struct sent){.now = now, .place = list->n++};
	list->bytes += w->json.len;
	s->json = (struct str){arena_copy(&w->round, w->json.data, w->json.len), (uint32_t)w->json.len};
	return s;
}

/* False: a message is too large, and none is kept. */
static bool keep_messages(struct worker *w, struct turn *t, const struct effects *fx)
{
	struct sent_list before = t->messages;
	for (const struct message *m = fx->first; m; m = m->next) {
		if (too_large_message(w, t, m)) {
			t->messages = before;
			return false;
		}
		struct sent *s = add_sent(w, &t->messages, m->now);
		s->key = arena_str(&w->round, m->subject);
		s->unit = arena_str(&w->round, m->unit);
		s->topic = arena_text(&w->round, m->topic.s, m->topic.len);
	}
	return true;
}

static void keep_outcomes(struct worker *w, struct turn *t, const struct effects *fx)
{
	for (const struct outcome *o = fx->first_outcome; o; o = o->next) {
		w->json.len = 0;
		outcome_json(o, w->rules, str_of(t->partition->record.incarnation), &w->json);
		struct sent *s = add_sent(w, &t->outcomes, o->now);
		s->key = s->unit = arena_str(&w->round, o->unit);
	}
}

static void keep_state(struct worker *w, struct turn_subject *s, const struct batch_subject *loaded)
{
	s->changed = loaded->subject.changed;
	s->moved = batch_moved(loaded);
	s->next_due = loaded->subject.due;
	if (s->changed)
		s->bytes = (struct str){arena_copy(&w->round, loaded->bytes.s, loaded->bytes.len), loaded->bytes.len};
}

/* False: something is too large, and nothing is kept. */
static bool keep(struct stepping *x)
{
	struct worker *w = x->w;
	batch_store(w->batch);
	if ((x->loaded->subject.changed && too_large_state(w, x->is, x->loaded->bytes.len)) ||
	    !keep_messages(w, x->t, &x->fx))
		return false;
	keep_outcomes(w, x->t, &x->fx);
	keep_state(w, x->is, x->loaded);
	w->late += x->fx.late_contributions;
	return true;
}

/* What is still too large when no event is at fault was made so by a timer: its subject stays as it was, without a
 * timer, and goes to the rejects, as do its events of this round. */
static void reject_timer(struct worker *w, struct turn *t, struct turn_subject *s)
{
	struct item *i = arena_zero(&w->round, sizeof *i);
	i->record = (struct record){.topic = s->watch->topic,
				    .partition = t->partition->id,
				    .offset = -1,
				    .key = arena_str(&w->round, s->name)};
	i->event.watch = s->watch;
	refuse(w, i, REJECT_TIMER, "timer: its subject's state, or a message, would be larger than a record may be");
	i->next = t->timer_rejects;
	t->timer_rejects = i;
	for (i = s->items; i && i->place < t->n_items; i = i->same)
		if (!i->reason)
			refuse(w, i, REJECT_SIZE,
			       "data: a timer of its subject would make a state, or a message, larger than a record "
			       "may be");
	s->moved = true;
	s->next_due = TIME_NEVER;
}

/* Where something turns out too large, again, event by event, until it is known which to leave out. */
static bool step_subject(struct worker *w, struct turn *t, struct turn_subject *s)
{
	struct stepping x = {.w = w, .t = t, .is = s};
	for (;;) {
		arena_reset(&w->effects);
		effects_init(&x.fx, &w->effects);
		x.fx.rules = w->counts;
		x.loaded = load(w, t, s);
		if (!x.loaded)
			return false;
		if (!step_all(&x))
			continue;
		if (keep(&x))
			return true;
		if (x.careful) {
			reject_timer(w, t, s);
			return true;
		}
		x.careful = true;
	}
}

static int by_time(const void *pa, const void *pb)
{
	const struct sent *a = pa, *b = pb;
	if (a->now != b->now)
		return a->now < b->now ? -1 : 1;
	return (a->place > b->place) - (a->place < b->place);
}

static void sort_sent(struct sent_list *list)
{
	if (list->n > 1)
		qsort(list->list, list->n, sizeof *list->list, by_time);
}

/* The events of some may have been put off. */
static bool has_work(const struct turn *t, const struct turn_subject *s)
{
	return (s->items && s->items->place < t->n_items) || s->due != INT64_MIN || s->recheck;
}

/* Steps until all are, or until more comes out than may; returns how many were. */
static size_t step_some(struct worker *w, struct turn *t, bool *readable)
{
	size_t most = (size_t)w->settings->batch.bytes;
	for (size_t i = 0; i < t->n_subjects; i++) {
		if (i + 1 < t->n_subjects && t->subjects[i + 1].items)
			__builtin_prefetch(t->subjects[i + 1].items);
		if (!has_work(t, &t->subjects[i]))
			continue;
		*readable = step_subject(w, t, &t->subjects[i]);
		if (!*readable || (t->messages.bytes + t->outcomes.bytes > most && t->n_items > 1))
			return i + 1;
	}
	return t->n_subjects + 1;
}

/* To fewer events, by how far it came; the rest has another round. */
static void cut(const struct worker *w, struct turn *t, size_t done)
{
	size_t n = t->n_items * done / (2 * t->n_subjects);
	struct item *last = t->items;
	t->n_items = n < 1 ? 1 : n;
	for (size_t i = 1; i < t->n_items; i++)
		last = last->next;
	if (w->settings->clock == CLOCK_EVENTS)
		t->now = last->now;
}

bool turn_step(struct worker *w, struct turn *t)
{
	uint64_t late = w->late;
	bool readable = true;
	for (size_t done; (done = step_some(w, t, &readable)) <= t->n_subjects;) {
		if (!readable)
			return false;
		cut(w, t, done);
		t->messages = t->outcomes = (struct sent_list){0};
		t->timer_rejects = NULL;
		w->late = late;
		for (size_t i = 0; i < t->n_subjects; i++) {
			struct turn_subject *s = &t->subjects[i];
			s->changed = s->moved = false;
			s->bytes = (struct str){NULL, 0};
		}
	}
	sort_sent(&t->messages);
	sort_sent(&t->outcomes);
	return true;
}
