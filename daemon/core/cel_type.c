/* cel_type.c: types, the env's declared variables, and the memory pool of compile time. */
#include "cel_library.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
	struct block *next;
	max_align_t data[];
};

void *cel_pool_alloc(struct pool *pool, size_t size)
{
	size = (size + 15) & ~(size_t)15;
	if (!pool->blocks || pool->size - pool->used < size) {
		size_t room = pool->blocks ? 16384 : 2048;
		if (size > room)
			room = size;
		struct block *b = malloc(sizeof *b + room);
		if (!b) {
			pool->failed = true;
			return NULL;
		}
		b->next = pool->blocks;
		pool->blocks = b;
		pool->used = 0;
		pool->size = room;
	}
	void *p = (char *)pool->blocks->data + pool->used;
	pool->used += size;
	return memset(p, 0, size);
}

char *cel_pool_text(struct pool *pool, const char *s, size_t len)
{
	char *p = cel_pool_alloc(pool, len + 1);
	if (p && len)
		memcpy(p, s, len);
	return p;
}

void cel_pool_free(struct pool *pool)
{
	for (struct block *b = pool->blocks, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	*pool = (struct pool){0};
}

/* --- types */
#define RUNTIME(k, n) [k] = {.kind = k, .name = n}
static const struct cel_type runtime[] = {
	RUNTIME(TYPE_DYN, "dyn"),
	RUNTIME(CEL_ERROR, "error"),
	RUNTIME(CEL_NULL, "null_type"),
	RUNTIME(CEL_BOOL, "bool"),
	RUNTIME(CEL_INT, "int"),
	RUNTIME(CEL_UINT, "uint"),
	RUNTIME(CEL_DOUBLE, "double"),
	RUNTIME(CEL_STRING, "string"),
	RUNTIME(CEL_BYTES, "bytes"),
	RUNTIME(CEL_LIST, "list"),
	RUNTIME(CEL_MAP, "map"),
	RUNTIME(CEL_TIMESTAMP, "google.protobuf.Timestamp"),
	RUNTIME(CEL_DURATION, "google.protobuf.Duration"),
	RUNTIME(CEL_TYPE, "type"),
	RUNTIME(CEL_OPTIONAL, "optional_type"),
	RUNTIME(TYPE_FREE, "dyn"),
	RUNTIME(TYPE_A, "A"),
	RUNTIME(TYPE_B, "B"),
};

const struct cel_type *cel_type_of_kind(int kind)
{
	return &runtime[kind];
}

bool cel_type_is(const struct cel_type *type, int kind)
{
	return type->kind == kind;
}
bool cel_type_loose(const struct cel_type *type)
{
	return type->kind == TYPE_DYN || type->kind == TYPE_FREE;
}
bool cel_type_number(const struct cel_type *type)
{
	return type->kind == CEL_INT || type->kind == CEL_UINT || type->kind == CEL_DOUBLE;
}

static const struct cel_type *intern(struct cel_env *env, int kind, const struct cel_type *a, const struct cel_type *b)
{
	for (struct cel_type *t = env->types; t; t = t->next)
		if (t->kind == kind && t->a == a && t->b == b)
			return t;
	struct cel_type *t = cel_pool_alloc(&env->pool, sizeof *t);
	if (!t)
		return env->basic[TYPE_DYN];
	static const char *const names[TYPE_KINDS] = {
		[CEL_LIST] = "list", [CEL_MAP] = "map", [CEL_OPTIONAL] = "optional", [CEL_TYPE] = "type"};
	size_t room = strlen(names[kind]) + strlen(a->name) + (b ? strlen(b->name) : 0) + 5;
	char *name = cel_pool_alloc(&env->pool, room);
	if (!name)
		return env->basic[TYPE_DYN];
	snprintf(name, room, b ? "%s(%s, %s)" : "%s(%s)", names[kind], a->name, b ? b->name : "");
	*t = (struct cel_type){.kind = (uint8_t)kind, .name = name, .a = a, .b = b, .next = env->types};
	env->types = t;
	return t;
}

const struct cel_type *cel_type_dyn(struct cel_env *env)
{
	return env->basic[TYPE_DYN];
}
const struct cel_type *cel_type_null(struct cel_env *env)
{
	return env->basic[CEL_NULL];
}
const struct cel_type *cel_type_bool(struct cel_env *env)
{
	return env->basic[CEL_BOOL];
}
const struct cel_type *cel_type_int(struct cel_env *env)
{
	return env->basic[CEL_INT];
}
const struct cel_type *cel_type_uint(struct cel_env *env)
{
	return env->basic[CEL_UINT];
}
const struct cel_type *cel_type_double(struct cel_env *env)
{
	return env->basic[CEL_DOUBLE];
}
const struct cel_type *cel_type_string(struct cel_env *env)
{
	return env->basic[CEL_STRING];
}
const struct cel_type *cel_type_bytes(struct cel_env *env)
{
	return env->basic[CEL_BYTES];
}
const struct cel_type *cel_type_timestamp(struct cel_env *env)
{
	return env->basic[CEL_TIMESTAMP];
}
const struct cel_type *cel_type_duration(struct cel_env *env)
{
	return env->basic[CEL_DURATION];
}
const struct cel_type *cel_type_list(struct cel_env *env, const struct cel_type *element)
{
	return intern(env, CEL_LIST, element, NULL);
}
const struct cel_type *cel_type_map(struct cel_env *env, const struct cel_type *key, const struct cel_type *value)
{
	return intern(env, CEL_MAP, key, value);
}
const struct cel_type *cel_type_optional(struct cel_env *env, const struct cel_type *value)
{
	return intern(env, CEL_OPTIONAL, value, NULL);
}

const struct cel_type *cel_type_enum(struct cel_env *env, const char *name, const char *const *values, size_t n)
{
	struct cel_type *t = cel_pool_alloc(&env->pool, sizeof *t);
	const char **words = cel_pool_alloc(&env->pool, (n + 1) * sizeof *words);
	if (!t || !words)
		return env->basic[CEL_STRING];
	for (size_t i = 0; i < n; i++)
		words[i] = cel_pool_text(&env->pool, values[i], strlen(values[i]));
	*t = (struct cel_type){
		.kind = CEL_STRING, .name = cel_pool_text(&env->pool, name, strlen(name)), .words = words, .n = n};
	return env->pool.failed ? env->basic[CEL_STRING] : t;
}

const struct cel_type *cel_type_record(struct cel_env *env, const char *name, const struct cel_field *fields, size_t n)
{
	struct cel_type *t = cel_pool_alloc(&env->pool, sizeof *t);
	struct cel_field *copy = cel_pool_alloc(&env->pool, (n + 1) * sizeof *copy);
	if (!t || !copy)
		return env->basic[TYPE_DYN];
	for (size_t i = 0; i < n; i++)
		copy[i] = (struct cel_field){cel_pool_text(&env->pool, fields[i].name, strlen(fields[i].name)),
					     fields[i].type};
	*t = (struct cel_type){.kind = CEL_MAP,
			       .name = cel_pool_text(&env->pool, name, strlen(name)),
			       .a = env->basic[CEL_STRING],
			       .b = env->basic[TYPE_DYN],
			       .fields = copy,
			       .n = n};
	return env->pool.failed ? env->basic[TYPE_DYN] : t;
}

const struct cel_type *cel_type_with_unit(struct cel_env *env, const struct cel_type *number, const char *unit)
{
	if (!unit || (number->kind != CEL_INT && number->kind != CEL_DOUBLE))
		return number;
	for (struct cel_type *t = env->types; t; t = t->next)
		if (t->kind == number->kind && t->unit && strcmp(t->unit, unit) == 0)
			return t;
	struct cel_type *t = cel_pool_alloc(&env->pool, sizeof *t);
	char *copy = cel_pool_text(&env->pool, unit, strlen(unit));
	if (!t || !copy)
		return number;
	*t = (struct cel_type){.kind = number->kind, .name = number->name, .unit = copy, .next = env->types};
	env->types = t;
	return t;
}

const char *cel_type_unit(const struct cel_type *type)
{
	return type->unit;
}

const char *cel_type_name(const struct cel_type *type)
{
	return type->words ? "string" : type->name;
}
enum cel_kind cel_type_kind(const struct cel_type *type)
{
	return type->kind == TYPE_FREE ? CEL_UNKNOWN : (enum cel_kind)type->kind;
}

int cel_type_field(const struct cel_type *record, const char *name, size_t len)
{
	for (size_t i = 0; i < record->n; i++)
		if (strncmp(record->fields[i].name, name, len) == 0 && record->fields[i].name[len] == '\0')
			return (int)i;
	return -1;
}

bool cel_type_fits(const struct cel_type *to, const struct cel_type *from)
{
	if (to == from || cel_type_loose(to) || cel_type_loose(from))
		return true;
	if (to->kind != from->kind)
		return false;
	if (to->fields && from->fields)
		return false;
	switch (to->kind) {
	case CEL_LIST:
	case CEL_OPTIONAL:
		return cel_type_fits(to->a, from->a);
	case CEL_MAP:
		return cel_type_fits(to->a, from->a) && cel_type_fits(to->b, from->b);
	default:
		return true;
	}
}

const struct cel_type *cel_type_join(struct cel_env *env, const struct cel_type *a, const struct cel_type *b)
{
	if (a == b || b->kind == TYPE_FREE)
		return a;
	if (a->kind == TYPE_FREE)
		return b;
	if (a->kind != b->kind || a->kind == TYPE_DYN || (a->fields && b->fields))
		return env->basic[TYPE_DYN];
	switch (a->kind) {
	case CEL_LIST:
	case CEL_OPTIONAL:
		return intern(env, a->kind, cel_type_join(env, a->a, b->a), NULL);
	case CEL_MAP:
		return intern(env, CEL_MAP, cel_type_join(env, a->a, b->a), cel_type_join(env, a->b, b->b));
	default:
		if (a->words || b->words || (a->unit && b->unit))
			return env->basic[a->kind];
		return a->unit ? a : b;
	}
}

const struct cel_type *cel_record_of(const struct cel_type *type)
{
	while (type && !type->fields)
		type = type->kind == CEL_MAP                                  ? type->b
		       : type->kind == CEL_LIST || type->kind == CEL_OPTIONAL ? type->a
									      : NULL;
	return type;
}

/* --- the env */
struct cel_env *cel_env_new(const struct cel_options *options)
{
	struct cel_env *env = calloc(1, sizeof *env);
	if (!env)
		return NULL;
	env->options = *options;
	for (int k = 0; k < TYPE_KINDS; k++)
		env->basic[k] = &runtime[k];
	static const struct cel_type timestamp = {.kind = CEL_TIMESTAMP, .name = "timestamp"};
	static const struct cel_type duration = {.kind = CEL_DURATION, .name = "duration"};
	env->basic[CEL_TIMESTAMP] = &timestamp;
	env->basic[CEL_DURATION] = &duration;
	env->basic[CEL_LIST] = intern(env, CEL_LIST, env->basic[TYPE_DYN], NULL);
	env->basic[CEL_MAP] = intern(env, CEL_MAP, env->basic[TYPE_DYN], env->basic[TYPE_DYN]);
	env->basic[CEL_OPTIONAL] = intern(env, CEL_OPTIONAL, env->basic[TYPE_DYN], NULL);
	if (env->pool.failed || !cel_library_load(env)) {
		cel_env_free(env);
		return NULL;
	}
	return env;
}

void cel_env_free(struct cel_env *env)
{
	if (!env)
		return;
	cel_pool_free(&env->pool);
	free(env->variables);
	free(env->table);
	free(env);
}

uint32_t cel_hash_name(const char *s, size_t len)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)s[i]) * 16777619u;
	return h;
}

int64_t cel_env_find(const struct cel_env *env, const char *name, size_t len)
{
	if (!env->table_size)
		return -1;
	for (uint32_t h = cel_hash_name(name, len);; h++) {
		uint32_t at = env->table[h & (env->table_size - 1)];
		if (!at)
			return -1;
		const char *s = env->variables[at - 1].name;
		if (strncmp(s, name, len) == 0 && s[len] == '\0')
			return at - 1;
	}
}

static void rehash(struct cel_env *env, uint32_t size)
{
	uint32_t *table = calloc(size, sizeof *table);
	if (!table) {
		env->pool.failed = true;
		return;
	}
	for (uint32_t i = 0; i < env->n_variables; i++) {
		uint32_t h = cel_hash_name(env->variables[i].name, strlen(env->variables[i].name));
		while (table[h & (size - 1)])
			h++;
		table[h & (size - 1)] = i + 1;
	}
	free(env->table);
	env->table = table;
	env->table_size = size;
}

uint32_t cel_env_variable(struct cel_env *env, const char *name, const struct cel_type *type)
{
	int64_t old = cel_env_find(env, name, strlen(name));
	if (old >= 0) {
		env->variables[old].type = type;
		return (uint32_t)old;
	}
	if (env->n_variables == env->room_variables) {
		uint32_t room = env->room_variables ? 2 * env->room_variables : 16;
		struct variable *more = realloc(env->variables, room * sizeof *more);
		if (!more) {
			env->pool.failed = true;
			return env->n_variables;
		}
		env->variables = more;
		env->room_variables = room;
	}
	char *copy = cel_pool_text(&env->pool, name, strlen(name));
	if (!copy)
		return env->n_variables;
	env->variables[env->n_variables++] = (struct variable){copy, type};
	if (env->n_variables * 2 > env->table_size)
		rehash(env, env->table_size ? env->table_size * 2 : 32);
	else {
		uint32_t h = cel_hash_name(name, strlen(name));
		while (env->table[h & (env->table_size - 1)])
			h++;
		env->table[h & (env->table_size - 1)] = env->n_variables;
	}
	return env->n_variables - 1;
}

const struct cel_type *cel_env_variable_type(const struct cel_env *env, uint32_t variable)
{
	return variable < env->n_variables ? env->variables[variable].type : NULL;
}
