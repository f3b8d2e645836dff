/* How long expressions take: nanoseconds for one evaluation, the median of many runs; and the loading of a rule.
 * Beside it the figure of the reference implementation in Go on a like machine, where there is one. */
#include "../../daemon/core/cel.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 301, EVALUATIONS = 3000, LOADS = 50, MEMBERS = 6 }; /* short runs: few are disturbed */

static char memory[1 << 16];
static size_t used;
static void *give(void *ctx, size_t size)
{
	(void)ctx;
	void *p = memory + used;
	used += size;
	return used <= sizeof memory ? p : NULL;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}
static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static const struct {
	const char *what, *expr;
	double reference; /* in Go */
} benches[] = {
	{"a condition of four terms", "paid >= 40000.0 && income < 60000.0 && heads >= 2 && category == 'a household'",
	 252},
	{"a share of three doubles", "paid / (income * ratio)", 209},
	{"a macro over six members", "person.filter(p, p.grade > 0 && !p.dibao).map(p, p.wage * 0.7).sum()", 2444},
	{"exists over six members", "person.exists(p, p.grade > 2 && p.dibao)", 0},
	{"contains on 200 bytes", "text.contains('needle')", 96},
	{"matches on 200 bytes", "text.matches('n[a-e]+dle$')", 0},
};

static double median(double *each)
{
	qsort(each, RUNS, sizeof *each, by_value);
	return each[RUNS / 2];
}

static double evaluation(const struct cel_program *program, const struct cel_value *values)
{
	static const struct cel_heap heap = {give, NULL};
	const struct cel_activation activation = {.heap = &heap, .values = values};
	double each[RUNS];
	for (int run = 0; run < RUNS; run++) {
		double start = now();
		for (int i = 0; i < EVALUATIONS; i++) {
			used = 0;
			if (cel_eval(program, &activation).kind <= CEL_ERROR)
				return -1;
		}
		each[run] = (now() - start) / EVALUATIONS;
	}
	return median(each);
}

static double loading(struct cel_env *env, const char *expr)
{
	double each[RUNS];
	for (int run = 0; run < RUNS; run++) {
		double start = now();
		for (int i = 0; i < LOADS; i++)
			cel_program_free(cel_compile(env, expr, SIZE_MAX, NULL, NULL));
		each[run] = (now() - start) / LOADS;
	}
	return median(each);
}

int main(void)
{
	struct cel_env *env = cel_env_new(&(struct cel_options){.mixed_arithmetic = true, .list_sum = true});
	const struct cel_type *number = cel_type_double(env), *string = cel_type_string(env);
	const struct cel_field fields[] = {
		{"wage", number}, {"grade", cel_type_int(env)}, {"dibao", cel_type_bool(env)}};
	const struct cel_type *person = cel_type_record(env, "person", fields, 3);
	struct cel_value rows[MEMBERS][3], people[MEMBERS], values[8];
	struct cel_record records[MEMBERS];
	for (int i = 0; i < MEMBERS; i++) {
		rows[i][0] = cel_double(1000 + i);
		rows[i][1] = cel_int(i % 4);
		rows[i][2] = cel_bool(false);
		records[i] = (struct cel_record){person, rows[i], NULL};
		people[i] = cel_of_record(&records[i]);
	}
	static char text[200];
	memset(text, 'x', sizeof text);
	memcpy(text + sizeof text - 6, "needle", 6);
	values[cel_env_variable(env, "paid", number)] = cel_double(45000);
	values[cel_env_variable(env, "income", number)] = cel_double(50000);
	values[cel_env_variable(env, "ratio", number)] = cel_double(0.6);
	values[cel_env_variable(env, "heads", cel_type_int(env))] = cel_int(3);
	values[cel_env_variable(env, "category", string)] = cel_string("a household", 11);
	values[cel_env_variable(env, "text", string)] = cel_string(text, sizeof text);
	values[cel_env_variable(env, "person", cel_type_list(env, person))] = cel_list(people, MEMBERS);

	printf("%-28s %10s %12s\n", "", "ns", "in Go, ns");
	for (size_t i = 0; i < sizeof benches / sizeof *benches; i++) {
		struct cel_program *program = cel_compile(env, benches[i].expr, SIZE_MAX, NULL, NULL);
		double ns = program ? evaluation(program, values) : -1;
		cel_program_free(program);
		if (ns < 0) {
			printf("%s: it has no value\n", benches[i].what);
			return 1;
		}
		printf("%-28s %10.1f", benches[i].what, ns);
		if (benches[i].reference > 0)
			printf(" %12.0f", benches[i].reference);
		putchar('\n');
	}
	printf("%-28s %10.0f\n", "loading the first of these", loading(env, benches[0].expr));
	cel_env_free(env);
	return 0;
}
