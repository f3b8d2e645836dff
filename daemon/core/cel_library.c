/* cel_library.c: the env's functions by name, and which overload takes which types. */
#include "cel_library.h"
#include <string.h>

static const struct cel_type *letter(struct cel_env *env, const char **at)
{
	static const struct {
		char letter;
		uint8_t kind;
	} kinds[] = {
		{'b', CEL_BOOL},  {'i', CEL_INT},   {'u', CEL_UINT},      {'d', CEL_DOUBLE},   {'s', CEL_STRING},
		{'y', CEL_BYTES}, {'n', CEL_NULL},  {'t', CEL_TIMESTAMP}, {'p', CEL_DURATION}, {'T', CEL_TYPE},
		{'*', TYPE_DYN},  {'0', TYPE_FREE}, {'A', TYPE_A},        {'B', TYPE_B},
	};
	char ch = *(*at)++;
	if (ch == 'L')
		return cel_type_list(env, letter(env, at));
	if (ch == 'O')
		return cel_type_optional(env, letter(env, at));
	if (ch == 'M') {
		const struct cel_type *key = letter(env, at);
		return cel_type_map(env, key, letter(env, at));
	}
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (kinds[i].letter == ch)
			return env->basic[kinds[i].kind];
	return env->basic[TYPE_DYN];
}

static bool same_shape(const struct overload *o, const char *name, bool method, size_t n)
{
	return o->method == method && (o->n == n || (o->variadic && n >= 1)) && strcmp(o->name, name) == 0;
}

static void insert(struct cel_env *env, struct overload *o)
{
	for (int i = 0; i < o->n; i++) {
		int kind = o->args[i]->kind;
		o->kinds[i] = kind == TYPE_DYN || kind >= TYPE_FREE ? ANY_KIND : (uint8_t)kind;
	}
	const struct overload **bucket = &env->functions[cel_hash_name(o->name, strlen(o->name)) % 256];
	o->chain = *bucket;
	o->next = cel_overload_find(env, o->name, o->method, o->n);
	*bucket = o;
	for (struct overload *each = o; each; each = (struct overload *)(uintptr_t)each->next)
		each->first = o;
}

static bool load_one(struct cel_env *env, const struct builtin *b)
{
	struct overload *o = cel_pool_alloc(&env->pool, sizeof *o);
	if (!o)
		return false;
	const char *at = b->signature;
	*o = (struct overload){.name = b->name, .call = b->call, .pure = true};
	if (*at == '.' || *at == '+') {
		o->method = *at == '.';
		o->variadic = *at == '+';
		at++;
	}
	while (*at != ':')
		o->args[o->n++] = letter(env, &at);
	at++;
	o->result = letter(env, &at);
	insert(env, o);
	return true;
}

bool cel_library_load(struct cel_env *env)
{
	const struct library *all[] = {&cel_library_standard, &cel_library_strings,
				       &cel_library_math,     &cel_library_time,
				       &cel_library_optional, env->options.list_sum ? &cel_library_lists : NULL};
	for (size_t k = 0; k < sizeof all / sizeof *all; k++)
		for (size_t i = all[k] ? all[k]->n : 0; i-- > 0;)
			if (!load_one(env, &all[k]->functions[i]))
				return false;
	return !env->pool.failed;
}

void cel_env_function(struct cel_env *env, const struct cel_declaration *d)
{
	struct overload *o = cel_pool_alloc(&env->pool, sizeof *o);
	char *name = cel_pool_text(&env->pool, d->name, strlen(d->name));
	if (!o || !name || d->n > MAX_ARGS)
		return;
	*o = (struct overload){.name = name,
			       .method = d->method,
			       .n = (uint8_t)d->n,
			       .result = d->result,
			       .call = d->call,
			       .compare = d->compare};
	memcpy(o->args, d->args, d->n * sizeof *d->args);
	insert(env, o);
}

const struct overload *cel_overload_find(const struct cel_env *env, const char *name, bool method, size_t n)
{
	const struct overload *o = env->functions[cel_hash_name(name, strlen(name)) % 256];
	while (o && !same_shape(o, name, method, n))
		o = o->chain;
	return o;
}

bool cel_overload_named(const struct cel_env *env, const char *name)
{
	const struct overload *o = env->functions[cel_hash_name(name, strlen(name)) % 256];
	while (o && strcmp(o->name, name) != 0)
		o = o->chain;
	return o != NULL;
}

size_t cel_overload_names(const struct cel_env *env, bool method, const char **names, size_t room)
{
	size_t n = 0;
	for (size_t i = 0; i < 256; i++)
		for (const struct overload *o = env->functions[i]; o && n < room; o = o->chain)
			if (o->method == method)
				names[n++] = o->name;
	return n;
}

/* --- signatures against types */
struct binding {
	const struct cel_type *types[2]; /* of A and B */
};

static bool match(struct cel_env *env, struct binding *bound, const struct cel_type *want, const struct cel_type *have)
{
	if (want->kind == TYPE_A || want->kind == TYPE_B) {
		const struct cel_type **slot = &bound->types[want->kind - TYPE_A];
		if (*slot && !cel_type_fits(*slot, have) && !(cel_type_number(*slot) && cel_type_number(have)))
			return false;
		*slot = *slot ? cel_type_join(env, *slot, have) : have;
		return true;
	}
	if (cel_type_loose(want) || cel_type_loose(have))
		return true;
	if (want->kind != have->kind)
		return false;
	if (want->kind == CEL_LIST || want->kind == CEL_OPTIONAL)
		return match(env, bound, want->a, have->a);
	if (want->kind == CEL_MAP && !want->fields)
		return match(env, bound, want->a, have->a) && match(env, bound, want->b, have->b);
	return cel_type_fits(want, have);
}

static const struct cel_type *fill(struct cel_env *env, const struct binding *bound, const struct cel_type *type)
{
	if (type->kind == TYPE_A || type->kind == TYPE_B) {
		const struct cel_type *t = bound->types[type->kind - TYPE_A];
		return t ? t : env->basic[TYPE_DYN];
	}
	if (type->fields || type->words)
		return type;
	switch (type->kind) {
	case CEL_LIST:
		return cel_type_list(env, fill(env, bound, type->a));
	case CEL_OPTIONAL:
		return cel_type_optional(env, fill(env, bound, type->a));
	case CEL_MAP:
		return cel_type_map(env, fill(env, bound, type->a), fill(env, bound, type->b));
	default:
		return type;
	}
}

bool cel_overload_takes(struct cel_env *env, const struct overload *o, const struct cel_type *const *args, size_t n,
			const struct cel_type **result)
{
	struct binding bound = {{NULL, NULL}};
	for (size_t i = 0; i < n; i++)
		if (!match(env, &bound, o->args[o->variadic ? 0 : i], args[i]))
			return false;
	*result = fill(env, &bound, o->result);
	return true;
}
