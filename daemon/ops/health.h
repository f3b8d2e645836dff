/* Is the daemon making progress?  Judged from the workers' own accounts; knows no clock and no server.
 *
 * healthy: what waits is being worked on.  A worker that doesn't come round, records that wait without a commit for
 * settings.stall, a replay that stands, a partition stopped by a fault and a server away for longer than stall are not.
 * ready: every worker has joined and every partition it has is running.
 * stuck: unhealthy in a way that a restart may cure (the watchdog is fed while not stuck: a restart brings no absent
 * server back, and mends no partition that waits for a person). */
#ifndef HEALTH_H
#define HEALTH_H
#include "../run.h"

struct health_report {
	bool healthy, ready, stuck;
	char why_unhealthy[SENTENCE_MAX + 128]; /* one sentence; "" where healthy */
	char why_not_ready[SENTENCE_MAX + 128];
	char status[SENTENCE_MAX + 160]; /* one sentence for people, always */
};
struct health; /* remembers what moved since when; owned by the caller, not shared between threads */
struct health *health_new(void);
void health_free(struct health *h);
/* now: ms, monotonic; stall in ms. */
void health_judge(struct health *h, const struct worker_status *workers, size_t n, int64_t now, int64_t stall,
		  struct health_report *out);
#endif
