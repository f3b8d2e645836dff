/* Does to a Kafka cluster what a careless operator, retention or a stranger does; for the tests of faults.
 *
 *     meddle BOOTSTRAP create-topic TOPIC PARTITIONS [NAME=VALUE…]
 *     meddle BOOTSTRAP delete-topic TOPIC
 *     meddle BOOTSTRAP add-partitions TOPIC PARTITIONS      as many as it has then
 *     meddle BOOTSTRAP configure TOPIC [NAME=VALUE…]        these settings alone
 *     meddle BOOTSTRAP delete-records TOPIC PARTITION OFFSET  all before the offset, as retention does
 *     meddle BOOTSTRAP commit GROUP TOPIC PARTITION OFFSET  sets the group's offset (the group must have no member)
 *     meddle BOOTSTRAP forget GROUP [TOPIC PARTITIONS]      deletes the group, or its offsets of one topic
 *     meddle BOOTSTRAP copy FROM TO PARTITIONS              what is committed of each partition, as a mirror does
 *     meddle BOOTSTRAP fence TRANSACTIONAL-ID               takes the id from its holder
 */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE = 30000 };

static const char *bootstrap;
static rd_kafka_t *client;
static rd_kafka_queue_t *queue;

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "meddle: %s: %s\n", what, why);
	return 1;
}

static rd_kafka_t *open_client(const char *transactional_id)
{
	char why[256] = "";
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, why, sizeof why);
	if (transactional_id)
		rd_kafka_conf_set(conf, "transactional.id", transactional_id, why, sizeof why);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	if (!rk) {
		rd_kafka_conf_destroy(conf);
		complain(bootstrap, why);
	}
	return rk;
}

/* --- answers: the first error of a result, whatever it is of; NULL: none.  n is read only after the list is there */

static const char *topic_error(const rd_kafka_topic_result_t **list, const size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		if (rd_kafka_topic_result_error(list[i]))
			return rd_kafka_topic_result_error_string(list[i]);
	return NULL;
}

static const char *group_error(const rd_kafka_group_result_t **list, const size_t *n)
{
	for (size_t i = 0; i < *n; i++) {
		const rd_kafka_topic_partition_list_t *l = rd_kafka_group_result_partitions(list[i]);
		if (rd_kafka_group_result_error(list[i]))
			return rd_kafka_error_string(rd_kafka_group_result_error(list[i]));
		for (int k = 0; l && k < l->cnt; k++)
			if (l->elems[k].err)
				return rd_kafka_err2str(l->elems[k].err);
	}
	return NULL;
}

static const char *records_error(const rd_kafka_topic_partition_list_t *list)
{
	for (int i = 0; i < list->cnt; i++)
		if (list->elems[i].err)
			return rd_kafka_err2str(list->elems[i].err);
	return NULL;
}

static const char *config_error(const rd_kafka_ConfigResource_t **list, const size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		if (rd_kafka_ConfigResource_error(list[i]))
			return rd_kafka_ConfigResource_error_string(list[i]);
	return NULL;
}

static const char *error_of(rd_kafka_event_t *e)
{
	size_t n;
	if (rd_kafka_event_error(e))
		return rd_kafka_event_error_string(e);
	switch (rd_kafka_event_type(e)) {
	case RD_KAFKA_EVENT_CREATETOPICS_RESULT:
		return topic_error(rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(e), &n), &n);
	case RD_KAFKA_EVENT_DELETETOPICS_RESULT:
		return topic_error(rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(e), &n), &n);
	case RD_KAFKA_EVENT_CREATEPARTITIONS_RESULT:
		return topic_error(
			rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(e), &n), &n);
	case RD_KAFKA_EVENT_ALTERCONFIGS_RESULT:
		return config_error(rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(e), &n),
				    &n);
	case RD_KAFKA_EVENT_DELETERECORDS_RESULT:
		return records_error(rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(e)));
	case RD_KAFKA_EVENT_ALTERCONSUMERGROUPOFFSETS_RESULT:
		return group_error(rd_kafka_AlterConsumerGroupOffsets_result_groups(
					   rd_kafka_event_AlterConsumerGroupOffsets_result(e), &n),
				   &n);
	case RD_KAFKA_EVENT_DELETECONSUMERGROUPOFFSETS_RESULT:
		return group_error(rd_kafka_DeleteConsumerGroupOffsets_result_groups(
					   rd_kafka_event_DeleteConsumerGroupOffsets_result(e), &n),
				   &n);
	case RD_KAFKA_EVENT_DELETEGROUPS_RESULT:
		return group_error(rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(e), &n), &n);
	default:
		return NULL;
	}
}

/* Waits for the answer to the one request that was sent. */
static int await(const char *what)
{
	rd_kafka_event_t *e = rd_kafka_queue_poll(queue, PATIENCE);
	if (!e)
		return complain(what, "no answer");
	const char *error = error_of(e);
	int code = error ? complain(what, error) : 0;
	rd_kafka_event_destroy(e);
	return code;
}

/* --- topics */

static int create_topic(int argc, char **argv)
{
	char why[256] = "", *equals;
	rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(argv[0], atoi(argv[1]), 1, why, sizeof why);
	if (!t)
		return complain(argv[0], why);
	for (int i = 2; i < argc; i++)
		if ((equals = strchr(argv[i], '='))) {
			*equals = '\0';
			rd_kafka_NewTopic_set_config(t, argv[i], equals + 1);
		}
	rd_kafka_CreateTopics(client, &t, 1, NULL, queue);
	rd_kafka_NewTopic_destroy(t);
	return await(argv[0]);
}

static int delete_topic(int argc, char **argv)
{
	(void)argc;
	rd_kafka_DeleteTopic_t *t = rd_kafka_DeleteTopic_new(argv[0]);
	rd_kafka_DeleteTopics(client, &t, 1, NULL, queue);
	rd_kafka_DeleteTopic_destroy(t);
	return await(argv[0]);
}

static int add_partitions(int argc, char **argv)
{
	(void)argc;
	char why[256] = "";
	rd_kafka_NewPartitions_t *p = rd_kafka_NewPartitions_new(argv[0], (size_t)atoi(argv[1]), why, sizeof why);
	if (!p)
		return complain(argv[0], why);
	rd_kafka_CreatePartitions(client, &p, 1, NULL, queue);
	rd_kafka_NewPartitions_destroy(p);
	return await(argv[0]);
}

static int configure(int argc, char **argv)
{
	char *equals;
	rd_kafka_ConfigResource_t *r = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, argv[0]);
	for (int i = 1; i < argc; i++)
		if ((equals = strchr(argv[i], '='))) {
			*equals = '\0';
			rd_kafka_ConfigResource_set_config(r, argv[i], equals + 1);
		}
	rd_kafka_AlterConfigs(client, &r, 1, NULL, queue);
	rd_kafka_ConfigResource_destroy(r);
	return await(argv[0]);
}

static int delete_records(int argc, char **argv)
{
	(void)argc;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, argv[0], atoi(argv[1]))->offset = atoll(argv[2]);
	rd_kafka_DeleteRecords_t *d = rd_kafka_DeleteRecords_new(list);
	rd_kafka_DeleteRecords(client, &d, 1, NULL, queue);
	rd_kafka_DeleteRecords_destroy(d);
	rd_kafka_topic_partition_list_destroy(list);
	return await(argv[0]);
}

/* --- the group's offsets */

static int commit(int argc, char **argv)
{
	(void)argc;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, argv[1], atoi(argv[2]))->offset = atoll(argv[3]);
	rd_kafka_AlterConsumerGroupOffsets_t *a = rd_kafka_AlterConsumerGroupOffsets_new(argv[0], list);
	rd_kafka_AlterConsumerGroupOffsets(client, &a, 1, NULL, queue);
	rd_kafka_AlterConsumerGroupOffsets_destroy(a);
	rd_kafka_topic_partition_list_destroy(list);
	return await(argv[0]);
}

static int forget(int argc, char **argv)
{
	if (argc < 3) {
		rd_kafka_DeleteGroup_t *g = rd_kafka_DeleteGroup_new(argv[0]);
		rd_kafka_DeleteGroups(client, &g, 1, NULL, queue);
		rd_kafka_DeleteGroup_destroy(g);
		return await(argv[0]);
	}
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	for (int i = 0; i < atoi(argv[2]); i++)
		rd_kafka_topic_partition_list_add(list, argv[1], i);
	rd_kafka_DeleteConsumerGroupOffsets_t *d = rd_kafka_DeleteConsumerGroupOffsets_new(argv[0], list);
	rd_kafka_DeleteConsumerGroupOffsets(client, &d, 1, NULL, queue);
	rd_kafka_DeleteConsumerGroupOffsets_destroy(d);
	rd_kafka_topic_partition_list_destroy(list);
	return await(argv[0]);
}

/* --- a mirror */

static rd_kafka_t *open_reader(const char *topic, int partitions)
{
	static const char *const properties[][2] = {{"bootstrap.servers", NULL},
						    {"group.id", "meddle"},
						    {"isolation.level", "read_committed"},
						    {"enable.partition.eof", "true"},
						    {"auto.offset.reset", "earliest"}};
	char why[256] = "";
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	for (size_t i = 0; i < sizeof properties / sizeof *properties; i++)
		rd_kafka_conf_set(conf, properties[i][0], properties[i][1] ? properties[i][1] : bootstrap, why,
				  sizeof why);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
	if (!rk) {
		rd_kafka_conf_destroy(conf);
		complain(topic, why);
		return NULL;
	}
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
	for (int i = 0; i < partitions; i++)
		rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
	rd_kafka_poll_set_consumer(rk);
	rd_kafka_assign(rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return rk;
}

static rd_kafka_resp_err_t send_on(const char *topic, const rd_kafka_message_t *m)
{
	return rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(m->partition),
				 RD_KAFKA_V_KEY(m->key, m->key_len), RD_KAFKA_V_VALUE(m->payload, m->len),
				 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK), RD_KAFKA_V_END);
}

static int copy(int argc, char **argv)
{
	(void)argc;
	int partitions = atoi(argv[2]), ended = 0;
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
	rd_kafka_t *reader = open_reader(argv[0], partitions);
	if (!reader)
		return 1;
	while (ended < partitions && !code) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(reader, PATIENCE);
		if (!m)
			code = RD_KAFKA_RESP_ERR__TIMED_OUT;
		else if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
			ended++;
		else
			code = m->err ? m->err : send_on(argv[1], m);
		if (m)
			rd_kafka_message_destroy(m);
	}
	if (!code)
		code = rd_kafka_flush(client, PATIENCE);
	rd_kafka_consumer_close(reader);
	rd_kafka_destroy(reader);
	return code ? complain(argv[0], rd_kafka_err2str(code)) : 0;
}

/* --- the transactional id */

static int fence(int argc, char **argv)
{
	(void)argc;
	rd_kafka_t *rk = open_client(argv[0]);
	if (!rk)
		return 1;
	rd_kafka_error_t *e = rd_kafka_init_transactions(rk, PATIENCE);
	int code = e ? complain(argv[0], rd_kafka_error_string(e)) : 0;
	rd_kafka_error_destroy(e);
	rd_kafka_destroy(rk);
	return code;
}

static const struct {
	const char *name;
	int least; /* arguments */
	int (*run)(int argc, char **argv);
} commands[] = {
	{"create-topic", 2, create_topic},
	{"delete-topic", 1, delete_topic},
	{"add-partitions", 2, add_partitions},
	{"configure", 1, configure},
	{"commit", 4, commit},
	{"delete-records", 3, delete_records},
	{"forget", 1, forget},
	{"copy", 3, copy},
	{"fence", 1, fence},
};

int main(int argc, char **argv)
{
	int code = 2;
	for (size_t i = 0; argc > 2 && i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(commands[i].name, argv[2]) != 0 || argc - 3 < commands[i].least)
			continue;
		bootstrap = argv[1];
		client = open_client(NULL);
		if (!client)
			return 1;
		queue = rd_kafka_queue_new(client);
		code = commands[i].run(argc - 3, argv + 3);
		rd_kafka_queue_destroy(queue);
		rd_kafka_destroy(client);
	}
	if (code == 2)
		fprintf(stderr, "usage: meddle BOOTSTRAP COMMAND [ARGUMENTS]; see the source\n");
	return code;
}
