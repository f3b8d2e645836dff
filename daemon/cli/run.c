/* shouwangctl run: events from files through decoder, batch and engine, without servers.  What comes out is what the
 * daemon gives with `clock: events` on as many partitions. */
#include "../../consumers/decode.h"
#include "../../consumers/inbox_file.h"
#include "../../consumers/json_simd.h"
#include "../outbox/json_write.h"
#include "../outbox/message.h"
#include "../state/memory.h"
#include "../state/state_json.h"
#include "cli.h"
#include "options.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 1000 }; /* events; what comes out does not depend on it */

static const char help[] =
	"usage: shouwangctl run DIR FILE… [OPTIONS]\n"
	"\n"
	"Sends the events in FILE… (one CloudEvents object in JSON a line; - is the standard input) through the rules "
	"in\n"
	"DIR and prints each message to a unit as a JSON line: partition by partition, in the order of sending.  Time "
	"is\n"
	"that of the events.  Several files are merged by event time.  Rejected lines go to the standard error.\n"
	"\n"
	"  --partitions N    of the topics (default: the setting `partitions`)\n"
	"  --until DATE      then let time pass until 00:00 of DATE, so that timers fire\n"
	"  --state[=FILE]    print the final states, as JSON lines by subject, instead of the messages; or write them "
	"to FILE\n"
	"  --unmasked        with sensitive values in the states as they are\n"
	"  --rejects FILE    write the rejected lines to FILE as JSON lines\n"
	"  --check           check the engine's invariants after each batch (for tests)\n"
	"  --quiet           no rejected lines and no summary on the standard error\n";

struct lane { /* the records of one partition */
	struct file_record *list;
	size_t n, cap;
	struct memory *memory;
	int64_t clock;
};
struct reject {
	struct file_record record;
	const char *why;
};
struct run {
	struct config config;
	char **paths;
	size_t n_paths;
	int32_t partitions;
	int64_t batch_size;
	bool has_until, values, check, quiet, unmasked, state;
	int64_t until;
	const char *state_file, *rejects_file;

	struct decoder *decoder;
	struct engine *engine;
	struct batch *batch;
	struct lane *lanes;
	struct arena look, events, effects, texts;
	struct buffer out;
	struct reject *rejects;
	size_t n_rejects, cap_rejects;
	size_t n_events, n_ignored, n_messages;
};

static void add_reject(struct run *r, const struct file_record *record, const struct err *why)
{
	ARENA_PUSH_ROOM(&r->texts, r->rejects, r->n_rejects, r->cap_rejects);
	struct reject *reject = &r->rejects[r->n_rejects++];
	*reject = (struct reject){*record, arena_text(&r->texts, why->text, strlen(why->text))};
	reject->record.text = arena_str(&r->texts, record->text);
}

static enum decode_result decode(struct run *r, struct str text, struct arena *arena, struct event *event,
				 struct err *why)
{
	struct record record = {.value = text};
	return decode_event(r->decoder, NULL, &record, TIME_NEVER, arena, event, why);
}

static int32_t partition_of(const struct run *r, struct str subject)
{
	bool murmur2 = strcmp(r->config.settings.partitioner, "murmur2") == 0;
	return (murmur2 ? partition_murmur2 : partition_crc32)(subject, r->partitions);
}

/* Where a record belongs in the merged order and in the partitions. */
static void look(void *ctx, struct file_record *record)
{
	struct run *r = ctx;
	struct event event;
	struct err why = {0};
	arena_reset(&r->look);
	switch (decode(r, record->text, &r->look, &event, &why)) {
	case DECODE_EVENT:
		record->time = event.time;
		record->partition = partition_of(r, event.subject);
		r->n_events++;
		break;
	case DECODE_IGNORED:
		r->n_ignored++;
		break;
	case DECODE_REJECTED:
		add_reject(r, record, &why);
	}
}

static bool sort_into_lanes(struct run *r, struct err *why)
{
	struct file_record record;
	struct inbox_file *in = inbox_file_open(r->paths, r->n_paths, look, r, why);
	if (!in)
		return false;
	while (inbox_file_next(in, &record)) {
		if (record.partition < 0)
			continue;
		struct lane *lane = &r->lanes[record.partition];
		ARENA_PUSH_ROOM(&r->texts, lane->list, lane->n, lane->cap);
		lane->list[lane->n] = record;
		lane->list[lane->n++].text = arena_str(&r->texts, record.text);
	}
	inbox_file_close(in);
	return true;
}

/* --- one batch */
static bool load(struct run *r, struct memory_subject *m, struct err *why)
{
	return batch_find(r->batch, m->watch, m->key) || batch_load(r->batch, m->watch, m->key, m->bytes, why);
}

static bool load_due(struct run *r, struct lane *lane, int64_t upto, struct err *why)
{
	struct memory_subject *m;
	while ((m = memory_take_due(lane->memory, upto)))
		if (!load(r, m, why))
			return false;
	return true;
}

static void send(struct run *r, const struct effects *fx)
{
	for (const struct message *m = fx->first; m; m = m->next) {
		r->n_messages++;
		if (r->state && !r->state_file)
			continue;
		r->out.len = 0;
		message_json(m, r->config.ruleset, (struct str){0}, &r->out);
		write_bytes(&r->out, "\n", 1);
		fwrite(r->out.data, 1, r->out.len, stdout);
	}
}

static bool store(struct run *r, struct lane *lane, struct err *why)
{
	for (struct batch_subject *s = batch_store(r->batch); s; s = s->next) {
		struct memory_subject *m = memory_get(lane->memory, s->subject.watch, s->subject.key);
		if (s->subject.changed)
			memory_put(lane->memory, m, s->bytes);
		memory_due(lane->memory, m, s->subject.due);
		if (r->check && !engine_check(r->engine, &s->subject, why))
			return err_prefix(why, "invariant of %.*s", (int)m->key.len, m->key.s);
	}
	lane->clock = batch_clock(r->batch);
	return true;
}

static bool step_batch(struct run *r, struct lane *lane, const struct file_record *records, size_t n, struct err *why)
{
	struct effects fx;
	arena_reset(&r->events);
	arena_reset(&r->effects);
	effects_init(&fx, &r->effects);
	batch_begin(r->batch, lane->clock);
	struct event *events = ARENA_ARRAY(&r->events, struct event, n);
	int64_t latest = lane->clock;
	for (size_t i = 0; i < n; i++) {
		decode(r, records[i].text, &r->events, &events[i], why);
		latest = events[i].time > latest ? events[i].time : latest;
		if (!load(r, memory_get(lane->memory, events[i].watch, events[i].subject), why))
			return false;
	}
	if (!load_due(r, lane, latest, why))
		return false;
	for (size_t i = 0; i < n; i++) {
		struct err rejected = {0};
		if (!batch_event(r->batch, &events[i], events[i].time, &fx, &rejected))
			add_reject(r, &records[i], &rejected);
	}
	send(r, &fx);
	return store(r, lane, why);
}

/* Lets time pass: the timers fire as if an event of each moment came by. */
static bool pass_time(struct run *r, struct lane *lane, struct err *why)
{
	for (int64_t due; (due = memory_next_due(lane->memory)) <= r->until && due != TIME_NEVER;) {
		struct effects fx;
		arena_reset(&r->effects);
		effects_init(&fx, &r->effects);
		batch_begin(r->batch, lane->clock);
		if (!load_due(r, lane, due, why))
			return false;
		batch_timers(r->batch, due, &fx);
		send(r, &fx);
		if (!store(r, lane, why))
			return false;
	}
	lane->clock = r->until > lane->clock ? r->until : lane->clock;
	return true;
}

static bool run_lane(struct run *r, struct lane *lane, struct err *why)
{
	lane->memory = memory_new();
	lane->clock = INT64_MIN;
	size_t most = (size_t)r->batch_size;
	for (size_t i = 0; i < lane->n; i += most)
		if (!step_batch(r, lane, lane->list + i, lane->n - i < most ? lane->n - i : most, why))
			return false;
	return !r->has_until || pass_time(r, lane, why);
}

/* --- what is left at the end */
static int by_subject(const void *pa, const void *pb)
{
	const struct memory_subject *a = *(struct memory_subject *const *)pa, *b = *(struct memory_subject *const *)pb;
	return a->watch == b->watch ? str_compare(a->key, b->key) : a->watch->index < b->watch->index ? -1 : 1;
}

static struct memory_subject **all_subjects(struct run *r, size_t *n)
{
	struct memory_subject **all = NULL;
	size_t cap = *n = 0;
	for (int32_t p = 0; p < r->partitions; p++) {
		size_t some;
		struct memory_subject **list = memory_all(r->lanes[p].memory, &some);
		for (size_t i = 0; i < some; i++) {
			ARENA_PUSH_ROOM(&r->texts, all, *n, cap);
			all[(*n)++] = list[i];
		}
	}
	if (*n)
		qsort(all, *n, sizeof(struct memory_subject *), by_subject);
	return all;
}

static void write_values(struct run *r, struct subject *s)
{
	int64_t now = r->lanes[partition_of(r, s->key)].clock;
	r->out.len--; /* back into the state's object */
	write_name(&r->out, "values");
	write_open(&r->out, '{');
	for (size_t i = 0; i < s->watch->n_measures + s->watch->n_derived; i++) {
		const struct measure *m = i < s->watch->n_measures ? &s->watch->measures[i] : NULL;
		const struct derived *d = m ? NULL : &s->watch->derived[i - s->watch->n_measures];
		write_name(&r->out, m ? m->name : d->name);
		write_value(&r->out, r->config.ruleset->zone,
			    engine_value(r->engine, s, str_of(m ? m->name : d->name), now), false,
			    m ? m->unit : d->unit);
	}
	write_close(&r->out, '}');
	write_close(&r->out, '}');
	engine_reset(r->engine);
}

static bool write_states(struct run *r, FILE *to, struct err *why)
{
	size_t n;
	struct memory_subject **all = all_subjects(r, &n);
	for (size_t i = 0; i < n; i++) {
		struct subject s;
		arena_reset(&r->events);
		if (!codec_decode(&s, &r->events, r->config.ruleset, all[i]->watch, all[i]->key, all[i]->bytes, why))
			return false;
		r->out.len = 0;
		state_json(&s, r->config.ruleset, r->unmasked, &r->out);
		if (r->values)
			write_values(r, &s);
		write_bytes(&r->out, "\n", 1);
		fwrite(r->out.data, 1, r->out.len, to);
	}
	return true;
}

static int by_line(const void *pa, const void *pb)
{
	const struct file_record *a = &((const struct reject *)pa)->record, *b = &((const struct reject *)pb)->record;
	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	return (a->line > b->line) - (a->line < b->line);
}

static void write_reject(struct run *r, const struct reject *reject, FILE *to)
{
	r->out.len = 0;
	write_open(&r->out, '{');
	write_name(&r->out, "file");
	write_text(&r->out, r->paths[reject->record.file]);
	write_name(&r->out, "line");
	write_int(&r->out, reject->record.line);
	write_name(&r->out, "reason");
	write_text(&r->out, reject->why);
	write_name(&r->out, json_utf8(reject->record.text) ? "value" : "value_base64");
	if (json_utf8(reject->record.text))
		write_string(&r->out, reject->record.text);
	else
		write_base64(&r->out, reject->record.text);
	write_close(&r->out, '}');
	write_bytes(&r->out, "\n", 1);
	fwrite(r->out.data, 1, r->out.len, to);
}

static bool with_file(const char *path, const char *what, FILE **out, struct err *why)
{
	*out = fopen(path, "we");
	return *out || err_set(why, "%s: %s: %s", what, path, strerror(errno));
}

static bool report_rejects(struct run *r, struct err *why)
{
	FILE *to = NULL;
	if (r->n_rejects)
		qsort(r->rejects, r->n_rejects, sizeof *r->rejects, by_line);
	if (r->rejects_file && !with_file(r->rejects_file, "--rejects", &to, why))
		return false;
	for (size_t i = 0; i < r->n_rejects; i++) {
		const struct reject *reject = &r->rejects[i];
		if (!r->quiet)
			fprintf(stderr, "%s:%u: %s\n", r->paths[reject->record.file], reject->record.line, reject->why);
		if (to)
			write_reject(r, reject, to);
	}
	return !to || fclose(to) == 0 || err_set(why, "--rejects: %s: %s", r->rejects_file, strerror(errno));
}

static bool report_states(struct run *r, struct err *why)
{
	FILE *to = stdout;
	if (r->state_file && !with_file(r->state_file, "--state", &to, why))
		return false;
	bool ok = write_states(r, to, why);
	if (to != stdout && fclose(to) != 0)
		ok = err_set(why, "--state: %s: %s", r->state_file, strerror(errno));
	return ok;
}

static void report_counts(struct run *r)
{
	size_t subjects;
	all_subjects(r, &subjects);
	fprintf(stderr, "%zu events, %zu rejected, %zu of types that no watch knows; %zu messages about %zu subjects\n",
		r->n_events, r->n_rejects, r->n_ignored, r->n_messages, subjects);
}

static bool run_all(struct run *r, struct err *why)
{
	r->decoder = decoder_new(r->config.ruleset);
	r->engine = engine_new(r->config.ruleset);
	r->batch = batch_new(r->engine, CLOCK_EVENTS);
	r->lanes = ARENA_ARRAY(&r->texts, struct lane, r->partitions);
	if (!sort_into_lanes(r, why))
		return false;
	for (int32_t p = 0; p < r->partitions; p++)
		if (!run_lane(r, &r->lanes[p], why))
			return err_prefix(why, "partition %d", p);
	if (!report_rejects(r, why) || (r->state && !report_states(r, why)))
		return false;
	if (!r->quiet)
		report_counts(r);
	return true;
}

static void close_all(struct run *r)
{
	for (int32_t p = 0; r->lanes && p < r->partitions; p++)
		memory_free(r->lanes[p].memory);
	batch_free(r->batch);
	engine_free(r->engine);
	decoder_free(r->decoder);
	buffer_free(&r->out);
	arena_close(&r->look);
	arena_close(&r->events);
	arena_close(&r->effects);
	arena_close(&r->texts);
	config_close(&r->config);
}

enum { O_PARTITIONS = 256, O_UNTIL, O_STATE, O_UNMASKED, O_VALUES, O_REJECTS, O_CHECK, O_BATCH, O_QUIET, O_HELP };
static const struct option options[] = {
	{"partitions", required_argument, NULL, O_PARTITIONS},
	{"until", required_argument, NULL, O_UNTIL},
	{"state", optional_argument, NULL, O_STATE},
	{"unmasked", no_argument, NULL, O_UNMASKED},
	{"rejects", required_argument, NULL, O_REJECTS},
	{"check", no_argument, NULL, O_CHECK},
	{"quiet", no_argument, NULL, O_QUIET},
	{"batch", required_argument, NULL, O_BATCH},
	{"values", no_argument, NULL, O_VALUES},
	{"help", no_argument, NULL, O_HELP},
	{NULL, 0, NULL, 0},
};

/* Fills r; partitions 0: the setting.  until: the text, read once the zone is known. */
static int read_options(struct run *r, int argc, char **argv, const char **until)
{
	int64_t n;
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case O_PARTITIONS:
			if (!option_number("run", "--partitions", optarg, 1, 100000, &n))
				return CLI_USAGE;
			r->partitions = (int32_t)n;
			break;
		case O_UNTIL:
			*until = optarg;
			break;
		case O_STATE:
			r->state = true;
			r->state_file = optarg;
			break;
		case O_VALUES:
			r->values = true;
			break;
		case O_UNMASKED:
			r->unmasked = true;
			break;
		case O_REJECTS:
			r->rejects_file = optarg;
			break;
		case O_BATCH:
			if (!option_number("run", "--batch", optarg, 1, 1000000, &r->batch_size))
				return CLI_USAGE;
			break;
		case O_CHECK:
			r->check = true;
			break;
		case O_QUIET:
			r->quiet = true;
			break;
		default:
			fputs(help, o == O_HELP ? stdout : stderr);
			return o == O_HELP ? -1 : CLI_USAGE;
		}
	}
	if (argc - optind >= 2)
		return CLI_DONE;
	fputs(help, stderr);
	return CLI_USAGE;
}

int cli_run(int argc, char **argv)
{
	struct run r = {.batch_size = BATCH};
	struct err why = {0};
	const char *until = NULL;
	int code = read_options(&r, argc, argv, &until);
	if (code != CLI_DONE)
		return code < 0 ? CLI_DONE : code;
	r.paths = argv + optind + 1;
	r.n_paths = (size_t)(argc - optind - 1);
	if (!option_config("run", argv[optind], &r.config))
		return CLI_FAILED;
	if (!r.partitions)
		r.partitions = r.config.settings.partitions;
	r.has_until = until != NULL;
	if (until && !time_parse(r.config.ruleset->zone, str_of(until), &r.until))
		err_set(&why, "--until: found %s, expected a date like 2026-07-01", until);
	else
		run_all(&r, &why);
	if (why.text[0]) {
		fprintf(stderr, "shouwangctl run: %s\n", why.text);
		code = CLI_FAILED;
	}
	close_all(&r);
	return option_end("run", code);
}
