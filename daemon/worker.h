/* Inside of a worker: what its files share.  run.c is the loop; collect.c takes records in, partitions.c takes
 * partitions over, round.c makes a round of what there is to do, turn.c steps each partition's part of it, sweep.c
 * judges anew after a change of rules, commit.c commits, peers.c compares rules with other daemons, show.c tells how it
 * is.  All of this belongs to the worker's thread, but for what `lock` guards. */
#ifndef WORKER_H
#define WORKER_H
#include "../consumers/decode.h"
#include "outbox/message.h"
#include "outbox/outbox_kafka.h"
#include "run.h"
#include "state/takeover.h"
#include "used_topics.h"
#include <pthread.h>
#include <stdatomic.h>

/* --- records that were read and wait for their round */
enum item_kind { ITEM_EVENT, ITEM_IGNORED, ITEM_REJECTED, ITEM_FORWARDED };
enum reject_class { REJECT_DECODE, REJECT_PARTITION, REJECT_RULES, REJECT_SIZE, REJECT_TIMER, N_REJECT_CLASSES };
struct passage { /* of a record through the forward topic, for one of the watches that know its type */
	struct passage *next;
	const struct watch *watch; /* NULL: feedback, for that of its case */
	int32_t partition;         /* of its subject */
	const char *reason;        /* why it is rejected instead; NULL: it isn't */
};
struct item {
	struct item *next;
	struct item *same; /* the next event of its subject; and its place in the round: */
	size_t place;
	int64_t now; /* the partition's time when it is stepped */
	uint32_t topic;
	enum item_kind kind;
	enum reject_class class;
	bool oversized;           /* its state or message would be larger than a record may be: never stepped again */
	const char *reason;       /* ITEM_REJECTED, oversized; else this round's refusal, or NULL */
	struct passage *passages; /* ITEM_FORWARDED; and of others, for further watches */
	struct record record;
	struct event event;
	struct str key; /* of the changelog */
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
struct sweep {           /* over all subjects, after the rules have changed */
	uint64_t cursor; /* of Redis; 0: the beginning */
	bool passing;    /* the last page held nothing to judge */
	bool told;
	size_t looked;
	uint64_t judged;
	int64_t left; /* about so many not yet looked at; 0: complete */
	series gauge;
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
	struct sweep sweep;
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
	series forwarded, outcomes, swept;
	series peers_differ;
	series commit_seconds, step_seconds, cache_seconds, batch_events, arena, kafka_errors, redis_errors;
	series events[MAX_TOPICS], ignored[MAX_TOPICS];
	series *messages; /* of each output */
	series *rules;    /* evaluated, unknown, opened of each rule */
};

struct worker {
	/* between threads */
	pthread_t thread;
	pthread_mutex_t lock;
	atomic_bool end;
	atomic_bool renew; /* next_rules is set */
	atomic_llong moved;
	_Atomic(const char *) call; /* to a server, that it is in; NULL: none */
	struct worker_rules next;   /* under lock; ruleset NULL: none */
	struct worker_status shown; /* under lock; its partitions: */
	struct partition_status *shown_partitions;
	size_t cap_shown;

	/* the thread's own */
	const struct settings *settings; /* of the start */
	struct tuning tuning;            /* what a reload has changed of them */
	int32_t number;
	struct metrics *metrics;
	struct meter *meter;
	struct worker_series series;
	struct ruleset *rules;
	struct engine *engine;
	struct decoder *decoder;
	struct inbox_topic topics[MAX_TOPICS];
	size_t n_topics;
	const char **outputs; /* topics that are written; they and their names are in: */
	size_t n_outputs;
	struct arena names;
	struct inbox *inbox;
	struct outbox *outbox;
	struct cache *cache;
	struct changelog *changelog;
	struct topics found;
	bool checked, subscribed, reading, held; /* held: our name is in Redis beside our transactional id: */
	char holder[256];
	struct takeover_part *taking; /* while it runs */
	size_t n_taking;
	struct partition *partitions; /* by number */
	size_t n_partitions, cap_partitions;

	struct batch *batch; /* of the one subject that is stepped */
	size_t load_most;    /* subjects that a round may load, by the sizes of late */
	size_t first_turn;   /* the partition that has the first turn in the next round */

	struct arena collected; /* items */
	size_t n_items;
	struct arena round, effects; /* of one round */
	struct buffer json;
	struct rule_counts *counts;
	uint64_t late;
	unsigned again;                   /* rounds aborted in a row */
	int64_t sweep_room, sweep_filled; /* subjects that may be judged anew now; as of (ms, monotonic) */

	enum worker_phase phase;
	int64_t phase_since, settled, status_due, gauges_due, polled, peers_due;
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
void collect_reject(struct worker *w, struct item *i, enum reject_class class, const char *reason);
/* The items at its front, once they are committed. */
void collect_done(struct worker *w, struct partition *p, size_t n, struct item *after);

/* --- forward.c */
/* A record of the forward topic takes its origin's timestamp and topic.  watch: the one that it is for; NULL: feedback.
 * NULL: it isn't one of ours, why says so. */
const struct inbox_topic *forward_origin(const struct worker *w, struct record *record, const struct watch **watch,
					 struct err *why);
/* Does a decoded event belong here, or through the forward topic (ITEM_FORWARDED)?  watch: that it is for; NULL:
 * feedback. */
void forward_route(struct worker *w, struct item *i, const struct watch *watch);
/* Copies for further watches that know the event's type, or the reason why not, where it isn't that of one before. */
void forward_copies(struct worker *w, struct item *i, int64_t wall);
/* In the running transaction. */
void forward_write(struct worker *w, const struct item *i);

/* --- partitions.c */
struct partition *partition_at(struct worker *w, int32_t id); /* NULL: not ours */
void partition_set(struct worker *w, struct partition *p, enum partition_state state, const char *why);
/* Something is wrong with it: it is taken over anew in a moment, which finds out what. */
void partition_doubt(struct worker *w, struct partition *p, const char *why);
void partitions_reassigned(struct worker *w); /* what the group says now */
void partitions_forget(struct worker *w);     /* nothing known of them holds: all must be taken over anew */
/* The rules are others: what was collected is read again, every subject is judged anew, and those that were stopped are
 * tried at once.  same: the topics that are read are the same; else all are taken over anew. */
void partitions_renew(struct worker *w, bool same);
void partitions_hide(struct worker *w); /* their gauges, until they are assigned anew */
/* Takes over those that wait for it, and reads those that run.  False: there is nothing to work on yet. */
bool partitions_ready(struct worker *w);
/* Now and then asks Kafka where the topics end: a consumer that gets nothing can't tell whether nothing is there. */
void partitions_ask(struct worker *w);
void partitions_close(struct worker *w);

/* --- round.c */
struct turn_subject {
	const struct watch *watch;
	struct str name, key; /* key: of the changelog */
	struct str state;     /* as Redis has it */
	struct item *items;   /* its events, the first of them; NULL: none */
	bool recheck;         /* it is judged anew */
	int64_t due;          /* as the index has it; INT64_MIN: it has nothing up to the round's end */
	/* stepped: */
	int64_t next_due;
	bool moved;   /* next_due is another than the index has */
	bool changed; /* the state is: */
	struct str bytes;
};
struct sent { /* a message to a unit, or an outcome */
	int64_t now;
	size_t place;
	struct str unit, key, json;
	const char *topic; /* of a message */
};
struct sent_list {
	struct sent *list;
	size_t n, cap, bytes;
};
struct turn { /* one partition's part of a round */
	struct partition *partition;
	struct item *items; /* the first n of them */
	struct item *after; /* the one behind them */
	size_t n_items, n_rejected, n_forwarded;
	uint32_t events[MAX_TOPICS], ignored[MAX_TOPICS];
	struct cache_load load;
	size_t due_share;   /* of other subjects' timers to take */
	int64_t began, now; /* the partition's time before the round's first event, and after its last */
	bool hungry;        /* more timers are due than were taken */
	struct turn_subject *subjects;
	size_t n_subjects;
	uint32_t *table; /* of subjects by key: place + 1; 0: free */
	size_t mask;
	struct sent_list messages, outcomes; /* by time */
	struct cache_due *strangers;         /* whose watch is gone: disarmed, to be judged when it is there again */
	size_t n_strangers;
	struct item *timer_rejects;     /* subjects whose timers make too large a state */
	size_t n_swept;                 /* subjects that are judged anew */
	bool sweep_put_off, sweep_ends; /* the page must wait for more room; it is the last one */
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
/* The partition's time, ms: never goes back. */
int64_t round_now(const struct worker *w, const struct partition *p);

/* --- turn.c */
/* Makes room for so many more subjects. */
void turn_room(struct worker *w, struct turn *t, size_t more);
struct turn_subject *turn_find(const struct turn *t, struct str key); /* NULL: none yet */
/* One that isn't there yet; borrows name and key for the round. */
struct turn_subject *turn_add(struct turn *t, const struct watch *watch, struct str name, struct str key);
/* Steps all subjects.  False: a state can't be read, and the partition is stopped. */
bool turn_step(struct worker *w, struct turn *t);

/* --- sweep.c */
bool sweep_complete(const struct worker *w, const struct partition *p);
/* From the beginning: the partition was taken over, or the rules have changed. */
void sweep_restart(struct worker *w, struct partition *p);
bool sweep_wants(struct worker *w, const struct partition *p); /* a turn, now */
int sweep_wait(struct worker *w, int wait_ms);                 /* how long to wait for records meanwhile */
int64_t sweep_allowance(struct worker *w);                     /* subjects, in one round */
/* Asks for a page of subjects, where there is room, which it takes. */
void sweep_ask(struct worker *w, struct turn *t, size_t n_turns, int64_t *room);
void sweep_list(struct worker *w, struct turn *t); /* what of the page is to be judged, into the turn's subjects */
void sweep_note(const struct worker *w, struct turn *t);  /* in the new partition record */
void sweep_moved(struct worker *w, const struct turn *t); /* after the commit, or where there was nothing to commit */

/* --- peers.c */
void peers_look(struct worker *w); /* now and then, with Redis there */
void peers_leave(struct worker *w);

/* --- commit.c */
void round_commit(struct worker *w, struct round *r);
#endif
