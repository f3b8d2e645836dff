/* cel_text.h: UTF-8. */
#ifndef CEL_TEXT_H
#define CEL_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads one code point of at most len (>= 1) bytes; returns its length.  A bad byte is itself, as U+FFFD. */
size_t cel_utf8_get(const char *s, size_t len, uint32_t *code);
size_t cel_utf8_put(char out[4], uint32_t code); /* returns the length */
bool cel_utf8_valid(const char *s, size_t len);
size_t cel_utf8_count(const char *s, size_t len);          /* code points */
size_t cel_utf8_skip(const char *s, size_t len, size_t n); /* the offset of code point n, or len */
const char *cel_find_bytes(const char *s, size_t len, const char *part, size_t n); /* first place of part, or NULL */
#endif
