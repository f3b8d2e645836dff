/* Kafka for the tools. */
#include "kafka.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

enum { PATIENCE = 15000 }; /* ms, to reach a cluster */

void kafka_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk;
	/* CONFWARN: a producer's property in a consumer and the like; the settings' properties are for both */
	if (level <= LOG_WARNING && strcmp(facility, "CONFWARN") != 0)
		fprintf(stderr, "kafka: %s: %s\n", facility, text);
}

rd_kafka_t *kafka_client(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct err *why)
{
	char text[256];
	rd_kafka_conf_set_log_cb(conf, kafka_log);
	rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
	if (!rk) {
		rd_kafka_conf_destroy(conf);
		err_set(why, "kafka: %s", text);
	}
	return rk;
}

const struct rd_kafka_metadata *kafka_metadata(rd_kafka_t *rk, struct err *why)
{
	const struct rd_kafka_metadata *all = NULL;
	rd_kafka_resp_err_t e = rd_kafka_metadata(rk, 1, NULL, &all, PATIENCE);
	if (e)
		err_set(why, "kafka: no answer from the cluster: %s", rd_kafka_err2str(e));
	return e ? NULL : all;
}

const struct rd_kafka_metadata_topic *kafka_topic(const struct rd_kafka_metadata *all, const char *name)
{
	for (int i = 0; i < all->topic_cnt; i++)
		if (strcmp(all->topics[i].topic, name) == 0)
			return &all->topics[i];
	return NULL;
}

struct topic_reader {
	rd_kafka_t *rk;
	rd_kafka_topic_partition_list_t *list; /* opaque: set once its end was reached */
	int ended;
	bool until_end;
};

static rd_kafka_conf_t *reader_conf(const struct settings *s, struct err *why)
{
	char group[64]; /* librdkafka wants a name, but with assign() nobody joins it */
	rd_kafka_conf_t *conf = kafka_conf_new(s, why);
	if (!conf)
		return NULL;
	snprintf(group, sizeof group, "shouwangctl-%d", (int)getpid());
	if (kafka_conf_set(conf, "group.id", group, why) &&
	    kafka_conf_set(conf, "isolation.level", "read_committed", why) &&
	    kafka_conf_set(conf, "enable.partition.eof", "true", why) &&
	    kafka_conf_set(conf, "enable.auto.commit", "false", why) &&
	    kafka_conf_set(conf, "auto.offset.reset", "earliest", why) &&
	    kafka_conf_set(conf, "fetch.wait.max.ms", "50", why))
		return conf;
	rd_kafka_conf_destroy(conf);
	return NULL;
}

static bool assign(struct topic_reader *r, char *const *topics, size_t n, struct err *why)
{
	const struct rd_kafka_metadata *all = kafka_metadata(r->rk, why);
	if (!all)
		return false;
	rd_kafka_topic_partition_list_t *list = r->list = rd_kafka_topic_partition_list_new(16);
	for (size_t i = 0; i < n; i++) {
		const struct rd_kafka_metadata_topic *t = kafka_topic(all, topics[i]);
		if (!t)
			err_set(why, "topic %s: there is none; `shouwangctl topics` creates it", topics[i]);
		for (int p = 0; t && p < t->partition_cnt; p++)
			rd_kafka_topic_partition_list_add(list, topics[i], t->partitions[p].id)->offset =
				RD_KAFKA_OFFSET_BEGINNING;
	}
	rd_kafka_resp_err_t e = why->text[0] ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_assign(r->rk, list);
	if (e)
		err_set(why, "kafka: %s", rd_kafka_err2str(e));
	rd_kafka_metadata_destroy(all);
	return !why->text[0];
}

struct topic_reader *topic_reader_open(const struct settings *s, char *const *topics, size_t n, bool until_end,
				       struct err *why)
{
	rd_kafka_conf_t *conf = reader_conf(s, why);
	rd_kafka_t *rk = conf ? kafka_client(RD_KAFKA_CONSUMER, conf, why) : NULL;
	if (!rk)
		return NULL;
	struct topic_reader *r = calloc(1, sizeof *r);
	if (!r)
		abort();
	*r = (struct topic_reader){.rk = rk, .until_end = until_end};
	rd_kafka_poll_set_consumer(rk);
	if (assign(r, topics, n, why))
		return r;
	topic_reader_close(r);
	return NULL;
}

void topic_reader_close(struct topic_reader *r)
{
	if (!r)
		return;
	rd_kafka_consumer_close(r->rk);
	if (r->list)
		rd_kafka_topic_partition_list_destroy(r->list);
	rd_kafka_destroy(r->rk);
	free(r);
}

bool topic_reader_ended(const struct topic_reader *r)
{
	return r->until_end && r->ended >= r->list->cnt;
}

static void note_end(struct topic_reader *r, const rd_kafka_message_t *m)
{
	rd_kafka_topic_partition_t *p =
		rd_kafka_topic_partition_list_find(r->list, rd_kafka_topic_name(m->rkt), m->partition);
	if (!p || p->opaque)
		return; /* told again, after more was written */
	p->opaque = p;
	r->ended++;
}

rd_kafka_message_t *topic_reader_next(struct topic_reader *r, int timeout, struct err *why)
{
	while (!topic_reader_ended(r)) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(r->rk, timeout);
		if (!m)
			return NULL;
		if (!m->err)
			return m;
		if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
			note_end(r, m);
		else if (m->err != RD_KAFKA_RESP_ERR__TRANSPORT && m->err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
			err_set(why, "kafka: %s", rd_kafka_message_errstr(m));
		rd_kafka_message_destroy(m);
		if (why->text[0])
			return NULL;
	}
	return NULL;
}
