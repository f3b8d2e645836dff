/* A subject's state as one readable JSON object, canonical: equal states give equal bytes, whatever the order in which
 * their events came. */
#ifndef STATE_JSON_H
#define STATE_JSON_H
#include "codec.h"

/* Appends the object, without a line end.  Sensitive fields are masked unless unmasked. */
void state_json(const struct subject *s, const struct ruleset *r, bool unmasked, struct buffer *out);
#endif
