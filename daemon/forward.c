/* Events that travel through the forward topic, once, in the transaction that moves the offset past them; there each is
 * read as an event of the topic that it came from, for the watch whose name it bears.  They are
 *
 * - misplaced ones: a producer with another partitioner or key, or a watch that takes its subject from the data, leaves
 *   an event in a partition that isn't its subject's;
 * - copies: of the watches of one topic that know an event's type the first takes the event itself, each other one a
 *   copy, also where its subject is of the same partition.  A watch that gets copies of one type gets all its events of
 *   this topic so (by_copy): on two ways they would overtake each other. */
#include "worker.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int32_t partition_of(const struct worker *w, struct str subject)
{
	bool murmur2 = strcmp(w->settings->partitioner, "murmur2") == 0;
	int32_t n = w->found.partitions;
	return murmur2 ? partition_murmur2(subject, n) : partition_crc32(subject, n);
}

static struct str origin(const struct record *record, const char *name)
{
	for (size_t i = 0; i < record->n_headers; i++)
		if (str_equal(record->headers[i].name, str_of(name)))
			return record->headers[i].value;
	return (struct str){0};
}

static bool whole_number(struct str text, int64_t *out)
{
	char digits[24], *end;
	if (text.len == 0 || text.len >= sizeof digits)
		return false;
	memcpy(digits, text.s, text.len);
	digits[text.len] = '\0';
	*out = strtoll(digits, &end, 10);
	return *end == '\0';
}

/* False: there is no such watch any more, or it reads another topic. */
static bool for_watch(const struct worker *w, const struct record *record, const struct inbox_topic *topic,
		      const struct watch **watch, struct err *why)
{
	struct str name = origin(record, ORIGIN_WATCH);
	*watch = name.len ? ruleset_watch(w->rules, name) : NULL;
	if (topic->role == TOPIC_FEEDBACK || (*watch && strcmp((*watch)->topic, topic->name) == 0))
		return true;
	return err_set(why,
		       name.len ? "%s: found a watch that doesn't read %s any more"
				: "%s: found nothing, expected the watch of %s that the event is for",
		       ORIGIN_WATCH, topic->name);
}

const struct inbox_topic *forward_origin(const struct worker *w, struct record *record, const struct watch **watch,
					 struct err *why)
{
	struct str name = origin(record, ORIGIN_TOPIC);
	if (!name.len || !whole_number(origin(record, ORIGIN_TIMESTAMP), &record->timestamp)) {
		err_set(why, "%s: found nothing, expected the headers of an event that was forwarded",
			name.len ? ORIGIN_TIMESTAMP : ORIGIN_TOPIC);
		return NULL;
	}
	for (size_t i = 0; i < w->n_topics; i++)
		if (w->topics[i].role != TOPIC_FORWARD && str_equal(name, str_of(w->topics[i].name)))
			return for_watch(w, record, &w->topics[i], watch, why) ? &w->topics[i] : NULL;
	err_set(why, "%s: found a topic that no watch reads any more", ORIGIN_TOPIC);
	return NULL;
}

static size_t size_of(const struct record *record)
{
	size_t size = record->key.len + record->value.len + strlen(record->topic);
	for (size_t i = 0; i < record->n_headers; i++)
		size += record->headers[i].name.len + record->headers[i].value.len + 10;
	return size;
}

static struct passage *add_passage(struct worker *w, struct item *i, const struct watch *watch)
{
	struct passage **last = &i->passages;
	while (*last)
		last = &(*last)->next;
	*last = arena_zero(&w->collected, sizeof **last);
	(*last)->watch = watch;
	return *last;
}

/* Is there room for the headers of its origin?  False: why. */
static bool fits(const struct worker *w, const struct item *i, const struct watch *watch, int32_t partition,
		 struct err *why)
{
	return size_of(&i->record) + (watch ? strlen(watch->name) : 0) <= outbox_max_message(w->outbox) ||
	       err_set(why,
		       "data: found a record that is too large to be forwarded to partition %" PRId32
		       ", where its subject is%s%s",
		       partition, watch ? " for the watch " : "", watch ? watch->name : "");
}

void forward_route(struct worker *w, struct item *i, const struct watch *watch)
{
	struct err why;
	why.text[0] = '\0';
	int32_t right = partition_of(w, i->event.subject);
	bool arrived = w->topics[i->topic].role == TOPIC_FORWARD;
	if (right == i->record.partition && (arrived || !watch || !watch->by_copy))
		return;
	if (arrived)
		err_set(&why,
			"subject: found in partition %" PRId32 ", expected in partition %" PRId32
			" by the partitioner %s, and it was forwarded once already; have the rules or the number of "
			"partitions changed meanwhile?",
			i->record.partition, right, w->settings->partitioner);
	else if (fits(w, i, watch, right, &why)) {
		i->kind = ITEM_FORWARDED;
		add_passage(w, i, watch)->partition = right;
		return;
	}
	collect_reject(w, i, REJECT_PARTITION, why.text);
}

/* Is this the reason of one of the watches before? */
static bool told(const struct item *i, const char *reason)
{
	bool found = i->kind == ITEM_REJECTED && strcmp(i->reason, reason) == 0;
	for (const struct passage *p = i->passages; p && !found; p = p->next)
		found = p->reason && strcmp(p->reason, reason) == 0;
	return found;
}

void forward_copies(struct worker *w, struct item *i, int64_t wall)
{
	struct event event;
	for (const struct watch *next = decode_also(&i->event); next; next = decode_also(&event)) {
		struct err why = {""};
		arena_reset(&w->effects); /* of no turn now */
		enum decode_result result =
			decode_event_for(w->decoder, next, &i->record, wall, &w->effects, &event, &why);
		int32_t partition = result == DECODE_EVENT ? partition_of(w, event.subject) : -1;
		if (result == DECODE_EVENT && fits(w, i, next, partition, &why))
			add_passage(w, i, next)->partition = partition;
		else if (!told(i, why.text))
			add_passage(w, i, next)->reason = arena_text(&w->collected, why.text, strlen(why.text));
	}
}

void forward_write(struct worker *w, const struct item *i)
{
	for (const struct passage *p = i->passages; p; p = p->next)
		if (!p->reason)
			outbox_forward(w->outbox, &i->record, p->partition, p->watch ? p->watch->name : NULL);
}
