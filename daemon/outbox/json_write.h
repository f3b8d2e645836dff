/* Writes JSON straight into a buffer: commas are set by what stands before, keys come in the order of the calls, equal
 * calls give equal bytes.  Strings must be valid UTF-8.
 *
 *     write_open(b, '{'); write_name(b, "id"); write_string(b, STR("7")); write_close(b, '}');
 */
#ifndef JSON_WRITE_H
#define JSON_WRITE_H
#include "../core/day.h"
#include "../state/codec.h"

void write_bytes(struct buffer *b, const void *from, size_t len); /* as they are */
void write_plain(struct buffer *b, const char *terminated);
__attribute__((format(printf, 2, 3))) void write_printf(struct buffer *b, const char *format, ...);

void write_open(struct buffer *b, char bracket); /* { or [ */
void write_close(struct buffer *b, char bracket);
void write_name(struct buffer *b, const char *name); /* of our own: no escapes needed */
void write_key(struct buffer *b, struct str name);   /* any */
void write_string(struct buffer *b, struct str s);
void write_text(struct buffer *b, const char *terminated); /* NULL: null */
void write_optional(struct buffer *b, struct str s);       /* empty: null */
void write_base64(struct buffer *b, struct str bytes);     /* as a string */
void write_int(struct buffer *b, int64_t i);
void write_real(struct buffer *b, double d);     /* shortest that reads back the same; NaN, infinity: null */
void write_money(struct buffer *b, double yuan); /* at most two decimals */
void write_bool(struct buffer *b, bool v);
void write_null(struct buffer *b);
void write_day(struct buffer *b, int32_t day); /* "2023-06-01"; DAY_NEVER: null */
/* "2023-06-01T08:00:00+08:00", with .123 where not whole; TIME_NEVER and its negative: null */
void write_time(struct buffer *b, const struct cel_zone *zone, int64_t ms);
/* Dates as the field's type or a day's start tells; unknown and error: null; lists and maps whole. */
void write_value(struct buffer *b, const struct cel_zone *zone, struct cel_value v, bool date, const char *unit);
/* A sensitive text: at most the first three and the last two characters, short ones not at all. */
void write_masked(struct buffer *b, struct cel_value v);
bool unit_is_money(const char *unit); /* it begins with yuan; NULL: no */
#endif
