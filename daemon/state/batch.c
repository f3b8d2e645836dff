/* A batch: a table of loaded subjects and a heap of their due times. */
#include "batch.h"
#include <stdlib.h>
#include <string.h>

struct due {
	int64_t at;
	struct batch_subject *is;
};

struct batch {
	struct engine *engine;
	enum clock_mode mode;
	int64_t began, clock; /* the partition's: when the batch began, and now */
	struct arena arena;
	struct arena subjects; /* the batch_subjects side by side: walks over them are frequent */
	struct buffer bytes;
	struct batch_subject *first, **last;
	struct batch_subject **table; /* open addressing; a power of two */
	uint32_t n, size;
	struct due *heap; /* smallest first; entries of subjects that have moved on are passed over */
	uint32_t n_heap, cap_heap;
};

struct batch *batch_new(struct engine *engine, enum clock_mode mode)
{
	struct batch *b = calloc(1, sizeof *b);
	if (!b)
		abort();
	b->engine = engine;
	b->mode = mode;
	b->last = &b->first;
	return b;
}

size_t batch_size(const struct batch *b)
{
	return arena_size(&b->arena) + arena_size(&b->subjects) + b->bytes.cap + b->size * sizeof *b->table +
	       b->cap_heap * sizeof *b->heap;
}

void batch_free(struct batch *b)
{
	if (!b)
		return;
	arena_close(&b->arena);
	arena_close(&b->subjects);
	buffer_free(&b->bytes);
	free(b->table);
	free(b->heap);
	free(b);
}

void batch_begin(struct batch *b, int64_t clock)
{
	arena_reset(&b->arena);
	arena_reset(&b->subjects);
	engine_reset(b->engine);
	b->began = b->clock = clock;
	b->bytes.len = 0;
	b->first = NULL;
	b->last = &b->first;
	b->n = b->n_heap = 0;
	if (b->table)
		memset(b->table, 0, b->size * sizeof *b->table);
}

int64_t batch_clock(const struct batch *b)
{
	return b->clock;
}

/* --- the table */

static uint32_t hash_key(const struct watch *w, struct str key)
{
	uint64_t h = 14695981039346656037u + w->index, word;
	uint32_t i = 0;
	for (; i + 8 <= key.len; i += 8) {
		memcpy(&word, key.s + i, 8);
		h = (h ^ word) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	for (; i < key.len; i++)
		h = (h ^ (unsigned char)key.s[i]) * 1099511628211u;
	return (uint32_t)(h ^ h >> 32);
}

static struct batch_subject **slot(const struct batch *b, const struct watch *w, struct str key)
{
	uint32_t i = hash_key(w, key) & (b->size - 1);
	while (b->table[i] && (b->table[i]->subject.watch != w || !str_equal(b->table[i]->subject.key, key)))
		i = (i + 1) & (b->size - 1);
	return &b->table[i];
}

static void widen(struct batch *b)
{
	if (b->n * 2 < b->size)
		return;
	free(b->table);
	b->size = b->size ? b->size * 2 : 16;
	b->table = calloc(b->size, sizeof *b->table);
	if (!b->table)
		abort();
	for (struct batch_subject *s = b->first; s; s = s->next)
		*slot(b, s->subject.watch, s->subject.key) = s;
}

struct batch_subject *batch_find(struct batch *b, const struct watch *watch, struct str key)
{
	return b->size ? *slot(b, watch, key) : NULL;
}

/* --- the heap of due times: by time, then watch and subject */

static bool before(const struct due *a, const struct due *b)
{
	if (a->at != b->at)
		return a->at < b->at;
	if (a->is->subject.watch != b->is->subject.watch)
		return a->is->subject.watch->index < b->is->subject.watch->index;
	return str_compare(a->is->subject.key, b->is->subject.key) < 0;
}

static void push_due(struct batch *b, struct batch_subject *s)
{
	if (s->subject.due >= DUE_PASSED)
		return;
	if (b->n_heap == b->cap_heap) {
		b->cap_heap = b->cap_heap ? b->cap_heap * 2 : 16;
		b->heap = realloc(b->heap, b->cap_heap * sizeof *b->heap);
		if (!b->heap)
			abort();
	}
	struct due d = {s->subject.due, s};
	uint32_t i = b->n_heap++;
	for (; i > 0 && before(&d, &b->heap[(i - 1) / 2]); i = (i - 1) / 2)
		b->heap[i] = b->heap[(i - 1) / 2];
	b->heap[i] = d;
}

static void pop_due(struct batch *b)
{
	struct due d = b->heap[--b->n_heap];
	uint32_t i = 0;
	for (uint32_t child; (child = 2 * i + 1) < b->n_heap; i = child) {
		if (child + 1 < b->n_heap && before(&b->heap[child + 1], &b->heap[child]))
			child++;
		if (!before(&b->heap[child], &d))
			break;
		b->heap[i] = b->heap[child];
	}
	if (b->n_heap)
		b->heap[i] = d;
}

/* --- loading and stepping */

struct batch_subject *batch_load(struct batch *b, const struct watch *watch, struct str key, struct str bytes,
				 int64_t due, struct err *why)
{
	struct batch_subject *s = arena_zero(&b->subjects, sizeof *s);
	key = arena_str(&b->arena, key);
	if (bytes.len == 0)
		subject_init(&s->subject, &b->arena, watch, key);
	else if (!codec_decode(&s->subject, &b->arena, engine_ruleset(b->engine), watch, key, bytes, why))
		return NULL;
	if (due != INT64_MIN)
		s->subject.due = due;
	else if (s->subject.due <= b->clock)
		s->subject.due = DUE_PASSED;
	s->indexed = s->subject.due;
	widen(b);
	*slot(b, watch, key) = s;
	*b->last = s;
	b->last = &s->next;
	b->n++;
	push_due(b, s);
	return s;
}

/* A step without an event can't be rejected. */
static void fire_at(struct batch *b, struct batch_subject *s, int64_t now, struct effects *fx)
{
	struct err none = {{0}};
	int64_t due = s->subject.due;
	engine_step(b->engine, &s->subject, NULL, now, fx, &none);
	if (s->subject.due != due)
		push_due(b, s);
}

/* One that was due before the batch began has fired then, without effect; only the index has forgotten it, with Redis.
 * It must not take the subject back in time, to be judged by rules that have changed since. */
static void fire(struct batch *b, struct batch_subject *s, int64_t now, struct effects *fx)
{
	int64_t due = s->subject.due > b->began ? s->subject.due : b->began;
	fire_at(b, s, b->mode == CLOCK_EVENTS ? due : now, fx);
}

void batch_timers(struct batch *b, int64_t now, struct effects *fx)
{
	if (now > b->clock)
		b->clock = now;
	while (b->n_heap && b->heap[0].at <= b->clock) {
		struct due d = b->heap[0];
		pop_due(b);
		if (d.is->subject.due == d.at)
			fire(b, d.is, b->clock, fx);
	}
}

/* What its event or a timer of its own has done already is done. */
void batch_recheck(struct batch *b, struct batch_subject *s, int64_t now, struct effects *fx)
{
	batch_timers(b, now, fx);
	if (s->subject.ruleset != s->subject.watch->fingerprint)
		fire_at(b, s, b->clock, fx);
}

bool batch_event(struct batch *b, const struct event *event, int64_t now, struct effects *fx, struct err *why)
{
	struct batch_subject *s = batch_find(b, event->watch, event->subject);
	batch_timers(b, now, fx);
	int64_t due = s->subject.due;
	if (!engine_step(b->engine, &s->subject, event, b->clock, fx, why))
		return false;
	if (s->subject.due != due)
		push_due(b, s);
	return true;
}

bool batch_moved(const struct batch_subject *s)
{
	return s->subject.due != s->indexed;
}

struct batch_subject *batch_store(struct batch *b)
{
	size_t n = 0;
	for (struct batch_subject *s = b->first; s; s = s->next) {
		if (!s->subject.changed)
			continue;
		n = b->bytes.len;
		codec_encode(&s->subject, engine_ruleset(b->engine), &b->bytes);
		s->bytes = (struct str){NULL, (uint32_t)(b->bytes.len - n)};
	}
	n = 0; /* the buffer moves no more */
	for (struct batch_subject *s = b->first; s; s = s->next)
		if (s->subject.changed) {
			s->bytes.s = b->bytes.data + n;
			n += s->bytes.len;
		}
	return b->first;
}
