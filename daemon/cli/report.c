/* shouwangctl report: what the units were told, for people: cases by unit and level, rejects by reason, and a few cases
 * whole.  From the topics, or from what `run` has written. */
#include "../../consumers/inbox_file.h"
#include "../outbox/json_write.h"
#include "../outbox/message_text.h"
#include "cli.h"
#include "kafka.h"
#include "options.h"
#include "topic_list.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"usage: shouwangctl report [OPTIONS]\n"
	"\n"
	"Reads the units' topics and the rejects to their ends and prints: cases by unit and level, rejects by reason, "
	"and\n"
	"some cases whole, in Chinese.\n"
	"\n"
	"  --cases N         so many cases whole (default 3)\n"
	"  --file FILE       read messages from FILE, as `shouwangctl run` prints them, instead of the topics\n"
	"  --rejects FILE    and rejects from FILE, as `shouwangctl run --rejects` writes them\n"
	"  --config DIR      the configuration (default: $SHOUWANG_CONFIG, else /etc/shouwang)\n"
	"  --bootstrap B     another cluster than the configuration's\n";

enum { SILENCE = 30, MOST_REASONS = 25 };

struct notice { /* one message */
	struct str case_id;
	int64_t number;
	json_t *json;
};
struct counted {
	struct str reason;
	size_t n;
};
struct report {
	struct config config;
	const char *file, *rejects_file;
	int64_t whole;
	struct arena arena;
	struct notice *told; /* after the reading sorted by case and number */
	size_t n_told, cap_told;
	struct counted *reasons;
	size_t n_reasons, cap_reasons, n_rejects;
	size_t unreadable;
};

/* One case: its messages told[first] to told[first + n - 1]. */
struct casework {
	size_t first, n;
	const char *unit; /* without the code */
	uint32_t highest; /* level ever told */
	bool over;        /* cleared or closed */
	size_t rules;     /* alerts at the same time, at most */
};

static const char *text(const json_t *object, const char *name)
{
	const char *s = json_string_value(json_object_get(object, name));
	return s ? s : "";
}

/* --- reading */
static void add_message(struct report *r, struct str bytes)
{
	json_t *json = bytes.len ? json_loadb(bytes.s, bytes.len, 0, NULL) : NULL,
	       *data = json_object_get(json, "data");
	bool outcome = strcmp(text(json, "type"), "case.outcome") == 0; /* `run` prints them too */
	if (outcome || !*text(data, "case")) {
		r->unreadable += !outcome;
		json_decref(json);
		return;
	}
	ARENA_PUSH_ROOM(&r->arena, r->told, r->n_told, r->cap_told);
	r->told[r->n_told++] = (struct notice){str_of(text(data, "case")),
					       json_integer_value(json_object_get(data, "message_no")), json};
}

static void add_reason(struct report *r, struct str reason)
{
	r->n_rejects++;
	for (size_t i = 0; i < r->n_reasons; i++)
		if (str_equal(r->reasons[i].reason, reason)) {
			r->reasons[i].n++;
			return;
		}
	ARENA_PUSH_ROOM(&r->arena, r->reasons, r->n_reasons, r->cap_reasons);
	r->reasons[r->n_reasons++] = (struct counted){arena_str(&r->arena, reason), 1};
}

static void add_reject_line(struct report *r, struct str bytes)
{
	json_t *json = json_loadb(bytes.s, bytes.len, 0, NULL);
	add_reason(r, str_of(text(json, "reason")));
	json_decref(json);
}

static void add_reject(struct report *r, const rd_kafka_message_t *m)
{
	rd_kafka_headers_t *headers;
	const void *reason = NULL;
	size_t len = 0;
	if (!rd_kafka_message_headers(m, &headers))
		rd_kafka_header_get_last(headers, "reason", &reason, &len);
	add_reason(r, reason ? (struct str){reason, (uint32_t)len} : STR("?"));
}

static bool read_lines(struct report *r, const char *path, void (*add)(struct report *, struct str), struct err *why)
{
	char *paths[] = {(char *)(uintptr_t)path};
	struct file_record record;
	struct inbox_file *in = inbox_file_open(paths, 1, NULL, NULL, why);
	if (!in)
		return false;
	while (inbox_file_next(in, &record))
		add(r, record.text);
	inbox_file_close(in);
	return true;
}

static bool read_kafka(struct report *r, struct err *why)
{
	size_t n, n_topics = 0;
	struct topic_wanted *wanted = topic_list(&r->config, &r->arena, &n);
	const char *rejects = r->config.settings.topics.rejects;
	char **topics = ARENA_ARRAY(&r->arena, char *, n);
	for (size_t i = 0; i < n; i++)
		if (wanted[i].role == TOPIC_UNIT || wanted[i].role == TOPIC_REJECTS)
			topics[n_topics++] = (char *)(uintptr_t)wanted[i].name;
	struct topic_reader *reader = topic_reader_open(&r->config.settings, topics, n_topics, true, why);
	if (!reader)
		return false;
	for (int silent = 0; !topic_reader_ended(reader) && !why->text[0];) {
		rd_kafka_message_t *m = topic_reader_next(reader, 1000, why);
		if (!m) {
			if (!topic_reader_ended(reader) && ++silent > SILENCE)
				err_set(why, "kafka: nothing came for %d s before the end", SILENCE);
			continue;
		}
		silent = 0;
		if (strcmp(rd_kafka_topic_name(m->rkt), rejects) == 0)
			add_reject(r, m);
		else
			add_message(r, (struct str){m->payload, (uint32_t)m->len});
		rd_kafka_message_destroy(m);
	}
	topic_reader_close(reader);
	return !why->text[0];
}

/* --- cases from messages */
static int by_case(const void *pa, const void *pb)
{
	const struct notice *a = pa, *b = pb;
	int c = str_compare(a->case_id, b->case_id);
	return c ? c : (a->number > b->number) - (a->number < b->number);
}

static uint32_t level_of(const struct report *r, const char *name)
{
	const struct ruleset *rules = r->config.ruleset;
	for (uint32_t i = 0; i < rules->n_levels; i++)
		if (strcmp(rules->levels[i], name) == 0)
			return i;
	return 0;
}

static void see(const struct report *r, struct casework *c, size_t i)
{
	const json_t *data = json_object_get(r->told[i].json, "data"), *alerts = json_object_get(data, "alerts");
	const char *type = text(r->told[i].json, "type");
	uint32_t level = level_of(r, text(data, "level"));
	size_t open = 0;
	for (size_t a = 0; a < json_array_size(alerts); a++)
		open += strcmp(text(json_array_get(alerts, a), "state"), "over") != 0;
	c->over = strcmp(type, "case.cleared") == 0 || strcmp(type, "case.closed") == 0;
	if (level > c->highest)
		c->highest = level;
	c->rules = open > c->rules ? open : c->rules;
}

static struct casework *casework(struct report *r, size_t *n)
{
	struct casework *list = NULL;
	size_t cap = *n = 0;
	if (r->n_told)
		qsort(r->told, r->n_told, sizeof *r->told, by_case);
	for (size_t i = 0; i < r->n_told; i++) {
		if (!i || !str_equal(r->told[i].case_id, r->told[i - 1].case_id)) {
			ARENA_PUSH_ROOM(&r->arena, list, *n, cap);
			const char *unit = text(json_object_get(r->told[i].json, "data"), "unit");
			list[(*n)++] =
				(struct casework){.first = i, .unit = arena_text(&r->arena, unit, strcspn(unit, "/"))};
		}
		list[*n - 1].n++;
		see(r, &list[*n - 1], i);
	}
	return list;
}

/* --- printing.  A Chinese character takes two columns. */
static int columns(const char *s)
{
	int n = 0;
	for (; *s; s++)
		if (((unsigned char)*s & 0xc0) != 0x80)
			n += (unsigned char)*s >= 0xe2 ? 2 : 1;
	return n;
}

static void cell(const char *s, int width)
{
	printf("%s%*s", s, width > columns(s) ? width - columns(s) : 0, "");
}

static void number_cell(size_t n, int width)
{
	printf("%*zu", width, n);
}

static void head_cell(const char *s, int width)
{
	printf("%*s%s", width > columns(s) ? width - columns(s) : 0, "", s);
}

static void print_units(const struct report *r, const struct casework *list, size_t n)
{
	const struct ruleset *rules = r->config.ruleset;
	enum { NAME = 24, NUMBER = 10 };
	printf("案件: 共%zu件, %zu条通知\n\n", n, r->n_told);
	cell("单位", NAME);
	for (size_t l = rules->n_levels; l-- > 1;)
		head_cell(text_level(rules->levels[l]), NUMBER);
	head_cell("合计", NUMBER);
	head_cell("未结", NUMBER);
	head_cell("已结", NUMBER);
	putchar('\n');
	for (size_t u = 0; u < rules->n_units; u++) {
		const struct unit *unit = &rules->units[u];
		size_t levels[64] = {0}, all = 0, over = 0;
		for (size_t i = 0; i < n; i++) {
			if (strcmp(list[i].unit, unit->name) != 0)
				continue;
			levels[list[i].highest % 64]++;
			all++;
			over += list[i].over;
		}
		cell(unit->title ? unit->title : unit->name, NAME);
		for (size_t l = rules->n_levels; l-- > 1;)
			number_cell(levels[l % 64], NUMBER);
		number_cell(all, NUMBER);
		number_cell(all - over, NUMBER);
		number_cell(over, NUMBER);
		putchar('\n');
	}
}

static int by_count(const void *pa, const void *pb)
{
	const struct counted *a = pa, *b = pb;
	return a->n != b->n ? (a->n < b->n ? 1 : -1) : str_compare(a->reason, b->reason);
}

static void print_rejects(struct report *r)
{
	printf("\n退回的数据: %zu条\n\n", r->n_rejects);
	if (r->n_reasons)
		qsort(r->reasons, r->n_reasons, sizeof *r->reasons, by_count);
	for (size_t i = 0; i < r->n_reasons && i < MOST_REASONS; i++)
		printf("%8zu  %.*s\n", r->reasons[i].n, (int)r->reasons[i].reason.len, r->reasons[i].reason.s);
	if (r->n_reasons > MOST_REASONS)
		printf("          和另外%zu种原因\n", r->n_reasons - MOST_REASONS);
}

static void print_whole(const struct report *r, const struct casework *c)
{
	struct buffer out = {0};
	for (size_t i = c->first; i < c->first + c->n; i++) {
		write_bytes(&out, "\n", 1);
		message_text_of(r->told[i].json, r->config.ruleset, &out);
	}
	fwrite(out.data, 1, out.len, stdout);
	buffer_free(&out);
}

/* What a reader learns most from: many alerts at a high level, a story with an end, few messages. */
static int64_t worth(const struct casework *c, int64_t kind)
{
	int64_t all = (int64_t)c->rules * 100 + c->highest * 30 - (c->n > 4 ? (int64_t)c->n * 20 : 0);
	switch (kind % 3) {
	case 0:
		return all + (c->over ? 0 : 1000);
	case 1:
		return all + (c->over ? 1000 : 0) + (c->n > 2 ? 200 : 0);
	default:
		return (c->n == 1 ? 500 : 0) - (int64_t)c->highest * 30 - (int64_t)c->rules * 10;
	}
}

static void print_cases(struct report *r, const struct casework *list, size_t n)
{
	bool *used = ARENA_ARRAY(&r->arena, bool, n + 1);
	const char *last = "";
	printf("\n案例\n");
	for (int64_t k = 0; k < r->whole && k < (int64_t)n; k++) {
		size_t best = n;
		int64_t most = INT64_MIN;
		for (size_t i = 0; i < n; i++) {
			int64_t is = worth(&list[i], k) + (strcmp(list[i].unit, last) != 0 ? 50 : 0);
			if (!used[i] && is > most) {
				best = i;
				most = is;
			}
		}
		used[best] = true;
		last = list[best].unit;
		print_whole(r, &list[best]);
	}
}

static bool report(struct report *r, struct err *why)
{
	size_t n;
	if (r->file ? !read_lines(r, r->file, add_message, why) : !read_kafka(r, why))
		return false;
	if (r->rejects_file && !read_lines(r, r->rejects_file, add_reject_line, why))
		return false;
	struct casework *list = casework(r, &n);
	print_units(r, list, n);
	if (!r->file || r->rejects_file)
		print_rejects(r);
	if (r->whole && n)
		print_cases(r, list, n);
	if (r->unreadable)
		printf("\n%zu条消息不是案件通知\n", r->unreadable);
	return true;
}

enum { O_CASES = 256, O_FILE, O_REJECTS, O_CONFIG, O_BOOTSTRAP, O_HELP };
static const struct option options[] = {
	{"cases", required_argument, NULL, O_CASES},
	{"file", required_argument, NULL, O_FILE},
	{"rejects", required_argument, NULL, O_REJECTS},
	{"config", required_argument, NULL, O_CONFIG},
	{"bootstrap", required_argument, NULL, O_BOOTSTRAP},
	{"help", no_argument, NULL, O_HELP},
	{NULL, 0, NULL, 0},
};

static int read_options(struct report *r, int argc, char **argv, const char **dir, const char **bootstrap)
{
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case O_CASES:
			if (!option_number("report", "--cases", optarg, 0, 1000000, &r->whole))
				return CLI_USAGE;
			break;
		case O_FILE:
			r->file = optarg;
			break;
		case O_REJECTS:
			r->rejects_file = optarg;
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
	if (argc == optind && (r->file || !r->rejects_file))
		return CLI_DONE;
	fputs(help, stderr);
	return CLI_USAGE;
}

int cli_report(int argc, char **argv)
{
	struct report r = {.whole = 3};
	struct err why = {0};
	const char *dir = cli_config_dir(), *bootstrap = NULL;
	int code = read_options(&r, argc, argv, &dir, &bootstrap);
	if (code != CLI_DONE)
		return code < 0 ? CLI_DONE : code;
	if (!option_config("report", dir, &r.config))
		return CLI_FAILED;
	if (bootstrap)
		r.config.settings.kafka.bootstrap = bootstrap;
	if (!report(&r, &why)) {
		fprintf(stderr, "shouwangctl report: %s\n", why.text);
		code = CLI_FAILED;
	}
	for (size_t i = 0; i < r.n_told; i++)
		json_decref(r.told[i].json);
	arena_close(&r.arena);
	config_close(&r.config);
	return option_end("report", code);
}
