/* The lock guards the list of workers: HTTP asks from its own thread. */
#include "supervisor.h"
#include "ops/log.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

struct supervisor {
	pthread_mutex_t lock;
	struct worker **workers;
	size_t n;
	int64_t stall; /* ms */
};

struct supervisor *supervisor_new(void)
{
	struct supervisor *s = calloc(1, sizeof *s);
	if (!s)
		abort();
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void supervisor_free(struct supervisor *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* Takes the list away, so that nobody asks a worker that is being freed. */
static struct worker **take_workers(struct supervisor *s, size_t *n)
{
	pthread_mutex_lock(&s->lock);
	struct worker **workers = s->workers;
	*n = s->n;
	s->workers = NULL;
	s->n = 0;
	pthread_mutex_unlock(&s->lock);
	return workers;
}

bool supervisor_start(struct supervisor *s, const struct settings *settings, struct ruleset *ruleset,
		      struct metrics *metrics, struct err *why)
{
	s->stall = settings->stall;
	struct worker **workers = calloc((size_t)settings->workers, sizeof *workers);
	if (!workers)
		abort();
	size_t n = 0;
	for (int32_t i = 0; i < settings->workers; i++, n++) {
		workers[n] = worker_start(
			&(struct worker_options){
				.settings = settings, .ruleset = ruleset, .metrics = metrics, .number = i},
			why);
		if (!workers[n])
			break;
	}
	pthread_mutex_lock(&s->lock);
	s->workers = workers;
	s->n = n;
	pthread_mutex_unlock(&s->lock);
	if (n == (size_t)settings->workers)
		return true;
	supervisor_stop(s);
	return err_prefix(why, "worker %zu", n);
}

void supervisor_stop(struct supervisor *s)
{
	size_t n;
	struct worker **workers = take_workers(s, &n);
	for (size_t i = 0; i < n; i++)
		worker_end(workers[i]);
	for (size_t i = 0; i < n; i++)
		worker_stop(workers[i]);
	free(workers);
}

void supervisor_reload(struct supervisor *s, const struct worker_rules *next, int64_t stall)
{
	pthread_mutex_lock(&s->lock);
	s->stall = stall;
	for (size_t i = 0; i < s->n; i++)
		worker_reload(s->workers[i], next);
	pthread_mutex_unlock(&s->lock);
}

void supervisor_judge(struct supervisor *s, struct health_report *out)
{
	struct arena a;
	arena_init(&a);
	pthread_mutex_lock(&s->lock);
	struct worker_status *statuses = ARENA_ARRAY(&a, struct worker_status, s->n + 1);
	for (size_t i = 0; i < s->n; i++)
		worker_status(s->workers[i], &a, &statuses[i]);
	health_judge(statuses, s->n, clock_monotonic(), s->stall, out);
	pthread_mutex_unlock(&s->lock);
	arena_close(&a);
}
