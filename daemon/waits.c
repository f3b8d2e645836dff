/* Waits that end although somebody sets the clock.
 *
 * Librdkafka reckons each deadline by the wall clock (its issue 2145).  Where that is set back by a day, a poll of
 * 200 ms lasts a day, heartbeats stop, and nothing says so.  A program's own definition comes before libc's, also for
 * the libraries that it uses: these two wait as long as the deadline is away, by a clock that nobody sets.
 *
 * Librdkafka waits again with the deadline of before when it is woken too early.  Nothing in this process waits for
 * longer than LONGEST_S: such a deadline was reckoned before the clock was set back, and has come. */
#include <errno.h>
#include <pthread.h>
#include <threads.h>
#include <time.h>

enum { LONGEST_S = 60 };

static struct timespec add(struct timespec a, struct timespec b)
{
	struct timespec sum = {a.tv_sec + b.tv_sec, a.tv_nsec + b.tv_nsec};
	if (sum.tv_nsec >= 1000000000) {
		sum.tv_nsec -= 1000000000;
		sum.tv_sec++;
	}
	return sum;
}

static struct timespec subtract(struct timespec a, struct timespec b)
{
	struct timespec left = {a.tv_sec - b.tv_sec, a.tv_nsec - b.tv_nsec};
	if (left.tv_nsec < 0) {
		left.tv_nsec += 1000000000;
		left.tv_sec--;
	}
	return left;
}

__attribute__((used, visibility("default"))) int pthread_cond_timedwait(pthread_cond_t *restrict cond,
									pthread_mutex_t *restrict mutex,
									const struct timespec *restrict deadline)
{
	struct timespec wall, now, left;
	clock_gettime(CLOCK_REALTIME, &wall);
	left = subtract(*deadline, wall);
	if (left.tv_sec < 0 || left.tv_sec >= LONGEST_S)
		return ETIMEDOUT;
	clock_gettime(CLOCK_MONOTONIC, &now);
	left = add(now, left);
	return pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &left);
}

/* C11's are POSIX's under another name in glibc and in musl. */
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "a cnd_t is a pthread_cond_t");

__attribute__((used, visibility("default"))) int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex,
							       const struct timespec *restrict deadline)
{
	switch (pthread_cond_timedwait((pthread_cond_t *)(void *)cond, (pthread_mutex_t *)(void *)mutex, deadline)) {
	case 0:
		return thrd_success;
	case ETIMEDOUT:
		return thrd_timedout;
	default:
		return thrd_error;
	}
}
