/* The worker's consumer: assignments noted, records drained one by one and copied out. */
#include "inbox_kafka.h"
#include "../daemon/ops/log.h"
#include "../daemon/ops/memory_bound.h"
#include "kafka_client.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct inbox {
	const struct settings *settings;
	rd_kafka_t *rk;
	struct kafka_trouble trouble;
	struct arena names;
	struct inbox_topic *topics; /* names are ours */
	size_t n_topics;
	rd_kafka_topic_partition_list_t *assigned; /* by the group; NULL: none yet */
	rd_kafka_consumer_group_metadata_t *metadata;
	bool rebalanced;    /* since the last poll told so */
	char kept_out[256]; /* of the group: why */
};

static const struct kafka_setting settings_of_inbox[] = {
	{"enable.auto.commit", "false", true},
	{"enable.auto.offset.store", "false", true},
	{"auto.offset.reset", "error", true}, /* nothing starts over silently */
	{"isolation.level", "read_committed", true},
	{"partition.assignment.strategy", "range", true}, /* eager: cooperative is broken in 2.0.2 */
	{"enable.partition.eof", "true", true},
	{"queued.max.messages.kbytes", KAFKA_NUMBER(INPUT_QUEUE_KBYTES), false},
	{"queued.min.messages", KAFKA_NUMBER(INPUT_QUEUE_RECORDS), false},
	{"fetch.max.bytes", KAFKA_NUMBER(FETCH_BYTES), false},
	{"session.timeout.ms", "15000", false},
	{"heartbeat.interval.ms", "3000", false},
	{"fetch.error.backoff.ms", "50", false},
	{"reconnect.backoff.max.ms", "2000", false},
	{"topic.metadata.refresh.interval.ms", "60000", false},
};

/* --- the group's callback: only takes notes */

static void forget_assignment(struct inbox *in)
{
	if (in->assigned)
		rd_kafka_topic_partition_list_destroy(in->assigned);
	if (in->metadata)
		rd_kafka_consumer_group_metadata_destroy(in->metadata);
	in->assigned = NULL;
	in->metadata = NULL;
}

/* Nothing is fetched before the partitions are taken over: the client is given an empty list. */
static void take_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
			   void *opaque)
{
	struct inbox *in = (struct inbox *)((char *)opaque - offsetof(struct inbox, trouble));
	forget_assignment(in);
	in->rebalanced = true;
	if (code != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		rd_kafka_assign(rk, NULL);
		return;
	}
	in->kept_out[0] = '\0';
	in->assigned = rd_kafka_topic_partition_list_copy(list);
	in->metadata = rd_kafka_consumer_group_metadata(rk);
	rd_kafka_topic_partition_list_t *nothing = rd_kafka_topic_partition_list_new(0);
	rd_kafka_assign(rk, nothing);
	rd_kafka_topic_partition_list_destroy(nothing);
}

/* --- open, subscribe, close */

static rd_kafka_t *consumer_new(struct inbox *in, int32_t number, struct err *why)
{
	char client[128];
	rd_kafka_conf_t *conf = kafka_client_conf(in->settings, settings_of_inbox,
						  sizeof settings_of_inbox / sizeof *settings_of_inbox, why);
	if (!conf)
		return NULL;
	snprintf(client, sizeof client, "shouwang-%s-%s-%" PRId32, in->settings->instance, in->settings->node, number);
	if (!kafka_conf_set(conf, "group.id", in->settings->instance, why) ||
	    !kafka_conf_set(conf, "client.id", client, why)) {
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	rd_kafka_conf_set_opaque(conf, &in->trouble);
	rd_kafka_conf_set_rebalance_cb(conf, take_rebalance);
	return kafka_client_new(RD_KAFKA_CONSUMER, conf, why);
}

struct inbox *inbox_open(const struct settings *s, int32_t number, struct err *why)
{
	struct inbox *in = calloc(1, sizeof *in);
	if (!in)
		abort();
	in->settings = s;
	arena_init(&in->names);
	in->rk = consumer_new(in, number, why);
	if (in->rk) {
		rd_kafka_poll_set_consumer(in->rk);
		return in;
	}
	arena_close(&in->names);
	free(in);
	return NULL;
}

void inbox_close(struct inbox *in)
{
	if (!in)
		return;
	rd_kafka_consumer_close(in->rk);
	forget_assignment(in);
	kafka_client_destroy(in->rk);
	arena_close(&in->names);
	free(in);
}

bool inbox_subscribe(struct inbox *in, const struct inbox_topic *topics, size_t n, struct err *why)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
	arena_reset(&in->names);
	in->topics = ARENA_ARRAY(&in->names, struct inbox_topic, n);
	in->n_topics = n;
	for (size_t i = 0; i < n; i++) {
		in->topics[i] = topics[i];
		in->topics[i].name = arena_text(&in->names, topics[i].name, strlen(topics[i].name));
		rd_kafka_topic_partition_list_add(list, topics[i].name, RD_KAFKA_PARTITION_UA);
	}
	rd_kafka_resp_err_t code = rd_kafka_subscribe(in->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR || err_set(why, "subscribing: %s", rd_kafka_err2str(code));
}

/* --- polling */

/* UINT32_MAX: a topic that we no longer read. */
static uint32_t topic_index(const struct inbox *in, const char *name)
{
	for (uint32_t i = 0; i < in->n_topics; i++)
		if (strcmp(in->topics[i].name, name) == 0)
			return i;
	return UINT32_MAX;
}

static struct record_header *copy_headers(const rd_kafka_message_t *m, struct arena *a, size_t *n)
{
	rd_kafka_headers_t *headers;
	*n = 0;
	if (rd_kafka_message_headers(m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return NULL;
	size_t most = rd_kafka_header_cnt(headers), len;
	struct record_header *out = ARENA_ARRAY(a, struct record_header, most);
	const char *name;
	const void *value;
	while (*n < most && rd_kafka_header_get_all(headers, *n, &name, &value, &len) == RD_KAFKA_RESP_ERR_NO_ERROR)
		out[(*n)++] = (struct record_header){arena_str(a, str_of(name)),
						     arena_str(a, (struct str){value, (uint32_t)len})};
	return out;
}

static void copy_record(const struct inbox *in, const rd_kafka_message_t *m, struct arena *a, struct record *out)
{
	rd_kafka_timestamp_type_t kind;
	*out = (struct record){.topic = in->topics[topic_index(in, rd_kafka_topic_name(m->rkt))].name,
			       .partition = m->partition,
			       .offset = m->offset,
			       .timestamp = rd_kafka_message_timestamp(m, &kind)};
	if (m->key)
		out->key = (struct str){arena_copy(a, m->key, m->key_len), (uint32_t)m->key_len};
	if (m->payload)
		out->value = (struct str){arena_copy(a, m->payload, m->len), (uint32_t)m->len};
	out->headers = copy_headers(m, a, &out->n_headers);
}

static enum inbox_news take_failure(struct inbox *in, const rd_kafka_message_t *m, struct inbox_item *out,
				    struct err *why)
{
	char text[256];
	switch (m->err) {
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		return INBOX_END;
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
		snprintf(out->place.why, sizeof out->place.why, "offset %" PRId64 " isn't there any more", m->offset);
		return INBOX_BROKEN;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		err_set(why, "topic %s: this user may not read it (%s)%s", m->rkt ? rd_kafka_topic_name(m->rkt) : "?",
			rd_kafka_message_errstr(m), kafka_remedy(m->err));
		return INBOX_REFUSED;
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
		snprintf(in->kept_out, sizeof in->kept_out, "this user may not join it (%s)%s",
			 rd_kafka_message_errstr(m), kafka_remedy(m->err));
		err_set(why, "the group %s: %s", in->settings->instance, in->kept_out);
		return INBOX_TROUBLE;
	case RD_KAFKA_RESP_ERR__FATAL:
		rd_kafka_fatal_error(in->rk, text, sizeof text);
		err_set(why, "the consumer: %s", text);
		return INBOX_FATAL;
	default:
		err_set(why, "reading: %s", rd_kafka_message_errstr(m));
		return INBOX_TROUBLE;
	}
}

enum inbox_news inbox_poll(struct inbox *in, int timeout_ms, struct arena *a, struct inbox_item *out, struct err *why)
{
	enum inbox_news news = INBOX_RECORD;
	rd_kafka_message_t *m = rd_kafka_consumer_poll(in->rk, timeout_ms);
	if (in->rebalanced) {
		in->rebalanced = false;
		news = INBOX_REBALANCED;
	} else if (!m) {
		news = INBOX_NOTHING;
	} else {
		uint32_t topic = m->rkt ? topic_index(in, rd_kafka_topic_name(m->rkt)) : UINT32_MAX;
		out->place = (struct inbox_place){.topic = topic, .partition = m->partition, .offset = m->offset};
		if (m->err)
			news = take_failure(in, m, out, why);
		else if (topic == UINT32_MAX)
			news = INBOX_NOTHING;
		else
			copy_record(in, m, a, &out->record);
		if (topic == UINT32_MAX && (news == INBOX_END || news == INBOX_BROKEN))
			news = INBOX_NOTHING;
		if (news == INBOX_RECORD || news == INBOX_END)
			in->trouble.away = false;
	}
	if (m)
		rd_kafka_message_destroy(m);
	return news;
}

/* --- what is assigned */

bool inbox_has(const struct inbox *in, uint32_t topic, int32_t partition)
{
	return in->assigned && topic < in->n_topics &&
	       rd_kafka_topic_partition_list_find(in->assigned, in->topics[topic].name, partition) != NULL;
}

int32_t inbox_last_partition(const struct inbox *in)
{
	int32_t last = -1;
	for (int i = 0; in->assigned && i < in->assigned->cnt; i++)
		if (in->assigned->elems[i].partition > last)
			last = in->assigned->elems[i].partition;
	return last;
}

bool inbox_joined(const struct inbox *in)
{
	return in->assigned != NULL;
}

const char *inbox_kept_out(const struct inbox *in)
{
	return in->kept_out;
}

const struct rd_kafka_consumer_group_metadata_s *inbox_metadata(const struct inbox *in)
{
	return in->metadata;
}

/* --- offsets */

static rd_kafka_topic_partition_list_t *list_of(const struct inbox *in, const struct inbox_place *list, size_t n)
{
	rd_kafka_topic_partition_list_t *out = rd_kafka_topic_partition_list_new((int)n);
	for (size_t i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add(out, in->topics[list[i].topic].name, list[i].partition)->offset =
			list[i].offset;
	return out;
}

bool inbox_read(struct inbox *in, const struct inbox_place *list, size_t n, struct err *why)
{
	rd_kafka_topic_partition_list_t *l = list_of(in, list, n);
	rd_kafka_resp_err_t code = rd_kafka_assign(in->rk, l);
	rd_kafka_topic_partition_list_destroy(l);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR || err_set(why, "assigning: %s", rd_kafka_err2str(code));
}

int64_t inbox_high(const struct inbox *in, uint32_t topic, int32_t partition)
{
	int64_t low, high;
	if (topic >= in->n_topics || rd_kafka_get_watermark_offsets(in->rk, in->topics[topic].name, partition, &low,
								    &high) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return -1;
	return high < 0 ? -1 : high;
}

/* Answers one by one; what is still undecided (UNSTABLE_OFFSET_COMMIT) makes the whole wait. */
static bool take_offsets(struct inbox_place *list, size_t n, const rd_kafka_topic_partition_list_t *l,
			 const char *doing, struct err *why)
{
	for (size_t i = 0; i < n; i++) {
		const rd_kafka_topic_partition_t *e = &l->elems[i];
		if (e->err == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT)
			return err_set(why, "%s: a former owner's transaction isn't decided yet", doing);
		list[i].failed = e->err != RD_KAFKA_RESP_ERR_NO_ERROR;
		list[i].offset = e->offset < 0 ? -1 : e->offset;
		if (list[i].failed)
			snprintf(list[i].why, sizeof list[i].why, "%s: %s", doing, rd_kafka_err2str(e->err));
	}
	return true;
}

bool inbox_committed(struct inbox *in, struct inbox_place *list, size_t n, int timeout_ms, struct err *why)
{
	static const char doing[] = "asking for the group's offsets";
	rd_kafka_topic_partition_list_t *l = list_of(in, list, n);
	rd_kafka_resp_err_t code = rd_kafka_committed(in->rk, l, timeout_ms);
	bool ok = code == RD_KAFKA_RESP_ERR_NO_ERROR ? take_offsets(list, n, l, doing, why)
						     : err_set(why, "%s: %s", doing, rd_kafka_err2str(code));
	rd_kafka_topic_partition_list_destroy(l);
	return ok;
}

/* As times, "beginning" and "end" ask for the earliest offset and the last one. */
static bool ask_offsets(struct inbox *in, struct inbox_place *list, size_t n, int64_t time, int timeout_ms,
			const char *doing, struct err *why)
{
	rd_kafka_topic_partition_list_t *l = list_of(in, list, n);
	for (size_t i = 0; i < n; i++)
		l->elems[i].offset = time;
	rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(in->rk, l, timeout_ms);
	bool ok = code == RD_KAFKA_RESP_ERR_NO_ERROR ? take_offsets(list, n, l, doing, why)
						     : err_set(why, "%s: %s", doing, rd_kafka_err2str(code));
	rd_kafka_topic_partition_list_destroy(l);
	return ok;
}

bool inbox_earliest(struct inbox *in, struct inbox_place *list, size_t n, int timeout_ms, struct err *why)
{
	return ask_offsets(in, list, n, RD_KAFKA_OFFSET_BEGINNING, timeout_ms, "asking for the earliest offsets", why);
}

static bool ask_any(struct inbox *in, int timeout_ms, const char *doing, struct err *why)
{
	const struct rd_kafka_metadata *m;
	rd_kafka_resp_err_t code = rd_kafka_metadata(in->rk, 0, NULL, &m, timeout_ms);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_set(why, "%s: %s", doing, rd_kafka_err2str(code));
	rd_kafka_metadata_destroy(m);
	return true;
}

bool inbox_ends(struct inbox *in, struct inbox_place *list, size_t n, int timeout_ms, struct err *why)
{
	static const char doing[] = "asking Kafka where the topics end";
	bool ok = n ? ask_offsets(in, list, n, RD_KAFKA_OFFSET_END, timeout_ms, doing, why)
		    : ask_any(in, timeout_ms, doing, why);
	if (ok)
		in->trouble.away = false;
	else if (in->trouble.away)
		err_prefix(why, "%s", in->trouble.what);
	return ok;
}

bool inbox_trouble(const struct inbox *in)
{
	return in->trouble.away;
}
