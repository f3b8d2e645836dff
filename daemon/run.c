/* The worker's loop: next -> step -> commit; and what it needs before: servers, rules, partitions. */
#include "run.h"
#include "ops/log.h"
#include "ops/memory_bound.h"
#include "worker.h"
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	IDLE_MS = 200,
	PAUSE_FIRST_MS = 500,
	PAUSE_MOST_MS = 30000,
	PAUSE_FORGET_MS = 120000, /* after so long without one, the next is short again */
	PRODUCER_WAIT_MS = 5000,
	LOAD_FIRST = 64, /* subjects, of which nothing is known yet */
	TOPICS_WAIT_MS = 5000,
};

bool worker_ending(const struct worker *w)
{
	return atomic_load(&w->end);
}

void worker_calls(struct worker *w, const char *call)
{
	atomic_store_explicit(&w->call, call, memory_order_relaxed);
}

static series plain(struct worker *w, enum metric m)
{
	return metrics_series(w->metrics, m, "", "");
}

/* --- pauses */

void worker_pause(struct worker *w, bool away, const char *why)
{
	int64_t now = clock_monotonic();
	struct pause *p = &w->pause;
	p->delay = p->delay && now - p->until < PAUSE_FORGET_MS ? p->delay * 2 : PAUSE_FIRST_MS;
	if (p->delay > PAUSE_MOST_MS)
		p->delay = PAUSE_MOST_MS;
	p->until = now + p->delay;
	if (away)
		worker_away(w, now, why);
	partitions_forget(w);
	worker_say(w, WORKER_PAUSED, "tries again in %" PRId64 " ms: %s", p->delay, why);
	log_every(60, LOG_LEVEL_WARNING, "worker %" PRId32 " pauses: %s", w->number, why);
}

void worker_away(struct worker *w, int64_t since, const char *why)
{
	struct pause *p = &w->pause;
	if (!p->away)
		p->away_since = since;
	p->away = true;
	snprintf(p->why, sizeof p->why, "%s", why);
}

void worker_fine(struct worker *w)
{
	if (w->pause.away)
		log_info("worker %" PRId32 ": Kafka and Redis answer again", w->number);
	w->pause.away = false;
	w->answered = clock_monotonic();
}

static bool paused(const struct worker *w)
{
	return clock_monotonic() < w->pause.until;
}

/* --- servers: each is tried until it answers; any failure is a pause */

static bool reach_cache(struct worker *w, struct err *why)
{
	if (cache_connected(w->cache))
		return true;
	worker_say(w, w->phase == WORKER_STARTING ? WORKER_STARTING : WORKER_PAUSED, "connects to Redis");
	w->held = false;
	return cache_connect(w->cache, why);
}

static bool reach_consumer(struct worker *w, struct err *why)
{
	if (!w->inbox)
		w->inbox = inbox_open(w->settings, w->number, why);
	return w->inbox != NULL;
}

/* Limits found here count for the next producer. */
static void use_found(struct worker *w)
{
	struct settings tuned = *w->settings;
	tuned.batch.events = w->tuning.batch.events;
	if (w->found.warning.text[0])
		log_every(3600, LOG_LEVEL_WARNING, "%s", w->found.warning.text);
	if (w->found.partitions != w->tuning.partitions)
		log_every(3600, LOG_LEVEL_WARNING,
			  "the topics have %" PRId32 " partitions, the setting `partitions` says %" PRId32
			  ": the topics count",
			  w->found.partitions, w->tuning.partitions);
	outbox_limits(w->outbox, w->found.state_bytes, w->found.batch_bytes);
	for (size_t i = 0; outbox_ready(w->outbox) && i < w->n_outputs; i++)
		outbox_has_topic(w->outbox, w->outputs[i]); /* new ones, before a transaction waits for them */
	int32_t record = w->found.state_bytes > w->found.batch_bytes ? w->found.state_bytes : w->found.batch_bytes;
	metrics_set(w->metrics, plain(w, METRIC_MEMORY_BOUND), (double)memory_bound(&tuned, (size_t)record));
	w->checked = true;
}

/* By the client of the changelog, which is idle: the inbox's long fetches hold up each answer by half a second. */
static bool check_topics(struct worker *w, struct err *why)
{
	if (w->checked)
		return true;
	struct used_topics used = {.n_inputs = w->n_topics, .outputs = w->outputs, .n_outputs = w->n_outputs};
	memcpy(used.inputs, w->topics, sizeof used.inputs);
	if (!used_topics_check(changelog_client(w->changelog), w->settings, &used, TOPICS_WAIT_MS, &w->found, why))
		return false;
	use_found(w);
	return true;
}

static bool subscribe(struct worker *w, struct err *why)
{
	if (!w->subscribed)
		w->subscribed = inbox_subscribe(w->inbox, w->topics, w->n_topics, why);
	return w->subscribed;
}

/* Whoever is fenced by us can read in Redis who we are. */
static bool hold_id(struct worker *w, struct err *why)
{
	char host[128] = "";
	gethostname(host, sizeof host - 1);
	snprintf(w->holder, sizeof w->holder,
		 "host %s, process %d, its producer started at %" PRId64 " (ms since 1970)", host, (int)getpid(),
		 clock_wall());
	return cache_hold(w->cache, outbox_transactional_id(w->outbox), w->holder, why);
}

static bool reach_producer(struct worker *w, struct err *why, bool *away)
{
	if (!outbox_ready(w->outbox)) {
		worker_say(w, w->phase == WORKER_STARTING ? WORKER_STARTING : WORKER_PAUSED,
			   "opens its producer, and waits for its earlier transactions to be decided");
		w->held = false;
		if (!outbox_open_producer(w->outbox, w->outputs, w->n_outputs, PRODUCER_WAIT_MS, why, away))
			return false;
	}
	if (!w->held)
		w->held = hold_id(w, why);
	return w->held;
}

/* Away is a server that doesn't answer; not one that answers what a person must look at. */
static bool reach_servers(struct worker *w)
{
	struct err why = {""};
	bool ok = false, away = true;
	worker_calls(w, "connecting to Redis and Kafka");
	if (reach_cache(w, &why) && reach_consumer(w, &why)) {
		if (!check_topics(w, &why)) {
			away = !w->found.answered;
			if (!away)
				outbox_close_producer(w->outbox); /* a topic may be another one when it is back */
		} else {
			ok = subscribe(w, &why) && reach_producer(w, &why, &away);
		}
	}
	worker_calls(w, NULL);
	if (!ok)
		worker_pause(w, away, why.text);
	return ok;
}

/* --- rules */

static void list_topics(struct worker *w)
{
	struct used_topics used;
	arena_reset(&w->names);
	used_topics(w->settings, w->rules, &w->names, &used);
	memcpy(w->topics, used.inputs, sizeof w->topics);
	w->n_topics = used.n_inputs;
	w->outputs = used.outputs;
	w->n_outputs = used.n_outputs;
}

static void name_series(struct worker *w)
{
	static const char *const classes[N_REJECT_CLASSES] = {"decode", "partition", "rules", "size", "timer"};
	char number[16];
	struct worker_series *s = &w->series;
	snprintf(number, sizeof number, "%" PRId32, w->number);
	for (int i = 0; i < N_REJECT_CLASSES; i++)
		s->rejected[i] = metrics_series(w->metrics, METRIC_REJECTED, classes[i], "");
	s->forwarded = plain(w, METRIC_FORWARDED);
	s->outcomes = plain(w, METRIC_OUTCOMES);
	s->swept = plain(w, METRIC_SWEPT);
	s->peers_differ = plain(w, METRIC_PEERS_DIFFER);
	s->timers = plain(w, METRIC_TIMERS);
	s->states = plain(w, METRIC_STATES);
	s->state_bytes = plain(w, METRIC_STATE_BYTES);
	s->commits = plain(w, METRIC_COMMITS);
	s->aborts = plain(w, METRIC_ABORTS);
	s->late = plain(w, METRIC_LATE);
	s->takeovers = plain(w, METRIC_TAKEOVERS);
	s->replayed = plain(w, METRIC_REPLAYED);
	s->fenced = plain(w, METRIC_FENCED);
	s->commit_seconds = plain(w, METRIC_COMMIT_SECONDS);
	s->step_seconds = plain(w, METRIC_STEP_SECONDS);
	s->cache_seconds = plain(w, METRIC_CACHE_SECONDS);
	s->batch_events = plain(w, METRIC_BATCH_EVENTS);
	s->arena = metrics_series(w->metrics, METRIC_ARENA_BYTES, number, "");
	s->kafka_errors = metrics_series(w->metrics, METRIC_ERRORS, "kafka", "");
	s->redis_errors = metrics_series(w->metrics, METRIC_ERRORS, "redis", "");
}

static void name_rule_series(struct worker *w)
{
	struct worker_series *s = &w->series;
	s->rules = realloc(s->rules, sizeof *s->rules * 3 * (w->rules->n_rules + 1));
	s->messages = realloc(s->messages, sizeof *s->messages * (w->n_outputs + 1));
	if (!s->rules || !s->messages)
		abort();
	for (size_t i = 0; i < w->rules->n_rules; i++) {
		const char *name = w->rules->rules[i]->name;
		s->rules[3 * i] = metrics_series(w->metrics, METRIC_RULE_EVALUATED, name, "");
		s->rules[3 * i + 1] = metrics_series(w->metrics, METRIC_RULE_UNKNOWN, name, "");
		s->rules[3 * i + 2] = metrics_series(w->metrics, METRIC_RULE_OPENED, name, "");
	}
	for (size_t i = UNIT_OUTPUTS; i < w->n_outputs; i++)
		s->messages[i] = metrics_series(w->metrics, METRIC_MESSAGES, w->outputs[i], "");
	for (size_t i = 0; i < w->n_topics; i++) {
		s->events[i] = metrics_series(w->metrics, METRIC_EVENTS, w->topics[i].name, "");
		s->ignored[i] = metrics_series(w->metrics, METRIC_IGNORED, w->topics[i].name, "");
	}
}

static void drop_rules(struct worker *w)
{
	batch_free(w->batch);
	decoder_free(w->decoder);
	engine_free(w->engine);
	free(w->counts);
	if (w->rules)
		ruleset_release(w->rules);
	w->rules = NULL;
}

/* Takes over the reference. */
static void use_rules(struct worker *w, struct ruleset *rules)
{
	drop_rules(w);
	w->rules = rules;
	w->engine = engine_new(rules);
	w->batch = batch_new(w->engine, w->settings->clock);
	w->decoder = decoder_new(rules);
	w->counts = calloc(rules->n_rules + 1, sizeof *w->counts);
	if (!w->counts)
		abort();
	list_topics(w);
	name_rule_series(w);
}

static struct worker_rules take_next(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	struct worker_rules next = w->next;
	w->next.ruleset = NULL;
	atomic_store(&w->renew, false);
	pthread_mutex_unlock(&w->lock);
	return next;
}

static bool reads_same_topics(struct worker *w, const struct ruleset *rules)
{
	struct arena a;
	struct used_topics next;
	arena_init(&a);
	used_topics(w->settings, rules, &a, &next);
	bool same = used_topics_same(w->topics, w->n_topics, next.inputs, next.n_inputs);
	arena_close(&a);
	return same;
}

/* Between two batches.  What was collected was decoded by the old rules: it is read again. */
static void take_new_rules(struct worker *w)
{
	if (!atomic_load(&w->renew))
		return;
	struct worker_rules next = take_next(w);
	bool same = reads_same_topics(w, next.ruleset);
	if (!same)
		partitions_hide(w); /* by the topics that were read until now */
	w->tuning = next.tuning;
	use_rules(w, next.ruleset);
	partitions_renew(w, same);
	w->checked = false;
	if (next.found.answered) { /* asking again, behind the fetches of this consumer, would take seconds */
		w->found = next.found;
		use_found(w);
	}
	w->peers_due = 0;
	w->pause.until = 0; /* whoever reloads has mended something */
	w->subscribed = w->subscribed && same;
	log_info("worker %" PRId32 ": works by new rules, %016" PRIx64, w->number, w->rules->fingerprint);
}

/* --- the loop */

static void *work(void *arg)
{
	struct worker *w = arg;
	struct round round;
	while (!worker_ending(w)) {
		atomic_store(&w->moved, clock_monotonic());
		worker_show(w, false);
		take_new_rules(w);
		if (paused(w) || !reach_servers(w) || !partitions_ready(w)) {
			if (w->inbox)
				collect_wait(w, IDLE_MS);
			else
				usleep(IDLE_MS * 1000);
			continue;
		}
		peers_look(w);
		collect(w, sweep_wait(w, IDLE_MS));
		if (w->inbox && round_step(w, &round))
			round_commit(w, &round);
	}
	worker_say(w, WORKER_ENDING, "gives its partitions back");
	inbox_close(w->inbox);
	w->inbox = NULL;
	partitions_reassigned(w);
	peers_leave(w);
	worker_say(w, WORKER_ENDED, "has ended");
	return NULL;
}

static void close_worker(struct worker *w)
{
	outbox_free(w->outbox);
	changelog_close(w->changelog);
	inbox_close(w->inbox);
	cache_free(w->cache);
	drop_rules(w);
	partitions_close(w);
	arena_close(&w->collected);
	arena_close(&w->round);
	arena_close(&w->effects);
	buffer_free(&w->json);
	arena_close(&w->names);
	free(w->series.rules);
	free(w->series.messages);
	free(w->shown_partitions);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* Clients that can be made without a server being there; their faults are faults of the settings. */
static bool open_clients(struct worker *w, struct err *why)
{
	return (w->cache = cache_new(w->settings, why)) && (w->inbox = inbox_open(w->settings, w->number, why)) &&
	       (w->outbox = outbox_new(w->settings, w->number, why)) &&
	       (w->changelog = changelog_open(w->settings, why));
}

/* Signals are main's; a socket that breaks is an error of a write, not a signal. */
static bool start_thread(struct worker *w, struct err *why)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	int code = pthread_create(&w->thread, NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code != 0)
		return err_set(why, "starting a thread: %s", strerror(code));
	char name[16]; /* what top and the bench show; the most that the kernel takes */
	snprintf(name, sizeof name, "worker %d", (int)(w->number % 100000));
	pthread_setname_np(w->thread, name);
	return true;
}

/* Batches come and go; giving their memory back to the system and taking it again, page by cleared page, cost half of
 * all time. */
static void keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, 32 << 20); /* the most that glibc takes */
	mallopt(M_TRIM_THRESHOLD, 128 << 20);
}

struct worker *worker_start(const struct worker_options *options, struct err *why)
{
	struct worker *w = calloc(1, sizeof *w);
	if (!w)
		abort();
	keep_memory();
	pthread_mutex_init(&w->lock, NULL);
	w->settings = options->settings;
	w->tuning = settings_tuning(w->settings);
	w->number = options->number;
	w->metrics = options->metrics;
	w->meter = metrics_meter(w->metrics);
	w->load_most = LOAD_FIRST;
	w->settled = w->answered = clock_monotonic();
	atomic_store(&w->moved, w->settled);
	name_series(w);
	use_rules(w, ruleset_hold(options->ruleset));
	worker_say(w, WORKER_STARTING, "starts");
	if (open_clients(w, why) && start_thread(w, why))
		return w;
	close_worker(w);
	return NULL;
}

void worker_end(struct worker *w)
{
	atomic_store(&w->end, true);
}

void worker_stop(struct worker *w)
{
	worker_end(w);
	pthread_join(w->thread, NULL);
	if (w->next.ruleset)
		ruleset_release(w->next.ruleset);
	close_worker(w);
}

void worker_reload(struct worker *w, const struct worker_rules *next)
{
	pthread_mutex_lock(&w->lock);
	if (w->next.ruleset)
		ruleset_release(w->next.ruleset);
	w->next = *next;
	ruleset_hold(next->ruleset);
	atomic_store(&w->renew, true);
	pthread_mutex_unlock(&w->lock);
}
