/* What a rule test's run holds, and what came as rows (test_rows.c), and how expectations are compared with
 * it (test_compare.c) and told (test_print.c). */
#ifndef TEST_RUN_H
#define TEST_RUN_H
#include "../conf/rule_test.h"
#include "../core/engine.h"
#include "journal.h"

struct test_run {
	const struct rule_test *test;
	const struct test_step *step; /* the one under way */
	const struct ruleset *r;
	struct engine *engine;
	struct subject **subjects; /* several only where the watch, or an event of the test, names them */
	size_t n_subjects, cap_subjects;
	bool named; /* the test, or an event of it, names its subject: else the one that there is has whatever name */
	struct subject *subject; /* of the newest event */
	struct arena state;      /* of the subjects: as long as the test */
	struct arena scratch;    /* of a step: effects, texts */
	struct effects fx;
	struct journal journal;
	int64_t now;
	size_t n_failures;
};

/* A field of what came out, as the test writes it: {"level", "red"}. */
struct got_field {
	const char *key, *text;
};
struct got_row {
	struct got_field *fields;
	size_t n_fields;
	size_t thing;            /* of rows that show the same alert (at several units) */
	bool optional;           /* need not be expected: pending, or answered */
	const struct rule *rule; /* to explain; or NULL, as its subject */
	struct subject *subject;
	struct str member;
	struct got_list *lists; /* a message's alerts, an alert's values, an outcome's rules, … */
	size_t n_lists;
};
struct got_list {
	const char *key;
	struct got_row *rows;
	size_t n;
};

/* The state's alerts, the step's messages and its outcomes as rows (test_rows.c). */
struct got_row *alert_rows(struct test_run *run, size_t *n);
struct got_row *message_rows(struct test_run *run, size_t *n);
struct got_row *outcome_rows(struct test_run *run, size_t *n);
/* Compares a list of expectations with what came out, completely, and tells each difference. */
void compare_rows(struct test_run *run, const struct node *expected, struct got_row *rows, size_t n);
void compare_value(struct test_run *run, const struct test_value *v);

/* Says what isn't wrong, but may explain a failure: `file:line:column: note: test: step` and what it is about. */
__attribute__((format(printf, 3, 4))) void print_note(struct test_run *run, const struct node *at, const char *format,
						      ...);
/* Begins a failure: `file:line:column: test: step` and what it is about; counts it. */
__attribute__((format(printf, 3, 4))) void print_failure(struct test_run *run, const struct node *at,
							 const char *format, ...);
/* wanted and got, side by side; either may be NULL. */
struct got_pair {
	const char *key, *wanted, *got;
};
void print_pairs(const struct got_pair *pairs, size_t n);
void print_explanation(struct test_run *run, struct subject *s, const struct rule *rule, struct str member);
const char *value_text(struct test_run *run, struct cel_value v);
#endif
