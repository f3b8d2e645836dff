/* The procedure of taking over, step by step. */
#include "takeover_part.h"
#include "../ops/clock.h"
#include "../ops/fault_point.h"
#include "../ops/log.h"
#include "../ops/memory_bound.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CHUNK_RECORDS = 1000,
	CHUNK_LEAST = 64 << 10, /* bytes; else its share of REPLAY_CHUNK_BYTES */
	DECIDE_MS = 60000,      /* beyond any transaction's timeout */
	STABLE_MS = 2000,       /* others may begin while one waits for the last stable offset */
	QUIET_MS = 20000        /* no word of the changelog for so long: Kafka is away */
};

void takeover_settle(struct takeover_part *p, enum takeover_end end, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(p->why, sizeof p->why, format, args);
	va_end(args);
	p->end = end;
}

/* Where Redis and the changelog don't belong together.  The changelog is the truth, if it is the right one: Redis may
 * hold the only copy of what the changelog has lost. */
__attribute__((format(printf, 3, 4))) static void settle_apart(const struct takeover *t, struct takeover_part *p,
							       const char *format, ...)
{
	char text[sizeof p->why];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	takeover_settle(p, TAKEOVER_STOPPED,
			"partition %" PRId32 ": %s.  If the changelog is the right one and whole, delete {%s:%" PRId32
			"}:* in Redis, which is filled anew; else restore it, or name the right Redis",
			p->partition, text, t->settings->instance, p->partition);
}

/* --- 1: the group's offsets, once they are decided: a barrier and a fence */

static enum takeover_answer fetch_committed(const struct takeover *t, struct inbox_place *list, size_t n,
					    struct err *why)
{
	int64_t end = clock_monotonic() + DECIDE_MS;
	for (;;) {
		why->text[0] = '\0';
		if (inbox_committed(t->inbox, list, n, 1000, why))
			return TAKEOVER_OK;
		if (!t->tick(t->opaque))
			return TAKEOVER_GAVE_UP;
		if (clock_monotonic() > end)
			return TAKEOVER_AWAY;
	}
}

static enum takeover_answer ask_group(const struct takeover *t, struct takeover_part *parts, size_t n, struct err *why)
{
	struct inbox_place *list = parts[0].private->committed; /* of all parts, one behind the other */
	enum takeover_answer answer = fetch_committed(t, list, n * t->n_topics, why);
	if (answer != TAKEOVER_OK)
		return answer;
	for (size_t i = 0; i < n * t->n_topics; i++)
		if (list[i].failed)
			takeover_settle(&parts[i / t->n_topics], TAKEOVER_WAITS, "topic %s: %s",
					t->topics[list[i].topic].name, list[i].why);
	return TAKEOVER_OK;
}

/* --- 2: what Redis has */

static bool take_record(const struct takeover *t, struct takeover_part *p, struct str bytes)
{
	struct err why = {""};
	struct partition_record record;
	if (!partition_record_decode(&record, bytes, &why)) {
		takeover_settle(p, TAKEOVER_STOPPED, "partition %" PRId32 ": %s", p->partition, why.text);
		return false;
	}
	if (p->private->known && strcmp(record.incarnation, p->record.incarnation) != 0) {
		settle_apart(t, p,
			     "Redis holds incarnation %s, the changelog %s: one of them is another instance's, or the "
			     "changelog was made anew",
			     p->record.incarnation, record.incarnation);
		return false;
	}
	p->record = record;
	p->private->known = true;
	return true;
}

static void check_identity(const struct takeover *t, struct takeover_part *p, const struct cache_head *head)
{
	if (!str_equal(head->cluster, str_of(t->cluster)))
		settle_apart(t, p, "Redis holds states of Kafka cluster %.*s, this is cluster %s",
			     (int)head->cluster.len, head->cluster.s, t->cluster);
	else if (!str_equal(head->topic, str_of(t->settings->topics.state)))
		settle_apart(t, p, "Redis holds states of topic %.*s, settings name %s", (int)head->topic.len,
			     head->topic.s, t->settings->topics.state);
	else if (head->record.len)
		take_record(t, p, head->record);
}

static bool ask_cache(const struct takeover *t, struct takeover_part *p, struct err *why)
{
	struct cache_head head;
	struct arena *a = &p->private->arena;
	if (cache_head(t->cache, p->partition, a, &head, why) != CACHE_OK)
		return false;
	if (!head.exists) {
		if (cache_create(t->cache, p->partition, str_of(t->cluster), str_of(t->settings->topics.state), why) ==
		    CACHE_LOST)
			return false;
		if (cache_head(t->cache, p->partition, a, &head, why) != CACHE_OK)
			return false;
	}
	check_identity(t, p, &head);
	p->watermark = head.watermark;
	struct takeover_replay *r = p->private;
	r->start = r->next = r->from = head.watermark;
	r->found = head.record_at < 0; /* none is to be found */
	if (!r->found)
		r->start = head.record_at;
	p->from = p->furthest = r->start;
	return true;
}

/* --- 3: the changelog, into Redis */

static void forget_chunk(struct takeover_replay *r)
{
	arena_reset(&r->arena);
	r->changes = NULL;
	r->n = r->cap = 0;
	r->bytes = 0;
	r->record = (struct str){"", 0};
}

static int by_key_then_age(const void *a, const void *b)
{
	const struct cache_change *x = a, *y = b;
	int c = str_compare(x->key, y->key);
	return c ? c : x->due < y->due ? -1 : x->due > y->due;
}

/* Each key once, the newest: while they are sorted, due holds the record's place in the chunk. */
static void keep_newest(struct takeover_replay *r, int64_t *dues)
{
	uint32_t kept = 0;
	if (r->n == 0)
		return; /* qsort takes no NULL */
	for (uint32_t i = 0; i < r->n; i++) {
		dues[i] = r->changes[i].due;
		r->changes[i].due = i;
	}
	qsort(r->changes, r->n, sizeof *r->changes, by_key_then_age);
	for (uint32_t i = 0; i < r->n; i++)
		if (i + 1 == r->n || !str_equal(r->changes[i].key, r->changes[i + 1].key)) {
			r->changes[kept] = r->changes[i];
			r->changes[kept].due = dues[r->changes[i].due];
			kept++;
		}
	r->n = kept;
}

static bool write_chunk(const struct takeover *t, struct takeover_part *p, struct err *why)
{
	struct takeover_replay *r = p->private;
	if (r->n == 0 && r->record.len == 0)
		return true;
	fault_point(FAULT_IN_REPLAY);
	keep_newest(r, ARENA_ARRAY(&r->arena, int64_t, r->n));
	struct cache_store store = {.partition = p->partition,
				    .from = p->watermark,
				    .to = r->next,
				    .record = r->record,
				    .record_at = r->record_at,
				    .changes = r->changes,
				    .n_changes = r->n};
	if (cache_store(t->cache, &store, 1, &r->arena, why) != CACHE_OK)
		return false;
	if (store.answer == CACHE_OK) {
		p->watermark = r->next;
		p->records += r->n;
	} else {
		takeover_settle(p, TAKEOVER_WAITS, "partition %" PRId32 ": another worker wrote to Redis meanwhile",
				p->partition);
	}
	forget_chunk(r);
	return true;
}

static void take_state(struct takeover_part *p, const struct changelog_item *item)
{
	struct takeover_replay *r = p->private;
	int64_t due = TIME_NEVER;
	if (item->value.len && !codec_due(item->value, &due)) {
		takeover_settle(p, TAKEOVER_STOPPED,
				"partition %" PRId32 ": the changelog's record at offset %" PRId64
				" can't be read; was it written by a newer version?",
				p->partition, item->offset);
		return;
	}
	ARENA_PUSH_ROOM(&r->arena, r->changes, r->n, r->cap);
	r->changes[r->n++] =
		(struct cache_change){arena_str(&r->arena, item->key), arena_str(&r->arena, item->value), true, due};
	r->bytes += item->key.len + item->value.len;
}

static void take_item(const struct takeover *t, struct takeover_part *p, const struct changelog_item *item)
{
	struct takeover_replay *r = p->private;
	bool is_record = str_equal(item->key, STR(PARTITION_RECORD_KEY));
	if (is_record && !take_record(t, p, item->value))
		return;
	r->found |= is_record;
	if (item->offset < r->from)
		return;
	if (!is_record) {
		take_state(p, item);
		return;
	}
	r->record = arena_str(&r->arena, item->value);
	r->record_at = item->offset;
}

static void settle_shortened(const struct takeover *t, struct takeover_part *p, int64_t end)
{
	settle_apart(t, p,
		     "Redis reflects %s up to offset %" PRId64 ", but it ends at %" PRId64
		     ": it was shortened or made anew",
		     t->settings->topics.state, p->private->from, end);
}

/* Redis was filled from a changelog that was as long, and held its record: the newest is never compacted away. */
static void complete(const struct takeover *t, struct takeover_part *p)
{
	const struct takeover_replay *r = p->private;
	if (r->from > r->target)
		settle_shortened(t, p, r->target);
	else if (r->found)
		p->end = TAKEOVER_DONE;
	else
		settle_apart(t, p,
			     "Redis reflects %s up to offset %" PRId64 " and holds its record from offset %" PRId64
			     ", which isn't there: it was made anew",
			     t->settings->topics.state, r->from, r->start);
}

/* The target is the high watermark as first seen; a record below it that isn't committed yet keeps the last stable
 * offset, where this consumer's reading ends, before it. */
static bool advance(const struct takeover *t, struct takeover_part *p, int64_t next, struct err *why)
{
	struct takeover_replay *r = p->private;
	r->next = next;
	r->moved = clock_monotonic();
	if (r->target < 0)
		r->target = changelog_high(t->changelog, p->partition);
	p->replay = r->target - r->start;
	p->replayed = next - r->start;
	bool all = r->target >= 0 && next >= r->target;
	if ((all || r->n >= CHUNK_RECORDS || r->bytes >= r->chunk) && !write_chunk(t, p, why))
		return false;
	if (all && p->end == TAKEOVER_UNDECIDED)
		complete(t, p);
	return true;
}

static struct takeover_part *find(struct takeover_part *parts, size_t n, int32_t partition)
{
	for (size_t i = 0; i < n; i++)
		if (parts[i].partition == partition)
			return parts[i].end == TAKEOVER_UNDECIDED ? &parts[i] : NULL;
	return NULL;
}

/* Where the replay begins isn't among the changelog's offsets. */
static void settle_broken(const struct takeover *t, struct takeover_part *p)
{
	int64_t first = -1, end = -1;
	const char *topic = t->settings->topics.state;
	if (!changelog_range(t->changelog, p->partition, &first, &end))
		takeover_settle(p, TAKEOVER_WAITS, "partition %" PRId32 ": %s doesn't tell where it begins and ends",
				p->partition, topic);
	else if (p->private->start > end)
		settle_shortened(t, p, end);
	else
		takeover_settle(p, TAKEOVER_STOPPED,
				"partition %" PRId32 ": %s is to be read from offset %" PRId64
				", but begins at %" PRId64
				": states were deleted from it, which compaction alone never does.  Restore it",
				p->partition, topic, p->private->start, first);
}

static bool replay_some(const struct takeover *t, struct takeover_part *parts, size_t n, struct err *why)
{
	struct changelog_item item;
	struct err trouble = {""};
	enum changelog_news news = changelog_poll(t->changelog, 100, &item, &trouble);
	if (news == CHANGELOG_NOTHING)
		return true;
	struct takeover_part *p = find(parts, n, item.partition);
	switch (news) {
	case CHANGELOG_RECORD:
		if (!p)
			return true;
		take_item(t, p, &item);
		p->furthest = item.offset + 1;
		return p->end != TAKEOVER_UNDECIDED || advance(t, p, item.offset + 1, why);
	case CHANGELOG_END:
		return !p || advance(t, p, item.offset, why);
	case CHANGELOG_BROKEN:
		if (p)
			settle_broken(t, p);
		return true;
	case CHANGELOG_REFUSED:
		for (size_t i = 0; i < n; i++)
			if (parts[i].end == TAKEOVER_UNDECIDED)
				takeover_settle(&parts[i], TAKEOVER_STOPPED, "%s", trouble.text);
		return true;
	default:
		log_every(60, LOG_LEVEL_WARNING, "taking over: %s", trouble.text);
		return true;
	}
}

/* The newest time that any undecided part moved, and how many there are. */
static size_t undecided(const struct takeover_part *parts, size_t n, int64_t *moved)
{
	size_t left = 0;
	*moved = 0;
	for (size_t i = 0; i < n; i++)
		if (parts[i].end == TAKEOVER_UNDECIDED) {
			left++;
			if (parts[i].private->moved > *moved)
				*moved = parts[i].private->moved;
		}
	return left;
}

/* Those that only wait for a foreign transaction shan't hold up the others. */
static void let_wait(const struct takeover *t, struct takeover_part *parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct takeover_replay *r = parts[i].private;
		if (parts[i].end == TAKEOVER_UNDECIDED && r->target >= 0)
			takeover_settle(&parts[i], TAKEOVER_WAITS,
					"partition %" PRId32 ": a transaction on %s is undecided at offset %" PRId64
					", the high watermark is %" PRId64,
					parts[i].partition, t->settings->topics.state, r->next, r->target);
	}
}

static enum takeover_answer replay(const struct takeover *t, struct takeover_part *parts, size_t n, struct err *why)
{
	int64_t moved, ticked = 0;
	while (undecided(parts, n, &moved)) {
		int64_t now = clock_monotonic();
		if (now - moved > STABLE_MS)
			let_wait(t, parts, n);
		if (now - moved > QUIET_MS) {
			err_set(why, "Kafka says nothing of %s", t->settings->topics.state);
			return TAKEOVER_AWAY;
		}
		if (now - ticked > 100 && !t->tick(t->opaque))
			return TAKEOVER_GAVE_UP;
		if (now - ticked > 100)
			ticked = now;
		if (!replay_some(t, parts, n, why))
			return TAKEOVER_AWAY;
	}
	return TAKEOVER_OK;
}

static enum takeover_answer read_changelog(const struct takeover *t, struct takeover_part *parts, size_t n,
					   struct err *why)
{
	size_t reading = 0;
	struct changelog_start *starts = calloc(n, sizeof *starts);
	if (!starts)
		abort();
	for (size_t i = 0; i < n; i++) {
		parts[i].private->moved = clock_monotonic();
		if (parts[i].end == TAKEOVER_UNDECIDED)
			starts[reading++] = (struct changelog_start){parts[i].partition, parts[i].private->start};
	}
	enum takeover_answer answer = TAKEOVER_AWAY;
	if (reading == 0)
		answer = TAKEOVER_OK;
	else if (changelog_read(t->changelog, starts, reading, why))
		answer = replay(t, parts, n, why);
	changelog_stop(t->changelog);
	free(starts);
	return answer;
}

/* --- all of it */

static enum takeover_answer run_steps(const struct takeover *t, struct takeover_part *parts, size_t n, struct err *why)
{
	enum takeover_answer answer = ask_group(t, parts, n, why);
	if (answer != TAKEOVER_OK)
		return answer;
	fault_point(FAULT_IN_TAKEOVER);
	for (size_t i = 0; i < n; i++)
		if (parts[i].end == TAKEOVER_UNDECIDED && !ask_cache(t, &parts[i], why))
			return TAKEOVER_AWAY;
	answer = read_changelog(t, parts, n, why);
	return answer != TAKEOVER_OK || takeover_input(t, parts, n, why) ? answer : TAKEOVER_AWAY;
}

/* The lists of committed, first and end, of all parts, one behind the other. */
static void lend_lists(const struct takeover *t, struct takeover_part *parts, size_t n, struct inbox_place *lists)
{
	size_t all = n * t->n_topics;
	for (size_t i = 0; i < all; i++) {
		struct inbox_place place = {.topic = (uint32_t)(i % t->n_topics),
					    .partition = parts[i / t->n_topics].partition};
		lists[i] = lists[all + i] = lists[2 * all + i] = place;
	}
	for (size_t i = 0; i < n; i++) {
		struct takeover_replay *r = parts[i].private;
		r->committed = lists + i * t->n_topics;
		r->first = r->committed + all;
		r->end = r->first + all;
	}
}

enum takeover_answer takeover_run(const struct takeover *t, struct takeover_part *parts, size_t n, struct err *why)
{
	struct inbox_place *lists = calloc(3 * n * t->n_topics, sizeof *lists);
	struct takeover_replay *replays = calloc(n, sizeof *replays);
	size_t chunk = REPLAY_CHUNK_BYTES / n > CHUNK_LEAST ? REPLAY_CHUNK_BYTES / n : CHUNK_LEAST;
	if (!lists || !replays)
		abort();
	for (size_t i = 0; i < n; i++) {
		parts[i] = (struct takeover_part){.partition = parts[i].partition, .from = -1, .private = &replays[i]};
		replays[i].target = -1;
		replays[i].chunk = chunk;
		arena_init(&replays[i].arena);
	}
	lend_lists(t, parts, n, lists);
	enum takeover_answer answer = run_steps(t, parts, n, why);
	for (size_t i = 0; i < n; i++) {
		arena_close(&replays[i].arena);
		parts[i].private = NULL;
	}
	free(replays);
	free(lists);
	return answer;
}
