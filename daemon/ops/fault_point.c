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

static struct {
	atomic_int where; /* N_FAULT_POINTS: nowhere */
	atomic_int left;
	int every;  /* of fatal ones; else 0 */
	long delay; /* µs */
	int signal;
	const char *next; /* what is to be armed then */
} armed = {.where = N_FAULT_POINTS};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void misread(const char *text)
{
	fprintf(stderr, "FAULT_POINT=%s: expected POINT:NUMBER[+MICROSECONDSus][=stop|=fatal][,…]\n", text);
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

static void arm(const char *text)
{
	const char *at = text;
	char *end;
	int where = 0;
	while (where < N_FAULT_POINTS && !skip(&at, names[where]))
		where++;
	if (where == N_FAULT_POINTS || !skip(&at, ":"))
		misread(text);
	armed.left = (int)strtol(at, &end, 10);
	at = end;
	armed.delay = 0;
	if (skip(&at, "+")) {
		armed.delay = strtol(at, &end, 10);
		at = end;
		if (!skip(&at, "us"))
			misread(text);
	}
	armed.signal = skip(&at, "=stop") ? SIGSTOP : SIGKILL;
	armed.every = skip(&at, "=fatal") ? armed.left : 0;
	armed.next = skip(&at, ",") ? at : NULL;
	if (armed.left < 1 || (*at && !armed.next))
		misread(text);
	atomic_store(&armed.where, where);
}

static void arm_first(void)
{
	const char *text = getenv("FAULT_POINT");
	if (text)
		arm(text);
}

static void *strike(void *unused)
{
	struct timespec t = {armed.delay / 1000000, armed.delay % 1000000 * 1000};
	(void)unused;
	nanosleep(&t, NULL);
	raise(armed.signal); /* not kill: SIGSTOP would reach this thread last, when it is further */
	if (armed.next)
		arm(armed.next);
	return NULL;
}

void fault_point(enum fault_point here)
{
	pthread_t thread;
	pthread_once(&once, arm_first);
	if ((int)here != atomic_load(&armed.where) || armed.every || atomic_fetch_sub(&armed.left, 1) != 1)
		return;
	if (!armed.delay)
		strike(NULL);
	else if (pthread_create(&thread, NULL, strike, NULL) == 0)
		pthread_detach(thread);
}

bool fault_fatal(enum fault_point here)
{
	pthread_once(&once, arm_first);
	if ((int)here != atomic_load(&armed.where) || !armed.every || atomic_fetch_sub(&armed.left, 1) != 1)
		return false;
	atomic_store(&armed.left, armed.every);
	return true;
}
#endif
