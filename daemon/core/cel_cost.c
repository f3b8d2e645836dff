/* cel_cost.c: the static estimate: how many steps an evaluation takes at most, for sizes that are assumed. */
#include "cel_ast.h"
#include "cel_code.h"
#include <string.h>

enum { ASSUMED_LIST = 20, CALL_STEPS = 4, ALLOCATION_STEPS = 10 };

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}
static uint64_t times(uint64_t a, uint64_t b)
{
	uint64_t r;
	return __builtin_mul_overflow(a, b, &r) ? UINT64_MAX : r;
}

/* How many elements a range has. */
static uint64_t size_of(const struct node *node)
{
	switch (node->kind) {
	case N_LIST:
		return node->n;
	case N_MAP:
		return node->n / 2;
	case N_LITERAL:
		return node->value.kind == CEL_LIST ? node->value.len : ASSUMED_LIST;
	case N_LOOP:
		return size_of(node->kids[0]);
	case N_BINARY:
		return plus(size_of(node->kids[0]), size_of(node->kids[1]));
	default:
		return node->type && node->type->fields ? node->type->n : ASSUMED_LIST;
	}
}

uint64_t cel_cost_of(const struct node *node)
{
	uint64_t kids = 0;
	switch (node->kind) {
	case N_LITERAL:
		return 0;
	case N_COND: {
		uint64_t yes = cel_cost_of(node->kids[1]), no = cel_cost_of(node->kids[2]);
		return plus(plus(1, cel_cost_of(node->kids[0])), yes > no ? yes : no);
	}
	case N_LOOP:
		for (uint32_t i = 1; i < node->n; i++)
			kids = plus(kids, cel_cost_of(node->kids[i]));
		kids = times(plus(kids, 2), size_of(node->kids[0]));
		return plus(plus(kids, cel_cost_of(node->kids[0])), node->op >= LOOP_FILTER ? 1 + ALLOCATION_STEPS : 1);
	default:
		break;
	}
	for (uint32_t i = 0; i < node->n; i++)
		if (node->kids[i]->type)
			kids = plus(kids, cel_cost_of(node->kids[i]));
	uint64_t own = 1;
	if (node->kind == N_CALL)
		own = node->type->kind == CEL_STRING || node->type->kind == CEL_LIST ? CALL_STEPS + ALLOCATION_STEPS
										     : CALL_STEPS;
	if (node->kind == N_LIST || node->kind == N_MAP)
		own = ALLOCATION_STEPS + node->n;
	if (node->kind == N_BINARY && node->op == T_IN)
		own = plus(1, size_of(node->kids[1]));
	return plus(kids, own);
}
