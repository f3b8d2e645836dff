/* How much memory the daemon may hold, whatever the number of households: the limits that each part keeps, in one
 * place, and their sum. */
#ifndef MEMORY_BOUND_H
#define MEMORY_BOUND_H
#include "../conf/settings.h"

/* What each consumer of librdkafka keeps read and not yet taken.  Its queue is one for all its partitions; before each
 * Fetch it is compared with both limits, so one answer of each broker may come on top, unpacked.  2.0.2 waits up to a
 * second when a queue is full: the input's must be wide (design.md section 11). */
#define INPUT_QUEUE_KBYTES 65536
#define INPUT_QUEUE_RECORDS 200000
#define REPLAY_QUEUE_KBYTES 16384
#define REPLAY_QUEUE_RECORDS 50000
#define FETCH_BYTES 1048576

enum { REPLAY_CHUNK_BYTES = 8 << 20 }; /* replayed and not yet in Redis, of all partitions taken over at once */

enum { USUAL_RECORD_BYTES = 1000000 }; /* what Kafka takes unless told otherwise */
/* record: bytes of the largest record that the topics take. */
size_t memory_bound(const struct settings *s, size_t record);
#endif
