/* cel_generate.c: the checked tree to instructions: registers, names, fields, conditions, literals. */
#include "cel_generate.h"
#include <string.h>

void *cel_keep(struct generator *g, size_t size)
{
	void *p = cel_pool_alloc(&g->program->pool, size);
	if (!p)
		longjmp(g->c->out, 1);
	return p;
}

/* Makes room for one more element; arrays grow by copies, for the pool frees nothing. */
static void *grow(struct generator *g, void *old, uint32_t n, uint32_t *room, size_t size)
{
	if (n < *room)
		return old;
	*room = *room ? 2 * *room : 16;
	void *more = cel_take(g->c, *room * size);
	if (n)
		memcpy(more, old, n * size);
	return more;
}

static void too_large(struct generator *g)
{
	cel_fault_at(g->c, 0, g->c->len, "the expression is too large");
	longjmp(g->c->out, 2);
}

int16_t cel_temporary(struct generator *g, int n)
{
	int32_t r = g->top;
	g->top += n;
	if (g->top > g->most)
		g->most = g->top;
	if (g->top > INT16_MAX)
		too_large(g);
	return (int16_t)r;
}

static bool same_constant(struct cel_value a, struct cel_value b)
{
	if (a.kind != b.kind || a.len != b.len)
		return false;
	if (a.kind == CEL_STRING || a.kind == CEL_BYTES)
		return memcmp(a.s, b.s, a.len) == 0;
	return a.i == b.i;
}

int16_t cel_constant(struct generator *g, struct cel_value value)
{
	struct cel_program *p = g->program;
	for (uint32_t i = 0; i < p->n_constants && i < 64; i++)
		if (same_constant(p->constants[i], value))
			return (int16_t)(-1 - (int32_t)i);
	if (p->n_constants == INT16_MAX)
		too_large(g);
	p->constants = grow(g, p->constants, p->n_constants, &g->room_constants, sizeof *p->constants);
	if (value.kind == CEL_STRING || value.kind == CEL_BYTES) {
		char *s = cel_keep(g, value.len + 1);
		memcpy(s, value.s, value.len);
		value.s = s;
	}
	p->constants[p->n_constants++] = value;
	return (int16_t)(-(int32_t)p->n_constants);
}

struct ins *cel_emit(struct generator *g, const struct node *node, enum op op, int a, int b, int c)
{
	struct cel_program *p = g->program;
	uint32_t room = g->room_code;
	p->positions = grow(g, p->positions, p->n_code, &room, sizeof *p->positions);
	p->code = grow(g, p->code, p->n_code, &g->room_code, sizeof *p->code);
	p->positions[p->n_code] = node->mark;
	struct ins *ins = &p->code[p->n_code++];
	*ins = (struct ins){.op = (uint16_t)op, .a = (int16_t)a, .b = (int16_t)b, .c = (int16_t)c};
	return ins;
}

uint32_t cel_here(const struct generator *g)
{
	return g->program->n_code;
}
struct ins *cel_at(struct generator *g, uint32_t i)
{
	return &g->program->code[i];
}

/* The node's text, terminated. */
static char *source(struct generator *g, const struct node *node)
{
	char *s = cel_keep(g, node->len + 1u);
	memcpy(s, g->c->text + node->pos, node->len);
	return s;
}

/* --- which fields are read */
static void reads_fields(struct generator *g, const struct cel_type *record, uint64_t bits)
{
	struct cel_program *p = g->program;
	for (uint32_t i = 0; i < p->n_fields; i++)
		if (p->fields[i].record == record) {
			p->fields[i].bits |= bits;
			return;
		}
	struct read_fields *more = cel_keep(g, (p->n_fields + 1) * sizeof *more);
	if (p->n_fields)
		memcpy(more, p->fields, p->n_fields * sizeof *more);
	more[p->n_fields++] = (struct read_fields){record, bits};
	p->fields = more;
}

void cel_whole(struct generator *g, const struct node *node)
{
	const struct cel_type *record = cel_record_of(node->type);
	if (!record)
		return;
	reads_fields(g, record, UINT64_MAX);
	for (size_t i = 0; i < record->n; i++) {
		const struct node inner = {.type = record->fields[i].type};
		if (cel_record_of(inner.type) != record)
			cel_whole(g, &inner);
	}
}

/* --- names and fields */
static void load(struct generator *g, struct node *node, int16_t dst)
{
	struct cel_problem *problem = cel_keep(g, sizeof *problem);
	*problem = (struct cel_problem){.text = g->c->env->variables[node->variable].name, .pos = node->pos};
	problem->text = memcpy(cel_keep(g, strlen(problem->text) + 1), problem->text, strlen(problem->text));
	g->reads[node->variable] = true;
	if (node->variable > INT16_MAX)
		too_large(g);
	cel_emit(g, node, OP_LOAD, dst, (int)node->variable, 0)->problem = problem;
}

static void fail(struct generator *g, struct node *node, int16_t dst)
{
	struct cel_problem *problem = cel_keep(g, sizeof *problem);
	const char *message = node->message ? node->message : "there is no such name";
	char *text = cel_keep(g, strlen(message) + 1);
	memcpy(text, message, strlen(message));
	*problem = (struct cel_problem){.text = text, .pos = node->mark};
	cel_emit(g, node, OP_FAIL, dst, 0, 0)->problem = problem;
}

static void into_ident(struct generator *g, struct node *node, int16_t dst)
{
	if (node->local)
		cel_emit(g, node, OP_MOVE, dst, g->locals[node->variable], 0);
	else if (node->variable >= 0)
		load(g, node, dst);
	else
		fail(g, node, dst);
}

static void field(struct generator *g, struct node *node, int16_t dst, bool test)
{
	struct node *on = node->kids[0];
	int i = cel_type_field(on->type, node->name, strlen(node->name));
	int16_t from = cel_operand(g, on, dst);
	reads_fields(g, on->type, i < 64 ? UINT64_C(1) << i : UINT64_MAX);
	cel_emit(g, node, test ? OP_HAS_FIELD : OP_FIELD, dst, from, i)->type = on->type;
	if (test)
		return;
	struct cel_program *p = g->program;
	p->missing = grow(g, p->missing, p->n_missing, &g->room_missing, sizeof *p->missing);
	p->missing[p->n_missing++] = (struct missing){cel_here(g) - 1, {.text = source(g, node), .pos = node->pos}};
}

static void into_select(struct generator *g, struct node *node, int16_t dst)
{
	struct node *on = node->kids[0];
	if (node->variable >= 0) {
		load(g, node, dst);
		if (node->test)
			cel_emit(g, node, OP_KNOWN, dst, dst, 0);
	} else if (!on->type) {
		fail(g, node, dst);
	} else if (on->type->fields && !node->optional &&
		   cel_type_field(on->type, node->name, strlen(node->name)) >= 0) {
		field(g, node, dst, node->test);
	} else {
		cel_whole(g, on);
		int16_t from = cel_operand(g, on, dst),
			name = cel_constant(g, cel_string(node->name, strlen(node->name)));
		cel_emit(g, node, node->test ? OP_HAS : node->optional ? OP_SELECT_OPT : OP_SELECT, dst, from, name);
	}
}

static void into_index(struct generator *g, struct node *node, int16_t dst)
{
	struct node *on = node->kids[0];
	if (node->name && on->type->fields && !node->optional &&
	    cel_type_field(on->type, node->name, strlen(node->name)) >= 0) {
		field(g, node, dst, false);
		return;
	}
	if (on->type->fields)
		cel_whole(g, on);
	int16_t from = cel_operand(g, on, dst), key = cel_operand(g, node->kids[1], cel_temporary(g, 1));
	cel_emit(g, node, node->optional ? OP_INDEX_OPT : OP_INDEX, dst, from, key);
}

static void into_known(struct generator *g, struct node *node, int16_t dst)
{
	int16_t from = cel_operand(g, node->kids[0], dst);
	cel_emit(g, node, OP_KNOWN, dst, from, 0);
}

/* --- conditions */
static void into_logic(struct generator *g, struct node *node, int16_t dst)
{
	enum op op = node->kind == N_AND ? OP_AND : OP_OR;
	uint32_t *jumps = cel_take(g->c, (node->n + 1) * sizeof *jumps);
	int32_t top = g->top;
	for (uint32_t i = 0; i < node->n; i++) {
		struct node *kid = node->kids[i];
		int16_t term = dst;
		if (i == 0)
			cel_into(g, kid, dst);
		else
			term = cel_operand(g, kid, cel_temporary(g, 1));
		jumps[i] = cel_here(g);
		cel_emit(g, kid, op, dst, term, 0);
		g->top = top;
	}
	for (uint32_t i = 0; i < node->n; i++)
		cel_at(g, jumps[i])->target = cel_here(g);
}

static void into_cond(struct generator *g, struct node *node, int16_t dst)
{
	int16_t condition = cel_operand(g, node->kids[0], dst);
	uint32_t branch = cel_here(g);
	cel_emit(g, node->kids[0], OP_BRANCH, dst, condition, 0);
	cel_into(g, node->kids[1], dst);
	uint32_t jump = cel_here(g);
	cel_emit(g, node, OP_JUMP, dst, 0, 0);
	cel_at(g, branch)->target = cel_here(g);
	cel_into(g, node->kids[2], dst);
	cel_at(g, jump)->target = cel_at(g, branch)->other = cel_here(g);
}

/* --- literals, binds */
static void into_aggregate(struct generator *g, struct node *node, int16_t dst)
{
	int16_t first = cel_temporary(g, (int)node->n);
	for (uint32_t i = 0; i < node->n; i++) {
		cel_whole(g, node->kids[i]);
		cel_into(g, node->kids[i], (int16_t)(first + (int)i));
	}
	bool *optionals = NULL;
	if (node->optionals) {
		optionals = cel_keep(g, node->n);
		memcpy(optionals, node->optionals, node->n);
	}
	bool list = node->kind == N_LIST;
	cel_emit(g, node, list ? OP_LIST : OP_MAP, dst, first, (int)(list ? node->n : node->n / 2))->optionals =
		optionals;
}

static void into_bind(struct generator *g, struct node *node, int16_t dst)
{
	int16_t local = cel_temporary(g, 1);
	cel_into(g, node->kids[0], local);
	g->locals[node->variable] = local;
	cel_into(g, node->kids[1], dst);
}

static void into_optmap(struct generator *g, struct node *node, int16_t dst)
{
	int16_t local = cel_temporary(g, 1);
	int16_t from = cel_operand(g, node->kids[0], local);
	uint32_t open = cel_here(g);
	cel_emit(g, node, OP_OPEN, local, from, dst);
	g->locals[node->variable] = local;
	cel_into(g, node->kids[1], dst);
	if (!node->optional)
		cel_emit(g, node, OP_SOME, dst, dst, 0);
	cel_at(g, open)->target = cel_here(g);
}

static void into_literal(struct generator *g, struct node *node, int16_t dst)
{
	cel_emit(g, node, OP_MOVE, dst, cel_constant(g, node->value), 0);
}

static void add_span(struct generator *g, const struct node *node, uint32_t start, int16_t reg)
{
	struct cel_program *p = g->program;
	if (node->kind == N_LITERAL)
		return;
	p->spans = grow(g, p->spans, p->n_spans, &g->room_spans, sizeof *p->spans);
	p->spans[p->n_spans++] = (struct span){start, cel_here(g), reg, node->pos, node->len};
}

void cel_into(struct generator *g, struct node *node, int16_t dst)
{
	static void (*const kinds[])(struct generator *, struct node *, int16_t) = {
		[N_LITERAL] = into_literal,   [N_IDENT] = into_ident,    [N_SELECT] = into_select,
		[N_INDEX] = into_index,       [N_CALL] = cel_into_call,  [N_UNARY] = cel_into_unary,
		[N_BINARY] = cel_into_binary, [N_AND] = into_logic,      [N_OR] = into_logic,
		[N_COND] = into_cond,         [N_LIST] = into_aggregate, [N_MAP] = into_aggregate,
		[N_LOOP] = cel_into_loop,     [N_BIND] = into_bind,      [N_OPTMAP] = into_optmap,
		[N_KNOWN] = into_known,
	};
	cel_fold(g, node);
	int32_t top = g->top;
	uint32_t start = cel_here(g);
	kinds[node->kind](g, node, dst);
	if (node->to_double)
		cel_emit(g, node, OP_TO_DOUBLE, dst, dst, 0);
	g->top = top;
	add_span(g, node, start, dst);
}

int16_t cel_operand(struct generator *g, struct node *node, int16_t dst)
{
	cel_fold(g, node);
	if (node->kind == N_LITERAL)
		return cel_constant(g, node->value);
	if (node->kind == N_IDENT && node->local && !node->to_double)
		return g->locals[node->variable];
	cel_into(g, node, dst);
	return dst;
}

/* --- the whole */
static void *moved(struct generator *g, const void *from, size_t size)
{
	return size ? memcpy(cel_keep(g, size), from, size) : NULL;
}

static void finish(struct generator *g)
{
	struct cel_program *p = g->program;
	p->code = moved(g, p->code, p->n_code * sizeof *p->code);
	p->positions = moved(g, p->positions, p->n_code * sizeof *p->positions);
	p->spans = moved(g, p->spans, p->n_spans * sizeof *p->spans);
	p->missing = moved(g, p->missing, p->n_missing * sizeof *p->missing);
	struct cel_value *reversed = cel_keep(g, (p->n_constants + 1) * sizeof *reversed);
	for (uint32_t i = 0; i < p->n_constants; i++)
		reversed[i] = p->constants[p->n_constants - 1 - i];
	p->constants = reversed;
	p->n_slots = (uint32_t)g->most;
	p->variables = cel_keep(g, (g->c->env->n_variables + 1) * sizeof *p->variables);
	for (uint32_t i = 0; i < g->c->env->n_variables; i++)
		if (g->reads[i])
			p->variables[p->n_variables++] = i;
}

/* data.x, also where "data.x" is declared as a whole. */
static void note_path(struct generator *g, struct node *root)
{
	if (root->kind != N_SELECT || root->test || root->optional || root->kids[0]->kind != N_IDENT)
		return;
	g->program->path[0] = source(g, root->kids[0]);
	char *name = cel_keep(g, strlen(root->name) + 1);
	memcpy(name, root->name, strlen(root->name));
	g->program->path[1] = name;
}

void cel_generate(struct compilation *c, struct node *root)
{
	struct cel_program *p = c->program;
	struct generator g = {.c = c, .program = p};
	p->options = c->env->options;
	p->text = cel_keep(&g, c->len + 1u);
	memcpy(p->text, c->text, c->len);
	p->type = root->type;
	g.locals = cel_take(c, (c->n_locals + 1) * sizeof *g.locals);
	g.reads = cel_take(c, c->env->n_variables + 1);
	note_path(&g, root);
	cel_whole(&g, root);
	int16_t result = cel_temporary(&g, 1);
	int16_t reg = cel_operand(&g, root, result);
	cel_emit(&g, root, OP_RETURN, 0, reg, 0);
	finish(&g);
}
