/* The worker's partitions: what the group assigned, taken over, and read from where their records say. */
#include "ops/log.h"
#include "worker.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	STOPPED_RETRY_MS = 60000,
	WAITS_RETRY_MS = 2000,
	ASK_LEAST_MS = 1000, /* how often, between these */
	ASK_MOST_MS = 30000,
	ASK_WAIT_MS = 2000, /* at most */
};

const char *partition_state_name(enum partition_state state)
{
	static const char *const names[] = {"waiting", "taking over", "running", "stopped"};
	return names[state];
}

struct partition *partition_at(struct worker *w, int32_t id)
{
	return id >= 0 && (size_t)id < w->n_partitions && w->partitions[id].assigned ? &w->partitions[id] : NULL;
}

void partition_set(struct worker *w, struct partition *p, enum partition_state state, const char *why)
{
	int64_t now = clock_monotonic();
	if (p->state == PARTITION_STOPPED && state != PARTITION_STOPPED)
		p->progress = now; /* that it stood is told */
	if (p->state != state || !p->since)
		p->since = now;
	p->state = state;
	p->hold = HOLD_NONE;
	if (state != PARTITION_RUNNING) {
		collect_drop(w, p);
		w->reading = false;
	}
	p->retry = state == PARTITION_STOPPED ? now + STOPPED_RETRY_MS : 0;
	p->lag = -1;
	p->replay = p->replayed = 0;
	snprintf(p->why, sizeof p->why, "%s", why);
	metrics_set(w->metrics, p->gauge, state);
}

void partition_doubt(struct worker *w, struct partition *p, const char *why)
{
	partition_set(w, p, PARTITION_TAKING_OVER, why);
	p->retry = clock_monotonic() + WAITS_RETRY_MS;
}

/* --- what is assigned */

static void name_gauges(struct worker *w, struct partition *p)
{
	char id[16];
	snprintf(id, sizeof id, "%" PRId32, p->id);
	p->gauge = metrics_series(w->metrics, METRIC_PARTITION_STATE, id, "");
	p->committed = metrics_series(w->metrics, METRIC_LAST_COMMIT, id, "");
	p->clock_ahead = metrics_series(w->metrics, METRIC_CLOCK_AHEAD, id, "");
	p->clock_behind = metrics_series(w->metrics, METRIC_CLOCK_BEHIND, id, "");
	p->sweep.gauge = metrics_series(w->metrics, METRIC_SWEEP_LEFT, id, "");
	for (size_t k = 0; k < w->n_topics; k++) {
		p->reading[k].lag = metrics_series(w->metrics, METRIC_LAG, w->topics[k].name, id);
		p->reading[k].unstable = metrics_series(w->metrics, METRIC_UNSTABLE, w->topics[k].name, id);
	}
}

/* Nothing of a partition that others have now is to be shown here. */
static void hide_gauges(struct worker *w, struct partition *p)
{
	metrics_hide(w->metrics, p->gauge);
	metrics_hide(w->metrics, p->committed);
	metrics_hide(w->metrics, p->clock_ahead);
	metrics_hide(w->metrics, p->clock_behind);
	metrics_hide(w->metrics, p->sweep.gauge);
	for (size_t k = 0; k < w->n_topics; k++) {
		metrics_hide(w->metrics, p->reading[k].lag);
		metrics_hide(w->metrics, p->reading[k].unstable);
	}
}

static void widen(struct worker *w, size_t n)
{
	if (n <= w->n_partitions)
		return;
	w->partitions = realloc(w->partitions, n * sizeof *w->partitions);
	w->taking = realloc(w->taking, n * sizeof *w->taking);
	if (!w->partitions || !w->taking)
		abort();
	memset(w->partitions + w->n_partitions, 0, (n - w->n_partitions) * sizeof *w->partitions);
	for (size_t i = w->n_partitions; i < n; i++)
		w->partitions[i].id = (int32_t)i;
	w->n_partitions = n;
}

/* NULL: assigned of every topic; else one that isn't. */
static const char *missing_topic(const struct worker *w, int32_t id, bool *any)
{
	const char *missing = NULL;
	*any = false;
	for (uint32_t k = 0; k < w->n_topics; k++)
		if (w->inbox && inbox_has(w->inbox, k, id))
			*any = true;
		else
			missing = w->topics[k].name;
	return missing;
}

/* It has just come to us: from now on it must get on. */
static void begin_watch(struct worker *w, struct partition *p)
{
	p->progress = clock_monotonic();
	p->replay_from = p->furthest = -1;
	for (size_t k = 0; k < w->n_topics; k++) {
		struct reading *r = &p->reading[k];
		r->seen = r->seen_before = r->end = -1;
		r->at_end = false;
	}
}

static void reassign(struct worker *w, struct partition *p)
{
	bool any, before = p->assigned;
	char why[SENTENCE_MAX];
	const char *missing = missing_topic(w, p->id, &any);
	p->assigned = any;
	if (!any) {
		p->state = PARTITION_WAITING;
		p->since = 0;
		if (before)
			hide_gauges(w, p);
		return;
	}
	name_gauges(w, p);
	begin_watch(w, p);
	snprintf(why, sizeof why,
		 "partition %" PRId32 " of %s isn't ours: is it there, and do all members read the same topics?", p->id,
		 missing ? missing : "");
	partition_set(w, p, missing ? PARTITION_WAITING : PARTITION_TAKING_OVER, missing ? why : "");
}

void partitions_reassigned(struct worker *w)
{
	int32_t last = w->inbox ? inbox_last_partition(w->inbox) : -1;
	size_t n = 0;
	w->reading = false;
	w->answered = clock_monotonic();
	if (last >= w->found.partitions)
		w->checked = false; /* there are more than before */
	widen(w, (size_t)(last + 1));
	for (size_t i = 0; i < w->n_partitions; i++)
		collect_drop(w, &w->partitions[i]); /* also puts the queues' ends right after widen */
	for (size_t i = 0; i < w->n_partitions; i++) {
		struct partition *p = &w->partitions[i];
		reassign(w, p);
		n += p->assigned;
		if (p->assigned && p->state == PARTITION_WAITING)
			w->checked = false; /* has a topic gone, or got other partitions? */
	}
	if (w->inbox && inbox_joined(w->inbox))
		log_info("worker %" PRId32 ": the group assigned %zu partition%s", w->number, n, n == 1 ? "" : "s");
}

void partitions_forget(struct worker *w)
{
	w->reading = false;
	for (size_t i = 0; i < w->n_partitions; i++) {
		struct partition *p = &w->partitions[i];
		if (p->assigned && p->state == PARTITION_RUNNING)
			partition_set(w, p, PARTITION_TAKING_OVER, "");
		else
			collect_drop(w, p);
	}
}

void partitions_hide(struct worker *w)
{
	for (size_t i = 0; i < w->n_partitions; i++)
		if (w->partitions[i].assigned)
			hide_gauges(w, &w->partitions[i]);
}

void partitions_renew(struct worker *w, bool same)
{
	if (!same)
		partitions_forget(w);
	w->reading = false;
	for (size_t i = 0; i < w->n_partitions; i++) {
		struct partition *p = &w->partitions[i];
		collect_drop(w, p);
		p->retry = 0;
		if (!p->assigned || p->state != PARTITION_RUNNING)
			continue;
		p->unsaved |= p->record.revision < w->tuning.revision;
		sweep_restart(w, p);
	}
}

/* --- taking over */

static bool wants_takeover(const struct partition *p, int64_t now)
{
	return p->assigned && (p->state == PARTITION_TAKING_OVER || p->state == PARTITION_STOPPED) && p->retry <= now;
}

/* A record that no takeover came to before is progress; the same ones again are none.  Where Redis lost what it had,
 * all of them are to be replayed. */
static void note_replay(struct worker *w, struct partition *p, const struct takeover_part *part)
{
	p->replayed = part->replayed;
	p->replay = part->replay;
	if (part->from < 0)
		return;
	if (part->from < p->replay_from)
		p->furthest = -1;
	p->replay_from = part->from;
	if (part->furthest > p->furthest) {
		p->furthest = part->furthest;
		p->progress = w->settled = clock_monotonic();
	}
}

static void begin(struct worker *w, struct partition *p, const struct takeover_part *part)
{
	partition_set(w, p, PARTITION_RUNNING, "");
	p->record = part->record;
	p->watermark = part->watermark;
	p->unsaved = part->fresh || p->record.revision < w->tuning.revision;
	if (part->fresh)
		p->record.swept = w->rules->fingerprint;
	p->look = 0;
	sweep_restart(w, p);
	for (size_t k = 0; k < w->n_topics; k++)
		p->reading[k].told = p->reading[k].moved = p->since;
	meter_add(w->meter, w->series.takeovers, 1);
	meter_add(w->meter, w->series.replayed, part->records);
	log_info("worker %" PRId32 ": partition %" PRId32 " taken over%s, %" PRIu64 " states replayed", w->number,
		 p->id, part->fresh ? " (a fresh start)" : "", part->records);
}

static void take_end(struct worker *w, const struct takeover_part *part)
{
	struct partition *p = partition_at(w, part->partition);
	if (!p)
		return;
	note_replay(w, p, part);
	switch (part->end) {
	case TAKEOVER_DONE:
		begin(w, p, part);
		return;
	case TAKEOVER_STOPPED:
		log_every(60, LOG_LEVEL_ERROR, "%s; it is tried again each minute", part->why);
		partition_set(w, p, PARTITION_STOPPED, part->why);
		return;
	default:
		log_every(60, LOG_LEVEL_WARNING, "%s", part->why);
		partition_doubt(w, p, part->why);
	}
}

static bool tick(void *worker)
{
	struct worker *w = worker;
	for (size_t i = 0; i < w->n_taking; i++) {
		struct partition *p = partition_at(w, w->taking[i].partition);
		if (p)
			note_replay(w, p, &w->taking[i]);
	}
	return collect_wait(w, 0);
}

static size_t list_takeovers(struct worker *w)
{
	int64_t now = clock_monotonic();
	w->n_taking = 0;
	for (size_t i = 0; i < w->n_partitions; i++)
		if (wants_takeover(&w->partitions[i], now))
			w->taking[w->n_taking++] = (struct takeover_part){.partition = w->partitions[i].id};
	return w->n_taking;
}

/* Nothing is read meanwhile, so that the group can be heard without events piling up. */
static bool take_over(struct worker *w)
{
	struct err why = {""};
	struct takeover t = {.settings = w->settings,
			     .revision = w->tuning.revision,
			     .inbox = w->inbox,
			     .changelog = w->changelog,
			     .cache = w->cache,
			     .topics = w->topics,
			     .n_topics = w->n_topics,
			     .partitions = w->found.partitions,
			     .cluster = w->found.cluster,
			     .tick = tick,
			     .opaque = w};
	for (size_t i = 0; i < w->n_partitions; i++)
		collect_drop(w, &w->partitions[i]);
	w->reading = false;
	if (!inbox_read(w->inbox, NULL, 0, &why)) {
		worker_pause(w, true, why.text);
		return false;
	}
	worker_say(w, WORKER_RUNNING, "takes over %zu partition%s", w->n_taking, w->n_taking == 1 ? "" : "s");
	switch (takeover_run(&t, w->taking, w->n_taking, &why)) {
	case TAKEOVER_GAVE_UP:
		return false;
	case TAKEOVER_AWAY:
		w->checked = false; /* is a topic gone? */
		worker_pause(w, true, why.text);
		return false;
	default:
		break;
	}
	for (size_t i = 0; i < w->n_taking; i++)
		take_end(w, &w->taking[i]);
	return true;
}

/* --- reading */

static bool read_running(struct worker *w)
{
	struct err why = {""};
	struct inbox_place *list = calloc(w->n_partitions * w->n_topics + 1, sizeof *list);
	if (!list)
		abort();
	size_t n = 0;
	for (size_t i = 0; i < w->n_partitions; i++) {
		struct partition *p = &w->partitions[i];
		collect_drop(w, p);
		for (uint32_t k = 0; p->assigned && p->state == PARTITION_RUNNING && k < w->n_topics; k++) {
			int64_t next = partition_record_position(&p->record, w->topics[k].name)->next;
			list[n++] = (struct inbox_place){.topic = k, .partition = p->id, .offset = next};
			p->reading[k].seen = next;
			p->reading[k].at_end = false;
		}
	}
	w->reading = inbox_read(w->inbox, list, n, &why);
	free(list);
	if (!w->reading)
		worker_pause(w, true, why.text);
	return w->reading;
}

/* --- is there anything to read? */

static void take_end_of(struct worker *w, const struct inbox_place *at)
{
	struct reading *r = &w->partitions[at->partition].reading[at->topic];
	if (at->failed)
		return;
	r->end = at->offset;
	r->told = clock_monotonic();
}

static size_t list_running(const struct worker *w, struct inbox_place *list)
{
	size_t n = 0;
	for (size_t i = 0; i < w->n_partitions; i++) {
		const struct partition *p = &w->partitions[i];
		for (uint32_t k = 0; p->assigned && p->state == PARTITION_RUNNING && k < w->n_topics; k++)
			list[n++] = (struct inbox_place){.topic = k, .partition = p->id};
	}
	return n;
}

/* Running partitions look into Redis for timers each second; without any, it is asked here. */
static bool ask(struct worker *w, int64_t wait, struct err *why)
{
	struct inbox_place *list = calloc(w->n_partitions * w->n_topics + 1, sizeof *list);
	if (!list)
		abort();
	size_t n = list_running(w, list);
	worker_calls(w, "asking Kafka and Redis whether they are there");
	bool ok = inbox_ends(w->inbox, list, n, wait < ASK_WAIT_MS ? (int)wait : ASK_WAIT_MS, why) &&
		  (n || cache_answers(w->cache, why));
	worker_calls(w, NULL);
	for (size_t i = 0; ok && i < n; i++)
		take_end_of(w, &list[i]);
	free(list);
	return ok;
}

void partitions_ask(struct worker *w)
{
	struct err why = {""};
	int64_t often = w->settings->stall / 4;
	if (often > ASK_MOST_MS)
		often = ASK_MOST_MS;
	if (often < ASK_LEAST_MS || w->pause.away || inbox_trouble(w->inbox))
		often = ASK_LEAST_MS;
	if (clock_monotonic() - w->asked < often)
		return;
	bool ok = ask(w, often, &why);
	w->asked = clock_monotonic();
	if (ok) {
		w->told = w->asked;
		worker_fine(w);
	} else {
		worker_away(w, w->answered, why.text);
	}
}

static size_t count(const struct worker *w, enum partition_state state)
{
	size_t n = 0;
	for (size_t i = 0; i < w->n_partitions; i++)
		n += w->partitions[i].assigned && w->partitions[i].state == state;
	return n;
}

bool partitions_ready(struct worker *w)
{
	if (!inbox_joined(w->inbox)) {
		const char *kept_out = inbox_kept_out(w->inbox);
		worker_say(w, WORKER_JOINING, "waits for the group %s to assign partitions%s%s", w->settings->instance,
			   *kept_out ? ": " : "", kept_out);
		if (*kept_out)
			log_every(60, LOG_LEVEL_WARNING, "worker %" PRId32 " waits for the group %s: %s", w->number,
				  w->settings->instance, kept_out);
		return false;
	}
	if (list_takeovers(w)) {
		bool taken = take_over(w);
		w->n_taking = 0;
		if (!taken)
			return false;
		worker_fine(w);
	}
	if (!w->reading && !read_running(w))
		return false;
	partitions_ask(w);
	size_t n = count(w, PARTITION_RUNNING);
	if (n == 0)
		worker_say(w, WORKER_RUNNING, "has no partition to work on");
	else
		worker_say(w, WORKER_RUNNING, "works on %zu partition%s", n, n == 1 ? "" : "s");
	return n > 0;
}

void partitions_close(struct worker *w)
{
	for (size_t i = 0; i < w->n_partitions; i++) {
		struct partition *p = &w->partitions[i];
		buffer_free(&p->record_bytes);
		if (p->assigned)
			hide_gauges(w, p);
	}
	free(w->partitions);
	free(w->taking);
}
