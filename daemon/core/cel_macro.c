/* cel_macro.c: the calls that are macros, as what they mean (langdef, "Macros"; two-variable forms; cel.bind;
 * optMap). */
#include "cel_ast.h"
#include <string.h>

struct macro {
	const char *name;
	uint8_t args; /* without the receiver */
	uint8_t vars;
	uint8_t loop;  /* enum loop_kind */
	bool filtered; /* the argument before the last is a condition */
};

static const struct macro loops[] = {
	{"all", 2, 1, LOOP_ALL, false},
	{"exists", 2, 1, LOOP_EXISTS, false},
	{"exists_one", 2, 1, LOOP_ONE, false},
	{"existsOne", 2, 1, LOOP_ONE, false},
	{"filter", 2, 1, LOOP_FILTER, false},
	{"map", 2, 1, LOOP_LIST, false},
	{"map", 3, 1, LOOP_LIST, true},
	{"all", 3, 2, LOOP_ALL, false},
	{"exists", 3, 2, LOOP_EXISTS, false},
	{"exists_one", 3, 2, LOOP_ONE, false},
	{"existsOne", 3, 2, LOOP_ONE, false},
	{"transformList", 3, 2, LOOP_LIST, false},
	{"transformList", 4, 2, LOOP_LIST, true},
	{"transformMap", 3, 2, LOOP_MAP, false},
	{"transformMap", 4, 2, LOOP_MAP, true},
	{"transformMapEntry", 3, 2, LOOP_ENTRIES, false},
	{"transformMapEntry", 4, 2, LOOP_ENTRIES, true},
};

unsigned cel_macro_names(const char *macro)
{
	for (size_t i = 0; i < sizeof loops / sizeof *loops; i++)
		if (strcmp(macro, loops[i].name) == 0)
			return loops[i].vars;
	return 0;
}

/* The name that a macro binds, written as its argument. */
static const char *variable(struct compilation *c, const struct node *call, const struct node *arg)
{
	if (arg->kind == N_IDENT && !arg->root)
		return arg->name;
	cel_fault_at(c, arg->pos, arg->len, "%s() wants a plain name here", call->name);
	return "_";
}

static struct node *loop(struct compilation *c, struct node *call, const struct macro *m)
{
	struct node *node = cel_node_new(c, N_LOOP, call->pos, call->pos + call->len);
	node->op = m->loop;
	node->name = m->name;
	node->mark = call->mark;
	node->mark_len = call->mark_len;
	struct node *kids[3] = {call->kids[0], call->kids[m->args], m->filtered ? call->kids[m->args - 1] : NULL};
	for (uint32_t i = 0; i < m->vars; i++)
		node->vars[i] = variable(c, call, call->kids[1 + i]);
	if (m->vars == 2 && strcmp(node->vars[0], node->vars[1]) == 0)
		cel_fault_at(c, call->kids[2]->pos, call->kids[2]->len, "the two names of %s() must differ",
			     call->name);
	cel_node_kids(c, node, kids, m->filtered ? 3 : 2);
	return node;
}

static struct node *bind(struct compilation *c, struct node *call)
{
	struct node *node = cel_node_new(c, N_BIND, call->pos, call->pos + call->len);
	node->vars[0] = variable(c, call, call->kids[1]);
	cel_node_kids(c, node, call->kids + 2, 2);
	return node;
}

static struct node *optional_map(struct compilation *c, struct node *call)
{
	struct node *node = cel_node_new(c, N_OPTMAP, call->pos, call->pos + call->len);
	node->name = call->name;
	node->mark = call->mark;
	node->mark_len = call->mark_len;
	node->optional = strcmp(call->name, "optFlatMap") == 0;
	node->vars[0] = variable(c, call, call->kids[1]);
	struct node *kids[2] = {call->kids[0], call->kids[2]};
	cel_node_kids(c, node, kids, 2);
	return node;
}

static struct node *has(struct compilation *c, struct node *call)
{
	struct node *arg = call->kids[0];
	if (arg->kind == N_SELECT && !arg->test && !arg->optional) {
		arg->test = true;
		arg->pos = call->pos;
		arg->len = call->len;
		return arg;
	}
	if (arg->kind == N_IDENT && c->env->options.has_name) {
		struct node *node = cel_node_new(c, N_KNOWN, call->pos, call->pos + call->len);
		cel_node_kids(c, node, &arg, 1);
		return node;
	}
	cel_fault_at(c, arg->pos, arg->len,
		     c->env->options.has_name ? "has() asks for a field or a name: has(x.field), has(x)"
					      : "has() asks for a field: has(x.field)");
	return arg;
}

struct node *cel_expand(struct compilation *c, struct node *call)
{
	if (c->broken)
		return call;
	if (!call->method)
		return strcmp(call->name, "has") == 0 && call->n == 1 && !call->root ? has(c, call) : call;
	for (size_t i = 0; i < sizeof loops / sizeof *loops; i++)
		if (call->n == loops[i].args + 1u && strcmp(call->name, loops[i].name) == 0)
			return loop(c, call, &loops[i]);
	const struct node *on = call->kids[0];
	if (call->n == 4 && strcmp(call->name, "bind") == 0 && on->kind == N_IDENT && strcmp(on->name, "cel") == 0)
		return bind(c, call);
	if (call->n == 3 && (strcmp(call->name, "optMap") == 0 || strcmp(call->name, "optFlatMap") == 0))
		return optional_map(c, call);
	return call;
}
