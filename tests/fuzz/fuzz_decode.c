/* libFuzzer: any bytes as a record of Kafka.  The first byte chooses the mode (structured, binary, with a key,
 * feedback); what is taken must be whole: valid UTF-8, a plain subject, numbers that read as they are written; what
 * isn't must say why. */
#include "../../consumers/decode.h"
#include "../../consumers/json_simd.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const data_names[] = {"a", "inpatient", "self_paid", "settled_on", "settlement_no"};
static struct event_type types[] = {{.type = "case.handled", .data = data_names, .n_data = 1},
				    {.type = "d"},
				    {.type = "s", .data = data_names, .n_data = 5}};
static struct watch watch = {.name = "w", .events = types, .n_events = 3};
static struct watch *watches[] = {&watch};
static struct ruleset rules = {.watches = watches, .n_watches = 1, .future_tolerance = 3600000};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_value(struct cel_value v, unsigned depth)
{
	require(depth <= JSON_MAX_DEPTH + 1);
	switch (v.kind) {
	case CEL_STRING:
		require(json_utf8((struct str){v.s, v.len}));
		break;
	case CEL_DOUBLE:
		require(isfinite(v.d));
		break;
	case CEL_LIST:
		for (uint32_t i = 0; i < v.len; i++)
			check_value(v.items[i], depth + 1);
		break;
	case CEL_MAP:
		for (uint32_t i = 0; i < 2 * v.len; i++)
			check_value(v.items[i], depth + 1);
		break;
	default:
		require(v.kind == CEL_UNKNOWN || v.kind == CEL_NULL || v.kind == CEL_BOOL || v.kind == CEL_INT);
	}
}

static void check_number(struct cel_value v, struct str raw)
{
	char text[512];
	bool number = v.kind == CEL_INT || v.kind == CEL_DOUBLE;
	require(number == (raw.len > 0));
	if (!number || raw.len >= sizeof text)
		return;
	memcpy(text, raw.s, raw.len);
	text[raw.len] = '\0';
	if (v.kind == CEL_INT)
		require(strtoll(text, NULL, 10) == v.i);
	else
		require(strtod(text, NULL) == v.d);
}

static void check_event(const struct event *e)
{
	require(e->subject.len > 0 && e->subject.len <= 256 && json_utf8(e->subject));
	require(e->id.len > 0 && json_utf8(e->id) && e->source.len > 0 && json_utf8(e->source));
	for (uint32_t i = 0; i < e->subject.len; i++)
		require((unsigned char)e->subject.s[i] >= 0x20);
	require(e->watch && (e->type || e->answer));
	if (e->answer) {
		require(e->answer->case_id.len > e->subject.len && json_utf8(e->answer->case_id));
		require(e->answer->message_no == -1 || e->answer->message_no > 0);
		for (size_t i = 0; i < e->answer->n_rules; i++)
			require(e->answer->rules[i].len > 0 && json_utf8(e->answer->rules[i]));
	}
	for (size_t i = 0; e->type && i < e->type->n_data; i++) {
		check_value(e->data[i], 0);
		check_number(e->data[i], e->raw[i]);
	}
}

static void load_zone(void)
{
	static char bytes[1 << 16];
	FILE *f = fopen("/usr/share/zoneinfo/Asia/Shanghai", "rb");
	require(f);
	rules.zone = cel_zone_new(bytes, fread(bytes, 1, sizeof bytes, f));
	require(rules.zone);
	fclose(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct decoder *decoder;
	static struct arena arena;
	struct event event;
	struct err why = {{0}};
	if (size < 2 || size > 65536)
		return 0;
	if (!decoder) {
		load_zone();
		decoder = decoder_new(&rules);
	}
	uint8_t mode = data[0];
	struct str rest = {(const char *)data + 1, (uint32_t)size - 1};
	/* binary mode: up to four lines are headers' values */
	struct record_header headers[8] = {{STR("ce_specversion"), STR("1.0")}, {STR("ce_type"), STR("s")}};
	static const struct str names[] = {STR("ce_id"), STR("ce_source"), STR("ce_subject"), STR("ce_time")};
	size_t n = 0;
	if (mode & 1) {
		for (n = 2; n < 6; n++) {
			const char *end = rest.len ? memchr(rest.s, '\n', rest.len) : NULL;
			if (!end)
				break;
			headers[n] = (struct record_header){names[n - 2], {rest.s, (uint32_t)(end - rest.s)}};
			rest = (struct str){end + 1, rest.len - (uint32_t)(end - rest.s) - 1};
		}
	}
	char *value = malloc(rest.len ? rest.len : 1); /* exactly as long as it is */
	memcpy(value, rest.s, rest.len);
	struct record record = {
		.value = {value, rest.len}, .timestamp = mode & 2 ? 1 : 0, .headers = headers, .n_headers = n};
	if (mode & 4)
		record.key = (struct str){value, rest.len < 20 ? rest.len : 20};
	arena_reset(&arena);
	enum decode_result result = mode & 16 ? decode_feedback(decoder, &record, 1700000000000, &arena, &event, &why)
					      : decode_event(decoder, mode & 8 ? NULL : &watch, &record, 1700000000000,
							     &arena, &event, &why);
	memset(value, 0xff, rest.len); /* an event borrows nothing of the record */
	free(value);
	require((result == DECODE_REJECTED) == (why.text[0] != '\0'));
	if (result == DECODE_EVENT)
		check_event(&event);
	return 0;
}
