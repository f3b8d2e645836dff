/* Expressions in YAML scalars: compiled with CEL's faults at their places in the file, or only scanned for names;
 * private to conf/. */
#ifndef CONF_EXPR_H
#define CONF_EXPR_H
#include "read.h"

/* Where environments find time zones: read while loading, only looked up afterwards (by all workers). */
struct zone_shelf {
	struct ruleset *r;
	bool closed;
};

/* --- expressions (expr.c, scan.c) */
#define KIND_BIT(kind) (1u << (kind))
enum {
	KINDS_ANY = ~0u,
	KINDS_NUMBER = KIND_BIT(CEL_INT) | KIND_BIT(CEL_UINT) | KIND_BIT(CEL_DOUBLE),
};
/* Compiles a scalar, or len bytes of it from a byte on; NULL after faults, each at its place in the file.  A type that
 * is none of kinds is a fault that says what was expected. */
struct cel_program *compile_expression(struct loader *l, struct cel_env *env, const struct node *n, unsigned kinds,
				       const char *expected);
struct cel_program *compile_part_of(struct loader *l, struct cel_env *env, const struct node *n, size_t from,
				    size_t len, unsigned kinds, const char *expected);
struct cel_env *new_env(struct loader *l);
const struct cel_zone *find_zone(void *zone_shelf, const char *name, size_t len); /* NULL: there is none */

struct token { /* of an expression; no more than what a scan for names needs */
	enum { TOKEN_NAME, TOKEN_TEXT, TOKEN_OTHER } kind;
	uint32_t pos, len; /* of a text: without its quotes where it is plain */
	char c;            /* TOKEN_OTHER: the character */
	bool after_dot;    /* a name that is a field */
};
struct scan {
	struct str text;
	uint32_t at;
	bool dot;
};
bool scan_next(struct scan *s, struct token *out);
bool scan_names(struct str text, const char *name); /* does it hold this name, other than as a field? */

#endif
