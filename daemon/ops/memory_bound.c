/* The sum.  What isn't a limit of ours was measured (docs/faults.md tells how): what a record costs librdkafka beyond
 * its bytes, how far events unpack, what a state's bytes come to while it is worked on. */
#include "memory_bound.h"
#include <stdlib.h>
#include <string.h>

enum {
	MIB = 1 << 20,
	PROCESS = 64 * MIB,     /* program, libraries, rules, metrics */
	WORKER = 24 * MIB,      /* stacks of its and its clients' threads, connections, what the allocator rounds up */
	RECORD_COST = 352,      /* of a queued record beyond its bytes */
	UNPACKED = 16,          /* a Fetch's answer, as events and states are and lz4 packs them */
	SMALLEST_RECORD = 128,  /* a CloudEvent isn't smaller */
	BLOCK = 16 * MIB,       /* the last block of an arena may be so much larger than what is used of it */
	STATE_TIMES = 10,       /* reply, decoded state, new bytes, what goes to Kafka and Redis */
	EFFECT_TIMES = 3,       /* message, its JSON, what goes to Kafka */
	RECORD_TIMES = 12,      /* the largest record: parsed, stepped, as a message */
	PRODUCER = 5 * 2 * MIB, /* for each broker: requests under way, of a batch.size each, packed */
	PRODUCED_RECORDS = 6,   /* of each event or timer of a batch, with copies, at most all in all */
};

static size_t property(const struct settings *s, const char *name, size_t otherwise)
{
	for (size_t i = 0; i < s->kafka.n_properties; i++)
		if (strcmp(s->kafka.properties[i].name, name) == 0)
			return strtoull(s->kafka.properties[i].value, NULL, 10);
	return otherwise;
}

static size_t brokers(const struct settings *s)
{
	size_t n = 1;
	for (const char *c = s->kafka.bootstrap; *c; c++)
		n += *c == ',';
	return n;
}

static size_t consumer(const struct settings *s, size_t kbytes, size_t records)
{
	size_t fetched = brokers(s) * property(s, "fetch.max.bytes", FETCH_BYTES) * UNPACKED;
	return kbytes * 1024 + fetched + (records + fetched / SMALLEST_RECORD) * RECORD_COST;
}

static size_t batch(const struct settings *s, size_t record)
{
	size_t bytes = (size_t)s->batch.bytes, states = bytes > 16 * record ? bytes : 16 * record;
	return 2 * bytes + 3 * BLOCK /* events, with those that were read while others were left */
	       + states * STATE_TIMES + bytes * EFFECT_TIMES + record * RECORD_TIMES + brokers(s) * PRODUCER +
	       (size_t)s->batch.events * PRODUCED_RECORDS * RECORD_COST;
}

size_t memory_bound(const struct settings *s, size_t record)
{
	size_t input = consumer(s, property(s, "queued.max.messages.kbytes", INPUT_QUEUE_KBYTES),
				property(s, "queued.min.messages", INPUT_QUEUE_RECORDS)),
	       replay = consumer(s, REPLAY_QUEUE_KBYTES, REPLAY_QUEUE_RECORDS) + 4 * REPLAY_CHUNK_BYTES;
	return PROCESS + (size_t)s->workers * (WORKER + input + replay + batch(s, record));
}
