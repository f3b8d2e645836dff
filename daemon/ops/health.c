/* The judgement is a list of checks, each with a sentence; the first fault's is the one that is shown. */
#include "health.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static long seconds(int64_t ms)
{
	return (long)(ms / 1000);
}

enum finding {
	SLOW,      /* not ready, or not at once: worth a line if it lasts */
	UNHEALTHY, /* for too long, or for a person; the watchdog stays fed */
	STUCK      /* for too long, and a restart may end it */
};

static void keep(char *first, const char *text)
{
	if (!*first)
		memcpy(first, text, strlen(text) + 1);
}

__attribute__((format(printf, 4, 5))) static void note(struct health_report *out, enum finding finding, bool unready,
						       const char *format, ...)
{
	char text[HEALTH_SENTENCE];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (finding != SLOW)
		keep(out->why_unhealthy, text);
	if (unready)
		keep(out->why_not_ready, text);
	out->stuck |= finding == STUCK;
	if (out->n_notes < HEALTH_NOTES)
		memcpy(out->notes[out->n_notes], text, sizeof text);
	out->n_notes++;
}

static enum finding if_longer(int64_t lasted, int64_t stall, enum finding finding)
{
	return lasted > stall ? finding : SLOW;
}

/* --- a worker */

static void judge_worker(const struct worker_status *w, int64_t now, int64_t stall, struct health_report *out)
{
	int64_t away = w->away ? now - w->away_since : 0;
	if (w->phase == WORKER_ENDED)
		note(out, STUCK, true, "Worker %" PRId32 " has ended: %s", w->number, w->doing);
	else if (now - w->moved > stall)
		note(out, STUCK, w->phase != WORKER_RUNNING, "Worker %" PRId32 " has not moved for %ld s: it %s%s%s",
		     w->number, seconds(now - w->moved), w->doing, w->call ? " and is still " : "",
		     w->call ? w->call : "");
	else if (w->away)
		note(out, if_longer(away, stall, STUCK), true,
		     "Worker %" PRId32 " has been held up by Kafka or Redis for %ld s: %s; it %s", w->number,
		     seconds(away), w->away_why, w->phase == WORKER_PAUSED ? "tries again" : w->doing);
	else if (now - w->settled > stall)
		note(out, STUCK, true, "Worker %" PRId32 " has not got to work for %ld s: it %s", w->number,
		     seconds(now - w->settled), w->doing);
	else if (w->phase != WORKER_RUNNING)
		note(out, SLOW, true, "Worker %" PRId32 " %s", w->number, w->doing);
}

/* --- a partition */

/* Why, without the name of the partition, which stands before it. */
static const char *why_of(const struct partition_status *p)
{
	char name[32];
	int n = snprintf(name, sizeof name, "partition %" PRId32 ": ", p->partition);
	return strncmp(p->why, name, (size_t)n) == 0 ? p->why + n : p->why;
}

static void judge_waiting(const struct partition_status *p, int64_t now, int64_t stall, struct health_report *out)
{
	note(out, if_longer(now - p->since, stall, UNHEALTHY), true,
	     "Partition %" PRId32 " has waited for %ld s for the group to assign all of it: %s", p->partition,
	     seconds(now - p->since), why_of(p));
}

static void judge_takeover(const struct partition_status *p, int64_t now, int64_t stall, struct health_report *out)
{
	int64_t stood = now - p->progress;
	if (stood > stall)
		note(out, STUCK, true,
		     "Partition %" PRId32 " is being taken over, but has stood at %" PRId64 " of %" PRId64
		     " changelog records for %ld s%s%s",
		     p->partition, p->replayed, p->replay, seconds(stood), *p->why ? ": " : "", why_of(p));
	else
		note(out, SLOW, true,
		     "Partition %" PRId32 " has been taken over for %ld s: %" PRId64 " of %" PRId64
		     " changelog records%s%s",
		     p->partition, seconds(now - p->since), p->replayed, p->replay, *p->why ? ": " : "", why_of(p));
}

static void judge_running(const struct worker_status *w, const struct partition_status *p, int64_t now, int64_t stall,
			  struct health_report *out)
{
	int64_t stood = now - p->progress;
	if (p->hold != HOLD_NONE && p->held > stall)
		note(out, p->hold == HOLD_TRANSACTION ? UNHEALTHY : STUCK, false,
		     "Partition %" PRId32 ", for %ld s: %s", p->partition, seconds(p->held), p->why);
	else if (p->lag != 0 && stood > stall && p->lag < 0)
		note(out, STUCK, false,
		     "Partition %" PRId32
		     ": none of its records was committed for %ld s, and how many wait isn't known; "
		     "worker %" PRId32 " %s",
		     p->partition, seconds(stood), w->number, w->doing);
	else if (p->lag != 0 && stood > stall)
		note(out, STUCK, false,
		     "Partition %" PRId32 ": %" PRId64 " records wait and none was committed for %ld s; worker %" PRId32
		     " %s",
		     p->partition, p->lag, seconds(stood), w->number, w->doing);
}

static void judge_partition(const struct worker_status *w, const struct partition_status *p, int64_t now, int64_t stall,
			    struct health_report *out)
{
	switch (p->state) {
	case PARTITION_WAITING:
		judge_waiting(p, now, stall, out);
		break;
	case PARTITION_TAKING_OVER:
		judge_takeover(p, now, stall, out);
		break;
	case PARTITION_RUNNING:
		judge_running(w, p, now, stall, out);
		break;
	case PARTITION_STOPPED:
		note(out, UNHEALTHY, true,
		     "Partition %" PRId32 " has been stopped for %ld s and is tried again each minute: %s",
		     p->partition, seconds(now - p->since), why_of(p));
		break;
	}
}

/* --- all */

static void describe(const struct worker_status *workers, size_t n, int64_t now, struct health_report *out)
{
	size_t partitions = 0;
	int64_t lag = 0, committed = 0, unswept = 0;
	for (size_t i = 0; i < n; i++) {
		partitions += workers[i].n_partitions;
		if (workers[i].committed > committed)
			committed = workers[i].committed;
		for (size_t k = 0; k < workers[i].n_partitions; k++)
			lag += workers[i].partitions[k].lag > 0 ? workers[i].partitions[k].lag : 0;
		for (size_t k = 0; k < workers[i].n_partitions; k++)
			unswept += workers[i].partitions[k].unswept;
	}
	if (!out->healthy)
		snprintf(out->status, sizeof out->status, "UNHEALTHY: %s", out->why_unhealthy);
	else if (!out->ready)
		snprintf(out->status, sizeof out->status, "Not ready: %s", out->why_not_ready);
	else if (!partitions)
		snprintf(out->status, sizeof out->status, "Standing by: other instances have all partitions.");
	else if (lag && committed)
		snprintf(out->status, sizeof out->status,
			 "Working on %zu partitions; %" PRId64 " records wait, last commit %ld s ago.", partitions, lag,
			 seconds(now - committed));
	else if (lag)
		snprintf(out->status, sizeof out->status, "Working on %zu partitions; %" PRId64 " records wait.",
			 partitions, lag);
	else if (unswept)
		snprintf(out->status, sizeof out->status,
			 "Keeping watch on %zu partitions; about %" PRId64
			 " subjects are yet to be judged by new rules.",
			 partitions, unswept);
	else
		snprintf(out->status, sizeof out->status, "Keeping watch on %zu partitions; nothing waits.",
			 partitions);
}

void health_judge(const struct worker_status *workers, size_t n, int64_t now, int64_t stall, struct health_report *out)
{
	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < n; i++) {
		judge_worker(&workers[i], now, stall, out);
		for (size_t k = 0; k < workers[i].n_partitions; k++)
			judge_partition(&workers[i], &workers[i].partitions[k], now, stall, out);
	}
	if (!n)
		note(out, UNHEALTHY, true, "No worker runs");
	out->healthy = !*out->why_unhealthy;
	out->ready = !*out->why_not_ready;
	describe(workers, n, now, out);
}
