/* Commits a round: one Kafka transaction, and only after its success one script of Redis for each partition. */
#include "ops/fault_point.h"
#include "ops/log.h"
#include "worker.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AGAIN_AT_ONCE = 3 };

/* --- the transaction */

/* The partition record goes first: a small one that registers the changelog's partition with the transaction while
 * the rest is being built. */
static void write_record(struct worker *w, struct turn *t)
{
	struct buffer *b = &t->partition->record_bytes;
	b->len = 0;
	partition_record_encode(&t->record, b);
	outbox_state(w->outbox, &t->out, STR(PARTITION_RECORD_KEY), (struct str){b->data, (uint32_t)b->len});
}

/* A topic with {region} is one for each code that the unit names: a code that nobody has named may have none.  Its
 * messages must not stop all others: they go to the rejects. */
static void write_stray(struct worker *w, const struct sent *m)
{
	const char *reason =
		arena_printf(&w->round,
			     "message: found no topic %s for unit %.*s; name its code in the unit's `names` "
			     "and run `shouwangctl topics`",
			     m->topic, (int)m->unit.len, m->unit.s);
	log_every(60, LOG_LEVEL_ERROR, "%s", reason);
	outbox_reject(
		w->outbox,
		&(struct record){.topic = m->topic, .partition = -1, .offset = -1, .key = m->key, .value = m->json},
		NULL, reason);
}

/* One that must be there was so when it was looked for last: to find out that it has gone, what is sent to it must
 * fail. */
static bool must_be_there(const struct worker *w, const char *topic)
{
	for (size_t i = UNIT_OUTPUTS; i < w->n_outputs; i++)
		if (strcmp(topic, w->outputs[i]) == 0)
			return true;
	return false;
}

static void write_messages(struct worker *w, struct turn *t)
{
	for (size_t i = 0; i < t->messages.n; i++) {
		const struct sent *m = &t->messages.list[i];
		if (must_be_there(w, m->topic) || outbox_has_topic(w->outbox, m->topic))
			outbox_message(w->outbox, m->topic, m->key, m->json);
		else
			write_stray(w, m);
	}
}

/* Keyed by the unit, whose partition the producer finds by the configured partitioner. */
static void write_outcomes(struct worker *w, struct turn *t)
{
	for (size_t i = 0; i < t->outcomes.n; i++)
		outbox_message(w->outbox, w->settings->topics.outcomes, t->outcomes.list[i].key,
			       t->outcomes.list[i].json);
}

static void write_forwarded(struct worker *w, struct turn *t)
{
	struct item *i = t->items;
	for (size_t n = 0; t->n_forwarded && n < t->n_items; n++, i = i->next)
		forward_write(w, i);
}

static void write_states(struct worker *w, struct turn *t)
{
	for (size_t i = 0; i < t->n_subjects; i++)
		if (t->subjects[i].changed)
			outbox_state(w->outbox, &t->out, t->subjects[i].key, t->subjects[i].bytes);
	for (size_t i = 0; i < t->n_strangers; i++)
		if (t->strangers[i].state.len)
			outbox_state(w->outbox, &t->out, t->strangers[i].key, t->strangers[i].state);
}

static void write_rejects(struct worker *w, struct turn *t)
{
	struct item *i = t->items;
	for (size_t n = 0; t->n_rejected && n < t->n_items; n++, i = i->next) {
		if (i->reason)
			outbox_reject(w->outbox, &i->record, i->event.type ? i->event.watch->name : NULL, i->reason);
		for (const struct passage *p = i->passages; p; p = p->next)
			if (p->reason)
				outbox_reject(w->outbox, &i->record, p->watch->name, p->reason);
	}
	for (i = t->timer_rejects; i; i = i->next)
		outbox_reject(w->outbox, &i->record, i->event.watch->name, i->reason);
}

/* Absolute ones for every topic of every partition whose state is touched, also where only timers fired. */
static struct outbox_offset *offsets_of(struct worker *w, const struct round *r, size_t *n)
{
	struct outbox_offset *list = ARENA_ARRAY(&w->round, struct outbox_offset, r->n * w->n_topics);
	*n = 0;
	for (size_t i = 0; i < r->n; i++) {
		struct turn *t = &r->turns[i];
		for (size_t k = 0; t->touched && k < w->n_topics; k++) {
			const struct position *at = partition_record_position(&t->record, w->topics[k].name);
			if (at)
				list[(*n)++] = (struct outbox_offset){w->topics[k].name, t->partition->id, at->next};
		}
	}
	return list;
}

static enum outbox_answer transact(struct worker *w, struct round *r, struct err *why)
{
	size_t n;
	if (!outbox_begin(w->outbox, why))
		return OUTBOX_REPLACE;
	for (size_t i = 0; i < r->n; i++)
		if (r->turns[i].touched)
			write_record(w, &r->turns[i]);
	for (size_t i = 0; i < r->n; i++) {
		struct turn *t = &r->turns[i];
		if (!t->touched)
			continue;
		write_messages(w, t);
		write_outcomes(w, t);
		write_forwarded(w, t);
		write_states(w, t);
		write_rejects(w, t);
	}
	fault_point(FAULT_IN_TRANSACTION);
	const struct outbox_offset *offsets = offsets_of(w, r, &n);
	return outbox_commit(w->outbox, offsets, n, inbox_metadata(w->inbox), why);
}

/* --- Redis follows */

static void add_change(struct cache_store *s, struct str key, struct str state, bool timed, int64_t due)
{
	s->changes[s->n_changes++] = (struct cache_change){key, state, timed, due};
}

static struct cache_store store_of(struct worker *w, struct turn *t)
{
	struct buffer *b = &t->partition->record_bytes;
	struct cache_store out = {.partition = t->partition->id,
				  .from = t->partition->watermark,
				  .to = t->out.next,
				  .record = {b->data, (uint32_t)b->len},
				  .record_at = t->out.first,
				  .changes =
					  ARENA_ARRAY(&w->round, struct cache_change, t->n_subjects + t->n_strangers)};
	for (size_t i = 0; i < t->n_subjects; i++) {
		const struct turn_subject *s = &t->subjects[i];
		if (s->changed || s->moved)
			add_change(&out, s->key, s->bytes, s->moved, s->next_due);
	}
	for (size_t i = 0; i < t->n_strangers; i++)
		add_change(&out, t->strangers[i].key,
			   t->strangers[i].state.len ? t->strangers[i].state : (struct str){NULL, 0}, true, TIME_NEVER);
	return out;
}

/* False: that partition's Redis is not as it should be. */
static void settle(struct worker *w, struct turn *t, enum cache_answer answer)
{
	struct partition *p = t->partition;
	if (answer == CACHE_OK) {
		p->watermark = t->out.next;
		return;
	}
	log_warn("partition %" PRId32 ": Redis didn't take what was committed; taking over anew", p->id);
	partition_set(w, p, PARTITION_TAKING_OVER, "");
}

static void follow(struct worker *w, struct round *r)
{
	struct err why = {""};
	struct cache_store *stores = ARENA_ARRAY(&w->round, struct cache_store, r->n);
	struct turn **of = ARENA_ARRAY(&w->round, struct turn *, r->n);
	size_t n = 0;
	int64_t start = clock_monotonic();
	for (size_t i = 0; i < r->n; i++) {
		struct turn *t = &r->turns[i];
		if (!t->touched)
			continue;
		if (t->out.unreported) { /* librdkafka 2.0.2 may forget to tell an offset */
			settle(w, t, CACHE_REFUSED);
			continue;
		}
		of[n] = t;
		stores[n++] = store_of(w, t);
	}
	worker_calls(w, "writing states to Redis");
	enum cache_answer answer = n ? cache_store(w->cache, stores, n, &w->round, &why) : CACHE_OK;
	worker_calls(w, NULL);
	if (answer != CACHE_OK) {
		meter_add(w->meter, w->series.redis_errors, 1);
		worker_pause(w, true, why.text);
		return;
	}
	for (size_t i = 0; i < n; i++)
		settle(w, of[i], stores[i].answer);
	meter_observe(w->meter, w->series.cache_seconds, (double)(clock_monotonic() - start) / 1000);
}

/* --- what was done */

static void count_message(struct worker *w, const struct sent *m)
{
	for (size_t i = UNIT_OUTPUTS; i < w->n_outputs; i++)
		if (strcmp(m->topic, w->outputs[i]) == 0) {
			meter_add(w->meter, w->series.messages[i], 1);
			return;
		}
}

static void count_turn(struct worker *w, const struct turn *t)
{
	uint64_t rejected[N_REJECT_CLASSES] = {0}, states = 0, bytes = 0;
	const struct item *i = t->items;
	for (size_t n = 0; t->n_rejected && n < t->n_items; n++, i = i->next) {
		rejected[i->class] += i->reason != NULL;
		for (const struct passage *p = i->passages; p; p = p->next)
			rejected[REJECT_DECODE] += p->reason != NULL;
	}
	for (i = t->timer_rejects; i; i = i->next)
		rejected[REJECT_TIMER]++;
	for (size_t k = 0; k < t->n_subjects; k++) {
		states += t->subjects[k].changed;
		bytes += t->subjects[k].bytes.len;
	}
	for (size_t k = 0; k < w->n_topics; k++) {
		meter_add(w->meter, w->series.events[k], t->events[k]);
		meter_add(w->meter, w->series.ignored[k], t->ignored[k]);
	}
	for (int k = 0; k < N_REJECT_CLASSES; k++)
		meter_add(w->meter, w->series.rejected[k], rejected[k]);
	for (size_t k = 0; k < t->messages.n; k++)
		count_message(w, &t->messages.list[k]);
	meter_add(w->meter, w->series.forwarded, t->n_forwarded);
	meter_add(w->meter, w->series.outcomes, t->outcomes.n);
	meter_add(w->meter, w->series.states, states);
	meter_add(w->meter, w->series.state_bytes, bytes);
	meter_add(w->meter, w->series.timers, t->load.n_due < t->due_share ? t->load.n_due : t->due_share);
	w->events += t->n_items;
	w->rejected += t->n_rejected;
	w->messages += t->messages.n;
}

static void count_round(struct worker *w, const struct round *r, int64_t start)
{
	size_t events = 0;
	for (size_t i = 0; i < r->n; i++)
		if (r->turns[i].touched) {
			events += r->turns[i].n_items;
			count_turn(w, &r->turns[i]);
		}
	meter_add(w->meter, w->series.commits, 1);
	meter_observe(w->meter, w->series.commit_seconds, (double)(clock_monotonic() - start) / 1000);
	meter_observe(w->meter, w->series.batch_events, (double)events);
	meter_add(w->meter, w->series.late, w->late);
	for (size_t i = 0; i < w->rules->n_rules; i++) {
		meter_add(w->meter, w->series.rules[3 * i], w->counts[i].evaluated);
		meter_add(w->meter, w->series.rules[3 * i + 1], w->counts[i].unknown);
		meter_add(w->meter, w->series.rules[3 * i + 2], w->counts[i].opened);
	}
}

static void committed(struct worker *w, struct round *r, int64_t start)
{
	count_round(w, r, start);
	w->again = 0;
	w->pause.delay = 0;
	w->commits++;
	w->committed = clock_monotonic();
	for (size_t i = 0; i < r->n; i++) {
		struct turn *t = &r->turns[i];
		if (!t->touched)
			continue;
		struct partition *p = t->partition;
		p->record = t->record;
		p->unsaved = false;
		if (p->n_items) /* timers alone are no progress of the input, unless it is they that it waits for */
			p->progress = w->committed;
		metrics_set(w->metrics, p->committed, (double)clock_wall() / 1000);
		sweep_moved(w, t);
	}
	fault_point(FAULT_AFTER_COMMIT);
	follow(w, r);
	for (size_t i = 0; i < r->n; i++)
		if (r->turns[i].touched && r->turns[i].partition->state == PARTITION_RUNNING)
			collect_done(w, r->turns[i].partition, r->turns[i].n_items, r->turns[i].after);
}

/* --- when it fails */

static void name_holder(struct worker *w, char *out, size_t size)
{
	const char *id = outbox_transactional_id(w->outbox);
	struct str holder = cache_holder(w->cache, id, &w->round);
	if (holder.len == 0 || str_equal(holder, str_of(w->holder)))
		snprintf(out, size,
			 "the transactional id %s is used by another process too, which doesn't note itself in this "
			 "Redis.  Give each daemon its own `node`, each instance its own name",
			 id);
	else
		snprintf(out, size,
			 "the transactional id %s is used by another process too, which last was: %.*s.  Give each "
			 "daemon its own `node`",
			 id, (int)holder.len, holder.s);
}

/* Nothing was done: the items are still there for another round.  Is a topic gone, or takes less?  An answer that stays
 * the same (a right that is missing) is looked into again with time between. */
static void again(struct worker *w, const char *why)
{
	meter_add(w->meter, w->series.aborts, 1);
	log_every(60, LOG_LEVEL_WARNING, "a transaction was aborted and is made again: %s", why);
	w->checked = false;
	if (++w->again > AGAIN_AT_ONCE)
		worker_pause(w, false, why);
}

/* Once the id is taken from us it is taken back at once: its holder may have ended.  In a row, that is a war. */
static void replace(struct worker *w, const char *why)
{
	char war[SENTENCE_MAX];
	unsigned fenced = outbox_fenced(w->outbox);
	meter_add(w->meter, w->series.kafka_errors, 1);
	partitions_forget(w);
	log_every(60, LOG_LEVEL_WARNING, "the producer is replaced and all partitions are taken over anew: %s", why);
	if (!fenced) {
		w->checked = false;
		worker_pause(w, false, why);
		return;
	}
	meter_add(w->meter, w->series.fenced, 1);
	if (fenced == 1)
		return;
	name_holder(w, war, sizeof war);
	log_every(60, LOG_LEVEL_ERROR, "%s", war);
	worker_pause(w, false, war);
}

void round_commit(struct worker *w, struct round *r)
{
	struct err why = {""};
	int64_t start = clock_monotonic();
	worker_calls(w, "committing a transaction to Kafka");
	enum outbox_answer answer = transact(w, r, &why);
	worker_calls(w, NULL);
	switch (answer) {
	case OUTBOX_OK:
		committed(w, r, start);
		return;
	case OUTBOX_AGAIN:
		again(w, why.text);
		return;
	case OUTBOX_REPLACE:
		replace(w, why.text);
		return;
	}
}
