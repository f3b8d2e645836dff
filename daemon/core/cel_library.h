/* cel_library.h: functions and their overloads, the language's own and the host's. */
#ifndef CEL_LIBRARY_H
#define CEL_LIBRARY_H
#include "cel_type.h"

enum { MAX_ARGS = 6, ANY_KIND = 0xff };

struct overload {
	const char *name;
	bool method;
	bool variadic; /* takes one or more of its one argument's type */
	bool pure;     /* constant arguments: worked out at compile */
	uint8_t n;
	uint8_t kinds[MAX_ARGS]; /* of the values, or ANY_KIND */
	const struct cel_type *args[MAX_ARGS], *result;
	cel_function *call;
	cel_comparison *compare;
	const struct overload *next;  /* of the same name, method and n */
	const struct overload *first; /* of these */
	const struct overload *chain; /* in the env's table */
};

/* How the language's own functions are declared: a signature is the argument types, ':' and the result type; each
 * type is a letter: b bool, i int, u uint, d double, s string, y bytes, n null, t timestamp, p duration, T type,
 * L list of, M map of, O optional of, * dyn, 0 nothing yet, A and B any type, the same at each place. */
struct builtin {
	const char *name;
	const char *signature; /* a leading '.' marks a method, '+' a variadic function */
	cel_function *call;
};
struct library {
	const struct builtin *functions;
	size_t n;
};
extern const struct library cel_library_standard, cel_library_strings, cel_library_math, cel_library_time,
	cel_library_optional, cel_library_lists;

bool cel_library_load(struct cel_env *env);
/* The first overload of that name and shape, or NULL; n is the arguments with the receiver. */
const struct overload *cel_overload_find(const struct cel_env *env, const char *name, bool method, size_t n);
bool cel_overload_named(const struct cel_env *env, const char *name); /* with any shape */
/* The names of all functions or methods, for nearest(); in the env's memory of the caller's pool. */
size_t cel_overload_names(const struct cel_env *env, bool method, const char **names, size_t room);
/* Does the overload take these types?  Then *result is the type of the call. */
bool cel_overload_takes(struct cel_env *env, const struct overload *o, const struct cel_type *const *args, size_t n,
			const struct cel_type **result);
#endif
