/* Subjects in memory: found again, and due in the order of their times, whatever happened in between. */
#include "../../daemon/state/memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct watch watches[] = {{.name = "a", .index = 0}, {.name = "b", .index = 1}};

static void subjects_are_found_again(void **state)
{
	(void)state;
	struct memory *m = memory_new();
	struct arena a;
	arena_init(&a);
	for (int i = 0; i < 5000; i++) {
		struct str key = str_of(arena_printf(&a, "h%d", i));
		memory_put(m, memory_get(m, &watches[i % 2], key), key);
	}
	for (int i = 0; i < 5000; i++) {
		struct str key = str_of(arena_printf(&a, "h%d", i));
		assert_true(str_equal(memory_get(m, &watches[i % 2], key)->bytes, key));
		assert_int_equal(memory_get(m, &watches[1 - i % 2], key)->bytes.len, 0); /* another watch's */
	}
	size_t n;
	struct memory_subject **all = memory_all(m, &n);
	assert_int_equal(n, 5000); /* those that nobody put are not known */
	for (size_t i = 1; i < n; i++)
		assert_true(all[i - 1]->watch->index < all[i]->watch->index ||
			    str_compare(all[i - 1]->key, all[i]->key) < 0);
	arena_close(&a);
	memory_free(m);
}

static void bytes_may_grow_and_shrink(void **state)
{
	(void)state;
	struct memory *m = memory_new();
	struct memory_subject *s = memory_get(m, &watches[0], STR("x"));
	char text[3000];
	for (uint32_t n = 0; n < 3000; n += 7) {
		memset(text, 'a' + (int)n % 26, n);
		memory_put(m, s, (struct str){text, n});
		memory_put(m, s, (struct str){text, n / 2});
		memory_put(m, s, (struct str){text, n});
		assert_int_equal(s->bytes.len, n);
		assert_memory_equal(s->bytes.s, text, n);
	}
	memory_free(m);
}

static void due_times_come_in_order(void **state)
{
	(void)state;
	enum { N = 2000 };
	struct memory *m = memory_new();
	struct memory_subject *s[N];
	struct arena a;
	arena_init(&a);
	uint32_t x = 7;
	for (int i = 0; i < N; i++)
		s[i] = memory_get(m, &watches[0], str_of(arena_printf(&a, "%d", i)));
	for (int i = 0; i < 10 * N; i++) { /* set, moved and taken back, over and over */
		x = x * 1664525 + 1013904223;
		memory_due(m, s[x % N], x >> 20 == 0 ? TIME_NEVER : (int64_t)(x >> 8));
	}
	int waiting = 0, got = 0;
	for (int i = 0; i < N; i++)
		waiting += s[i]->due != TIME_NEVER;
	int64_t last = INT64_MIN;
	for (struct memory_subject *d; (d = memory_take_due(m, INT64_MAX - 1)); got++) {
		assert_true(d->due >= last);
		last = d->due;
	}
	assert_int_equal(got, waiting);
	assert_true(memory_next_due(m) == TIME_NEVER);
	arena_close(&a);
	memory_free(m);
}

static void taken_ones_come_back_only_when_set(void **state)
{
	(void)state;
	struct memory *m = memory_new();
	struct memory_subject *s = memory_get(m, &watches[0], STR("x"));
	memory_due(m, s, 100);
	assert_null(memory_take_due(m, 99));
	assert_ptr_equal(memory_take_due(m, 100), s);
	assert_null(memory_take_due(m, 1000));
	memory_due(m, s, 100); /* the same time again */
	assert_true(memory_next_due(m) == 100);
	memory_due(m, s, 100);
	assert_ptr_equal(memory_take_due(m, 100), s);
	assert_null(memory_take_due(m, 100)); /* not twice */
	memory_due(m, s, 5);
	memory_due(m, s, TIME_NEVER);
	assert_null(memory_take_due(m, INT64_MAX - 1));
	memory_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subjects_are_found_again),
		cmocka_unit_test(bytes_may_grow_and_shrink),
		cmocka_unit_test(due_times_come_in_order),
		cmocka_unit_test(taken_ones_come_back_only_when_set),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
