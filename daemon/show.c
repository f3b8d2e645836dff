/* What a worker shows of itself: a snapshot for health and STATUS=, and the gauges of its partitions. */
#include "worker.h"
#include <inttypes.h>
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

/* Records of this topic that may be read and aren't yet; -1: not known.  At an end, the high watermark counts what
 * isn't committed. */
static int64_t unread(const struct worker *w, const struct partition *p, uint32_t topic)
{
	const struct reading *r = &p->reading[topic];
	int64_t high = w->inbox && !r->at_end ? inbox_high(w->inbox, topic, p->id) : -1;
	int64_t end = high > r->end ? high : r->end;
	if (end < 0 && !r->at_end)
		return -1;
	return end > r->seen ? end - r->seen : 0;
}

/* Records of this topic behind the last stable offset, where that was reached. */
static int64_t unstable(const struct worker *w, const struct partition *p, uint32_t topic)
{
	const struct reading *r = &p->reading[topic];
	int64_t high = w->inbox && r->at_end ? inbox_high(w->inbox, topic, p->id) : -1;
	return high > r->seen ? high - r->seen : 0;
}

__attribute__((format(printf, 4, 5))) static void hold(struct partition *p, enum partition_hold kind, int64_t held,
						       const char *format, ...)
{
	if (held <= p->held)
		return;
	p->hold = kind;
	p->held = held;
	va_list args;
	va_start(args, format);
	vsnprintf(p->why, sizeof p->why, format, args);
	va_end(args);
}

/* A commit of what others bring doesn't show that this topic stands.  That records are there but don't come is only
 * known when the consumer had nothing else to give either. */
static void measure_hold(const struct worker *w, struct partition *p, uint32_t topic, int64_t now)
{
	struct reading *r = &p->reading[topic];
	int64_t behind = unstable(w, p, topic);
	bool there = r->end > r->seen;
	if (r->seen != r->seen_before || (!there && !behind))
		r->moved = now;
	r->seen_before = r->seen;
	if (behind)
		hold(p, HOLD_TRANSACTION, now - r->moved,
		     "%" PRId64 " records of %s are held up by a transaction that its producer hasn't ended: the last "
		     "stable offset stands at %" PRId64,
		     behind, w->topics[topic].name, r->seen);
	if (there)
		hold(p, HOLD_UNREAD, w->emptied - r->moved,
		     "%s has records from offset %" PRId64 " to %" PRId64 ", but Kafka doesn't deliver them",
		     w->topics[topic].name, r->seen, r->end);
	hold(p, HOLD_UNKNOWN, w->told - r->told, "Kafka doesn't tell where %s ends", w->topics[topic].name);
}

static void measure(struct worker *w, struct partition *p, int64_t now)
{
	p->lag = (int64_t)p->n_items;
	p->hold = HOLD_NONE;
	p->held = 0;
	p->why[0] = '\0';
	for (uint32_t k = 0; k < w->n_topics; k++) {
		int64_t n = unread(w, p, k);
		p->lag = n < 0 || p->lag < 0 ? -1 : p->lag + n;
		measure_hold(w, p, k, now);
	}
	if (p->lag == 0)
		p->progress = now;
}

static void set_gauges(struct worker *w, const struct partition *p)
{
	for (uint32_t k = 0; k < w->n_topics; k++) {
		int64_t n = unread(w, p, k);
		if (n < 0)
			continue;
		metrics_set(w->metrics, p->reading[k].lag, (double)(n + (k ? 0 : (int64_t)p->n_items)));
		metrics_set(w->metrics, p->reading[k].unstable, (double)unstable(w, p, k));
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
					 .progress = p->progress,
					 .hold = p->hold,
					 .held = p->held,
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
	memcpy(w->shown.away_why, w->pause.why, sizeof w->pause.why);
	w->shown.settled = w->settled;
	w->shown.committed = w->committed;
	w->shown.events = w->events;
	w->shown.rejected = w->rejected;
	w->shown.messages = w->messages;
	w->shown.commits = w->commits;
	w->shown.fingerprint = w->rules ? w->rules->fingerprint : 0;
	copy_partitions(w);
	pthread_mutex_unlock(&w->lock);
}

static size_t held_bytes(const struct worker *w)
{
	return arena_size(&w->collected) + arena_size(&w->round) + arena_size(&w->effects) + batch_size(w->batch);
}

/* Joined, and nothing left to take over. */
static bool settled(const struct worker *w)
{
	bool taking = false;
	for (size_t i = 0; i < w->n_partitions; i++)
		taking |= w->partitions[i].assigned && w->partitions[i].state == PARTITION_TAKING_OVER;
	return w->phase == WORKER_RUNNING && !taking;
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
		metrics_set(w->metrics, w->series.arena, (double)held_bytes(w));
	}
	if (settled(w))
		w->settled = now;
	for (size_t i = 0; i < w->n_partitions; i++) {
		struct partition *p = &w->partitions[i];
		if (!p->assigned)
			continue;
		if (gauges) /* also anew: another worker of this process may have hidden it since, when it lost it to us
			     */
			metrics_set(w->metrics, p->gauge, p->state);
		if (p->state != PARTITION_RUNNING)
			continue;
		measure(w, p, now);
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
	out->call = atomic_load(&w->call);
}
