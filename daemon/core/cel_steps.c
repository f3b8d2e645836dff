/* cel_steps.c: the slower steps of the VM: building lists and maps, missing fields, calls that need a look. */
#include "cel_token.h"
#include "cel_vm.h"
#include <string.h>

void cel_trace_arrive(const struct cel_program *program, const struct tracer *tracer, uint32_t from, uint32_t to,
		      const struct cel_value *regs)
{
	for (uint32_t i = 0; i < program->n_spans; i++) {
		const struct span *s = &program->spans[i];
		if (s->end == to && s->start <= from && from < s->end)
			tracer->seen(tracer->ctx, s->pos, s->len, regs[s->reg]);
	}
}

const struct cel_problem *cel_missing_problem(const struct cel_program *program, uint32_t at)
{
	uint32_t low = 0, high = program->n_missing;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (program->missing[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low < program->n_missing && program->missing[low].at == at ? &program->missing[low].problem : NULL;
}

struct cel_value cel_field_name(const struct ins *ins)
{
	const char *name = ins->type->fields[ins->c].name;
	return cel_string(name, strlen(name));
}

struct cel_value cel_field_by_name(struct run *run, const struct cel_program *program, const struct ins *ins,
				   struct cel_value of)
{
	struct cel_value v = cel_element(run, of, cel_field_name(ins), false);
	if (v.kind == CEL_UNKNOWN && !v.problem)
		v.problem = cel_missing_problem(program, (uint32_t)(ins - program->code));
	return v;
}

struct cel_value cel_want_bool(struct run *run, const char *what, struct cel_value v)
{
	return is_bad(v) ? v
			 : cel_fail(&run->call, "no such overload: %s wants bool, this is %s", what,
				    cel_type_of_kind(v.kind)->name);
}

struct cel_value cel_logic_bad(struct run *run, const char *what, struct cel_value before, struct cel_value v)
{
	if (before.kind == CEL_BOOL || !is_bad(before)) /* or it is the first term itself */
		return cel_want_bool(run, what, v);
	return cel_merge(run, before, cel_want_bool(run, what, v));
}

/* What an entry after ? adds: false for nothing. */
static bool opened(struct run *run, struct cel_value *v)
{
	if (is_bad(*v))
		return true;
	if (v->kind != CEL_OPTIONAL) {
		*v = cel_fail(&run->call, "after ? an optional is wanted, not %s", cel_type_of_kind(v->kind)->name);
		return true;
	}
	if (!v->some)
		return false;
	*v = *v->some;
	return true;
}

struct cel_value cel_make_list(struct run *run, const struct cel_value *items, uint32_t n, const bool *optionals)
{
	struct cel_value *out = cel_run_alloc(run, n * sizeof *out);
	struct cel_value bad = {.kind = CEL_BOOL};
	uint32_t len = 0;
	if (!out && n)
		return cel_run_memory();
	for (uint32_t i = 0; i < n; i++) {
		struct cel_value v = items[i];
		if (optionals && optionals[i] && !opened(run, &v))
			continue;
		if (is_bad(v))
			bad = is_bad(bad) ? cel_merge(run, bad, v) : v;
		out[len++] = v;
	}
	return is_bad(bad) ? bad : cel_list(out, len);
}

struct cel_value cel_make_map(struct run *run, const struct cel_value *pairs, uint32_t n, const bool *optionals)
{
	struct cel_value map = cel_map_begin(run, n), bad = {.kind = CEL_BOOL};
	for (uint32_t i = 0; i < 2 * n; i += 2) {
		struct cel_value key = pairs[i], v = pairs[i + 1];
		if (optionals && optionals[i] && !opened(run, &v))
			continue;
		for (int part = 0; part < 2; part++) {
			struct cel_value one = part ? v : key;
			if (is_bad(one))
				bad = is_bad(bad) ? cel_merge(run, bad, one) : one;
		}
		if (!is_bad(bad) && !is_bad(map))
			map = cel_map_add(run, map, n, key, v);
	}
	if (!is_bad(bad))
		return map;
	return is_bad(map) ? cel_merge(run, map, bad) : bad;
}

uint32_t cel_range_size(struct cel_value range)
{
	return range.kind == CEL_LIST ? range.len : cel_map_size(range);
}

bool cel_next_entry(struct cel_value *loop, bool two)
{
	struct cel_value key, value;
	uint32_t n = cel_map_room(*loop);
	while (loop[1].i < n)
		if (cel_map_entry(*loop, (uint32_t)loop[1].i++, &key, &value)) {
			loop[2] = key;
			if (two)
				loop[3] = value;
			return true;
		}
	return false;
}

struct cel_value cel_gather(struct run *run, struct cel_value range)
{
	uint32_t n = cel_range_size(range);
	if (!run_spend(run, n / 8))
		return cel_run_cost(run);
	struct cel_value *items = n ? cel_run_alloc(run, n * sizeof *items) : NULL;
	return n && !items ? cel_run_memory() : cel_list(items, 0);
}

void cel_push(struct run *run, struct cel_value *list, struct cel_value v)
{
	if (is_bad(v))
		*list = is_bad(*list) ? cel_merge(run, *list, v) : v;
	else if (list->kind == CEL_LIST)
		((struct cel_value *)(uintptr_t)list->items)[list->len++] = v;
}

struct cel_value cel_merge_maps(struct run *run, struct cel_value list)
{
	if (is_bad(list))
		return list;
	uint64_t n = 0;
	for (uint32_t i = 0; i < list.len; i++) {
		if (list.items[i].kind != CEL_MAP)
			return cel_fail_overload(&run->call, "transformMapEntry", &list.items[i], 1);
		n += cel_map_size(list.items[i]);
	}
	if (n > INT32_MAX || !run_spend(run, n))
		return cel_run_cost(run);
	struct cel_value map = cel_map_begin(run, (uint32_t)n), key, value;
	for (uint32_t i = 0; i < list.len; i++)
		for (uint32_t j = 0; j < cel_map_room(list.items[i]) && !is_bad(map); j++)
			if (cel_map_entry(list.items[i], j, &key, &value))
				map = cel_map_add(run, map, (uint32_t)n, key, value);
	return map;
}

struct cel_value cel_some(struct run *run, struct cel_value v)
{
	struct cel_value *copy = cel_run_alloc(run, sizeof *copy);
	if (!copy)
		return cel_run_memory();
	*copy = v;
	return (struct cel_value){.kind = CEL_OPTIONAL, .some = copy};
}

/* The bad ones of the arguments, joined; or a bool where none is. */
static struct cel_value bad_of(struct run *run, const struct cel_value *args, size_t n)
{
	struct cel_value bad = cel_bool(false);
	for (size_t i = 0; i < n; i++)
		if (is_bad(args[i]))
			bad = is_bad(bad) ? cel_merge(run, bad, args[i]) : args[i];
	return bad;
}

struct cel_value cel_call_function(struct run *run, const struct overload *overload, const struct cel_value *args,
				   size_t n)
{
	struct cel_value bad = bad_of(run, args, n);
	if (is_bad(bad))
		return bad;
	if (overload->variadic)
		return overload->call(&run->call, args, n);
	if (overload_fits(overload, args, n))
		return called(run, overload, overload->call(&run->call, args, n));
	/* the first of the shape, for the one at hand may not be */
	for (const struct overload *o = overload->first; o; o = o->next)
		if (overload_fits(o, args, n))
			return called(run, o, o->call(&run->call, args, n));
	return cel_fail_overload(&run->call, overload->name, args, n);
}

struct cel_value cel_call_comparison(struct run *run, const struct fusion *fusion, const struct cel_value *args,
				     size_t n)
{
	static const uint8_t tokens[] = {
		[CEL_LT] = T_LT, [CEL_LE] = T_LE, [CEL_GE] = T_GE, [CEL_GT] = T_GT, [CEL_EQ] = T_EQ, [CEL_NE] = T_NE};
	const struct overload *o = fusion->overload;
	struct cel_value bad = bad_of(run, args, n), other = args[n - 1];
	if (is_bad(bad))
		return bad;
	if (overload_fits(o, args, n - 1) && other.kind >= CEL_INT && other.kind <= CEL_DOUBLE)
		return called(run, o, o->compare(&run->call, args, n - 1, fusion->op, other));
	return cel_compare(run, tokens[fusion->op], cel_call_function(run, o, args, n - 1), other);
}
