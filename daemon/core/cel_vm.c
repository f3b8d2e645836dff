/* cel_vm.c: runs a program's instructions.  Errors and unknowns are values: each instruction takes the kinds that it
 * was made for at once, and leaves all else to the operators of cel_operate.c. */
#include "cel_code.h"
#include "cel_regex.h"
#include "cel_text.h"
#include "cel_token.h"
#include "cel_vm.h"
#include <string.h>

enum { FRAME = 96, DEFAULT_BUDGET = 1000000 };
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

static struct cel_value run_code(struct run *run, const struct cel_program *program, struct cel_value *regs,
				 const struct tracer *tracer)
{
	static const void *const direct[OPS] = {
#define OP(name) &&do_##name,
#include "cel_op.def"
#undef OP
	};
	static const void *const traced[OPS] = {
#define OP(name) &&trace,
#include "cel_op.def"
#undef OP
	};
	const void *const *const labels = tracer ? traced : direct;
	const struct ins *const code = program->code, *ip = code, *last = code;
	const struct cel_activation *const activation = run->call.activation;
	const struct cel_value *const values = activation->values;

#define A regs[ip->a]
#define B regs[ip->b]
#define C regs[ip->c]
#define GO goto *labels[ip->op]
#define ON            \
	do {          \
		ip++; \
		GO;   \
	} while (0)
#define TO(place)                    \
	do {                         \
		ip = code + (place); \
		GO;                  \
	} while (0)
#define HERE (run->call.pos = program->positions[ip - code], run)
	GO;
trace:
	cel_trace_arrive(program, tracer, (uint32_t)(last - code), (uint32_t)(ip - code), regs);
	last = ip;
	goto *direct[ip->op];

do_MOVE:
	A = B;
	ON;
do_LOAD : {
	struct cel_value v = values ? values[ip->b] : activation->load(activation->ctx, (uint32_t)ip->b);
	if (UNLIKELY(v.kind == CEL_UNKNOWN && !v.problem))
		v.problem = ip->problem;
	A = v;
	ON;
}
do_FAIL:
	A = (struct cel_value){.kind = CEL_ERROR, .problem = ip->problem};
	ON;
do_FIELD : {
	struct cel_value of = B;
	if (LIKELY(of.kind == CEL_MAP && of.sub == CEL_SUB_RECORD && of.record->type == ip->type)) {
		struct cel_value v = of.record->fields[ip->c];
		if (UNLIKELY(v.kind == CEL_UNKNOWN && !v.problem))
			v.problem = cel_missing_problem(program, (uint32_t)(ip - code));
		A = v;
	} else {
		A = cel_field_by_name(HERE, program, ip, of);
	}
	ON;
}
do_HAS_FIELD : {
	struct cel_value of = B;
	if (LIKELY(of.kind == CEL_MAP && of.sub == CEL_SUB_RECORD && of.record->type == ip->type))
		A = cel_bool(of.record->fields[ip->c].kind != CEL_UNKNOWN);
	else
		A = cel_has_key(HERE, of, cel_field_name(ip));
	ON;
}
do_SELECT:
do_INDEX:
	A = cel_element(HERE, B, C, false);
	ON;
do_SELECT_OPT:
do_INDEX_OPT:
	A = cel_element(HERE, B, C, true);
	ON;
do_HAS:
	A = cel_has_key(HERE, B, C);
	ON;
do_KNOWN:
	A = B.kind == CEL_ERROR ? B : cel_bool(B.kind != CEL_UNKNOWN);
	ON;
do_NOT:
	A = LIKELY(B.kind == CEL_BOOL) ? cel_bool(!B.b) : is_bad(B) ? B : cel_fail_overload(&HERE->call, "!", &B, 1);
	ON;
do_NEG:
	A = cel_negate(HERE, B);
	ON;
do_TO_DOUBLE:
	A = B.kind == CEL_INT ? cel_double((double)B.i) : B;
	ON;

#define ARITHMETIC_D(name, token, sign)                                                                         \
	do_##name##_D : if (LIKELY(B.kind == CEL_DOUBLE && C.kind == CEL_DOUBLE)) A = cel_double(B.d sign C.d); \
	else A = cel_arithmetic(HERE, token, B, C);                                                             \
	ON;                                                                                                     \
	do_##name##_DK : if (LIKELY(B.kind == CEL_DOUBLE)) A = cel_double(B.d sign ip->d);                      \
	else A = cel_arithmetic(HERE, token, B, cel_double(ip->d));                                             \
	ON;
	ARITHMETIC_D(ADD, T_PLUS, +)
	ARITHMETIC_D(SUB, T_MINUS, -)
	ARITHMETIC_D(MUL, T_STAR, *)
	ARITHMETIC_D(DIV, T_SLASH, /)

#define ARITHMETIC_I(name, token, function)                                                      \
	do_##name##_I:                                                                           \
	{                                                                                        \
		int64_t sum;                                                                     \
		if (LIKELY(B.kind == CEL_INT && C.kind == CEL_INT && !function(B.i, C.i, &sum))) \
			A = cel_int(sum);                                                        \
		else                                                                             \
			A = cel_arithmetic(HERE, token, B, C);                                   \
		ON;                                                                              \
	}
	ARITHMETIC_I(ADD, T_PLUS, __builtin_add_overflow)
	ARITHMETIC_I(SUB, T_MINUS, __builtin_sub_overflow)
	ARITHMETIC_I(MUL, T_STAR, __builtin_mul_overflow)

#define ARITHMETIC(name, token)                            \
	do_##name : A = cel_arithmetic(HERE, token, B, C); \
	ON;
	ARITHMETIC(ADD, T_PLUS)
	ARITHMETIC(SUB, T_MINUS)
	ARITHMETIC(MUL, T_STAR)
	ARITHMETIC(DIV, T_SLASH)
	ARITHMETIC(MOD, T_PERCENT)

#define COMPARISON(name, token, sign)                                                                              \
	do_##name : A = cel_compare(HERE, token, B, C);                                                            \
	ON;                                                                                                        \
	do_##name##_I : A = LIKELY(B.kind == CEL_INT && C.kind == CEL_INT) ? cel_bool(B.i sign C.i)                \
									   : cel_compare(HERE, token, B, C);       \
	ON;                                                                                                        \
	do_##name##_D : A = LIKELY(B.kind == CEL_DOUBLE && C.kind == CEL_DOUBLE) ? cel_bool(B.d sign C.d)          \
										 : cel_compare(HERE, token, B, C); \
	ON;                                                                                                        \
	do_##name##_IK : A = LIKELY(B.kind == CEL_INT) ? cel_bool(B.i sign ip->i)                                  \
						       : cel_compare(HERE, token, B, cel_int(ip->i));              \
	ON;                                                                                                        \
	do_##name##_DK : A = LIKELY(B.kind == CEL_DOUBLE) ? cel_bool(B.d sign ip->d)                               \
							  : cel_compare(HERE, token, B, cel_double(ip->d));        \
	ON;
	COMPARISON(EQ, T_EQ, ==)
	COMPARISON(NE, T_NE, !=)
	COMPARISON(LT, T_LT, <)
	COMPARISON(LE, T_LE, <=)
	COMPARISON(GE, T_GE, >=)
	COMPARISON(GT, T_GT, >)

#define COMPARISON_SK(name, token, sign)                                                                            \
	do_##name##_SK                                                                                              \
	    : if (LIKELY(B.kind == CEL_STRING)) A =                                                                 \
		      cel_bool((B.len == ip->constant->len && memcmp(B.s, ip->constant->s, B.len) == 0) sign true); \
	else A = cel_compare(HERE, token, B, *ip->constant);                                                        \
	ON;
	COMPARISON_SK(EQ, T_EQ, ==)
	COMPARISON_SK(NE, T_NE, !=)

do_IN:
	A = cel_contains(HERE, B, C);
	ON;

	/* a holds what the terms before came to: true (for &&), error or unknown; the first term is a itself */
#define LOGIC(name, decides)                                  \
	do_##name : if (LIKELY(B.kind == CEL_BOOL))           \
	{                                                     \
		if (B.b == decides) {                         \
			A = B;                                \
			TO(ip->target);                       \
		}                                             \
		ON;                                           \
	}                                                     \
	A = cel_logic_bad(HERE, decides ? "||" : "&&", A, B); \
	ON;
	LOGIC(AND, false)
	LOGIC(OR, true)

do_BRANCH:
	if (LIKELY(B.kind == CEL_BOOL)) {
		if (B.b)
			ON;
		TO(ip->target);
	}
	A = cel_want_bool(HERE, "?:", B);
	TO(ip->other);
do_JUMP:
	TO(ip->target);
do_LIST:
	A = cel_make_list(HERE, &B, (uint32_t)ip->c, ip->optionals);
	ON;
do_MAP:
	A = cel_make_map(HERE, &B, (uint32_t)ip->c, ip->optionals);
	ON;
do_ITER : {
	struct cel_value *loop = &B;
	if (LIKELY(loop->kind == CEL_LIST || loop->kind == CEL_MAP)) {
		loop[1] = cel_int(0);
		ON;
	}
	A = is_bad(*loop) ? *loop
			  : cel_fail(&HERE->call, "%s is no list and no map", cel_type_of_kind(loop->kind)->name);
	TO(ip->target);
}
do_NEXT : {
	struct cel_value *loop = &B;
	if (UNLIKELY(!run_spend(run, (uint64_t)ip->a)))
		return cel_run_cost(HERE);
	if (LIKELY(loop->kind == CEL_LIST)) {
		int64_t i = loop[1].i;
		if (i == loop->len)
			ON;
		loop[1].i = i + 1;
		if (ip->c == 2)
			loop[2] = cel_int(i);
		loop[1 + ip->c] = loop->items[i];
		TO(ip->target);
	}
	if (cel_next_entry(loop, ip->c == 2))
		TO(ip->target);
	ON;
}
do_GATHER:
	A = cel_gather(HERE, B);
	ON;
do_PUSH:
	cel_push(run, &A, B);
	ON;
do_KEEP:
	if (LIKELY(B.kind == CEL_BOOL)) {
		if (B.b)
			cel_push(run, &A, C);
	} else {
		cel_push(run, &A, cel_want_bool(HERE, "filter()", B));
	}
	ON;
do_TAKE:
	if (LIKELY(B.kind == CEL_BOOL)) {
		if (B.b)
			ON;
	} else {
		cel_push(run, &A, cel_want_bool(HERE, "the condition", B));
	}
	TO(ip->target);
do_COUNT:
	if (LIKELY(B.kind == CEL_BOOL && A.kind == CEL_INT))
		A.i += B.b;
	else if (B.kind != CEL_BOOL)
		A = A.kind == CEL_INT ? cel_want_bool(HERE, "existsOne()", B)
				      : cel_merge(run, A, cel_want_bool(HERE, "existsOne()", B));
	ON;
do_ONE:
	A = B.kind == CEL_INT ? cel_bool(B.i == 1) : B;
	ON;
do_TABLE:
	A = run_spend(HERE, cel_range_size(B) / 4) ? cel_map_begin(run, cel_range_size(B)) : cel_run_cost(run);
	ON;
do_PUT:
	if (is_bad(C))
		A = is_bad(A) ? cel_merge(run, A, C) : C;
	else if (!is_bad(A))
		A = cel_map_add(HERE, A, cel_range_size((&B)[-2]), B, C);
	ON;
do_MERGE:
	A = cel_merge_maps(HERE, B);
	ON;
do_CALL:
	if (LIKELY(overload_fits(ip->overload, &B, (size_t)ip->c)))
		A = called(run, ip->overload, ip->overload->call(&HERE->call, &B, (size_t)ip->c));
	else
		A = cel_call_function(HERE, ip->overload, &B, (size_t)ip->c);
	ON;
do_COMPARE:
	A = cel_call_comparison(HERE, ip->fusion, &B, (size_t)ip->c);
	ON;
do_MATCH:
	if (LIKELY(B.kind == CEL_STRING))
		A = cel_regex_match(HERE, ip->regex, B.s, B.len);
	else
		A = is_bad(B) ? B : cel_fail_overload(&HERE->call, "matches", &B, 1);
	ON;
do_CONTAINS:
	if (LIKELY(B.kind == CEL_STRING && run_spend(run, B.len / 32)))
		A = cel_bool(cel_find_bytes(B.s, B.len, ip->constant->s, ip->constant->len));
	else
		A = is_bad(B) ? B : cel_fail_overload(&HERE->call, "contains", &B, 1);
	ON;
do_OPEN:
	if (LIKELY(B.kind == CEL_OPTIONAL && B.some)) {
		A = *B.some;
		ON;
	}
	C = B.kind == CEL_OPTIONAL || is_bad(B) ? B : cel_fail_overload(&HERE->call, "optMap", &B, 1);
	TO(ip->target);
do_SOME:
	A = is_bad(B) ? B : cel_some(run, B);
	ON;
do_RETURN:
	return B;
}

struct cel_value cel_run_program(const struct cel_program *program, const struct cel_activation *activation,
				 cel_seen *seen, void *seen_ctx)
{
	struct cel_value small[FRAME], *frame = small;
	struct run run = {.call = {.activation = activation},
			  .options = &program->options,
			  .left = activation->budget ? activation->budget : DEFAULT_BUDGET};
	size_t n = (size_t)program->n_constants + program->n_slots;
	if (n > FRAME && !(frame = cel_run_alloc(&run, n * sizeof *frame)))
		return cel_run_memory();
	for (size_t i = 0; i < program->n_constants; i++)
		frame[i] = program->constants[i];
	const struct tracer tracer = {seen, seen_ctx};
	struct cel_value result = run_code(&run, program, frame + program->n_constants, seen ? &tracer : NULL);
	return run.exhausted ? cel_run_cost(&run) : result;
}
