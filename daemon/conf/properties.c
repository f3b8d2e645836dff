/* Checks `kafka.properties`: the refusals of the exactly-once protocol (design, section 4), and librdkafka's own
 * opinion. */
#include "properties.h"
#include "../core/cel.h"
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A name that ends in `*` stands for all that begin so. */
static const struct {
	const char *name, *why;
} refused[] = {
	{"group.id", "it is made from `instance`; expected to be left out"},
	{"group.instance.id", "static membership would keep a dead worker's partitions; expected to be left out"},
	{"transactional.id", "it is made from `instance`, `node` and the worker; expected to be left out"},
	{"isolation.level", "only committed records may be read; expected to be left out"},
	{"enable.auto.*", "offsets are committed in the transaction alone; expected to be left out"},
	{"auto.commit.*", "offsets are committed in the transaction alone; expected to be left out"},
	{"auto.offset.reset", "positions come from the changelog; expected to be left out"},
	{"partition.assignment.strategy", "a worker needs the same partitions of all topics; expected to be left out"},
	{"acks", "a commit needs all replicas; expected to be left out"},
	{"request.required.acks", "a commit needs all replicas; expected to be left out"},
	{"enable.idempotence", "transactions need it; expected to be left out"},
	{"enable.gapless.guarantee", "the protocol sets it; expected to be left out"},
	{"enable.partition.eof", "the replay needs it; expected to be left out"},
	{"delivery.report.only.error", "the watermark needs every report; expected to be left out"},
	{"partitioner", "use the setting `partitioner`; expected to be left out"},
	{"bootstrap.servers", "use the setting `kafka.bootstrap`; expected to be left out"},
	{"metadata.broker.list", "use the setting `kafka.bootstrap`; expected to be left out"},
	{"sasl.password", "passwords come from files; expected `kafka.password_file`"},
};
enum { MAX_TRANSACTION_MS = 15000 };

const char *property_refused(const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		size_t len = strlen(refused[i].name);
		bool prefix = refused[i].name[len - 1] == '*';
		if (prefix ? strncmp(name, refused[i].name, len - 1) == 0 : strcmp(name, refused[i].name) == 0)
			return refused[i].why;
	}
	if (strcmp(name, "transaction.timeout.ms") == 0 && strtol(value, NULL, 10) > MAX_TRANSACTION_MS)
		return "a dead worker's transaction would stop readers for longer than 15 s; expected at most 15000";
	return NULL;
}

static bool nearest(rd_kafka_conf_t *conf, const char *name, char *text, size_t size)
{
	size_t n;
	const char **dump = rd_kafka_conf_dump(conf, &n);
	static const char *const aliases[] = {"compression.type", "linger.ms", "retries",
					      "max.in.flight"}; /* not in it */
	size_t n_aliases = sizeof aliases / sizeof *aliases;
	const char **names = calloc(n / 2 + n_aliases, sizeof *names);
	if (!names)
		abort();
	for (size_t i = 0; i + 1 < n; i += 2)
		names[i / 2] = dump[i];
	for (size_t i = 0; i < n_aliases; i++)
		names[n / 2 + i] = aliases[i];
	const char *near = cel_nearest(name, names, n / 2 + n_aliases);
	if (near)
		snprintf(text, size, "unknown librdkafka property `%s`; did you mean `%s`?", name, near);
	free(names);
	rd_kafka_conf_dump_free(dump, n);
	return near != NULL;
}

bool property_wrong(const char *name, const char *value, char *text, size_t size)
{
	char said[256] = "";
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, said, sizeof said);
	if (result == RD_KAFKA_CONF_UNKNOWN && !nearest(conf, name, text, size))
		snprintf(text, size, "unknown librdkafka property `%s`; expected one that its documentation lists",
			 name);
	else if (result == RD_KAFKA_CONF_INVALID && (strstr(name, "password") || strstr(name, "key")))
		snprintf(text, size, "librdkafka doesn't take this value of `%s`; expected another", name);
	else if (result == RD_KAFKA_CONF_INVALID)
		snprintf(text, size, "librdkafka doesn't take this: %s; expected another value", said);
	rd_kafka_conf_destroy(conf);
	return result != RD_KAFKA_CONF_OK;
}
