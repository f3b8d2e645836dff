/* The decoder: what it takes out of good events, and what it says of bad ones. */
#include "../../consumers/decode.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { HOUR = 3600000 };
static const int64_t NOON = 1751342400000; /* 2025-07-01T04:00:00Z */

static const char *const settled_data[] = {"extra", "inpatient", "self_paid", "settled_on", "settlement_no"};
static struct event_type types[] = {
	{.type = "cn.household.dissolved"},
	{.type = "cn.medical.settled", .data = settled_data, .n_data = 5},
};
enum { EXTRA, INPATIENT, SELF_PAID, SETTLED_ON, SETTLEMENT_NO };
static struct watch household = {.name = "household", .events = types, .n_events = 2};
static struct watch *watches[] = {&household};
static struct ruleset rules = {.watches = watches, .n_watches = 1, .future_tolerance = HOUR};

static struct decoder *decoder;
static struct arena arena;
static struct event event;
static struct err why;

static enum decode_result decode_record(const struct record *record, int64_t wall)
{
	char *value = NULL; /* exactly as long as it is, so that a sanitizer sees every byte too many */
	struct record r = *record;
	if (r.value.s) {
		value = malloc(r.value.len ? r.value.len : 1);
		memcpy(value, r.value.s, r.value.len);
		r.value.s = value;
	}
	why = (struct err){{0}};
	enum decode_result result = decode_event(decoder, &household, &r, wall, &arena, &event, &why);
	free(value);
	assert_true((result == DECODE_REJECTED) == (why.text[0] != '\0'));
	return result;
}

static enum decode_result decode(const char *json)
{
	struct record r = {.value = str_of(json), .timestamp = 5000};
	return decode_record(&r, TIME_NEVER);
}

/* An event with the given fields beside id and source, which no test here cares about. */
static enum decode_result decode_fields(const char *fields)
{
	char json[4096];
	snprintf(json, sizeof json, "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\",%s}", fields);
	return decode(json);
}

#define SETTLED "\"type\":\"cn.medical.settled\",\"subject\":\"h1\","
#define DISSOLVED "\"type\":\"cn.household.dissolved\",\"subject\":\"h1\""

static void assert_str(struct str got, const char *wanted)
{
	if (got.len != strlen(wanted) || (got.len && memcmp(got.s, wanted, got.len)))
		fail_msg("got \"%.*s\", wanted \"%s\"", (int)got.len, got.s ? got.s : "", wanted);
}
static void assert_text(struct cel_value got, const char *wanted)
{
	assert_int_equal(got.kind, CEL_STRING);
	assert_str((struct str){got.s, got.len}, wanted);
}

static void rejects(const char *fields, const char *wanted)
{
	assert_int_equal(decode_fields(fields), DECODE_REJECTED);
	assert_string_equal(why.text, wanted);
}

static void structured_event_is_taken_apart(void **state)
{
	(void)state;
	assert_int_equal(decode_fields("\"time\":\"2025-06-30T09:00:00.125+08:00\"," SETTLED
				       "\"data\":{\"settlement_no\":\"a1\",\"settled_on\":\"2025-06-20\",\"total\":9e2,"
				       "\"self_paid\":1.005,\"inpatient\":true}"),
			 DECODE_EVENT);
	assert_ptr_equal(event.type, &types[1]);
	assert_ptr_equal(event.watch, &household);
	assert_str(event.subject, "h1");
	assert_str(event.id, "i");
	assert_str(event.source, "s");
	assert_int_equal(event.time, 1751245200125);
	assert_text(event.data[SETTLEMENT_NO], "a1");
	assert_text(event.data[SETTLED_ON], "2025-06-20");
	assert_int_equal(event.data[SELF_PAID].kind, CEL_DOUBLE);
	assert_true(event.data[SELF_PAID].d == 1.005);
	assert_str(event.raw[SELF_PAID], "1.005");
	assert_int_equal(event.data[INPATIENT].kind, CEL_BOOL);
	assert_true(event.data[INPATIENT].b);
	assert_int_equal(event.data[EXTRA].kind, CEL_UNKNOWN);
	assert_str(event.raw[SETTLED_ON], "");
}

static void order_of_fields_does_not_matter(void **state)
{
	(void)state;
	assert_int_equal(
		decode("{\"data\":{\"self_paid\":7},\"subject\":\"h2\",\"type\":\"cn.medical.settled\",\"source\":"
		       "\"s\",\"id\":\"i\",\"specversion\":\"1.0\"}"),
		DECODE_EVENT);
	assert_int_equal(event.data[SELF_PAID].i, 7);
	assert_str(event.subject, "h2");
	assert_int_equal(event.time, 5000); /* the record's */
}

static void numbers_keep_their_kind_and_text(void **state)
{
	(void)state;
	static const struct {
		const char *written;
		enum cel_kind kind;
		int64_t i;
		double d;
	} cases[] = {
		{"0", CEL_INT, 0, 0},
		{"-0", CEL_INT, 0, 0},
		{"123456789012345678", CEL_INT, 123456789012345678, 0},
		{"9223372036854775807", CEL_INT, INT64_MAX, 0},
		{"-9223372036854775808", CEL_INT, INT64_MIN, 0},
		{"9223372036854775808", CEL_DOUBLE, 0, 9223372036854775808.0},
		{"123456789012345678901234567890", CEL_DOUBLE, 0, 123456789012345678901234567890.0},
		{"0.1", CEL_DOUBLE, 0, 0.1},
		{"-12.50", CEL_DOUBLE, 0, -12.5},
		{"123456.789012345", CEL_DOUBLE, 0, 123456.789012345},
		{"0.30000000000000004", CEL_DOUBLE, 0, 0.30000000000000004},
		{"1e3", CEL_DOUBLE, 0, 1000},
		{"2.5E-3", CEL_DOUBLE, 0, 0.0025},
		{"1.7976931348623157e308", CEL_DOUBLE, 0, 1.7976931348623157e308},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char fields[256];
		snprintf(fields, sizeof fields, SETTLED "\"data\":{\"self_paid\": %s }", cases[i].written);
		if (decode_fields(fields) != DECODE_EVENT)
			fail_msg("%s: %s", cases[i].written, why.text);
		assert_str(event.raw[SELF_PAID], cases[i].written);
		assert_int_equal(event.data[SELF_PAID].kind, cases[i].kind);
		if (cases[i].kind == CEL_INT)
			assert_int_equal(event.data[SELF_PAID].i, cases[i].i);
		else if (event.data[SELF_PAID].d != cases[i].d)
			fail_msg("%s: got %.17g", cases[i].written, event.data[SELF_PAID].d);
	}
}

static void malformed_numbers_are_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {"01",  "1.",   ".5",    "+1",  "-",        "1e",
					    "1e+", "0x10", "1.2.3", "NaN", "Infinity", "1a"};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char fields[256];
		snprintf(fields, sizeof fields, SETTLED "\"data\":{\"self_paid\":%s}", cases[i]);
		if (decode_fields(fields) != DECODE_REJECTED)
			fail_msg("%s was taken", cases[i]);
	}
	rejects(SETTLED "\"data\":{\"self_paid\":1e999}", "data.self_paid: a number beyond what a double can hold");
}

static void texts_are_unescaped(void **state)
{
	(void)state;
	assert_int_equal(decode_fields(SETTLED "\"data\":{\"settlement_no\":\"\\u0041\\n\\\"\\\\\\ud83d\\ude00\","
					       "\"se\\u0074tled_on\":\"甲\"}"),
			 DECODE_EVENT);
	assert_text(event.data[SETTLEMENT_NO], "A\n\"\\\xf0\x9f\x98\x80");
	assert_text(event.data[SETTLED_ON], "甲");
	assert_int_equal(decode_fields(SETTLED "\"data\":{\"settlement_no\":\"\\ud800\"}"), DECODE_REJECTED);
	assert_int_equal(decode_fields(SETTLED "\"data\":{\"settlement_no\":\"\\x\"}"), DECODE_REJECTED);
}

static void objects_and_arrays_become_maps_and_lists(void **state)
{
	(void)state;
	assert_int_equal(
		decode_fields(SETTLED "\"data\":{\"extra\":[1,{\"a\":null,\"b\":[\"x\",false],\"a\":2},2.5,{},[]]}"),
		DECODE_EVENT);
	struct cel_value list = event.data[EXTRA];
	assert_int_equal(list.kind, CEL_LIST);
	assert_int_equal(list.len, 5);
	assert_int_equal(list.items[0].i, 1);
	struct cel_value map = list.items[1];
	assert_int_equal(map.kind, CEL_MAP);
	assert_int_equal(map.len, 2); /* of duplicates the first counts */
	assert_text(map.items[0], "a");
	assert_int_equal(map.items[1].kind, CEL_NULL);
	assert_text(map.items[2], "b");
	assert_int_equal(map.items[3].len, 2);
	assert_text(map.items[3].items[0], "x");
	assert_true(list.items[2].d == 2.5);
	assert_int_equal(list.items[3].len, 0);
	assert_int_equal(list.items[4].kind, CEL_LIST);
}

static void nesting_is_bounded(void **state)
{
	(void)state;
	for (int depth = 31; depth <= 34; depth++) {
		char fields[512] = SETTLED "\"data\":{\"extra\":";
		for (int i = 0; i < depth; i++)
			strcat(fields, "[");
		for (int i = 0; i < depth; i++)
			strcat(fields, "]");
		strcat(fields, "}");
		assert_int_equal(decode_fields(fields), depth <= 32 ? DECODE_EVENT : DECODE_REJECTED);
	}
	assert_string_equal(why.text, "data.extra: nested deeper than 32 levels");
	char *deep = malloc(200001); /* what nobody takes may be as deep as it likes */
	memset(deep, '[', 100000);
	memset(deep + 100000, ']', 100000);
	deep[200000] = '\0';
	char *json = malloc(200400);
	snprintf(json, 200400, "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\"," DISSOLVED ",\"x\":%s}", deep);
	assert_int_equal(decode(json), DECODE_EVENT);
	free(json);
	free(deep);
}

static void null_is_not_missing_in_data(void **state)
{
	(void)state;
	assert_int_equal(decode_fields(SETTLED "\"data\":{\"self_paid\":null}"), DECODE_EVENT);
	assert_int_equal(event.data[SELF_PAID].kind, CEL_NULL);
	assert_int_equal(event.data[INPATIENT].kind, CEL_UNKNOWN);
}

static void first_of_duplicate_fields_counts(void **state)
{
	(void)state;
	assert_int_equal(decode_fields(SETTLED "\"subject\":\"h9\",\"data\":{\"self_paid\":1,\"self_paid\":2}"),
			 DECODE_EVENT);
	assert_str(event.subject, "h1");
	assert_int_equal(event.data[SELF_PAID].i, 1);
}

static void subject_is_the_attribute_else_the_key(void **state)
{
	(void)state;
	char json[] = "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\",\"type\":\"cn.household.dissolved\"}";
	struct record r = {.value = STR(""), .key = STR("from-key"), .timestamp = 1};
	r.value = str_of(json);
	assert_int_equal(decode_record(&r, TIME_NEVER), DECODE_EVENT);
	assert_str(event.subject, "from-key");
	r.key = STR("bad\xffkey");
	assert_int_equal(decode_record(&r, TIME_NEVER), DECODE_REJECTED);
	assert_string_equal(why.text,
			    "subject: found a record key that is not valid UTF-8, expected the subject's code");
	r.key = STR("a\tb");
	assert_int_equal(decode_record(&r, TIME_NEVER), DECODE_REJECTED);
	r.key = (struct str){0};
	assert_int_equal(decode_record(&r, TIME_NEVER), DECODE_REJECTED);
	assert_string_equal(why.text, "subject: found nothing, and the record has no key, expected the subject's code");
	assert_int_equal(decode_fields("\"type\":\"cn.household.dissolved\",\"subject\":null"), DECODE_REJECTED);
}

static void subjects_are_plain_and_short(void **state)
{
	(void)state;
	rejects("\"type\":\"cn.household.dissolved\",\"subject\":\"a\\u0000b\"",
		"subject: found a control character, expected the subject's code");
	rejects("\"type\":\"cn.household.dissolved\",\"subject\":\"a\\u0085b\"",
		"subject: found a control character, expected the subject's code");
	rejects("\"type\":\"cn.household.dissolved\",\"subject\":\"\"",
		"subject: found an empty string, expected the subject's code");
	rejects("\"type\":\"cn.household.dissolved\",\"subject\":17",
		"subject: found a number, expected the subject's code");
	char fields[400] = "\"type\":\"cn.household.dissolved\",\"subject\":\"";
	size_t n = strlen(fields);
	memset(fields + n, 'x', 256);
	strcpy(fields + n + 256, "\"");
	assert_int_equal(decode_fields(fields), DECODE_EVENT);
	strcpy(fields + n + 256, "x\"");
	rejects(fields, "subject: found 257 bytes, expected at most 256");
}

static void attributes_are_checked(void **state)
{
	(void)state;
	static const struct {
		const char *json, *wanted;
	} cases[] = {
		{"{\"id\":\"i\",\"source\":\"s\"," DISSOLVED "}", "specversion: found nothing, expected the text 1.0"},
		{"{\"specversion\":\"0.3\",\"id\":\"i\",\"source\":\"s\"," DISSOLVED "}",
		 "specversion: found another version, expected the text 1.0"},
		{"{\"specversion\":1.0,\"id\":\"i\",\"source\":\"s\"," DISSOLVED "}",
		 "specversion: found a number, expected the text 1.0"},
		{"{\"specversion\":\"1.0\",\"source\":\"s\"," DISSOLVED "}",
		 "id: found nothing, expected a text that is unique within the source"},
		{"{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"s\"," DISSOLVED "}",
		 "id: found an empty string, expected a text that is unique within the source"},
		{"{\"specversion\":\"1.0\",\"id\":{\"a\":1},\"source\":\"s\"," DISSOLVED "}",
		 "id: found an object, expected a text that is unique within the source"},
		{"{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":null," DISSOLVED "}",
		 "source: found null, expected the name of the department or system"},
		{"{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\",\"subject\":\"h\"}",
		 "type: found nothing, expected the event's type"},
		{"{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\",\"type\":[1]}",
		 "type: found an array, expected the event's type"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(decode(cases[i].json), DECODE_REJECTED);
		assert_string_equal(why.text, cases[i].wanted);
	}
}

static void times_are_rfc3339_and_not_ahead(void **state)
{
	(void)state;
	rejects(DISSOLVED ",\"time\":\"2025-06-30 09:00\"", "time: found another text, expected an RFC 3339 timestamp");
	rejects(DISSOLVED ",\"time\":\"2025-02-30T09:00:00Z\"",
		"time: found another text, expected an RFC 3339 timestamp");
	rejects(DISSOLVED ",\"time\":1751245200", "time: found a number, expected an RFC 3339 timestamp");
	char json[300];
	snprintf(json, sizeof json,
		 "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\"," DISSOLVED
		 ",\"time\":\"2025-07-01T05:00:00Z\"}");
	struct record r = {.value = str_of(json)};
	assert_int_equal(decode_record(&r, NOON), DECODE_EVENT); /* one hour ahead: the tolerance */
	assert_int_equal(event.time, NOON + HOUR);
	assert_int_equal(decode_record(&r, NOON - 1000), DECODE_REJECTED);
	assert_string_equal(why.text, "time: found one 3601 s in the future, expected at most 3600 s");
	assert_int_equal(decode_record(&r, TIME_NEVER), DECODE_EVENT);
	assert_int_equal(decode_fields("\"time\":null," DISSOLVED), DECODE_EVENT);
	assert_int_equal(event.time, 5000);
	struct record none = {.value = STR("{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\"," DISSOLVED "}")};
	assert_int_equal(decode_record(&none, NOON), DECODE_REJECTED);
	assert_string_equal(why.text,
			    "time: found nothing, and the record has no timestamp, expected an RFC 3339 timestamp");
}

static void data_must_be_an_object_where_it_is_read(void **state)
{
	(void)state;
	rejects(SETTLED "\"data\":\"text\"", "data: found a string, expected an object");
	rejects(SETTLED "\"data\":[]", "data: found an array, expected an object");
	rejects(SETTLED "\"data\":null", "data: found null, expected an object");
	rejects(SETTLED "\"x\":1", "data: found nothing, expected an object");
	rejects(SETTLED "\"data_base64\":\"e30=\"", "data_base64: found bytes, expected data as a JSON object");
	assert_int_equal(decode_fields(DISSOLVED ",\"data\":\"text\""), DECODE_EVENT);
	assert_int_equal(decode_fields(DISSOLVED ",\"data_base64\":\"e30=\""), DECODE_EVENT);
	rejects("\"data\":7," SETTLED "\"x\":1", "data: found a number, expected an object"); /* before its type */
}

static void what_is_no_json_object_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		" ",
		"null",
		"17",
		"\"text\"",
		"[]",
		"[{\"specversion\":\"1.0\"}]",
		"not json",
		"{",
		"}",
		"{]",
		"{\"specversion\":\"1.0\"",
		"{\"specversion\" \"1.0\"}",
		"{\"specversion\":\"1.0\",}",
		"{specversion:\"1.0\"}",
		"{\"specversion\":\"1.0\" \"id\":\"i\"}",
		"{\"specversion\":\"1.0}",
		"{\"specversion\":\"a\nb\"}",
		"\xef\xbb\xbf{\"specversion\":\"1.0\"}",
		"{\"specversion\":\"1.0\"}{\"id\":\"i\"}",
		"{\"specversion\":tru}",
		"{\"specversion\":nul}",
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (decode(cases[i]) != DECODE_REJECTED)
			fail_msg("taken: %s", cases[i]);
	}
	decode("");
	assert_string_equal(why.text, "event: empty; expected one CloudEvents object in JSON");
	decode("{\"specversion\":\"1.0\xff\"}");
	assert_string_equal(why.text, "event: not valid UTF-8; expected one CloudEvents object in JSON");
	assert_int_equal(decode("{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\"," DISSOLVED "} trailing"),
			 DECODE_REJECTED);
	assert_string_equal(why.text, "event: not JSON: the object is not closed, or more text follows it; expected "
				      "one CloudEvents object in JSON");
	struct record none = {.timestamp = 1};
	assert_int_equal(decode_record(&none, TIME_NEVER), DECODE_REJECTED);
}

static void every_cut_of_a_good_event_is_refused(void **state)
{
	(void)state;
	static const char good[] =
		"{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\",\"type\":\"cn.medical.settled\","
		"\"subject\":\"h1\",\"data\":{\"self_paid\":1.5,\"extra\":[1,{\"a\":\"\\n\"}]}}";
	for (uint32_t n = 0; n < sizeof good; n++) {
		struct record r = {.value = {good, n}, .timestamp = 1};
		assert_int_equal(decode_record(&r, TIME_NEVER), n == sizeof good - 1 ? DECODE_EVENT : DECODE_REJECTED);
		if (n == sizeof good - 1)
			break;
	}
}

static void unknown_types_are_ignored_or_refused(void **state)
{
	(void)state;
	assert_int_equal(decode_fields("\"type\":\"cn.other\""), DECODE_IGNORED);
	rules.reject_unknown_events = true;
	rejects("\"type\":\"cn.other\"",
		"type: found one that the watch household does not know, expected one of its events");
	rules.reject_unknown_events = false;
	struct record r = {.value = STR("{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\"," DISSOLVED "}"),
			   .timestamp = 1};
	assert_int_equal(decode_event(decoder, NULL, &r, TIME_NEVER, &arena, &event, &why), DECODE_EVENT);
	assert_ptr_equal(event.watch, &household); /* found by the type */
}

static void of_watches_that_read_one_topic_the_type_decides(void **state)
{
	(void)state;
	static struct event_type of_persons[] = {{.type = "cn.household.dissolved"}, {.type = "cn.person.seen"}};
	static struct event_type of_schools[] = {{.type = "cn.person.seen"}, {.type = "cn.school.left"}};
	static struct watch school = {.name = "school", .events = of_schools, .n_events = 2, .index = 2};
	static struct watch person = {
		.name = "person", .events = of_persons, .n_events = 2, .index = 1, .beside = &school};
	struct watch *all[] = {&household, &person, &school};
	struct ruleset three = {
		.watches = all, .n_watches = 3, .future_tolerance = HOUR, .reject_unknown_events = true};
	struct decoder *alone = decoder;
	decoder = decoder_new(&three);
	household.topic = "events";
	household.beside = &person;
	assert_int_equal(decode_fields("\"type\":\"cn.school.left\",\"subject\":\"p1\""), DECODE_EVENT);
	assert_ptr_equal(event.watch, &school);
	assert_null(decode_also(&event));
	assert_int_equal(decode_fields("\"type\":\"cn.person.seen\",\"subject\":\"p1\""), DECODE_EVENT);
	assert_ptr_equal(event.watch, &person);
	assert_ptr_equal(decode_also(&event), &school);
	assert_int_equal(decode_fields(DISSOLVED), DECODE_EVENT);
	assert_ptr_equal(event.watch, &household);
	assert_ptr_equal(decode_also(&event), &person);
	rejects(DISSOLVED ",\"time\":\"x\"", "time: found another text, expected an RFC 3339 timestamp");
	assert_ptr_equal(decode_also(&event), &person); /* for which it may be good */
	rejects("\"type\":\"cn.other\"", "type: found one that no watch of events knows, expected one of their events");
	assert_null(decode_also(&event));
	struct record seen = {.value = STR("{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\",\"type\":"
					   "\"cn.person.seen\",\"subject\":\"p1\"}"),
			      .timestamp = 1};
	assert_int_equal(decode_event_for(decoder, &school, &seen, TIME_NEVER, &arena, &event, &why), DECODE_EVENT);
	assert_ptr_equal(event.watch, &school);
	why = (struct err){{0}};
	assert_int_equal(decode_event_for(decoder, &household, &seen, TIME_NEVER, &arena, &event, &why),
			 DECODE_REJECTED);
	assert_string_equal(why.text, "type: found one that the watch household does not know, expected one of its "
				      "events");
	household.beside = NULL;
	decoder_free(decoder);
	decoder = alone;
}

static void reasons_hold_no_values(void **state)
{
	(void)state;
	static const char *const secrets[] = {
		"\"type\":\"cn.household.dissolved\",\"subject\":\"SECRET\\u0001\"",
		DISSOLVED ",\"time\":\"SECRET\"",
		SETTLED "\"data\":\"SECRET\"",
		SETTLED "\"data\":{\"self_paid\":SECRET}",
		SETTLED "\"data\":{\"settlement_no\":\"SECRET\\x\"}",
		"\"type\":{\"SECRET\":1}",
	};
	for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
		assert_int_equal(decode_fields(secrets[i]), DECODE_REJECTED);
		assert_null(strstr(why.text, "SECRET"));
	}
}

/* --- the Kafka binding */
static const struct record_header binary[] = {
	{STR("ce_specversion"), STR("1.0")},
	{STR("ce_id"), STR("i7")},
	{STR("ce_source"), STR("s7")},
	{STR("ce_type"), STR("cn.medical.settled")},
	{STR("ce_time"), STR("2025-06-30T09:00:00+08:00")},
	{STR("ce_subject"), STR("h7")},
	{STR("content-type"), STR("application/json; charset=utf-8")},
};

static void binary_mode_reads_headers(void **state)
{
	(void)state;
	struct record r = {.value = STR("{\"self_paid\":12.5}"), .headers = binary, .n_headers = 7};
	assert_int_equal(decode_record(&r, TIME_NEVER), DECODE_EVENT);
	assert_str(event.subject, "h7");
	assert_str(event.id, "i7");
	assert_str(event.source, "s7");
	assert_int_equal(event.time, 1751245200000);
	assert_str(event.raw[SELF_PAID], "12.5");
	r.value = STR("[1]");
	assert_int_equal(decode_record(&r, TIME_NEVER), DECODE_REJECTED);
	assert_string_equal(why.text, "data: not a JSON object; expected an object");
	r.value = (struct str){0};
	assert_int_equal(decode_record(&r, TIME_NEVER), DECODE_REJECTED);
	r.n_headers = 3; /* no type */
	assert_int_equal(decode_record(&r, TIME_NEVER), DECODE_REJECTED);
	assert_string_equal(why.text, "type: found nothing, expected the event's type");
}

static void binary_headers_are_checked(void **state)
{
	(void)state;
	struct record_header headers[7];
	memcpy(headers, binary, sizeof headers);
	struct record r = {.value = STR("{}"), .headers = headers, .n_headers = 7};
	headers[6].value = STR("text/csv");
	assert_int_equal(decode_record(&r, TIME_NEVER), DECODE_REJECTED);
	assert_string_equal(why.text, "content-type: found a type that is not JSON, expected application/json");
	headers[6].value = STR("application/vnd.county+JSON");
	assert_int_equal(decode_record(&r, TIME_NEVER), DECODE_EVENT);
	headers[5].value = STR("h\xff");
	assert_int_equal(decode_record(&r, TIME_NEVER), DECODE_REJECTED);
	assert_string_equal(why.text,
			    "subject: found bytes that are not valid UTF-8 in its header, expected the subject's code");
}

static void content_type_chooses_the_mode(void **state)
{
	(void)state;
	struct record_header headers[7];
	memcpy(headers, binary, sizeof headers);
	struct record r = {.value = STR("{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\"," DISSOLVED "}"),
			   .timestamp = 1,
			   .headers = headers,
			   .n_headers = 7};
	headers[6].value = STR("Application/CloudEvents+JSON; charset=UTF-8");
	assert_int_equal(decode_record(&r, TIME_NEVER), DECODE_EVENT);
	assert_str(event.subject, "h1"); /* of the value, not of the headers */
	headers[6].value = STR("application/cloudevents-batch+json");
	assert_int_equal(decode_record(&r, TIME_NEVER), DECODE_REJECTED);
	headers[6].value = STR("application/cloudevents+avro");
	assert_int_equal(decode_record(&r, TIME_NEVER), DECODE_REJECTED);
	r.headers = &headers[6];
	r.n_headers = 1;
	headers[6].value = STR("application/json"); /* no ce_ headers: structured all the same */
	assert_int_equal(decode_record(&r, TIME_NEVER), DECODE_EVENT);
}

static int start(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < rules.n_watches; i++)
		watches[i]->index = i;
	decoder = decoder_new(&rules);
	return 0;
}

static int end(void **state)
{
	(void)state;
	decoder_free(decoder);
	arena_close(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(structured_event_is_taken_apart),
		cmocka_unit_test(order_of_fields_does_not_matter),
		cmocka_unit_test(numbers_keep_their_kind_and_text),
		cmocka_unit_test(malformed_numbers_are_refused),
		cmocka_unit_test(texts_are_unescaped),
		cmocka_unit_test(objects_and_arrays_become_maps_and_lists),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(null_is_not_missing_in_data),
		cmocka_unit_test(first_of_duplicate_fields_counts),
		cmocka_unit_test(subject_is_the_attribute_else_the_key),
		cmocka_unit_test(subjects_are_plain_and_short),
		cmocka_unit_test(attributes_are_checked),
		cmocka_unit_test(times_are_rfc3339_and_not_ahead),
		cmocka_unit_test(data_must_be_an_object_where_it_is_read),
		cmocka_unit_test(what_is_no_json_object_is_refused),
		cmocka_unit_test(every_cut_of_a_good_event_is_refused),
		cmocka_unit_test(unknown_types_are_ignored_or_refused),
		cmocka_unit_test(of_watches_that_read_one_topic_the_type_decides),
		cmocka_unit_test(reasons_hold_no_values),
		cmocka_unit_test(binary_mode_reads_headers),
		cmocka_unit_test(binary_headers_are_checked),
		cmocka_unit_test(content_type_chooses_the_mode),
	};
	return cmocka_run_group_tests(tests, start, end);
}
