/* A growing block of memory that is freed or reset as a whole.  The arena owns all that it gives out. */
#ifndef ARENA_H
#define ARENA_H
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes with a length; not terminated unless said. */
struct str {
	const char *s;
	uint32_t len;
};
#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
struct str str_of(const char *terminated); /* NULL: empty */
static inline int str_equal(struct str a, struct str b)
{
	uint64_t x, y;
	if (a.len != b.len)
		return 0;
	if (a.s == b.s || a.len == 0)
		return 1;
	if (a.len >= 8) { /* names that differ mostly differ at their ends */
		__builtin_memcpy(&x, a.s + a.len - 8, 8);
		__builtin_memcpy(&y, b.s + b.len - 8, 8);
		if (x != y)
			return 0;
	}
	return __builtin_memcmp(a.s, b.s, a.len) == 0;
}
int str_compare(struct str a, struct str b); /* by bytes, as memcmp; a prefix is smaller */

struct arena_block;
struct arena {
	char *next, *end;
	struct arena_block *blocks; /* newest first */
	size_t held;                /* in blocks */
};

void arena_init(struct arena *a);
void arena_reset(struct arena *a); /* keeps one block for reuse */
void arena_close(struct arena *a);
size_t arena_size(const struct arena *a); /* bytes held from the system */
size_t arena_used(const struct arena *a); /* bytes given out, and lost at the ends of blocks */
void *arena_grow(struct arena *a, size_t size);

/* 8-aligned, not cleared; never NULL (out of memory ends the program: the daemon's bound is far below). */
static inline void *arena_alloc(struct arena *a, size_t size)
{
	size = (size + 7) & ~(size_t)7;
	if (!a->next || (size_t)(a->end - a->next) < size)
		return arena_grow(a, size);
	void *p = a->next;
	a->next += size;
	return p;
}
void *arena_zero(struct arena *a, size_t size);
void *arena_copy(struct arena *a, const void *from, size_t size);
char *arena_text(struct arena *a, const char *s, size_t len); /* a terminated copy */
struct str arena_str(struct arena *a, struct str s);
__attribute__((format(printf, 2, 3))) char *arena_printf(struct arena *a, const char *format, ...);
char *arena_vprintf(struct arena *a, const char *format, va_list args);

#define ARENA_ARRAY(arena, type, n) ((type *)arena_zero((arena), sizeof(type) * (size_t)(n)))
/* Makes room for one more element in an arena array of n elements whose capacity is cap. */
#define ARENA_PUSH_ROOM(arena, array, n, cap)                                                     \
	do {                                                                                      \
		if ((n) == (cap)) {                                                               \
			size_t more_ = (cap) ? (size_t)(cap)*2 : 4;                               \
			void *wider_ = arena_zero((arena), sizeof *(array)*more_);                \
			if (n)                                                                    \
				__builtin_memcpy(wider_, (array), sizeof *(array) * (size_t)(n)); \
			(array) = wider_;                                                         \
			(cap) = (__typeof__(cap))more_;                                           \
		}                                                                                 \
	} while (0)
#endif
