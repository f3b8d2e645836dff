/* Rule tests as they are written: events at given times, and what is expected.  Read and checked here
 * against the ruleset; cli/test.c runs them.
 *
 * A list of tests owns nothing: it borrows from the documents, the ruleset and the arena it was read into. */
#ifndef RULE_TEST_H
#define RULE_TEST_H
#include "../core/event.h"
#include "config.h"
#include "documents.h"

struct test_event {
	const struct event_type *type; /* NULL: only an answer */
	struct answer *answer;         /* NULL: none; its case_id is empty where the test leaves it out */
	const struct node *node;
	int64_t time;                   /* ms */
	struct str id, source, subject; /* empty: left out */
	const struct cel_value *data;   /* by type->data */
	const struct str *raw;
	const char *rejected; /* part of the expected reason; NULL: nothing is expected of it */
};
struct test_value {
	uint32_t variable; /* in the watch's scope */
	const struct node *key, *expected;
};
struct test_step {
	const struct node *node;
	int64_t at; /* ms */
	struct test_event *events;
	size_t n_events;
	const struct node *expect, *messages, *outcomes; /* checked lists of maps, or NULL: not compared */
	struct test_value *values;
	size_t n_values;
};
struct rule_test {
	const char *name;
	const struct node *node;
	const struct watch *watch;
	struct str subject; /* of events that name none; empty: whatever name */
	struct test_step *steps;
	size_t n_steps;
};

/* Reads every `test` document.  Faults: unknown keys, watches, event types, rules, levels, units, names, and times that
 * go back. */
struct rule_test *tests_read(const struct documents *docs, struct config *config, struct arena *arena,
			     struct faults *faults, size_t *n);
#endif
