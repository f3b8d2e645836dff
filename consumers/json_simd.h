/* JSON on the hot path: simdjson's on-demand reader behind plain C.  It walks an object's fields in the order in which
 * they are written; what nobody takes is skipped, unread.
 *
 *     json_read(reader, bytes, arena, field, ctx, &why)
 *         field(ctx, reader, name, &why)      for each: json_take its value, or json_enter it, or let it be
 *
 * Strings and names lie in the arena, for as long as it does. */
#ifndef JSON_SIMD_H
#define JSON_SIMD_H
#ifdef __cplusplus
extern "C" {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers" /* what C leaves out is zero */
#endif
#include "../daemon/core/cel.h"
#include "../daemon/util/err.h"
#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

enum { JSON_MAX_DEPTH = 32, JSON_MAX_FIELDS = 1000 }; /* of a value that is taken */
enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT, JSON_BROKEN };
const char *json_kind_name(enum json_kind kind); /* "a number" */

struct json_reader; /* of one thread */
struct json_reader *json_reader_new(void);
void json_reader_free(struct json_reader *r);
bool json_utf8(struct str s); /* is it valid UTF-8? */

/* Sees one field; false stops the reading: failed where why is set, content where it is empty. */
typedef bool json_field(void *ctx, struct json_reader *r, struct str name, struct err *why);

/* Reads bytes, which must be one JSON object in UTF-8.  False: why says what is wrong, without any of its values. */
bool json_read(struct json_reader *r, struct str bytes, struct arena *arena, json_field *field, void *ctx,
	       struct err *why);
/* Walks the object of the last json_read once more. */
bool json_again(struct json_reader *r, json_field *field, void *ctx, struct err *why);

/* The value of the field being seen: */
enum json_kind json_kind(struct json_reader *r);
bool json_enter(struct json_reader *r, json_field *field, void *ctx, struct err *why); /* an object: its fields */
/* Takes it whole.  An int where it is written as one and fits, else a double; raw: the number as written, else empty.
 */
bool json_take(struct json_reader *r, struct cel_value *value, struct str *raw, struct err *why);
#ifdef __cplusplus
}
#endif
#endif
