/* Settings: defaults, file, environment, and which of them a reload can't change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../../daemon/conf/config.h"
#include "../../daemon/conf/documents.h"
#include "../../daemon/conf/properties.h"

static bool load(const char *text, struct config *out, struct faults *faults)
{
	struct documents docs = {0};
	faults_init(faults);
	documents_add(&docs, "shouwang.yaml", text, strlen(text), faults);
	bool good = config_build(&docs, out, faults);
	documents_close(&docs);
	return good;
}

static void load_good(const char *text, struct config *out)
{
	struct faults faults;
	if (!load(text, out, &faults))
		fail_msg("%s: %s", text, faults.list[0].text);
	faults_close(&faults);
}

static void defaults_are_those_of_the_language(void **state)
{
	(void)state;
	struct config c;
	load_good("instance: county\n", &c);
	const struct settings *s = &c.settings;
	assert_string_equal(s->instance, "county");
	assert_int_equal(s->revision, 0);
	assert_true(strlen(s->node) > 0 && strcmp(s->node, "auto") != 0);
	assert_string_equal(s->timezone, "Asia/Shanghai");
	assert_string_equal(s->calendar, "cn");
	assert_int_equal(s->n_levels, 3);
	assert_string_equal(s->levels[2], "red");
	assert_int_equal(s->clock, CLOCK_WALL);
	assert_string_equal(s->kafka.bootstrap, "127.0.0.1:9092");
	assert_null(s->kafka.username);
	assert_null(s->kafka.password_file);
	assert_int_equal(s->kafka.n_properties, 1);
	assert_string_equal(s->kafka.properties[0].name, "compression.type");
	assert_string_equal(s->kafka.properties[0].value, "lz4");
	assert_string_equal(s->redis.url, "unix:///run/redis/redis-server.sock");
	assert_string_equal(s->topics.feedback, "case.feedback");
	assert_string_equal(s->topics.outcomes, "case.outcomes");
	assert_string_equal(s->topics.rejects, "shouwang.rejects");
	assert_string_equal(s->topics.forward, "shouwang.forward");
	assert_string_equal(s->topics.state, "shouwang.state");
	assert_string_equal(s->partitioner, "murmur2");
	assert_int_equal(s->workers, 2);
	assert_int_equal(s->sweep, 2000);
	assert_int_equal(s->partitions, 8);
	assert_int_equal(s->replication, 1);
	assert_int_equal(s->min_insync_replicas, 1);
	assert_int_equal(s->batch.events, 5000);
	assert_int_equal(s->batch.wait, 20);
	assert_false(s->reject_unknown_events);
	assert_int_equal(s->future_tolerance, 3600000);
	assert_int_equal(s->stall, 120000);
	assert_int_equal(s->cost_limit, 100000);
	assert_string_equal(s->http_host, "127.0.0.1");
	assert_int_equal(s->http_port, 9464);
	assert_string_equal(s->log_target, "auto");
	assert_string_equal(s->log_level, "info");
	assert_int_equal(c.ruleset->n_levels, 3);
	assert_int_equal(c.ruleset->cost_limit, 100000);
	assert_non_null(c.ruleset->zone);
	assert_non_null(c.ruleset->calendar);
	config_close(&c);
}

static void a_file_changes_what_it_names(void **state)
{
	(void)state;
	struct config c;
	load_good("levels: [ok, low, high, top]\n"
		  "instance: county\n"
		  "clock: 2026-07-01T08:00:00+08:00\n"
		  "kafka: {bootstrap: 'a:1,b:2', username: u, properties: {linger.ms: 5, ssl.ca.location: /etc/ca}}\n"
		  "redis: {url: redis://10.0.0.1:6379}\n"
		  "http: '[::1]:80'\n"
		  "unknown_events: reject\n"
		  "partitioner: consistent\n"
		  "batch: {wait: 2 seconds}\n"
		  "future_tolerance: 2 days\n",
		  &c);
	const struct settings *s = &c.settings;
	assert_int_equal(s->n_levels, 4);
	assert_string_equal(s->levels[3], "top");
	assert_int_equal(s->clock, CLOCK_FIXED);
	assert_int_equal(s->fixed_clock, 1782864000000);
	assert_string_equal(s->kafka.bootstrap, "a:1,b:2");
	assert_int_equal(s->kafka.n_properties, 2);
	assert_string_equal(s->kafka.properties[1].name, "ssl.ca.location");
	assert_string_equal(s->redis.url, "redis://10.0.0.1:6379");
	assert_string_equal(s->http_host, "::1");
	assert_int_equal(s->http_port, 80);
	assert_true(s->reject_unknown_events);
	assert_true(c.ruleset->reject_unknown_events);
	assert_string_equal(s->partitioner, "consistent");
	assert_int_equal(s->batch.events, 5000);
	assert_int_equal(s->batch.wait, 2000);
	assert_int_equal(c.ruleset->future_tolerance, 2 * 86400000);
	config_close(&c);
}

static void the_environment_overrides_the_file(void **state)
{
	(void)state;
	static const char *const set[][2] = {
		{"SHOUWANG_INSTANCE", "other"},
		{"SHOUWANG_KAFKA_BOOTSTRAP", "10.0.0.1:9092"},
		{"SHOUWANG_KAFKA_PROPERTIES", "{linger.ms: 7}"},
		{"SHOUWANG_LEVELS", "[a, b]"},
		{"SHOUWANG_BATCH_EVENTS", "17"},
		{"SHOUWANG_MIN_INSYNC_REPLICAS", "1"},
		{"SHOUWANG_CLOCK", "events"},
		{"SHOUWANG_LOG_LEVEL", "debug"},
	};
	struct config c;
	for (size_t i = 0; i < sizeof set / sizeof *set; i++)
		setenv(set[i][0], set[i][1], 1);
	load_good("instance: county\nkafka: {bootstrap: 'a:1'}\nbatch: {events: 3}\n", &c);
	for (size_t i = 0; i < sizeof set / sizeof *set; i++)
		unsetenv(set[i][0]);
	assert_string_equal(c.settings.instance, "other");
	assert_string_equal(c.settings.kafka.bootstrap, "10.0.0.1:9092");
	assert_int_equal(c.settings.kafka.n_properties, 1);
	assert_string_equal(c.settings.kafka.properties[0].value, "7");
	assert_int_equal(c.settings.n_levels, 2);
	assert_int_equal(c.settings.batch.events, 17);
	assert_int_equal(c.settings.clock, CLOCK_EVENTS);
	assert_string_equal(c.settings.log_level, "debug");
	config_close(&c);
}

static void what_needs_a_restart_is_named(void **state)
{
	(void)state;
	static const struct {
		const char *text, *differs;
	} cases[] = {
		{"instance: county\n", ""},
		{"instance: county\nworkers: 2\n", ""},
		{"instance: county\nrevision: 7\nbatch: {events: 7, wait: 1 ms}\nsweep: 7\npartitions: 7\n", ""},
		{"instance: county\nstall: 7 minutes\nreplication: 2\nmin_insync_replicas: 2\n", ""},
		{"instance: county\ncost_limit: 5000\nlevels: [a, b]\nlog: {level: debug}\n", ""},
		{"instance: other\n", "instance"},
		{"instance: county\nworkers: 3\nhttp: 127.0.0.1:1\n", "workers, http"},
		{"instance: county\nkafka: {bootstrap: 'a:1'}\n", "kafka.bootstrap"},
		{"instance: county\nkafka: {properties: {linger.ms: 5}}\n", "kafka.properties"},
		{"instance: county\ntopics: {state: other.state}\n", "topics.state"},
		{"instance: county\nclock: events\n", "clock"},
	};
	struct config a, b;
	load_good("instance: county\n", &a);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		load_good(cases[i].text, &b);
		struct arena arena;
		arena_init(&arena);
		assert_string_equal(settings_differences(&arena, &a.settings, &b.settings), cases[i].differs);
		arena_close(&arena);
		config_close(&b);
	}
	config_close(&a);
}

static void put(const char *dir, const char *text)
{
	char path[128];
	snprintf(path, sizeof path, "%s/shouwang.yaml", dir);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void a_reload_keeps_what_only_a_restart_changes(void **state)
{
	(void)state;
	struct config start, next;
	struct faults faults;
	char dir[] = "/tmp/shouwang-settings-XXXXXX", path[128];
	assert_non_null(mkdtemp(dir));
	load_good("instance: county\n", &start);
	struct in_use in_use = {&start.settings, 5};
	put(dir, "instance: other\nrevision: 5\nsweep: 17\ntopics: {outcomes: others}\n");
	faults_init(&faults);
	assert_true(config_reload(dir, &in_use, &next, &faults));
	assert_string_equal(next.settings.instance, "county");
	assert_string_equal(next.ruleset->instance, "county");
	assert_string_equal(next.settings.topics.outcomes, "case.outcomes");
	assert_int_equal(settings_tuning(&next.settings).sweep, 17);
	struct arena arena;
	arena_init(&arena);
	assert_string_equal(settings_differences(&arena, &start.settings, &next.settings), "instance, topics.outcomes");
	arena_close(&arena);
	config_close(&next);
	faults_close(&faults);

	put(dir, "instance: county\nrevision: 4\n");
	faults_init(&faults);
	assert_false(config_reload(dir, &in_use, &next, &faults));
	assert_int_equal(faults.errors, 1);
	assert_non_null(strstr(faults.list[0].text, "`revision` is 4, and 5 is in use"));
	assert_int_equal(faults.list[0].at.line, 2);
	faults_close(&faults);
	config_close(&start);
	snprintf(path, sizeof path, "%s/shouwang.yaml", dir);
	unlink(path);
	rmdir(dir);
}

static void a_missing_password_file_is_a_fault(void **state)
{
	(void)state;
	struct config c;
	struct faults faults;
	char dir[] = "/tmp/shouwang-settings-XXXXXX", path[64];
	assert_non_null(mkdtemp(dir));
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	assert_false(load("instance: county\nkafka: {password_file: kafka.password}\n", &c, &faults));
	assert_non_null(strstr(faults.list[0].text, dir));
	assert_int_equal(faults.list[0].at.line, 2);
	assert_int_equal(faults.list[0].at.column, 24);
	faults_close(&faults);
	snprintf(path, sizeof path, "%s/kafka.password", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	load_good("instance: county\nkafka: {password_file: kafka.password}\n", &c);
	assert_string_equal(c.settings.kafka.password_file, "kafka.password");
	config_close(&c);
	remove(path);
	remove(dir);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void properties_that_would_undo_the_protocol_are_refused(void **state)
{
	(void)state;
	static const char *const refused[] = {"group.id",
					      "transactional.id",
					      "isolation.level",
					      "enable.auto.commit",
					      "enable.auto.offset.store",
					      "auto.offset.reset",
					      "partition.assignment.strategy",
					      "acks",
					      "request.required.acks",
					      "enable.idempotence",
					      "sasl.password"};
	char said[256];
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		assert_non_null(property_refused(refused[i], "1"));
	assert_non_null(property_refused("transaction.timeout.ms", "15001"));
	assert_null(property_refused("transaction.timeout.ms", "15000"));
	assert_null(property_refused("linger.ms", "5"));
	assert_null(property_refused("group", "5"));
	assert_false(property_wrong("linger.ms", "5", said, sizeof said));
	assert_true(property_wrong("linger.sm", "5", said, sizeof said));
	assert_non_null(strstr(said, "`linger.ms`"));
	assert_true(property_wrong("ssl.key.password.file", "hunter2", said, sizeof said));
	assert_null(strstr(said, "hunter2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_language),
		cmocka_unit_test(a_file_changes_what_it_names),
		cmocka_unit_test(the_environment_overrides_the_file),
		cmocka_unit_test(what_needs_a_restart_is_named),
		cmocka_unit_test(a_reload_keeps_what_only_a_restart_changes),
		cmocka_unit_test(a_missing_password_file_is_a_fault),
		cmocka_unit_test(properties_that_would_undo_the_protocol_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
