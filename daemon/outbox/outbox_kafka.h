/* One batch, one Kafka transaction: partition records, units' messages, states, rejects, and the input's offsets.
 *
 *     outbox_begin / outbox_state, outbox_message, outbox_reject … / outbox_commit
 *
 * Keys are copied; values are borrowed until outbox_commit has returned.  Every trouble of a transaction has one of
 * three answers (enum outbox_answer), and outbox_commit gives it: what fails in between is remembered until then. */
#ifndef OUTBOX_KAFKA_H
#define OUTBOX_KAFKA_H
#include "../../consumers/record.h"
#include "../conf/settings.h"

enum outbox_answer {
	OUTBOX_OK,
	OUTBOX_AGAIN,  /* nothing was done, for certain: step the batch again */
	OUTBOX_REPLACE /* whether it was done isn't known, or this producer is of no more use: outbox_open_producer
			  again, and take over all partitions anew */
};

/* The headers of a forwarded record: where it was found, Kafka's timestamp there (ms), and the watch that it is for. */
#define ORIGIN_TOPIC "origin_topic"
#define ORIGIN_PARTITION "origin_partition"
#define ORIGIN_OFFSET "origin_offset"
#define ORIGIN_TIMESTAMP "origin_timestamp"
#define ORIGIN_WATCH "origin_watch" /* but for feedback */
enum { REJECT_BYTES = 64 * 1024 };

/* A partition of the changelog that the transaction touches; the caller's, zeroed but for the first two. */
struct outbox_partition {
	int32_t partition;
	int64_t from;        /* where its records must not come before: else the changelog was cut or made anew */
	int64_t first, next; /* after OUTBOX_OK: the offset of its first record, and that behind its last */
	uint32_t unreported; /* private: records without a delivery report, or whose report lacked the offset */
};
struct outbox_offset {
	const char *topic;
	int32_t partition;
	int64_t next;
};

struct outbox;
struct outbox *outbox_new(const struct settings *s, int32_t number, struct err *why); /* borrows s */
void outbox_free(struct outbox *o);
const char *outbox_transactional_id(const struct outbox *o);
/* Sizes that the topics take, from their settings; between transactions.  batch: of any topic.  Where they have
 * changed, the producer must be opened anew. */
void outbox_limits(struct outbox *o, int32_t state_bytes, int32_t batch_bytes);
/* Replaces the producer by a new one and waits, up to the timeout, until the transactions of the one before are
 * decided.  False: why; call it again; away: nobody answered (else a person must do what why says).  topics: those that
 * it will write to, so that the first batch needn't wait. */
bool outbox_open_producer(struct outbox *o, const char *const *topics, size_t n, int timeout_ms, struct err *why,
			  bool *away);
bool outbox_ready(const struct outbox *o);
/* Between transactions: what the producer knows of the topics isn't so any more. */
void outbox_close_producer(struct outbox *o);
/* Was the last OUTBOX_REPLACE because another producer has taken our transactional id?  How often in a row.  (0 where
 * the broker gave up a transaction that had been open for too long.) */
unsigned outbox_fenced(const struct outbox *o);
/* The largest record that a topic takes: key and value together. */
size_t outbox_max_state(const struct outbox *o);
size_t outbox_max_message(const struct outbox *o);

/* Is there such a topic?  Asked once, where it isn't once a minute; where nobody answers, true. */
bool outbox_has_topic(struct outbox *o, const char *name);

/* False: as OUTBOX_REPLACE. */
bool outbox_begin(struct outbox *o, struct err *why);
void outbox_state(struct outbox *o, struct outbox_partition *p, struct str key, struct str value);
void outbox_message(struct outbox *o, const char *topic, struct str key, struct str value);
/* record: what is rejected, its value cut to REJECT_BYTES or to what the topics take; watch: by whom, or NULL; reason
 * names the field. */
void outbox_reject(struct outbox *o, const struct record *record, const char *watch, const char *reason);
/* A record on its way to another partition of the forward topic: as it is, with its origin (ORIGIN_…) in headers.
 * watch: that it is for; NULL: feedback. */
void outbox_forward(struct outbox *o, const struct record *record, int32_t partition, const char *watch);
/* Sends the offsets, waits for all reports, commits.  Whatever the answer, nothing borrowed is needed any more. */
struct rd_kafka_consumer_group_metadata_s;
enum outbox_answer outbox_commit(struct outbox *o, const struct outbox_offset *offsets, size_t n,
				 const struct rd_kafka_consumer_group_metadata_s *metadata, struct err *why);
#endif
