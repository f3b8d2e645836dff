/* An invariant of states, for tests and simulations: what is stored is what was known. */
#include "codec.h"
#include <string.h>

bool codec_check(const struct subject *s, const struct ruleset *r, struct err *why)
{
	struct buffer once = {0}, again = {0};
	struct arena arena;
	struct subject copy;
	arena_init(&arena);
	codec_encode(s, r, &once);
	bool same = codec_decode(&copy, &arena, r, s->watch, s->key, (struct str){once.data, (uint32_t)once.len}, why);
	if (same) {
		codec_encode(&copy, r, &again);
		same = once.len == again.len && memcmp(once.data, again.data, once.len) == 0;
		if (!same)
			err_set(why, "the state of %zu bytes is another of %zu bytes when it was stored and read",
				once.len, again.len);
	}
	arena_close(&arena);
	buffer_free(&once);
	buffer_free(&again);
	return same;
}
