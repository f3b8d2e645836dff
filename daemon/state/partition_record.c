/* Partition records to JSON and back. */
#include "partition_record.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

enum { RECORD_VERSION = 1 };

struct position *partition_record_position(struct partition_record *r, const char *topic)
{
	for (size_t i = 0; i < r->n_positions; i++)
		if (strcmp(r->positions[i].topic, topic) == 0)
			return &r->positions[i];
	return NULL;
}

bool partition_record_move(struct partition_record *r, const char *topic, int64_t next)
{
	struct position *p = partition_record_position(r, topic);
	if (!p) {
		if (r->n_positions == MAX_TOPICS || strlen(topic) >= sizeof p->topic)
			return false;
		p = &r->positions[r->n_positions++];
		memcpy(p->topic, topic, strlen(topic) + 1);
	}
	p->next = next;
	return true;
}

__attribute__((format(printf, 2, 3))) static void append(struct buffer *out, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof text)
		abort();
	if (out->cap - out->len < (size_t)n) {
		out->cap = (out->len + (size_t)n) * 2;
		out->data = realloc(out->data, out->cap);
		if (!out->data)
			abort();
	}
	memcpy(out->data + out->len, text, (size_t)n);
	out->len += (size_t)n;
}

/* Topics have only [a-zA-Z0-9._-]: nothing needs escaping. */
void partition_record_encode(const struct partition_record *r, struct buffer *out)
{
	append(out, "{\"v\":%d,\"incarnation\":\"%s\",", RECORD_VERSION, r->incarnation);
	if (r->clock != INT64_MIN)
		append(out, "\"clock\":%" PRId64 ",", r->clock);
	if (r->swept)
		append(out, "\"swept\":\"%016" PRIx64 "\",", r->swept);
	append(out,
	       "\"rules\":\"%016" PRIx64 "\",\"revision\":%" PRId64 ",\"partitions\":%" PRId32
	       ",\"partitioner\":\"%s\",\"positions\":{",
	       r->rules, r->revision, r->partitions, r->partitioner);
	for (size_t i = 0; i < r->n_positions; i++)
		append(out, "%s\"%s\":%" PRId64, i ? "," : "", r->positions[i].topic, r->positions[i].next);
	append(out, "}}");
}

static bool take_positions(struct partition_record *r, json_t *positions, struct err *why)
{
	const char *topic;
	json_t *next;
	json_object_foreach(positions, topic, next)
	{
		if (!json_is_integer(next) || json_integer_value(next) < 0)
			return err_set(why, "the position of %s is no offset", topic);
		if (!partition_record_move(r, topic, json_integer_value(next)))
			return err_set(why, "more than %d topics", MAX_TOPICS);
	}
	return true;
}

static bool take_fields(struct partition_record *r, json_t *root, struct err *why)
{
	int version = 0;
	json_int_t clock = INT64_MIN, revision = 0, partitions = 0;
	const char *incarnation = NULL, *rules = NULL, *swept = NULL, *partitioner = NULL;
	json_t *positions = NULL;
	json_error_t e;
	if (json_unpack_ex(root, &e, 0, "{s:i}", "v", &version) != 0)
		return err_set(why, "%s", e.text);
	if (version != RECORD_VERSION)
		return err_set(why, "version %d; this program writes version %d", version, RECORD_VERSION);
	if (json_unpack_ex(root, &e, 0, "{s:s, s?I, s:s, s?s, s:I, s:I, s:s, s:o}", "incarnation", &incarnation,
			   "clock", &clock, "rules", &rules, "swept", &swept, "revision", &revision, "partitions",
			   &partitions, "partitioner", &partitioner, "positions", &positions) != 0)
		return err_set(why, "%s", e.text);
	if (strlen(incarnation) != INCARNATION_LEN || strlen(partitioner) >= sizeof r->partitioner || partitions < 1 ||
	    partitions > INT32_MAX || !json_is_object(positions))
		return err_set(why, "a field is out of its range");
	memcpy(r->incarnation, incarnation, INCARNATION_LEN + 1);
	memcpy(r->partitioner, partitioner, strlen(partitioner) + 1);
	r->clock = clock;
	r->rules = strtoull(rules, NULL, 16);
	r->swept = swept ? strtoull(swept, NULL, 16) : 0;
	r->revision = revision;
	r->partitions = (int32_t)partitions;
	return take_positions(r, positions, why);
}

bool partition_record_decode(struct partition_record *r, struct str bytes, struct err *why)
{
	json_error_t e;
	memset(r, 0, sizeof *r);
	json_t *root = json_loadb(bytes.s, bytes.len, JSON_REJECT_DUPLICATES, &e);
	if (!root)
		return err_set(why, "the partition record isn't JSON: %s", e.text);
	bool ok = take_fields(r, root, why);
	json_decref(root);
	return ok || err_prefix(why, "the partition record");
}
