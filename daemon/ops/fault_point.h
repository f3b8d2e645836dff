/* Places where a test build can kill or stop itself, to test what follows; nothing in any other build (CMake's option
 * SHOUWANG_FAULT_POINTS, on in Debug).  The environment's FAULT_POINT says where, and at which passage:
 *
 *     after-commit:17           kill -9 of itself at the 17th passage of any of its workers
 *     during-commit:5+300us     so long after the 5th
 *     in-replay:2=stop          SIGSTOP instead
 *     in-transaction:20=fatal   the producer fails for good, at each 20th passage
 *     before-commit:5=stop,after-commit:1   the second counts once the first has struck and SIGCONT came */
#ifndef FAULT_POINT_H
#define FAULT_POINT_H
#include <stdbool.h>

#define FAULT_POINTS(X)                                                                                           \
	X(FAULT_BEFORE_BEGIN, "before-begin")     /* a transaction is about to begin */                           \
	X(FAULT_IN_TRANSACTION, "in-transaction") /* records are sent, the offsets aren't */                      \
	X(FAULT_BEFORE_COMMIT, "before-commit")   /* the offsets are sent, too */                                 \
	X(FAULT_DURING_COMMIT, "during-commit")   /* the commit is about to be asked for: for a delay after it */ \
	X(FAULT_AFTER_COMMIT, "after-commit")     /* committed, and not yet in Redis */                           \
	X(FAULT_IN_TAKEOVER, "in-takeover")       /* the group has told its offsets */                            \
	X(FAULT_IN_REPLAY, "in-replay")           /* before each write of a replay to Redis */

enum fault_point {
#define X(name, text) name,
	FAULT_POINTS(X)
#undef X
		N_FAULT_POINTS
};

#ifdef SHOUWANG_FAULT_POINTS
void fault_point(enum fault_point here);
bool fault_fatal(enum fault_point here); /* is the producer to fail now? */
#else
#define fault_point(here) ((void)(here))
#define fault_fatal(here) false
#endif
#endif
