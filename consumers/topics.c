/* Checks topics by the cluster's metadata, and their settings where the brokers tell them. */
#include "topics.h"
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	KAFKA_DEFAULT_BYTES = 1000000,
	SETTINGS_MS = 1500 /* the embedded broker never answers this; others at once */
};

static const rd_kafka_metadata_topic_t *find(const rd_kafka_metadata_t *m, const char *name)
{
	for (int i = 0; i < m->topic_cnt; i++)
		if (strcmp(m->topics[i].topic, name) == 0)
			return &m->topics[i];
	return NULL;
}

/* -1: it isn't there. */
static int32_t partitions_of(const rd_kafka_metadata_t *m, const char *name, struct err *why)
{
	const rd_kafka_metadata_topic_t *t = find(m, name);
	if (!t || t->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
		err_set(why, "topic %s is missing, or this user may not see it; `shouwangctl topics` makes it", name);
	else if (t->err)
		err_set(why, "topic %s: %s", name, rd_kafka_err2str(t->err));
	else
		return t->partition_cnt;
	return -1;
}

static bool check_partitions(const rd_kafka_metadata_t *m, const struct settings *s, struct topics *t, struct err *why)
{
	t->partitions = partitions_of(m, s->topics.state, why);
	if (t->partitions < 0)
		return false;
	for (size_t i = 0; i < t->n_inputs; i++) {
		int32_t n = partitions_of(m, t->inputs[i], why);
		if (n < 0)
			return false;
		if (n != t->partitions)
			return err_set(why,
				       "topic %s has %" PRId32 " partitions and %s has %" PRId32
				       ": all topics that are read, and the state's, must have the same number; "
				       "bring its events to one with %" PRId32 " and name that one instead",
				       t->inputs[i], n, s->topics.state, t->partitions, t->partitions);
	}
	for (size_t i = 0; i < t->n_outputs; i++)
		if (partitions_of(m, t->outputs[i], why) < 0)
			return false;
	return true;
}

/* --- settings */

static const char *value_of(const rd_kafka_ConfigResource_t *r, const char *name)
{
	size_t n;
	const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(r, &n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0)
			return rd_kafka_ConfigEntry_value(entries[i]);
	return NULL;
}

static bool take_settings(const rd_kafka_ConfigResource_t *r, const struct settings *s, struct topics *t,
			  struct err *why)
{
	const char *name = rd_kafka_ConfigResource_name(r);
	if (rd_kafka_ConfigResource_error(r)) {
		err_set(&t->warning, "the settings of topic %s can't be checked: %s", name,
			rd_kafka_ConfigResource_error_string(r));
		return true;
	}
	const char *bytes = value_of(r, "max.message.bytes"), *policy = value_of(r, "cleanup.policy");
	long limit = bytes ? strtol(bytes, NULL, 10) : 0;
	if (limit > 0 && limit < t->batch_bytes)
		t->batch_bytes = (int32_t)limit;
	if (strcmp(name, s->topics.state) != 0)
		return true;
	if (limit > 0)
		t->state_bytes = limit > 100000000 ? 100000000 : (int32_t)limit;
	if (policy && strcmp(policy, "compact") != 0)
		return err_set(
			why,
			"topic %s has cleanup.policy=%s, which loses states: it must be compact and nothing else; "
			"`shouwangctl topics` sets it",
			name, policy);
	return true;
}

/* One topic at a time: librdkafka 2.0.2 misreads an answer about several. */
static rd_kafka_event_t *describe(rd_kafka_t *rk, const char *topic)
{
	char text[256];
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
	rd_kafka_AdminOptions_set_request_timeout(options, SETTINGS_MS, text, sizeof text);
	rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
	rd_kafka_DescribeConfigs(rk, &resource, 1, options, queue);
	rd_kafka_event_t *e = rd_kafka_queue_poll(queue, SETTINGS_MS + 1000);
	rd_kafka_ConfigResource_destroy(resource);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
	return e;
}

static bool check_one(rd_kafka_t *rk, const struct settings *s, struct topics *t, const char *topic, struct err *why)
{
	bool ok = true;
	size_t n = 0;
	rd_kafka_event_t *e = describe(rk, topic);
	const rd_kafka_DescribeConfigs_result_t *result = e ? rd_kafka_event_DescribeConfigs_result(e) : NULL;
	if (!result || rd_kafka_event_error(e)) {
		err_set(&t->warning, "the topics' settings can't be checked (cleanup.policy=compact of %s): %s",
			s->topics.state, e ? rd_kafka_event_error_string(e) : "no answer");
	} else {
		const rd_kafka_ConfigResource_t **list = rd_kafka_DescribeConfigs_result_resources(result, &n);
		for (size_t i = 0; i < n && ok; i++)
			ok = take_settings(list[i], s, t, why);
	}
	if (e)
		rd_kafka_event_destroy(e);
	return ok;
}

/* After one that the brokers don't tell, the others aren't asked. */
static bool check_settings(rd_kafka_t *rk, const struct settings *s, struct topics *t, struct err *why)
{
	t->state_bytes = t->batch_bytes = KAFKA_DEFAULT_BYTES;
	bool ok = check_one(rk, s, t, s->topics.state, why);
	for (size_t i = 0; i < t->n_outputs && ok && !t->warning.text[0]; i++)
		ok = check_one(rk, s, t, t->outputs[i], why);
	return ok;
}

static bool take_cluster(rd_kafka_t *rk, struct topics *t, int timeout_ms, struct err *why)
{
	char *id = rd_kafka_clusterid(rk, timeout_ms);
	if (!id)
		return err_set(why, "the cluster doesn't tell its id");
	snprintf(t->cluster, sizeof t->cluster, "%s", id);
	rd_kafka_mem_free(rk, id);
	return true;
}

bool topics_check(rd_kafka_t *rk, const struct settings *s, struct topics *t, int timeout_ms, struct err *why)
{
	const rd_kafka_metadata_t *m;
	rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 1, NULL, &m, timeout_ms);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_set(why, "asking for the topics: %s", rd_kafka_err2str(code));
	t->answered = true;
	bool ok = check_partitions(m, s, t, why);
	rd_kafka_metadata_destroy(m);
	return ok && take_cluster(rk, t, timeout_ms, why) && check_settings(rk, s, t, why);
}
