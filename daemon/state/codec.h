/* Subjects to bytes and back: what the changelog and Redis hold.  Compact, versioned, independent of the order in
 * which a watch declares its fields (they are stored by field_id); encoding is canonical: equal states, equal bytes. */
#ifndef CODEC_H
#define CODEC_H
#include "../core/subject.h"

struct buffer { /* grows; owned by who made it */
	char *data;
	size_t len, cap;
};
void buffer_free(struct buffer *b);

void codec_encode(const struct subject *s, const struct ruleset *r, struct buffer *out); /* appends */
/* The subject's values borrow from bytes, which must live as long; arrays are in arena.  False: why says what is
 * wrong with the bytes. */
bool codec_decode(struct subject *s, struct arena *arena, const struct ruleset *r, const struct watch *watch,
		  struct str key, struct str bytes, struct err *why);
/* For tests and simulations: encodes, decodes and encodes again; false where the bytes differ, why says how. */
bool codec_check(const struct subject *s, const struct ruleset *r, struct err *why);
/* The next due time as of the last change (ms; TIME_NEVER: none), without decoding the rest. */
bool codec_due(struct str bytes, int64_t *due);
#endif
