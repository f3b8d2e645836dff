/* cel_check_call.c: operators and function calls: which overload, and what to say where there is none. */
#include "cel_check.h"
#include "cel_time.h"
#include <stdio.h>
#include <string.h>

/* --- operators */
static const char *const verbs[T_KINDS] = {
	[T_PLUS] = "add %s and %s",
	[T_MINUS] = "take %2$s from %1$s",
	[T_STAR] = "multiply %s by %s",
	[T_SLASH] = "divide %s by %s",
	[T_PERCENT] = "take the remainder of %s by %s",
};

static const struct {
	uint8_t op, left, right, result;
} arithmetics[] = {
#define NUMBERS(op)                              \
	{op, CEL_INT, CEL_INT, CEL_INT},         \
	{                                        \
		op, CEL_UINT, CEL_UINT, CEL_UINT \
	}
#define DOUBLES(op)                                    \
	{                                              \
		op, CEL_DOUBLE, CEL_DOUBLE, CEL_DOUBLE \
	}
	NUMBERS(T_PLUS),
	NUMBERS(T_MINUS),
	NUMBERS(T_STAR),
	NUMBERS(T_SLASH),
	NUMBERS(T_PERCENT),
	DOUBLES(T_PLUS),
	DOUBLES(T_MINUS),
	DOUBLES(T_STAR),
	DOUBLES(T_SLASH),
	{T_PLUS, CEL_STRING, CEL_STRING, CEL_STRING},
	{T_PLUS, CEL_BYTES, CEL_BYTES, CEL_BYTES},
	{T_PLUS, CEL_LIST, CEL_LIST, CEL_LIST},
	{T_PLUS, CEL_TIMESTAMP, CEL_DURATION, CEL_TIMESTAMP},
	{T_PLUS, CEL_DURATION, CEL_TIMESTAMP, CEL_TIMESTAMP},
	{T_PLUS, CEL_DURATION, CEL_DURATION, CEL_DURATION},
	{T_MINUS, CEL_TIMESTAMP, CEL_TIMESTAMP, CEL_DURATION},
	{T_MINUS, CEL_TIMESTAMP, CEL_DURATION, CEL_TIMESTAMP},
	{T_MINUS, CEL_DURATION, CEL_DURATION, CEL_DURATION},
#undef NUMBERS
#undef DOUBLES
};

static void to_double(struct node *node)
{
	if (node->kind == N_LITERAL)
		node->value = cel_double((double)node->value.i);
	else
		node->to_double = true;
}

void cel_mix(struct checker *k, struct node *a, struct node *b)
{
	if (!k->env->options.mixed_arithmetic)
		return;
	struct node *whole = a->type->kind == CEL_INT && b->type->kind == CEL_DOUBLE   ? a
			     : b->type->kind == CEL_INT && a->type->kind == CEL_DOUBLE ? b
										       : NULL;
	if (whole) {
		to_double(whole);
		whole->type = cel_type_with_unit(k->env, cel_basic(k, CEL_DOUBLE), whole->type->unit);
	}
}

void cel_mix_all(struct checker *k, struct node *node)
{
	uint32_t one = 0;
	while (one < node->n && node->kids[one]->type->kind != CEL_DOUBLE)
		one++;
	for (uint32_t i = 0; i < node->n && one < node->n; i++)
		cel_mix(k, node->kids[i], node->kids[one]);
}

/* The two units that differ, of numbers or of what lists, optionals and maps hold. */
static bool units_differ(const struct cel_type *a, const struct cel_type *b, const char *units[2])
{
	units[0] = a->unit;
	units[1] = b->unit;
	if (a->unit && b->unit)
		return strcmp(a->unit, b->unit) != 0;
	if (a->kind != b->kind || a->fields || b->fields)
		return false;
	return (a->a && b->a && units_differ(a->a, b->a, units)) || (a->b && b->b && units_differ(a->b, b->b, units));
}

bool cel_same_unit(struct checker *k, struct node *node, const char *what, const struct cel_type *a,
		   const struct cel_type *b)
{
	const char *units[2];
	if (!units_differ(a, b, units))
		return true;
	cel_wrong(k, node, node->mark, node->mark_len, "can't %s %s and %s: they are different units", what, units[0],
		  units[1]);
	return false;
}

static bool same_unit(struct checker *k, struct node *node, const char *what)
{
	return cel_same_unit(k, node, what, node->kids[0]->type, node->kids[1]->type);
}

/* The unit of a result of two numbers. */
static const struct cel_type *with_unit(struct checker *k, const struct node *node, const struct cel_type *result)
{
	const char *a = node->kids[0]->type->unit, *b = node->kids[1]->type->unit;
	if (node->op == T_STAR)
		return cel_type_with_unit(k->env, result, a && b ? NULL : a ? a : b);
	if (node->op == T_SLASH)
		return cel_type_with_unit(k->env, result, b ? NULL : a);
	return cel_type_with_unit(k->env, result, a ? a : b);
}

static void check_arithmetic(struct checker *k, struct node *node)
{
	struct node *a = node->kids[0], *b = node->kids[1];
	if (node->op != T_PERCENT)
		cel_mix(k, a, b);
	if (node->op == T_SLASH && a->type->kind == CEL_INT && b->type->kind == CEL_INT &&
	    k->env->options.refuse_int_division) {
		int len = a->len < 40 ? (int)a->len : 0;
		cel_wrong(k, node, node->mark, node->mark_len,
			  "int / int drops the remainder; write `double(%.*s) / %.*s`", len ? len : 1,
			  len ? k->c->text + a->pos : "a", b->len < 40 ? (int)b->len : 1,
			  b->len < 40 ? k->c->text + b->pos : "b");
		return;
	}
	int found = 0, result = TYPE_DYN;
	for (size_t i = 0; i < sizeof arithmetics / sizeof *arithmetics; i++) {
		bool left = cel_type_loose(a->type) || a->type->kind == arithmetics[i].left;
		bool right = cel_type_loose(b->type) || b->type->kind == arithmetics[i].right;
		if (arithmetics[i].op == node->op && left && right) {
			result = found++ && result != arithmetics[i].result ? TYPE_DYN : arithmetics[i].result;
		}
	}
	char what[300];
	if (!found) {
		snprintf(what, sizeof what, verbs[node->op], cel_type_name(a->type), cel_type_name(b->type));
		cel_wrong(k, node, node->mark, node->mark_len, "can't %s", what);
	} else if (result == CEL_LIST && cel_type_is(a->type, CEL_LIST) && cel_type_is(b->type, CEL_LIST)) {
		if (same_unit(k, node, "join lists of"))
			node->type = cel_type_join(k->env, a->type, b->type);
	} else {
		bool mixed = k->env->options.mixed_arithmetic && (cel_type_loose(a->type) || cel_type_loose(b->type));
		node->type = cel_basic(k, mixed && result <= CEL_DOUBLE ? TYPE_DYN : result);
		if (node->op == T_STAR || node->op == T_SLASH ||
		    same_unit(k, node,
			      node->op == T_PLUS    ? "add"
			      : node->op == T_MINUS ? "subtract"
						    : "take the remainder of"))
			node->type = with_unit(k, node, node->type);
	}
}

/* A literal beside a value of a closed set must be one of the set. */
static void check_word(struct checker *k, struct node *node, const struct node *of, const struct node *literal)
{
	if (of->type->words && literal->kind == N_COND) {
		check_word(k, node, of, literal->kids[1]);
		check_word(k, node, of, literal->kids[2]);
	}
	if (!of->type->words || literal->kind != N_LITERAL || literal->value.kind != CEL_STRING)
		return;
	const char *word = cel_take_text(k->c, literal->value.s, literal->value.len);
	for (size_t i = 0; i < of->type->n; i++)
		if (strcmp(of->type->words[i], word) == 0)
			return;
	const char *near = cel_nearest(word, of->type->words, of->type->n);
	cel_wrong(k, node, literal->pos, literal->len,
		  near ? "`%s` has no value '%s'; nearest: '%s'" : "`%s` has no value '%s'", of->type->name, word,
		  near);
}

/* Numbers of all types can be compared, also as elements. */
static bool comparable(const struct cel_type *a, const struct cel_type *b)
{
	if (cel_type_fits(a, b) || (cel_type_number(a) && cel_type_number(b)))
		return true;
	return a->kind == b->kind && a->a && b->a && !a->fields && !b->fields && comparable(a->a, b->a) &&
	       (!a->b || comparable(a->b, b->b));
}

static void check_equality(struct checker *k, struct node *node)
{
	struct node *a = node->kids[0], *b = node->kids[1];
	if (!comparable(a->type, b->type)) {
		bool null = a->type->kind == CEL_NULL || b->type->kind == CEL_NULL;
		cel_wrong(k, node, node->mark, node->mark_len, "%s and %s are never equal%s", cel_type_name(a->type),
			  cel_type_name(b->type),
			  null && k->env->options.has_name ? "; has() asks whether a value is there" : "");
		return;
	}
	if (!same_unit(k, node, "compare"))
		return;
	check_word(k, node, a, b);
	check_word(k, node, b, a);
}

static void check_order(struct checker *k, struct node *node)
{
	const struct cel_type *a = node->kids[0]->type, *b = node->kids[1]->type;
	static const bool ordered[TYPE_KINDS] = {
		[TYPE_DYN] = true,      [TYPE_FREE] = true,    [CEL_BOOL] = true,   [CEL_INT] = true,
		[CEL_UINT] = true,      [CEL_DOUBLE] = true,   [CEL_STRING] = true, [CEL_BYTES] = true,
		[CEL_TIMESTAMP] = true, [CEL_DURATION] = true,
	};
	if (!ordered[a->kind] || !ordered[b->kind] || !comparable(a, b))
		cel_wrong(k, node, node->mark, node->mark_len, "can't compare %s with %s", cel_type_name(a),
			  cel_type_name(b));
	else
		same_unit(k, node, "compare");
}

static void check_in(struct checker *k, struct node *node)
{
	struct node *a = node->kids[0], *in = node->kids[1];
	const struct cel_type *of = in->type;
	if (of->kind == CEL_LIST || of->kind == CEL_MAP) {
		if (!comparable(of->a, a->type))
			cel_wrong(k, node, node->mark, node->mark_len, "%s is never in %s", cel_type_name(a->type),
				  cel_type_name(of));
		else if (!cel_same_unit(k, node, "compare", a->type, of->a))
			return;
		for (uint32_t i = 0; in->kind == N_LIST && i < in->n; i++) {
			check_word(k, node, a, in->kids[i]);
			check_word(k, node, in->kids[i], a);
		}
	} else if (!cel_type_loose(of)) {
		cel_wrong(k, node, in->pos, in->len, "after `in` a list or a map is wanted, not %s", cel_type_name(of));
	}
}

void cel_check_binary(struct checker *k, struct node *node)
{
	cel_check_node(k, node->kids[0]);
	cel_check_node(k, node->kids[1]);
	switch (node->op) {
	case T_EQ:
	case T_NE:
		check_equality(k, node);
		break;
	case T_LT:
	case T_LE:
	case T_GT:
	case T_GE:
		check_order(k, node);
		break;
	case T_IN:
		check_in(k, node);
		break;
	default:
		check_arithmetic(k, node);
		return;
	}
	node->type = cel_basic(k, CEL_BOOL);
}

void cel_check_unary(struct checker *k, struct node *node)
{
	struct node *a = node->kids[0];
	cel_check_node(k, a);
	node->type = node->op == T_NOT ? cel_basic(k, CEL_BOOL) : a->type;
	if (cel_type_loose(a->type))
		return;
	if (node->op == T_NOT && a->type->kind != CEL_BOOL)
		cel_wrong(k, node, node->mark, node->mark_len, "! wants bool, this is %s", cel_type_name(a->type));
	if (node->op == T_MINUS && a->type->kind != CEL_INT && a->type->kind != CEL_DOUBLE)
		cel_wrong(k, node, node->mark, node->mark_len, "%s has no negative", cel_type_name(a->type));
}

/* --- calls */
static void list_types(char *out, size_t room, const struct overload *o, const struct cel_type *const *types, size_t n)
{
	size_t at = 0;
	bool method = o->method && n;
	at += (size_t)snprintf(out, room, method ? "%s.%s(" : "%.0s%s(", method ? cel_type_name(types[0]) : "",
			       o->name);
	for (size_t i = method; i < n && at < room; i++)
		at += (size_t)snprintf(out + at, room - at, "%s%s", i > method ? ", " : "", cel_type_name(types[i]));
	if (at < room)
		snprintf(out + at, room - at, ")");
}

static void no_function(struct checker *k, struct node *node)
{
	unsigned binds = node->method ? cel_macro_names(node->name) : 0;
	if (binds) {
		cel_wrong(k, node, node->mark, node->mark_len, "%s() has another form: list.%s(%s, …)", node->name,
			  node->name, binds == 2 ? "i, x" : "x");
		return;
	}
	const char **names = cel_take(k->c, 2000 * sizeof *names);
	size_t n = cel_overload_names(k->env, node->method, names, 2000);
	const char *near = cel_nearest(node->name, names, n);
	cel_wrong(k, node, node->mark, node->mark_len,
		  near ? "there is no function %s(); nearest: %s()" : "there is no function %s()", node->name, near);
}

static void no_overload(struct checker *k, struct node *node, const struct cel_type *const *types, bool any)
{
	const struct overload *o = cel_overload_find(k->env, node->name, node->method, node->n);
	char have[150], want[150];
	if (o) {
		list_types(have, sizeof have, o, types, node->n);
		list_types(want, sizeof want, o, o->args, o->n);
		cel_wrong(k, node, node->mark, node->mark_len, "%s doesn't fit: %s() is %s%s", have, node->name, want,
			  o->next ? ", among others" : "");
	} else if (any) {
		size_t n = node->n - node->method;
		if (cel_overload_find(k->env, node->name, !node->method, node->n))
			cel_wrong(k, node, node->mark, node->mark_len,
				  node->method ? "%s() isn't asked of a value: write %s(x)"
					       : "%s() is asked of a value: write x.%s()",
				  node->name, node->name);
		else
			cel_wrong(k, node, node->mark, node->mark_len, "%s() doesn't take %zu argument%s", node->name,
				  n, n == 1 ? "" : "s");
	} else {
		no_function(k, node);
	}
}

/* math.greatest and math.least: of numbers, or of one list of numbers. */
static const struct cel_type *extreme_type(struct checker *k, struct node *node)
{
	const struct cel_type *all = cel_basic(k, TYPE_FREE);
	cel_mix_all(k, node);
	for (uint32_t i = 0; i < node->n; i++) {
		const struct cel_type *t = node->kids[i]->type;
		if (node->n == 1 && t->kind == CEL_LIST)
			t = t->a;
		if (!cel_type_number(t) && !cel_type_loose(t)) {
			cel_wrong(k, node, node->kids[i]->pos, node->kids[i]->len, "%s() compares numbers, this is %s",
				  node->name, cel_type_name(node->kids[i]->type));
			return cel_basic(k, TYPE_DYN);
		}
		if (!cel_same_unit(k, node, "compare", all, t))
			return cel_basic(k, TYPE_DYN);
		all = cel_type_join(k->env, all, t);
	}
	return cel_type_loose(all) ? cel_basic(k, TYPE_DYN) : all;
}

static bool known(const struct cel_type *type)
{
	return !type || (!cel_type_loose(type) && known(type->a) && (type->fields || known(type->b)));
}

/* Finds the overloads that take the types; the type is known where they agree, or where all of the arguments' are. */
static bool choose(struct checker *k, struct node *node, const struct cel_type *const *types)
{
	const struct overload *o = cel_overload_find(k->env, node->name, node->method, node->n);
	const struct cel_type *result, *agreed = NULL;
	bool all_known = true;
	for (uint32_t i = 0; i < node->n; i++)
		all_known &= known(types[i]);
	for (node->overload = NULL; o; o = o->next) {
		if (!cel_overload_takes(k->env, o, types, node->n, &result))
			continue;
		if (!node->overload)
			node->overload = o;
		agreed = agreed && agreed != result ? cel_basic(k, TYPE_DYN) : result;
		if (all_known)
			break;
	}
	if (!node->overload)
		return false;
	node->type = node->overload->variadic ? extreme_type(k, node) : agreed;
	return true;
}

/* The overload that fits if ints become doubles. */
static bool choose_mixed(struct checker *k, struct node *node, const struct cel_type **types)
{
	if (!k->env->options.mixed_arithmetic)
		return false;
	bool changed = false;
	for (uint32_t i = node->method; i < node->n; i++)
		if (types[i]->kind == CEL_INT) {
			types[i] = cel_basic(k, CEL_DOUBLE);
			changed = true;
		}
	if (!changed || !choose(k, node, types))
		return false;
	for (uint32_t i = node->method; i < node->n; i++)
		if (node->kids[i]->type->kind == CEL_INT) {
			to_double(node->kids[i]);
			node->kids[i]->type =
				cel_type_with_unit(k->env, cel_basic(k, CEL_DOUBLE), node->kids[i]->type->unit);
		}
	return true;
}

/* A call such as math.abs(x): the receiver is no value but the first part of the function's name. */
static void join_namespace(struct checker *k, struct node *node)
{
	const char *path = cel_node_path(k->c, node->kids[0]);
	if (!path || (node->kids[0]->kind == N_IDENT && cel_is_local(k, path)))
		return;
	size_t room = strlen(path) + strlen(node->name) + 2;
	char *full = cel_take(k->c, room);
	snprintf(full, room, "%s.%s", path, node->name);
	if (!cel_overload_named(k->env, full))
		return;
	node->name = full;
	node->method = false;
	node->kids++;
	node->n--;
	node->mark_len += node->mark - node->pos;
	node->mark = node->pos;
}

/* The getters of timestamps: with a time zone, and one that is there. */
static void check_zone(struct checker *k, struct node *node, const struct cel_type *const *types)
{
	if (!node->method || !node->overload->pure || strncmp(node->name, "get", 3) != 0 ||
	    types[0]->kind != CEL_TIMESTAMP)
		return;
	const struct node *zone = node->n > 1 ? node->kids[1] : NULL;
	int64_t offset;
	if (!zone && k->env->options.refuse_utc_getters)
		cel_wrong(k, node, node->mark, node->mark_len, "%s() needs a time zone: %s('Asia/Shanghai')",
			  node->name, node->name);
	else if (zone && zone->kind == N_LITERAL && !cel_find_offset(&k->env->options, zone->value, 0, &offset))
		cel_wrong(k, node, zone->pos, zone->len, "there is no time zone '%.*s'", (int)zone->value.len,
			  zone->value.s);
}

/* What is still counted in its unit after the call. */
static void keep_unit(struct checker *k, struct node *node, const struct cel_type *const *types)
{
	static const char *const functions[] = {"sum",       "double",     "int",        "math.abs",
						"math.ceil", "math.floor", "math.round", "math.trunc"};
	if (!node->n || !node->overload->pure)
		return;
	const char *unit = types[0]->kind == CEL_LIST ? types[0]->a->unit : types[0]->unit;
	for (size_t i = 0; unit && i < sizeof functions / sizeof *functions; i++)
		if (strcmp(functions[i], node->name) == 0)
			node->type = cel_type_with_unit(k->env, node->type, unit);
}

void cel_check_call(struct checker *k, struct node *node)
{
	if (node->method)
		join_namespace(k, node);
	const struct cel_type **types = cel_take(k->c, (node->n + 1) * sizeof *types);
	for (uint32_t i = 0; i < node->n; i++) {
		cel_check_node(k, node->kids[i]);
		types[i] = node->kids[i]->type;
	}
	const struct cel_type **mixed = cel_take(k->c, (node->n + 1) * sizeof *mixed);
	memcpy(mixed, types, node->n * sizeof *types);
	if (!choose(k, node, types) && !choose_mixed(k, node, mixed)) {
		no_overload(k, node, types, cel_overload_named(k->env, node->name));
		return;
	}
	check_zone(k, node, types);
	keep_unit(k, node, types);
}
