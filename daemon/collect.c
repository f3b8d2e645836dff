/* Takes records in: polls the consumer, decodes, and queues by partition.  Nothing here waits for anything but the
 * next record. */
#include "ops/log.h"
#include "worker.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEFT_POLL_MS = 500 }; /* how often the group is heard while a batch waits to be finished */

/* --- a partition's queue */

void collect_drop(struct worker *w, struct partition *p)
{
	w->n_items -= p->n_items;
	p->n_items = 0;
	p->first = NULL;
	p->last = &p->first;
}

void collect_done(struct worker *w, struct partition *p, size_t n, struct item *after)
{
	w->n_items -= n;
	p->n_items -= n;
	p->first = after;
	if (!after)
		p->last = &p->first;
}

static void queue(struct worker *w, struct partition *p, struct item *i)
{
	*p->last = i;
	p->last = &i->next;
	p->n_items++;
	w->n_items++;
}

/* --- a record */

void collect_reject(struct worker *w, struct item *i, enum reject_class class, const char *reason)
{
	i->kind = ITEM_REJECTED;
	i->class = class;
	i->reason = arena_text(&w->collected, reason, strlen(reason));
}

/* Only the wall clock says what is in the future.  One that was set back doesn't make future what was present. */
static int64_t wall_of(const struct worker *w, const struct partition *p)
{
	return w->settings->clock == CLOCK_EVENTS ? TIME_NEVER : round_now(w, p);
}

static void decode(struct worker *w, const struct partition *p, struct item *i)
{
	struct err why;
	why.text[0] = '\0';
	const struct watch *watch = NULL; /* of an event that was forwarded */
	const struct inbox_topic *topic = &w->topics[i->topic];
	int64_t wall = wall_of(w, p);
	bool arrived = topic->role == TOPIC_FORWARD;
	enum decode_result result;
	if (arrived && !(topic = forward_origin(w, &i->record, &watch, &why))) {
		collect_reject(w, i, REJECT_PARTITION, why.text);
		return;
	}
	if (topic->role == TOPIC_FEEDBACK)
		result = decode_feedback(w->decoder, &i->record, wall, &w->collected, &i->event, &why);
	else if (arrived)
		result = decode_event_for(w->decoder, watch, &i->record, wall, &w->collected, &i->event, &why);
	else
		result = decode_event(w->decoder, topic->watch, &i->record, wall, &w->collected, &i->event, &why);
	if (result == DECODE_IGNORED) {
		i->kind = ITEM_IGNORED;
	} else if (result == DECODE_REJECTED) {
		collect_reject(w, i, REJECT_DECODE, why.text);
	} else {
		i->kind = ITEM_EVENT;
		i->key = changelog_key(&w->collected, i->event.watch, i->event.subject);
		forward_route(w, i, topic->role == TOPIC_FEEDBACK ? NULL : i->event.watch);
	}
	if (!arrived && topic->role == TOPIC_EVENTS)
		forward_copies(w, i, wall);
}

static void take(struct worker *w, struct partition *p, const struct inbox_item *in)
{
	struct item *i = arena_alloc(&w->collected, sizeof *i);
	*i = (struct item){.topic = in->place.topic, .record = in->record};
	decode(w, p, i);
	queue(w, p, i);
}

/* --- polling */

static void take_broken(struct worker *w, struct partition *p, const struct inbox_place *place)
{
	char text[SENTENCE_MAX];
	snprintf(text, sizeof text, "partition %" PRId32 " of %s: %s", place->partition, w->topics[place->topic].name,
		 place->why);
	log_every(60, LOG_LEVEL_WARNING, "%s; looking into it", text);
	partition_doubt(w, p, text);
}

static void drop_consumer(struct worker *w) /* reach_servers opens another one */
{
	w->subscribed = false;
	inbox_close(w->inbox);
	w->inbox = NULL;
	partitions_reassigned(w);
}

static void take_news(struct worker *w, enum inbox_news news, const struct inbox_item *in, const char *why)
{
	struct partition *p = NULL;
	if (news == INBOX_RECORD || news == INBOX_END || news == INBOX_BROKEN) {
		p = partition_at(w, in->place.partition);
		if (!p || p->state != PARTITION_RUNNING)
			return;
		p->reading[in->place.topic].at_end = news == INBOX_END;
		p->reading[in->place.topic].seen = in->place.offset + (news == INBOX_RECORD);
	}
	switch (news) {
	case INBOX_RECORD:
		take(w, p, in);
		return;
	case INBOX_BROKEN:
		take_broken(w, p, &in->place);
		return;
	case INBOX_REBALANCED:
		partitions_reassigned(w);
		return;
	case INBOX_TROUBLE:
		meter_add(w->meter, w->series.kafka_errors, 1);
		log_every(60, LOG_LEVEL_WARNING, "%s", why);
		return;
	case INBOX_FATAL:
		log_error("%s; the consumer is replaced", why);
		drop_consumer(w);
		return;
	case INBOX_REFUSED:
		meter_add(w->meter, w->series.kafka_errors, 1);
		drop_consumer(w);
		worker_pause(w, false, why);
		return;
	default:
		return;
	}
}

static enum inbox_news poll_once(struct worker *w, int wait_ms)
{
	struct inbox_item in;
	struct err why;
	why.text[0] = '\0';
	enum inbox_news news = inbox_poll(w->inbox, wait_ms, &w->collected, &in, &why);
	if (news == INBOX_NOTHING)
		w->emptied = clock_monotonic();
	take_news(w, news, &in, why.text);
	return news;
}

/* Is there more to come soon, as far as the consumer knows? */
static bool backlog(const struct worker *w)
{
	for (size_t i = 0; i < w->n_partitions; i++) {
		const struct partition *p = &w->partitions[i];
		for (uint32_t k = 0; p->state == PARTITION_RUNNING && k < w->n_topics; k++)
			if (!p->reading[k].at_end && inbox_high(w->inbox, k, p->id) > p->reading[k].seen)
				return true;
	}
	return false;
}

/* A lone event doesn't wait; while there is a backlog, a batch has some time to grow. */
static bool may_grow(const struct worker *w, int64_t since)
{
	return clock_monotonic() - since < w->tuning.batch.wait && backlog(w);
}

/* In batches of full size, by their bytes. */
static size_t collected(const struct worker *w)
{
	return arena_used(&w->collected) / (size_t)w->settings->batch.bytes;
}

/* What a round left over comes first; meanwhile the group is heard now and then, at the price of one record more. Where
 * these become too many, all are read again. */
static void hear_group(struct worker *w, int64_t now)
{
	if (now - w->polled < LEFT_POLL_MS)
		return;
	w->polled = now;
	poll_once(w, 0);
	if (collected(w) > 1)
		w->reading = false;
}

void collect(struct worker *w, int wait_ms)
{
	int64_t start = clock_monotonic();
	int wait = wait_ms;
	if (w->n_items) {
		hear_group(w, start);
		return;
	}
	arena_reset(&w->collected);
	w->polled = start;
	do {
		if (w->n_items && wait != 1)
			wait = 0;
		switch (poll_once(w, wait)) {
		case INBOX_RECORD:
			wait = 0;
			break;
		case INBOX_NOTHING:
			if (w->n_items == 0 || !may_grow(w, start))
				return;
			wait = 1;
			break;
		case INBOX_REBALANCED:
		case INBOX_REFUSED:
		case INBOX_FATAL:
			return;
		default:
			if (w->n_items == 0 && clock_monotonic() - start >= wait_ms)
				return;
		}
	} while (w->n_items < (size_t)w->tuning.batch.events && collected(w) < 1);
}

bool collect_wait(struct worker *w, int wait_ms)
{
	atomic_store(&w->moved, clock_monotonic());
	worker_show(w, false);
	enum inbox_news news = poll_once(w, wait_ms);
	return w->inbox && news != INBOX_REBALANCED && !worker_ending(w);
}
