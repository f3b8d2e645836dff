/* The partition record: what every transaction says about a partition that it touches, under a reserved key of the
 * changelog.  JSON, so that operators can read it. */
#ifndef PARTITION_RECORD_H
#define PARTITION_RECORD_H
#include "codec.h"

/* No watch has an empty name, so no subject has this key. */
#define PARTITION_RECORD_KEY "/partition"
enum { INCARNATION_LEN = 32, MAX_TOPICS = 32 };

struct position {
	char topic[250]; /* Kafka takes at most 249 characters */
	int64_t next;    /* the next offset to read */
};
struct partition_record {
	char incarnation[INCARNATION_LEN + 1]; /* random, made at the fresh start; part of every message's id */
	int64_t clock;                         /* ms; INT64_MIN: none yet */
	uint64_t rules;                        /* fingerprint of the rules that made the transaction */
	uint64_t swept;                        /* of those by which every subject was judged; 0: a sweep is under way */
	int64_t revision;
	int32_t partitions;
	char partitioner[16];
	struct position positions[MAX_TOPICS]; /* also of topics that are no longer read */
	size_t n_positions;
};

/* The position of a topic; NULL: the record doesn't name it. */
struct position *partition_record_position(struct partition_record *r, const char *topic);
/* Names it, or changes it.  False: the record has no room for a further topic. */
bool partition_record_move(struct partition_record *r, const char *topic, int64_t next);
void partition_record_encode(const struct partition_record *r, struct buffer *out); /* appends */
/* False: why says what is wrong with the bytes. */
bool partition_record_decode(struct partition_record *r, struct str bytes, struct err *why);
#endif
