/* cel_regex_parse.h: a pattern's tree, between its text and its program. */
#ifndef CEL_REGEX_PARSE_H
#define CEL_REGEX_PARSE_H
#include "cel_regex.h"

enum re_kind { RE_EMPTY, RE_SET, RE_CAT, RE_ALT, RE_REPEAT, RE_ASSERT };
enum re_assert { AT_TEXT_START, AT_TEXT_END, AT_LINE_START, AT_LINE_END, AT_WORD, AT_NO_WORD };
enum { RE_MAX_REPEAT = 1000, RE_MAX_NESTING = 100, RE_FOREVER = -1 };

struct range {
	uint32_t first, last;
};
struct re_set { /* of code points, as ranges in order, without overlaps */
	struct range *ranges;
	uint32_t n, room;
};
struct re_node {
	uint8_t kind;
	uint8_t assert;
	int min, max; /* RE_REPEAT */
	struct re_set set;
	struct re_node *kids, *next; /* the first kid; the sibling */
};

struct re_parser {
	const struct regex_memory *memory;
	const char *s, *end;
	const char *why; /* the first fault; all goes on harmlessly after it */
	bool fold, many_lines, dot_all;
	unsigned nesting;
};
struct re_node *cel_re_parse(struct re_parser *p);

/* --- sets */
void cel_set_add(struct re_parser *p, struct re_set *set, uint32_t first, uint32_t last);
void cel_set_add_set(struct re_parser *p, struct re_set *set, const struct re_set *other);
void cel_set_negate(struct re_parser *p, struct re_set *set);
void cel_set_fold(struct re_parser *p, struct re_set *set); /* adds the other case of each letter */
bool cel_set_has(const struct re_set *set, uint32_t code);
/* \p{name}: a general category or a script; false: no such. */
bool cel_set_unicode(struct re_parser *p, struct re_set *set, const char *name, size_t len);
void *cel_re_alloc(struct re_parser *p, size_t size); /* never NULL until why is set; then it may be */
#endif
