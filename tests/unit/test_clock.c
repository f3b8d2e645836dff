/* The functions of time: their values, and that the engine learns the exact day at which a verdict will turn.  Each
 * expression is evaluated on every day of two years; `until` must name the first later day with another result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "../../daemon/core/step.h"

static struct ruleset *rules;
static struct engine *engine;
static struct cel_env *env;

static int32_t day(int y, unsigned m, unsigned d)
{
	return (int32_t)cel_days_from_civil(y, m, d);
}

static int set_up(void **state)
{
	(void)state;
	static char bytes[65536];
	FILE *f = fopen("/usr/share/zoneinfo/Asia/Shanghai", "rb");
	if (!f)
		return -1;
	size_t n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	rules = ruleset_new();
	rules->zones = ARENA_ARRAY(&rules->arena, struct cel_zone *, 1);
	rules->zones[rules->n_zones++] = cel_zone_new(bytes, n);
	rules->zone = rules->zones[0];
	rules->cost_limit = 100000;
	int32_t off[7], work[] = {day(2024, 2, 4), day(2024, 2, 18)};
	for (int i = 0; i < 7; i++)
		off[i] = day(2024, 2, 11) + i;
	rules->calendar = calendar_new(&rules->arena, "cn", off, 7, work, 2, day(2024, 1, 1), day(2024, 12, 31));
	engine = engine_new(rules);
	env = cel_env_new(&(struct cel_options){.mixed_arithmetic = true});
	engine_declare_functions(env);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cel_env_free(env);
	engine_free(engine);
	ruleset_release(rules);
	return 0;
}

static struct cel_program *compile(const char *text)
{
	struct cel_program *p = cel_compile(env, text, SIZE_MAX, NULL, NULL);
	assert_non_null(p);
	return p;
}

static int64_t value_on(const struct cel_program *p, int32_t today, int32_t *until)
{
	engine->today = today;
	engine->until = DAY_NEVER;
	struct cel_value v = evaluate(engine, p);
	assert_true(v.kind == CEL_BOOL || v.kind == CEL_INT);
	*until = engine->until;
	engine_reset(engine);
	return v.kind == CEL_BOOL ? v.b : v.i;
}

static int64_t on(const char *text, int32_t today)
{
	int32_t until;
	struct cel_program *p = compile(text);
	int64_t v = value_on(p, today, &until);
	cel_program_free(p);
	return v;
}

static void since_and_until_are_zero_on_the_day_itself(void **state)
{
	(void)state;
	int32_t d = day(2024, 2, 29);
	assert_int_equal(on("days_since(date('2024-02-29'))", d), 0);
	assert_int_equal(on("days_until(date('2024-02-29'))", d), 0);
	assert_int_equal(on("months_since(date('2024-02-29'))", d), 0);
	assert_int_equal(on("working_days_since(date('2024-02-29'))", d), 0);
	assert_int_equal(on("working_days_until(date('2024-02-29'))", d), 0);
	assert_int_equal(on("age(date('2024-02-29'))", d), 0);
}

static void values_are_those_of_the_calendar(void **state)
{
	(void)state;
	assert_int_equal(on("days_since(date('2024-02-01'))", day(2024, 3, 1)), 29);
	assert_int_equal(on("days_until(date('2024-03-01'))", day(2024, 2, 1)), 29);
	assert_int_equal(on("days_since(date('2024-03-01'))", day(2024, 2, 1)), -29);
	assert_int_equal(on("age(date('2008-02-29'))", day(2024, 2, 28)), 15);
	assert_int_equal(on("age(date('2008-02-29'))", day(2024, 2, 29)), 16);
	assert_int_equal(on("age(date('2008-02-29'))", day(2025, 2, 28)), 17);
	assert_int_equal(on("months_since(date('2024-01-31'))", day(2024, 2, 29)), 1);
	/* Friday 9 February 2024; 11 to 17 off; Sunday 18 worked */
	assert_int_equal(on("working_days_since(date('2024-02-09'))", day(2024, 2, 18)), 1);
	assert_int_equal(on("working_days_until(date('2024-02-19'))", day(2024, 2, 9)), 2);
	assert_int_equal(on("days_since(timestamp('2024-02-01T23:30:00Z'))", day(2024, 2, 2)), 0);
}

static void the_engine_knows_the_day_of_the_turn(void **state)
{
	(void)state;
	static const char *const functions[] = {"age",          "days_since",         "days_until",
						"months_since", "working_days_since", "working_days_until"};
	static const char *const comparisons[] = {"",       " >= 1",  " > 1",   " < 1",    " <= 1",  " == 1",
						  " != 1",  " >= 30", " < -5",  " <= 2.5", " > 2.5", " == 2.5",
						  " >= -3", " != 0",  " == -4", " > 400",  " <= 12"};
	char text[200];
	for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
		for (size_t c = 0; c < sizeof comparisons / sizeof *comparisons; c++) {
			snprintf(text, sizeof text, "%s(date('2024-02-29'))%s", functions[f], comparisons[c]);
			struct cel_program *p = compile(text);
			int32_t first = day(2023, 6, 1), end = day(2025, 6, 1), until, unused;
			int64_t now = value_on(p, first, &until);
			for (int32_t d = first + 1; d < end; d++) {
				int64_t next = value_on(p, d, &unused);
				if (next != now && until != d)
					fail_msg("%s turns on day %d, expected until %d", text, d, until);
				if (next == now && until <= d)
					fail_msg("%s doesn't turn on day %d, though until says %d", text, d, until);
				now = next;
				if (until == d)
					value_on(p, d, &until);
			}
			cel_program_free(p);
		}
}

static void a_comparison_turned_around_means_the_same(void **state)
{
	(void)state;
	int32_t a, b;
	struct cel_program *left = compile("days_since(date('2024-02-29')) >= 30"),
			   *right = compile("30 <= days_since(date('2024-02-29'))");
	for (int32_t d = day(2024, 2, 1); d < day(2024, 5, 1); d++) {
		assert_int_equal(value_on(left, d, &a), value_on(right, d, &b));
		assert_int_equal(a, b);
	}
	cel_program_free(left);
	cel_program_free(right);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(since_and_until_are_zero_on_the_day_itself),
		cmocka_unit_test(values_are_those_of_the_calendar),
		cmocka_unit_test(the_engine_knows_the_day_of_the_turn),
		cmocka_unit_test(a_comparison_turned_around_means_the_same),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
