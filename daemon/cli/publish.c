/* shouwangctl publish: JSON lines to a topic, each to the partition of its subject, as they are. */
#include "../../consumers/decode.h"
#include "../../consumers/inbox_file.h"
#include "../../consumers/json_simd.h"
#include "cli.h"
#include "kafka.h"
#include "options.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char help[] = "usage: shouwangctl publish FILE|- --topic T [OPTIONS]\n"
			   "\n"
			   "Sends each line of FILE (- is the standard input) to topic T as it is, as a structured "
			   "CloudEvents message; its key\n"
			   "is the attribute `subject`, its partition that of the configured partitioner.  Ends when "
			   "the cluster has them all.\n"
			   "\n"
			   "  --topic T         where to\n"
			   "  --config DIR      the configuration (default: $SHOUWANG_CONFIG, else /etc/shouwang)\n"
			   "  --bootstrap B     another cluster than the configuration's\n"
			   "  --rate N          at most N lines a second\n"
			   "  --quiet           no progress and no summary\n";

struct publish {
	struct config config;
	char *file;
	const char *topic, *dir;
	int64_t rate;
	bool quiet;
	rd_kafka_t *rk;
	rd_kafka_topic_t *rkt;
	rd_kafka_headers_t *headers;
	struct json_reader *reader;
	struct arena arena;
	int32_t partitions;
	size_t sent, delivered, failed;
	char failure[256]; /* the first one */
	double started, shown;
};

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	struct publish *p = opaque;
	(void)rk;
	if (!m->err) {
		p->delivered++;
		return;
	}
	if (!p->failed++)
		snprintf(p->failure, sizeof p->failure, "%s", rd_kafka_err2str(m->err));
}

static bool subject_field(void *ctx, struct json_reader *r, struct str name, struct err *why)
{
	struct cel_value v;
	struct str raw;
	(void)why;
	if (!str_equal(name, STR("subject")))
		return true;
	struct err none = {0};
	if (json_kind(r) == JSON_STRING && json_take(r, &v, &raw, &none))
		*(struct str *)ctx = (struct str){v.s, v.len};
	return false;
}

/* The subject of a line, also of a faulty one where it can be found; else none. */
static struct str key_of(struct publish *p, struct str line)
{
	struct str key = {0};
	struct err none = {0};
	arena_reset(&p->arena);
	json_read(p->reader, line, &p->arena, subject_field, &key, &none);
	return key;
}

static int32_t partition_of(const struct publish *p, struct str key)
{
	return strcmp(p->config.settings.partitioner, "murmur2") == 0 ? partition_murmur2(key, p->partitions)
								      : partition_crc32(key, p->partitions);
}

static void progress(struct publish *p, bool last)
{
	double t = now();
	if (p->quiet || (!last && (!isatty(STDERR_FILENO) || t - p->shown < 0.2)))
		return;
	p->shown = t;
	double seconds = t - p->started > 0.001 ? t - p->started : 0.001;
	fprintf(stderr, "%s%s: %zu lines sent, %zu delivered, %zu failed, %.0f a second%s",
		isatty(STDERR_FILENO) ? "\r\033[K" : "", p->topic, p->sent, p->delivered, p->failed,
		(double)p->delivered / seconds, last ? "\n" : "");
}

static void keep_pace(struct publish *p)
{
	if (!p->rate)
		return;
	for (double ahead; (ahead = (double)p->sent / (double)p->rate - (now() - p->started)) > 0.001;)
		rd_kafka_poll(p->rk, ahead > 0.05 ? 50 : (int)(ahead * 1000));
}

static bool send_line(struct publish *p, struct str line, struct err *why)
{
	struct str key = key_of(p, line);
	int32_t partition = partition_of(p, key.s ? key : line); /* without a key: any, but always the same */
	rd_kafka_resp_err_t e;
	do {
		rd_kafka_headers_t *headers = rd_kafka_headers_copy(p->headers);
		e = rd_kafka_producev(
			p->rk, RD_KAFKA_V_RKT(p->rkt), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY(key.s, key.len),
			RD_KAFKA_V_VALUE((void *)(uintptr_t)line.s, line.len), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
			RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
		if (e)
			rd_kafka_headers_destroy(headers);
		rd_kafka_poll(p->rk, e == RD_KAFKA_RESP_ERR__QUEUE_FULL ? 100 : 0);
		progress(p, false);
	} while (e == RD_KAFKA_RESP_ERR__QUEUE_FULL);
	if (e)
		return err_set(why, "%s: %s", p->topic, rd_kafka_err2str(e));
	p->sent++;
	keep_pace(p);
	return true;
}

static bool send_all(struct publish *p, struct err *why)
{
	struct file_record record;
	struct inbox_file *in = inbox_file_open(&p->file, 1, NULL, NULL, why);
	if (!in)
		return false;
	p->started = p->shown = now();
	while (!why->text[0] && inbox_file_next(in, &record))
		if (!send_line(p, record.text, why))
			err_prefix(why, "line %u", record.line);
	while (rd_kafka_outq_len(p->rk) > 0) { /* each ends, delivered or not, within message.timeout.ms */
		rd_kafka_poll(p->rk, 100);
		progress(p, false);
	}
	inbox_file_close(in);
	progress(p, true);
	if (p->failed)
		err_set(why, "%s: %zu lines were not delivered: %s", p->topic, p->failed, p->failure);
	return !why->text[0];
}

static bool connect_to(struct publish *p, struct err *why)
{
	rd_kafka_conf_t *conf = kafka_conf_new(&p->config.settings, why);
	if (!conf)
		return false;
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_opaque(conf, p);
	if (!kafka_conf_set(conf, "enable.idempotence", "true", why) || !kafka_conf_set(conf, "linger.ms", "20", why) ||
	    !kafka_conf_set(conf, "message.timeout.ms", "60000", why)) {
		rd_kafka_conf_destroy(conf);
		return false;
	}
	p->rk = kafka_client(RD_KAFKA_PRODUCER, conf, why);
	const struct rd_kafka_metadata *all = p->rk ? kafka_metadata(p->rk, why) : NULL;
	if (!all)
		return false;
	const struct rd_kafka_metadata_topic *t = kafka_topic(all, p->topic);
	p->partitions = t ? t->partition_cnt : 0;
	rd_kafka_metadata_destroy(all);
	if (!p->partitions)
		return err_set(why, "topic %s: there is none; `shouwangctl topics` creates it", p->topic);
	p->rkt = rd_kafka_topic_new(p->rk, p->topic, NULL);
	return true;
}

static void disconnect(struct publish *p)
{
	if (p->rkt)
		rd_kafka_topic_destroy(p->rkt);
	if (p->rk)
		rd_kafka_destroy(p->rk);
	rd_kafka_headers_destroy(p->headers);
	json_reader_free(p->reader);
	arena_close(&p->arena);
}

enum { O_TOPIC = 256, O_CONFIG, O_BOOTSTRAP, O_RATE, O_QUIET, O_HELP };
static const struct option options[] = {
	{"topic", required_argument, NULL, O_TOPIC},
	{"config", required_argument, NULL, O_CONFIG},
	{"bootstrap", required_argument, NULL, O_BOOTSTRAP},
	{"rate", required_argument, NULL, O_RATE},
	{"quiet", no_argument, NULL, O_QUIET},
	{"help", no_argument, NULL, O_HELP},
	{NULL, 0, NULL, 0},
};

static int read_options(struct publish *p, int argc, char **argv, const char **bootstrap)
{
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case O_TOPIC:
			p->topic = optarg;
			break;
		case O_CONFIG:
			p->dir = optarg;
			break;
		case O_BOOTSTRAP:
			*bootstrap = optarg;
			break;
		case O_RATE:
			if (!option_number("publish", "--rate", optarg, 1, 100000000, &p->rate))
				return CLI_USAGE;
			break;
		case O_QUIET:
			p->quiet = true;
			break;
		default:
			fputs(help, o == O_HELP ? stdout : stderr);
			return o == O_HELP ? -1 : CLI_USAGE;
		}
	}
	if (argc - optind == 1 && p->topic) {
		p->file = argv[optind];
		return CLI_DONE;
	}
	fputs(help, stderr);
	return CLI_USAGE;
}

int cli_publish(int argc, char **argv)
{
	struct publish p = {.dir = cli_config_dir()};
	struct err why = {0};
	const char *bootstrap = NULL;
	int code = read_options(&p, argc, argv, &bootstrap);
	if (code != CLI_DONE)
		return code < 0 ? CLI_DONE : code;
	if (!option_config("publish", p.dir, &p.config))
		return CLI_FAILED;
	if (bootstrap)
		p.config.settings.kafka.bootstrap = bootstrap;
	p.reader = json_reader_new();
	p.headers = rd_kafka_headers_new(1);
	rd_kafka_header_add(p.headers, "content-type", -1, "application/cloudevents+json", -1);
	if (!connect_to(&p, &why) || !send_all(&p, &why)) {
		fprintf(stderr, "shouwangctl publish: %s\n", why.text);
		code = CLI_FAILED;
	}
	disconnect(&p);
	config_close(&p.config);
	return code;
}
