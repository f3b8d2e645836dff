/* Waits end in time whatever the wall clock says: this program sets it for itself and for librdkafka. */
#include <librdkafka/rdkafka.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { DAY = 86400 };

/* --- the clock */

static _Atomic long clock_set_by; /* s */

static int read_clock(clockid_t id, struct timespec *out)
{
	long code = syscall(SYS_clock_gettime, id, out);
	if (id == CLOCK_REALTIME)
		out->tv_sec += clock_set_by;
	return (int)code;
}

int clock_gettime(clockid_t id, struct timespec *out)
{
	return read_clock(id, out);
}

int timespec_get(struct timespec *out, int base)
{
	return read_clock(CLOCK_REALTIME, out) == 0 ? base : 0;
}

static int64_t elapsed(void)
{
	struct timespec t;
	read_clock(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct timespec in_ms(int64_t ms)
{
	struct timespec t;
	read_clock(CLOCK_REALTIME, &t);
	int64_t ns = t.tv_nsec + ms * 1000000;
	return (struct timespec){t.tv_sec + ns / 1000000000, ns % 1000000000};
}

/* --- waits */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static int wait_until(struct timespec deadline)
{
	pthread_mutex_lock(&mutex);
	int code = pthread_cond_timedwait(&cond, &mutex, &deadline);
	pthread_mutex_unlock(&mutex);
	return code;
}

static void lasts_as_long_as_the_deadline_is_away(void **state)
{
	(void)state;
	int64_t start = elapsed();
	assert_int_equal(wait_until(in_ms(300)), ETIMEDOUT);
	int64_t took = elapsed() - start;
	assert_true(took >= 299 && took < 20000);
}

static void is_over_when_the_deadline_has_passed(void **state)
{
	(void)state;
	int64_t start = elapsed();
	struct timespec passed = in_ms(0);
	passed.tv_sec -= DAY;
	assert_int_equal(wait_until(passed), ETIMEDOUT);
	assert_true(elapsed() - start < 20000);
}

static void is_over_when_the_clock_was_set_back_after_the_deadline_was_reckoned(void **state)
{
	(void)state;
	int64_t start = elapsed();
	struct timespec deadline = in_ms(300);
	clock_set_by = -DAY;
	assert_int_equal(wait_until(deadline), ETIMEDOUT);
	clock_set_by = 0;
	assert_true(elapsed() - start < 20000);
}

static void *wake(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void ends_when_woken(void **state)
{
	(void)state;
	pthread_t thread;
	pthread_mutex_lock(&mutex);
	assert_int_equal(pthread_create(&thread, NULL, wake, NULL), 0);
	struct timespec deadline = in_ms(50000);
	assert_int_equal(pthread_cond_timedwait(&cond, &mutex, &deadline), 0);
	pthread_mutex_unlock(&mutex);
	pthread_join(thread, NULL);
}

static void c11_waits_likewise(void **state)
{
	(void)state;
	cnd_t c;
	mtx_t m;
	cnd_init(&c);
	mtx_init(&m, mtx_plain);
	mtx_lock(&m);
	struct timespec deadline = in_ms(100);
	int64_t start = elapsed();
	assert_int_equal(cnd_timedwait(&c, &m, &deadline), thrd_timedout);
	assert_true(elapsed() - start >= 99);
	mtx_unlock(&m);
	mtx_destroy(&m);
	cnd_destroy(&c);
}

/* Librdkafka's: a poll is as long as it was asked for, with the clock a day ahead and a day behind. */
static void librdkafka_polls_as_long_as_it_is_asked(void **state)
{
	(void)state;
	char why[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set(conf, "group.id", "g", why, sizeof why);
	rd_kafka_conf_set(conf, "log_level", "0", why, sizeof why);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
	assert_non_null(rk);
	static const long offsets[] = {DAY, 0, -DAY, DAY};
	for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
		clock_set_by = offsets[i];
		int64_t start = elapsed();
		assert_null(rd_kafka_consumer_poll(rk, 300));
		int64_t took = elapsed() - start;
		assert_true(took >= 299 && took < 20000);
	}
	clock_set_by = 0;
	rd_kafka_destroy(rk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lasts_as_long_as_the_deadline_is_away),
		cmocka_unit_test(is_over_when_the_deadline_has_passed),
		cmocka_unit_test(is_over_when_the_clock_was_set_back_after_the_deadline_was_reckoned),
		cmocka_unit_test(ends_when_woken),
		cmocka_unit_test(c11_waits_likewise),
		cmocka_unit_test(librdkafka_polls_as_long_as_it_is_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
