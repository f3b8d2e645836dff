/* Each allocation of an env and of a compilation fails once in turn: nothing crashes, nothing leaks (the sanitizers
 * tell), and what can't be had is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "../../daemon/core/cel.h"

static long left = -1; /* allocations until one fails; < 0: none does */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
static bool fails(void)
{
	return left >= 0 && left-- == 0;
}
void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}
void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

static void count(void *ctx, uint32_t pos, uint32_t len, const char *message)
{
	(void)pos, (void)len;
	assert_true(message[0]);
	++*(int *)ctx;
}

static const char *const expressions[] = {
	"x > 1.5 && s.matches('^(a|b)+[c-f]{2,5}$') || [1, 2, 3].exists(i, i > 2)",
	"{'a': [s + 'b', 'c'], 'b': []}.a.map(t, t.upperAscii()).join(',')",
	"p.wage * 2.0 > x ? timestamp('2023-06-01T00:00:00Z') : timestamp(0)",
	"nothing + s.foo() + p.wag + (1 + 'a')",
	"s ==",
	"'unclosed",
};

/* An env of its own with one expression. */
static void attempt(const char *text)
{
	struct cel_env *env = cel_env_new(&(struct cel_options){.has_name = true, .list_sum = true});
	if (!env)
		return;
	const struct cel_field fields[] = {{"wage", cel_type_double(env)}};
	cel_env_variable(env, "x", cel_type_double(env));
	cel_env_variable(env, "s", cel_type_string(env));
	cel_env_variable(env, "p", cel_type_record(env, "p", fields, 1));
	int faults = 0;
	struct cel_program *program = cel_compile(env, text, SIZE_MAX, count, &faults);
	assert_true(program ? faults == 0 : faults > 0);
	cel_program_free(program);
	cel_env_free(env);
}

static void each_allocation_fails_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
		long n = 0;
		do { /* left stays above 0 once fewer are made than it counts */
			left = n++;
			attempt(expressions[i]);
		} while (left < 0);
		assert_true(n > 3);
		left = -1;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_fails_once)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
