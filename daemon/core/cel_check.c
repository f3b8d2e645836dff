/* cel_check.c: the type of every sub-expression; names to variables; faults that a person can act on.
 * After a fault the node is dyn, so that one mistake is told once and the next one too. */
#include "cel_check.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void cel_wrong(struct checker *k, struct node *node, uint32_t pos, uint32_t len, const char *format, ...)
{
	char text[400];
	va_list list;
	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	node->type = k->env->basic[TYPE_DYN];
	if (node->faulty)
		return;
	node->faulty = true;
	if (k->env->options.dynamic)
		node->message = cel_take_text(k->c, text, strlen(text));
	else
		cel_fault_at(k->c, pos, len, "%s", text);
}

const struct cel_type *cel_basic(const struct checker *k, int kind)
{
	return k->env->basic[kind];
}

/* --- names */
static struct local *find_local(const struct checker *k, const char *name)
{
	for (struct local *l = k->locals; l; l = l->outer)
		if (strcmp(l->name, name) == 0)
			return l;
	return NULL;
}

bool cel_is_local(const struct checker *k, const char *name)
{
	return find_local(k, name) != NULL;
}

static struct local *cel_push(struct checker *k, const char *name, const struct cel_type *type)
{
	struct local *l = cel_take(k->c, sizeof *l);
	*l = (struct local){name, type, k->n_locals++, k->locals};
	k->locals = l;
	return l;
}

static const struct cel_type *type_named(const char *name)
{
	for (int kind = CEL_NULL; kind <= CEL_OPTIONAL; kind++)
		if (strcmp(cel_type_of_kind(kind)->name, name) == 0)
			return cel_type_of_kind(kind);
	return NULL;
}

static void unknown_name(struct checker *k, struct node *node, const char *name)
{
	const char **names = cel_take(k->c, (k->env->n_variables + k->n_locals + 1) * sizeof *names);
	size_t n = 0;
	for (struct local *l = k->locals; l; l = l->outer)
		names[n++] = l->name;
	for (uint32_t i = 0; i < k->env->n_variables; i++)
		names[n++] = k->env->variables[i].name;
	const char *near = cel_nearest(name, names, n);
	cel_wrong(k, node, node->pos, node->len, near ? "there is no `%s`; nearest: `%s`" : "there is no `%s`", name,
		  near);
}

static void check_ident(struct checker *k, struct node *node)
{
	struct local *l = node->root ? NULL : find_local(k, node->name);
	if (l) {
		node->local = true;
		node->variable = l->id;
		node->type = l->type;
		return;
	}
	node->variable = cel_env_find(k->env, node->name, strlen(node->name));
	if (node->variable >= 0) {
		node->type = k->env->variables[node->variable].type;
		return;
	}
	const struct cel_type *type = type_named(node->name);
	if (type) {
		node->kind = N_LITERAL;
		node->value = (struct cel_value){.kind = CEL_TYPE, .type = type};
		node->type = cel_basic(k, CEL_TYPE);
		return;
	}
	unknown_name(k, node, node->name);
}

/* The longest prefix that is declared wins: a.b.c may be a variable as a whole. */
static bool check_qualified(struct checker *k, struct node *node)
{
	const char *path = cel_node_path(k->c, node);
	if (!path)
		return false;
	const struct node *first = node;
	while (first->kind == N_SELECT)
		first = first->kids[0];
	if (!first->root && find_local(k, first->name))
		return false;
	node->variable = cel_env_find(k->env, path, strlen(path));
	if (node->variable >= 0) {
		node->type = k->env->variables[node->variable].type;
		return true;
	}
	const struct cel_type *type = type_named(path);
	if (type && !node->test) {
		node->kind = N_LITERAL;
		node->value = (struct cel_value){.kind = CEL_TYPE, .type = type};
		node->type = cel_basic(k, CEL_TYPE);
		return true;
	}
	return false;
}

/* A name such as threshold.medcal: what is declared under threshold? */
static bool unknown_member(struct checker *k, struct node *node)
{
	const char *path = cel_node_path(k->c, node);
	const char *dot = path ? strrchr(path, '.') : NULL;
	if (!dot)
		return false;
	size_t len = (size_t)(dot + 1 - path);
	const char **names = cel_take(k->c, (k->env->n_variables + 1) * sizeof *names);
	size_t n = 0;
	for (uint32_t i = 0; i < k->env->n_variables; i++)
		if (strncmp(k->env->variables[i].name, path, len) == 0)
			names[n++] = k->env->variables[i].name + len;
	if (!n)
		return false;
	const char *near = cel_nearest(dot + 1, names, n);
	cel_wrong(k, node, node->mark, node->mark_len,
		  near ? "there is no `%s`; nearest: `%.*s%s`" : "there is no `%s`", path, (int)len, path, near);
	return true;
}

static const struct cel_type *field_type(struct checker *k, struct node *node, const struct cel_type *of)
{
	if (cel_type_loose(of))
		return cel_basic(k, TYPE_DYN);
	if (of->kind == CEL_OPTIONAL)
		return field_type(k, node, of->a);
	if (of->fields) {
		int i = cel_type_field(of, node->name, strlen(node->name));
		if (i >= 0)
			return of->fields[i].type;
		const char **names = cel_take(k->c, (of->n + 1) * sizeof *names);
		for (size_t j = 0; j < of->n; j++)
			names[j] = of->fields[j].name;
		const char *near = cel_nearest(node->name, names, of->n);
		cel_wrong(k, node, node->mark, node->mark_len,
			  near ? "`%s` has no field '%s'; nearest: '%s'" : "`%s` has no field '%s'", of->name,
			  node->name, near);
		return cel_basic(k, TYPE_DYN);
	}
	if (of->kind == CEL_MAP) {
		if (!cel_type_fits(of->a, cel_basic(k, CEL_STRING)))
			cel_wrong(k, node, node->mark, node->mark_len,
				  "the keys of %s are no names; write ['%s'] or another key", cel_type_name(of),
				  node->name);
		return of->b;
	}
	cel_wrong(k, node, node->mark, node->mark_len, "%s has no fields, so no '%s'", cel_type_name(of), node->name);
	return cel_basic(k, TYPE_DYN);
}

static void check_select(struct checker *k, struct node *node)
{
	if (check_qualified(k, node)) {
		if (node->test)
			node->type = cel_basic(k, CEL_BOOL);
		return;
	}
	struct node *on = node->kids[0];
	if (on->kind == N_IDENT && cel_env_find(k->env, on->name, strlen(on->name)) < 0 && !find_local(k, on->name) &&
	    unknown_member(k, node))
		return;
	cel_check_node(k, on);
	const struct cel_type *type = field_type(k, node, on->type);
	if (node->faulty)
		return;
	if (node->test)
		node->type = cel_basic(k, CEL_BOOL);
	else if (node->optional || on->type->kind == CEL_OPTIONAL)
		node->type = type->kind == CEL_OPTIONAL && !node->optional ? type : cel_type_optional(k->env, type);
	else
		node->type = type;
}

static void check_index(struct checker *k, struct node *node)
{
	struct node *on = node->kids[0], *key = node->kids[1];
	cel_check_node(k, on);
	cel_check_node(k, key);
	const struct cel_type *of = on->type->kind == CEL_OPTIONAL ? on->type->a : on->type,
			      *type = cel_basic(k, TYPE_DYN);
	if (of->kind == CEL_LIST) {
		if (!cel_type_loose(key->type) && key->type->kind != CEL_INT)
			cel_wrong(k, node, key->pos, key->len, "a list is indexed by int, not by %s",
				  cel_type_name(key->type));
		type = of->a;
	} else if (of->fields && key->kind == N_LITERAL && key->value.kind == CEL_STRING) {
		node->name = cel_take_text(k->c, key->value.s, key->value.len);
		node->mark = key->pos;
		node->mark_len = key->len;
		type = field_type(k, node, of);
	} else if (of->kind == CEL_MAP) {
		if (!cel_type_fits(of->a, key->type) && !(cel_type_number(of->a) && cel_type_number(key->type)))
			cel_wrong(k, node, key->pos, key->len, "the keys of %s are %s, not %s", cel_type_name(of),
				  cel_type_name(of->a), cel_type_name(key->type));
		type = of->b;
	} else if (!cel_type_loose(of)) {
		cel_wrong(k, node, node->mark, node->mark_len, "%s can't be indexed", cel_type_name(of));
	}
	if (node->faulty)
		return;
	node->type = node->optional || on->type->kind == CEL_OPTIONAL ? cel_type_optional(k->env, type) : type;
}

/* --- literals */
static void check_optional(struct checker *k, struct node *node, struct node *kid, const struct cel_type **type)
{
	if (kid->type->kind == CEL_OPTIONAL)
		*type = kid->type->a;
	else if (!cel_type_loose(kid->type))
		cel_wrong(k, node, kid->pos, kid->len, "after ? an optional is wanted, not %s",
			  cel_type_name(kid->type));
	else
		*type = cel_basic(k, TYPE_DYN);
}

static void check_list(struct checker *k, struct node *node)
{
	const struct cel_type *element = cel_basic(k, TYPE_FREE);
	for (uint32_t i = 0; i < node->n; i++)
		cel_check_node(k, node->kids[i]);
	cel_mix_all(k, node);
	for (uint32_t i = 0; i < node->n; i++) {
		const struct cel_type *type = node->kids[i]->type;
		if (node->optionals && node->optionals[i])
			check_optional(k, node, node->kids[i], &type);
		if (cel_same_unit(k, node->kids[i], "list", element, type))
			element = cel_type_join(k->env, element, type);
	}
	if (!node->faulty)
		node->type = cel_type_list(k->env, element);
}

static void check_map(struct checker *k, struct node *node)
{
	const struct cel_type *key = cel_basic(k, TYPE_FREE), *value = key;
	for (uint32_t i = 0; i < node->n; i += 2) {
		struct node *const *pair = &node->kids[i];
		cel_check_node(k, pair[0]);
		cel_check_node(k, pair[1]);
		const struct cel_type *type = pair[1]->type;
		if (node->optionals && node->optionals[i])
			check_optional(k, node, pair[1], &type);
		int kind = pair[0]->type->kind;
		if (!cel_type_loose(pair[0]->type) && kind != CEL_BOOL && kind != CEL_INT && kind != CEL_UINT &&
		    kind != CEL_STRING)
			cel_wrong(k, node, pair[0]->pos, pair[0]->len, "a map's key can't be %s",
				  cel_type_name(pair[0]->type));
		key = cel_type_join(k->env, key, pair[0]->type);
		if (cel_same_unit(k, pair[1], "list", value, type))
			value = cel_type_join(k->env, value, type);
	}
	if (!node->faulty)
		node->type = cel_type_map(k->env, key, value);
}

/* --- conditions and macros */
static void wants_bool(struct checker *k, struct node *node, struct node *kid, const char *what)
{
	if (!cel_type_loose(kid->type) && kid->type->kind != CEL_BOOL)
		cel_wrong(k, node, kid->pos, kid->len, "%s wants bool, this is %s", what, cel_type_name(kid->type));
}

static void check_logic(struct checker *k, struct node *node)
{
	for (uint32_t i = 0; i < node->n; i++)
		cel_check_node(k, node->kids[i]);
	node->type = cel_basic(k, CEL_BOOL);
	for (uint32_t i = 0; i < node->n; i++)
		wants_bool(k, node, node->kids[i], node->kind == N_AND ? "&&" : "||");
	node->type = cel_basic(k, CEL_BOOL);
}

static void check_cond(struct checker *k, struct node *node)
{
	struct node *yes = node->kids[1], *no = node->kids[2];
	for (uint32_t i = 0; i < 3; i++)
		cel_check_node(k, node->kids[i]);
	wants_bool(k, node, node->kids[0], "the condition before ?");
	if (node->faulty)
		return;
	cel_mix(k, yes, no);
	if (!cel_same_unit(k, node, "choose between", yes->type, no->type))
		return;
	if (cel_type_fits(yes->type, no->type))
		node->type = cel_type_join(k->env, yes->type, no->type);
	else
		cel_wrong(k, node, node->mark, node->mark_len,
			  "both sides of : must have one type; these are %s and %s", cel_type_name(yes->type),
			  cel_type_name(no->type));
}

/* The types of what a loop's names stand for. */
static void range_types(struct checker *k, struct node *node, const struct cel_type *out[2])
{
	struct node *range = node->kids[0];
	bool two = node->vars[1] != NULL;
	out[0] = out[1] = cel_basic(k, TYPE_DYN);
	if (range->type->kind == CEL_LIST) {
		out[0] = two ? cel_basic(k, CEL_INT) : range->type->a;
		out[1] = range->type->a;
	} else if (range->type->kind == CEL_MAP) {
		out[0] = range->type->a;
		out[1] = range->type->b;
	} else if (!cel_type_loose(range->type)) {
		cel_wrong(k, node, range->pos, range->len, "%s() goes over a list or a map, not over %s", node->name,
			  cel_type_name(range->type));
	}
}

static const char *loop_name(struct checker *k, const struct node *node)
{
	size_t len = strlen(node->name);
	char *name = cel_take(k->c, len + 3);
	memcpy(name, node->name, len);
	memcpy(name + len, "()", 2);
	return name;
}

static void check_loop(struct checker *k, struct node *node)
{
	const struct cel_type *types[2];
	struct node *body = node->kids[1];
	cel_check_node(k, node->kids[0]);
	range_types(k, node, types);
	struct local *outer = k->locals;
	node->variable = k->n_locals;
	for (int i = 0; i < 2 && node->vars[i]; i++)
		cel_push(k, node->vars[i], types[i]);
	if (node->n > 2) {
		cel_check_node(k, node->kids[2]);
		wants_bool(k, node, node->kids[2], loop_name(k, node));
	}
	cel_check_node(k, body);
	k->locals = outer;
	if (node->op <= LOOP_FILTER)
		wants_bool(k, node, body, loop_name(k, node));
	if (node->op == LOOP_ENTRIES && body->type->kind != CEL_MAP && !cel_type_loose(body->type))
		cel_wrong(k, node, body->pos, body->len, "%s() wants a map of one entry, this is %s", node->name,
			  cel_type_name(body->type));
	if (node->faulty)
		return;
	switch (node->op) {
	case LOOP_FILTER:
		node->type = cel_type_list(k->env, types[0]);
		break;
	case LOOP_LIST:
		node->type = cel_type_list(k->env, body->type);
		break;
	case LOOP_MAP:
		node->type = cel_type_map(k->env, types[0], body->type);
		break;
	case LOOP_ENTRIES:
		node->type = cel_type_loose(body->type) ? cel_basic(k, CEL_MAP) : body->type;
		break;
	default:
		node->type = cel_basic(k, CEL_BOOL);
	}
}

static void check_bind(struct checker *k, struct node *node)
{
	cel_check_node(k, node->kids[0]);
	struct local *outer = k->locals;
	node->variable = cel_push(k, node->vars[0], node->kids[0]->type)->id;
	cel_check_node(k, node->kids[1]);
	k->locals = outer;
	node->type = node->kids[1]->type;
}

static void check_optmap(struct checker *k, struct node *node)
{
	struct node *target = node->kids[0], *body = node->kids[1];
	cel_check_node(k, target);
	if (target->type->kind != CEL_OPTIONAL && !cel_type_loose(target->type))
		cel_wrong(k, node, target->pos, target->len, "%s() is asked of an optional, not of %s", node->name,
			  cel_type_name(target->type));
	struct local *outer = k->locals;
	node->variable = cel_push(k, node->vars[0],
				  target->type->kind == CEL_OPTIONAL ? target->type->a : cel_basic(k, TYPE_DYN))
				 ->id;
	cel_check_node(k, body);
	k->locals = outer;
	if (node->optional && body->type->kind != CEL_OPTIONAL && !cel_type_loose(body->type))
		cel_wrong(k, node, body->pos, body->len, "optFlatMap() wants an optional here, this is %s",
			  cel_type_name(body->type));
	if (!node->faulty)
		node->type = node->optional ? body->type : cel_type_optional(k->env, body->type);
}

static void check_known(struct checker *k, struct node *node)
{
	cel_check_node(k, node->kids[0]);
	node->type = cel_basic(k, CEL_BOOL);
}

static void check_literal(struct checker *k, struct node *node)
{
	node->type = cel_basic(k, node->value.kind);
}

void cel_check_node(struct checker *k, struct node *node)
{
	static void (*const checks[])(struct checker *, struct node *) = {
		[N_LITERAL] = check_literal,   [N_IDENT] = check_ident,   [N_SELECT] = check_select,
		[N_INDEX] = check_index,       [N_CALL] = cel_check_call, [N_UNARY] = cel_check_unary,
		[N_BINARY] = cel_check_binary, [N_AND] = check_logic,     [N_OR] = check_logic,
		[N_COND] = check_cond,         [N_LIST] = check_list,     [N_MAP] = check_map,
		[N_LOOP] = check_loop,         [N_BIND] = check_bind,     [N_OPTMAP] = check_optmap,
		[N_KNOWN] = check_known,
	};
	checks[node->kind](k, node);
}

void cel_check(struct compilation *c, struct node *root)
{
	struct checker k = {.c = c, .env = c->env};
	cel_check_node(&k, root);
	c->n_locals = k.n_locals;
}
