/* Series live in one space of slots: a meter has the same slots for each thread, the registry one more set of them for
 * the gauges.  Only a meter's own thread writes to it, so that relaxed loads and stores are all it takes. */
#include "metrics.h"
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { COUNTER, GAUGE, SECONDS, SIZES };
enum { CHUNK_BITS = 9, CHUNK = 1 << CHUNK_BITS, N_CHUNKS = 128, N_SLOTS = CHUNK * N_CHUNKS };
enum { N_BOUNDS = 14, HISTOGRAM_SLOTS = N_BOUNDS + 2 }; /* a count up to each bound, one above all, and the sum */

static const struct {
	enum kind kind;
	const char *name, *first, *second, *help;
} table[N_METRICS] = {
#define X(name, kind, text, first, second, help) {kind, "shouwang_" text, first, second, help},
	METRICS(X)
#undef X
};

static const double second_bounds[N_BOUNDS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
					       0.25,  0.5,    1,     2.5,  5,     10,   30};
static const double size_bounds[N_BOUNDS] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000};

typedef _Atomic uint64_t slot;
struct slots {
	slot *_Atomic chunks[N_CHUNKS]; /* each allocated at its first use */
};
struct line {
	char *first, *second;
	series slot;
	struct line *next;
};
struct meter {
	struct slots slots;
	const struct metrics *of;
	struct meter *next;
};
struct metrics {
	pthread_mutex_t lock; /* of lines and meters */
	struct slots gauges;
	struct line *lines[N_METRICS]; /* in order of appearance */
	struct meter *meters;
	series used;                /* slots; 0 is no series: where the space is used up */
	uint8_t metric_of[N_SLOTS]; /* by a series' first slot */
};

static slot *slot_of(struct slots *s, series at)
{
	slot *_Atomic *place = &s->chunks[at >> CHUNK_BITS];
	slot *chunk = atomic_load_explicit(place, memory_order_acquire);
	if (!chunk) {
		slot *fresh = calloc(CHUNK, sizeof(slot));
		if (!fresh)
			abort();
		if (atomic_compare_exchange_strong(place, &chunk, fresh))
			chunk = fresh;
		else
			free(fresh);
	}
	return &chunk[at & (CHUNK - 1)];
}

static uint64_t slot_value(const struct slots *s, series at)
{
	slot *chunk = atomic_load_explicit(&s->chunks[at >> CHUNK_BITS], memory_order_acquire);
	return chunk ? atomic_load_explicit(&chunk[at & (CHUNK - 1)], memory_order_relaxed) : 0;
}

static double double_of(uint64_t bits)
{
	double d;
	memcpy(&d, &bits, sizeof d);
	return d;
}

static uint64_t bits_of(double d)
{
	uint64_t bits;
	memcpy(&bits, &d, sizeof bits);
	return bits;
}

struct metrics *metrics_new(void)
{
	struct metrics *m = calloc(1, sizeof *m);
	if (!m)
		abort();
	pthread_mutex_init(&m->lock, NULL);
	m->used = 1;
	for (enum metric i = 0; i < N_METRICS; i++)
		if (!*table[i].first && table[i].kind != GAUGE)
			metrics_series(m, i, "", ""); /* shown as 0 from the start, so that a rate can be taken */
	return m;
}

static void slots_free(struct slots *s)
{
	for (size_t i = 0; i < N_CHUNKS; i++)
		free(s->chunks[i]);
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < N_METRICS; i++)
		while (m->lines[i]) {
			struct line *l = m->lines[i];
			m->lines[i] = l->next;
			free(l->first);
			free(l->second);
			free(l);
		}
	while (m->meters) {
		struct meter *t = m->meters;
		m->meters = t->next;
		slots_free(&t->slots);
		free(t);
	}
	slots_free(&m->gauges);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

struct meter *metrics_meter(struct metrics *m)
{
	struct meter *t = calloc(1, sizeof *t);
	if (!t)
		abort();
	t->of = m;
	pthread_mutex_lock(&m->lock);
	t->next = m->meters;
	m->meters = t;
	pthread_mutex_unlock(&m->lock);
	return t;
}

/* The slots for one more series of the metric; 0 where there are none left. */
static series take_slots(struct metrics *m, enum metric metric)
{
	enum kind kind = table[metric].kind;
	series n = kind == SECONDS || kind == SIZES ? HISTOGRAM_SLOTS : 1;
	series at = m->used;
	if ((at & (CHUNK - 1)) + n > CHUNK) /* a histogram lies in one chunk */
		at = (at | (CHUNK - 1)) + 1;
	if (at + n > N_SLOTS)
		return 0;
	m->used = at + n;
	m->metric_of[at] = (uint8_t)metric;
	if (kind == GAUGE)
		atomic_store(slot_of(&m->gauges, at), bits_of(NAN));
	return at;
}

series metrics_series(struct metrics *m, enum metric metric, const char *first, const char *second)
{
	pthread_mutex_lock(&m->lock);
	struct line **end = &m->lines[metric];
	while (*end && (strcmp((*end)->first, first) != 0 || strcmp((*end)->second, second) != 0))
		end = &(*end)->next;
	if (!*end) {
		series at = take_slots(m, metric);
		struct line *l = at ? calloc(1, sizeof *l) : NULL;
		if (l) {
			*l = (struct line){strdup(first), strdup(second), at, NULL};
			*end = l;
		}
	}
	series found = *end ? (*end)->slot : 0;
	pthread_mutex_unlock(&m->lock);
	return found;
}

void metrics_set(struct metrics *m, series s, double value)
{
	if (s)
		atomic_store_explicit(slot_of(&m->gauges, s), bits_of(value), memory_order_relaxed);
}

void metrics_hide(struct metrics *m, series s)
{
	metrics_set(m, s, NAN);
}

static void own_add(slot *place, uint64_t n)
{
	atomic_store_explicit(place, atomic_load_explicit(place, memory_order_relaxed) + n, memory_order_relaxed);
}

void meter_add(struct meter *t, series s, uint64_t n)
{
	own_add(slot_of(&t->slots, s), n);
}

static const double *bounds_of(enum metric metric)
{
	return table[metric].kind == SECONDS ? second_bounds : size_bounds;
}

void meter_observe(struct meter *t, series s, double value)
{
	if (!s)
		return;
	const double *bounds = bounds_of((enum metric)t->of->metric_of[s]);
	slot *places = slot_of(&t->slots, s);
	size_t i = 0;
	while (i < N_BOUNDS && value > bounds[i])
		i++;
	own_add(&places[i], 1);
	slot *sum = &places[N_BOUNDS + 1];
	double so_far = double_of(atomic_load_explicit(sum, memory_order_relaxed));
	atomic_store_explicit(sum, bits_of(so_far + value), memory_order_relaxed);
}

/* --- reading; the lock is held */

static uint64_t count_of(const struct metrics *m, series at)
{
	uint64_t n = 0;
	for (const struct meter *t = m->meters; t; t = t->next)
		n += slot_value(&t->slots, at);
	return n;
}

static double sum_of(const struct metrics *m, series at)
{
	double sum = 0;
	for (const struct meter *t = m->meters; t; t = t->next)
		sum += double_of(slot_value(&t->slots, at));
	return sum;
}

double metrics_value(struct metrics *m, series s)
{
	double value = 0;
	pthread_mutex_lock(&m->lock);
	enum kind kind = table[m->metric_of[s]].kind;
	if (kind == GAUGE)
		value = double_of(slot_value(&m->gauges, s));
	else
		for (series i = 0; i < (kind == COUNTER ? 1 : N_BOUNDS + 1); i++)
			value += (double)count_of(m, s + i);
	pthread_mutex_unlock(&m->lock);
	return value;
}

__attribute__((format(printf, 2, 3))) static void put(struct buffer *out, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	int n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		abort();
	if (out->len + (size_t)n > out->cap) {
		out->cap = (out->len + (size_t)n) * 2;
		out->data = realloc(out->data, out->cap);
		if (!out->data)
			abort();
	}
	memcpy(out->data + out->len, text, (size_t)n);
	out->len += (size_t)n;
	free(text);
}

static void put_label(struct buffer *out, const char *before, const char *name, const char *value)
{
	put(out, "%s%s=\"", before, name);
	for (const char *c = value; *c; c++)
		if (*c == '\n')
			put(out, "\\n");
		else
			put(out, "%s%c", *c == '"' || *c == '\\' ? "\\" : "", *c);
	put(out, "\"");
}

/* name{first="…",second="…",le="…"}: suffix and bound where given */
static void put_name(struct buffer *out, enum metric metric, const char *suffix, const struct line *l,
		     const char *bound)
{
	const char *before = "{";
	put(out, "%s%s", table[metric].name, suffix);
	if (*table[metric].first) {
		put_label(out, before, table[metric].first, l->first);
		before = ",";
	}
	if (*table[metric].second) {
		put_label(out, before, table[metric].second, l->second);
		before = ",";
	}
	if (bound) {
		put_label(out, before, "le", bound);
		before = ",";
	}
	put(out, "%s ", *before == ',' ? "}" : "");
}

static void put_histogram(const struct metrics *m, struct buffer *out, enum metric metric, const struct line *l)
{
	const double *bounds = bounds_of(metric);
	uint64_t below = 0;
	for (series i = 0; i <= N_BOUNDS; i++) {
		char bound[32] = "+Inf";
		if (i < N_BOUNDS)
			snprintf(bound, sizeof bound, "%g", bounds[i]);
		below += count_of(m, l->slot + i);
		put_name(out, metric, "_bucket", l, bound);
		put(out, "%llu\n", (unsigned long long)below);
	}
	put_name(out, metric, "_sum", l, NULL);
	put(out, "%.9g\n", sum_of(m, l->slot + N_BOUNDS + 1));
	put_name(out, metric, "_count", l, NULL);
	put(out, "%llu\n", (unsigned long long)below);
}

static void put_line(const struct metrics *m, struct buffer *out, enum metric metric, const struct line *l)
{
	if (table[metric].kind == SECONDS || table[metric].kind == SIZES) {
		put_histogram(m, out, metric, l);
		return;
	}
	if (table[metric].kind == COUNTER) {
		put_name(out, metric, "", l, NULL);
		put(out, "%llu\n", (unsigned long long)count_of(m, l->slot));
		return;
	}
	double value = double_of(slot_value(&m->gauges, l->slot));
	if (isnan(value))
		return;
	put_name(out, metric, "", l, NULL);
	put(out, "%.15g\n", value);
}

void metrics_text(struct metrics *m, struct buffer *out)
{
	static const char *const types[] = {"counter", "gauge", "histogram", "histogram"};
	pthread_mutex_lock(&m->lock);
	for (enum metric i = 0; i < N_METRICS; i++) {
		put(out, "# HELP %s %s\n# TYPE %s %s\n", table[i].name, table[i].help, table[i].name,
		    types[table[i].kind]);
		for (const struct line *l = m->lines[i]; l; l = l->next)
			put_line(m, out, i, l);
	}
	pthread_mutex_unlock(&m->lock);
}
