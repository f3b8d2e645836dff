/* What a worker shows of itself: a snapshot for health and STATUS=, and the gauges of its partitions. */
#include "worker.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_MS = 200, GAUGES_MS = 1000 };

const char *worker_phase_name(enum worker_phase phase)
{
	static const char *const names[] = {"starting", "joining", "running", "paused", "ending", "ended"};
	return names[phase];
}

void worker_say(struct worker *w, enum worker_phase phase, const char *format, ...)
{
	char doing[SENTENCE_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(doing, sizeof doing, format, args);
	va_end(args);
	if (phase == w->phase && strcmp(doing, w->doing) == 0)
		return;
	if (phase != w->phase)
		w->phase_since = clock_monotonic();
	w->phase = phase;
	memcpy(w->doing, doing, sizeof doing);
	worker_show(w, true);
}

/* Records of this topic that are there and not yet read; -1: not known. */
static int64_t unread(const struct worker *w, const struct partition *p, uint32_t topic)
{
	int64_t high = w->inbox ? inbox_high(w->inbox, topic, p->id) : -1;
	if (high < 0)
		return -1;
	return high > p->reading[topic].seen ? high - p->reading[topic].seen : 0;
}

/* A topic of which nothing was fetched yet leaves the whole unknown. */
static void measure_lag(struct worker *w, struct partition *p, int64_t now)
{
	p->lag = (int64_t)p->n_items;
	for (uint32_t k = 0; k < w->n_topics && p->lag >= 0; k++) {
		int64_t n = unread(w, p, k);
		p->lag = n < 0 ? -1 : p->lag + n;
	}
	if (p->lag == 0)
		p->caught_up = now;
}

static void set_gauges(struct worker *w, const struct partition *p)
{
	for (uint32_t k = 0; k < w->n_topics; k++) {
		int64_t n = unread(w, p, k);
		if (n < 0)
			continue;
		metrics_set(w->metrics, p->reading[k].lag, (double)(n + (k ? 0 : (int64_t)p->n_items)));
		metrics_set(w->metrics, p->reading[k].unstable, p->reading[k].at_end ? (double)n : 0);
	}
	if (p->record.clock == INT64_MIN)
		return;
	double ahead = (double)(p->record.clock - clock_wall()) / 1000;
	metrics_set(w->metrics, p->clock_ahead, ahead > 0 ? ahead : 0);
	metrics_set(w->metrics, p->clock_behind, ahead < 0 ? -ahead : 0);
}

/* --- the snapshot */

static void show_partition(const struct partition *p, struct partition_status *out)
{
	*out = (struct partition_status){.partition = p->id,
					 .state = p->state,
					 .since = p->since,
					 .lag = p->state == PARTITION_RUNNING ? p->lag : -1,
					 .committed = p->committed,
					 .caught_up = p->caught_up,
					 .replayed = p->replayed,
					 .replay = p->replay,
					 .unswept = p->state == PARTITION_RUNNING ? p->sweep.left : 0,
					 .clock = p->state == PARTITION_RUNNING ? p->record.clock : INT64_MIN};
	memcpy(out->why, p->why, sizeof out->why);
}

static void copy_partitions(struct worker *w)
{
	size_t n = 0;
	if (w->cap_shown < w->n_partitions) {
		w->cap_shown = w->n_partitions;
		w->shown_partitions = realloc(w->shown_partitions, w->cap_shown * sizeof *w->shown_partitions);
		if (!w->shown_partitions)
			abort();
	}
	for (size_t i = 0; i < w->n_partitions; i++)
		if (w->partitions[i].assigned)
			show_partition(&w->partitions[i], &w->shown_partitions[n++]);
	w->shown.n_partitions = n;
}

static void copy_all(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	w->shown.number = w->number;
	w->shown.phase = w->phase;
	w->shown.since = w->phase_since;
	memcpy(w->shown.doing, w->doing, sizeof w->doing);
	w->shown.away = w->pause.away;
	w->shown.away_since = w->pause.away_since;
	w->shown.committed = w->committed;
	w->shown.events = w->events;
	w->shown.rejected = w->rejected;
	w->shown.messages = w->messages;
	w->shown.commits = w->commits;
	w->shown.fingerprint = w->rules ? w->rules->fingerprint : 0;
	copy_partitions(w);
	pthread_mutex_unlock(&w->lock);
}

/* An idle worker learns only here that all brokers are down, or up again; a pause knows by itself. */
static void notice_away(struct worker *w, int64_t now)
{
	const char *what;
	if (!w->inbox || w->pause.until > now || w->phase != WORKER_RUNNING)
		return;
	bool away = inbox_away(w->inbox, &what);
	if (away && !w->pause.away)
		w->pause.away_since = now;
	if (!away && w->pause.away)
		worker_fine(w);
	w->pause.away = away;
}

void worker_show(struct worker *w, bool at_once)
{
	int64_t now = clock_monotonic();
	if (!at_once && now < w->status_due)
		return;
	w->status_due = now + STATUS_MS;
	bool gauges = now >= w->gauges_due;
	if (gauges) {
		w->gauges_due = now + GAUGES_MS;
		metrics_set(w->metrics, w->series.arena,
			    (double)(arena_size(&w->collected) + arena_size(&w->round) + arena_size(&w->effects)));
		notice_away(w, now);
	}
	for (size_t i = 0; i < w->n_partitions; i++) {
		struct partition *p = &w->partitions[i];
		if (!p->assigned)
			continue;
		if (gauges) /* also anew: another worker of this process may have hidden it since, when it lost it to us
			     */
			metrics_set(w->metrics, p->gauge, p->state);
		if (p->state != PARTITION_RUNNING)
			continue;
		measure_lag(w, p, now);
		if (gauges)
			set_gauges(w, p);
	}
	copy_all(w);
}

void worker_status(struct worker *w, struct arena *a, struct worker_status *out)
{
	pthread_mutex_lock(&w->lock);
	*out = w->shown;
	out->partitions = arena_alloc(a, sizeof *out->partitions * (out->n_partitions + 1));
	if (out->n_partitions)
		memcpy(out->partitions, w->shown_partitions, sizeof *out->partitions * out->n_partitions);
	pthread_mutex_unlock(&w->lock);
	out->moved = atomic_load(&w->moved);
}
