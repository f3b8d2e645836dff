/* The changelog is the truth: a compacted topic with one record for each changed subject, and partition records.  Here
 * are its keys, and the consumer that replays it; outbox/ writes it.  Owns its client; records are borrowed until the
 * next call. */
#ifndef CHANGELOG_H
#define CHANGELOG_H
#include "../conf/settings.h"

/* The key of a subject, in the changelog and in Redis: watch/subject. */
struct str changelog_key(struct arena *a, const struct watch *watch, struct str subject);
/* The watch and the subject of a key, borrowed from it.  NULL: no such watch in these rules. */
const struct watch *changelog_watch(const struct ruleset *r, struct str key, struct str *subject);

struct changelog;
struct changelog *changelog_open(const struct settings *s, struct err *why);
void changelog_close(struct changelog *c);

struct changelog_start {
	int32_t partition;
	int64_t offset;
};
/* Reads these partitions from these offsets on, committed records only. */
bool changelog_read(struct changelog *c, const struct changelog_start *list, size_t n, struct err *why);
void changelog_stop(struct changelog *c); /* reads none */

enum changelog_news {
	CHANGELOG_NOTHING,
	CHANGELOG_RECORD,
	CHANGELOG_END,     /* nothing more to read at this offset: the last stable one */
	CHANGELOG_BROKEN,  /* why: this partition can't be read from there */
	CHANGELOG_REFUSED, /* why: this user may not read it */
	CHANGELOG_TROUBLE  /* why: something that passes */
};
struct changelog_item {
	int32_t partition;
	int64_t offset;
	struct str key, value;
};
enum changelog_news changelog_poll(struct changelog *c, int timeout_ms, struct changelog_item *out, struct err *why);
struct rd_kafka_s;
struct rd_kafka_s *changelog_client(struct changelog *c); /* named for the group, for other questions */
/* Where a partition begins and ends (the last stable offset), asked anew. */
bool changelog_range(struct changelog *c, int32_t partition, int64_t *first, int64_t *end);
/* The high watermark as of the last fetch; right only after the first record or end since changelog_read. */
int64_t changelog_high(const struct changelog *c, int32_t partition);
#endif
