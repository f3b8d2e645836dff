/* What the worker's three clients of librdkafka (consumer, replay, producer) have in common. */
#ifndef KAFKA_CLIENT_H
#define KAFKA_CLIENT_H
#include "kafka_conf.h"

#define KAFKA_NUMBER_TEXT(n) #n
#define KAFKA_NUMBER(n) KAFKA_NUMBER_TEXT(n) /* of a macro, as a property's value */
struct kafka_setting {
	const char *name, *value;
	bool fixed; /* ours alone; else `properties` may say otherwise */
};
/* kafka_conf_new with our log and these settings. */
rd_kafka_conf_t *kafka_client_conf(const struct settings *s, const struct kafka_setting *list, size_t n,
				   struct err *why);
/* Takes conf; the main log queue is librdkafka's own thread.  NULL: why; conf is destroyed. */
rd_kafka_t *kafka_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct err *why);

/* rd_kafka_destroy, but that it waits no longer than some seconds: librdkafka may wait for ever for a partition of a
 * topic that was deleted (its issue 4362).  Such a client is left behind. */
void kafka_client_destroy(rd_kafka_t *rk);

/* What a person must do about an error of the broker, as a clause to put behind it; "" where nobody can. */
const char *kafka_remedy(rd_kafka_resp_err_t code);

/* Trouble that librdkafka tells through its callbacks; the opaque of a client's conf. */
struct kafka_trouble {
	bool away;         /* all brokers are down; cleared by who finds one up */
	char what[256];    /* the newest error's text */
	char refused[256]; /* by kafka_refused: */
};
/* The partition that the broker has last refused to a transaction, which only librdkafka's log names, into out; it is
 * forgotten.  False: none. */
bool kafka_refused(struct kafka_trouble *t, char *out, size_t size);
#endif
