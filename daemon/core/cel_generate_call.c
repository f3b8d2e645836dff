/* cel_generate_call.c: operators and calls to instructions: the fast ones where the types are known. */
#include "cel_generate.h"
#include "cel_regex.h"
#include <stdlib.h>
#include <string.h>

void cel_into_unary(struct generator *g, struct node *node, int16_t dst)
{
	int16_t from = cel_operand(g, node->kids[0], dst);
	cel_emit(g, node, node->op == T_NOT ? OP_NOT : OP_NEG, dst, from, 0);
}

static const struct {
	uint8_t generic, ints, doubles, double_constant;
	bool swaps; /* a op b is b op a */
} arithmetics[T_KINDS] = {
	[T_PLUS] = {OP_ADD, OP_ADD_I, OP_ADD_D, OP_ADD_DK, true},
	[T_MINUS] = {OP_SUB, OP_SUB_I, OP_SUB_D, OP_SUB_DK, false},
	[T_STAR] = {OP_MUL, OP_MUL_I, OP_MUL_D, OP_MUL_DK, true},
	[T_SLASH] = {OP_DIV, OP_DIV, OP_DIV_D, OP_DIV_DK, false},
	[T_PERCENT] = {OP_MOD, OP_MOD, OP_MOD, OP_MOD, false},
};

static const struct {
	uint8_t generic, ints, doubles, int_constant, double_constant, string_constant;
	uint8_t mirrored; /* the token of b op a */
	uint8_t compare;
} comparisons[T_KINDS] = {
	[T_EQ] = {OP_EQ, OP_EQ_I, OP_EQ_D, OP_EQ_IK, OP_EQ_DK, OP_EQ_SK, T_EQ, CEL_EQ},
	[T_NE] = {OP_NE, OP_NE_I, OP_NE_D, OP_NE_IK, OP_NE_DK, OP_NE_SK, T_NE, CEL_NE},
	[T_LT] = {OP_LT, OP_LT_I, OP_LT_D, OP_LT_IK, OP_LT_DK, 0, T_GT, CEL_LT},
	[T_LE] = {OP_LE, OP_LE_I, OP_LE_D, OP_LE_IK, OP_LE_DK, 0, T_GE, CEL_LE},
	[T_GT] = {OP_GT, OP_GT_I, OP_GT_D, OP_GT_IK, OP_GT_DK, 0, T_LT, CEL_GT},
	[T_GE] = {OP_GE, OP_GE_I, OP_GE_D, OP_GE_IK, OP_GE_DK, 0, T_LE, CEL_GE},
};

static bool both(const struct node *a, const struct node *b, int kind)
{
	return a->type->kind == kind && b->type->kind == kind;
}

static void into_arithmetic(struct generator *g, struct node *node, int16_t dst)
{
	struct node *a = node->kids[0], *b = node->kids[1];
	cel_fold(g, a);
	cel_fold(g, b);
	bool doubles = both(a, b, CEL_DOUBLE) && node->op != T_PERCENT;
	if (doubles && a->kind == N_LITERAL && b->kind != N_LITERAL && arithmetics[node->op].swaps) {
		struct node *swap = a;
		a = b;
		b = swap;
	}
	int16_t left = cel_operand(g, a, dst);
	if (doubles && b->kind == N_LITERAL) {
		cel_emit(g, node, arithmetics[node->op].double_constant, dst, left, 0)->d = b->value.d;
		return;
	}
	int16_t right = cel_operand(g, b, cel_temporary(g, 1));
	enum op op = doubles               ? arithmetics[node->op].doubles
		     : both(a, b, CEL_INT) ? arithmetics[node->op].ints
					   : arithmetics[node->op].generic;
	cel_emit(g, node, op, dst, left, right);
}

/* Arguments in registers in a row; returns the first. */
static int16_t arguments(struct generator *g, struct node *const *kids, uint32_t n, struct node *last)
{
	int16_t first = cel_temporary(g, (int)n + (last != NULL));
	for (uint32_t i = 0; i < n; i++)
		cel_into(g, kids[i], (int16_t)(first + (int)i));
	if (last)
		cel_into(g, last, (int16_t)(first + (int)n));
	return first;
}

/* A comparison of a host's function that has one of its own. */
static bool into_fusion(struct generator *g, struct node *node, int16_t dst)
{
	for (int side = 0; side < 2; side++) {
		struct node *call = node->kids[side], *other = node->kids[1 - side];
		if (call->kind != N_CALL || !call->overload || !call->overload->compare || call->to_double ||
		    !cel_type_number(other->type))
			continue;
		struct fusion *fusion = cel_keep(g, sizeof *fusion);
		uint8_t op = side ? comparisons[node->op].mirrored : node->op;
		*fusion = (struct fusion){call->overload, comparisons[op].compare};
		int16_t first = arguments(g, call->kids, call->n, other);
		cel_emit(g, node, OP_COMPARE, dst, first, (int)call->n + 1)->fusion = fusion;
		return true;
	}
	return false;
}

/* An int literal beside a double is the same number as a double, where it is exact. */
static void as_double(struct node *literal, const struct node *other)
{
	if (literal->kind == N_LITERAL && literal->value.kind == CEL_INT && other->type->kind == CEL_DOUBLE &&
	    llabs(literal->value.i) <= INT64_C(1) << 53) {
		literal->value = cel_double((double)literal->value.i);
		literal->type = other->type;
	}
}

static const struct cel_value *kept(struct generator *g, struct cel_value text)
{
	struct cel_value *value = cel_keep(g, sizeof *value);
	char *s = cel_keep(g, text.len + 1u);
	memcpy(s, text.s, text.len);
	*value = cel_string(s, text.len);
	return value;
}

static void into_comparison(struct generator *g, struct node *node, int16_t dst)
{
	struct node *a = node->kids[0], *b = node->kids[1];
	uint8_t op = node->op;
	if (into_fusion(g, node, dst))
		return;
	cel_fold(g, a);
	cel_fold(g, b);
	as_double(a, b);
	as_double(b, a);
	if (a->kind == N_LITERAL && b->kind != N_LITERAL) {
		struct node *swap = a;
		a = b;
		b = swap;
		op = comparisons[op].mirrored;
	}
	int16_t left = cel_operand(g, a, dst);
	if (b->kind == N_LITERAL && both(a, b, CEL_INT)) {
		cel_emit(g, node, comparisons[op].int_constant, dst, left, 0)->i = b->value.i;
	} else if (b->kind == N_LITERAL && both(a, b, CEL_DOUBLE)) {
		cel_emit(g, node, comparisons[op].double_constant, dst, left, 0)->d = b->value.d;
	} else if (b->kind == N_LITERAL && both(a, b, CEL_STRING) && comparisons[op].string_constant) {
		cel_emit(g, node, comparisons[op].string_constant, dst, left, 0)->constant = kept(g, b->value);
	} else {
		int16_t right = cel_operand(g, b, cel_temporary(g, 1));
		enum op code = both(a, b, CEL_INT)      ? comparisons[op].ints
			       : both(a, b, CEL_DOUBLE) ? comparisons[op].doubles
							: comparisons[op].generic;
		cel_emit(g, node, code, dst, left, right);
	}
}

void cel_into_binary(struct generator *g, struct node *node, int16_t dst)
{
	cel_whole(g, node->kids[0]);
	cel_whole(g, node->kids[1]);
	if (comparisons[node->op].generic) {
		into_comparison(g, node, dst);
	} else if (node->op == T_IN) {
		int16_t left = cel_operand(g, node->kids[0], dst),
			right = cel_operand(g, node->kids[1], cel_temporary(g, 1));
		cel_emit(g, node, OP_IN, dst, left, right);
	} else {
		into_arithmetic(g, node, dst);
	}
}

/* The constant string that is the second argument of a function of the language's own, or NULL. */
static struct node *constant_text(struct generator *g, struct node *node, const char *name)
{
	if (strcmp(node->name, name) != 0 || node->n != 2 || !node->overload || !node->overload->pure)
		return NULL;
	struct node *text = node->kids[1];
	cel_fold(g, text);
	return text->kind == N_LITERAL && text->value.kind == CEL_STRING ? text : NULL;
}

/* matches() with a pattern that is known: compiled once. */
static bool into_match(struct generator *g, struct node *node, int16_t dst)
{
	struct node *pattern = constant_text(g, node, "matches");
	if (!pattern)
		return false;
	const char *why = NULL;
	const struct regex_memory memory = {cel_regex_pool, &g->program->pool};
	const struct regex *regex = cel_regex_new(&memory, pattern->value.s, pattern->value.len, &why);
	if (!regex) {
		if (g->program->pool.failed)
			longjmp(g->c->out, 1);
		if (!g->c->env->options.dynamic)
			cel_fault_at(g->c, pattern->pos, pattern->len, "not a regular expression: %s", why);
		return false;
	}
	int16_t from = cel_operand(g, node->kids[0], dst);
	cel_emit(g, node, OP_MATCH, dst, from, 0)->regex = regex;
	return true;
}

/* contains() of a text that is known. */
static bool into_contains(struct generator *g, struct node *node, int16_t dst)
{
	struct node *text = constant_text(g, node, "contains");
	if (!text || !text->value.len)
		return false;
	int16_t from = cel_operand(g, node->kids[0], dst);
	cel_emit(g, node, OP_CONTAINS, dst, from, 0)->constant = kept(g, text->value);
	return true;
}

void cel_into_call(struct generator *g, struct node *node, int16_t dst)
{
	const struct overload *o = node->overload;
	if (!o)
		o = cel_overload_find(g->c->env, node->name, node->method, node->n);
	if (!o) {
		struct cel_problem *problem = cel_keep(g, sizeof *problem);
		const char *message = node->message ? node->message : "there is no such function";
		problem->text = memcpy(cel_keep(g, strlen(message) + 1), message, strlen(message));
		problem->pos = node->mark;
		cel_emit(g, node, OP_FAIL, dst, 0, 0)->problem = problem;
		return;
	}
	if (into_match(g, node, dst) || into_contains(g, node, dst))
		return;
	for (uint32_t i = 0; i < node->n; i++)
		if (strcmp(node->name, "size") != 0)
			cel_whole(g, node->kids[i]);
	if (node->n == 1 && strcmp(node->name, "dyn") == 0 && o->pure) {
		cel_into(g, node->kids[0], dst);
		return;
	}
	int16_t first = node->n == 1 ? cel_operand(g, node->kids[0], dst) : arguments(g, node->kids, node->n, NULL);
	cel_emit(g, node, OP_CALL, dst, first, (int)node->n)->overload = o;
}
