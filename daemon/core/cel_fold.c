/* cel_fold.c: literals of literals, and pure functions of literals, worked out at compile. */
#include "cel_generate.h"
#include <string.h>

static void *from_pool(void *ctx, size_t size)
{
	return cel_pool_alloc(ctx, size);
}

static bool literals(const struct node *node)
{
	for (uint32_t i = 0; i < node->n; i++)
		if (node->kids[i]->kind != N_LITERAL)
			return false;
	return true;
}

static struct cel_value fold_list(struct generator *g, const struct node *node)
{
	struct cel_value *items = cel_keep(g, (node->n + 1) * sizeof *items);
	for (uint32_t i = 0; i < node->n; i++)
		items[i] = node->kids[i]->value;
	return cel_list(items, node->n);
}

static struct cel_value fold_map(struct run *run, const struct node *node)
{
	struct cel_value map = cel_map_begin(run, node->n / 2);
	for (uint32_t i = 0; i < node->n && !is_bad(map); i += 2)
		map = cel_map_add(run, map, node->n / 2, node->kids[i]->value, node->kids[i + 1]->value);
	return map;
}

static struct cel_value evaluate(struct generator *g, struct run *run, struct node *node)
{
	struct cel_value args[MAX_ARGS];
	switch (node->kind) {
	case N_LIST:
		return fold_list(g, node);
	case N_MAP:
		return fold_map(run, node);
	case N_UNARY:
		return node->op == T_MINUS ? cel_negate(run, node->kids[0]->value) : (struct cel_value){0};
	case N_BINARY:
		return cel_arithmetic(run, node->op, node->kids[0]->value, node->kids[1]->value);
	default:
		for (uint32_t i = 0; i < node->n; i++)
			args[i] = node->kids[i]->value;
		return cel_call_function(run, node->overload, args, node->n);
	}
}

/* timestamp('...') and duration('...'): what can't be read is a fault at once. */
static bool is_constant_of_time(const struct node *node)
{
	return node->kind == N_CALL && (strcmp(node->name, "timestamp") == 0 || strcmp(node->name, "duration") == 0);
}

void cel_fold(struct generator *g, struct node *node)
{
	bool aggregate = (node->kind == N_LIST || node->kind == N_MAP) && !node->optionals;
	bool call = node->kind == N_CALL && node->overload && node->overload->pure && node->n <= MAX_ARGS && node->n;
	bool sum = node->kind == N_BINARY && node->op >= T_PLUS;
	if (node->folded || (!aggregate && !call && !sum && node->kind != N_UNARY))
		return;
	node->folded = true;
	for (uint32_t i = 0; i < node->n; i++)
		cel_fold(g, node->kids[i]);
	if (!literals(node))
		return;
	const struct cel_heap heap = {from_pool, &g->program->pool};
	const struct cel_activation activation = {.heap = &heap};
	struct run run = {.call = {&activation, node->mark}, .options = &g->program->options, .left = 1000};
	struct cel_value value = evaluate(g, &run, node);
	if (is_bad(value) && !g->c->env->options.dynamic && is_constant_of_time(node))
		cel_fault_at(g->c, node->kids[0]->pos, node->kids[0]->len, "%s", value.problem->text);
	if (is_bad(value) || run.exhausted || g->program->pool.failed)
		return; /* told when it is needed */
	if (node->to_double && value.kind == CEL_INT)
		value = cel_double((double)value.i);
	node->to_double = false;
	node->kind = N_LITERAL;
	node->value = value;
}
