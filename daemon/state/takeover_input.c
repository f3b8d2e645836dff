/* The last step of taking over: where the input is read on, and whether all agree on it: the changelog's record, the
 * group, the topics and the settings. */
#include "../ops/log.h"
#include "takeover_part.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { RANGES_MS = 5000 };

/* Of all topics and parts, at once. */
static bool ask_ranges(const struct takeover *t, struct takeover_part *parts, size_t n, struct err *why)
{
	size_t all = n * t->n_topics;
	struct inbox_place *first = parts[0].private->first, *end = parts[0].private->end;
	if (!inbox_earliest(t->inbox, first, all, RANGES_MS, why) || !inbox_ends(t->inbox, end, all, RANGES_MS, why))
		return false;
	for (size_t i = 0; i < all; i++) {
		const struct inbox_place *failed = first[i].failed ? &first[i] : end[i].failed ? &end[i] : NULL;
		struct takeover_part *p = &parts[i / t->n_topics];
		if (failed && p->end == TAKEOVER_DONE)
			takeover_settle(p, TAKEOVER_WAITS, "topic %s: %s", t->topics[failed->topic].name, failed->why);
	}
	return true;
}

static void begin_fresh(const struct takeover *t, struct takeover_part *p)
{
	unsigned char random[INCARNATION_LEN / 2];
	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		abort();
	p->record = (struct partition_record){.clock = INT64_MIN, .partitions = t->partitions};
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(p->record.incarnation + 2 * i, 3, "%02x", random[i]);
	snprintf(p->record.partitioner, sizeof p->record.partitioner, "%s", t->settings->partitioner);
	p->fresh = true;
}

static void check_record(const struct takeover *t, struct takeover_part *p)
{
	const struct partition_record *r = &p->record;
	if (r->partitions != t->partitions)
		takeover_settle(p, TAKEOVER_STOPPED,
				"partition %" PRId32 ": its states were made with %" PRId32
				" partitions, the topics have %" PRId32
				" now: subjects would be in other partitions than their states.  Give them %" PRId32
				" again, or begin a new instance",
				p->partition, r->partitions, t->partitions, r->partitions);
	else if (strcmp(r->partitioner, t->settings->partitioner) != 0)
		takeover_settle(p, TAKEOVER_STOPPED,
				"partition %" PRId32
				": its states were made with partitioner %s, settings say %s: subjects would "
				"be in other partitions than their states.  Set `partitioner: %s`",
				p->partition, r->partitioner, t->settings->partitioner, r->partitioner);
	else if (r->revision > t->revision)
		takeover_settle(p, TAKEOVER_STOPPED,
				"partition %" PRId32 ": it was judged by revision %" PRId64
				" of the rules, this daemon has revision %" PRId64 ": reload it with the newer ones",
				p->partition, r->revision, t->revision);
}

/* The changelog and the group's offset are written in one transaction: a group that knows more has seen a changelog
 * that was longer. */
static void check_committed(const struct takeover *t, struct takeover_part *p, const char *topic, int64_t committed,
			    const struct position *at)
{
	if (!at && committed >= 0)
		takeover_settle(
			p, TAKEOVER_STOPPED,
			"partition %" PRId32 ": the group %s has committed offset %" PRId64
			" of %s, of which the changelog %s knows nothing: it has lost its tail, or is another one.  "
			"Restore it",
			p->partition, t->settings->instance, committed, topic, t->settings->topics.state);
	else if (at && committed > at->next)
		takeover_settle(p, TAKEOVER_STOPPED,
				"partition %" PRId32 ": the group %s has committed offset %" PRId64
				" of %s, the changelog %s knows only of %" PRId64
				": it has lost its tail, or is another one.  Restore it; or `shouwangctl reposition %s "
				"--partition "
				"%" PRId32 " --to recorded` has what is between worked on again",
				p->partition, t->settings->instance, committed, topic, t->settings->topics.state,
				at->next, topic, p->partition);
	else if (at && committed >= 0 && committed < at->next)
		log_warn("partition %" PRId32 ": the group's offset of %s is %" PRId64 ", the changelog says %" PRId64
			 ": the changelog counts",
			 p->partition, topic, committed, at->next);
}

/* Is what is to be read next still there? */
static void check_range(struct takeover_part *p, const char *topic, int64_t next, int64_t first, int64_t end)
{
	if (next < first)
		takeover_settle(p, TAKEOVER_STOPPED,
				"partition %" PRId32 ": %s begins at offset %" PRId64 ", expected %" PRId64 ": %" PRId64
				" records were removed before they were read (retention?) and are lost.  `shouwangctl "
				"reposition "
				"%s --partition %" PRId32 " --to earliest` goes on without them",
				p->partition, topic, first, next, first - next, topic, p->partition);
	else if (next > end)
		takeover_settle(p, TAKEOVER_STOPPED,
				"partition %" PRId32 ": %s ends at offset %" PRId64 ", but was read up to %" PRId64
				": it was shortened or made anew.  `shouwangctl reposition %s --partition %" PRId32
				" --to earliest` reads it from its beginning",
				p->partition, topic, end, next, topic, p->partition);
}

/* All of a partition's offsets are committed together: that the group has lost those of one topic alone means that the
 * topic was deleted.  (Where nothing of it comes before what is to be read next, that doesn't matter.) */
static void check_forgotten(const struct takeover *t, struct takeover_part *p)
{
	const struct position *lost = NULL;
	size_t n_lost = 0, n = 0;
	for (size_t k = 0; k < t->n_topics; k++) {
		if (p->private->added[k])
			continue;
		n++;
		if (p->private->committed[k].offset >= 0)
			continue;
		n_lost++;
		const struct position *at = partition_record_position(&p->record, t->topics[k].name);
		if (at->next > p->private->first[k].offset)
			lost = at;
	}
	if (n_lost && n_lost == n)
		log_warn("partition %" PRId32
			 ": the group %s has no offsets of it any more (they expired, or were deleted): goes on where "
			 "the changelog says",
			 p->partition, t->settings->instance);
	else if (n_lost && lost)
		takeover_settle(
			p, TAKEOVER_STOPPED,
			"partition %" PRId32 ": the group %s has no offset of %s any more, but of other topics: was it "
			"deleted and made anew?  Then `shouwangctl reposition %s --partition %" PRId32
			" --to earliest` reads it from its beginning; else `--to recorded` goes on at %" PRId64,
			p->partition, t->settings->instance, lost->topic, lost->topic, p->partition, lost->next);
}

/* No record and no group offset is a fresh start, at the beginning; so is a topic that the record doesn't name yet. */
static void find_positions(const struct takeover *t, struct takeover_part *p)
{
	struct takeover_replay *r = p->private;
	for (size_t k = 0; k < t->n_topics && p->end == TAKEOVER_DONE; k++) {
		const char *topic = t->topics[k].name;
		const struct position *at = partition_record_position(&p->record, topic);
		check_committed(t, p, topic, r->committed[k].offset, at);
		if (p->end != TAKEOVER_DONE)
			return;
		r->added[k] = !at;
		if (at)
			check_range(p, topic, at->next, r->first[k].offset, r->end[k].offset);
		else if (!partition_record_move(&p->record, topic, r->first[k].offset < 0 ? 0 : r->first[k].offset))
			takeover_settle(p, TAKEOVER_STOPPED,
					"partition %" PRId32 ": its record has no room for topic %s", p->partition,
					topic);
	}
}

bool takeover_input(const struct takeover *t, struct takeover_part *parts, size_t n, struct err *why)
{
	if (!ask_ranges(t, parts, n, why))
		return false;
	for (size_t i = 0; i < n; i++) {
		struct takeover_part *p = &parts[i];
		if (p->end != TAKEOVER_DONE)
			continue;
		if (p->private->known)
			check_record(t, p);
		else
			begin_fresh(t, p);
		if (p->end == TAKEOVER_DONE)
			find_positions(t, p);
		if (p->end == TAKEOVER_DONE && !p->fresh)
			check_forgotten(t, p);
	}
	return true;
}
