/* What the loaders of watches, rules, thresholds, units and calendars share; private to conf/.
 *
 * They add every fault to loader.faults and go on: a document with faults still declares its name, so that one mistake
 * is told once.  What they build lives in the ruleset's arena. */
#ifndef LOAD_H
#define LOAD_H
#include "../core/ruleset.h"
#include "documents.h"
#include "settings.h"

/* Where environments find time zones: read while loading, only looked up afterwards (by all workers). */
struct zone_shelf {
	struct ruleset *r;
	bool closed;
};

struct loader {
	struct faults *faults;
	struct ruleset *r;
	struct zone_shelf *zones; /* in the ruleset's arena */
	struct settings *settings;
	const struct documents *docs;
	struct arena scratch;
	const struct node **watch_nodes, **rule_nodes; /* of ruleset.watches and .rules, for later checks */
	const struct source *kept_source;              /* the last source whose name was kept, */
	const char *kept_name;                         /* and the copy */
	struct {                                       /* what is refused until it is built (refuse.c) */
		struct place at;
		const char *what;
	} * later;
	size_t n_later, later_cap;
};

#define FAULT(l, node, ...) faults_add((l)->faults, node_place(node), __VA_ARGS__)
#define WARN(l, node, ...) faults_warn((l)->faults, node_place(node), __VA_ARGS__)
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- readers (read.c): false or NULL after a fault; what names the value ("`hold`") */
bool read_map(struct loader *l, const struct node *n, const char *what, const char *const *keys, size_t n_keys);
bool read_list(struct loader *l, const struct node *n, const char *what);
const struct node *read_needed(struct loader *l, const struct node *map, const char *what,
			       const char *key);                            /* a key it must have */
bool read_scalar(struct loader *l, const struct node *n, const char *what); /* there, not empty */
const char *read_text(struct loader *l, const struct node *n, const char *what);
const char *read_title(struct loader *l, const struct node *map, const char *name);    /* `title`, else the name */
const char *read_identifier(struct loader *l, const struct node *n, const char *what); /* a name in expressions */
const char *read_label(struct loader *l, const struct node *n, const char *what);      /* a name in ids and topics */
const char *read_topic(struct loader *l, const struct node *n, bool with_region);
const char *read_region(struct loader *l, const struct node *n); /* digits, at most 12 */
bool read_bool(struct loader *l, const struct node *n, const char *what, bool *out);
bool read_int(struct loader *l, const struct node *n, const char *what, int64_t min, int64_t max, int64_t *out);
bool read_double(struct loader *l, const struct node *n, const char *what, double *out);
bool read_day(struct loader *l, const struct node *n, const char *what, int32_t *out);
/* The index of one of these words; -1 after a fault that names the nearest. */
int read_word(struct loader *l, const struct node *n, const char *what, const char *const *words, size_t n_words);
void unknown_name(struct loader *l, const struct node *n, const char *what, const char *name, const char *const *names,
		  size_t n_names);
const char *keep_text(struct loader *l, struct str text); /* in the ruleset's arena */
struct place keep_place(struct loader *l, const struct node *n);

/* --- spans (span.c) */
#define SPAN_BIT(unit) (1u << (unit))
enum {
	SPANS_CLOCK = SPAN_BIT(SPAN_MINUTES) | SPAN_BIT(SPAN_HOURS),
	SPANS_DATES = SPAN_BIT(SPAN_DAYS) | SPAN_BIT(SPAN_MONTHS) | SPAN_BIT(SPAN_QUARTERS) | SPAN_BIT(SPAN_YEARS),
	SPANS_PERIODS = SPAN_BIT(SPAN_MONTHS) | SPAN_BIT(SPAN_QUARTERS) | SPAN_BIT(SPAN_YEARS),
	SPANS_WORKING = SPAN_BIT(SPAN_WORKING_DAYS),
};
bool read_span(struct loader *l, const struct node *n, const char *what, unsigned units, struct span *out);
bool read_window(struct loader *l, const struct node *n, struct window *out); /* "12 months", "1 whole quarter" */
bool read_milliseconds(struct loader *l, const struct node *n, const char *what, int64_t *out);
const char *span_text(struct arena *a, struct span s); /* "10 working days" */

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

/* --- one loader for each kind of document */
struct named {
	const char *name; /* in the ruleset's arena */
	const struct node *root;
	bool broken;
};
/* The documents of a kind, by name; one of a name (others are faults). */
struct named *collect_documents(struct loader *l, enum document_kind kind,
				const char *(*read)(struct loader *, const struct node *, const char *), size_t *n);
void load_calendars(struct loader *l);
void load_thresholds(struct loader *l);
void load_units(struct loader *l);
void load_watches(struct loader *l);
void load_measures(struct loader *l, struct watch *w, const struct node *map);
void load_derived(struct loader *l, struct watch *w, const struct node *map);
void load_events(struct loader *l, struct watch *w, const struct node *map);
void load_subject(struct loader *l, const struct node *n);
const struct cel_type *field_cel_type(struct cel_env *env, const struct field *f);
/* The key as a name in the watch's scope; NULL after a fault: no name, or taken by another. */
const char *claim_name(struct loader *l, const struct watch *w, const struct node *key);
bool is_money(const char *unit); /* it begins with yuan */
uint32_t declare_name(struct loader *l, struct watch *w, const char *name, const struct cel_type *type,
		      enum name_kind kind, uint32_t index);
void load_rules(struct loader *l);
const uint32_t *read_units(struct loader *l, const struct node *n, size_t *n_out);

/* --- what follows from all of them */
void find_dependencies(struct loader *l); /* inputs, reads, timed, reach, layout (depend.c) */
void find_fingerprints(struct loader *l); /* of rules and ruleset (fingerprint.c) */
void warn_all(struct loader *l);          /* (warn.c) */
/* A part of the language that is parsed but not yet built; refuse_until_supported tells them as faults. */
void not_yet(struct loader *l, const struct node *n, const char *what);
void refuse_until_supported(struct loader *l);

#endif
