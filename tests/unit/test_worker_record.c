/* The partition record and the URL of Redis: to text and back, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "../../daemon/state/partition_record.h"
#include "../../daemon/state/redis_url.h"

static struct partition_record sample(void)
{
	struct partition_record r = {.clock = 1782864000123,
				     .rules = 0xfedcba9876543210,
				     .revision = 7,
				     .partitions = 8,
				     .partitioner = "murmur2",
				     .incarnation = "0123456789abcdef0123456789abcdef"};
	assert_true(partition_record_move(&r, "household.events", 42));
	assert_true(partition_record_move(&r, "case.feedback", 0));
	return r;
}

static struct str encode(const struct partition_record *r, struct buffer *b)
{
	b->len = 0;
	partition_record_encode(r, b);
	return (struct str){b->data, (uint32_t)b->len};
}

static void test_round_trip(void **state)
{
	(void)state;
	struct buffer b = {0};
	struct err why = {""};
	struct partition_record in = sample(), out;
	assert_true(partition_record_decode(&out, encode(&in, &b), &why));
	assert_memory_equal(&in, &out, sizeof in);
	in.clock = INT64_MIN;
	in.swept = 0xfedcba9876543210;
	assert_true(partition_record_decode(&out, encode(&in, &b), &why));
	assert_true(out.clock == INT64_MIN);
	assert_true(out.swept == in.swept);
	buffer_free(&b);
}

static void test_positions(void **state)
{
	(void)state;
	struct partition_record r = sample();
	assert_true(partition_record_move(&r, "household.events", 43));
	assert_int_equal(partition_record_position(&r, "household.events")->next, 43);
	assert_null(partition_record_position(&r, "household.event"));
	for (int i = 2; i < MAX_TOPICS; i++) {
		char topic[16] = {'t', (char)('a' + i % 26), (char)('a' + i / 26)};
		assert_true(partition_record_move(&r, topic, i));
	}
	assert_false(partition_record_move(&r, "one-too-many", 1));
}

static void refuse(const char *text, const char *wanted)
{
	struct err why = {""};
	struct partition_record r;
	assert_false(partition_record_decode(&r, str_of(text), &why));
	if (!strstr(why.text, wanted))
		fail_msg("'%s' isn't in '%s'", wanted, why.text);
}

static void test_refused(void **state)
{
	(void)state;
	refuse("", "isn't JSON");
	refuse("{\"v\":1", "isn't JSON");
	refuse("[]", "partition record");
	refuse("{\"v\":2}", "version 2");
	refuse("{\"v\":1,\"incarnation\":\"ab\",\"rules\":\"0\",\"revision\":0,\"partitions\":8,\"partitioner\":\"x\","
	       "\"positions\":{}}",
	       "range");
	refuse("{\"v\":1,\"incarnation\":\"0123456789abcdef0123456789abcdef\",\"rules\":\"0\",\"revision\":0,"
	       "\"partitions\":8,\"partitioner\":\"x\",\"positions\":{\"t\":-1}}",
	       "no offset");
}

static void test_urls(void **state)
{
	(void)state;
	struct err why = {""};
	struct redis_url u;
	assert_true(redis_url_parse("unix:///run/redis/redis.sock", &u, &why));
	assert_string_equal(u.path, "/run/redis/redis.sock");
	assert_true(redis_url_parse("redis://10.0.0.7", &u, &why));
	assert_string_equal(u.host, "10.0.0.7");
	assert_int_equal(u.port, 6379);
	assert_true(redis_url_parse("redis://[::1]:7000/3", &u, &why));
	assert_string_equal(u.host, "::1");
	assert_int_equal(u.port, 7000);
	assert_int_equal(u.database, 3);
	assert_true(redis_url_parse("rediss://r.example/", &u, &why));
	assert_true(u.tls);
	static const char *const bad[] = {"",
					  "unix://relative.sock",
					  "http://x",
					  "redis://",
					  "redis://h:0",
					  "redis://h:x",
					  "redis://h:70000",
					  "redis://h/x",
					  "redis://user:secret@h"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		why.text[0] = '\0';
		assert_false(redis_url_parse(bad[i], &u, &why));
		assert_memory_equal(why.text, "redis.url", 9);
		assert_null(strstr(why.text, "secret"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_positions),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_urls),
	};
	return cmocka_run_group_tests_name("worker records", tests, NULL, NULL);
}
