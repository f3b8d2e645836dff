/* cel_generate_loop.c: the macros over lists and maps, as loops. */
#include "cel_generate.h"

/* Begins a loop of the node's kind with its result in dst. */
static void begin(struct generator *g, struct node *node, int16_t dst, int16_t loop)
{
	switch (node->op) {
	case LOOP_ALL:
	case LOOP_EXISTS:
		cel_emit(g, node, OP_MOVE, dst, cel_constant(g, cel_bool(node->op == LOOP_ALL)), 0);
		break;
	case LOOP_ONE:
		cel_emit(g, node, OP_MOVE, dst, cel_constant(g, cel_int(0)), 0);
		break;
	case LOOP_MAP:
		cel_emit(g, node, OP_TABLE, dst, loop, 0);
		break;
	default:
		cel_emit(g, node, OP_GATHER, dst, loop, 0);
		break;
	}
}

/* What is done with the body's value for each element; returns where a jump to the end must be set, or 0. */
static uint32_t step(struct generator *g, struct node *node, int16_t dst, int16_t loop, int16_t value)
{
	uint32_t place = cel_here(g);
	struct node *body = node->kids[1];
	switch (node->op) {
	case LOOP_ALL:
		cel_emit(g, body, OP_AND, dst, value, 0);
		return place;
	case LOOP_EXISTS:
		cel_emit(g, body, OP_OR, dst, value, 0);
		return place;
	case LOOP_ONE:
		cel_emit(g, body, OP_COUNT, dst, value, 0);
		return 0;
	case LOOP_FILTER:
		cel_emit(g, body, OP_KEEP, dst, value, loop + 2);
		return 0;
	case LOOP_MAP:
		cel_emit(g, body, OP_PUT, dst, loop + 2, value);
		return 0;
	default:
		cel_emit(g, body, OP_PUSH, dst, value, 0);
		return 0;
	}
}

void cel_into_loop(struct generator *g, struct node *node, int16_t dst)
{
	struct node *range = node->kids[0], *body = node->kids[1], *filter = node->n > 2 ? node->kids[2] : NULL;
	int16_t loop = cel_temporary(g, 4);
	cel_into(g, range, loop);
	if (range->type->fields)
		cel_whole(g, range);
	if (node->op == LOOP_LIST || node->op == LOOP_MAP || node->op == LOOP_ENTRIES)
		cel_whole(g, body);
	uint32_t iter = cel_here(g);
	cel_emit(g, range, OP_ITER, dst, loop, 0);
	begin(g, node, dst, loop);
	uint32_t enter = cel_here(g);
	cel_emit(g, node, OP_JUMP, dst, 0, 0);
	g->locals[node->variable] = (int16_t)(loop + 2);
	if (node->vars[1])
		g->locals[node->variable + 1] = (int16_t)(loop + 3);
	uint32_t start = cel_here(g), skip = 0;
	int16_t value = cel_temporary(g, 1);
	if (filter) {
		int16_t keep = cel_operand(g, filter, value);
		skip = cel_here(g);
		cel_emit(g, filter, OP_TAKE, dst, keep, 0);
	}
	uint32_t decided = step(g, node, dst, loop, cel_operand(g, body, value));
	uint32_t next = cel_here(g), cost = next - start;
	cel_emit(g, node, OP_NEXT, cost < INT16_MAX ? (int)cost : INT16_MAX, loop, node->vars[1] ? 2 : 1)->target =
		start;
	cel_at(g, enter)->target = next;
	if (filter)
		cel_at(g, skip)->target = next;
	if (node->op == LOOP_ONE)
		cel_emit(g, node, OP_ONE, dst, dst, 0);
	if (node->op == LOOP_ENTRIES)
		cel_emit(g, node, OP_MERGE, dst, dst, 0);
	cel_at(g, iter)->target = cel_here(g);
	if (decided)
		cel_at(g, decided)->target = cel_here(g);
}
