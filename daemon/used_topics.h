/* The topics that an instance reads and writes, by its settings and rules. */
#ifndef USED_TOPICS_H
#define USED_TOPICS_H
#include "../consumers/inbox_kafka.h"
#include "../consumers/topics.h"
#include "core/ruleset.h"
#include "state/partition_record.h"

/* The first outputs; the units' queues follow. */
enum { OUTPUT_STATE, OUTPUT_REJECTS, OUTPUT_FORWARD, OUTPUT_OUTCOMES, UNIT_OUTPUTS };

struct used_topics {
	struct inbox_topic inputs[MAX_TOPICS];
	size_t n_inputs;
	const char **outputs;
	size_t n_outputs;
};
/* Names live in settings, ruleset and arena. */
void used_topics(const struct settings *s, const struct ruleset *r, struct arena *a, struct used_topics *out);
bool used_topics_same(const struct inbox_topic *a, size_t n_a, const struct inbox_topic *b, size_t n_b);

/* Are they there, and do they fit?  What was found, but for the lists, is left in found.  False: why. */
bool used_topics_check(struct rd_kafka_s *client, const struct settings *s, const struct used_topics *used,
		       int timeout_ms, struct topics *found, struct err *why);
/* The same before rules are put to use, with a client of its own.  Where Kafka doesn't answer, the topics are not at
 * fault: true, and why says that they are unchecked. */
bool used_topics_fit(const struct settings *s, const struct ruleset *r, struct topics *found, struct err *why);
#endif
