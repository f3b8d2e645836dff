/* The metrics: threads' counts summed, histograms cumulative, text as Prometheus reads it. */
#include "../../daemon/ops/metrics.h"
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char *text_of(struct metrics *m)
{
	struct buffer b = {0};
	metrics_text(m, &b);
	char *text = malloc(b.len + 1);
	memcpy(text, b.data, b.len);
	text[b.len] = 0;
	free(b.data);
	return text;
}

static void assert_has(struct metrics *m, const char *line)
{
	char *text = text_of(m);
	if (!strstr(text, line)) {
		print_error("%s\n", text);
		fail_msg("no \"%s\"", line);
	}
	free(text);
}

static void assert_lacks(struct metrics *m, const char *line)
{
	char *text = text_of(m);
	if (strstr(text, line))
		fail_msg("unexpected \"%s\"", line);
	free(text);
}

static void counters_are_shown_with_help_and_type(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	assert_has(m, "# HELP shouwang_commits_total Transactions committed\n"
		      "# TYPE shouwang_commits_total counter\n"
		      "shouwang_commits_total 0\n");
	struct meter *t = metrics_meter(m);
	meter_add(t, metrics_series(m, METRIC_COMMITS, "", ""), 3);
	assert_has(m, "\nshouwang_commits_total 3\n");
	metrics_free(m);
}

static void labels_name_and_escape(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	struct meter *t = metrics_meter(m);
	meter_add(t, metrics_series(m, METRIC_RULE_OPENED, "a\"b\\c\nd", ""), 1);
	metrics_set(m, metrics_series(m, METRIC_LAG, "household.events", "3"), 12);
	assert_has(m, "shouwang_rule_opened_total{rule=\"a\\\"b\\\\c\\nd\"} 1\n");
	assert_has(m, "shouwang_lag_events{topic=\"household.events\",partition=\"3\"} 12\n");
	metrics_free(m);
}

static void one_series_for_the_same_labels(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	series a = metrics_series(m, METRIC_LAG, "x", "1"), b = metrics_series(m, METRIC_LAG, "x", "2");
	assert_int_not_equal(a, b);
	assert_int_equal(a, metrics_series(m, METRIC_LAG, "x", "1"));
	assert_int_not_equal(a, metrics_series(m, METRIC_UNSTABLE, "x", "1"));
	metrics_free(m);
}

static void gauges_show_once_set_and_hide(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	series s = metrics_series(m, METRIC_PARTITION_STATE, "7", "");
	assert_lacks(m, "partition=\"7\"");
	metrics_set(m, s, 2);
	assert_has(m, "shouwang_partition_state{partition=\"7\"} 2\n");
	metrics_set(m, s, 3);
	assert_has(m, "shouwang_partition_state{partition=\"7\"} 3\n");
	metrics_hide(m, s);
	assert_lacks(m, "partition=\"7\"");
	metrics_set(m, s, 0);
	assert_has(m, "shouwang_partition_state{partition=\"7\"} 0\n");
	metrics_free(m);
}

static void histograms_are_cumulative(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	struct meter *one = metrics_meter(m), *two = metrics_meter(m);
	series s = metrics_series(m, METRIC_COMMIT_SECONDS, "", "");
	meter_observe(one, s, 0.001); /* a bound belongs to its bucket */
	meter_observe(one, s, 0.0011);
	meter_observe(two, s, 0.2);
	meter_observe(two, s, 99);
	assert_has(m, "# TYPE shouwang_commit_seconds histogram\n");
	assert_has(m, "shouwang_commit_seconds_bucket{le=\"0.001\"} 1\n");
	assert_has(m, "shouwang_commit_seconds_bucket{le=\"0.0025\"} 2\n");
	assert_has(m, "shouwang_commit_seconds_bucket{le=\"0.1\"} 2\n");
	assert_has(m, "shouwang_commit_seconds_bucket{le=\"0.25\"} 3\n");
	assert_has(m, "shouwang_commit_seconds_bucket{le=\"30\"} 3\n");
	assert_has(m, "shouwang_commit_seconds_bucket{le=\"+Inf\"} 4\n");
	assert_has(m, "shouwang_commit_seconds_sum 99.2021\n");
	assert_has(m, "shouwang_commit_seconds_count 4\n");
	assert_int_equal(metrics_value(m, s), 4);
	metrics_free(m);
}

static void sizes_have_bounds_of_their_own(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	meter_observe(metrics_meter(m), metrics_series(m, METRIC_BATCH_EVENTS, "", ""), 4000);
	assert_has(m, "shouwang_batch_events_bucket{le=\"2000\"} 0\n");
	assert_has(m, "shouwang_batch_events_bucket{le=\"5000\"} 1\n");
	metrics_free(m);
}

enum { THREADS = 4, ROUNDS = 100000 };
static void *count(void *of)
{
	struct metrics *m = of;
	struct meter *t = metrics_meter(m);
	series s = metrics_series(m, METRIC_EVENTS, "household.events", "");
	for (int i = 0; i < ROUNDS; i++)
		meter_add(t, s, 1);
	return NULL;
}

static void threads_are_summed_and_survive_in_the_count(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, count, m);
	free(text_of(m)); /* a scrape while they count */
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(metrics_value(m, metrics_series(m, METRIC_EVENTS, "household.events", "")), THREADS * ROUNDS);
	metrics_free(m);
}

static void a_thousand_series_fit_and_too_many_are_no_harm(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	struct meter *t = metrics_meter(m);
	char name[16];
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "r%d", i);
		meter_add(t, metrics_series(m, METRIC_RULE_EVALUATED, name, ""), (uint64_t)i);
	}
	for (int i = 0; i < 5000; i++) { /* histograms: 16 slots each */
		snprintf(name, sizeof name, "%d", i);
		series s = metrics_series(m, METRIC_STEP_SECONDS, name, "");
		meter_observe(t, s, 1);
	}
	assert_has(m, "shouwang_rule_evaluated_total{rule=\"r999\"} 999\n");
	assert_has(m, "shouwang_rule_evaluated_total{rule=\"r7\"} 7\n");
	assert_int_equal(metrics_series(m, METRIC_STEP_SECONDS, "one more", ""), 0);
	metrics_set(m, 0, 1);
	metrics_free(m);
}

static void every_line_can_be_read(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	metrics_set(m, metrics_series(m, METRIC_BUILD_INFO, "0.1.0", "abc"), 1);
	char *text = text_of(m), *rest = NULL;
	size_t n = 0;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), n++) {
		char *space = strrchr(line, ' '), *end;
		assert_non_null(space);
		if (*line == '#') {
			assert_true(strncmp(line, "# HELP shouwang_", 16) == 0 ||
				    strncmp(line, "# TYPE shouwang_", 16) == 0);
			continue;
		}
		assert_int_equal(strncmp(line, "shouwang_", 9), 0);
		double value = strtod(space + 1, &end);
		assert_true(value >= 0 && value < 1e12);
		assert_int_equal(*end, 0);
	}
	assert_true(n > 2 * N_METRICS);
	free(text);
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_are_shown_with_help_and_type),
		cmocka_unit_test(labels_name_and_escape),
		cmocka_unit_test(one_series_for_the_same_labels),
		cmocka_unit_test(gauges_show_once_set_and_hide),
		cmocka_unit_test(histograms_are_cumulative),
		cmocka_unit_test(sizes_have_bounds_of_their_own),
		cmocka_unit_test(threads_are_summed_and_survive_in_the_count),
		cmocka_unit_test(a_thousand_series_fit_and_too_many_are_no_harm),
		cmocka_unit_test(every_line_can_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
