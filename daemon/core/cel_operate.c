/* cel_operate.c: operators on values of any kinds: arithmetic, comparison, membership, selection. */
#include "cel_code.h"
#include "cel_time.h"
#include "cel_token.h"
#include <math.h>
#include <string.h>

static const char *const signs[T_KINDS] = {
	[T_PLUS] = "+", [T_MINUS] = "-", [T_STAR] = "*", [T_SLASH] = "/", [T_PERCENT] = "%", [T_LT] = "<",
	[T_LE] = "<=",  [T_GT] = ">",    [T_GE] = ">=",  [T_EQ] = "==",   [T_NE] = "!=",
};

static struct cel_value fail_with(struct run *run, const char *what, int op, struct cel_value a, struct cel_value b)
{
	char left[64], right[64];
	return cel_fail(&run->call, "%s: %s %s %s", what, cel_show(a, left, sizeof left), signs[op],
			cel_show(b, right, sizeof right));
}

static struct cel_value no_operator(struct run *run, int op, struct cel_value a, struct cel_value b)
{
	return cel_fail(&run->call, "no such overload: %s %s %s", cel_type_of_kind(a.kind)->name, signs[op],
			cel_type_of_kind(b.kind)->name);
}

/* --- arithmetic */
static struct cel_value ints(struct run *run, int op, struct cel_value a, struct cel_value b)
{
	int64_t r = 0;
	bool over = false;
	switch (op) {
	case T_PLUS:
		over = __builtin_add_overflow(a.i, b.i, &r);
		break;
	case T_MINUS:
		over = __builtin_sub_overflow(a.i, b.i, &r);
		break;
	case T_STAR:
		over = __builtin_mul_overflow(a.i, b.i, &r);
		break;
	default:
		if (op == T_SLASH && run->options->refuse_int_division)
			return fail_with(run, "int / int drops the remainder; write double(a) / b", op, a, b);
		if (b.i == 0)
			return fail_with(run, op == T_SLASH ? "division by zero" : "modulus by zero", op, a, b);
		over = a.i == INT64_MIN && b.i == -1;
		if (!over)
			r = op == T_SLASH ? a.i / b.i : a.i % b.i;
	}
	return over ? fail_with(run, "the result is too large for an int", op, a, b) : cel_int(r);
}

static struct cel_value uints(struct run *run, int op, struct cel_value a, struct cel_value b)
{
	uint64_t r = 0;
	bool over = false;
	switch (op) {
	case T_PLUS:
		over = __builtin_add_overflow(a.u, b.u, &r);
		break;
	case T_MINUS:
		over = __builtin_sub_overflow(a.u, b.u, &r);
		break;
	case T_STAR:
		over = __builtin_mul_overflow(a.u, b.u, &r);
		break;
	default:
		if (b.u == 0)
			return fail_with(run, op == T_SLASH ? "division by zero" : "modulus by zero", op, a, b);
		r = op == T_SLASH ? a.u / b.u : a.u % b.u;
	}
	return over ? fail_with(run, "the result is no uint", op, a, b) : cel_uint(r);
}

static struct cel_value doubles(struct run *run, int op, struct cel_value a, struct cel_value b)
{
	switch (op) {
	case T_PLUS:
		return cel_double(a.d + b.d);
	case T_MINUS:
		return cel_double(a.d - b.d);
	case T_STAR:
		return cel_double(a.d * b.d);
	case T_SLASH:
		return cel_double(a.d / b.d);
	default:
		return no_operator(run, op, a, b);
	}
}

static struct cel_value concat_bytes(struct run *run, struct cel_value a, struct cel_value b)
{
	uint64_t len = (uint64_t)a.len + b.len;
	if (len > INT32_MAX || !run_spend(run, len / 16))
		return cel_run_cost(run);
	if (!a.len || !b.len)
		return a.len ? a : b;
	char *s = cel_run_alloc(run, len);
	if (!s)
		return cel_run_memory();
	memcpy(s, a.s, a.len);
	memcpy(s + a.len, b.s, b.len);
	struct cel_value v = cel_string(s, len);
	v.kind = a.kind;
	return v;
}

static struct cel_value concat_lists(struct run *run, struct cel_value a, struct cel_value b)
{
	uint64_t len = (uint64_t)a.len + b.len;
	if (len > INT32_MAX || !run_spend(run, len))
		return cel_run_cost(run);
	if (!a.len || !b.len)
		return a.len ? a : b;
	struct cel_value *items = cel_run_alloc(run, len * sizeof *items);
	if (!items)
		return cel_run_memory();
	memcpy(items, a.items, a.len * sizeof *items);
	memcpy(items + a.len, b.items, b.len * sizeof *items);
	return cel_list(items, len);
}

static struct cel_value instants(struct run *run, int op, struct cel_value a, struct cel_value b)
{
	struct cel_value sum;
	bool both = a.kind == CEL_TIMESTAMP && b.kind == CEL_TIMESTAMP;
	if (op != T_PLUS && op != T_MINUS)
		return no_operator(run, op, a, b);
	if ((both && op == T_PLUS) || (op == T_MINUS && a.kind == CEL_DURATION && b.kind == CEL_TIMESTAMP))
		return no_operator(run, op, a, b);
	int kind = a.kind != b.kind ? CEL_TIMESTAMP : CEL_DURATION;
	if (!cel_time_add(a, b, op == T_MINUS, kind, &sum))
		return fail_with(run,
				 kind == CEL_TIMESTAMP ? "the result is out of the range of timestamps"
						       : "the result is out of the range of durations",
				 op, a, b);
	return sum;
}

struct cel_value cel_arithmetic(struct run *run, int op, struct cel_value a, struct cel_value b)
{
	if (is_bad(a) || is_bad(b))
		return cel_merge(run, a, b);
	if (a.kind == b.kind)
		switch (a.kind) {
		case CEL_INT:
			return ints(run, op, a, b);
		case CEL_UINT:
			return uints(run, op, a, b);
		case CEL_DOUBLE:
			return doubles(run, op, a, b);
		case CEL_STRING:
		case CEL_BYTES:
			return op == T_PLUS ? concat_bytes(run, a, b) : no_operator(run, op, a, b);
		case CEL_LIST:
			return op == T_PLUS ? concat_lists(run, a, b) : no_operator(run, op, a, b);
		default:
			break;
		}
	bool times = (a.kind == CEL_TIMESTAMP || a.kind == CEL_DURATION) &&
		     (b.kind == CEL_TIMESTAMP || b.kind == CEL_DURATION);
	if (times)
		return instants(run, op, a, b);
	if (run->options->mixed_arithmetic && a.kind == CEL_INT && b.kind == CEL_DOUBLE)
		return doubles(run, op, cel_double((double)a.i), b);
	if (run->options->mixed_arithmetic && a.kind == CEL_DOUBLE && b.kind == CEL_INT)
		return doubles(run, op, a, cel_double((double)b.i));
	return no_operator(run, op, a, b);
}

struct cel_value cel_negate(struct run *run, struct cel_value a)
{
	if (is_bad(a))
		return a;
	if (a.kind == CEL_DOUBLE)
		return cel_double(-a.d);
	if (a.kind != CEL_INT)
		return cel_fail_overload(&run->call, "-", &a, 1);
	return a.i == INT64_MIN ? cel_fail(&run->call, "the negative of the least int is too large for an int")
				: cel_int(-a.i);
}

/* --- comparison */
static struct cel_value of_verdict(struct run *run, enum verdict v, bool negated)
{
	if (v == MAYBE)
		return cel_unknown(NULL);
	if (v == WRONG)
		return run->exhausted ? cel_run_cost(run)
				      : cel_fail(&run->call, "the values are nested too deeply to compare");
	return cel_bool((v == YES) != negated);
}

/* The missing field that keeps two values from being compared: it has no name of its own here. */
static struct cel_value named(struct run *run, struct cel_value v)
{
	if (v.kind != CEL_UNKNOWN || v.problem)
		return v;
	struct cel_problem *p = cel_run_alloc(run, sizeof *p);
	if (!p)
		return v;
	*p = (struct cel_problem){.text = "a field", .pos = run->call.pos};
	return cel_unknown(p);
}

struct cel_value cel_compare(struct run *run, int op, struct cel_value a, struct cel_value b)
{
	if (is_bad(a) || is_bad(b))
		return cel_merge(run, a, b);
	if (op == T_EQ || op == T_NE)
		return named(run, of_verdict(run, cel_same(run, a, b), op == T_NE));
	if ((a.kind == CEL_STRING || a.kind == CEL_BYTES) && !run_spend(run, a.len / 16))
		return cel_run_cost(run);
	int o = cel_order(a, b);
	if (o == 3)
		return no_operator(run, op, a, b);
	if (o == 2)
		return cel_bool(false);
	switch (op) {
	case T_LT:
		return cel_bool(o < 0);
	case T_LE:
		return cel_bool(o <= 0);
	case T_GT:
		return cel_bool(o > 0);
	default:
		return cel_bool(o >= 0);
	}
}

struct cel_value cel_contains(struct run *run, struct cel_value a, struct cel_value in)
{
	if (is_bad(a) || is_bad(in))
		return cel_merge(run, a, in);
	if (in.kind == CEL_MAP) {
		if (in.sub != CEL_SUB_INDEXED && !run_spend(run, cel_map_room(in) / 4))
			return cel_run_cost(run);
		const struct cel_value *found = cel_map_find(in, a);
		return cel_bool(found && found->kind != CEL_UNKNOWN);
	}
	if (in.kind != CEL_LIST)
		return cel_fail(&run->call, "no such overload: %s in %s", cel_type_of_kind(a.kind)->name,
				cel_type_of_kind(in.kind)->name);
	struct cel_value none = cel_bool(false);
	for (uint32_t i = 0; i < in.len; i++) {
		enum verdict v = cel_same(run, a, in.items[i]);
		if (v == YES || v == WRONG)
			return of_verdict(run, v, false);
		if (v == MAYBE)
			none = is_bad(none) || !is_bad(in.items[i])
				       ? cel_unknown(none.kind == CEL_UNKNOWN ? none.problem : NULL)
				       : in.items[i];
	}
	return named(run, none);
}

/* --- selection */
/* The element, or NULL; *error is set where the key can't be an index. */
static const struct cel_value *list_element(struct run *run, struct cel_value list, struct cel_value key,
					    struct cel_value *error)
{
	int64_t i = -1;
	*error = cel_null();
	if (key.kind == CEL_INT)
		i = key.i;
	else if (key.kind == CEL_UINT)
		i = key.u <= INT64_MAX ? (int64_t)key.u : -1;
	else if (key.kind == CEL_DOUBLE && key.d == trunc(key.d) && fabs(key.d) < 9e15)
		i = (int64_t)key.d;
	else
		*error = cel_fail(&run->call, "a list can't be indexed by %s", cel_type_of_kind(key.kind)->name);
	return i >= 0 && i < list.len ? &list.items[i] : NULL;
}

static struct cel_value optional_of(struct run *run, struct cel_value v)
{
	if (is_bad(v))
		return v;
	struct cel_value *copy = cel_run_alloc(run, sizeof *copy);
	if (!copy)
		return cel_run_memory();
	*copy = v;
	return (struct cel_value){.kind = CEL_OPTIONAL, .some = copy};
}

struct cel_value cel_element(struct run *run, struct cel_value of, struct cel_value key, bool optional)
{
	if (is_bad(of) || is_bad(key))
		return cel_merge(run, of, key);
	if (of.kind == CEL_OPTIONAL)
		return of.some ? cel_element(run, *of.some, key, true) : of;
	const struct cel_value *found;
	struct cel_value error = cel_null();
	char text[64];
	if (of.kind == CEL_LIST) {
		found = list_element(run, of, key, &error);
		if (is_bad(error))
			return error;
	} else if (of.kind != CEL_MAP) {
		return cel_fail(&run->call, "no such overload: %s has no fields or elements",
				cel_type_of_kind(of.kind)->name);
	} else if (of.sub != CEL_SUB_INDEXED && !run_spend(run, cel_map_room(of) / 4)) {
		return cel_run_cost(run);
	} else {
		found = cel_map_find(of, key);
	}
	if (found)
		return optional ? optional_of(run, *found) : *found;
	if (optional)
		return (struct cel_value){.kind = CEL_OPTIONAL};
	if (of.kind == CEL_LIST)
		return cel_fail(&run->call, "there is no element %s in a list of %u", cel_show(key, text, sizeof text),
				of.len);
	return cel_fail(&run->call, "no such key: %s", cel_show(key, text, sizeof text));
}

struct cel_value cel_has_key(struct run *run, struct cel_value of, struct cel_value name)
{
	if (is_bad(of))
		return of;
	if (of.kind == CEL_OPTIONAL)
		return of.some ? cel_has_key(run, *of.some, name) : cel_bool(false);
	if (of.kind != CEL_MAP)
		return cel_fail(&run->call, "no such overload: %s has no fields", cel_type_of_kind(of.kind)->name);
	if (of.sub != CEL_SUB_INDEXED && !run_spend(run, cel_map_room(of) / 4))
		return cel_run_cost(run);
	const struct cel_value *found = cel_map_find(of, name);
	return cel_bool(found && found->kind != CEL_UNKNOWN);
}
