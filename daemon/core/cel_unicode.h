/* cel_unicode.h: general categories and some scripts of code points, for \p{...}. */
#ifndef CEL_UNICODE_H
#define CEL_UNICODE_H
#include <stddef.h>
#include <stdint.h>

struct unicode_range {
	unsigned first : 21, category : 5;
	uint32_t more; /* the last is first + more */
};
struct unicode_script {
	const char *name;
	uint32_t first, last;
};
extern const char *const cel_unicode_categories[];
extern const struct unicode_range cel_unicode_ranges[];
extern const size_t cel_unicode_n_ranges;
extern const struct unicode_script cel_unicode_scripts[];
extern const size_t cel_unicode_n_scripts;
#endif
