/* What the tools share of Kafka: a handle from the settings, and reading topics from their beginning to their end. */
#ifndef CLI_KAFKA_H
#define CLI_KAFKA_H
#include "../../consumers/kafka_conf.h"

/* librdkafka's log, one line each on the standard error, warnings and worse only. */
void kafka_log(const rd_kafka_t *rk, int level, const char *facility, const char *text);
/* Takes conf, also where it fails.  NULL: why says so. */
rd_kafka_t *kafka_client(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct err *why);
/* The cluster's topics, all of them, without creating any; waits up to 15 s.  The caller destroys it.  NULL: why. */
const struct rd_kafka_metadata *kafka_metadata(rd_kafka_t *rk, struct err *why);
const struct rd_kafka_metadata_topic *kafka_topic(const struct rd_kafka_metadata *all,
						  const char *name); /* NULL: none */

/* Reads what is committed (isolation.level=read_committed). */
struct topic_reader;
/* From the beginning of each partition; until_end: up to the end that each has when it is reached.  NULL: why. */
struct topic_reader *topic_reader_open(const struct settings *s, char *const *topics, size_t n, bool until_end,
				       struct err *why);
void topic_reader_close(struct topic_reader *r);
/* The next message, which the caller destroys; NULL: the end, nothing within timeout (ms), or why is set. */
rd_kafka_message_t *topic_reader_next(struct topic_reader *r, int timeout, struct err *why);
bool topic_reader_ended(const struct topic_reader *r); /* every partition's end has been reached */
#endif
