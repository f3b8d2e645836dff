/* A record as it came from a topic or a file; borrowed from whoever read it. */
#ifndef RECORD_H
#define RECORD_H
#include "../daemon/util/arena.h"

struct record_header {
	struct str name, value;
};
struct record {
	const char *topic;
	int32_t partition;
	int64_t offset;
	int64_t timestamp;                   /* ms; of Kafka, or the file's reading */
	struct str key, value;               /* value.s NULL: none */
	const struct record_header *headers; /* of the CloudEvents binary mode: ce_id, ce_type, …, content-type */
	size_t n_headers;
};
#endif
