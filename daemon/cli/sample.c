/* shouwangctl sample: synthetic events of a county, in the order in which they arrive at its platform. */
#include "sample.h"
#include "../core/day.h"
#include "cli.h"
#include "options.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "usage: shouwangctl sample --households N --months M --seed S [--until DATE]\n"
			   "\n"
			   "Writes events of a county of 19 townships as JSON lines, one structured CloudEvents object "
			   "each, in the order of\n"
			   "arrival: monthly batches of several departments and visits from day to day.  All of it is "
			   "invented; equal arguments\n"
			   "give equal bytes.  Of the lines 3 % are late by a month or more, 2 % repeated, 1 % "
			   "corrections, 0.5 % retractions\n"
			   "and 0.2 % faulty, in ten ways.\n"
			   "\n"
			   "  --households N    so many\n"
			   "  --months M        so many months before DATE\n"
			   "  --seed S          another number, another county\n"
			   "  --until DATE      the day before which the last event lies (default 2026-07-01)\n"
			   "  --figures         say on the standard error how many lines are late, repeated, …\n";

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators). */
uint64_t sample_random(struct household *h)
{
	uint64_t z = h->random += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

int64_t sample_between(struct household *h, int64_t from, int64_t to)
{
	return from + (int64_t)(sample_random(h) % (uint64_t)(to - from + 1));
}

bool sample_chance(struct household *h, int per_100000)
{
	return sample_random(h) % 100000 < (uint64_t)per_100000;
}

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static struct bucket *bucket_of(struct county *c, int64_t at)
{
	int32_t day = (int32_t)((at + 8 * 3600) / DAY_S);
	for (int32_t m = c->months; m-- > 0;)
		if (day >= c->starts[m])
			return day < c->starts[c->months] ? &c->buckets[m] : NULL;
	return NULL;
}

void sample_arrive(struct county *c, const char *text, size_t len, int64_t at)
{
	struct bucket *b = bucket_of(c, at);
	if (!b)
		return;
	if (b->cap - b->len < len + 1) {
		b->cap = b->cap ? b->cap * 2 : 1 << 16;
		b->text = must(realloc(b->text, b->cap));
	}
	if (b->n == b->cap_list) {
		b->cap_list = b->cap_list ? b->cap_list * 2 : 1024;
		b->list = must(realloc(b->list, b->cap_list * sizeof *b->list));
	}
	b->list[b->n++] = (struct arrival){at, c->order++, b->len, (uint32_t)len + 1};
	memcpy(b->text + b->len, text, len);
	b->text[b->len + len] = '\n';
	b->len += len + 1;
}

static int by_arrival(const void *pa, const void *pb)
{
	const struct arrival *a = pa, *b = pb;
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return (a->order > b->order) - (a->order < b->order);
}

static bool write_month(struct county *c, struct bucket *b)
{
	if (b->n)
		qsort(b->list, b->n, sizeof *b->list, by_arrival);
	for (size_t i = 0; i < b->n; i++)
		if (fwrite(b->text + b->list[i].offset, 1, b->list[i].len, stdout) != b->list[i].len)
			return false;
	c->lines += b->n;
	free(b->text);
	free(b->list);
	*b = (struct bucket){0};
	return true;
}

static void invent(struct county *c, uint32_t households)
{
	struct household *all = must(calloc(households, sizeof *all));
	for (uint32_t i = 0; i < households; i++)
		sample_found(c, &all[i], i + 1);
	for (int32_t m = 0; m < c->months; m++) {
		for (uint32_t i = 0; i < households; i++)
			sample_month(c, &all[i], m);
		if (!write_month(c, &c->buckets[m]))
			break;
	}
	for (int32_t m = 0; m < c->months; m++) {
		free(c->buckets[m].text);
		free(c->buckets[m].list);
	}
	free(all);
}

static void print_figures(const struct county *c)
{
	double all = c->lines ? (double)c->lines / 100 : 1;
	fprintf(stderr,
		"%zu lines: %.2f %% late, %.2f %% repeated, %.2f %% corrected, %.2f %% retracted, %.2f %% faulty\n",
		c->lines, (double)c->late / all, (double)c->repeated / all, (double)c->corrected / all,
		(double)c->retracted / all, (double)c->faulty / all);
}

enum { O_HOUSEHOLDS = 256, O_MONTHS, O_SEED, O_UNTIL, O_FIGURES, O_HELP };
static const struct option options[] = {
	{"households", required_argument, NULL, O_HOUSEHOLDS},
	{"months", required_argument, NULL, O_MONTHS},
	{"seed", required_argument, NULL, O_SEED},
	{"until", required_argument, NULL, O_UNTIL},
	{"figures", no_argument, NULL, O_FIGURES},
	{"help", no_argument, NULL, O_HELP},
	{NULL, 0, NULL, 0},
};
struct wanted {
	int64_t households, months, seed;
	int32_t until;
	bool figures;
};

static bool read_until(const char *text, int32_t *day)
{
	int year;
	unsigned month, d, m;
	int64_t y;
	int end = 0;
	if (sscanf(text, "%4d-%2u-%2u%n", &year, &month, &d, &end) == 3 && text[end] == '\0' && year >= 1990 &&
	    month >= 1 && month <= 12 && d >= 1 && d <= 31) {
		*day = (int32_t)cel_days_from_civil(year, month, d);
		cel_civil_from_days(*day, &y, &m, &d);
		if (m == month)
			return true;
	}
	fprintf(stderr, "shouwangctl sample: --until: found %s, expected a date like 2026-07-01\n", text);
	return false;
}

static int read_options(struct wanted *w, int argc, char **argv)
{
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		bool ok = true;
		switch (o) {
		case O_HOUSEHOLDS:
			ok = option_number("sample", "--households", optarg, 1, 99999999, &w->households);
			break;
		case O_MONTHS:
			ok = option_number("sample", "--months", optarg, 1, 240, &w->months);
			break;
		case O_SEED:
			ok = option_number("sample", "--seed", optarg, 0, INT64_MAX, &w->seed);
			break;
		case O_UNTIL:
			ok = read_until(optarg, &w->until);
			break;
		case O_FIGURES:
			w->figures = true;
			break;
		default:
			fputs(help, o == O_HELP ? stdout : stderr);
			return o == O_HELP ? -1 : CLI_USAGE;
		}
		if (!ok)
			return CLI_USAGE;
	}
	if (argc == optind && w->households && w->months && w->seed >= 0)
		return CLI_DONE;
	fputs(help, stderr);
	return CLI_USAGE;
}

int cli_sample(int argc, char **argv)
{
	struct wanted w = {.seed = -1, .until = (int32_t)cel_days_from_civil(2026, 7, 1)};
	int code = read_options(&w, argc, argv);
	if (code != CLI_DONE)
		return code < 0 ? CLI_DONE : code;
	struct county c = {.seed = (uint64_t)w.seed, .months = (int32_t)w.months};
	c.starts = must(calloc((size_t)c.months + 1, sizeof *c.starts));
	c.buckets = must(calloc((size_t)c.months, sizeof *c.buckets));
	for (int32_t m = 0; m <= c.months; m++)
		c.starts[m] = day_add_months(w.until, m - c.months);
	setvbuf(stdout, NULL, _IOFBF, 1 << 20);
	invent(&c, (uint32_t)w.households);
	if (w.figures)
		print_figures(&c);
	free(c.starts);
	free(c.buckets);
	return option_end("sample", CLI_DONE);
}
