/* Feedback, decoded: every field, every wrong one by its name, the watch of the case, and `subject:` from the data. */
#include "../../consumers/decode.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { HOUR = 3600000 };
static const int64_t NOON = 1751342400000; /* 2025-07-01T04:00:00Z */

static const char *const handled_data[] = {"by", "case"};
static const char *const visited_data[] = {"person_id"};
static struct assignment person = {.data = 0};
static struct event_type household_types[] = {{.type = "case.handled", .data = handled_data, .n_data = 2}};
static struct event_type person_types[] = {
	{.type = "cn.person.visited", .data = visited_data, .n_data = 1, .subject = &person}};
static struct watch household = {.name = "household", .events = household_types, .n_events = 1};
static struct watch persons = {.name = "person", .index = 1, .events = person_types, .n_events = 1};
static struct watch *watches[] = {&household, &persons};
static struct ruleset *rules;

static struct decoder *decoder;
static struct arena arena;
static struct event event;
static struct err why;

static struct cel_zone *shanghai(void)
{
	static char bytes[1 << 16];
	FILE *f = fopen("/usr/share/zoneinfo/Asia/Shanghai", "rb");
	assert_non_null(f);
	size_t n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	return cel_zone_new(bytes, n);
}

static enum decode_result decode_record(const struct record *record, int64_t wall)
{
	why = (struct err){{0}};
	enum decode_result result = decode_feedback(decoder, record, wall, &arena, &event, &why);
	assert_true((result == DECODE_REJECTED) == (why.text[0] != '\0'));
	return result;
}

static struct str envelope(const char *type, const char *data)
{
	static char json[4096];
	snprintf(json, sizeof json,
		 "{\"specversion\":\"1.0\",\"id\":\"a1\",\"source\":\"app\",\"type\":\"%s\",\"subject\":\"h/1\","
		 "\"time\":\"2025-07-01T03:00:00Z\",\"data\":%s}",
		 type, data);
	return str_of(json);
}

static enum decode_result decode(const char *type, const char *data)
{
	return decode_record(&(struct record){.value = envelope(type, data)}, NOON);
}

static void assert_str(struct str got, const char *wanted)
{
	if (got.len != strlen(wanted) || (got.len && memcmp(got.s, wanted, got.len)))
		fail_msg("got \"%.*s\", wanted \"%s\"", (int)got.len, got.s ? got.s : "", wanted);
}

#define CASE "\"case\":\"household/h/1/township/360704102/3\""

static void rejects(const char *data, const char *wanted)
{
	assert_int_equal(decode("case.handled", data), DECODE_REJECTED);
	assert_string_equal(why.text, wanted);
}

static void every_field_is_taken(void **state)
{
	(void)state;
	assert_int_equal(decode("case.not_confirmed",
				"{" CASE ",\"by\":\"李\",\"at\":\"2025-06-30T08:00:00+08:00\",\"note\":\"n\","
				"\"until\":\"2025-09-01\",\"message_no\":2,\"rules\":[\"a\",\"b\"],\"measure\":\"m\","
				"\"when\":\"2025-06-29\",\"other\":{\"x\":1}}"),
			 DECODE_EVENT);
	assert_ptr_equal(event.watch, &household);
	assert_null(event.type); /* the watch's events don't name this type */
	assert_str(event.subject, "h/1");
	assert_str(event.id, "a1");
	assert_str(event.source, "app");
	assert_int_equal(event.time, NOON - HOUR);
	const struct answer *a = event.answer;
	assert_int_equal(a->kind, ANSWER_NOT_CONFIRMED);
	assert_str(a->case_id, "household/h/1/township/360704102/3");
	assert_int_equal(a->at, 1751241600000);
	assert_int_equal(a->until, 1756742400000); /* when the day ends in Shanghai */
	assert_int_equal(a->message_no, 2);
	assert_int_equal(a->n_rules, 2);
	assert_str(a->rules[0], "a");
	assert_str(a->rules[1], "b");
}

static void fields_that_lack_have_defaults(void **state)
{
	(void)state;
	assert_int_equal(
		decode("case.acknowledged", "{" CASE ",\"at\":null,\"until\":null,\"message_no\":null,\"rules\":[]}"),
		DECODE_EVENT);
	assert_int_equal(event.answer->kind, ANSWER_ACKNOWLEDGED);
	assert_int_equal(event.answer->at, event.time);
	assert_true(event.answer->until == TIME_NEVER);
	assert_int_equal(event.answer->message_no, -1);
	assert_int_equal(event.answer->n_rules, 0);
}

static void each_type_has_its_kind(void **state)
{
	(void)state;
	for (enum answer_kind k = ANSWER_ACKNOWLEDGED; k <= ANSWER_NOT_CONFIRMED; k++) {
		assert_int_equal(decode(answer_type(k), "{" CASE "}"), DECODE_EVENT);
		assert_int_equal(event.answer->kind, k);
	}
	assert_int_equal(decode("case.opened", "{" CASE "}"), DECODE_IGNORED);
	rules->reject_unknown_events = true;
	assert_int_equal(decode("case.opened", "{" CASE "}"), DECODE_REJECTED);
	assert_non_null(strstr(why.text, "type: "));
	rules->reject_unknown_events = false;
}

static void a_type_that_the_watch_names_is_an_event_too(void **state)
{
	(void)state;
	assert_int_equal(decode("case.handled", "{\"by\":\"李\"," CASE "}"), DECODE_EVENT);
	assert_ptr_equal(event.type, &household_types[0]);
	assert_non_null(event.answer);
	assert_str((struct str){event.data[0].s, event.data[0].len}, "李");
	assert_int_equal(event.data[1].kind, CEL_STRING);
	struct record data_first = {.value = STR("{\"data\":{\"by\":\"x\"," CASE
						 "},\"subject\":\"h/1\",\"type\":\"case.handled\","
						 "\"source\":\"s\",\"id\":\"i\",\"specversion\":\"1.0\"}"),
				    .timestamp = 5000};
	assert_int_equal(decode_record(&data_first, NOON), DECODE_EVENT);
	assert_str((struct str){event.data[0].s, event.data[0].len}, "x");
	assert_int_equal(event.answer->at, 5000);
}

static void binary_feedback_is_read_too(void **state)
{
	(void)state;
	struct record_header headers[] = {{STR("ce_specversion"), STR("1.0")},
					  {STR("ce_id"), STR("i")},
					  {STR("ce_source"), STR("s")},
					  {STR("ce_type"), STR("case.handled")},
					  {STR("content-type"), STR("application/json")}};
	struct record r = {.value = STR("{\"by\":\"x\"," CASE "}"),
			   .key = STR("h/1"),
			   .timestamp = 7,
			   .headers = headers,
			   .n_headers = 5};
	assert_int_equal(decode_record(&r, NOON), DECODE_EVENT);
	assert_int_equal(event.answer->kind, ANSWER_HANDLED);
	assert_str(event.subject, "h/1");
	assert_str((struct str){event.data[0].s, event.data[0].len}, "x");
	r.value = STR("[1]");
	assert_int_equal(decode_record(&r, NOON), DECODE_REJECTED);
}

static void wrong_fields_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *field, *expected;
	} texts[] = {{"case", "the case's name, <watch>/<subject>/<unit>/<number>"},
		     {"by", "the name of who answers"},
		     {"note", "a text"},
		     {"measure", "the measure that was taken"},
		     {"at", "a date or an RFC 3339 timestamp"},
		     {"until", "a date or an RFC 3339 timestamp"},
		     {"when", "a date or an RFC 3339 timestamp"}};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char data[200], wanted[200];
		snprintf(data, sizeof data, "{\"%s\":7,%s}", texts[i].field, CASE);
		snprintf(wanted, sizeof wanted, "data.%s: found a number, expected %s", texts[i].field,
			 texts[i].expected);
		rejects(data, wanted);
	}
	rejects("{" CASE ",\"at\":\"soon\"}", "data.at: found another text, expected a date or an RFC 3339 timestamp");
	rejects("{" CASE ",\"at\":\"2025-07-01T06:00:00Z\"}",
		"data.at: found one 7200 s in the future, expected at most 3600 s");
	static const struct {
		const char *written, *found;
	} numbers[] = {{"0", "another number"},   {"-1", "another number"}, {"1.5", "another number"},
		       {"5e9", "another number"}, {"\"2\"", "a string"},    {"true", "a boolean"}};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		char data[200], wanted[200];
		snprintf(data, sizeof data, "{%s,\"message_no\":%s}", CASE, numbers[i].written);
		snprintf(wanted, sizeof wanted,
			 "data.message_no: found %s, expected the number of a message of the case, from 1",
			 numbers[i].found);
		rejects(data, wanted);
	}
	rejects("{" CASE ",\"rules\":\"a\"}", "data.rules: found a string, expected a list of rules' names");
	rejects("{" CASE ",\"rules\":[\"a\",1]}",
		"data.rules: found an element that is no rule's name, expected a list of rules' names");
	rejects("{" CASE ",\"rules\":[\"\"]}",
		"data.rules: found an element that is no rule's name, expected a list of rules' names");
	rejects("7", "data: found a number, expected an object");
}

static void the_case_decides_watch_and_subject(void **state)
{
	(void)state;
	static const char expected[] = "expected the case's name, <watch>/<subject>/<unit>/<number>";
	char wanted[200];
	snprintf(wanted, sizeof wanted, "data.case: found nothing, %s", expected);
	rejects("{}", wanted);
	rejects("{\"case\":null}", wanted);
	snprintf(wanted, sizeof wanted, "data.case: found an empty string, %s", expected);
	rejects("{\"case\":\"\"}", wanted);
	snprintf(wanted, sizeof wanted, "data.case: found no slash, %s", expected);
	rejects("{\"case\":\"household\"}", wanted);
	snprintf(wanted, sizeof wanted, "data.case: found a watch that there is not, %s", expected);
	rejects("{\"case\":\"house/h/1/u/1\"}", wanted);
	snprintf(wanted, sizeof wanted, "data.case: found a control character, %s", expected);
	rejects("{\"case\":\"household/h/1/u\\n/1\"}", wanted);
	rejects("{\"case\":\"household/h/2/u/1\"}",
		"subject: found another one than in data.case, expected the subject's code");
	rejects("{\"case\":\"household/h/1\"}",
		"subject: found another one than in data.case, expected the subject's code");
	rejects("{\"case\":\"household/h/12/u/1\"}",
		"subject: found another one than in data.case, expected the subject's code");
	struct record nothing = {.value = STR("{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\",\"subject\":"
					      "\"h/1\",\"type\":\"case.handled\"}"),
				 .timestamp = 5000};
	assert_int_equal(decode_record(&nothing, NOON), DECODE_REJECTED);
	assert_string_equal(why.text, "data: found nothing, expected an object");
}

/* As the tools read files: whatever it is. */
static void without_a_watch_the_type_decides(void **state)
{
	(void)state;
	struct record r = {.value = envelope("case.handled", "{" CASE "}")};
	assert_int_equal(decode_event(decoder, NULL, &r, NOON, &arena, &event, &why), DECODE_EVENT);
	assert_non_null(event.answer);
	assert_int_equal(decode_event(decoder, &household, &r, NOON, &arena, &event, &why), DECODE_EVENT);
	assert_null(event.answer); /* in the watch's own topic it is an event like any other */
}

static void a_subject_from_the_data_needs_no_other(void **state)
{
	(void)state;
	static const struct {
		const char *data, *subject, *reason;
	} cases[] = {
		{"{\"person_id\":\"p1\"}", "p1", NULL},
		{"{\"person_id\":17}", "17", NULL},
		{"{}", NULL, "data.person_id: found nothing, expected a key (a string or a whole number)"},
		{"{\"person_id\":null}", NULL,
		 "data.person_id: found null, expected a key (a string or a whole number)"},
		{"{\"person_id\":\"\"}", NULL, "data.person_id: found an empty key, expected a key of 1 to 256 bytes"},
		{"{\"person_id\":\"a\\u0001\"}", NULL,
		 "subject: found a control character, expected the subject's code"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char json[300];
		snprintf(json, sizeof json,
			 "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\",\"type\":\"cn.person.visited\","
			 "\"data\":%s}",
			 cases[i].data);
		struct record r = {.value = str_of(json), .key = STR("h9"), .timestamp = 5};
		if (i % 2)
			r.key = (struct str){0};
		why = (struct err){{0}};
		enum decode_result result = decode_event(decoder, &persons, &r, NOON, &arena, &event, &why);
		assert_int_equal(result, cases[i].subject ? DECODE_EVENT : DECODE_REJECTED);
		if (cases[i].subject)
			assert_str(event.subject, cases[i].subject);
		else
			assert_string_equal(why.text, cases[i].reason);
		if (cases[i].subject && i % 2 == 0)
			assert_str(event.key, "h9");
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_taken),
		cmocka_unit_test(fields_that_lack_have_defaults),
		cmocka_unit_test(each_type_has_its_kind),
		cmocka_unit_test(a_type_that_the_watch_names_is_an_event_too),
		cmocka_unit_test(binary_feedback_is_read_too),
		cmocka_unit_test(wrong_fields_are_named),
		cmocka_unit_test(the_case_decides_watch_and_subject),
		cmocka_unit_test(without_a_watch_the_type_decides),
		cmocka_unit_test(a_subject_from_the_data_needs_no_other),
	};
	struct cel_zone *zone = shanghai();
	rules = ruleset_new();
	rules->zone = zone;
	rules->watches = watches;
	rules->n_watches = 2;
	rules->future_tolerance = HOUR;
	arena_init(&arena);
	decoder = decoder_new(rules);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	decoder_free(decoder);
	cel_zone_free(zone);
	arena_close(&arena);
	return failed;
}
