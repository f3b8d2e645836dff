/* Faults on request, in test builds only. */
#include "fault_point.h"
#ifdef SHOUWANG_FAULT_POINTS
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const names[N_FAULT_POINTS] = {
#define X(name, text) text,
	FAULT_POINTS(X)
#undef X
};

/* Read once; only `left` and which of them counts change later. */
struct armed {
	enum fault_point where;
	atomic_int left;
	int every;  /* of fatal ones; else 0 */
	long delay; /* µs */
	int signal;
};
enum { MAX_ARMED = 4 };
static struct armed list[MAX_ARMED];
static size_t n_list;
static atomic_size_t current; /* n_list: none */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void misread(const char *text)
{
	fprintf(stderr,
		"FAULT_POINT=%s: expected POINT:NUMBER[+MICROSECONDSus][=stop|=fatal], or several, each but the last "
		"with =stop\n",
		text);
	_exit(2);
}

static bool skip(const char **text, const char *word)
{
	size_t len = strlen(word);
	if (strncmp(*text, word, len) != 0)
		return false;
	*text += len;
	return true;
}

static bool arm(struct armed *a, const char **at)
{
	char *end;
	int where = 0;
	while (where < N_FAULT_POINTS && !skip(at, names[where]))
		where++;
	if (where == N_FAULT_POINTS || !skip(at, ":"))
		return false;
	a->where = (enum fault_point)where;
	a->left = (int)strtol(*at, &end, 10);
	*at = end;
	if (skip(at, "+")) {
		a->delay = strtol(*at, &end, 10);
		*at = end;
		if (!skip(at, "us"))
			return false;
	}
	a->signal = skip(at, "=stop") ? SIGSTOP : SIGKILL;
	a->every = a->signal == SIGKILL && skip(at, "=fatal") ? a->left : 0;
	return a->left > 0;
}

static void arm_all(void)
{
	const char *text = getenv("FAULT_POINT"), *at = text;
	while (text) {
		struct armed *a = &list[n_list++];
		if (!arm(a, &at))
			misread(text);
		if (!*at)
			return;
		if (!skip(&at, ",") || a->signal != SIGSTOP || n_list == MAX_ARMED)
			misread(text);
	}
}

/* The point that strikes now, if it is of this kind. */
static struct armed *passed(enum fault_point here, bool fatal)
{
	pthread_once(&once, arm_all);
	size_t i = atomic_load(&current);
	if (i >= n_list || list[i].where != here || (list[i].every != 0) != fatal)
		return NULL;
	return atomic_fetch_sub(&list[i].left, 1) == 1 ? &list[i] : NULL;
}

static void *strike(void *opaque)
{
	const struct armed *a = opaque;
	struct timespec t = {a->delay / 1000000, a->delay % 1000000 * 1000};
	nanosleep(&t, NULL);
	raise(a->signal); /* not kill: SIGSTOP would reach this thread last, when it is further */
	atomic_fetch_add(&current, 1);
	return NULL;
}

void fault_point(enum fault_point here)
{
	pthread_t thread;
	struct armed *a = passed(here, false);
	if (!a)
		return;
	if (!a->delay)
		strike(a);
	else if (pthread_create(&thread, NULL, strike, a) == 0)
		pthread_detach(thread);
}

bool fault_fatal(enum fault_point here)
{
	struct armed *a = passed(here, true);
	if (!a)
		return false;
	atomic_store(&a->left, a->every);
	return true;
}
#endif
