/* Time zones from TZif data, and the calendar, against the system's C library and known days. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "../../daemon/core/cel.h"

static char bytes[65536];
static size_t n_bytes;

static struct cel_zone *zone(const char *name)
{
	char path[200];
	snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	n_bytes = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	return cel_zone_new(bytes, n_bytes);
}

static const char *const names[] = {"Asia/Shanghai",       "America/New_York", "Europe/Dublin",
				    "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca",
				    "Asia/Tehran",         "Pacific/Apia",     "UTC",
				    "America/Sao_Paulo",   "Asia/Kathmandu",   "Antarctica/Troll"};

static void offsets_are_those_of_the_c_library(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct cel_zone *z = zone(names[i]);
		assert_non_null(z);
		setenv("TZ", names[i], 1);
		tzset();
		for (int64_t t = -2500000000; t < 4200000000; t += 1234567) {
			time_t at = (time_t)t;
			struct tm tm;
			localtime_r(&at, &tm);
			if (cel_zone_offset(z, t) != tm.tm_gmtoff)
				fail_msg("%s at %lld: %d, not %ld", names[i], (long long)t, cel_zone_offset(z, t),
					 tm.tm_gmtoff);
		}
		cel_zone_free(z);
	}
}

static void midnight_begins_the_day(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct cel_zone *z = zone(names[i]);
		for (int64_t day = -20000; day < 40000; day++) {
			int64_t at = cel_zone_midnight(z, day), local = at + cel_zone_offset(z, at);
			int64_t before = at - 1 + cel_zone_offset(z, at - 1);
			if (!(local >= day * 86400 && before < day * 86400))
				fail_msg("%s, day %lld: %lld", names[i], (long long)day, (long long)at);
		}
		cel_zone_free(z);
	}
}

static void skipped_and_missing_midnights(void **state)
{
	(void)state;
	struct cel_zone *z = zone("America/Sao_Paulo"); /* 2018-11-04 began at 01:00 */
	int64_t day = cel_days_from_civil(2018, 11, 4);
	assert_int_equal(cel_zone_midnight(z, day), day * 86400 + 3 * 3600);
	cel_zone_free(z);
	z = zone("Asia/Shanghai");
	day = cel_days_from_civil(2023, 6, 1);
	assert_int_equal(cel_zone_midnight(z, day), day * 86400 - 8 * 3600);
	cel_zone_free(z);
}

static void damaged_files_are_refused_or_harmless(void **state)
{
	(void)state;
	cel_zone_free(zone("America/New_York"));
	for (size_t n = 0; n < n_bytes; n++) {
		char *copy = malloc(n + 1);
		memcpy(copy, bytes, n);
		struct cel_zone *z = cel_zone_new(copy, n);
		if (z)
			cel_zone_offset(z, 1700000000);
		cel_zone_free(z);
		free(copy);
	}
	for (size_t i = 0; i < n_bytes; i++) {
		char *copy = malloc(n_bytes);
		memcpy(copy, bytes, n_bytes);
		copy[i] = (char)~copy[i];
		struct cel_zone *z = cel_zone_new(copy, n_bytes);
		for (int64_t t = INT64_MIN / 4; z && t < INT64_MAX / 8; t += INT64_MAX / 16)
			cel_zone_offset(z, t / 1000000000);
		cel_zone_free(z);
		free(copy);
	}
	assert_null(cel_zone_new("TZif", 4));
	assert_null(cel_zone_new("", 0));
}

static void days_and_civil_dates(void **state)
{
	(void)state;
	assert_int_equal(cel_days_from_civil(1970, 1, 1), 0);
	assert_int_equal(cel_days_from_civil(2000, 3, 1), 11017);
	assert_int_equal(cel_days_from_civil(1, 1, 1), -719162);
	for (int64_t day = -800000; day < 800000; day += 13) {
		int64_t year;
		unsigned month, date;
		cel_civil_from_days(day, &year, &month, &date);
		assert_int_equal(cel_days_from_civil(year, month, date), day);
		assert_true(month >= 1 && month <= 12 && date >= 1 && date <= 31);
	}
}

static void timestamps_are_read(void **state)
{
	(void)state;
	int64_t seconds;
	uint32_t nanos;
	assert_true(cel_parse_timestamp("2023-06-01T08:00:00.25+08:00", 28, &seconds, &nanos));
	assert_int_equal(seconds, 1685577600);
	assert_int_equal(nanos, 250000000);
	static const char *const bad[] = {"",
					  "2023-06-01",
					  "2023-02-29T00:00:00Z",
					  "2023-06-01T00:00:60Z",
					  "2023-06-01T00:00:00",
					  "2023-06-01T00:00:00+8:00",
					  "2023-06-01T00:00:00.Z",
					  "2023-06-01 00:00:00Z"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(cel_parse_timestamp(bad[i], strlen(bad[i]), &seconds, &nanos));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offsets_are_those_of_the_c_library),
		cmocka_unit_test(midnight_begins_the_day),
		cmocka_unit_test(skipped_and_missing_midnights),
		cmocka_unit_test(damaged_files_are_refused_or_harmless),
		cmocka_unit_test(days_and_civil_dates),
		cmocka_unit_test(timestamps_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
