/* Bytes to struct event, or a reason to reject: CloudEvents 1.0 JSON over the Kafka binding, structured or binary.
 * One decoder serves daemon and tools. */
#ifndef DECODE_H
#define DECODE_H
#include "../daemon/core/engine.h"
#include "record.h"

struct decoder;
struct decoder *decoder_new(struct ruleset *ruleset); /* borrows it */
void decoder_free(struct decoder *d);

enum decode_result {
	DECODE_EVENT,   /* out is set */
	DECODE_IGNORED, /* a type that the watch does not know (settings: unknown_events) */
	DECODE_REJECTED /* why names the field */
};
/* wall: ms of the wall clock, for the tolerance of times in the future; TIME_NEVER: no check (the tools, where what
 * comes out must depend on the events alone).  A reason reads "field: found …, expected …" and holds no data values.
 * watch: the first that reads the record's topic; the event is for the first of them that knows the type, and for those
 * that decode_also tells.  NULL: feedback where the type is one, else for the first watch of all.  out borrows from the
 * arena and the ruleset only; its watch and type are set for what is rejected, too, as far as they are known. */
enum decode_result decode_event(struct decoder *d, const struct watch *watch, const struct record *record, int64_t wall,
				struct arena *arena, struct event *out, struct err *why);
/* The next watch that reads the same topic and knows the same type: the event is for it, too.  NULL: none. */
const struct watch *decode_also(const struct event *e);
/* For this watch and none beside it; a type that it doesn't know is an unknown one. */
enum decode_result decode_event_for(struct decoder *d, const struct watch *watch, const struct record *record,
				    int64_t wall, struct arena *arena, struct event *out, struct err *why);
/* A record of the feedback's topic: out->answer is set, out->watch is that of its case, and out->type where the watch's
 * `events` name the type. */
enum decode_result decode_feedback(struct decoder *d, const struct record *record, int64_t wall, struct arena *arena,
				   struct event *out, struct err *why);

/* The partition of a key: murmur2 as Kafka's Java client has it. */
int32_t partition_murmur2(struct str key, int32_t partitions);
/* CRC32 as librdkafka's "consistent" has it. */
int32_t partition_crc32(struct str key, int32_t partitions);
#endif
