/* cel_text.c: UTF-8, read and written; a bad byte counts as one code point, so that nothing is lost. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif
#include "cel_text.h"
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

size_t cel_utf8_get(const char *s, size_t len, uint32_t *code)
{
	const uint8_t *p = (const uint8_t *)s;
	if (p[0] < 0x80) {
		*code = p[0];
		return 1;
	}
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	uint32_t c = n == 4 ? p[0] & 7u : n == 3 ? p[0] & 15u : p[0] & 31u;
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	*code = 0xfffd;
	if (p[0] < 0xc2 || p[0] > 0xf4 || n > len)
		return 1;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | (p[i] & 63u);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 1;
	*code = c;
	return n;
}

size_t cel_utf8_put(char out[4], uint32_t code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const uint32_t mark[5] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (size_t i = n; i-- > 1; code >>= 6)
		out[i] = (char)(0x80 | (code & 63));
	out[0] = (char)(mark[n] | code);
	return n;
}

bool cel_utf8_valid(const char *s, size_t len)
{
	uint32_t code;
	for (size_t i = 0; i < len;) {
		size_t n = cel_utf8_get(s + i, len - i, &code);
		if (n == 1 && (uint8_t)s[i] >= 0x80)
			return false;
		i += n;
	}
	return true;
}

size_t cel_utf8_count(const char *s, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++)
		n += ((uint8_t)s[i] & 0xc0) != 0x80;
	return n;
}

size_t cel_utf8_skip(const char *s, size_t len, size_t n)
{
	uint32_t code;
	size_t at = 0;
	while (n-- && at < len)
		at += cel_utf8_get(s + at, len - at, &code);
	return at;
}

#ifdef __SSE2__
/* All bits where, of the sixteen places from s on, the first and the last byte of the part fit. */
static __m128i fitting(const char *s, size_t n, __m128i first, __m128i last)
{
	__m128i a = _mm_loadu_si128((const void *)s), b = _mm_loadu_si128((const void *)(s + n - 1));
	return _mm_and_si128(_mm_cmpeq_epi8(a, first), _mm_cmpeq_epi8(b, last));
}

/* Looks at sixteen places at once; false where too many need a second look, so that no text makes it slow. */
static bool find_quickly(const char *s, size_t len, const char *part, size_t n, const char **found)
{
	const __m128i first = _mm_set1_epi8(part[0]), last = _mm_set1_epi8(part[n - 1]);
	const char *const final = s + len - (n + 15); /* the last place to begin sixteen at */
	size_t misses = 0;
	for (;;) {
		while (final - s >= 48) { /* four at a time, where nothing fits */
			__m128i any = _mm_or_si128(
				_mm_or_si128(fitting(s, n, first, last), fitting(s + 16, n, first, last)),
				_mm_or_si128(fitting(s + 32, n, first, last), fitting(s + 48, n, first, last)));
			if (_mm_movemask_epi8(any))
				break;
			s = final - s < 64 ? final : s + 64;
		}
		for (unsigned mask = (unsigned)_mm_movemask_epi8(fitting(s, n, first, last)); mask; mask &= mask - 1) {
			*found = s + __builtin_ctz(mask);
			if (n < 3 || memcmp(*found + 1, part + 1, n - 2) == 0)
				return true;
			if (++misses > 64)
				return false;
		}
		if (s == final)
			break;
		s = final - s < 16 ? final : s + 16;
	}
	*found = NULL;
	return true;
}
#endif

const char *cel_find_bytes(const char *s, size_t len, const char *part, size_t n)
{
#ifdef __SSE2__
	const char *found;
	if (n && len >= n + 15 && find_quickly(s, len, part, n, &found))
		return found;
#endif
	return memmem(s, len, part, n);
}
