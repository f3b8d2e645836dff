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
	int where; /* N_FAULT_POINTS: nowhere */
	atomic_int left;
	int every;  /* of fatal ones; else 0 */
	long delay; /* µs */
	int signal;
} armed = {.where = N_FAULT_POINTS};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void misread(const char *text)
{
	fprintf(stderr, "FAULT_POINT=%s: expected POINT:NUMBER[+MICROSECONDSus][=stop|=fatal]\n", text);
	_exit(2);
}

static void arm(void)
{
	const char *text = getenv("FAULT_POINT");
	if (!text)
		return;
	size_t len = strcspn(text, ":");
	char *end;
	for (int i = 0; i < N_FAULT_POINTS; i++)
		if (strlen(names[i]) == len && strncmp(names[i], text, len) == 0)
			armed.where = i;
	if (armed.where == N_FAULT_POINTS || text[len] != ':')
		misread(text);
	armed.left = (int)strtol(text + len + 1, &end, 10);
	if (*end == '+') {
		armed.delay = strtol(end + 1, &end, 10);
		if (strncmp(end, "us", 2) != 0)
			misread(text);
		end += 2;
	}
	armed.signal = strcmp(end, "=stop") == 0 ? SIGSTOP : SIGKILL;
	armed.every = strcmp(end, "=fatal") == 0 ? armed.left : 0;
	if (armed.left < 1 || (*end && armed.signal == SIGKILL && !armed.every))
		misread(text);
}

static void *strike(void *unused)
{
	struct timespec t = {armed.delay / 1000000, armed.delay % 1000000 * 1000};
	(void)unused;
	nanosleep(&t, NULL);
	raise(armed.signal); /* not kill: SIGSTOP would reach this thread last, when it is further */
	return NULL;
}

void fault_point(enum fault_point here)
{
	pthread_t thread;
	pthread_once(&once, arm);
	if ((int)here != armed.where || armed.every || atomic_fetch_sub(&armed.left, 1) != 1)
		return;
	if (!armed.delay)
		strike(NULL);
	else if (pthread_create(&thread, NULL, strike, NULL) == 0)
		pthread_detach(thread);
}

bool fault_fatal(enum fault_point here)
{
	pthread_once(&once, arm);
	if ((int)here != armed.where || !armed.every || atomic_fetch_sub(&armed.left, 1) != 1)
		return false;
	atomic_store(&armed.left, armed.every);
	return true;
}
#endif
