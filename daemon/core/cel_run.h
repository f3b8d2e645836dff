/* cel_run.h: one evaluation under way: its memory, its budget, its errors; and what can be done with values. */
#ifndef CEL_RUN_H
#define CEL_RUN_H
#include "cel_type.h"

enum { CEL_SUB_INDEXED = CEL_SUB_RECORD + 1 }; /* a map whose entries are followed by a hash table */
enum { MAX_VALUE_DEPTH = 200 };

struct run {
	struct cel_call call; /* first: functions are handed this, and cast it back */
	const struct cel_options *options;
	uint64_t left; /* steps */
	bool exhausted;
};
static inline struct run *run_of(const struct cel_call *call)
{
	return (struct run *)(uintptr_t)call;
}

void *cel_run_alloc(struct run *run, size_t size); /* NULL: no memory */
/* Pays for work in advance; false: the budget doesn't allow it, and the evaluation ends. */
static inline bool run_spend(struct run *run, uint64_t steps)
{
	if (steps > run->left) {
		run->exhausted = true;
		run->left = 0;
		return false;
	}
	run->left -= steps;
	return true;
}
struct cel_value cel_run_memory(void);          /* the error that memory is out */
struct cel_value cel_run_cost(struct run *run); /* the error that the budget is used up */
struct cel_value cel_fail_plain(const struct cel_call *call, const char *text); /* text is constant */
struct cel_value cel_fail_overload(const struct cel_call *call, const char *name, const struct cel_value *args,
				   size_t n);
/* Of two values of which one or both are error or unknown: what comes of them.  Unknown wins; unknowns are joined. */
struct cel_value cel_merge(struct run *run, struct cel_value a, struct cel_value b);
struct cel_value cel_string_copy(struct run *run, const char *s, size_t len);
char *cel_show(struct cel_value value, char *out, size_t size); /* as written in CEL, cut short; for messages */

static inline bool is_bad(struct cel_value v)
{
	return v.kind <= CEL_ERROR;
}

/* --- equality and order */
enum verdict { NO, YES, MAYBE, WRONG }; /* MAYBE: a missing field decides; WRONG: too deep, or the budget is used up */
enum verdict cel_same(struct run *run, struct cel_value a, struct cel_value b); /* run may be NULL: no budget */
/* -1, 0, 1; 2: unordered (NaN); 3: these two have no order. */
int cel_order(struct cel_value a, struct cel_value b);

/* --- maps */
uint32_t cel_map_size(struct cel_value map);
/* The value of a key; NULL: there is none.  A missing field of a record is found, as unknown. */
const struct cel_value *cel_map_find(struct cel_value map, struct cel_value key);
/* Entry i, counted with gaps: false for a gap (a missing field); i runs to map_room. */
bool cel_map_entry(struct cel_value map, uint32_t i, struct cel_value *key, struct cel_value *value);
uint32_t cel_map_room(struct cel_value map);
/* A map under construction: entries with room for n; add reports a repeated key by an error value's kind. */
struct cel_value cel_map_begin(struct run *run, uint32_t n);
struct cel_value cel_map_add(struct run *run, struct cel_value map, uint32_t room, struct cel_value key,
			     struct cel_value value);
#endif
