/* libFuzzer: any bytes as an expression, over variables of all types.  The first byte chooses the options and which
 * variables are missing.  What passes the check must give the same value without it (there the checker's types choose
 * no fast instructions), and the same when it is traced; no place may lie outside the text. */
#include "../../daemon/core/cel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HEAP = 8 << 20, BUDGET = 20000, MAX_EXPRESSION = 4000 };

struct memory {
	char *base;
	size_t used;
};
static void *give(void *ctx, size_t size)
{
	struct memory *m = ctx;
	size = (size + 7) & ~(size_t)7; /* what it gives is 8-aligned */
	if (size > HEAP - m->used)
		return NULL;
	void *p = m->base + m->used;
	m->used += size;
	memset(p, 0xa5, size);
	return p;
}

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void on_fault(void *ctx, uint32_t pos, uint32_t len, const char *message)
{
	const size_t *size = ctx;
	require(pos <= *size && len <= *size - pos && message[0]);
}
static void on_seen(void *ctx, uint32_t pos, uint32_t len, struct cel_value value)
{
	const size_t *size = ctx;
	require(pos <= *size && len <= *size - pos && value.kind <= CEL_OPTIONAL);
}

static struct cel_value twice(const struct cel_call *call, const struct cel_value *args, size_t n)
{
	(void)n;
	return args[0].d > 1e100 ? cel_fail(call, "too large: %g", args[0].d) : cel_double(args[0].d * 2);
}
static struct cel_value compare_twice(const struct cel_call *call, const struct cel_value *args, size_t n,
				      enum cel_compare op, struct cel_value other)
{
	struct cel_value v = twice(call, args, n);
	double d = other.kind == CEL_DOUBLE ? other.d : other.kind == CEL_INT ? (double)other.i : (double)other.u;
	if (v.kind != CEL_DOUBLE)
		return v;
	switch (op) {
	case CEL_LT:
		return cel_bool(v.d < d);
	case CEL_LE:
		return cel_bool(v.d <= d);
	case CEL_GE:
		return cel_bool(v.d >= d);
	case CEL_GT:
		return cel_bool(v.d > d);
	case CEL_EQ:
		return cel_bool(v.d == d);
	default:
		return cel_bool(v.d != d);
	}
}

/* The variables, of every type; a record's type belongs to its env. */
struct world {
	struct cel_env *env;
	struct cel_field fields[3];
	struct cel_value ann[3], bob[3], people[2], numbers[3], pairs[4], values[12];
	struct cel_record records[2];
};

static void build(struct world *w, const struct cel_options *options)
{
	static const char *const words[] = {"red", "green"};
	struct cel_env *env = w->env = cel_env_new(options);
	const struct cel_field fields[] = {
		{"wage", cel_type_double(env)}, {"age", cel_type_int(env)}, {"name", cel_type_string(env)}};
	const struct cel_type *person = cel_type_record(env, "person", fields, 3);
	memcpy(w->ann, (struct cel_value[]){cel_double(100.5), cel_int(30), cel_string("ann", 3)}, sizeof w->ann);
	memcpy(w->bob, (struct cel_value[]){cel_double(80), cel_unknown(NULL), cel_string("bob", 3)}, sizeof w->bob);
	w->records[0] = (struct cel_record){person, w->ann, NULL};
	w->records[1] = (struct cel_record){person, w->bob, NULL};
	for (int i = 0; i < 2; i++)
		w->people[i] = cel_of_record(&w->records[i]);
	for (int i = 0; i < 3; i++)
		w->numbers[i] = cel_int(i * 7 - 3);
	memcpy(w->pairs, (struct cel_value[]){cel_string("a", 1), cel_int(1), cel_string("b", 1), cel_int(2)},
	       sizeof w->pairs);
	const struct {
		const char *name;
		const struct cel_type *type;
		struct cel_value value;
	} all[] = {
		{"i", cel_type_int(env), cel_int(42)},
		{"u", cel_type_uint(env), cel_uint(7)},
		{"d", cel_type_double(env), cel_double(2.5)},
		{"s", cel_type_string(env), cel_string("脱贫 red", 10)},
		{"b", cel_type_bool(env), cel_bool(true)},
		{"t", cel_type_timestamp(env), cel_timestamp(1685577600, 5)},
		{"e", cel_type_enum(env, "e", words, 2), cel_string("red", 3)},
		{"p", person, w->people[0]},
		{"l", cel_type_list(env, person), cel_list(w->people, 2)},
		{"n", cel_type_list(env, cel_type_int(env)), cel_list(w->numbers, 3)},
		{"m",
		 cel_type_map(env, cel_type_string(env), cel_type_int(env)),
		 {.kind = CEL_MAP, .len = 2, .items = w->pairs}},
		{"q.x", cel_type_dyn(env), cel_double(-1)},
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		w->values[cel_env_variable(env, all[i].name, all[i].type)] = all[i].value;
	cel_env_function(env, &(struct cel_declaration){.name = "twice",
							.result = cel_type_double(env),
							.args = {cel_type_double(env)},
							.n = 1,
							.call = twice,
							.compare = compare_twice});
}

static bool bounded(struct cel_value v)
{
	return v.kind != CEL_ERROR ||
	       (strncmp(v.problem->text, "cost", 4) != 0 && strncmp(v.problem->text, "no memory", 9) != 0 &&
		!strstr(v.problem->text, "too deeply"));
}
static bool alike(struct cel_value a, struct cel_value b)
{
	if (a.kind != b.kind)
		return false;
	if (a.kind == CEL_DOUBLE)
		return a.d == b.d || (isnan(a.d) && isnan(b.d));
	return a.kind != CEL_BOOL && a.kind != CEL_INT && a.kind != CEL_STRING ? true : cel_equal(a, b);
}

static struct cel_value run(struct world *w, const char *text, size_t size, struct memory *m, bool *compiled)
{
	const struct cel_heap heap = {give, m};
	const struct cel_activation activation = {.heap = &heap, .values = w->values, .budget = BUDGET};
	struct cel_program *program = cel_compile(w->env, text, size, on_fault, &size);
	*compiled = program != NULL;
	if (!program)
		return cel_null();
	struct cel_value v = cel_eval(program, &activation);
	struct cel_value traced = cel_trace(program, &activation, on_seen, &size);
	require(v.kind <= CEL_OPTIONAL);
	require(alike(v, traced) || !bounded(v) || !bounded(traced));
	if (v.kind == CEL_BOOL || v.kind == CEL_INT || v.kind == CEL_DOUBLE || v.kind == CEL_UNKNOWN) {
		cel_program_free(program);
		return v;
	}
	struct cel_value plain = {.kind = v.kind}; /* what it points to may be the program's */
	static const struct cel_problem plainly = {.text = ""}, cost = {.text = "cost"};
	if (v.kind == CEL_ERROR)
		plain.problem = bounded(v) ? &plainly : &cost;
	if (v.kind == CEL_STRING) {
		char *copy = give(m, v.len + 1u);
		plain = copy ? cel_string(memcpy(copy, v.s ? v.s : "", v.len), v.len) : cel_null();
	}
	cel_program_free(program);
	return plain;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *base; /* one allocation for all inputs */
	if (size < 1 || size > MAX_EXPRESSION)
		return 0;
	if (!base)
		base = malloc(HEAP);
	struct memory m = {base, 0};
	bool rules = data[0] & 1;
	struct world checked, dynamic;
	const char *text = (const char *)data + 1;
	build(&checked, &(struct cel_options){.mixed_arithmetic = rules,
					      .refuse_int_division = rules,
					      .refuse_utc_getters = rules,
					      .has_name = rules,
					      .list_sum = rules});
	build(&dynamic, &(struct cel_options){.dynamic = true});
	for (int i = 0; i < 12; i++)
		if ((data[0] >> 1) % 13 == i)
			checked.values[i] = dynamic.values[i] = cel_unknown(NULL);
	bool compiled, compiled_dynamic;
	struct cel_value a = run(&checked, text, size - 1, &m, &compiled);
	struct cel_value b = run(&dynamic, text, size - 1, &m, &compiled_dynamic);
	if (compiled && !rules) {
		require(compiled_dynamic);
		require(!bounded(a) || !bounded(b) || alike(a, b));
	}
	cel_env_free(checked.env);
	cel_env_free(dynamic.env);
	return 0;
}
