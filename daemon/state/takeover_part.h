/* Inside of taking over: a partition on its way. */
#ifndef TAKEOVER_PART_H
#define TAKEOVER_PART_H
#include "takeover.h"

/* Replayed records that aren't in Redis yet, and how far the replay is. */
struct takeover_replay {
	struct arena arena;
	struct cache_change *changes;
	uint32_t n, cap;
	size_t bytes, chunk; /* of the changes; and how many are written at once */
	struct str record;   /* the newest partition record among them, at: */
	int64_t record_at;
	int64_t from;                /* before it all is in Redis; only the record that is there, too, is read again: */
	bool found;                  /* in the changelog */
	bool known;                  /* part.record is set */
	int64_t start, next, target; /* target -1: not known yet */
	int64_t moved;               /* ms, monotonic */
	struct inbox_place *committed, *first, *end; /* by topic: the group's offset; where the topic begins and ends */
	bool added[MAX_TOPICS];                      /* the record doesn't name it yet */
};

/* The part's end, and why. */
__attribute__((format(printf, 3, 4))) void takeover_settle(struct takeover_part *p, enum takeover_end end,
							   const char *format, ...);
/* Of those that are done so far: finds their positions, or settles them otherwise.  False: why; Kafka doesn't answer.
 */
bool takeover_input(const struct takeover *t, struct takeover_part *parts, size_t n, struct err *why);
#endif
