/* eval_json.c: the variables from the input's `let`, the evaluation, and its result as JSON. */
#include "eval_json.h"
#include "../core/cel.h"
#include "../core/engine.h"
#include "../util/arena.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_DEPTH = 250, MAX_VALUES = 250000 }; /* of one answer: what is shared inside a value is written out */

struct zone {
	char *name;
	struct cel_zone *zone;
	struct zone *next;
};
struct evaluator {
	bool rules;
	struct engine *engine; /* with rules: what the functions of time ask for the day, the zone and the calendar */
	struct zone *zones;
	struct arena arena; /* of one evaluation */
	size_t n_values;    /* written of its answer */
	bool too_large;
	/* the language's own functions make a value's text: */
	struct cel_env *printer; /* of one variable, v */
	struct cel_program *as_text, *as_base64;
};

struct first_fault { /* the first of a compilation */
	char text[512];
	uint32_t pos;
	bool any;
};

/* One evaluation's variables. */
struct scope {
	struct cel_env *env;
	struct cel_value *values;
	struct cel_program **programs; /* of the let values, which may borrow from them */
	size_t n_programs;
};

/* --- time zones, by name from the system's files */
static struct cel_zone *read_zone(const char *name)
{
	char path[300];
	snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
	FILE *f = fopen(path, "rb");
	if (!f)
		return NULL;
	static const size_t room = 1 << 16;
	char *data = malloc(room);
	size_t size = data ? fread(data, 1, room, f) : 0;
	struct cel_zone *zone = size ? cel_zone_new(data, size) : NULL;
	free(data);
	fclose(f);
	return zone;
}

static const struct cel_zone *find_zone(void *ctx, const char *name, size_t len)
{
	struct evaluator *e = ctx;
	char text[64];
	if (len == 0 || len >= sizeof text || name[0] == '/' || memchr(name, '.', len) || memchr(name, '\0', len))
		return NULL;
	memcpy(text, name, len);
	text[len] = '\0';
	for (struct zone *z = e->zones; z; z = z->next)
		if (strcmp(z->name, text) == 0)
			return z->zone;
	struct zone *z = calloc(1, sizeof *z);
	if (!z)
		return NULL;
	*z = (struct zone){strdup(text), read_zone(text), e->zones};
	e->zones = z;
	return z->zone;
}

/* An engine without rules: local days in SHOUWANG_TIMEZONE, weekends off, now by the wall clock. */
static struct engine *new_engine(struct evaluator *e)
{
	const char *name = getenv("SHOUWANG_TIMEZONE");
	if (!name || !*name)
		name = "Asia/Shanghai";
	const struct cel_zone *zone = find_zone(e, name, strlen(name));
	if (!zone)
		return NULL;
	struct ruleset *r = ruleset_new();
	r->zone = zone;
	r->calendar = calendar_new(&r->arena, "weekends", NULL, 0, NULL, 0, 0, -1);
	struct engine *engine = engine_new(r);
	ruleset_release(r);
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	engine_set_now(engine, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
	return engine;
}

struct evaluator *evaluator_new(bool rules)
{
	struct evaluator *e = calloc(1, sizeof *e);
	if (!e)
		return NULL;
	e->rules = rules;
	arena_init(&e->arena);
	e->printer = cel_env_new(&(struct cel_options){0});
	if (e->printer) {
		cel_env_variable(e->printer, "v", cel_type_dyn(e->printer));
		e->as_text = cel_compile(e->printer, "string(v)", SIZE_MAX, NULL, NULL);
		e->as_base64 = cel_compile(e->printer, "base64.encode(v)", SIZE_MAX, NULL, NULL);
	}
	if (rules)
		e->engine = new_engine(e);
	if (e->as_text && e->as_base64 && (e->engine || !rules))
		return e;
	evaluator_free(e);
	return NULL;
}

void evaluator_free(struct evaluator *e)
{
	if (!e)
		return;
	engine_free(e->engine);
	for (struct zone *z = e->zones, *next; z; z = next) {
		next = z->next;
		free(z->name);
		cel_zone_free(z->zone);
		free(z);
	}
	cel_program_free(e->as_text);
	cel_program_free(e->as_base64);
	cel_env_free(e->printer);
	arena_close(&e->arena);
	free(e);
}

/* --- values as JSON */
static void *from_arena(void *ctx, size_t size)
{
	return arena_alloc(ctx, size);
}

static struct cel_value evaluate(struct evaluator *e, const struct cel_program *program, const struct cel_value *values)
{
	const struct cel_heap heap = {from_arena, &e->arena};
	return cel_eval(program, &(struct cel_activation){.heap = &heap, .values = values, .ctx = e->engine});
}

static json_t *text_json(const char *s, size_t len)
{
	json_t *text = json_stringn(s, len);
	return text ? text : json_string("\xef\xbf\xbd"); /* no valid UTF-8 */
}

static json_t *printed(struct evaluator *e, const struct cel_program *as, struct cel_value v)
{
	struct cel_value text = evaluate(e, as, &v);
	return text.kind == CEL_STRING ? text_json(text.s, text.len) : json_null();
}

static json_t *typed(const char *type, json_t *value)
{
	return json_pack("{s:s, s:o}", "type", type, "value", value);
}

static json_t *double_json(double d)
{
	if (isfinite(d))
		return json_real(d);
	return json_string(isnan(d) ? "NaN" : d < 0 ? "-Infinity" : "Infinity");
}

static json_t *value_json(struct evaluator *e, struct cel_value v, int depth);

static json_t *list_json(struct evaluator *e, struct cel_value v, int depth)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < v.len; i++)
		json_array_append_new(list, value_json(e, v.items[i], depth + 1));
	return list;
}

static json_t *map_json(struct evaluator *e, struct cel_value v, int depth)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < v.len; i++)
		json_array_append_new(list, json_pack("[o, o]", value_json(e, v.items[2 * i], depth + 1),
						      value_json(e, v.items[2 * i + 1], depth + 1)));
	return list;
}

static json_t *value_json(struct evaluator *e, struct cel_value v, int depth)
{
	e->too_large |= depth > MAX_DEPTH || ++e->n_values > MAX_VALUES;
	if (e->too_large)
		return json_null();
	switch (v.kind) {
	case CEL_NULL:
		return typed("null_type", json_null());
	case CEL_BOOL:
		return typed("bool", json_boolean(v.b));
	case CEL_INT:
		return typed("int", printed(e, e->as_text, v));
	case CEL_UINT:
		return typed("uint", printed(e, e->as_text, v));
	case CEL_DOUBLE:
		return typed("double", double_json(v.d));
	case CEL_STRING:
		return typed("string", text_json(v.s, v.len));
	case CEL_BYTES:
		return typed("bytes", printed(e, e->as_base64, v));
	case CEL_LIST:
		return typed("list", list_json(e, v, depth));
	case CEL_MAP:
		return typed("map", map_json(e, v, depth));
	case CEL_TIMESTAMP:
		return typed("timestamp", printed(e, e->as_text, v));
	case CEL_DURATION:
		return typed("duration", printed(e, e->as_text, v));
	case CEL_TYPE:
		return typed("type", json_string(cel_type_name(v.type)));
	case CEL_OPTIONAL:
		return typed("optional", v.some ? value_json(e, *v.some, depth + 1) : json_null());
	default:
		return json_null();
	}
}

/* --- compiling and evaluating */
static void first_fault(void *ctx, uint32_t pos, uint32_t len, const char *message)
{
	struct first_fault *fault = ctx;
	(void)len;
	if (fault->any)
		return;
	fault->any = true;
	fault->pos = pos;
	snprintf(fault->text, sizeof fault->text, "%s", message);
}

static struct cel_env *new_env(struct evaluator *e, bool dynamic)
{
	struct cel_env *env = cel_env_new(&(struct cel_options){.mixed_arithmetic = e->rules,
								.refuse_int_division = e->rules,
								.refuse_utc_getters = e->rules,
								.has_name = e->rules,
								.list_sum = e->rules,
								.dynamic = dynamic,
								.zone = find_zone,
								.zone_ctx = e});
	if (env && e->rules)
		engine_declare_functions(env);
	return env;
}

json_t *error_json(const char *text, size_t column)
{
	json_t *string = json_string(text);
	return json_pack("{s:o, s:I}", "error", string ? string : json_string("?"), "column", (json_int_t)column);
}

/* 1 for the first character; counted in its line. */
static size_t column_of(const char *text, size_t len, uint32_t pos)
{
	size_t column = 1;
	for (size_t i = 0; i < pos && i < len; i++) {
		if (text[i] == '\n')
			column = 1;
		else
			column += ((unsigned char)text[i] & 0xc0) != 0x80;
	}
	return column;
}

static json_t *unknown_json(const struct cel_problem *problem)
{
	json_t *names = json_array();
	for (; problem; problem = problem->next) { /* the chain's last is the first that was met */
		bool had = false;
		for (size_t i = 0; i < json_array_size(names); i++)
			had |= strcmp(json_string_value(json_array_get(names, i)), problem->text) == 0;
		if (!had)
			json_array_insert_new(names, 0, json_string(problem->text));
	}
	return json_pack("{s:o}", "unknown", names);
}

/* --- the variables */
static struct cel_value let_value(struct evaluator *e, struct scope *scope, const char *text, size_t len,
				  const struct cel_type **type, struct first_fault *fault)
{
	struct cel_program *program = cel_compile(scope->env, text, len, first_fault, fault);
	if (!program)
		return cel_unknown(NULL);
	scope->programs[scope->n_programs++] = program;
	*type = cel_program_type(program);
	struct cel_value v = evaluate(e, program, scope->values);
	if (v.kind == CEL_ERROR)
		first_fault(fault, v.problem->pos, 0, v.problem->text);
	return v;
}

static void set(struct scope *scope, const char *name, const struct cel_type *type, struct cel_value value)
{
	scope->values[cel_env_variable(scope->env, name, type)] = value;
}

/* Declares what `let` and `unknown` name; the answer, where one of them is at fault. */
static json_t *read_scope(struct evaluator *e, const json_t *input, struct scope *scope)
{
	json_t *let = json_object_get(input, "let"), *unknown = json_object_get(input, "unknown"), *item;
	size_t n = json_object_size(let) + json_array_size(unknown), i;
	const char *name;
	scope->values = calloc(n + 1, sizeof *scope->values);
	scope->programs = calloc(n + 1, sizeof *scope->programs);
	if (!scope->env || !scope->values || !scope->programs)
		return error_json("no memory is left", 0);
	json_object_foreach(let, name, item)
	{
		struct first_fault fault = {.any = false};
		const struct cel_type *type = cel_type_dyn(scope->env);
		if (!json_is_string(item))
			return error_json("`let` holds expressions as strings", 0);
		struct cel_value v =
			let_value(e, scope, json_string_value(item), json_string_length(item), &type, &fault);
		if (fault.any) {
			char text[700];
			snprintf(text, sizeof text, "let %.100s: %s", name, fault.text);
			return error_json(text, 0);
		}
		set(scope, name, type, v);
	}
	json_array_foreach(unknown, i, item)
	{
		if (!json_is_string(item))
			return error_json("`unknown` holds names", 0);
		set(scope, json_string_value(item), cel_type_dyn(scope->env), cel_unknown(NULL));
	}
	return NULL;
}

static json_t *result_json(struct evaluator *e, struct cel_value v, const char *text, size_t len)
{
	if (v.kind == CEL_UNKNOWN)
		return unknown_json(v.problem);
	if (v.kind == CEL_ERROR)
		return error_json(v.problem->text, column_of(text, len, v.problem->pos));
	e->n_values = 0;
	e->too_large = false;
	json_t *out = value_json(e, v, 0);
	if (!e->too_large)
		return out;
	json_decref(out);
	return error_json("the value is too large to be written", 0);
}

static json_t *evaluate_in(struct evaluator *e, struct scope *scope, const char *text, size_t len,
			   struct first_fault *fault)
{
	struct cel_program *program = cel_compile(scope->env, text, len, first_fault, fault);
	json_t *out = NULL;
	if (program)
		out = result_json(e, evaluate(e, program, scope->values), text, len);
	cel_program_free(program);
	return out;
}

static json_t *with_scope(struct evaluator *e, const json_t *input, bool dynamic, struct first_fault *fault)
{
	struct scope scope = {.env = new_env(e, dynamic)};
	const json_t *expr = json_object_get(input, "expr");
	json_t *out = read_scope(e, input, &scope);
	if (!out)
		out = evaluate_in(e, &scope, json_string_value(expr), json_string_length(expr), fault);
	for (size_t i = 0; i < scope.n_programs; i++)
		cel_program_free(scope.programs[i]);
	free(scope.programs);
	free(scope.values);
	cel_env_free(scope.env);
	return out;
}

json_t *evaluate_json(struct evaluator *e, const json_t *input)
{
	const json_t *expr = json_object_get(input, "expr");
	struct first_fault fault = {.any = false}, ignored = {.any = false};
	arena_reset(&e->arena);
	if (!json_is_string(expr))
		return error_json("`expr` is missing", 0);
	json_t *out = with_scope(e, input, false, &fault);
	if (out)
		return out;
	/* The standard's check is optional: what it refuses may still have a value, where the fault isn't needed.
	 * A rule that the loader refuses has none. */
	out = e->rules ? NULL : with_scope(e, input, true, &ignored);
	if (out && !json_object_get(out, "error"))
		return out;
	json_decref(out);
	return error_json(fault.text, column_of(json_string_value(expr), json_string_length(expr), fault.pos));
}
