/* shouwangctl run: events from files through decoder, batch and engine, without servers.  What comes out (run_lanes.c)
 * is what the daemon gives with `clock: events` on as many partitions. */
#include "../../consumers/json_simd.h"
#include "../outbox/json_write.h"
#include "../state/state_json.h"
#include "cli.h"
#include "options.h"
#include "run_lanes.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 1000 }; /* events; what comes out does not depend on it */

static const char help[] =
	"usage: shouwangctl run DIR FILE… [--then DIR FILE…]… [OPTIONS]\n"
	"\n"
	"Sends the events in FILE… (one CloudEvents object in JSON a line; - is the standard input) through the rules "
	"in\n"
	"DIR and prints each message to a unit, and each outcome of a case, as a JSON line: partition by partition, in "
	"the\n"
	"order of sending.  Time is that of the events.  Several files are merged by event time.  Feedback "
	"(case.handled "
	"and\n"
	"the like) answers cases; outcomes feed the watch that reads their topic.  Rejected lines go to the standard "
	"error.\n"
	"\n"
	"  --then DIR FILE…  go on with these events by the rules in DIR, as after a reload that was given the time "
	"to judge\n"
	"                    every subject anew; FILE… may be left out\n"
	"  --from FILE       begin with the states in FILE, as --raw prints them; --at TIME: the time then\n"
	"  --partitions N    of the topics (default: the setting `partitions`)\n"
	"  --until DATE      then let time pass until 00:00 of DATE, so that timers fire\n"
	"  --state[=FILE]    print the final states, as JSON lines by subject, instead of the messages; or write them "
	"to FILE\n"
	"  --unmasked        with sensitive values in the states as they are\n"
	"  --raw             the states as they are stored: key and bytes in hexadecimal, by key\n"
	"  --messages        print the messages only\n"
	"  --rejects FILE    write the rejected lines to FILE as JSON lines\n"
	"  --check           check the engine's invariants after each batch (for tests)\n"
	"  --quiet           no rejected lines and no summary on the standard error\n";

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
	int64_t now = r->lanes[run_partition(r, s->key)].clock;
	r->out.len--; /* back into the state's object */
	write_name(&r->out, "values");
	write_open(&r->out, '{');
	for (size_t i = 0; i < s->watch->n_measures + s->watch->n_derived; i++) {
		const struct measure *m = i < s->watch->n_measures ? &s->watch->measures[i] : NULL;
		const struct derived *d = m ? NULL : &s->watch->derived[i - s->watch->n_measures];
		write_name(&r->out, m ? m->name : d->name);
		write_value(&r->out, r->part->config.ruleset->zone,
			    engine_value(r->engine, s, str_of(m ? m->name : d->name), now), false,
			    m ? m->unit : d->unit);
	}
	write_close(&r->out, '}');
	write_close(&r->out, '}');
	engine_reset(r->engine);
}

static int by_stored_key(const void *pa, const void *pb)
{
	const struct memory_subject *a = *(struct memory_subject *const *)pa, *b = *(struct memory_subject *const *)pb;
	int c = strcmp(a->watch->name, b->watch->name);
	return c ? c : str_compare(a->key, b->key);
}

static void write_raw(struct memory_subject **all, size_t n, FILE *to)
{
	if (n)
		qsort(all, n, sizeof(struct memory_subject *), by_stored_key);
	for (size_t i = 0; i < n; i++) {
		const struct str bytes = all[i]->bytes;
		fprintf(to, "%s/%.*s ", all[i]->watch->name, (int)all[i]->key.len, all[i]->key.s);
		for (uint32_t k = 0; k < bytes.len; k++)
			fprintf(to, "%02x", (unsigned char)bytes.s[k]);
		fputc('\n', to);
	}
}

static bool write_states(struct run *r, FILE *to, struct err *why)
{
	size_t n;
	struct memory_subject **all = all_subjects(r, &n);
	if (r->raw) {
		write_raw(all, n, to);
		return true;
	}
	for (size_t i = 0; i < n; i++) {
		struct subject s;
		arena_reset(&r->events);
		if (!codec_decode(&s, &r->events, r->part->config.ruleset, all[i]->watch, all[i]->key, all[i]->bytes,
				  why))
			return false;
		r->out.len = 0;
		engine_prune(r->engine, &s, r->lanes[run_partition(r, s.key)].clock);
		state_json(&s, r->part->config.ruleset, r->unmasked, &r->out);
		if (r->values)
			write_values(r, &s);
		write_bytes(&r->out, "\n", 1);
		fwrite(r->out.data, 1, r->out.len, to);
	}
	return true;
}

static int by_line(const void *pa, const void *pb)
{
	const struct reject *a = pa, *b = pb;
	if (a->record.file != b->record.file)
		return a->record.file < b->record.file ? -1 : 1;
	if (a->record.line != b->record.line)
		return a->record.line < b->record.line ? -1 : 1;
	return a->number < b->number ? -1 : 1;
}

static const char *name_of(const struct run *r, const struct reject *reject)
{
	return reject->record.file < r->n_paths ? r->paths[reject->record.file]
						: r->part->config.settings.topics.outcomes;
}

static void write_reject(struct run *r, const struct reject *reject, FILE *to)
{
	r->out.len = 0;
	write_open(&r->out, '{');
	write_name(&r->out, "file");
	write_text(&r->out, name_of(r, reject));
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
			fprintf(stderr, "%s:%u: %s\n", name_of(r, reject), reject->record.line, reject->why);
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
	fprintf(stderr,
		"%zu events, %zu rejected, %zu of types that no watch knows; %zu messages and %zu outcomes about %zu "
		"subjects\n",
		r->n_events, r->n_rejects, r->n_ignored, r->n_messages, r->n_outcomes, subjects);
}

static bool run_all(struct run *r, struct err *why)
{
	if (!run_lanes(r, why) || !report_rejects(r, why) || (r->state && !report_states(r, why)))
		return false;
	if (!r->quiet)
		report_counts(r);
	return true;
}

static void close_all(struct run *r)
{
	run_lanes_close(r);
	buffer_free(&r->out);
	arena_close(&r->look);
	arena_close(&r->events);
	arena_close(&r->effects);
	for (size_t i = 0; i < r->n_parts; i++)
		config_close(&r->parts[i].config);
	arena_close(&r->texts);
}

enum {
	O_PLACE = 1, /* what is no option, in its place */
	O_THEN = 256,
	O_FROM,
	O_AT,
	O_PARTITIONS,
	O_UNTIL,
	O_STATE,
	O_UNMASKED,
	O_RAW,
	O_VALUES,
	O_REJECTS,
	O_CHECK,
	O_BATCH,
	O_MESSAGES,
	O_QUIET,
	O_HELP
};
static const struct option options[] = {
	{"then", required_argument, NULL, O_THEN},
	{"from", required_argument, NULL, O_FROM},
	{"at", required_argument, NULL, O_AT},
	{"partitions", required_argument, NULL, O_PARTITIONS},
	{"until", required_argument, NULL, O_UNTIL},
	{"state", optional_argument, NULL, O_STATE},
	{"unmasked", no_argument, NULL, O_UNMASKED},
	{"raw", no_argument, NULL, O_RAW},
	{"rejects", required_argument, NULL, O_REJECTS},
	{"check", no_argument, NULL, O_CHECK},
	{"messages", no_argument, NULL, O_MESSAGES},
	{"quiet", no_argument, NULL, O_QUIET},
	{"batch", required_argument, NULL, O_BATCH},
	{"values", no_argument, NULL, O_VALUES},
	{"help", no_argument, NULL, O_HELP},
	{NULL, 0, NULL, 0},
};

static void add_part(struct run *r, const char *dir)
{
	ARENA_PUSH_ROOM(&r->texts, r->parts, r->n_parts, r->cap_parts);
	r->parts[r->n_parts++] = (struct run_part){.dir = dir, .first = r->n_paths};
}

/* The first is DIR, all others are files. */
static void add_place(struct run *r, char *text)
{
	if (!r->n_parts) {
		add_part(r, text);
		return;
	}
	ARENA_PUSH_ROOM(&r->texts, r->paths, r->n_paths, r->cap_paths);
	r->paths[r->n_paths++] = text;
	r->parts[r->n_parts - 1].n++;
}

/* Fills r; partitions 0: the setting.  until, at: texts, read once the zone is known. */
static int read_options(struct run *r, int argc, char **argv, const char **until, const char **at)
{
	int64_t n;
	for (int o; (o = getopt_long(argc, argv, "-", options, NULL)) != -1;) {
		switch (o) {
		case O_PLACE:
			add_place(r, optarg);
			break;
		case O_FROM:
			r->from_file = optarg;
			break;
		case O_AT:
			*at = optarg;
			break;
		case O_THEN:
			add_part(r, optarg);
			break;
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
		case O_RAW:
			r->raw = true;
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
		case O_MESSAGES:
			r->only_messages = true;
			break;
		case O_QUIET:
			r->quiet = true;
			break;
		default:
			fputs(help, o == O_HELP ? stdout : stderr);
			return o == O_HELP ? -1 : CLI_USAGE;
		}
	}
	for (; optind < argc; optind++)
		add_place(r, argv[optind]);
	if (r->n_parts && (r->from_file ? *at != NULL : r->parts[0].n > 0))
		return CLI_DONE;
	fputs(help, stderr);
	return CLI_USAGE;
}

static bool load_parts(struct run *r)
{
	for (size_t i = 0; i < r->n_parts; i++)
		if (!option_config("run", r->parts[i].dir, &r->parts[i].config)) {
			r->n_parts = i;
			return false;
		}
	return true;
}

int cli_run(int argc, char **argv)
{
	struct run r = {.batch_size = BATCH};
	struct err why = {0};
	const char *until = NULL, *at = NULL;
	int code = read_options(&r, argc, argv, &until, &at);
	if (code != CLI_DONE) {
		r.n_parts = 0; /* not loaded */
		close_all(&r);
		return code < 0 ? CLI_DONE : code;
	}
	if (!load_parts(&r)) {
		close_all(&r);
		return CLI_FAILED;
	}
	if (!r.partitions)
		r.partitions = r.parts->config.settings.partitions;
	r.has_until = until != NULL;
	if (until && !time_parse(r.parts->config.ruleset->zone, str_of(until), &r.until))
		err_set(&why, "--until: found %s, expected a date like 2026-07-01", until);
	else if (at && !time_parse(r.parts->config.ruleset->zone, str_of(at), &r.from_time))
		err_set(&why, "--at: found %s, expected a time like 2026-07-01T08:00:00+08:00", at);
	else
		run_all(&r, &why);
	if (why.text[0]) {
		fprintf(stderr, "shouwangctl run: %s\n", why.text);
		code = CLI_FAILED;
	}
	close_all(&r);
	return option_end("run", code);
}
