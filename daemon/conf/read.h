/* Reads typed values out of YAML nodes into the ruleset; private to conf/.
 *
 * Every mismatch is added to loader.faults with its place, and reading goes on: readers return false or NULL then.  A
 * node that is `bad` was told already.  What is kept lives in the ruleset's arena. */
#ifndef CONF_READ_H
#define CONF_READ_H
#include "../core/ruleset.h"
#include "documents.h"
#include "settings.h"

struct zone_shelf;
struct loader {
	struct faults *faults;
	struct ruleset *r;
	struct zone_shelf *zones; /* in the ruleset's arena */
	struct settings *settings;
	const struct node *calendar; /* where the settings name theirs; NULL: nowhere */
	size_t n_topics;             /* that the watches read */
	const struct in_use *in_use; /* NULL: nothing is yet */
	const struct documents *docs;
	struct arena scratch;
	const struct node **watch_nodes, **rule_nodes; /* of ruleset.watches and .rules, for later checks */
	const struct source *kept_source;              /* the last source whose name was kept, */
	const char *kept_name;                         /* and the copy */
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
	SPANS_OF_DAYS = SPAN_BIT(SPAN_DAYS) | SPANS_WORKING,
};
bool read_span(struct loader *l, const struct node *n, const char *what, unsigned units, struct span *out);
bool read_window(struct loader *l, const struct node *n, struct window *out); /* "12 months", "1 whole quarter" */
bool read_milliseconds(struct loader *l, const struct node *n, const char *what, int64_t *out);

#endif
