/* Missing values in records and lists: unknown belongs to one field of one member, and carries its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../daemon/core/cel.h"

static char memory[1 << 16];
static size_t used;
static void *give(void *ctx, size_t size)
{
	(void)ctx;
	void *p = memory + used;
	used += size;
	return used <= sizeof memory ? p : NULL;
}

/* Three persons: the wages 100, unknown, 300; the second's name is known. */
static const char *result(const char *text)
{
	static char out[500];
	struct cel_env *env = cel_env_new(&(struct cel_options){.has_name = true, .list_sum = true});
	const struct cel_field fields[] = {{"wage", cel_type_double(env)}, {"name", cel_type_string(env)}};
	const struct cel_type *type = cel_type_record(env, "person", fields, 2);
	static const struct cel_problem why = {.text = "wage of the second"};
	struct cel_value rows[3][2] = {{cel_double(100), cel_string("a", 1)},
				       {cel_unknown(NULL), cel_string("b", 1)},
				       {cel_double(300), cel_string("c", 1)}};
	struct cel_value told[2] = {cel_unknown(&why), cel_string("d", 1)};
	struct cel_record records[4];
	struct cel_value people[3];
	for (int i = 0; i < 3; i++) {
		records[i] = (struct cel_record){type, rows[i], NULL};
		people[i] = cel_of_record(&records[i]);
	}
	records[3] = (struct cel_record){type, told, NULL};
	struct cel_value values[4], loose[2] = {cel_int(1), cel_unknown(&why)};
	values[cel_env_variable(env, "person", cel_type_list(env, type))] = cel_list(people, 3);
	values[cel_env_variable(env, "other", type)] = cel_of_record(&records[3]);
	values[cel_env_variable(env, "list", cel_type_list(env, cel_type_int(env)))] = cel_list(loose, 2);
	values[cel_env_variable(env, "none", cel_type_list(env, type))] = cel_unknown(NULL);
	struct cel_program *p = cel_compile(env, text, SIZE_MAX, NULL, NULL);
	const struct cel_heap heap = {give, NULL};
	used = 0;
	assert_non_null(p);
	struct cel_value v = cel_eval(p, &(struct cel_activation){.heap = &heap, .values = values});
	snprintf(out, sizeof out,
		 v.kind == CEL_BOOL      ? (v.b ? "true" : "false")
		 : v.kind == CEL_UNKNOWN ? "unknown:"
					 : "other");
	if (v.kind == CEL_INT)
		snprintf(out, sizeof out, "%lld", (long long)v.i);
	for (const struct cel_problem *q = v.kind == CEL_UNKNOWN ? v.problem : NULL; q; q = q->next)
		snprintf(out + strlen(out), sizeof out - strlen(out), " %s", q->text);
	cel_program_free(p);
	cel_env_free(env);
	return out;
}

static void a_list_of_records_stays_known(void **state)
{
	(void)state;
	assert_string_equal(result("person.size()"), "3");
	assert_string_equal(result("person[1].name == 'b'"), "true");
	assert_string_equal(result("person.filter(p, p.name != 'b').map(p, p.wage).sum() == 400.0"), "true");
	assert_string_equal(result("none.size()"), "unknown: none");
}

static void a_field_that_is_read_is_unknown_by_its_name(void **state)
{
	(void)state;
	assert_string_equal(result("person[1].wage > 1.0"), "unknown: person[1].wage");
	assert_string_equal(result("person.map(p, p.wage).sum() > 1.0"), "unknown: p.wage");
	assert_string_equal(result("person.filter(p, p.wage > 1.0).size()"), "unknown: p.wage");
	assert_string_equal(result("other.wage > 1.0"), "unknown: wage of the second");
	assert_string_equal(result("other['wage'] > 1.0"), "unknown: wage of the second");
	assert_string_equal(result("dyn(other)['wage'] > 1.0"), "unknown: wage of the second");
}

static void has_asks(void **state)
{
	(void)state;
	assert_string_equal(result("has(person[1].wage)"), "false");
	assert_string_equal(result("has(person[0].wage)"), "true");
	assert_string_equal(result("'wage' in person[1]"), "false");
	assert_string_equal(result("has(none)"), "false");
	assert_string_equal(result("person.all(p, !has(p.wage) || p.wage > 1.0)"), "true");
	assert_string_equal(result("person[1].size()"), "1");
	assert_string_equal(result("person[1].map(k, k) == ['name']"), "true");
}

static void exists_and_all_decide_where_they_can(void **state)
{
	(void)state;
	assert_string_equal(result("person.exists(p, p.wage > 200.0)"), "true");
	assert_string_equal(result("person.exists(p, p.wage > 900.0)"), "unknown: p.wage");
	assert_string_equal(result("person.all(p, p.wage > 200.0)"), "false");
	assert_string_equal(result("person.all(p, p.wage > 1.0)"), "unknown: p.wage");
	assert_string_equal(result("none.exists(p, p.wage > 1.0) || true"), "true");
}

static void equality_waits_for_what_decides(void **state)
{
	(void)state;
	assert_string_equal(result("person[0] == person[2]"), "false");
	assert_string_equal(result("person[1] == {'wage': 1.0, 'name': 'z'}"), "false");
	assert_string_equal(result("person[1] == {'wage': 1.0, 'name': 'b'}"), "unknown: a field");
	assert_string_equal(result("person[1] != {'wage': 1.0, 'name': 'b'}"), "unknown: a field");
}

static void a_list_may_hold_unknown_elements(void **state)
{
	(void)state;
	assert_string_equal(result("list[0]"), "1");
	assert_string_equal(result("list[1]"), "unknown: wage of the second");
	assert_string_equal(result("list.sum()"), "unknown: wage of the second");
	assert_string_equal(result("list.map(x, x)"), "unknown: wage of the second");
	assert_string_equal(result("list.exists(x, x == 1)"), "true");
	assert_string_equal(result("1 in list"), "true");
	assert_string_equal(result("2 in list"), "unknown: wage of the second");
	assert_string_equal(result("math.greatest(list) == 1"), "unknown: wage of the second");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_of_records_stays_known),
		cmocka_unit_test(a_field_that_is_read_is_unknown_by_its_name),
		cmocka_unit_test(has_asks),
		cmocka_unit_test(exists_and_all_decide_where_they_can),
		cmocka_unit_test(equality_waits_for_what_decides),
		cmocka_unit_test(a_list_may_hold_unknown_elements),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
