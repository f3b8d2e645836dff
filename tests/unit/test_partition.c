/* The two partitioners, against what their inventors publish. */
#include "../../consumers/decode.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* org.apache.kafka.common.utils.UtilsTest.testMurmur2: the signed 32-bit hashes that Java gives. */
static const struct {
	struct str key;
	int32_t hash;
} murmur[] = {
	{STR("21"), -973932308},
	{STR("foobar"), -790332482},
	{STR("a-little-bit-long-string"), -985981536},
	{STR("a-little-bit-longer-string"), -1486304829},
	{STR("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), -58897971},
	{STR("abc"), 479470107},
};

static void murmur2_is_that_of_java(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof murmur / sizeof *murmur; i++) {
		int32_t positive = murmur[i].hash & 0x7fffffff;
		assert_int_equal(partition_murmur2(murmur[i].key, INT32_MAX), positive % INT32_MAX);
		for (int32_t n = 1; n <= 100; n++)
			assert_int_equal(partition_murmur2(murmur[i].key, n), positive % n);
	}
}

static void crc32_is_that_of_zlib(void **state)
{
	(void)state;
	assert_int_equal(partition_crc32(STR("123456789"), INT32_MAX), 0xcbf43926 % INT32_MAX);
	assert_int_equal(partition_crc32(STR("The quick brown fox jumps over the lazy dog"), INT32_MAX), 0x414fa339);
	assert_int_equal(partition_crc32(STR(""), 7), 0);
	assert_int_equal(partition_crc32(STR("123456789"), 8), 0xcbf43926 % 8);
}

static void keys_spread(void **state)
{
	(void)state;
	int counts[8] = {0}, odd[8] = {0};
	struct arena a;
	arena_init(&a);
	for (int i = 0; i < 8000; i++) {
		struct str key = str_of(arena_printf(&a, "360704101200-%05d", i));
		counts[partition_murmur2(key, 8)]++;
		odd[partition_crc32(key, 8)]++;
	}
	for (int p = 0; p < 8; p++) {
		assert_in_range(counts[p], 800, 1200);
		assert_in_range(odd[p], 800, 1200);
	}
	arena_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(murmur2_is_that_of_java),
		cmocka_unit_test(crc32_is_that_of_zlib),
		cmocka_unit_test(keys_spread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
