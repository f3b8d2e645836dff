/* shouwangctl answer: sends what a caseworker says of a case to the feedback's topic. */
#include "../../consumers/decode.h"
#include "../outbox/json_write.h"
#include "cli.h"
#include "kafka.h"
#include "options.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static const char help[] =
	"usage: shouwangctl answer CASE TYPE [OPTIONS]\n"
	"\n"
	"Sends feedback on a case, named as in its messages (household/h-1/social-assistance/1).  TYPE is "
	"acknowledged,\n"
	"confirmed, measure_taken (these stop no clock), handled or not_confirmed (these answer).\n"
	"\n"
	"  --by NAME         who answers\n"
	"  --note TEXT       a remark\n"
	"  --at TIME         when it was so (default: now); a date or 2026-07-01T08:00:00+08:00\n"
	"  --until TIME      an answered alert that is still true then speaks again; a date passes when the day ends\n"
	"  --message-no N    the answer covers what the case had told by this message (default: the latest)\n"
	"  --rules A,B       the answer covers only the alerts of these rules\n"
	"  --measure TEXT    which measure was taken\n"
	"  --when TIME       and when\n"
	"  --print           print the event instead of sending it\n"
	"  --config DIR      the configuration (default: $SHOUWANG_CONFIG, else /etc/shouwang)\n"
	"  --bootstrap B     another cluster than the configuration's\n";

enum { DELIVERY_MS = 30000 };

struct sending {
	struct config config;
	struct arena arena;
	const char *by, *note, *at, *until, *message_no, *rules, *measure, *when;
	bool print;
	struct str id, subject; /* of the case */
	enum answer_kind kind;
	struct buffer json;
	rd_kafka_t *rk;
	int32_t partition;
	int64_t offset;
	bool done;
	rd_kafka_resp_err_t failure;
};

/* --- the case's name: <watch>/<subject>/<unit>/<number> */

static uint32_t digits_before(struct str s, uint32_t end)
{
	uint32_t n = 0;
	while (n < end && s.s[end - n - 1] >= '0' && s.s[end - n - 1] <= '9')
		n++;
	return n;
}

/* How much of rest (<subject>/<unit>) is "/<unit>"; 0: it doesn't end with this unit. */
static uint32_t unit_tail(const struct unit *u, struct str rest)
{
	uint32_t end = rest.len, name = (uint32_t)strlen(u->name);
	if (u->each_digits) {
		if (digits_before(rest, end) != u->each_digits || end < u->each_digits + 1)
			return 0;
		end -= u->each_digits + 1; /* also the slash */
		if (rest.s[end] != '/')
			return 0;
	}
	if (end < name + 2 || memcmp(rest.s + end - name, u->name, name) != 0 || rest.s[end - name - 1] != '/')
		return 0;
	return rest.len - end + name + 1;
}

/* A subject or a unit may hold a slash: the unit is the one of the configuration with which it ends. */
static bool take_case(struct sending *s, const char *text, struct err *why)
{
	const struct ruleset *r = s->config.ruleset;
	struct str id = s->id = str_of(text);
	const char *slash = strchr(text, '/');
	uint32_t head = slash ? (uint32_t)(slash - text) + 1 : 0, number = digits_before(id, id.len), tail = 0;
	if (!slash || number == 0 || id.len < head + number + 2 || id.s[id.len - number - 1] != '/')
		return err_set(why, "CASE: found %s, expected <watch>/<subject>/<unit>/<number>", text);
	if (!ruleset_watch(r, (struct str){text, head - 1}))
		return err_set(why, "CASE: found watch %.*s, which the configuration doesn't have", (int)head - 1,
			       text);
	struct str rest = {text + head, id.len - head - number - 1};
	for (size_t i = 0; i < r->n_units; i++) {
		uint32_t is = unit_tail(&r->units[i], rest);
		tail = is > tail ? is : tail;
	}
	if (!tail)
		return err_set(
			why, "CASE: found %s, expected the name of one of the configuration's units before the number",
			text);
	s->subject = (struct str){rest.s, rest.len - tail};
	return true;
}

static bool take_type(struct sending *s, const char *text, struct err *why)
{
	char name[64];
	snprintf(name, sizeof name, "%s%s", strncmp(text, "case.", 5) == 0 ? "" : "case.", text);
	return answer_kind_of(str_of(name), &s->kind) ||
	       err_set(why, "TYPE: found %s, expected acknowledged, confirmed, measure_taken, handled or not_confirmed",
		       text);
}

/* --- the event */

static bool write_time_option(struct sending *s, const char *name, const char *option, const char *text,
			      parse_time *parse, struct err *why)
{
	int64_t ms;
	if (!text)
		return true;
	if (!parse(s->config.ruleset->zone, str_of(text), &ms))
		return err_set(why,
			       "%s: found %s, expected a date like 2026-07-01 or a time like 2026-07-01T08:00:00+08:00",
			       option, text);
	write_name(&s->json, name);
	write_time(&s->json, s->config.ruleset->zone, ms);
	return true;
}

static void write_text_option(struct sending *s, const char *name, const char *text)
{
	if (!text)
		return;
	write_name(&s->json, name);
	write_text(&s->json, text);
}

static void write_rules(struct sending *s)
{
	const char *at = s->rules;
	if (!at)
		return;
	write_name(&s->json, "rules");
	write_open(&s->json, '[');
	for (const char *end; at; at = end ? end + 1 : NULL) {
		end = strchr(at, ',');
		write_string(&s->json, (struct str){at, end ? (uint32_t)(end - at) : (uint32_t)strlen(at)});
	}
	write_close(&s->json, ']');
}

static bool write_data(struct sending *s, struct err *why)
{
	write_name(&s->json, "data");
	write_open(&s->json, '{');
	write_name(&s->json, "case");
	write_string(&s->json, s->id);
	write_text_option(s, "by", s->by);
	write_text_option(s, "note", s->note);
	if (!write_time_option(s, "at", "--at", s->at, time_parse, why) ||
	    !write_time_option(s, "until", "--until", s->until, until_parse, why))
		return false;
	if (s->message_no) {
		int64_t n;
		if (!option_number("answer", "--message-no", s->message_no, 1, UINT32_MAX, &n))
			return err_set(why, "nothing was sent");
		write_name(&s->json, "message_no");
		write_int(&s->json, n);
	}
	write_rules(s);
	write_text_option(s, "measure", s->measure);
	if (!write_time_option(s, "when", "--when", s->when, time_parse, why))
		return false;
	write_close(&s->json, '}');
	return true;
}

static bool random_id(struct sending *s)
{
	uint64_t bits[2];
	if (getrandom(bits, sizeof bits, 0) != sizeof bits)
		return false;
	write_text(&s->json,
		   arena_printf(&s->arena, "%016llx%016llx", (unsigned long long)bits[0], (unsigned long long)bits[1]));
	return true;
}

static bool write_event(struct sending *s, int64_t now, struct err *why)
{
	write_open(&s->json, '{');
	write_name(&s->json, "specversion");
	write_text(&s->json, "1.0");
	write_name(&s->json, "id");
	if (!random_id(s))
		return err_set(why, "the system gives no random numbers");
	write_name(&s->json, "source");
	write_text(&s->json, "shouwangctl");
	write_name(&s->json, "type");
	write_text(&s->json, answer_type(s->kind));
	write_name(&s->json, "subject");
	write_string(&s->json, s->subject);
	write_name(&s->json, "time");
	write_time(&s->json, s->config.ruleset->zone, now);
	write_name(&s->json, "datacontenttype");
	write_text(&s->json, "application/json");
	if (!write_data(s, why))
		return false;
	write_close(&s->json, '}');
	return true;
}

/* What the daemon would reject for its form isn't sent: it has the same decoder. */
static bool check_event(struct sending *s, int64_t now, struct err *why)
{
	struct event event;
	struct err reason = {{0}};
	struct decoder *d = decoder_new(s->config.ruleset);
	struct record record = {.value = {s->json.data, (uint32_t)s->json.len}};
	bool good = decode_feedback(d, &record, now, &s->arena, &event, &reason) == DECODE_EVENT;
	decoder_free(d);
	return good || err_set(why, "%s", reason.text);
}

/* --- sending */

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	struct sending *s = opaque;
	(void)rk;
	s->done = true;
	s->failure = m->err;
	s->offset = m->offset;
}

static bool connect_to(struct sending *s, struct err *why)
{
	rd_kafka_conf_t *conf = kafka_conf_new(&s->config.settings, why);
	if (!conf)
		return false;
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_opaque(conf, s);
	if (!kafka_conf_set(conf, "enable.idempotence", "true", why) || !kafka_conf_set(conf, "linger.ms", "0", why) ||
	    !kafka_conf_set(conf, "message.timeout.ms", "20000", why)) {
		rd_kafka_conf_destroy(conf);
		return false;
	}
	s->rk = kafka_client(RD_KAFKA_PRODUCER, conf, why);
	return s->rk != NULL;
}

static bool find_partition(struct sending *s, struct err *why)
{
	const struct settings *set = &s->config.settings;
	const struct rd_kafka_metadata *all = kafka_metadata(s->rk, why);
	if (!all)
		return false;
	const struct rd_kafka_metadata_topic *t = kafka_topic(all, set->topics.feedback);
	int32_t n = t ? t->partition_cnt : 0;
	rd_kafka_metadata_destroy(all);
	if (!n)
		return err_set(why, "topic %s: there is none; `shouwangctl topics` creates it", set->topics.feedback);
	s->partition = strcmp(set->partitioner, "murmur2") == 0 ? partition_murmur2(s->subject, n)
								: partition_crc32(s->subject, n);
	return true;
}

static bool send_event(struct sending *s, struct err *why)
{
	const char *topic = s->config.settings.topics.feedback;
	if (!connect_to(s, why) || !find_partition(s, why))
		return false;
	rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
	rd_kafka_header_add(headers, "content-type", -1, "application/cloudevents+json", -1);
	rd_kafka_resp_err_t e = rd_kafka_producev(
		s->rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(s->partition),
		RD_KAFKA_V_KEY(s->subject.s, s->subject.len), RD_KAFKA_V_VALUE(s->json.data, s->json.len),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
	if (e) {
		rd_kafka_headers_destroy(headers);
		return err_set(why, "%s: %s", topic, rd_kafka_err2str(e));
	}
	rd_kafka_flush(s->rk, DELIVERY_MS);
	if (!s->done || s->failure)
		return err_set(why, "%s: the feedback was not delivered: %s", topic,
			       s->done ? rd_kafka_err2str(s->failure) : "no answer");
	return true;
}

static bool answer(struct sending *s, char **words, struct err *why)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	int64_t now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
	if (!take_case(s, words[0], why) || !take_type(s, words[1], why) || !write_event(s, now, why) ||
	    !check_event(s, now, why) || (!s->print && !send_event(s, why)))
		return false;
	printf("%.*s\n", (int)s->json.len, s->json.data);
	if (!s->print)
		fprintf(stderr, "sent to %s, partition %d, offset %lld\n", s->config.settings.topics.feedback,
			s->partition, (long long)s->offset);
	return true;
}

/* --- options */

enum {
	O_FIRST_TEXT = 256,
	O_BY = O_FIRST_TEXT,
	O_NOTE,
	O_AT,
	O_UNTIL,
	O_MESSAGE_NO,
	O_RULES,
	O_MEASURE,
	O_WHEN,
	O_CONFIG,
	O_BOOTSTRAP,
	O_PRINT,
	O_HELP
};
static const struct option options[] = {
	{"by", required_argument, NULL, O_BY},
	{"note", required_argument, NULL, O_NOTE},
	{"at", required_argument, NULL, O_AT},
	{"until", required_argument, NULL, O_UNTIL},
	{"message-no", required_argument, NULL, O_MESSAGE_NO},
	{"rules", required_argument, NULL, O_RULES},
	{"measure", required_argument, NULL, O_MEASURE},
	{"when", required_argument, NULL, O_WHEN},
	{"config", required_argument, NULL, O_CONFIG},
	{"bootstrap", required_argument, NULL, O_BOOTSTRAP},
	{"print", no_argument, NULL, O_PRINT},
	{"help", no_argument, NULL, O_HELP},
	{NULL, 0, NULL, 0},
};

static int read_options(struct sending *s, int argc, char **argv, const char **dir, const char **bootstrap)
{
	const char **texts[] = {&s->by,    &s->note,    &s->at,   &s->until, &s->message_no,
				&s->rules, &s->measure, &s->when, dir,       bootstrap};
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (o >= O_FIRST_TEXT && o <= O_BOOTSTRAP) {
			*texts[o - O_FIRST_TEXT] = optarg;
		} else if (o == O_PRINT) {
			s->print = true;
		} else {
			fputs(help, o == O_HELP ? stdout : stderr);
			return o == O_HELP ? -1 : CLI_USAGE;
		}
	}
	if (argc - optind == 2)
		return CLI_DONE;
	fputs(help, stderr);
	return CLI_USAGE;
}

int cli_answer(int argc, char **argv)
{
	struct sending s = {0};
	struct err why = {{0}};
	const char *dir = cli_config_dir(), *bootstrap = NULL;
	int code = read_options(&s, argc, argv, &dir, &bootstrap);
	if (code != CLI_DONE)
		return code < 0 ? CLI_DONE : code;
	if (!option_config("answer", dir, &s.config))
		return CLI_FAILED;
	if (bootstrap)
		s.config.settings.kafka.bootstrap = bootstrap;
	if (!answer(&s, argv + optind, &why)) {
		fprintf(stderr, "shouwangctl answer: %s\n", why.text);
		code = CLI_FAILED;
	}
	if (s.rk)
		rd_kafka_destroy(s.rk);
	buffer_free(&s.json);
	arena_close(&s.arena);
	config_close(&s.config);
	return option_end("answer", code);
}
