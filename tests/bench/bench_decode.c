/* How long one event takes to decode: nanoseconds of CPU for each, the median of eleven runs. */
#include "../../consumers/decode.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 11, EVENTS = 200000, BATCH = 1000 };

static const char settled[] =
	"{\"specversion\":\"1.0\",\"id\":\"yb-202305-0001234\",\"source\":\"/ganxian/medical-insurance\",\"type\":"
	"\"cn.medical.settled\",\"subject\":\"360704102003-0001234\",\"time\":\"2023-06-02T03:15:00+08:00\","
	"\"datacontenttype\":\"application/"
	"json\",\"data\":{\"settlement_no\":\"S2023050001234\",\"settled_on\":\"2023-05-20\","
	"\"hospital\":\"赣县区人民医院\",\"total\":18234.50,\"self_paid\":6120.35,\"inpatient\":true}}";

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(void)
{
	static const char *const data[] = {"inpatient", "self_paid", "settled_on", "settlement_no"};
	struct event_type type = {.type = "cn.medical.settled", .data = data, .n_data = 4};
	struct watch watch = {.name = "household", .events = &type, .n_events = 1}, *watches = &watch;
	struct ruleset ruleset = {.watches = &watches, .n_watches = 1};
	struct decoder *d = decoder_new(&ruleset);
	struct record record = {.topic = "t", .timestamp = 1, .value = {settled, sizeof settled - 1}};
	struct arena arena;
	struct event event;
	double each[RUNS];
	arena_init(&arena);
	for (int run = 0; run < RUNS; run++) {
		double start = now();
		for (int i = 0; i < EVENTS; i++) {
			struct err why = {0};
			if (i % BATCH == 0)
				arena_reset(&arena);
			if (decode_event(d, &watch, &record, TIME_NEVER, &arena, &event, &why) != DECODE_EVENT) {
				fprintf(stderr, "%s\n", why.text);
				return 1;
			}
		}
		each[run] = (now() - start) / EVENTS;
	}
	qsort(each, RUNS, sizeof *each, by_value);
	printf("decode: %.0f ns for an event of %zu bytes\n", each[RUNS / 2], sizeof settled - 1);
	arena_close(&arena);
	decoder_free(d);
	return 0;
}
