/* The workers: each is one thread with its own consumer, transactional producer and Redis connection, that takes events
 * in, steps the engine and commits.  Workers share nothing but the immutable ruleset and the metrics.
 *
 * main.c owns settings and metrics and keeps both until worker_stop has returned; a worker owns everything else. */
#ifndef RUN_H
#define RUN_H
#include "../consumers/topics.h"
#include "conf/settings.h"
#include "core/ruleset.h"
#include "ops/clock.h"
#include "ops/metrics.h"

struct worker;
struct worker_options {
	const struct settings *settings; /* borrowed; those of the start, also after a reload */
	struct ruleset *ruleset;         /* the worker holds a reference of its own */
	struct metrics *metrics;         /* borrowed */
	int32_t number;                  /* from 0; part of the transactional id */
};

/* Checks what can be checked without a server (properties, urls, password files) and starts the thread; servers that
 * are away are waited for there.  NULL: why says what is wrong with the settings. */
struct worker *worker_start(const struct worker_options *options, struct err *why);
/* Asks for a clean end: the running transaction is completed, partitions are given back.  Returns at once; call it for
 * all workers before stopping each. */
void worker_end(struct worker *w);
/* Waits for the end (while servers are away, until their calls time out: a minute at most) and frees the worker. */
void worker_stop(struct worker *w);
/* What a reload brings. */
struct worker_rules {
	struct ruleset *ruleset;
	struct tuning tuning;
	struct topics found; /* of all that the rules use; unanswered: the worker checks them itself */
};
/* Swapped in between two batches; holds a reference of its own.  Returns at once.  Watches with other topics change the
 * subscription. */
void worker_reload(struct worker *w, const struct worker_rules *next);

enum worker_phase {
	WORKER_STARTING, /* connecting, checking topics */
	WORKER_JOINING,  /* waits for partitions of the group */
	WORKER_RUNNING,  /* has its partitions, or none to have; each has a state of its own */
	WORKER_PAUSED,   /* Kafka or Redis is away, or a fault: waits and tries again */
	WORKER_ENDING,
	WORKER_ENDED
};
const char *worker_phase_name(enum worker_phase phase);

enum partition_state {                        /* the numbers of the metric partition_state */
		       PARTITION_WAITING,     /* not assigned of every topic */
		       PARTITION_TAKING_OVER, /* replaying the changelog into Redis */
		       PARTITION_RUNNING,
		       PARTITION_STOPPED /* by a fault that needs a person; tried again every minute */
};
const char *partition_state_name(enum partition_state state);

/* What keeps records of a running partition from being read. */
enum partition_hold {
	HOLD_NONE,
	HOLD_TRANSACTION, /* a foreign one that isn't ended: the last stable offset stands */
	HOLD_UNREAD,      /* they are there, but Kafka doesn't deliver them */
	HOLD_UNKNOWN      /* Kafka doesn't tell whether there are any */
};

enum { SENTENCE_MAX = 512 };
struct partition_status {
	int32_t partition;
	enum partition_state state;
	int64_t since;            /* ms, monotonic: in this state */
	char why[SENTENCE_MAX];   /* why it waits, is stopped or held; "" otherwise */
	int64_t lag;              /* records not yet committed, of all topics, without held ones; -1: not known */
	int64_t progress;         /* ms, monotonic: the last sign of it, however its state changed meanwhile: it came to
				     us, events of it were committed, nothing waited, a changelog record was replayed */
	enum partition_hold hold; /* the longest of its topics'; */
	int64_t held;             /* ms: for so long */
	int64_t replayed, replay; /* changelog offsets done, of so many, while taking over */
	int64_t clock;            /* the partition's time, ms; INT64_MIN: none yet */
	int64_t unswept;          /* about so many subjects are yet to be judged by new rules */
};
struct worker_status {
	int32_t number;
	enum worker_phase phase;
	int64_t since;            /* ms, monotonic: in this phase */
	char doing[SENTENCE_MAX]; /* what it does or waits for, after "worker 1 …" */
	bool away;                /* Kafka or Redis keeps it waiting, since: */
	int64_t away_since;       /* ms, monotonic */
	char away_why[SENTENCE_MAX];
	int64_t settled; /* ms, monotonic: when it last had joined and was taking nothing over, or its takeover moved */
	int64_t moved;   /* ms, monotonic: the loop last came round (it does at least each second, except in a call to
			    a server); a watchdog of its own */
	const char *call;                             /* to a server, that it is in; NULL: none */
	int64_t committed;                            /* ms, monotonic: last commit; 0: none yet */
	uint64_t events, rejected, messages, commits; /* since the start */
	uint64_t fingerprint;                         /* of the rules in use */
	struct partition_status *partitions;          /* in the caller's arena, by partition */
	size_t n_partitions;
};
/* A snapshot for health, metrics and STATUS=; from any thread, never blocks on a server. */
void worker_status(struct worker *w, struct arena *a, struct worker_status *out);
#endif
