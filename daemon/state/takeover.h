/* Taking over partitions: from what the group assigned to what may be worked on (design.md section 4).
 *
 *     the group's committed offsets (waits for a former owner's transaction)
 *     -> Redis's watermark -> the changelog from there to its high watermark, into Redis -> input positions
 *
 * Borrows all clients; the caller owns the parts. */
#ifndef TAKEOVER_H
#define TAKEOVER_H
#include "../../consumers/inbox_kafka.h"
#include "cache_redis.h"
#include "changelog.h"
#include "partition_record.h"

enum { TAKEOVER_WHY = 512 };
enum takeover_end {
	TAKEOVER_UNDECIDED,
	TAKEOVER_DONE,    /* record, watermark and fresh are set: work may begin */
	TAKEOVER_WAITS,   /* why; try it again soon */
	TAKEOVER_STOPPED, /* why: a person must look */
};
struct takeover_replay; /* private */
struct takeover_part {
	int32_t partition;
	enum takeover_end end;
	char why[TAKEOVER_WHY];
	struct partition_record record; /* with a position for every topic read */
	bool fresh;                     /* the changelog has no record yet: the first transaction must write this one */
	int64_t watermark;
	int64_t replayed, replay; /* offsets done, of so many */
	int64_t from, furthest;   /* the offset that it began at (-1: not yet), and the one behind the newest record */
	uint64_t records;         /* written to Redis */
	struct takeover_replay *private;
};
struct takeover {
	const struct settings *settings;
	int64_t revision; /* of the rules in use */
	struct inbox *inbox;
	struct changelog *changelog;
	struct cache *cache;
	const struct inbox_topic *topics; /* those subscribed to */
	size_t n_topics;
	int32_t partitions;  /* of each topic */
	const char *cluster; /* its id */
	/* Called at least each 200 ms or so: polls the group.  False: give up (another assignment, or the end). */
	bool (*tick)(void *opaque);
	void *opaque;
};
enum takeover_answer {
	TAKEOVER_OK,      /* each part has its own end */
	TAKEOVER_GAVE_UP, /* tick said so */
	TAKEOVER_AWAY     /* why: Kafka or Redis doesn't answer */
};
/* Takes these over together; returns when each has its end. */
enum takeover_answer takeover_run(const struct takeover *t, struct takeover_part *parts, size_t n, struct err *why);
#endif
