/* The functions of time that language.md adds.  "Since: 0 on the day itself; until: 0 on the day itself; ages and
 * months by the rule for adding months."  Each notes the day at which its result, or the comparison that it stands
 * in, changes by time alone, so that a subject is looked at again on that day and not before. */
#include "step.h"
#include <math.h>

enum time_function { AGE, DAYS_SINCE, DAYS_UNTIL, MONTHS_SINCE, WORKING_DAYS_SINCE, WORKING_DAYS_UNTIL };

static int32_t floor_div(int32_t a, int32_t b)
{
	return a / b - (a % b < 0);
}

/* Rises with today: the function itself, or for the `until` ones its negative. */
static int32_t rising(const struct engine *e, enum time_function f, int32_t x, int32_t today)
{
	const struct calendar *c = e->ruleset->calendar;
	switch (f) {
	case AGE:
		return floor_div(day_months_between(x, today), 12);
	case MONTHS_SINCE:
		return day_months_between(x, today);
	case DAYS_SINCE:
	case DAYS_UNTIL:
		return today - x;
	case WORKING_DAYS_SINCE:
	case WORKING_DAYS_UNTIL:
		return calendar_count(c, x, today);
	}
	return 0;
}

/* The first day at which rising() is at least k; DAY_NEVER where that is out of all reach. */
static int32_t first_at_least(const struct engine *e, enum time_function f, int32_t x, double k)
{
	if (!(fabs(k) < 1e6))
		return k > 0 ? DAY_NEVER : INT32_MIN;
	int32_t n = (int32_t)k, day;
	switch (f) {
	case AGE:
		return day_add_months(x, n * 12);
	case MONTHS_SINCE:
		return day_add_months(x, n);
	case DAYS_SINCE:
	case DAYS_UNTIL:
		return x + n;
	case WORKING_DAYS_SINCE:
	case WORKING_DAYS_UNTIL:
		if (n > 0)
			return calendar_add(e->ruleset->calendar, x, n);
		for (day = x - 2 * (1 - n) - 60; rising(e, f, x, day) < n;)
			day++;
		return day;
	}
	return DAY_NEVER;
}

static bool is_until(enum time_function f)
{
	return f == DAYS_UNTIL || f == WORKING_DAYS_UNTIL;
}

static int32_t day_argument(const struct engine *e, struct cel_value v)
{
	return day_of(e->ruleset->zone, v.i * 1000);
}

static struct cel_value call(const struct cel_call *c, const struct cel_value *args, enum time_function f)
{
	struct engine *e = c->activation->ctx;
	int32_t x = day_argument(e, args[0]), r = rising(e, f, x, e->today);
	note_until(e, first_at_least(e, f, x, r + 1));
	return cel_int(is_until(f) ? -r : r);
}

static bool compare_numbers(double a, enum cel_compare op, double b)
{
	switch (op) {
	case CEL_LT:
		return a < b;
	case CEL_LE:
		return a <= b;
	case CEL_GE:
		return a >= b;
	case CEL_GT:
		return a > b;
	case CEL_EQ:
		return a == b;
	case CEL_NE:
		return a != b;
	}
	return false;
}

/* rising() op k is decided by whether it has reached ceil(k) and floor(k) + 1: the comparison turns at those days
 * only.  For the `until` functions both sides are negated, which leaves the same two days of -k. */
static struct cel_value compare(const struct cel_call *c, const struct cel_value *args, enum cel_compare op,
				struct cel_value other, enum time_function f)
{
	struct engine *e = c->activation->ctx;
	double k = other.kind == CEL_INT ? (double)other.i : other.kind == CEL_UINT ? (double)other.u : other.d;
	int32_t x = day_argument(e, args[0]), r = rising(e, f, x, e->today);
	double value = is_until(f) ? -(double)r : r, turn = is_until(f) ? -k : k;
	bool at = op != CEL_GT && op != CEL_LE, after = op != CEL_GE && op != CEL_LT;
	if (is_until(f)) { /* -r <= k is r >= -k */
		at = op != CEL_LT && op != CEL_GE;
		after = op != CEL_LE && op != CEL_GT;
	}
	if ((op == CEL_EQ || op == CEL_NE) && turn != floor(turn))
		at = after = false; /* a whole number never is */
	if (!isnan(turn) && at)
		note_until(e, first_at_least(e, f, x, ceil(turn)));
	if (!isnan(turn) && after)
		note_until(e, first_at_least(e, f, x, floor(turn) + 1));
	return cel_bool(compare_numbers(value, op, k));
}

#define TIME_FUNCTION(name, f)                                                                                   \
	static struct cel_value call_##name(const struct cel_call *c, const struct cel_value *args, size_t n)    \
	{                                                                                                        \
		(void)n;                                                                                         \
		return call(c, args, f);                                                                         \
	}                                                                                                        \
	static struct cel_value compare_##name(const struct cel_call *c, const struct cel_value *args, size_t n, \
					       enum cel_compare op, struct cel_value other)                      \
	{                                                                                                        \
		(void)n;                                                                                         \
		return compare(c, args, op, other, f);                                                           \
	}
TIME_FUNCTION(age, AGE)
TIME_FUNCTION(days_since, DAYS_SINCE)
TIME_FUNCTION(days_until, DAYS_UNTIL)
TIME_FUNCTION(months_since, MONTHS_SINCE)
TIME_FUNCTION(working_days_since, WORKING_DAYS_SINCE)
TIME_FUNCTION(working_days_until, WORKING_DAYS_UNTIL)

static struct cel_value call_date(const struct cel_call *c, const struct cel_value *args, size_t n)
{
	struct engine *e = c->activation->ctx;
	int32_t day;
	(void)n;
	if (!day_parse(e->ruleset->zone, (struct str){args[0].s, args[0].len}, &day))
		return cel_fail(c, "date(\"%.*s\"): not a date; expected 2023-06-01, 2023-06 or a timestamp",
				(int)(args[0].len < 40 ? args[0].len : 40), args[0].s);
	return cel_timestamp(cel_zone_midnight(e->ruleset->zone, day), 0);
}

void engine_declare_functions(struct cel_env *env)
{
	static const struct {
		const char *name;
		cel_function *call;
		cel_comparison *compare;
	} functions[] = {
		{"age", call_age, compare_age},
		{"days_since", call_days_since, compare_days_since},
		{"days_until", call_days_until, compare_days_until},
		{"months_since", call_months_since, compare_months_since},
		{"working_days_since", call_working_days_since, compare_working_days_since},
		{"working_days_until", call_working_days_until, compare_working_days_until},
	};
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
		cel_env_function(env, &(struct cel_declaration){.name = functions[i].name,
								.result = cel_type_int(env),
								.args = {cel_type_timestamp(env)},
								.n = 1,
								.call = functions[i].call,
								.compare = functions[i].compare});
	cel_env_function(env, &(struct cel_declaration){.name = "date",
							.result = cel_type_timestamp(env),
							.args = {cel_type_string(env)},
							.n = 1,
							.call = call_date});
}
