/* What came out of a simulated run, kept to check the invariants that no single state shows: no message without a
 * change, none about a case that isn't open, and each missed deadline and each end with exactly one outcome.
 *
 * A journal owns what it keeps; it borrows nothing after a call.  The levels' names are the ruleset's. */
#ifndef JOURNAL_H
#define JOURNAL_H
#include "../core/engine.h"

enum { JOURNAL_BUCKETS = 1024 };
struct journal {
	struct arena arena;
	struct journal_case *cases[JOURNAL_BUCKETS]; /* by the hash of their names */
	bool any_start; /* cases may have begun before the journal, and rules may change: their first message may be any
			 */
};
void journal_close(struct journal *j);
/* An answer is about to be taken: what it answered may speak again, which a case.changed then tells. */
void journal_answer(struct journal *j, struct str case_id);
/* Takes what a step (or several) gave.  False: why says which invariant is broken. */
bool journal_take(struct journal *j, const struct ruleset *r, const struct effects *fx, struct err *why);
#endif
