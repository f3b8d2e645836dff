/* The records of a run, in partitions, on their way through decoder, batch and engine: what a daemon with `clock:
 * events` does with them.
 *
 * Where no watch is fed by outcomes, partitions know nothing of each other and are run one after the other.  Where one
 * is, the records are taken in the order of the merged files, and what each causes (outcomes, and what follows from
 * them in other partitions) is done before the next comes: as in a daemon whose producers leave it the time.
 *
 * Between two parts the rules change: the states are kept, and every subject is judged anew at its partition's time, as
 * by a daemon that is given the time for it. */
#ifndef RUN_LANES_H
#define RUN_LANES_H
#include "../../consumers/decode.h"
#include "../../consumers/inbox_file.h"
#include "../conf/config.h"
#include "../state/batch.h"
#include "../state/memory.h"
#include "journal.h"

struct lane { /* one partition */
	struct file_record *list;
	size_t n, cap, at; /* at: the next one to be stepped */
	struct memory *memory;
	struct batch *batch;
	int64_t clock;
	struct buffer lines; /* printed at the end of a part */
};
struct reject {
	struct file_record record; /* file: n_paths where an outcome was rejected */
	const char *why;
	size_t number; /* of several of one record, the first first */
};
struct run_part { /* rules, and the files that go through them */
	const char *dir;
	struct config config;
	size_t first, n; /* of run.paths */
};
struct run {
	struct run_part *parts;
	size_t n_parts, cap_parts;
	const struct run_part *part; /* that runs */
	char **paths;
	size_t n_paths, cap_paths;
	int32_t partitions;
	int64_t batch_size; /* events between two stores; what comes out does not depend on it */
	bool has_until, values, check, quiet, unmasked, raw, state, only_messages;
	int64_t until;
	const char *state_file, *rejects_file;
	const char *from_file; /* states to begin with, NULL: none; and the time then: */
	int64_t from_time;

	struct decoder *decoder;
	struct engine *engine;
	struct lane *lanes;
	int32_t *order; /* the partitions of the records as they come */
	size_t n_order, cap_order;
	const struct watch *fed; /* by outcomes; NULL: none */
	struct arena look, events, effects, texts;
	struct effects fx;
	struct journal journal;                   /* with `check` */
	struct err broken;                        /* which invariant, if any is */
	struct delivery *pending, **last_pending; /* outcomes on their way */
	struct buffer out;
	struct reject *rejects;
	size_t n_rejects, cap_rejects;
	size_t n_events, n_ignored, n_messages, n_outcomes;
};

/* Reads the files, steps everything and prints messages and outcomes.  False: why. */
bool run_lanes(struct run *r, struct err *why);
void run_lanes_close(struct run *r);
/* Into the lanes (run_from.c).  False: why names the line. */
bool run_from(struct run *r, struct err *why);
int32_t run_partition(const struct run *r, struct str subject);
#endif
