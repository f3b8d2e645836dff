/* The topics that an instance reads and writes: are they there, do their partitions fit, do their settings?  Asked at
 * start and at reload; `shouwangctl topics` makes them. */
#ifndef TOPICS_H
#define TOPICS_H
#include "../daemon/conf/settings.h"

struct topics {
	const char *const *inputs; /* that are read, and the state: all of them have the same number of partitions */
	size_t n_inputs;
	const char *const *outputs; /* units' queues, rejects */
	size_t n_outputs;
	/* found */
	bool answered; /* Kafka did; else nothing is said of the topics */
	int32_t partitions;
	int32_t state_bytes; /* largest record that the state's topic takes */
	int32_t batch_bytes; /* largest batch that all written topics take */
	char cluster[128];   /* its id */
	struct err warning;  /* what couldn't be checked; "" for nothing */
};
struct rd_kafka_s;
/* False: why names the topic and what to do. */
bool topics_check(struct rd_kafka_s *client, const struct settings *s, struct topics *t, int timeout_ms,
		  struct err *why);
#endif
