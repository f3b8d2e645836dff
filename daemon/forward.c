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

int32_t forward_partition(const struct worker *w, struct str subject)
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

bool forward_fits(const struct worker *w, const struct record *record, const struct watch *watch)
{
	size_t name = watch ? strlen(watch->name) : 0;
	return size_of(record) + name <= outbox_max_message(w->outbox);
}

void forward_write(struct worker *w, const struct item *i)
{
	for (const struct passage *p = i->passages; p; p = p->next)
		if (!p->reason)
			outbox_forward(w->outbox, &i->record, p->partition, p->watch ? p->watch->name : NULL);
}
