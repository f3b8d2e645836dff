/* shouwangctl read: what a topic's readers see, one message a line, or as text for people. */
#include "../outbox/message_text.h"
#include "cli.h"
#include "kafka.h"
#include "options.h"
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "usage: shouwangctl read TOPIC… [OPTIONS]\n"
			   "\n"
			   "Prints the committed messages of topics from their beginning (those of one partition in "
			   "their order), and then waits\n"
			   "for more.\n"
			   "\n"
			   "  --until-end       end at the end that each partition has by then\n"
			   "  --max N           end after N messages\n"
			   "  --json            one value a line, as it is (default)\n"
			   "  --text            a unit's messages as text for people\n"
			   "  --key             the key and a tab before each value\n"
			   "  --config DIR      the configuration (default: $SHOUWANG_CONFIG, else /etc/shouwang)\n"
			   "  --bootstrap B     another cluster than the configuration's\n";

enum { SILENCE = 30 }; /* seconds without anything, on the way to the end */

struct reading {
	struct config config;
	char **topics;
	size_t n_topics;
	bool until_end, text, key, where, headers;
	int64_t max;
	struct buffer out;
};

static volatile sig_atomic_t stopped;
static void stop(int signal_number)
{
	(void)signal_number;
	stopped = 1;
}

static void put(const void *bytes, size_t len)
{
	if (len)
		fwrite(bytes, 1, len, stdout);
}

static void print_text(struct reading *r, const rd_kafka_message_t *m)
{
	json_t *message = m->len ? json_loadb(m->payload, m->len, 0, NULL) : NULL;
	if (!json_is_object(json_object_get(message, "data"))) {
		put(m->payload, m->len);
	} else {
		r->out.len = 0;
		message_text_of(message, r->config.ruleset, &r->out);
		fwrite(r->out.data, 1, r->out.len, stdout);
	}
	json_decref(message);
	putchar('\n');
}

static void print_headers(const rd_kafka_message_t *m)
{
	rd_kafka_headers_t *headers;
	const char *name;
	const void *value;
	size_t len;
	if (rd_kafka_message_headers(m, &headers))
		return;
	for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &len); i++)
		printf("%s=%.*s\t", name, (int)len, value ? (const char *)value : "");
}

static void print(struct reading *r, const rd_kafka_message_t *m)
{
	if (r->where)
		printf("%d:%lld\t", m->partition, (long long)m->offset);
	if (r->key) {
		put(m->key, m->key_len);
		putchar('\t');
	}
	if (r->headers)
		print_headers(m);
	if (r->text) {
		print_text(r, m);
		return;
	}
	put(m->payload, m->len);
	putchar('\n');
}

static bool read_topics(struct reading *r, struct err *why)
{
	struct topic_reader *reader = topic_reader_open(&r->config.settings, r->topics, r->n_topics, r->until_end, why);
	if (!reader)
		return false;
	int silent = 0;
	for (int64_t n = 0; !stopped && n < r->max && !topic_reader_ended(reader) && !why->text[0];) {
		rd_kafka_message_t *m = topic_reader_next(reader, 1000, why);
		if (m) {
			print(r, m);
			rd_kafka_message_destroy(m);
			n++;
			silent = 0;
			continue;
		}
		fflush(stdout);
		if (!topic_reader_ended(reader) && ++silent > SILENCE && r->until_end)
			err_set(why, "kafka: nothing came for %d s before the end", SILENCE);
	}
	topic_reader_close(reader);
	return !why->text[0];
}

enum { O_UNTIL_END = 256, O_MAX, O_JSON, O_TEXT, O_KEY, O_WHERE, O_HEADERS, O_CONFIG, O_BOOTSTRAP, O_HELP };
static const struct option options[] = {
	{"until-end", no_argument, NULL, O_UNTIL_END},
	{"max", required_argument, NULL, O_MAX},
	{"json", no_argument, NULL, O_JSON},
	{"text", no_argument, NULL, O_TEXT},
	{"key", no_argument, NULL, O_KEY},
	{"config", required_argument, NULL, O_CONFIG},
	{"bootstrap", required_argument, NULL, O_BOOTSTRAP},
	{"where", no_argument, NULL, O_WHERE},
	{"headers", no_argument, NULL, O_HEADERS},
	{"help", no_argument, NULL, O_HELP},
	{NULL, 0, NULL, 0},
};

static int read_options(struct reading *r, int argc, char **argv, const char **dir, const char **bootstrap)
{
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case O_UNTIL_END:
			r->until_end = true;
			break;
		case O_MAX:
			if (!option_number("read", "--max", optarg, 1, INT64_MAX, &r->max))
				return CLI_USAGE;
			break;
		case O_JSON:
			r->text = false;
			break;
		case O_TEXT:
			r->text = true;
			break;
		case O_KEY:
			r->key = true;
			break;
		case O_HEADERS:
			r->headers = true;
			break;
		case O_WHERE:
			r->where = true;
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
	if (argc > optind) {
		r->topics = argv + optind;
		r->n_topics = (size_t)(argc - optind);
		return CLI_DONE;
	}
	fputs(help, stderr);
	return CLI_USAGE;
}

int cli_read(int argc, char **argv)
{
	struct reading r = {.max = INT64_MAX};
	struct err why = {0};
	const char *dir = cli_config_dir(), *bootstrap = NULL;
	int code = read_options(&r, argc, argv, &dir, &bootstrap);
	if (code != CLI_DONE)
		return code < 0 ? CLI_DONE : code;
	if (!option_config("read", dir, &r.config))
		return CLI_FAILED;
	if (bootstrap)
		r.config.settings.kafka.bootstrap = bootstrap;
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	if (!read_topics(&r, &why)) {
		fprintf(stderr, "shouwangctl read: %s\n", why.text);
		code = CLI_FAILED;
	}
	buffer_free(&r.out);
	config_close(&r.config);
	return option_end("read", code);
}
