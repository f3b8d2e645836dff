/* shouwangctl topics: creates the topics that are missing, sets the settings that differ, and says what it may not
 * change: partitions and replicas of a topic that exists. */
#include "cli.h"
#include "kafka.h"
#include "options.h"
#include "topic_list.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] = "usage: shouwangctl topics [--check] [OPTIONS]\n"
			   "\n"
			   "Creates every topic that the configuration names, with its partitions, replicas and "
			   "settings, and sets the settings\n"
			   "of existing ones that differ.  Partitions and replicas of existing topics are never "
			   "changed: where they differ, that\n"
			   "is said and the exit code is 1.\n"
			   "\n"
			   "  --check           change nothing; exit 1 where anything is missing or differs\n"
			   "  --list            print the topics' names and partitions, ask no server\n"
			   "  --config DIR      the configuration (default: $SHOUWANG_CONFIG, else /etc/shouwang)\n"
			   "  --bootstrap B     another cluster than the configuration's\n";

enum { PATIENCE = 30000, DESCRIBE_PATIENCE = 3000 }; /* ms; a cluster that can't describe says nothing at all */

struct topics {
	struct config config;
	bool check, list;
	struct arena arena;
	struct topic_wanted *wanted;
	size_t n;
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	rd_kafka_AdminOptions_t *options, *describing;
	size_t created, changed, wrong; /* wrong: what stays different */
	bool unreadable;                /* the cluster doesn't tell settings; said once */
};

/* --- the admin calls: one request, one event */
static rd_kafka_event_t *answer(struct topics *t, struct err *why)
{
	rd_kafka_event_t *e = rd_kafka_queue_poll(t->queue, PATIENCE + 5000);
	if (!e)
		err_set(why, "kafka: no answer within %d s", (PATIENCE + 5000) / 1000);
	return e;
}

static bool create(struct topics *t, const struct topic_wanted *w, struct err *why)
{
	const struct settings *s = &t->config.settings;
	struct topic_setting settings[TOPIC_SETTINGS];
	char text[256] = "";
	rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(w->name, s->partitions, s->replication, text, sizeof text);
	if (!topic)
		return err_set(why, "topic %s: %s", w->name, text);
	size_t n = topic_settings(s, w->role, &t->arena, settings);
	for (size_t i = 0; i < n; i++)
		rd_kafka_NewTopic_set_config(topic, settings[i].name, settings[i].value);
	rd_kafka_CreateTopics(t->rk, &topic, 1, t->options, t->queue);
	rd_kafka_NewTopic_destroy(topic);
	rd_kafka_event_t *e = answer(t, why);
	if (!e)
		return false;
	size_t results = 0;
	const rd_kafka_topic_result_t **list =
		rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(e), &results);
	if (rd_kafka_event_error(e))
		err_set(why, "topic %s: %s", w->name, rd_kafka_event_error_string(e));
	else if (results && rd_kafka_topic_result_error(list[0]))
		err_set(why, "topic %s: %s", w->name, rd_kafka_topic_result_error_string(list[0]));
	rd_kafka_event_destroy(e);
	return !why->text[0];
}

/* The topic's settings; NULL: the cluster doesn't tell them (why stays empty), or why is set. */
static rd_kafka_event_t *describe(struct topics *t, const char *name, struct err *why)
{
	rd_kafka_ConfigResource_t *r = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name);
	rd_kafka_DescribeConfigs(t->rk, &r, 1, t->describing, t->queue);
	rd_kafka_ConfigResource_destroy(r);
	rd_kafka_event_t *e = answer(t, why);
	if (!e)
		return NULL;
	size_t n = 0;
	const rd_kafka_ConfigResource_t **list =
		rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(e), &n);
	rd_kafka_resp_err_t code = rd_kafka_event_error(e);
	const char *text = code ? rd_kafka_event_error_string(e)
			   : n  ? rd_kafka_ConfigResource_error_string(list[0])
				: "";
	if (!code && n)
		code = rd_kafka_ConfigResource_error(list[0]);
	if (!code && n)
		return e;
	if (!t->unreadable)
		printf("the cluster does not tell the topics' settings (%s): only their partitions are checked\n",
		       text ? text : rd_kafka_err2str(code));
	t->unreadable = true;
	rd_kafka_event_destroy(e);
	return NULL;
}

static const rd_kafka_ConfigEntry_t **entries_of(rd_kafka_event_t *e, size_t *n)
{
	size_t resources;
	const rd_kafka_ConfigResource_t **list =
		rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(e), &resources);
	return rd_kafka_ConfigResource_configs(list[0], n);
}

static const char *current(const rd_kafka_ConfigEntry_t **entries, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0)
			return rd_kafka_ConfigEntry_value(entries[i]);
	return NULL;
}

static bool among(const struct topic_setting *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].name, name) == 0)
			return true;
	return false;
}

/* AlterConfigs replaces a topic's settings as a whole: those that are set on it now are sent along. */
static bool alter(struct topics *t, const char *name, const rd_kafka_ConfigEntry_t **entries, size_t n,
		  const struct topic_setting *set, size_t n_set, struct err *why)
{
	rd_kafka_ConfigResource_t *r = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name);
	for (size_t i = 0; i < n; i++)
		if (rd_kafka_ConfigEntry_source(entries[i]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG &&
		    rd_kafka_ConfigEntry_value(entries[i]) && !among(set, n_set, rd_kafka_ConfigEntry_name(entries[i])))
			rd_kafka_ConfigResource_set_config(r, rd_kafka_ConfigEntry_name(entries[i]),
							   rd_kafka_ConfigEntry_value(entries[i]));
	for (size_t i = 0; i < n_set; i++)
		rd_kafka_ConfigResource_set_config(r, set[i].name, set[i].value);
	rd_kafka_AlterConfigs(t->rk, &r, 1, t->options, t->queue);
	rd_kafka_ConfigResource_destroy(r);
	rd_kafka_event_t *e = answer(t, why);
	if (!e)
		return false;
	size_t results = 0;
	const rd_kafka_ConfigResource_t **list =
		rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(e), &results);
	if (rd_kafka_event_error(e))
		err_set(why, "topic %s: %s", name, rd_kafka_event_error_string(e));
	else if (results && rd_kafka_ConfigResource_error(list[0]))
		err_set(why, "topic %s: %s", name, rd_kafka_ConfigResource_error_string(list[0]));
	rd_kafka_event_destroy(e);
	return !why->text[0];
}

/* --- verifying */
static void check_shape(struct topics *t, const struct topic_wanted *w, const struct rd_kafka_metadata_topic *is)
{
	const struct settings *s = &t->config.settings;
	if (topic_same_partitions(w->role) && is->partition_cnt != s->partitions) {
		printf("%s: has %d partitions, expected %d (%s); not changed: it would move subjects to other "
		       "partitions\n",
		       w->name, is->partition_cnt, s->partitions, topic_role_name(w->role));
		t->wrong++;
	}
	int fewest = is->partition_cnt ? is->partitions[0].replica_cnt : 0;
	for (int p = 1; p < is->partition_cnt; p++)
		fewest = is->partitions[p].replica_cnt < fewest ? is->partitions[p].replica_cnt : fewest;
	if (fewest < s->replication) {
		printf("%s: has %d replicas, expected %d (%s); not changed: use kafka-reassign-partitions\n", w->name,
		       fewest, s->replication, topic_role_name(w->role));
		t->wrong++;
	}
}

static bool fits(const struct topic_setting *s, const char *is)
{
	return is && (s->at_least ? strtoll(is, NULL, 10) >= strtoll(s->value, NULL, 10) : strcmp(is, s->value) == 0);
}

static bool check_settings(struct topics *t, const struct topic_wanted *w, struct err *why)
{
	struct topic_setting settings[TOPIC_SETTINGS], differ[TOPIC_SETTINGS];
	rd_kafka_event_t *e = t->unreadable ? NULL : describe(t, w->name, why);
	if (!e)
		return !why->text[0];
	size_t n_entries, n_differ = 0, n = topic_settings(&t->config.settings, w->role, &t->arena, settings);
	const rd_kafka_ConfigEntry_t **entries = entries_of(e, &n_entries);
	for (size_t i = 0; i < n; i++) {
		const char *is = current(entries, n_entries, settings[i].name);
		if (fits(&settings[i], is))
			continue;
		printf("%s: %s %s is %s, expected %s%s\n", w->name, t->check ? "setting" : "changed:", settings[i].name,
		       is ? is : "not told", settings[i].at_least ? "at least " : "", settings[i].value);
		differ[n_differ++] = settings[i];
	}
	if (n_differ && t->check)
		t->wrong += n_differ;
	else if (n_differ && alter(t, w->name, entries, n_entries, differ, n_differ, why))
		t->changed++;
	rd_kafka_event_destroy(e);
	return !why->text[0];
}

static bool handle(struct topics *t, const struct topic_wanted *w, const struct rd_kafka_metadata *all, struct err *why)
{
	const struct settings *s = &t->config.settings;
	const struct rd_kafka_metadata_topic *is = kafka_topic(all, w->name);
	if (is) {
		check_shape(t, w, is);
		return check_settings(t, w, why);
	}
	if (t->check) {
		printf("%s: missing (%s)\n", w->name, topic_role_name(w->role));
		t->wrong++;
		return true;
	}
	if (!create(t, w, why))
		return false;
	printf("%s: created with %d partitions, %d replicas (%s)\n", w->name, s->partitions, s->replication,
	       topic_role_name(w->role));
	t->created++;
	return true;
}

static bool is_usable(const struct rd_kafka_metadata *all, const char *name)
{
	const struct rd_kafka_metadata_topic *is = kafka_topic(all, name);
	bool usable = is && is->partition_cnt > 0;
	for (int p = 0; usable && p < is->partition_cnt; p++)
		usable = is->partitions[p].leader >= 0;
	return usable;
}

/* A topic that was just created is not at once known to every broker: whoever comes next shall find it. */
static bool wait_until_usable(struct topics *t, struct err *why)
{
	for (int waited = 0; waited < PATIENCE; waited += 100) {
		const struct rd_kafka_metadata *all = kafka_metadata(t->rk, why);
		size_t usable = 0;
		for (size_t i = 0; all && i < t->n; i++)
			usable += is_usable(all, t->wanted[i].name);
		if (all)
			rd_kafka_metadata_destroy(all);
		if (!all || usable == t->n)
			return all != NULL;
		usleep(100000);
	}
	return err_set(why, "kafka: the topics were created, but are not ready after %d s", PATIENCE / 1000);
}

static bool handle_all(struct topics *t, struct err *why)
{
	char text[256];
	rd_kafka_conf_t *conf = kafka_conf_new(&t->config.settings, why);
	t->rk = conf ? kafka_client(RD_KAFKA_PRODUCER, conf, why) : NULL;
	const struct rd_kafka_metadata *all = t->rk ? kafka_metadata(t->rk, why) : NULL;
	if (!all)
		return false;
	t->queue = rd_kafka_queue_new(t->rk);
	t->options = rd_kafka_AdminOptions_new(t->rk, RD_KAFKA_ADMIN_OP_ANY);
	t->describing = rd_kafka_AdminOptions_new(t->rk, RD_KAFKA_ADMIN_OP_ANY);
	rd_kafka_AdminOptions_set_request_timeout(t->options, PATIENCE, text, sizeof text);
	rd_kafka_AdminOptions_set_request_timeout(t->describing, DESCRIBE_PATIENCE, text, sizeof text);
	for (size_t i = 0; i < t->n && !why->text[0]; i++)
		handle(t, &t->wanted[i], all, why);
	rd_kafka_metadata_destroy(all);
	if (t->created && !why->text[0])
		wait_until_usable(t, why);
	if (!why->text[0])
		printf("%zu topics: %zu created, %zu changed, %zu differences left\n", t->n, t->created, t->changed,
		       t->wrong);
	return !why->text[0];
}

enum { O_CHECK = 256, O_LIST, O_CONFIG, O_BOOTSTRAP, O_HELP };
static const struct option options[] = {
	{"check", no_argument, NULL, O_CHECK},         {"list", no_argument, NULL, O_LIST},
	{"config", required_argument, NULL, O_CONFIG}, {"bootstrap", required_argument, NULL, O_BOOTSTRAP},
	{"help", no_argument, NULL, O_HELP},           {NULL, 0, NULL, 0},
};

static int read_options(struct topics *t, int argc, char **argv, const char **dir, const char **bootstrap)
{
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case O_CHECK:
			t->check = true;
			break;
		case O_LIST:
			t->list = true;
			break;
		case O_CONFIG:
			*dir = optarg;
			break;
		case O_BOOTSTRAP:
			*bootstrap = optarg;
			break;
		default:
			fputs(help, o == O_HELP ? stdout : stderr);
			return o == O_HELP ? -1 : CLI_USAGE;
		}
	}
	if (argc == optind)
		return CLI_DONE;
	fputs(help, stderr);
	return CLI_USAGE;
}

static void close_all(struct topics *t)
{
	if (t->options)
		rd_kafka_AdminOptions_destroy(t->options);
	if (t->describing)
		rd_kafka_AdminOptions_destroy(t->describing);
	if (t->queue)
		rd_kafka_queue_destroy(t->queue);
	if (t->rk)
		rd_kafka_destroy(t->rk);
	arena_close(&t->arena);
	config_close(&t->config);
}

int cli_topics(int argc, char **argv)
{
	struct topics t = {0};
	struct err why = {0};
	const char *dir = cli_config_dir(), *bootstrap = NULL;
	int code = read_options(&t, argc, argv, &dir, &bootstrap);
	if (code != CLI_DONE)
		return code < 0 ? CLI_DONE : code;
	if (!option_config("topics", dir, &t.config))
		return CLI_FAILED;
	if (bootstrap)
		t.config.settings.kafka.bootstrap = bootstrap;
	t.wanted = topic_list(&t.config, &t.arena, &t.n);
	for (size_t i = 0; t.list && i < t.n; i++)
		printf("%s %d\n", t.wanted[i].name, t.config.settings.partitions);
	if (!t.list && !handle_all(&t, &why))
		fprintf(stderr, "shouwangctl topics: %s\n", why.text);
	code = why.text[0] || t.wrong ? CLI_FAILED : CLI_DONE;
	close_all(&t);
	return option_end("topics", code);
}
