/* What the two files that read rule tests share: rule_test.c steps and events, rule_test_expect.c expectations. */
#ifndef RULE_TEST_READ_H
#define RULE_TEST_READ_H
#include "load.h"
#include "rule_test.h"

struct reader {
	struct loader l;
	struct arena *arena;
	const struct ruleset *r;
	const struct watch *w;
};

/* `expect`, `expect_messages`, `expect_outcomes` and `values` of a step. */
void read_expectations(struct reader *t, const struct node *n, struct test_step *step);
#endif
