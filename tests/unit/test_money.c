/* Money in whole fen, half up by the decimal digits as written (language.md, "Money"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../../daemon/core/event.h"

static int64_t fen(const char *written)
{
	int64_t f = -999999;
	assert_true(money_parse(str_of(written), &f));
	return f;
}

static void digits_are_rounded_half_up_as_written(void **state)
{
	(void)state;
	assert_int_equal(fen("1.005"), 101);
	assert_int_equal(fen("1.0049999999999999999"), 100);
	assert_int_equal(fen("-1.005"), -101);
	assert_int_equal(fen("0.005"), 1);
	assert_int_equal(fen("0.0049"), 0);
	assert_int_equal(fen("45000"), 4500000);
	assert_int_equal(fen("45000.1"), 4500010);
	assert_int_equal(fen("1.5e3"), 150000);
	assert_int_equal(fen("12345e-4"), 123);
	assert_int_equal(fen("1235e-3"), 124);
	assert_int_equal(fen("5e-3"), 1);
	assert_int_equal(fen("5e-400"), 0);
	assert_int_equal(fen("0e999"), 0);
	assert_int_equal(fen("00012.30"), 1230);
	assert_int_equal(fen("0.29"), 29);
	assert_int_equal(fen("1000000000000.00"), 100000000000000);
}

static void what_is_no_amount_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"",     "-", ".", "1e", "1e+", "x", "1.2.3", "1e20", "99999999999999999",
					    "0x10", " 1"};
	int64_t f;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(money_parse(str_of(wrong[i]), &f));
}

static void computed_values_round_by_fifteen_digits(void **state)
{
	(void)state;
	int64_t f;
	assert_true(money_round(1.005, &f));
	assert_int_equal(f, 101);
	assert_true(money_round(0.1 + 0.2, &f));
	assert_int_equal(f, 30);
	assert_true(money_round(2.675, &f));
	assert_int_equal(f, 268);
	assert_true(money_round(-2.675, &f));
	assert_int_equal(f, -268);
	assert_true(money_round(3000 * (1 - 0.3) / 4, &f));
	assert_int_equal(f, 52500);
	assert_true(money_round(100.0 / 3, &f));
	assert_int_equal(f, 3333);
	assert_false(money_round(1e300, &f));
	assert_false(money_round(0.0 / 0.0, &f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digits_are_rounded_half_up_as_written),
		cmocka_unit_test(what_is_no_amount_is_refused),
		cmocka_unit_test(computed_values_round_by_fifteen_digits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
