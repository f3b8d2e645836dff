/* The arena: blocks from malloc, given out front to back. */
#include "arena.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 64 * 1024 };

struct arena_block {
	struct arena_block *older;
	size_t size; /* of data */
	_Alignas(16) char data[];
};

struct str str_of(const char *terminated)
{
	return (struct str){terminated ? terminated : "", terminated ? (uint32_t)strlen(terminated) : 0};
}

int str_compare(struct str a, struct str b)
{
	uint32_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.s, b.s, n) : 0;
	return c ? c : (a.len > b.len) - (a.len < b.len);
}

void arena_init(struct arena *a)
{
	*a = (struct arena){0};
}

void *arena_grow(struct arena *a, size_t size)
{
	size_t last = a->blocks ? a->blocks->size : BLOCK_SIZE / 2;
	size_t want = last < 16 * 1024 * 1024 ? last * 2 : last;
	if (want < size)
		want = size;
	struct arena_block *b = malloc(sizeof *b + want);
	if (!b) {
		fputs("out of memory\n", stderr);
		abort();
	}
	b->older = a->blocks;
	b->size = want;
	a->held += want;
	a->blocks = b;
	a->next = b->data + size;
	a->end = b->data + want;
	return b->data;
}

static void free_blocks(struct arena_block *b)
{
	while (b) {
		struct arena_block *older = b->older;
		free(b);
		b = older;
	}
}

void arena_reset(struct arena *a)
{
	if (!a->blocks)
		return;
	free_blocks(a->blocks->older); /* the newest is the largest */
	a->blocks->older = NULL;
	a->next = a->blocks->data;
	a->held = a->blocks->size;
	a->end = a->next + a->held;
}

void arena_close(struct arena *a)
{
	free_blocks(a->blocks);
	arena_init(a);
}

size_t arena_size(const struct arena *a)
{
	return a->held;
}

size_t arena_used(const struct arena *a)
{
	return a->held - (size_t)(a->end - a->next);
}

void *arena_zero(struct arena *a, size_t size)
{
	void *p = arena_alloc(a, size);
	if (size)
		memset(p, 0, size);
	return p;
}

void *arena_copy(struct arena *a, const void *from, size_t size)
{
	void *p = arena_alloc(a, size);
	if (size)
		memcpy(p, from, size);
	return p;
}

char *arena_text(struct arena *a, const char *s, size_t len)
{
	char *p = arena_alloc(a, len + 1);
	if (len)
		memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

struct str arena_str(struct arena *a, struct str s)
{
	return (struct str){arena_text(a, s.s, s.len), s.len};
}

char *arena_vprintf(struct arena *a, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	char *p = arena_alloc(a, n < 0 ? 1 : (size_t)n + 1);
	p[0] = '\0';
	if (n > 0)
		vsnprintf(p, (size_t)n + 1, format, args);
	return p;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *p = arena_vprintf(a, format, args);
	va_end(args);
	return p;
}
