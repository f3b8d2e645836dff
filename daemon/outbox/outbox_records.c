/* The outbox's records that have headers: units' messages, rejects, forwarded events. */
#include "outbox_kafka.h"
#include "outbox_send.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	HEADER_BYTES = 10,   /* of a header beside its name and value, at most */
	REASON_BYTES = 1024, /* of a reject's own headers */
};

static void header(rd_kafka_headers_t *headers, const char *name, const char *value)
{
	rd_kafka_header_add(headers, name, -1, value, (ssize_t)strlen(value));
}

void outbox_message(struct outbox *o, const char *topic, struct str key, struct str value)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
	header(headers, "content-type", "application/cloudevents+json; charset=UTF-8");
	outbox_send(o, topic, RD_KAFKA_PARTITION_UA, key, value, headers);
}

static struct str cut(struct str s, size_t *room)
{
	if (s.len > *room)
		s.len = (uint32_t)*room;
	*room -= s.len;
	return s;
}

/* Else who reads a record that was in the rejects before, and was sent again, would find the reason of that time. */
static bool is_rejects_own(struct str name)
{
	return str_equal(name, STR("topic")) || str_equal(name, STR("partition")) || str_equal(name, STR("offset")) ||
	       str_equal(name, STR("reason")) || str_equal(name, STR("watch"));
}

/* The original's headers go along: in binary mode they hold the event. */
void outbox_reject(struct outbox *o, const struct record *record, const char *watch, const char *reason)
{
	char number[24];
	rd_kafka_headers_t *headers = rd_kafka_headers_new(record->n_headers + 5);
	header(headers, "topic", record->topic);
	snprintf(number, sizeof number, "%" PRId32, record->partition);
	header(headers, "partition", number);
	snprintf(number, sizeof number, "%" PRId64, record->offset);
	header(headers, "offset", number);
	header(headers, "reason", reason);
	if (watch)
		header(headers, "watch", watch);
	size_t room = outbox_max_message(o) > REASON_BYTES ? outbox_max_message(o) - REASON_BYTES : 0;
	struct str key = cut(record->key, &room);
	for (size_t i = 0; i < record->n_headers; i++) {
		const struct record_header *h = &record->headers[i];
		if (is_rejects_own(h->name))
			continue;
		struct str name = h->name, with = cut(h->value, &room);
		if (name.len + HEADER_BYTES > room)
			break;
		room -= name.len + HEADER_BYTES;
		rd_kafka_header_add(headers, name.s, name.len, with.s, with.len);
	}
	if (room > REJECT_BYTES)
		room = REJECT_BYTES;
	outbox_send(o, outbox_settings(o)->topics.rejects, RD_KAFKA_PARTITION_UA, key, cut(record->value, &room),
		    headers);
}

static void header_number(rd_kafka_headers_t *headers, const char *name, int64_t n)
{
	char number[24];
	snprintf(number, sizeof number, "%" PRId64, n);
	header(headers, name, number);
}

static bool is_origin(struct str name)
{
	return str_equal(name, STR(ORIGIN_TOPIC)) || str_equal(name, STR(ORIGIN_PARTITION)) ||
	       str_equal(name, STR(ORIGIN_OFFSET)) || str_equal(name, STR(ORIGIN_TIMESTAMP)) ||
	       str_equal(name, STR(ORIGIN_WATCH));
}

/* Headers of these names that came along are another journey's. */
void outbox_forward(struct outbox *o, const struct record *record, int32_t partition, const char *watch)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(record->n_headers + 5);
	header(headers, ORIGIN_TOPIC, record->topic);
	header_number(headers, ORIGIN_PARTITION, record->partition);
	header_number(headers, ORIGIN_OFFSET, record->offset);
	header_number(headers, ORIGIN_TIMESTAMP, record->timestamp);
	if (watch)
		header(headers, ORIGIN_WATCH, watch);
	for (size_t i = 0; i < record->n_headers; i++) {
		const struct record_header *h = &record->headers[i];
		if (!is_origin(h->name))
			rd_kafka_header_add(headers, h->name.s, h->name.len, h->value.s, h->value.len);
	}
	outbox_send(o, outbox_settings(o)->topics.forward, partition, record->key, record->value, headers);
}
