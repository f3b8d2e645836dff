/* cel_type.h: types, and the env that owns them with the declared names.  Types are interned: equal ones are one. */
#ifndef CEL_TYPE_H
#define CEL_TYPE_H
#include "cel.h"

/* Kinds that no value has: they follow the kinds of values. */
enum {
	TYPE_DYN = CEL_UNKNOWN,
	TYPE_FREE = CEL_OPTIONAL + 1, /* the element of [] : fits everything, and gives way to everything */
	TYPE_A,
	TYPE_B, /* of a signature: any type, the same at each place */
	TYPE_KINDS
};

struct cel_type {
	uint8_t kind; /* of its values, or TYPE_DYN, TYPE_FREE */
	const char *name;
	const struct cel_type *a, *b; /* list, optional, type: element; map: key and value */
	/* record: fields; enum: the words of its closed set */
	const struct cel_field *fields;
	const char *const *words;
	size_t n;
	const char *unit; /* number: what it is counted in, or NULL */
	struct cel_type *next;
};

struct variable {
	const char *name;
	const struct cel_type *type;
};

struct block; /* memory that is freed with its owner */
struct pool {
	struct block *blocks;
	size_t used, size;
	bool failed; /* an allocation failed: whoever owns the pool reports it */
};
void *cel_pool_alloc(struct pool *pool, size_t size);              /* zeroed; NULL (and failed) when memory is out */
char *cel_pool_text(struct pool *pool, const char *s, size_t len); /* terminated copy */
void cel_pool_free(struct pool *pool);

struct overload;
struct cel_env {
	struct cel_options options;
	struct pool pool;
	struct cel_type *types; /* the interned ones */
	const struct cel_type *basic[TYPE_KINDS];
	struct variable *variables;
	uint32_t n_variables, room_variables;
	uint32_t *table; /* hash of name to index + 1 */
	uint32_t table_size;
	const struct overload *functions[256]; /* by hash of the name; newest first */
};

uint32_t cel_hash_name(const char *s, size_t len);
/* The declared variable of that name, or -1. */
int64_t cel_env_find(const struct cel_env *env, const char *name, size_t len);

bool cel_type_is(const struct cel_type *type, int kind);
bool cel_type_loose(const struct cel_type *type); /* dyn or free: nothing is known of it */
bool cel_type_number(const struct cel_type *type);
/* May a value of type from stand where to is asked for? */
bool cel_type_fits(const struct cel_type *to, const struct cel_type *from);
/* The type of a place that holds values of both. */
const struct cel_type *cel_type_join(struct cel_env *env, const struct cel_type *a, const struct cel_type *b);
/* Does it hold a record, as itself or as an element? */
const struct cel_type *cel_record_of(const struct cel_type *type);
/* The standard's name of the type of values of a kind, and that type as a value's pointer. */
const struct cel_type *cel_type_of_kind(int kind);
int cel_type_field(const struct cel_type *record, const char *name, size_t len); /* index or -1 */
#endif
