/* One loader for each kind of document, and what follows from all of them; private to conf/.
 *
 * A document with faults still declares its name, so that one mistake is told once. */
#ifndef LOAD_H
#define LOAD_H
#include "expr.h"

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
/* subject: the watch's `subject`, or NULL. */
void load_events(struct loader *l, struct watch *w, const struct node *map, const struct node *subject);
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

#endif
