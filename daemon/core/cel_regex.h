/* cel_regex.h: regular expressions in RE2's syntax, matched in time linear in the text: the states of all paths are
 * followed at once, none is tried again.  Our own and not libre2, because that allocates while it matches, and is C++.
 */
#ifndef CEL_REGEX_H
#define CEL_REGEX_H
#include "cel_run.h"

struct regex;
struct regex_memory {
	void *(*alloc)(void *ctx, size_t size); /* zeroed; lives as long as the regex */
	void *ctx;
};
void *cel_regex_pool(void *pool, size_t size); /* an alloc over a struct pool */
/* NULL: *why says what is wrong with the pattern (or that memory is out). */
const struct regex *cel_regex_new(const struct regex_memory *memory, const char *pattern, size_t len, const char **why);
/* Does a part of the text match?  A bool, or an error. */
struct cel_value cel_regex_match(struct run *run, const struct regex *regex, const char *text, size_t len);
#endif
