/* Inside of the outbox: how its records go out. */
#ifndef OUTBOX_SEND_H
#define OUTBOX_SEND_H
#include "outbox_kafka.h"
#include <librdkafka/rdkafka.h>

const struct settings *outbox_settings(const struct outbox *o);
/* In the running transaction; takes the headers.  What fails is remembered until outbox_commit. */
void outbox_send(struct outbox *o, const char *topic, int32_t partition, struct str key, struct str value,
		 rd_kafka_headers_t *headers);
#endif
