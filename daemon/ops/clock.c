/* The system's clocks in milliseconds. */
#include "clock.h"
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_wall(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic(void)
{
	return read_clock(CLOCK_MONOTONIC);
}
