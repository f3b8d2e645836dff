/* The expression language's C interface: records, host functions, fused comparisons, faults, bounds, traces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../daemon/core/cel.h"

struct memory {
	char data[1 << 16];
	size_t used;
	long left; /* allocations until one fails; < 0: none does */
};
static void *give(void *ctx, size_t size)
{
	struct memory *m = ctx;
	if (m->left == 0 || size > sizeof m->data - m->used)
		return NULL;
	m->left--;
	void *p = m->data + m->used;
	m->used += size;
	return p;
}

/* A household: variables x (double), s (string), category (enum), person (list of records), data (record). */
struct fixture {
	struct cel_env *env;
	const struct cel_type *person, *data;
	struct cel_value rows[3][3], people[3], fields[1], values[5];
	struct cel_record records[3], data_record;
	struct memory memory;
	struct cel_heap heap;
};

static int setup(void **state)
{
	static const char *const words[] = {"脱贫不稳定户", "边缘易致贫户", "一般户"};
	struct fixture *f = calloc(1, sizeof *f);
	f->env = cel_env_new(&(struct cel_options){.has_name = true, .list_sum = true, .mixed_arithmetic = true});
	f->person = cel_type_record(f->env, "person",
				    (struct cel_field[]){{"wage", cel_type_double(f->env)},
							 {"born", cel_type_timestamp(f->env)},
							 {"ill", cel_type_bool(f->env)}},
				    3);
	f->data = cel_type_record(f->env, "data", (struct cel_field[]){{"self_paid", cel_type_double(f->env)}}, 1);
	for (int i = 0; i < 3; i++) {
		f->rows[i][0] = cel_double(100 * (i + 1));
		f->rows[i][1] = cel_timestamp(86400 * i, 0);
		f->rows[i][2] = cel_bool(i == 2);
		f->records[i] = (struct cel_record){f->person, f->rows[i], NULL};
		f->people[i] = cel_of_record(&f->records[i]);
	}
	f->fields[0] = cel_double(7);
	f->data_record = (struct cel_record){f->data, f->fields, NULL};
	f->values[cel_env_variable(f->env, "x", cel_type_double(f->env))] = cel_double(2.5);
	f->values[cel_env_variable(f->env, "s", cel_type_string(f->env))] = cel_string("abc", 3);
	f->values[cel_env_variable(f->env, "category", cel_type_enum(f->env, "category", words, 3))] =
		cel_string(words[2], strlen(words[2]));
	f->values[cel_env_variable(f->env, "person", cel_type_list(f->env, f->person))] = cel_list(f->people, 3);
	f->values[cel_env_variable(f->env, "data", f->data)] = cel_of_record(&f->data_record);
	f->memory.left = -1;
	f->heap = (struct cel_heap){give, &f->memory};
	*state = f;
	return 0;
}
static int teardown(void **state)
{
	struct fixture *f = *state;
	cel_env_free(f->env);
	free(f);
	return 0;
}

struct told {
	char text[1000];
};
static void tell(void *ctx, uint32_t pos, uint32_t len, const char *message)
{
	struct told *t = ctx;
	size_t at = strlen(t->text);
	snprintf(t->text + at, sizeof t->text - at, "%u+%u %s\n", pos, len, message);
}

static struct cel_program *compile(struct fixture *f, const char *text)
{
	struct told told = {""};
	struct cel_program *p = cel_compile(f->env, text, SIZE_MAX, tell, &told);
	if (!p)
		fail_msg("%s: %s", text, told.text);
	return p;
}
static struct cel_value run(struct fixture *f, struct cel_program *p)
{
	f->memory.used = 0;
	return cel_eval(p, &(struct cel_activation){.heap = &f->heap, .values = f->values, .ctx = f});
}
static bool holds(struct fixture *f, const char *text)
{
	struct cel_program *p = compile(f, text);
	struct cel_value v = run(f, p);
	cel_program_free(p);
	return v.kind == CEL_BOOL && v.b;
}
static void faults(struct fixture *f, const char *text, const char *want)
{
	struct told told = {""};
	assert_null(cel_compile(f->env, text, SIZE_MAX, tell, &told));
	assert_string_equal(told.text, want);
}

static void records_are_maps_with_declared_fields(void **state)
{
	struct fixture *f = *state;
	assert_true(holds(f, "person[1].wage == 200.0"));
	assert_true(holds(f, "person[1]['wage'] == 200.0"));
	assert_true(holds(f, "'wage' in person[0] && !('pay' in person[0])"));
	assert_true(holds(f, "person[0].size() == 3"));
	assert_true(holds(f, "has(person[0].wage)"));
	assert_true(holds(f, "person[0] == {'wage': 100.0, 'born': timestamp(0), 'ill': false}"));
	assert_true(holds(f, "person[0] != person[1]"));
	assert_true(holds(f, "person[2].exists(k, v, k == 'ill' && v == true)"));
	assert_true(holds(f, "person.map(p, p.wage).sum() == 600.0"));
	assert_true(holds(f, "person.filter(p, p.ill)[0].wage == 300.0"));
	assert_true(holds(f, "dyn(person[0]).wage == 100.0"));
	assert_true(holds(f, "person.exists(p, p == person[2])"));
}

static void faults_name_what_would_fit(void **state)
{
	struct fixture *f = *state;
	faults(f, "category == '脱贫户'", "12+11 `category` has no value '脱贫户'; nearest: '脱贫不稳定户'\n");
	faults(f, "'一船户' != category", "0+11 `category` has no value '一船户'; nearest: '一般户'\n");
	faults(f, "category in ['一般户', '贫']", "26+5 `category` has no value '贫'\n");
	faults(f, "category == (x > 1.0 ? '一般户' : '贫')", "37+5 `category` has no value '贫'\n");
	faults(f, "person[0].wge > 1.0", "10+3 `person` has no field 'wge'; nearest: 'wage'\n");
	faults(f, "catgory == '一般户'", "0+7 there is no `catgory`; nearest: `category`\n");
	assert_true(holds(f, "category == '一般户' && category in ['一般户']"));
}

static void one_expression_can_have_several_faults(void **state)
{
	struct fixture *f = *state;
	faults(f, "xx > 1.0 && s + 1 == 'a' || person.all(p, p.il)",
	       "0+2 there is no `xx`; nearest: `x`\n14+1 can't add string and int\n44+2 `person` has no field 'il'; "
	       "nearest: 'ill'\n");
}

static void a_program_tells_what_it_reads(void **state)
{
	struct fixture *f = *state;
	size_t n;
	const char *name = NULL;
	struct cel_program *p = compile(f, "person.exists(p, p.ill) || x > 1.0 && person.size() > 2 || x < 0.0");
	const uint32_t *variables = cel_program_variables(p, &n);
	assert_int_equal(n, 2);
	assert_int_equal(variables[0], 0);
	assert_int_equal(variables[1], 3);
	assert_int_equal(cel_program_fields(p, f->person), 1 << 2);
	assert_int_equal(cel_program_fields(p, f->data), 0);
	assert_false(cel_program_is_field(p, "data", &name));
	cel_program_free(p);
	p = compile(f, "person.map(p, p)");
	assert_true(cel_program_fields(p, f->person) == UINT64_MAX);
	assert_string_equal(cel_type_name(cel_program_type(p)), "list(person)");
	cel_program_free(p);
	p = compile(f, "data.self_paid");
	assert_true(cel_program_is_field(p, "data", &name));
	assert_string_equal(name, "self_paid");
	assert_string_equal(cel_program_text(p), "data.self_paid");
	assert_int_equal(cel_type_kind(cel_program_type(p)), CEL_DOUBLE);
	cel_program_free(p);
}

/* --- host functions */
static struct cel_value days(const struct cel_call *call, const struct cel_value *args, size_t n)
{
	(void)n;
	return args[0].i < 0 ? cel_fail(call, "before %d", 1970) : cel_int(args[0].i / 86400);
}
static enum cel_compare last_op;
static double last_other;
static struct cel_value compare_days(const struct cel_call *call, const struct cel_value *args, size_t n,
				     enum cel_compare op, struct cel_value other)
{
	(void)call, (void)args;
	assert_int_equal(n, 1);
	last_op = op;
	last_other = other.kind == CEL_INT ? (double)other.i : other.d;
	return cel_bool(true);
}

static void declare_days(struct fixture *f, cel_comparison *compare)
{
	cel_env_function(f->env, &(struct cel_declaration){.name = "days",
							   .result = cel_type_int(f->env),
							   .args = {cel_type_timestamp(f->env)},
							   .n = 1,
							   .call = days,
							   .compare = compare});
}

static void host_functions_are_called(void **state)
{
	struct fixture *f = *state;
	declare_days(f, NULL);
	assert_true(holds(f, "days(person[2].born) == 2"));
	assert_true(holds(f, "person.exists(p, days(p.born) >= 2)"));
	struct cel_program *p = compile(f, "x + days(timestamp(-1))");
	struct cel_value v = run(f, p);
	assert_int_equal(v.kind, CEL_ERROR);
	assert_string_equal(v.problem->text, "before 1970");
	assert_int_equal(v.problem->pos, 4);
	cel_program_free(p);
	faults(f, "days('a')", "0+4 days(string) doesn't fit: days() is days(timestamp)\n");
}

static void a_comparison_of_a_host_function_is_its_own(void **state)
{
	struct fixture *f = *state;
	declare_days(f, compare_days);
	assert_true(holds(f, "days(person[2].born) < 1"));
	assert_int_equal(last_op, CEL_LT);
	assert_true(last_other == 1);
	assert_true(holds(f, "3.5 < days(person[2].born)"));
	assert_int_equal(last_op, CEL_GT);
	assert_true(last_other == 3.5);
	assert_true(holds(f, "days(person[2].born) != 7 ? true : false"));
	assert_int_equal(last_op, CEL_NE);
	assert_false(holds(f, "days(person[2].born) + 1 == 7")); /* not directly a call */
	last_other = 0;
	assert_false(holds(f, "dyn(5) == days(person[2].born)")); /* the other's type is not known */
	assert_true(last_other == 0);
}

/* --- bounds */
static void cost_is_estimated_and_bounded(void **state)
{
	struct fixture *f = *state;
	struct cel_program *p = compile(f, "person.exists(a, person.exists(b, a.wage > b.wage))");
	uint64_t both = cel_program_cost(p);
	cel_program_free(p);
	p = compile(f, "person.exists(a, a.wage > 1.0)");
	assert_true(both > 10 * cel_program_cost(p));
	struct cel_value v = cel_eval(p, &(struct cel_activation){.heap = &f->heap, .values = f->values, .budget = 1});
	assert_int_equal(v.kind, CEL_ERROR);
	assert_memory_equal(v.problem->text, "cost", 4);
	cel_program_free(p);

	struct cel_env *strict = cel_env_new(&(struct cel_options){.cost_limit = 100});
	struct told told = {""};
	assert_null(cel_compile(strict, "[1, 2, 3].all(a, [1, 2, 3].all(b, [1, 2, 3].all(c, a < b + c)))", SIZE_MAX,
				tell, &told));
	assert_non_null(strstr(told.text, "the limit is 100"));
	cel_env_free(strict);
}

static void long_chains_and_deep_nesting_end_in_a_fault_at_most(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *head, *each, *tail;
		int n;
		bool fine;
	} shapes[] = {
		{"1", " + 1", "", 900, true},           {"1", " + 1", "", 100000, false},
		{"true", " && true", "", 100000, true}, {"x > 1.0", " || x > 1.0", "", 5000, true},
		{"", "(", "", 100000, false},           {"", "[", "", 100000, false},
		{"", "!", "true", 100000, true},        {"", "-", "1", 100001, true},
		{"", "true ? 1 : ", "2", 200, true},    {"", "true ? 1 : ", "2", 100000, false},
		{"[1]", ".map(x, x)", "", 300, true},   {"[1]", ".map(x, x)", "", 100000, false},
		{"s", ".trim()", "", 500, true},        {"'", "x", "'", 1000000, true},
		{"size([0", ", 0", "])", 20000, true},
	};
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		size_t each = strlen(shapes[i].each), at = strlen(shapes[i].head);
		char *text = malloc(at + each * (size_t)shapes[i].n + strlen(shapes[i].tail) + 1);
		memcpy(text, shapes[i].head, at);
		for (int k = 0; k < shapes[i].n; k++, at += each)
			memcpy(text + at, shapes[i].each, each);
		strcpy(text + at, shapes[i].tail);
		struct told told = {""};
		struct cel_program *p = cel_compile(f->env, text, SIZE_MAX, tell, &told);
		if ((p != NULL) != shapes[i].fine)
			fail_msg("%s%s...: %s", shapes[i].head, shapes[i].each, told.text);
		if (p)
			run(f, p);
		cel_program_free(p);
		free(text);
	}
}

static const char *const each_kind[] = {
	"person.map(p, p.wage * 2.0).sum() > 1.0 && s.contains('b')",
	"{'a': [s, s + s], 'b': [x]}.b[0]",
	"'%s %d'.format([s, 5]) + s.replace('a', 'bb').upperAscii()",
	"s.split('').map(c, c + c).join('-')",
	"person.filter(p, p.ill).size() + 1",
	"person.transformMap(i, p, p.wage)",
	"s.matches('a+' + s)",
	"[?optional.of(s)]",
	"1 / int(x - 2.5)",
	"s.charAt(9)",
	"optional.of(s).optMap(v, v + 'x').orValue('')",
	"strings.quote(s)",
};

static void evaluation_survives_each_failed_allocation(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof each_kind / sizeof *each_kind; i++) {
		struct cel_program *p = compile(f, each_kind[i]);
		f->memory.left = -1;
		int kind = run(f, p).kind;
		for (long n = 0;; n++) {
			f->memory.left = n;
			struct cel_value v = run(f, p);
			if (f->memory.left > 0) {
				assert_int_equal(v.kind, kind);
				break;
			}
			assert_true(v.kind == CEL_ERROR || v.kind == kind);
			assert_true(n < 1000);
		}
		f->memory.left = -1;
		cel_program_free(p);
	}
}

static void evaluation_takes_no_memory_from_the_system(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof each_kind / sizeof *each_kind; i++) {
		struct cel_program *p = compile(f, each_kind[i]);
		struct mallinfo2 before = mallinfo2();
		run(f, p);
		struct mallinfo2 after = mallinfo2();
		assert_int_equal(before.uordblks, after.uordblks);
		cel_program_free(p);
	}
}

/* --- traces, loading */
static void note(void *ctx, uint32_t pos, uint32_t len, struct cel_value value)
{
	struct told *t = ctx;
	size_t at = strlen(t->text);
	snprintf(t->text + at, sizeof t->text - at, "%u+%u=%d ", pos, len, value.kind == CEL_BOOL ? value.b : 9);
}

static void a_trace_shows_what_was_evaluated(void **state)
{
	struct fixture *f = *state;
	struct told told = {""};
	struct cel_program *p = compile(f, "x > 1.0 && (s == 'z' || x < 9.0) ? true : s == 'q'");
	struct cel_activation a = {.heap = &f->heap, .values = f->values};
	assert_true(cel_trace(p, &a, note, &told).b);
	assert_string_equal(told.text, "0+1=9 0+7=1 12+1=9 12+8=0 24+1=9 24+7=1 12+19=1 0+32=1 0+50=1 ");
	cel_program_free(p);
	p = compile(f, "false && x > 1.0");
	told.text[0] = '\0';
	cel_trace(p, &a, note, &told);
	assert_string_equal(told.text, "0+16=0 ");
	cel_program_free(p);
}

static struct cel_value load(void *ctx, uint32_t variable)
{
	struct fixture *f = ctx;
	f->memory.left = variable; /* shows which was asked for last */
	return f->values[variable];
}

static void variables_can_be_loaded_when_needed(void **state)
{
	struct fixture *f = *state;
	struct cel_program *p = compile(f, "x > 100.0 && s == 'abc'");
	struct cel_value v = cel_eval(p, &(struct cel_activation){.heap = &f->heap, .load = load, .ctx = f});
	assert_true(v.kind == CEL_BOOL && !v.b);
	assert_int_equal(f->memory.left, 0); /* s was never asked for */
	cel_program_free(p);
}

static void numbers_of_different_units_do_not_meet(void **state)
{
	struct fixture *f = *state;
	const struct cel_type *number = cel_type_double(f->env);
	cel_env_variable(f->env, "month", cel_type_with_unit(f->env, number, "yuan/month"));
	cel_env_variable(f->env, "year", cel_type_with_unit(f->env, number, "yuan/year"));
	cel_env_variable(f->env, "months", cel_type_list(f->env, cel_type_with_unit(f->env, number, "yuan/month")));
	faults(f, "month > year", "6+1 can't compare yuan/month and yuan/year: they are different units\n");
	faults(f, "month == year", "6+2 can't compare yuan/month and yuan/year: they are different units\n");
	faults(f, "month + year", "6+1 can't add yuan/month and yuan/year: they are different units\n");
	faults(f, "x * month - year", "10+1 can't subtract yuan/month and yuan/year: they are different units\n");
	faults(f, "months.sum() / 2 > year", "17+1 can't compare yuan/month and yuan/year: they are different units\n");
	faults(f, "[month, x, year]", "11+4 can't list yuan/month and yuan/year: they are different units\n");
	faults(f, "{'a': month, 'b': year}", "18+4 can't list yuan/month and yuan/year: they are different units\n");
	faults(f, "x > 1.0 ? month : year",
	       "8+1 can't choose between yuan/month and yuan/year: they are different units\n");
	faults(f, "year in months", "5+2 can't compare yuan/year and yuan/month: they are different units\n");
	faults(f, "months + [year]", "7+1 can't join lists of yuan/month and yuan/year: they are different units\n");
	faults(f, "math.greatest(x, month, year)",
	       "0+13 can't compare yuan/month and yuan/year: they are different units\n");
	faults(f, "math.least(x, month) > year",
	       "21+1 can't compare yuan/month and yuan/year: they are different units\n");
	static const struct {
		const char *expr, *unit;
	} fine[] = {
		{"month * 12", "yuan/month"},
		{"0.5 * month", "yuan/month"},
		{"month / x", "yuan/month"},
		{"month + 1", "yuan/month"},
		{"-month", "yuan/month"},
		{"months.sum()", "yuan/month"},
		{"months.map(m, m * 2).sum() / 3", "yuan/month"},
		{"months[0]", "yuan/month"},
		{"math.round(month)", "yuan/month"},
		{"x > 1.0 ? month : 0", "yuan/month"},
		{"month * year", NULL},
		{"month / year", NULL},
		{"1 / month", NULL},
		{"month * year > x", NULL},
		{"month > 100", NULL},
	};
	for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
		struct cel_program *p = compile(f, fine[i].expr);
		const char *unit = cel_type_unit(cel_program_type(p));
		if ((unit == NULL) != (fine[i].unit == NULL) || (unit && strcmp(unit, fine[i].unit) != 0))
			fail_msg("%s is in %s", fine[i].expr, unit ? unit : "no unit");
		cel_program_free(p);
	}
}

static const struct cel_zone *no_zone(void *ctx, const char *name, size_t len)
{
	struct told *t = ctx;
	snprintf(t->text, sizeof t->text, "%.*s", (int)len, name);
	return NULL;
}

static void constant_zones_are_asked_for_at_compile(void **state)
{
	struct told asked = {""};
	(void)state;
	struct cel_env *env = cel_env_new(&(struct cel_options){.zone = no_zone, .zone_ctx = &asked});
	assert_null(cel_compile(env, "timestamp(0).getDate('Asia/Shanghia')", SIZE_MAX, NULL, NULL));
	assert_string_equal(asked.text, "Asia/Shanghia");
	cel_env_free(env);
}

static void the_nearest_name(void **state)
{
	static const char *const names[] = {"medical_burden", "income", "脱贫不稳定户", "region"};
	(void)state;
	assert_string_equal(cel_nearest("medical_burdn", names, 4), "medical_burden");
	assert_string_equal(cel_nearest("incmoe", names, 4), "income");
	assert_string_equal(cel_nearest("脱贫户", names, 4), "脱贫不稳定户");
	assert_null(cel_nearest("zzz", names, 4));
	assert_null(cel_nearest("", names, 4));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(records_are_maps_with_declared_fields),
		TEST(faults_name_what_would_fit),
		TEST(one_expression_can_have_several_faults),
		TEST(a_program_tells_what_it_reads),
		TEST(host_functions_are_called),
		TEST(a_comparison_of_a_host_function_is_its_own),
		TEST(cost_is_estimated_and_bounded),
		TEST(long_chains_and_deep_nesting_end_in_a_fault_at_most),
		TEST(evaluation_survives_each_failed_allocation),
		TEST(evaluation_takes_no_memory_from_the_system),
		TEST(a_trace_shows_what_was_evaluated),
		TEST(variables_can_be_loaded_when_needed),
		TEST(numbers_of_different_units_do_not_meet),
		TEST(constant_zones_are_asked_for_at_compile),
		TEST(the_nearest_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
