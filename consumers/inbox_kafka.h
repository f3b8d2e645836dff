/* Where a worker's events come from: its member of the consumer group.  It keeps what the group has assigned, with the
 * metadata of that assignment; what is read of it, and from where, the worker says (inbox_read).  Callbacks only take
 * notes.  Records are copied into the caller's arena; the inbox owns the rest. */
#ifndef INBOX_KAFKA_H
#define INBOX_KAFKA_H
#include "../daemon/conf/settings.h"
#include "record.h"

enum topic_role { TOPIC_EVENTS, TOPIC_FEEDBACK, TOPIC_FORWARD };
struct inbox_topic {
	const char *name; /* the inbox keeps a copy */
	enum topic_role role;
	const struct watch *watch; /* of TOPIC_EVENTS: the first that reads it; others are `beside` it */
};
struct inbox_place {    /* a partition of a topic, and an offset in it */
	uint32_t topic; /* index in the list subscribed to */
	int32_t partition;
	int64_t offset;
	bool failed; /* this one has an error: */
	char why[128];
};

struct inbox;
struct inbox *inbox_open(const struct settings *s, int32_t number, struct err *why); /* borrows s */
/* Leaves the group (waits for that some seconds at most). */
void inbox_close(struct inbox *in);
/* Joins the group, or joins anew with other topics. */
bool inbox_subscribe(struct inbox *in, const struct inbox_topic *topics, size_t n, struct err *why);

enum inbox_news {
	INBOX_NOTHING,
	INBOX_RECORD,     /* out->place and out->record */
	INBOX_END,        /* out->place: nothing more to read at this offset (of committed records) */
	INBOX_REBALANCED, /* the assignment is another, and nothing is read until inbox_read is called */
	INBOX_BROKEN,     /* out->place.why: this partition can't be read any further */
	INBOX_TROUBLE,    /* why: something that passes, or a topic that is missing */
	INBOX_REFUSED,    /* why: this user may not read a topic.  Librdkafka says so only once, so that only another
			     client    will tell when it still may not */
	INBOX_FATAL       /* why: this client is of no more use */
};
struct inbox_item {
	struct inbox_place place;
	struct record record;
};
enum inbox_news inbox_poll(struct inbox *in, int timeout_ms, struct arena *a, struct inbox_item *out, struct err *why);

/* Is the partition of this topic assigned to us? */
bool inbox_has(const struct inbox *in, uint32_t topic, int32_t partition);
/* The largest partition number assigned of any topic; -1: none. */
int32_t inbox_last_partition(const struct inbox *in);
/* Has the group answered since we joined?  (An assignment may be empty.) */
bool inbox_joined(const struct inbox *in);
/* Why the group doesn't let us join; "": it says nothing of that. */
const char *inbox_kept_out(const struct inbox *in);
/* The group metadata taken when the assignment came; NULL: none. */
struct rd_kafka_consumer_group_metadata_s;
const struct rd_kafka_consumer_group_metadata_s *inbox_metadata(const struct inbox *in);

/* Reads these from these offsets on, and nothing else. */
bool inbox_read(struct inbox *in, const struct inbox_place *list, size_t n, struct err *why);
/* The high watermark as of the last fetch; -1: not known. */
int64_t inbox_high(const struct inbox *in, uint32_t topic, int32_t partition);

/* The group's committed offsets into offset (-1: none), after all transactions on them are decided.  False: why says
 * what to wait for. */
bool inbox_committed(struct inbox *in, struct inbox_place *list, size_t n, int timeout_ms, struct err *why);
/* The earliest offsets that are there, into offset. */
bool inbox_earliest(struct inbox *in, struct inbox_place *list, size_t n, int timeout_ms, struct err *why);
/* Where they end (the last stable offset), into offset, asked anew.  With n 0: does any broker answer? */
bool inbox_ends(struct inbox *in, struct inbox_place *list, size_t n, int timeout_ms, struct err *why);
/* Has librdkafka said that all brokers are down, and nothing come since? */
bool inbox_trouble(const struct inbox *in);
#endif
