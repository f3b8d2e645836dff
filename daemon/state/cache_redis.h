/* The fast copy of the changelog in Redis: subject states, due times, watermarks.  One hash tag for each partition:
 *
 *     {instance:p}:states   hash, changelog key -> state
 *     {instance:p}:timers   sorted set, changelog key by its next due time (ms)
 *     {instance:p}:meta     hash: watermark (the changelog offset that all of this reflects), record (the partition
 *                           record below it), record_at (its offset), cluster, topic
 *
 * Every read fetches the watermark with it, every write is refused where the watermark isn't the one that the writer
 * knows (design.md section 4).
 * Answers live in the caller's arena; the cache owns its connection. */
#ifndef CACHE_REDIS_H
#define CACHE_REDIS_H
#include "../conf/settings.h"

struct cache;
enum cache_answer {
	CACHE_OK,
	CACHE_REFUSED, /* another watermark than the known one, or none: take the partition over anew */
	CACHE_LOST,    /* no answer, or an error of Redis: it isn't known what was done; disconnected */
	CACHE_TOO_MUCH /* more bytes would have come than are allowed: ask for less; disconnected */
};

/* Subjects that one script reads or writes, for the time that Redis hears nobody else. */
enum { CACHE_MAX_FIELDS = 20000 };

struct cache *cache_new(const struct settings *s, struct err *why); /* doesn't connect; borrows s */
void cache_free(struct cache *c);
/* Connects, authenticates, refuses a maxmemory-policy that forgets, and loads the scripts. */
bool cache_connect(struct cache *c, struct err *why);
/* Does it answer? */
bool cache_answers(struct cache *c, struct err *why);
void cache_disconnect(struct cache *c);
bool cache_connected(const struct cache *c);

/* --- taking over */
struct cache_head {
	bool exists; /* else nothing is known of the partition: */
	int64_t watermark;
	int64_t record_at;                 /* -1: not known */
	struct str cluster, topic, record; /* record: empty where none was written yet */
};
enum cache_answer cache_head(struct cache *c, int32_t partition, struct arena *a, struct cache_head *out,
			     struct err *why);
/* An empty partition with watermark 0, where there is none; what was left of an older one goes. */
enum cache_answer cache_create(struct cache *c, int32_t partition, struct str cluster, struct str topic,
			       struct err *why);

/* --- reading: all partitions of a batch in one round trip */
struct cache_due {
	struct str key, state;
	int64_t due; /* ms */
};
struct cache_load {
	int32_t partition;
	int64_t watermark;      /* that the worker knows */
	const struct str *keys; /* at most CACHE_MAX_FIELDS */
	size_t n_keys;
	int64_t due_until; /* also the subjects due up to then, the earliest, at most due_max */
	size_t due_max;    /* at most CACHE_MAX_FIELDS; 0: none */
	/* also some subjects from the cursor on, about scan_max of them (0: none).  A walk begins and ends with cursor
	 * 0; whoever is there all the while comes by at least once. */
	size_t scan_max;
	uint64_t scan_cursor;
	/* the answer */
	enum cache_answer answer; /* CACHE_OK or CACHE_REFUSED */
	int64_t found;            /* the watermark in Redis; -1: none */
	struct str *states;       /* by key; length 0: not known */
	struct cache_due *due;    /* by due time, then key */
	size_t n_due;
	struct cache_due *scanned;    /* without due times */
	size_t n_scanned, n_subjects; /* n_subjects: of the whole partition, where scan_max was given */
	uint64_t scan_next;
};
/* bytes: how many may come, and then how many have; NULL: any.  CACHE_OK: each load has its own answer. */
enum cache_answer cache_load(struct cache *c, struct cache_load *loads, size_t n, size_t *bytes, struct arena *a,
			     struct err *why);

/* --- writing, after the commit: one script for each partition, all in one round trip */
struct cache_change {
	struct str key, state; /* state.s NULL: it stays as it is */
	bool timed;            /* is the due time to be written? */
	int64_t due;           /* TIME_NEVER: taken out */
};
struct cache_store {
	int32_t partition;
	int64_t from, to;  /* the watermark that must be there, and the new one */
	struct str record; /* empty: stays as it is; else the one at this offset: */
	int64_t record_at;
	struct cache_change *changes; /* each key once; at most CACHE_MAX_FIELDS */
	size_t n_changes;
	enum cache_answer answer; /* CACHE_OK or CACHE_REFUSED */
};
enum cache_answer cache_store(struct cache *c, struct cache_store *stores, size_t n, struct arena *a, struct err *why);

/* --- who uses a transactional id: one line of text, for the message of whoever is fenced */
bool cache_hold(struct cache *c, const char *transactional_id, const char *holder, struct err *why);
struct str cache_holder(struct cache *c, const char *transactional_id, struct arena *a); /* empty: not known */

/* --- the daemons of the instance: what each has told of itself within the last minute */
struct cache_peer {
	struct str node, text;
};
bool cache_peers_tell(struct cache *c, const char *node, const char *text, struct err *why);
bool cache_peers_leave(struct cache *c, const char *node, struct err *why);
/* All of them, the caller's own too; in a.  NULL: why. */
struct cache_peer *cache_peers(struct cache *c, struct arena *a, size_t *n, struct err *why);
#endif
