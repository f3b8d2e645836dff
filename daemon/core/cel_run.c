/* cel_run.c: memory, budget and error values of an evaluation. */
#include "cel_run.h"
#include "cel_print.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void *cel_run_alloc(struct run *run, size_t size)
{
	const struct cel_heap *heap = run->call.activation->heap;
	return heap->alloc(heap->ctx, (size + 7) & ~(size_t)7);
}

struct cel_value cel_run_memory(void)
{
	static const struct cel_problem problem = {.text = "no memory is left"};
	return (struct cel_value){.kind = CEL_ERROR, .problem = &problem};
}

struct cel_value cel_fail_plain(const struct cel_call *call, const char *text)
{
	struct cel_problem *p = cel_run_alloc(run_of(call), sizeof *p);
	if (!p)
		return cel_run_memory();
	*p = (struct cel_problem){.text = text, .pos = call->pos};
	return (struct cel_value){.kind = CEL_ERROR, .problem = p};
}

struct cel_value cel_fail(const struct cel_call *call, const char *format, ...)
{
	char text[512];
	va_list list;
	va_start(list, format);
	int n = vsnprintf(text, sizeof text, format, list);
	va_end(list);
	size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
	const struct cel_heap *heap = call->activation->heap;
	char *copy = heap->alloc(heap->ctx, (len + 8) & ~(size_t)7);
	struct cel_problem *p = heap->alloc(heap->ctx, sizeof *p);
	if (!copy || !p)
		return cel_run_memory();
	memcpy(copy, text, len);
	copy[len] = '\0';
	*p = (struct cel_problem){.text = copy, .pos = call->pos};
	return (struct cel_value){.kind = CEL_ERROR, .problem = p};
}

struct cel_value cel_run_cost(struct run *run)
{
	run->exhausted = true;
	return cel_fail_plain(&run->call, "cost: the evaluation takes more steps than it may");
}

struct cel_value cel_fail_overload(const struct cel_call *call, const char *name, const struct cel_value *args,
				   size_t n)
{
	char text[256];
	size_t at = 0;
	text[0] = '\0';
	for (size_t i = 0; i < n && at < sizeof text; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i ? ", " : "",
				       cel_type_of_kind(args[i].kind)->name);
	return cel_fail(call, "no such overload: %s(%s)", name, text);
}

/* Is its name in the list?  One that is read at several places is missing once. */
static bool listed(const struct cel_problem *list, const struct cel_problem *p)
{
	for (; list; list = list->next)
		if (list == p || (list->text && p->text && strcmp(list->text, p->text) == 0))
			return true;
	return false;
}

struct cel_value cel_merge(struct run *run, struct cel_value a, struct cel_value b)
{
	if (a.kind != CEL_UNKNOWN)
		return b.kind == CEL_UNKNOWN || a.kind != CEL_ERROR ? b : a;
	if (b.kind != CEL_UNKNOWN || !b.problem)
		return a;
	if (!a.problem)
		return b;
	const struct cel_problem *chain = a.problem;
	for (const struct cel_problem *p = b.problem; p; p = p->next) {
		if (listed(chain, p))
			continue;
		struct cel_problem *copy = cel_run_alloc(run, sizeof *copy);
		if (!copy)
			break; /* a name fewer, but still unknown */
		*copy = (struct cel_problem){p->text, p->pos, chain};
		chain = copy;
	}
	return (struct cel_value){.kind = CEL_UNKNOWN, .problem = chain};
}

struct cel_value cel_string_copy(struct run *run, const char *s, size_t len)
{
	char *p = cel_run_alloc(run, len + 1);
	if (!p)
		return cel_run_memory();
	if (len)
		memcpy(p, s, len);
	return cel_string(p, len);
}
