/* The judgement is a list of checks; the first that finds a fault gives the sentence. */
#include "health.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct replay_seen { /* how far a partition's replay was, and since when */
	int64_t replayed, since;
};
struct health {
	struct replay_seen *replays; /* by partition */
	size_t n_replays;
};

struct health *health_new(void)
{
	struct health *h = calloc(1, sizeof *h);
	if (!h)
		abort();
	return h;
}

void health_free(struct health *h)
{
	if (!h)
		return;
	free(h->replays);
	free(h);
}

/* Since when the partition's replay stands where it is. */
static int64_t replay_since(struct health *h, const struct partition_status *p, int64_t now)
{
	size_t i = (size_t)p->partition;
	if (i >= h->n_replays) {
		h->replays = realloc(h->replays, (i + 1) * sizeof *h->replays);
		if (!h->replays)
			abort();
		memset(h->replays + h->n_replays, 0, (i + 1 - h->n_replays) * sizeof *h->replays);
		h->n_replays = i + 1;
	}
	struct replay_seen *seen = &h->replays[i];
	if (seen->replayed != p->replayed || seen->since < p->since) {
		seen->replayed = p->replayed;
		seen->since = now;
	}
	return seen->since;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static long seconds(int64_t ms)
{
	return (long)(ms / 1000);
}

__attribute__((format(printf, 3, 4))) static void say(char *out, size_t size, const char *format, ...)
{
	va_list args;
	if (*out)
		return; /* the first one counts */
	va_start(args, format);
	vsnprintf(out, size, format, args);
	va_end(args);
}
#define UNHEALTHY(...) say(out->why_unhealthy, sizeof out->why_unhealthy, __VA_ARGS__)
#define UNREADY(...) say(out->why_not_ready, sizeof out->why_not_ready, __VA_ARGS__)

/* A call to a server may take this long, ms: a worker in one doesn't come round. */
enum { LONGEST_CALL = 60000 };

static void judge_worker(const struct worker_status *w, int64_t now, int64_t stall, struct health_report *out)
{
	if (w->phase == WORKER_ENDED) {
		out->stuck = true;
		UNHEALTHY("Worker %" PRId32 " has ended: %s", w->number, w->doing);
	} else if (now - w->moved > later(stall, LONGEST_CALL)) {
		out->stuck = true;
		UNHEALTHY("Worker %" PRId32 " has not moved for %ld s: %s", w->number, seconds(now - w->moved),
			  w->doing);
	} else if (w->away && now - w->away_since > stall) {
		UNHEALTHY("Worker %" PRId32 ": Kafka or Redis can't be reached for %ld s: %s", w->number,
			  seconds(now - w->away_since), w->doing);
	} else if (w->phase == WORKER_PAUSED && now - w->since > stall) {
		UNHEALTHY("Worker %" PRId32 " is held up for %ld s: %s", w->number, seconds(now - w->since), w->doing);
	}
	if (w->away)
		UNREADY("Worker %" PRId32 ": Kafka or Redis can't be reached: %s", w->number, w->doing);
	if (w->phase != WORKER_RUNNING)
		UNREADY("Worker %" PRId32 ": %s", w->number, w->doing);
}

static void judge_waiting(const struct partition_status *p, int64_t now, int64_t stall, struct health_report *out)
{
	if (now - p->since > stall)
		UNHEALTHY("Partition %" PRId32 " waits for %ld s: %s", p->partition, seconds(now - p->since), p->why);
	UNREADY("Partition %" PRId32 " waits: %s", p->partition, p->why);
}

static void judge_takeover(struct health *h, const struct partition_status *p, int64_t now, int64_t stall,
			   struct health_report *out)
{
	int64_t since = replay_since(h, p, now);
	if (now - since > stall)
		UNHEALTHY("Partition %" PRId32 " is being taken over but stands at %" PRId64 " of %" PRId64
			  " changelog records for %ld s",
			  p->partition, p->replayed, p->replay, seconds(now - since));
	UNREADY("Partition %" PRId32 " is being taken over: %" PRId64 " of %" PRId64 " changelog records", p->partition,
		p->replayed, p->replay);
}

static void judge_running(const struct worker_status *w, const struct partition_status *p, int64_t now, int64_t stall,
			  struct health_report *out)
{
	int64_t since = later(later(p->committed, p->caught_up), p->since);
	if (p->lag <= 0 || now - since <= stall)
		return;
	if (!w->away)
		out->stuck = true;
	UNHEALTHY("Partition %" PRId32 ": %" PRId64 " records wait and none was committed for %ld s", p->partition,
		  p->lag, seconds(now - since));
}

static void judge_partition(struct health *h, const struct worker_status *w, const struct partition_status *p,
			    int64_t now, int64_t stall, struct health_report *out)
{
	switch (p->state) {
	case PARTITION_WAITING:
		judge_waiting(p, now, stall, out);
		break;
	case PARTITION_TAKING_OVER:
		judge_takeover(h, p, now, stall, out);
		break;
	case PARTITION_RUNNING:
		judge_running(w, p, now, stall, out);
		break;
	case PARTITION_STOPPED:
		UNHEALTHY("Partition %" PRId32 " is stopped: %s", p->partition, p->why);
		UNREADY("Partition %" PRId32 " is stopped: %s", p->partition, p->why);
		break;
	}
}

static void describe(const struct worker_status *workers, size_t n, int64_t now, struct health_report *out)
{
	size_t partitions = 0;
	int64_t lag = 0, committed = 0, unswept = 0;
	for (size_t i = 0; i < n; i++) {
		partitions += workers[i].n_partitions;
		committed = later(committed, workers[i].committed);
		for (size_t k = 0; k < workers[i].n_partitions; k++)
			lag += later(workers[i].partitions[k].lag, 0);
		for (size_t k = 0; k < workers[i].n_partitions; k++)
			unswept += workers[i].partitions[k].unswept;
	}
	if (!out->healthy)
		snprintf(out->status, sizeof out->status, "UNHEALTHY: %s", out->why_unhealthy);
	else if (!out->ready)
		snprintf(out->status, sizeof out->status, "Not ready: %s", out->why_not_ready);
	else if (!partitions)
		snprintf(out->status, sizeof out->status, "Standing by: other instances have all partitions.");
	else if (lag)
		snprintf(out->status, sizeof out->status,
			 "Working on %zu partitions; %" PRId64 " records wait, last commit %ld s ago.", partitions, lag,
			 committed ? seconds(now - committed) : 0);
	else if (unswept)
		snprintf(out->status, sizeof out->status,
			 "Keeping watch on %zu partitions; about %" PRId64 " subjects are yet to be judged by new rules.",
			 partitions, unswept);
	else
		snprintf(out->status, sizeof out->status, "Keeping watch on %zu partitions; nothing waits.",
			 partitions);
}

void health_judge(struct health *h, const struct worker_status *workers, size_t n, int64_t now, int64_t stall,
		  struct health_report *out)
{
	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < n; i++) {
		judge_worker(&workers[i], now, stall, out);
		for (size_t k = 0; k < workers[i].n_partitions; k++)
			judge_partition(h, &workers[i], &workers[i].partitions[k], now, stall, out);
	}
	if (!n) {
		UNHEALTHY("No worker runs");
		UNREADY("No worker runs");
	}
	out->healthy = !*out->why_unhealthy;
	out->ready = !*out->why_not_ready;
	describe(workers, n, now, out);
}
