/* A hash table of subjects and a heap of due times.  A subject whose due time changes gets a new heap entry; the old
 * one no longer carries its number and is dropped when it comes up. */
#include "memory.h"
#include <stdlib.h>
#include <string.h>

struct due_entry {
	int64_t due;
	struct memory_subject *subject;
	uint32_t number;
};
struct memory {
	struct arena arena;            /* subjects, keys, bytes */
	struct memory_subject **table; /* open addressing, a power of two */
	size_t n, room;
	struct due_entry *heap;
	size_t n_heap, room_heap;
	struct memory_subject **all;
	uint32_t number;
};

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

struct memory *memory_new(void)
{
	struct memory *m = must(calloc(1, sizeof *m));
	m->room = 1024;
	m->table = must(calloc(m->room, sizeof *m->table));
	return m;
}

void memory_free(struct memory *m)
{
	if (!m)
		return;
	arena_close(&m->arena);
	free(m->table);
	free(m->heap);
	free(m->all);
	free(m);
}

static size_t slot_of(const struct memory *m, const struct watch *watch, struct str key)
{
	uint64_t h = 0xcbf29ce484222325 ^ watch->index;
	for (uint32_t i = 0; i < key.len; i++)
		h = (h ^ (unsigned char)key.s[i]) * 0x100000001b3;
	size_t i = (size_t)(h ^ h >> 32) & (m->room - 1);
	while (m->table[i] && !(m->table[i]->watch == watch && str_equal(m->table[i]->key, key)))
		i = (i + 1) & (m->room - 1);
	return i;
}

static void widen(struct memory *m)
{
	struct memory_subject **old = m->table;
	size_t room = m->room;
	m->room *= 2;
	m->table = must(calloc(m->room, sizeof *m->table));
	for (size_t i = 0; i < room; i++)
		if (old[i])
			m->table[slot_of(m, old[i]->watch, old[i]->key)] = old[i];
	free(old);
}

struct memory_subject *memory_get(struct memory *m, const struct watch *watch, struct str key)
{
	size_t i = slot_of(m, watch, key);
	if (m->table[i])
		return m->table[i];
	if (++m->n > m->room / 2) {
		widen(m);
		i = slot_of(m, watch, key);
	}
	struct memory_subject *s = arena_zero(&m->arena, sizeof *s);
	*s = (struct memory_subject){.watch = watch, .key = arena_str(&m->arena, key), .due = TIME_NEVER};
	return m->table[i] = s;
}

void memory_put(struct memory *m, struct memory_subject *s, struct str bytes)
{
	if (bytes.len > s->room) {
		s->room = bytes.len + bytes.len / 4 + 64;
		s->bytes.s = arena_alloc(&m->arena, s->room);
	}
	if (bytes.len)
		memcpy((char *)(uintptr_t)s->bytes.s, bytes.s, bytes.len);
	s->bytes.len = bytes.len;
}

static bool before(const struct due_entry *a, const struct due_entry *b)
{
	return a->due != b->due ? a->due < b->due : a->number < b->number;
}

static void rise(struct memory *m, size_t i)
{
	struct due_entry e = m->heap[i];
	for (; i && before(&e, &m->heap[(i - 1) / 2]); i = (i - 1) / 2)
		m->heap[i] = m->heap[(i - 1) / 2];
	m->heap[i] = e;
}

static void drop_first(struct memory *m)
{
	struct due_entry e = m->heap[--m->n_heap];
	size_t i = 0;
	for (size_t child; (child = 2 * i + 1) < m->n_heap; i = child) {
		if (child + 1 < m->n_heap && before(&m->heap[child + 1], &m->heap[child]))
			child++;
		if (!before(&m->heap[child], &e))
			break;
		m->heap[i] = m->heap[child];
	}
	m->heap[i] = e;
}

void memory_due(struct memory *m, struct memory_subject *s, int64_t due)
{
	if (s->due == due && (s->queued || due == TIME_NEVER))
		return;
	s->due = due;
	s->queued = 0;
	if (due == TIME_NEVER)
		return;
	if (m->n_heap == m->room_heap) {
		m->room_heap = m->room_heap ? m->room_heap * 2 : 1024;
		m->heap = must(realloc(m->heap, m->room_heap * sizeof *m->heap));
	}
	s->queued = ++m->number;
	m->heap[m->n_heap] = (struct due_entry){due, s, s->queued};
	rise(m, m->n_heap++);
}

int64_t memory_next_due(struct memory *m)
{
	while (m->n_heap && m->heap[0].number != m->heap[0].subject->queued)
		drop_first(m);
	return m->n_heap ? m->heap[0].due : TIME_NEVER;
}

struct memory_subject *memory_take_due(struct memory *m, int64_t upto)
{
	int64_t due = memory_next_due(m);
	if (due == TIME_NEVER || due > upto)
		return NULL;
	struct memory_subject *s = m->heap[0].subject;
	drop_first(m);
	s->queued = 0;
	return s;
}

static int by_key(const void *pa, const void *pb)
{
	const struct memory_subject *a = *(struct memory_subject *const *)pa, *b = *(struct memory_subject *const *)pb;
	return a->watch == b->watch ? str_compare(a->key, b->key) : a->watch->index < b->watch->index ? -1 : 1;
}

struct memory_subject **memory_all(struct memory *m, size_t *n)
{
	m->all = must(realloc(m->all, (m->n + 1) * sizeof(struct memory_subject *)));
	*n = 0;
	for (size_t i = 0; i < m->room; i++)
		if (m->table[i] && m->table[i]->bytes.len)
			m->all[(*n)++] = m->table[i];
	qsort(m->all, *n, sizeof *m->all, by_key);
	return m->all;
}
