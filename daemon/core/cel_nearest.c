/* cel_nearest.c: which name was meant. */
#include "cel.h"
#include "cel_text.h"
#include <string.h>

enum { LONGEST = 64 };

static size_t decode(const char *s, uint32_t out[LONGEST])
{
	size_t n = 0, len = strlen(s);
	for (size_t at = 0; at < len && n < LONGEST; n++)
		at += cel_utf8_get(s + at, len - at, &out[n]);
	return n;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that make b of a. */
static unsigned distance(const uint32_t *a, size_t n, const uint32_t *b, size_t m)
{
	unsigned rows[3][LONGEST + 1];
	for (unsigned j = 0; j <= m; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= n; i++) {
		unsigned *now = rows[i % 3], *before = rows[(i + 2) % 3], *older = rows[(i + 1) % 3];
		now[0] = i;
		for (unsigned j = 1; j <= m; j++) {
			now[j] = least(least(before[j], now[j - 1]) + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], older[j - 2] + 1);
		}
	}
	return rows[n % 3][m];
}

/* Are the letters of a all in b, in their order? */
static bool within(const uint32_t *a, size_t n, const uint32_t *b, size_t m)
{
	size_t found = 0;
	for (size_t j = 0; j < m && found < n; j++)
		found += a[found] == b[j];
	return found == n;
}

const char *cel_nearest(const char *word, const char *const *names, size_t n)
{
	uint32_t a[LONGEST], b[LONGEST];
	size_t len = decode(word, a);
	const char *best = NULL;
	unsigned best_distance = 0;
	for (size_t i = 0; i < n; i++) {
		size_t other = decode(names[i], b);
		unsigned d = distance(a, len, b, other);
		size_t longer = len > other ? len : other;
		bool near = d == 1 || d * 3 <= longer ||
			    (d * 2 <= longer && (within(a, len, b, other) || within(b, other, a, len)));
		if (near && d < longer && (!best || d < best_distance)) {
			best = names[i];
			best_distance = d;
		}
	}
	return best;
}
