/* Is the daemon making progress?  Judged from the workers' own accounts; knows no clock and no server.
 *
 * healthy: whatever waits got on within the last `stall` (settings): a commit, or a record replayed.  Not healthy is a
 * worker that doesn't come round, that joins or takes over without an end, or that Kafka or Redis keep waiting; a
 * partition with a lag and no commit, with records that nobody delivers or that a foreign transaction holds up, or that
 * was stopped by a fault.
 * ready: every worker has joined and every partition it has is running.
 * stuck: unhealthy in a way that a restart may end, and that loses nothing.  The watchdog is fed only while not stuck.
 * What a restart can't end keeps it fed: a partition that waits for a person (stopped by a fault, or not assigned of
 * every topic) and a transaction that another producer left open. */
#ifndef HEALTH_H
#define HEALTH_H
#include "../run.h"

enum { HEALTH_SENTENCE = SENTENCE_MAX + 160, HEALTH_NOTES = 16 };
struct health_report {
	bool healthy, ready, stuck;
	char why_unhealthy[HEALTH_SENTENCE]; /* one sentence; "" where healthy */
	char why_not_ready[HEALTH_SENTENCE];
	char status[HEALTH_SENTENCE + 32]; /* one sentence for people, always */
	/* All that doesn't move: which, since when, and what is being done; the first few, and how many there are. */
	char notes[HEALTH_NOTES][HEALTH_SENTENCE];
	size_t n_notes;
};
/* now: ms, monotonic; stall in ms. */
void health_judge(const struct worker_status *workers, size_t n, int64_t now, int64_t stall, struct health_report *out);
#endif
