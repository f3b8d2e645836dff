/* Local days, adding months, spans, working days (language.md: "Windows", "Names in scope"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../daemon/core/day.h"

static int32_t day(int y, unsigned m, unsigned d)
{
	return (int32_t)cel_days_from_civil(y, m, d);
}

static struct cel_zone *zone(const char *name)
{
	char path[200], bytes[65536];
	snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	size_t n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	struct cel_zone *z = cel_zone_new(bytes, n);
	assert_non_null(z);
	return z;
}

static void adding_months_keeps_the_day_or_takes_the_last(void **state)
{
	(void)state;
	assert_int_equal(day_add_months(day(2024, 1, 31), 1), day(2024, 2, 29));
	assert_int_equal(day_add_months(day(2023, 1, 31), 1), day(2023, 2, 28));
	assert_int_equal(day_add_months(day(2024, 2, 29), 12), day(2025, 2, 28));
	assert_int_equal(day_add_months(day(2024, 3, 15), -3), day(2023, 12, 15));
	assert_int_equal(day_add_months(day(2024, 3, 31), -1), day(2024, 2, 29));
	assert_int_equal(day_add_months(day(2023, 11, 30), 14), day(2025, 1, 30));
}

static void months_between_is_the_largest_that_fits(void **state)
{
	(void)state;
	assert_int_equal(day_months_between(day(2024, 1, 31), day(2024, 2, 28)), 0);
	assert_int_equal(day_months_between(day(2024, 1, 31), day(2024, 2, 29)), 1);
	assert_int_equal(day_months_between(day(2010, 6, 15), day(2026, 6, 14)), 191);
	assert_int_equal(day_months_between(day(2010, 6, 15), day(2026, 6, 15)), 192);
	assert_int_equal(day_months_between(day(2024, 3, 10), day(2024, 3, 9)), -1);
}

static void days_are_local(void **state)
{
	(void)state;
	struct cel_zone *shanghai = zone("Asia/Shanghai"), *berlin = zone("Europe/Berlin");
	int64_t ms;
	assert_true(time_parse(shanghai, STR("2023-06-30T23:30:00Z"), &ms));
	assert_int_equal(day_of(shanghai, ms), day(2023, 7, 1));
	assert_int_equal(day_of(berlin, ms), day(2023, 7, 1));
	assert_true(time_parse(berlin, STR("2024-03-31"), &ms));
	/* 2024-03-31 has 23 hours in Berlin */
	assert_int_equal(day_start(berlin, day(2024, 4, 1)) - ms, 23 * 3600000);
	assert_int_equal(day_start(shanghai, day(2024, 4, 1)) - day_start(shanghai, day(2024, 3, 31)), 86400000);
	assert_int_equal(day_of(shanghai, -1), day(1970, 1, 1));
	cel_zone_free(shanghai);
	cel_zone_free(berlin);
}

static void dates_are_read_in_three_forms(void **state)
{
	(void)state;
	struct cel_zone *z = zone("Asia/Shanghai");
	int32_t d;
	assert_true(day_parse(z, STR("2015-03-02"), &d));
	assert_int_equal(d, day(2015, 3, 2));
	assert_true(day_parse(z, STR("2015-03"), &d));
	assert_int_equal(d, day(2015, 3, 1));
	assert_true(day_parse(z, STR("2015-03-01T23:00:00Z"), &d));
	assert_int_equal(d, day(2015, 3, 2));
	static const char *const wrong[] = {"2015-02-29", "2015-13-01",          "2015-00", "15-03-02",
					    "2015-3-2",   "2015/03/02",          "",        "2015-03-02 ",
					    "2015-04-31", "2015-03-02T25:00:00Z"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(day_parse(z, str_of(wrong[i]), &d));
	cel_zone_free(z);
}

static void times_are_written_with_their_offset(void **state)
{
	(void)state;
	struct cel_zone *z = zone("Asia/Shanghai");
	struct arena a;
	arena_init(&a);
	assert_string_equal(time_text(&a, z, 0).s, "1970-01-01T08:00:00+08:00");
	assert_string_equal(time_text(&a, z, 1688169600123).s, "2023-07-01T08:00:00.123+08:00");
	assert_string_equal(time_text(&a, z, -1).s, "1970-01-01T07:59:59.999+08:00");
	arena_close(&a);
	cel_zone_free(z);
}

/* The notice of the State Council for 2023: 29 September to 6 October off, 7 and 8 October worked. */
static void working_days_follow_the_calendar(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a);
	int32_t off[8], work[] = {day(2023, 10, 7), day(2023, 10, 8)};
	for (int i = 0; i < 8; i++)
		off[i] = day(2023, 9, 29) + i;
	struct calendar *c = calendar_new(&a, "cn", off, 8, work, 2, day(2023, 1, 1), day(2023, 12, 31));
	assert_true(calendar_is_working(c, day(2023, 9, 28)));
	assert_false(calendar_is_working(c, day(2023, 9, 29)));
	assert_true(calendar_is_working(c, day(2023, 10, 7)));
	assert_false(calendar_is_working(c, day(2023, 10, 14)));
	assert_int_equal(calendar_add(c, day(2023, 9, 28), 1), day(2023, 10, 7));
	assert_int_equal(calendar_add(c, day(2023, 9, 28), 3), day(2023, 10, 9));
	assert_int_equal(calendar_add(c, day(2023, 9, 30), 0), day(2023, 9, 30));
	assert_int_equal(calendar_count(c, day(2023, 9, 28), day(2023, 9, 28)), 0);
	assert_int_equal(calendar_count(c, day(2023, 9, 28), day(2023, 10, 9)), 3);
	assert_int_equal(calendar_count(c, day(2023, 10, 9), day(2023, 9, 28)), -3);
	for (int32_t d = day(2023, 1, 1); d < day(2025, 1, 1); d += 3)
		for (int32_t n = 1; n < 30; n++) {
			int32_t end = calendar_add(c, d, n);
			assert_int_equal(calendar_count(c, d, end), n);
			assert_true(calendar_is_working(c, end));
		}
	assert_int_equal(calendar_count(c, day(2250, 1, 1), day(2250, 1, 8)), 5);
	assert_int_equal(calendar_count(c, day(1960, 1, 1), day(1960, 1, 8)), 5);
	arena_close(&a);
}

static void spans_of_days_end_at_midnight(void **state)
{
	(void)state;
	struct cel_zone *z = zone("Asia/Shanghai");
	int64_t start, end;
	time_parse(z, STR("2023-07-01T15:00:00+08:00"), &start);
	time_parse(z, STR("2023-07-31"), &end);
	assert_int_equal(span_end((struct span){30, SPAN_DAYS}, z, NULL, start), end);
	time_parse(z, STR("2023-10-01"), &end);
	assert_int_equal(span_end((struct span){1, SPAN_QUARTERS}, z, NULL, start), end);
	assert_int_equal(span_end((struct span){0, SPAN_DAYS}, z, NULL, start), start);
	assert_int_equal(span_end((struct span){90, SPAN_MINUTES}, z, NULL, start), start + 5400000);
	cel_zone_free(z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adding_months_keeps_the_day_or_takes_the_last),
		cmocka_unit_test(months_between_is_the_largest_that_fits),
		cmocka_unit_test(days_are_local),
		cmocka_unit_test(dates_are_read_in_three_forms),
		cmocka_unit_test(times_are_written_with_their_offset),
		cmocka_unit_test(working_days_follow_the_calendar),
		cmocka_unit_test(spans_of_days_end_at_midnight),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
