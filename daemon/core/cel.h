/* cel.h: the Common Expression Language (cel-spec, doc/langdef.md) in C; compile once, evaluate often.
 *
 * Stands alone: nothing here knows of Shouwang.  Memory for evaluation comes from the caller's heap hook
 * (an arena reset after each use); the library never calls malloc while evaluating.
 *
 *     struct cel_env *env = cel_env_new(&(struct cel_options){0});
 *     uint32_t x = cel_env_variable(env, "x", cel_type_double(env));
 *     struct cel_program *p = cel_compile(env, "x > 1.5 ? 'high' : 'low'", SIZE_MAX, NULL, NULL);
 *     struct cel_value v[] = {cel_double(2.0)};
 *     struct cel_value r = cel_eval(p, &(struct cel_activation){.heap = &heap, .values = v});
 *     printf("%.*s\n", (int)r.len, r.s);        // high
 *     cel_program_free(p); cel_env_free(env);
 *
 * Ownership: an env owns its types and declarations; a program borrows its env, which must outlive it, and is
 * immutable and may be evaluated by several threads at once.  Values borrow their bytes.
 */
#ifndef CEL_H
#define CEL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cel_kind {
	CEL_UNKNOWN,
	CEL_ERROR,
	CEL_NULL,
	CEL_BOOL,
	CEL_INT,
	CEL_UINT,
	CEL_DOUBLE,
	CEL_STRING,
	CEL_BYTES,
	CEL_LIST,
	CEL_MAP,
	CEL_TIMESTAMP,
	CEL_DURATION,
	CEL_TYPE,
	CEL_OPTIONAL
};

/* One value, 16 bytes.  A record (a map with declared fields) is a CEL_MAP with sub == CEL_SUB_RECORD. */
enum cel_sub { CEL_SUB_NONE, CEL_SUB_RECORD };
struct cel_value {
	uint8_t kind; /* enum cel_kind */
	uint8_t sub;  /* enum cel_sub, of a map */
	uint16_t unused;
	union {
		uint32_t len;   /* string, bytes: bytes; list: elements; map: entries */
		uint32_t nanos; /* timestamp, duration: 0 to 999,999,999, added to i (seconds) */
	};
	union {
		bool b;
		int64_t i; /* int; timestamp, duration: whole seconds, rounded down */
		uint64_t u;
		double d;
		const char *s;                     /* string (UTF-8), bytes; not terminated */
		const struct cel_value *items;     /* list: len values; map: len pairs key, value */
		const struct cel_record *record;   /* map, sub record */
		const struct cel_type *type;       /* type */
		const struct cel_value *some;      /* optional: NULL is none */
		const struct cel_problem *problem; /* error, unknown: why; may be NULL for unknown */
	};
};

/* Why a value is an error or unknown.  text is one sentence (error) or the missing name as written (unknown);
 * unknowns of several operands are chained. */
struct cel_problem {
	const char *text;
	uint32_t pos; /* byte offset in the expression, of the sub-expression that failed */
	const struct cel_problem *next;
};

/* A map whose fields are declared: fields[i] belongs to type->fields[i]; a field of kind CEL_UNKNOWN is missing:
 * reading it is unknown, has() is false. */
struct cel_record {
	const struct cel_type *type;
	const struct cel_value *fields;
	const void *host; /* the owner's own */
};

struct cel_field {
	const char *name;
	const struct cel_type *type;
};

struct cel_heap {
	void *(*alloc)(void *ctx, size_t size); /* 8-aligned, freed by its owner; NULL becomes an error value */
	void *ctx;
};

/* --- what a program may see */
struct cel_env;
struct cel_program;
struct cel_zone;

struct cel_options {
	bool mixed_arithmetic;    /* an int that meets a double becomes a double, in arithmetic too */
	bool refuse_int_division; /* int / int is a fault ("drops the remainder; write double(a) / b") */
	bool refuse_utc_getters;  /* getMonth() and its like need a time zone */
	bool has_name;            /* has(x) of a bare variable: is it known? */
	bool dynamic;        /* no check: faults of types and names are errors of evaluation, where they are needed */
	bool list_sum;       /* list.sum(): of ints, uints, doubles (mixed become double) or durations; empty: 0 */
	uint64_t cost_limit; /* at compile: a larger static estimate is a fault; 0: no limit */
	const struct cel_zone *(*zone)(void *ctx, const char *name,
				       size_t len); /* IANA zone by name, NULL: no such;
							NULL hook: UTC and +08:00 only; a name
							that is constant is asked for at compile */
	void *zone_ctx;
};

struct cel_env *cel_env_new(const struct cel_options *options); /* copies */
void cel_env_free(struct cel_env *env);

/* Types live as long as the env. */
const struct cel_type *cel_type_dyn(struct cel_env *env);
const struct cel_type *cel_type_null(struct cel_env *env);
const struct cel_type *cel_type_bool(struct cel_env *env);
const struct cel_type *cel_type_int(struct cel_env *env);
const struct cel_type *cel_type_uint(struct cel_env *env);
const struct cel_type *cel_type_double(struct cel_env *env);
const struct cel_type *cel_type_string(struct cel_env *env);
const struct cel_type *cel_type_bytes(struct cel_env *env);
const struct cel_type *cel_type_timestamp(struct cel_env *env);
const struct cel_type *cel_type_duration(struct cel_env *env);
const struct cel_type *cel_type_list(struct cel_env *env, const struct cel_type *element);
const struct cel_type *cel_type_map(struct cel_env *env, const struct cel_type *key, const struct cel_type *value);
const struct cel_type *cel_type_optional(struct cel_env *env, const struct cel_type *value);
/* A string of a closed set: comparing it with a literal outside the set is a fault that names the nearest.
 * Copies the names.  name says what it is of, for the message ("category"). */
const struct cel_type *cel_type_enum(struct cel_env *env, const char *name, const char *const *values, size_t n);
/* A map with declared fields; selecting another is a fault that names the nearest.  Copies the names. */
const struct cel_type *cel_type_record(struct cel_env *env, const char *name, const struct cel_field *fields, size_t n);
/* An int or a double that is counted in a unit ("yuan/month").  Comparing, adding or subtracting two of different units
 * is a fault; a number without a unit fits any; times or through a number without one it keeps its unit. */
const struct cel_type *cel_type_with_unit(struct cel_env *env, const struct cel_type *number, const char *unit);
const char *cel_type_unit(const struct cel_type *type);   /* NULL: none */
const char *cel_type_name(const struct cel_type *type);   /* "list(int)"; lives as long as the env */
enum cel_kind cel_type_kind(const struct cel_type *type); /* dyn: CEL_UNKNOWN */

/* Declares a variable, also a qualified one ("threshold.medical_burden"), and returns its index, counted from 0 in
 * the order of declaration.  Declaring a name again replaces its type and keeps its index. */
uint32_t cel_env_variable(struct cel_env *env, const char *name, const struct cel_type *type);
/* The declared type of a variable. */
const struct cel_type *cel_env_variable_type(const struct cel_env *env, uint32_t variable);

/* A host function.  args are neither error nor unknown (those are absorbed before the call).  May return an error
 * (cel_fail) or an unknown.  ctx is the activation's. */
struct cel_call {
	const struct cel_activation *activation;
	uint32_t pos;
};
typedef struct cel_value cel_function(const struct cel_call *call, const struct cel_value *args, size_t n);
/* Where one side of a comparison is a call of this function, this is called instead of it and of the comparison:
 * args, then other; op reads as "f(args) op other" (already mirrored where the call stood on the right).
 * It lets a host learn when a comparison of a function of time will change. */
enum cel_compare { CEL_LT, CEL_LE, CEL_GE, CEL_GT, CEL_EQ, CEL_NE };
typedef struct cel_value cel_comparison(const struct cel_call *call, const struct cel_value *args, size_t n,
					enum cel_compare op, struct cel_value other);
struct cel_declaration {
	const char *name;
	bool method; /* x.f(y): args[0] is x */
	const struct cel_type *result;
	const struct cel_type *args[6];
	size_t n;
	cel_function *call;
	cel_comparison *compare; /* or NULL; then only where other's static type is int, uint or double */
};
void cel_env_function(struct cel_env *env, const struct cel_declaration *declaration); /* overloads by arity and type */

/* --- compile */
/* Called once for each fault, in the order of their places; pos is a byte offset in text, len the marked bytes. */
typedef void cel_fault(void *ctx, uint32_t pos, uint32_t len, const char *message);
/* Lexes, parses, checks and compiles text (len SIZE_MAX: terminated).  Returns NULL after at least one fault. */
struct cel_program *cel_compile(struct cel_env *env, const char *text, size_t len, cel_fault *fault, void *fault_ctx);
void cel_program_free(struct cel_program *program);
const struct cel_type *cel_program_type(const struct cel_program *program);
uint64_t cel_program_cost(const struct cel_program *program);    /* static upper estimate, in steps, sizes assumed */
const char *cel_program_text(const struct cel_program *program); /* terminated copy */
/* The variables that it may read, as indexes, ascending and without repeats. */
const uint32_t *cel_program_variables(const struct cel_program *program, size_t *n);
/* The fields of records of the given type that it may read, as a bit set (bit i: fields[i]; all bits where it takes
 * a record whole). */
uint64_t cel_program_fields(const struct cel_program *program, const struct cel_type *record);
/* True and the path's last name where the whole expression is just root.name ("data.self_paid"). */
bool cel_program_is_field(const struct cel_program *program, const char *root, const char **name);

/* --- evaluate */
struct cel_activation {
	const struct cel_heap *heap;
	const struct cel_value *values; /* by variable index; or, where NULL: */
	struct cel_value (*load)(void *ctx, uint32_t variable);
	void *ctx;       /* for load and host functions */
	uint64_t budget; /* hard bound on steps; 0: 1,000,000.  Beyond it: an error "cost" */
};
/* The result; error and unknown are values too.  Lives as long as the heap, the inputs and the program. */
struct cel_value cel_eval(const struct cel_program *program, const struct cel_activation *activation);
/* As cel_eval, and calls seen for each sub-expression that was evaluated, innermost first, with its place. */
typedef void cel_seen(void *ctx, uint32_t pos, uint32_t len, struct cel_value value);
struct cel_value cel_trace(const struct cel_program *program, const struct cel_activation *activation, cel_seen *seen,
			   void *seen_ctx);

/* --- values */
static inline struct cel_value cel_null(void)
{
	return (struct cel_value){.kind = CEL_NULL};
}
static inline struct cel_value cel_bool(bool b)
{
	return (struct cel_value){.kind = CEL_BOOL, .i = b};
}
static inline struct cel_value cel_int(int64_t i)
{
	return (struct cel_value){.kind = CEL_INT, .i = i};
}
static inline struct cel_value cel_uint(uint64_t u)
{
	return (struct cel_value){.kind = CEL_UINT, .u = u};
}
static inline struct cel_value cel_double(double d)
{
	return (struct cel_value){.kind = CEL_DOUBLE, .d = d};
}
static inline struct cel_value cel_string(const char *s, size_t len)
{
	return (struct cel_value){.kind = CEL_STRING, .len = (uint32_t)len, .s = s};
}
static inline struct cel_value cel_list(const struct cel_value *items, size_t n)
{
	return (struct cel_value){.kind = CEL_LIST, .len = (uint32_t)n, .items = items};
}
static inline struct cel_value cel_of_record(const struct cel_record *record)
{
	return (struct cel_value){.kind = CEL_MAP, .sub = CEL_SUB_RECORD, .record = record};
}
static inline struct cel_value cel_timestamp(int64_t seconds, uint32_t nanos)
{
	return (struct cel_value){.kind = CEL_TIMESTAMP, .nanos = nanos, .i = seconds};
}
static inline struct cel_value cel_unknown(const struct cel_problem *why)
{
	return (struct cel_value){.kind = CEL_UNKNOWN, .problem = why};
}
/* An error with a formatted sentence, from the call's heap. */
__attribute__((format(printf, 2, 3))) struct cel_value cel_fail(const struct cel_call *call, const char *format, ...);
bool cel_equal(struct cel_value a, struct cel_value b); /* the standard's ==, errors and unknowns never equal */

/* The nearest of the names to a word that is none of them (edits of code points); NULL: none is near. */
const char *cel_nearest(const char *word, const char *const *names, size_t n);

/* --- time zones: IANA TZif data, handed in as bytes; immutable, shared between threads */
struct cel_zone *cel_zone_new(const void *tzif, size_t size); /* NULL: not a TZif file */
void cel_zone_free(struct cel_zone *zone);
/* Seconds east of UTC at an instant (seconds since 1970). */
int32_t cel_zone_offset(const struct cel_zone *zone, int64_t seconds);
/* The instant at which the local day (days since 1970-01-01) begins: 00:00, or the first instant of the day where
 * 00:00 is skipped. */
int64_t cel_zone_midnight(const struct cel_zone *zone, int64_t day);

/* --- the proleptic Gregorian calendar; days since 1970-01-01 */
int64_t cel_days_from_civil(int64_t year, unsigned month, unsigned day);
void cel_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day);
/* RFC 3339 text to an instant; false: not one (or a day that does not exist). */
bool cel_parse_timestamp(const char *s, size_t len, int64_t *seconds, uint32_t *nanos);
#endif
