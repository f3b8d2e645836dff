/* cel_library_math.c: math.*, and sum() of a list. */
#include "cel_library.h"
#include "cel_run.h"
#include "cel_time.h"
#include <math.h>

#define FUNCTION(name) static struct cel_value name(const struct cel_call *call, const struct cel_value *args, size_t n)
#define UNUSED (void)call, (void)args, (void)n

/* --- the greatest and the least */
static bool number(struct cel_value v)
{
	return v.kind >= CEL_INT && v.kind <= CEL_DOUBLE;
}

static struct cel_value extreme(const struct cel_call *call, const struct cel_value *args, size_t n, int sign,
				const char *name)
{
	if (n == 1 && args[0].kind == CEL_LIST) {
		n = args[0].len;
		args = args[0].items;
		if (n == 0)
			return cel_fail(call, "%s() of an empty list", name);
	}
	if (!run_spend(run_of(call), n / 4))
		return cel_run_cost(run_of(call));
	struct cel_value best = args[0];
	for (size_t i = 0; i < n; i++) {
		if (is_bad(args[i]))
			return args[i];
		if (!number(args[i]))
			return cel_fail_overload(call, name, &args[i], 1);
		if (cel_order(args[i], best) == sign)
			best = args[i];
	}
	return best;
}
FUNCTION(greatest)
{
	return extreme(call, args, n, 1, "math.greatest");
}
FUNCTION(least)
{
	return extreme(call, args, n, -1, "math.least");
}

/* --- rounding and signs */
#define OF_DOUBLE(name, expression)   \
	FUNCTION(name)                \
	{                             \
		UNUSED;               \
		double d = args[0].d; \
		return expression;    \
	}
OF_DOUBLE(math_ceil, cel_double(ceil(d)))
OF_DOUBLE(math_floor, cel_double(floor(d)))
OF_DOUBLE(math_round, cel_double(round(d)))
OF_DOUBLE(math_trunc, cel_double(trunc(d)))
OF_DOUBLE(math_sqrt, cel_double(sqrt(d)))
OF_DOUBLE(is_nan, cel_bool(isnan(d)))
OF_DOUBLE(is_inf, cel_bool(isinf(d)))
OF_DOUBLE(is_finite, cel_bool(isfinite(d)))
OF_DOUBLE(abs_double, cel_double(fabs(d)))
OF_DOUBLE(sign_double, cel_double(d > 0 ? 1 : d < 0 ? -1 : d))

FUNCTION(same)
{
	UNUSED;
	return args[0];
}
FUNCTION(abs_int)
{
	(void)n;
	return args[0].i == INT64_MIN ? cel_fail(call, "the amount of the least int is too large for an int")
				      : cel_int(args[0].i < 0 ? -args[0].i : args[0].i);
}
FUNCTION(sign_int)
{
	UNUSED;
	return cel_int((args[0].i > 0) - (args[0].i < 0));
}
FUNCTION(sign_uint)
{
	UNUSED;
	return cel_uint(args[0].u > 0);
}
FUNCTION(sqrt_int)
{
	UNUSED;
	return cel_double(sqrt((double)args[0].i));
}
FUNCTION(sqrt_uint)
{
	UNUSED;
	return cel_double(sqrt((double)args[0].u));
}

/* --- bits */
static struct cel_value bits(struct cel_value like, uint64_t u)
{
	like.u = u;
	return like;
}
FUNCTION(bit_and)
{
	UNUSED;
	return bits(args[0], args[0].u & args[1].u);
}
FUNCTION(bit_or)
{
	UNUSED;
	return bits(args[0], args[0].u | args[1].u);
}
FUNCTION(bit_xor)
{
	UNUSED;
	return bits(args[0], args[0].u ^ args[1].u);
}
FUNCTION(bit_not)
{
	UNUSED;
	return bits(args[0], ~args[0].u);
}
FUNCTION(shift_left)
{
	(void)n;
	if (args[1].i < 0)
		return cel_fail(call, "math.bitShiftLeft() by a negative number: %lld", (long long)args[1].i);
	return bits(args[0], args[1].i > 63 ? 0 : args[0].u << args[1].i);
}
FUNCTION(shift_right) /* the sign bit is shifted like any other */
{
	(void)n;
	if (args[1].i < 0)
		return cel_fail(call, "math.bitShiftRight() by a negative number: %lld", (long long)args[1].i);
	return bits(args[0], args[1].i > 63 ? 0 : args[0].u >> args[1].i);
}

static const struct builtin functions[] = {
	{"math.greatest", "+*:*", greatest},
	{"math.least", "+*:*", least},
	{"math.ceil", "d:d", math_ceil},
	{"math.floor", "d:d", math_floor},
	{"math.round", "d:d", math_round},
	{"math.trunc", "d:d", math_trunc},
	{"math.sqrt", "d:d", math_sqrt},
	{"math.sqrt", "i:d", sqrt_int},
	{"math.sqrt", "u:d", sqrt_uint},
	{"math.abs", "i:i", abs_int},
	{"math.abs", "u:u", same},
	{"math.abs", "d:d", abs_double},
	{"math.sign", "i:i", sign_int},
	{"math.sign", "u:u", sign_uint},
	{"math.sign", "d:d", sign_double},
	{"math.isNaN", "d:b", is_nan},
	{"math.isInf", "d:b", is_inf},
	{"math.isFinite", "d:b", is_finite},
	{"math.bitAnd", "ii:i", bit_and},
	{"math.bitAnd", "uu:u", bit_and},
	{"math.bitOr", "ii:i", bit_or},
	{"math.bitOr", "uu:u", bit_or},
	{"math.bitXor", "ii:i", bit_xor},
	{"math.bitXor", "uu:u", bit_xor},
	{"math.bitNot", "i:i", bit_not},
	{"math.bitNot", "u:u", bit_not},
	{"math.bitShiftLeft", "ii:i", shift_left},
	{"math.bitShiftLeft", "ui:u", shift_left},
	{"math.bitShiftRight", "ii:i", shift_right},
	{"math.bitShiftRight", "ui:u", shift_right},
};
const struct library cel_library_math = {functions, sizeof functions / sizeof *functions};

/* --- sums */
static struct cel_value add(const struct cel_call *call, struct cel_value a, struct cel_value b)
{
	if (a.kind == CEL_DOUBLE || b.kind == CEL_DOUBLE) {
		double x = a.kind == CEL_DOUBLE ? a.d : a.kind == CEL_INT ? (double)a.i : (double)a.u;
		double y = b.kind == CEL_DOUBLE ? b.d : b.kind == CEL_INT ? (double)b.i : (double)b.u;
		return cel_double(x + y);
	}
	if (a.kind != b.kind)
		return cel_fail_overload(call, "sum", (struct cel_value[]){a, b}, 2);
	struct cel_value sum = a;
	bool over = a.kind == CEL_INT    ? __builtin_add_overflow(a.i, b.i, &sum.i)
		    : a.kind == CEL_UINT ? __builtin_add_overflow(a.u, b.u, &sum.u)
					 : !cel_time_add(a, b, false, CEL_DURATION, &sum);
	return over ? cel_fail(call, "the sum is too large for %s", cel_type_of_kind(a.kind)->name) : sum;
}

FUNCTION(sum)
{
	(void)n;
	struct cel_value total = cel_int(0);
	if (!run_spend(run_of(call), args[0].len / 4))
		return cel_run_cost(run_of(call));
	for (uint32_t i = 0; i < args[0].len; i++) {
		struct cel_value v = args[0].items[i];
		if (is_bad(v)) {
			total = is_bad(total) ? cel_merge(run_of(call), total, v) : v;
			continue;
		}
		if (is_bad(total))
			continue;
		if (!number(v) && v.kind != CEL_DURATION)
			return cel_fail_overload(call, "sum", &v, 1);
		total = i == 0 ? v : add(call, total, v);
	}
	return total;
}

/* The same where the elements' type is known: the sum of none is that type's zero. */
FUNCTION(sum_double)
{
	struct cel_value total = sum(call, args, n);
	return total.kind == CEL_INT ? cel_double((double)total.i) : total;
}
FUNCTION(sum_uint)
{
	return args[0].len ? sum(call, args, n) : cel_uint(0);
}
FUNCTION(sum_duration)
{
	return args[0].len ? sum(call, args, n) : (struct cel_value){.kind = CEL_DURATION};
}

static const struct builtin lists[] = {
	{"sum", ".Li:i", sum},
	{"sum", ".Ld:d", sum_double},
	{"sum", ".Lu:u", sum_uint},
	{"sum", ".Lp:p", sum_duration},
};
const struct library cel_library_lists = {lists, sizeof lists / sizeof *lists};
