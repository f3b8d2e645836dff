/* Inside of a worker: what its files share.  run.c is the loop; collect.c takes records in, partitions.c takes
 * partitions over, round.c steps, commit.c commits, show.c tells how it is.  All of this belongs to the worker's
 * thread, but for what `lock` guards. */
#ifndef WORKER_H
#define WORKER_H
#include "../consumers/decode.h"
#include "../consumers/inbox_kafka.h"
#include "../consumers/topics.h"
#include "outbox/message.h"
#include "outbox/outbox_kafka.h"
#include "run.h"
#include "state/takeover.h"
#include <pthread.h>
#include <stdatomic.h>

/* --- records that were read and wait for their round */
enum item_kind { ITEM_EVENT, ITEM_IGNORED, ITEM_REJECTED, ITEM_MISPLACED };
enum reject_class { REJECT_DECODE, REJECT_PARTITION, REJECT_RULES, REJECT_SIZE, REJECT_TIMER, N_REJECT_CLASSES };
struct item {
	struct item *next;
	uint32_t topic;
	enum item_kind kind;
	enum reject_class class;
	bool oversized;     /* its state or message would be larger than a record may be: never stepped again */
	const char *reason; /* ITEM_REJECTED, oversized; else this round's refusal, or NULL */
	struct record record;
	struct event event;
	struct str key; /* of the changelog */
	int32_t right;  /* ITEM_MISPLACED: the partition that it is forwarded to */
};

struct reading {       /* of one topic in one partition */
	int64_t seen;  /* the offset behind the newest record or end that was read; -1: none yet */
	bool at_end;   /* the newest was an end: of what is committed */
	int64_t end;   /* where Kafka says that it ends, of what is committed; -1: not told yet */
	int64_t told;  /* ms, monotonic: when it said so, or we took over */
	int64_t moved; /* ms, monotonic: when we last saw seen move from seen_before, or nothing to read */
	int64_t seen_before;
	series lag, unstable;
};
struct partition {
	int32_t id;
	bool assigned; /* of every topic */
	enum partition_state state;
	int64_t since, progress; /* ms, monotonic */
	int64_t lag, replayed, replay;
	int64_t replay_from, furthest; /* changelog offsets: where the last takeover began, and how far any came */
	enum partition_hold hold;
	int64_t held; /* ms */
	char why[SENTENCE_MAX];
	int64_t retry; /* ms, monotonic: not taken over before */
	struct partition_record record;
	struct buffer record_bytes;
	bool unsaved;               /* the changelog lacks this record: a fresh start */
	int64_t watermark;          /* of Redis, as we know it */
	struct item *first, **last; /* collected, in order */
	size_t n_items;
	int64_t look; /* ms, monotonic: when to look for due timers */
	struct reading reading[MAX_TOPICS];
	series gauge, committed, clock_ahead, clock_behind;
};

struct pause {
	int64_t until, delay; /* ms */
	bool away;            /* a server is */
	int64_t away_since;
	char why[SENTENCE_MAX];
};
struct worker_series {
	series rejected[N_REJECT_CLASSES];
	series timers, states, state_bytes, commits, aborts, late, takeovers, replayed, fenced;
	series forwarded, outcomes;
	series commit_seconds, step_seconds, cache_seconds, batch_events, arena, kafka_errors, redis_errors;
	series events[MAX_TOPICS], ignored[MAX_TOPICS];
	series *messages; /* of each output */
	series *rules;    /* evaluated, unknown, opened of each rule */
};

/* The first outputs; the units' queues follow. */
enum { OUTPUT_STATE, OUTPUT_REJECTS, OUTPUT_FORWARD, OUTPUT_OUTCOMES, UNIT_OUTPUTS };

struct worker {
	/* between threads */
	pthread_t thread;
	pthread_mutex_t lock;
	atomic_bool end;
	atomic_bool renew; /* next_rules is set */
	atomic_llong moved;
	_Atomic(const char *) call; /* to a server, that it is in; NULL: none */
	struct ruleset *next_rules; /* under lock */
	struct worker_status shown; /* under lock; its partitions: */
	struct partition_status *shown_partitions;
	size_t cap_shown;

	/* the thread's own */
	const struct settings *settings;
	int32_t number;
	struct metrics *metrics;
	struct meter *meter;
	struct worker_series series;
	struct ruleset *rules;
	struct engine *engine;
	struct decoder *decoder;
	struct inbox_topic topics[MAX_TOPICS];
	size_t n_topics;
	const char **outputs; /* topics that are written; they and their names: */
	size_t n_outputs;
	struct arena names;
	struct inbox *inbox;
	struct outbox *outbox;
	struct cache *cache;
	struct changelog *changelog;
	struct topics found;
	bool checked, subscribed, reading, held; /* held: our name is in Redis beside our transactional id */
	struct takeover_part *taking;            /* while it runs */
	size_t n_taking;
	struct partition *partitions; /* by number */
	size_t n_partitions, cap_partitions;

	/* For the turns of a round, those with events first: so few of them grow large, however many partitions there
	 * are */
	struct batch **batches;
	size_t n_batches;

	size_t load_most;  /* subjects that a round may load, by the sizes of late */
	size_t first_turn; /* the partition that has the first turn in the next round */

	struct arena collected; /* items */
	size_t n_items;
	struct arena round, effects; /* of one round */
	struct buffer json;
	struct rule_counts *counts;
	uint64_t late;
	unsigned again; /* rounds aborted in a row */

	enum worker_phase phase;
	int64_t phase_since, settled, status_due, gauges_due, polled;
	int64_t asked, told; /* ms, monotonic: when Kafka was last asked where the topics end, and last said so */
	int64_t answered;    /* ms, monotonic: when it and Redis last answered anything of the kind */
	int64_t emptied;     /* ms, monotonic: when the consumer last had nothing more to give */
	char doing[SENTENCE_MAX];
	struct pause pause;
	int64_t committed;
	uint64_t events, rejected, messages, commits;
};

/* --- run.c */
/* Notes the call to a server that the worker is about to make (a constant text), or that it is back from it (NULL). */
void worker_calls(struct worker *w, const char *call);
bool worker_ending(const struct worker *w);
void worker_say(struct worker *w, enum worker_phase phase, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Waits a growing while and takes everything over anew; says so once a minute. */
void worker_pause(struct worker *w, bool away, const char *why);
void worker_fine(struct worker *w); /* servers answer */
/* A server keeps us waiting, since then at least; work goes on as far as it can. */
void worker_away(struct worker *w, int64_t since, const char *why);
void worker_show(struct worker *w, bool now); /* brings the status up to date, now and then */

/* --- collect.c */
/* Takes in what has come: up to a batch, waiting for its first record no longer than wait_ms. */
void collect(struct worker *w, int wait_ms);
/* One poll that takes notes of the group only, while nothing is read.  False: the assignment is another, or the worker
 * ends. */
bool collect_wait(struct worker *w, int wait_ms);
void collect_drop(struct worker *w, struct partition *p); /* its items */
/* The items at its front, once they are committed. */
void collect_done(struct worker *w, struct partition *p, size_t n, struct item *after);

/* --- forward.c */
/* The partition that a subject belongs to. */
int32_t forward_partition(const struct worker *w, struct str subject);
/* A record of the forward topic takes its origin's timestamp and topic.  NULL: it isn't one of ours, why says so. */
const struct inbox_topic *forward_origin(const struct worker *w, struct record *record, struct err *why);
/* Can it be forwarded?  A record of the forward topic never again, one that is too large for it neither.  False: why.
 */
bool forward_may(const struct worker *w, const struct item *i, struct err *why);
/* In the running transaction. */
void forward_write(struct worker *w, const struct item *i);

/* --- partitions.c */
struct partition *partition_at(struct worker *w, int32_t id); /* NULL: not ours */
void partition_set(struct worker *w, struct partition *p, enum partition_state state, const char *why);
void partitions_reassigned(struct worker *w); /* what the group says now */
void partitions_forget(struct worker *w);     /* nothing known of them holds: all must be taken over anew */
/* Takes over those that wait for it, and reads those that run.  False: there is nothing to work on yet. */
bool partitions_ready(struct worker *w);
/* Now and then asks Kafka where the topics end: a consumer that gets nothing can't tell whether nothing is there. */
void partitions_ask(struct worker *w);
void partitions_close(struct worker *w);

/* --- round.c */
struct turn { /* one partition's part of a round */
	struct partition *partition;
	struct batch *batch; /* lent to it for this round */
	struct item *items;  /* the first n of them */
	struct item *after;  /* the one behind them */
	size_t n_items, n_rejected, n_misplaced;
	uint32_t events[MAX_TOPICS], ignored[MAX_TOPICS];
	struct cache_load load;
	size_t due_share; /* of other subjects' timers to take */
	int64_t now;
	bool hungry;                    /* more timers are due than were taken */
	struct batch_subject *subjects; /* stepped */
	struct message *messages;
	struct str *message_json;
	size_t n_messages;
	struct outcome *outcomes;
	struct str *outcome_json;
	size_t n_outcomes;
	struct str *strangers; /* keys whose watch is gone: to be disarmed */
	size_t n_strangers;
	struct item *timer_rejects; /* subjects whose timers make too large a state */
	bool touched;
	struct outbox_partition out;
	struct partition_record record; /* the new one */
};
struct round {
	struct turn *turns;
	size_t n;
};
/* Cuts a batch from what was collected, loads its subjects and steps them.  False: nothing to commit. */
bool round_step(struct worker *w, struct round *r);

/* --- commit.c */
void round_commit(struct worker *w, struct round *r);
#endif
