/* cel_compile.c: text to program, through all the stages; and what a program tells of itself. */
#include "cel_ast.h"
#include "cel_code.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *cel_take(struct compilation *c, size_t size)
{
	void *p = cel_pool_alloc(&c->pool, size);
	if (!p)
		longjmp(c->out, 1);
	return p;
}

char *cel_take_text(struct compilation *c, const char *s, size_t len)
{
	char *p = cel_take(c, len + 1);
	if (len)
		memcpy(p, s, len);
	return p;
}

void cel_fault_at(struct compilation *c, uint32_t pos, uint32_t len, const char *format, ...)
{
	if (c->broken || c->n_faults >= MAX_FAULTS)
		return;
	char text[512];
	va_list list;
	va_start(list, format);
	int n = vsnprintf(text, sizeof text, format, list);
	va_end(list);
	size_t size = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
	if (c->n_faults == c->room_faults) {
		c->room_faults = c->room_faults ? 2 * c->room_faults : 4;
		struct fault *more = cel_take(c, c->room_faults * sizeof *more);
		if (c->n_faults)
			memcpy(more, c->faults, c->n_faults * sizeof *more);
		c->faults = more;
	}
	if (pos > c->len)
		pos = c->len;
	if (len > c->len - pos)
		len = c->len - pos;
	c->faults[c->n_faults++] = (struct fault){pos, len, cel_take_text(c, text, size)};
}

static int by_place(const void *a, const void *b)
{
	const struct fault *x = a, *y = b;
	return x->pos != y->pos ? (x->pos < y->pos ? -1 : 1) : 0;
}

static void report(struct compilation *c, cel_fault *fault, void *ctx)
{
	if (c->n_faults > 1)
		qsort(c->faults, c->n_faults, sizeof *c->faults, by_place);
	for (uint32_t i = 0; fault && i < c->n_faults; i++)
		fault(ctx, c->faults[i].pos, c->faults[i].len, c->faults[i].message);
}

static void stages(struct compilation *c)
{
	struct node *root = cel_parse(c);
	if (!root)
		return;
	cel_check(c, root);
	c->program->cost = cel_cost_of(root);
	uint64_t limit = c->env->options.cost_limit;
	if (limit && c->program->cost > limit)
		cel_fault_at(c, 0, c->len, "the expression may take %llu steps; the limit is %llu",
			     (unsigned long long)c->program->cost, (unsigned long long)limit);
	if (!c->n_faults)
		cel_generate(c, root);
}

/* All stages; false: memory is out. */
static bool compile(struct compilation *c)
{
	int out = setjmp(c->out);
	if (out == 0)
		stages(c);
	return out != 1 && !c->pool.failed && !c->kept->failed && !c->env->pool.failed;
}

struct cel_program *cel_compile(struct cel_env *env, const char *text, size_t len, cel_fault *fault, void *fault_ctx)
{
	if (len == SIZE_MAX)
		len = strlen(text);
	struct compilation *c = calloc(1, sizeof *c);
	struct cel_program *program = calloc(1, sizeof *program);
	bool fits = len < INT32_MAX, memory = c && program;
	if (memory && fits) {
		*c = (struct compilation){
			.env = env, .text = text, .len = (uint32_t)len, .kept = &program->pool, .program = program};
		memory = compile(c);
	}
	bool fine = memory && fits && !c->n_faults;
	if (memory && fits)
		report(c, fault, fault_ctx);
	else if (fault)
		fault(fault_ctx, 0, 0, memory ? "the expression is too large" : "no memory is left");
	if (c)
		cel_pool_free(&c->pool);
	free(c);
	if (fine)
		return program;
	cel_program_free(program);
	return NULL;
}

void cel_program_free(struct cel_program *program)
{
	if (!program)
		return;
	cel_pool_free(&program->pool);
	free(program);
}

const struct cel_type *cel_program_type(const struct cel_program *program)
{
	return program->type;
}
uint64_t cel_program_cost(const struct cel_program *program)
{
	return program->cost;
}
const char *cel_program_text(const struct cel_program *program)
{
	return program->text;
}

const uint32_t *cel_program_variables(const struct cel_program *program, size_t *n)
{
	*n = program->n_variables;
	return program->variables;
}

uint64_t cel_program_fields(const struct cel_program *program, const struct cel_type *record)
{
	for (uint32_t i = 0; i < program->n_fields; i++)
		if (program->fields[i].record == record)
			return program->fields[i].bits;
	return 0;
}

bool cel_program_is_field(const struct cel_program *program, const char *root, const char **name)
{
	if (!program->path[0] || strcmp(program->path[0], root) != 0)
		return false;
	*name = program->path[1];
	return true;
}

struct cel_value cel_eval(const struct cel_program *program, const struct cel_activation *activation)
{
	return cel_run_program(program, activation, NULL, NULL);
}

struct cel_value cel_trace(const struct cel_program *program, const struct cel_activation *activation, cel_seen *seen,
			   void *seen_ctx)
{
	return cel_run_program(program, activation, seen, seen_ctx);
}
