/* cel_vm.h: the slower steps of the VM's instructions. */
#ifndef CEL_VM_H
#define CEL_VM_H
#include "cel_code.h"

struct tracer {
	cel_seen *seen;
	void *ctx;
};
/* Control came from one instruction to another: tells of the sub-expressions that ended by that. */
void cel_trace_arrive(const struct cel_program *program, const struct tracer *tracer, uint32_t from, uint32_t to,
		      const struct cel_value *regs);

const struct cel_problem *cel_missing_problem(const struct cel_program *program, uint32_t at);
struct cel_value cel_field_name(const struct ins *ins);
struct cel_value cel_field_by_name(struct run *run, const struct cel_program *program, const struct ins *ins,
				   struct cel_value of);
struct cel_value cel_want_bool(struct run *run, const char *what, struct cel_value v); /* v is no bool */
struct cel_value cel_logic_bad(struct run *run, const char *what, struct cel_value before, struct cel_value v);
struct cel_value cel_make_list(struct run *run, const struct cel_value *items, uint32_t n, const bool *optionals);
struct cel_value cel_make_map(struct run *run, const struct cel_value *pairs, uint32_t n, const bool *optionals);
uint32_t cel_range_size(struct cel_value range);
bool cel_next_entry(struct cel_value *loop, bool two); /* of a map */
struct cel_value cel_gather(struct run *run, struct cel_value range);
void cel_push(struct run *run, struct cel_value *list, struct cel_value v);
struct cel_value cel_merge_maps(struct run *run, struct cel_value list);
struct cel_value cel_some(struct run *run, struct cel_value v);
struct cel_value cel_call_comparison(struct run *run, const struct fusion *fusion, const struct cel_value *args,
				     size_t n);

/* Are the arguments' kinds the overload's? */
static inline bool overload_fits(const struct overload *o, const struct cel_value *args, size_t n)
{
	if (n != o->n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (args[i].kind != o->kinds[i] && (o->kinds[i] != ANY_KIND || is_bad(args[i])))
			return false;
	return true;
}

/* A function's result: an unknown without a name gets the function's. */
static inline struct cel_value called(struct run *run, const struct overload *o, struct cel_value v)
{
	if (__builtin_expect(v.kind == CEL_UNKNOWN && !v.problem, 0)) {
		struct cel_problem *p = cel_run_alloc(run, sizeof *p);
		if (p)
			*p = (struct cel_problem){.text = o->name, .pos = run->call.pos};
		v.problem = p;
	}
	return v;
}
#endif
