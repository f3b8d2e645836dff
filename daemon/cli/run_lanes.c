/* Partitions, stepped record by record. */
#include "run_lanes.h"
#include "../outbox/json_write.h"
#include "../outbox/message.h"
#include <stdio.h>
#include <string.h>

struct delivery { /* an outcome, for the watch that is fed by them */
	struct delivery *next;
	struct file_record record;
};

static void add_reject(struct run *r, const struct file_record *record, const struct err *why)
{
	ARENA_PUSH_ROOM(&r->texts, r->rejects, r->n_rejects, r->cap_rejects);
	struct reject *reject = &r->rejects[r->n_rejects];
	*reject = (struct reject){*record, arena_text(&r->texts, why->text, strlen(why->text)), r->n_rejects++};
	reject->record.text = arena_str(&r->texts, record->text);
}

int32_t run_partition(const struct run *r, struct str subject)
{
	bool murmur2 = strcmp(r->part->config.settings.partitioner, "murmur2") == 0;
	return (murmur2 ? partition_murmur2 : partition_crc32)(subject, r->partitions);
}

/* --- reading */

static enum decode_result decode(struct run *r, const struct file_record *record, struct arena *arena,
				 struct event *out, struct err *why)
{
	struct record read = {.value = record->text};
	return record->watch ? decode_event_for(r->decoder, record->watch, &read, TIME_NEVER, arena, out, why)
			     : decode_event(r->decoder, NULL, &read, TIME_NEVER, arena, out, why);
}

/* Where a record belongs in the merged order and in the partitions: to its subject's, wherever a producer put it. */
static void look(void *ctx, struct file_record *record)
{
	struct run *r = ctx;
	struct event event;
	struct err why = {0};
	record->file += (uint32_t)r->part->first;
	arena_reset(&r->look);
	enum decode_result result = decode(r, record, &r->look, &event, &why);
	if (result == DECODE_EVENT)
		record->partition = run_partition(r, event.subject);
	else if (result == DECODE_REJECTED)
		add_reject(r, record, &why);
	r->n_ignored += result == DECODE_IGNORED;
	while (result != DECODE_EVENT && (record->watch = decode_also(&event)))
		result = decode(r, record, &r->look, &event, &why);
	record->watch = NULL;
	if (result == DECODE_EVENT) {
		record->time = event.time;
		r->n_events++;
	}
}

static void put(struct run *r, const struct file_record *record)
{
	struct lane *lane = &r->lanes[record->partition];
	ARENA_PUSH_ROOM(&r->texts, lane->list, lane->n, lane->cap);
	lane->list[lane->n] = *record;
	lane->list[lane->n++].text = arena_str(&r->texts, record->text);
	ARENA_PUSH_ROOM(&r->texts, r->order, r->n_order, r->cap_order);
	r->order[r->n_order++] = record->partition;
}

/* Where that reason wasn't told of the record already, since the rejects were so many. */
static void add_reject_once(struct run *r, const struct file_record *record, const struct err *why, size_t since)
{
	for (size_t i = since; i < r->n_rejects; i++)
		if (strcmp(r->rejects[i].why, why->text) == 0)
			return;
	add_reject(r, record, why);
}

/* For each further watch that knows the event's type. */
static void put_copies(struct run *r, struct file_record record)
{
	struct event event;
	struct err first = {0};
	size_t since = r->n_rejects;
	arena_reset(&r->look);
	decode(r, &record, &r->look, &event, &first);
	while ((record.watch = decode_also(&event))) {
		struct err why = {0};
		if (decode(r, &record, &r->look, &event, &why) == DECODE_EVENT) {
			record.partition = run_partition(r, event.subject);
			put(r, &record);
		} else if (strcmp(why.text, first.text) != 0) {
			add_reject_once(r, &record, &why, since);
		}
	}
}

static bool any_beside(const struct ruleset *rules)
{
	for (size_t i = 0; i < rules->n_watches; i++)
		if (rules->watches[i]->beside)
			return true;
	return false;
}

static bool sort_into_lanes(struct run *r, struct err *why)
{
	bool copies = any_beside(r->part->config.ruleset);
	struct file_record record;
	struct inbox_file *in = inbox_file_open(r->paths + r->part->first, r->part->n, look, r, why);
	r->n_order = 0;
	if (!in)
		return false;
	while (inbox_file_next(in, &record)) {
		if (record.partition >= 0)
			put(r, &record);
		if (copies)
			put_copies(r, record);
	}
	inbox_file_close(in);
	return true;
}

/* --- loading and storing */

static bool load(struct lane *lane, struct memory_subject *m, struct err *why)
{
	return batch_find(lane->batch, m->watch, m->key) ||
	       batch_load(lane->batch, m->watch, m->key, m->bytes, m->due, why);
}

static bool load_due(struct lane *lane, int64_t upto, struct err *why)
{
	struct memory_subject *m;
	while ((m = memory_take_due(lane->memory, upto)))
		if (!load(lane, m, why))
			return false;
	return true;
}

/* All batches begin together: they share the engine's scratch. */
static void begin(struct run *r, int32_t first, int32_t n)
{
	arena_reset(&r->events);
	arena_reset(&r->effects);
	effects_init(&r->fx, &r->effects);
	r->pending = NULL;
	r->last_pending = &r->pending;
	for (int32_t p = first; p < first + n; p++)
		batch_begin(r->lanes[p].batch, r->lanes[p].clock);
}

static bool store_lane(struct run *r, struct lane *lane, struct err *why)
{
	for (struct batch_subject *s = batch_store(lane->batch); s; s = s->next) {
		struct memory_subject *m = memory_get(lane->memory, s->subject.watch, s->subject.key);
		if (r->check && (!engine_check(r->engine, &s->subject, why) ||
				 !codec_check(&s->subject, engine_ruleset(r->engine), why)))
			return err_prefix(why, "invariant of %.*s", (int)m->key.len, m->key.s);
		if (s->subject.changed)
			memory_put(lane->memory, m, s->bytes);
		memory_due(lane->memory, m, s->subject.due);
	}
	lane->clock = batch_clock(lane->batch);
	return true;
}

static bool store(struct run *r, int32_t first, int32_t n, struct err *why)
{
	if (r->broken.text[0])
		return err_set(why, "%s", r->broken.text);
	for (int32_t p = first; p < first + n; p++)
		if (!store_lane(r, &r->lanes[p], why))
			return err_prefix(why, "partition %d", p);
	return true;
}

/* --- what comes out of a step */

/* A line that stands in r->out.  Partitions that are run one after the other need no waiting. */
static void print(struct run *r, struct lane *lane)
{
	if (r->state && !r->state_file)
		return;
	write_bytes(&r->out, "\n", 1);
	if (r->fed)
		write_bytes(&lane->lines, r->out.data, r->out.len);
	else
		fwrite(r->out.data, 1, r->out.len, stdout);
}

static void deliver(struct run *r)
{
	struct delivery *d = arena_zero(&r->events, sizeof *d);
	d->record =
		(struct file_record){.text = {arena_copy(&r->events, r->out.data, r->out.len), (uint32_t)r->out.len},
				     .file = (uint32_t)r->n_paths,
				     .line = (uint32_t)r->n_outcomes};
	*r->last_pending = d;
	r->last_pending = &d->next;
}

static void emit_message(struct run *r, struct lane *lane, const struct message *m)
{
	r->n_messages++;
	r->out.len = 0;
	message_json(m, r->part->config.ruleset, (struct str){0}, &r->out);
	print(r, lane);
}

static void emit_outcome(struct run *r, struct lane *lane, const struct outcome *o)
{
	r->n_outcomes++;
	r->out.len = 0;
	outcome_json(o, r->part->config.ruleset, (struct str){0}, &r->out);
	if (r->fed)
		deliver(r);
	if (!r->only_messages)
		print(r, lane);
}

/* What an event and the timers before it gave: by time, of one time the messages first. */
static void emit(struct run *r, struct lane *lane)
{
	const struct message *m = r->fx.first;
	const struct outcome *o = r->fx.first_outcome;
	if (r->check && !r->broken.text[0])
		journal_take(&r->journal, engine_ruleset(r->engine), &r->fx, &r->broken);
	while (m || o) {
		if (m && (!o || m->now <= o->now)) {
			emit_message(r, lane, m);
			m = m->next;
		} else {
			emit_outcome(r, lane, o);
			o = o->next;
		}
	}
	effects_init(&r->fx, &r->effects);
}

/* --- stepping */

/* A record that was put into a lane, or an outcome, for one watch.  since: where the rejects of the record begin. */
static bool step(struct run *r, const struct file_record *record, struct event *event, size_t since, struct err *why)
{
	struct err rejected = {0};
	switch (decode(r, record, &r->events, event, &rejected)) {
	case DECODE_EVENT:
		break;
	case DECODE_IGNORED:
		r->n_ignored++;
		return true;
	case DECODE_REJECTED:
		add_reject_once(r, record, &rejected, since);
		return true;
	}
	struct lane *lane = &r->lanes[run_partition(r, event->subject)];
	int64_t clock = batch_clock(lane->batch);
	if (!load(lane, memory_get(lane->memory, event->watch, event->subject), why) ||
	    !load_due(lane, event->time > clock ? event->time : clock, why))
		return false;
	if (r->check && event->answer)
		journal_answer(&r->journal, event->answer->case_id);
	if (!batch_event(lane->batch, event, event->time, &r->fx, &rejected))
		add_reject(r, record, &rejected);
	emit(r, lane);
	return true;
}

/* Outcomes arrive in the order in which they were sent, and so does what follows from them. */
static bool settle(struct run *r, struct err *why)
{
	for (struct delivery *d; (d = r->pending);) {
		if (!(r->pending = d->next))
			r->last_pending = &r->pending;
		struct event event;
		size_t since = r->n_rejects;
		for (d->record.watch = r->fed; d->record.watch; d->record.watch = decode_also(&event))
			if (!step(r, &d->record, &event, since, why))
				return false;
	}
	return true;
}

/* Steps records of these lanes in the order of the merged files. */
static bool step_all(struct run *r, int32_t first, int32_t n, struct err *why)
{
	int64_t room = 0;
	struct event event;
	for (size_t i = 0; i < r->n_order; i++) {
		int32_t p = r->order[i];
		struct lane *lane = &r->lanes[p];
		if (p < first || p >= first + n)
			continue;
		if (room == 0) {
			begin(r, first, n);
			room = r->batch_size;
		}
		if (!step(r, &lane->list[lane->at++], &event, r->n_rejects, why) || !settle(r, why))
			return false;
		if (--room == 0 && !store(r, first, n, why))
			return false;
	}
	return room == 0 || store(r, first, n, why);
}

static struct lane *next_lane(struct run *r, int32_t first, int32_t n, int64_t *due)
{
	struct lane *next = NULL;
	*due = TIME_NEVER;
	for (int32_t p = first; p < first + n; p++) {
		int64_t at = memory_next_due(r->lanes[p].memory);
		if (at < *due) {
			*due = at;
			next = &r->lanes[p];
		}
	}
	return next;
}

/* Lets time pass: the timers fire as if an event of each moment came by. */
static bool pass_time(struct run *r, int32_t first, int32_t n, struct err *why)
{
	int64_t due;
	for (struct lane *lane; (lane = next_lane(r, first, n, &due)) && due <= r->until;) {
		begin(r, first, n);
		if (!load_due(lane, due, why))
			return false;
		batch_timers(lane->batch, due, &r->fx);
		emit(r, lane);
		if (!settle(r, why) || !store(r, first, n, why))
			return false;
	}
	for (int32_t p = first; p < first + n; p++)
		r->lanes[p].clock = r->until > r->lanes[p].clock ? r->until : r->lanes[p].clock;
	return true;
}

/* --- the rules of each part */

/* The lane's states under the watches of the new rules; those of a watch that is gone are gone with it. */
static void keep_states(struct run *r, struct lane *lane)
{
	size_t n;
	struct memory *was = lane->memory;
	struct memory_subject **all = memory_all(was, &n);
	lane->memory = memory_new();
	for (size_t i = 0; i < n; i++) {
		const struct watch *w = ruleset_watch(r->part->config.ruleset, str_of(all[i]->watch->name));
		struct memory_subject *s = w ? memory_get(lane->memory, w, all[i]->key) : NULL;
		if (!s)
			continue;
		memory_put(lane->memory, s, all[i]->bytes);
		memory_due(lane->memory, s, all[i]->due);
	}
	memory_free(was);
}

static void use_rules(struct run *r)
{
	struct ruleset *rules = r->part->config.ruleset;
	decoder_free(r->decoder);
	r->decoder = decoder_new(rules);
	engine_free(r->engine);
	r->engine = engine_new(rules);
	for (int32_t p = 0; p < r->partitions; p++) {
		struct lane *lane = &r->lanes[p];
		batch_free(lane->batch);
		lane->batch = batch_new(r->engine, CLOCK_EVENTS);
		if (lane->memory)
			keep_states(r, lane);
		else
			*lane = (struct lane){.memory = memory_new(), .batch = lane->batch, .clock = INT64_MIN};
	}
	r->fed = NULL;
	for (size_t i = 0; i < rules->n_watches && !r->fed; i++)
		if (rules->watches[i]->fed_by_outcomes)
			r->fed = rules->watches[i];
}

/* Every subject of these lanes that other rules have judged, at its lane's time. */
static bool recheck_some(struct run *r, int32_t first, int32_t n, struct err *why)
{
	int64_t room = 0;
	for (int32_t p = first; p < first + n; p++) {
		size_t n_subjects;
		struct lane *lane = &r->lanes[p];
		struct memory_subject **all = memory_all(lane->memory, &n_subjects);
		for (size_t i = 0; i < n_subjects; i++) {
			if (!codec_stale(all[i]->bytes, all[i]->watch->fingerprint))
				continue;
			if (room == 0) {
				begin(r, first, n);
				room = r->batch_size;
			}
			if (!load(lane, all[i], why))
				return false;
			batch_recheck(lane->batch, batch_find(lane->batch, all[i]->watch, all[i]->key), lane->clock,
				      &r->fx);
			emit(r, lane);
			if (!settle(r, why) || (--room == 0 && !store(r, first, n, why)))
				return false;
		}
	}
	return room == 0 || store(r, first, n, why);
}

/* --- the whole */

static bool run_some(struct run *r, int32_t first, int32_t n, struct err *why)
{
	bool last = r->part + 1 == r->parts + r->n_parts;
	return recheck_some(r, first, n, why) && step_all(r, first, n, why) &&
	       (!r->has_until || !last || pass_time(r, first, n, why));
}

static bool run_part(struct run *r, struct err *why)
{
	use_rules(r);
	if (r->part == r->parts && r->from_file && !run_from(r, why))
		return false;
	if (!sort_into_lanes(r, why))
		return false;
	for (int32_t p = 0; !r->fed && p < r->partitions; p++)
		if (!run_some(r, p, 1, why))
			return false;
	if (r->fed && !run_some(r, 0, r->partitions, why))
		return false;
	for (int32_t p = 0; p < r->partitions; p++) {
		struct buffer *lines = &r->lanes[p].lines;
		if (lines->len)
			fwrite(lines->data, 1, lines->len, stdout);
		lines->len = 0;
	}
	return true;
}

bool run_lanes(struct run *r, struct err *why)
{
	r->lanes = ARENA_ARRAY(&r->texts, struct lane, r->partitions);
	r->journal.any_start = r->from_file || r->n_parts > 1;
	for (size_t i = 0; i < r->n_parts; i++) {
		r->part = &r->parts[i];
		if (!run_part(r, why))
			return false;
	}
	return true;
}

void run_lanes_close(struct run *r)
{
	for (int32_t p = 0; r->lanes && p < r->partitions; p++) {
		memory_free(r->lanes[p].memory);
		batch_free(r->lanes[p].batch);
		buffer_free(&r->lanes[p].lines);
	}
	engine_free(r->engine);
	decoder_free(r->decoder);
	journal_close(&r->journal);
}
