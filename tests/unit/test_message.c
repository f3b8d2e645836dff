/* What a unit's queue receives: every field that language.md lists, the same bytes for the same message, nothing
 * sensitive, and text that people can read. */
#include "../../daemon/outbox/json_write.h"
#include "../../daemon/outbox/message.h"
#include "../../daemon/outbox/message_text.h"
#include "../../daemon/outbox/siphash.h"
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct watch household = {.name = "household", .title = "农村低收入家庭"};
static struct watch *watches[] = {&household};
static struct unit units[] = {{.name = "social-assistance", .title = "社会救助股"}};
static struct threshold thresholds[] = {{.name = "medical_burden", .title = "自付医疗费预警线"}};
static struct ruleset rules = {.instance = "ganxian",
			       .watches = watches,
			       .n_watches = 1,
			       .units = units,
			       .n_units = 1,
			       .thresholds = thresholds,
			       .n_thresholds = 1};
static struct rule rule = {.name = "medical-burden",
			   .title = "大额自付\"医疗\"费",
			   .basis = "工作要点第3条(2023-05-29)",
			   .assistance = "急难救助"};
static const struct threshold_value line = {.region = "360704", .basis = "示例", .from = 19509, .value = 40000};

static struct message_value values[] = {
	{.name = "medical_self_paid",
	 .title = "近12个月自付医疗费",
	 .unit = "yuan",
	 .value = {.kind = CEL_DOUBLE, .d = 45000.5},
	 .type = FIELD_DOUBLE},
	{.name = "share", .value = {.kind = CEL_DOUBLE, .d = 0.1}, .type = FIELD_DOUBLE},
	{.name = "phone",
	 .value = {.kind = CEL_STRING, .len = 11, .s = "138******78"},
	 .type = FIELD_STRING,
	 .masked = true},
	{.name = "score", .value = {.kind = CEL_INT, .i = 77}, .type = FIELD_INT, .masked = true},
	{.name = "visited_on", .type = FIELD_DATE, .value = {.kind = CEL_TIMESTAMP, .i = 1685548800}},
	{.name = "seen_at", .type = FIELD_STRING, .value = {.kind = CEL_TIMESTAMP, .i = 1685548800, .nanos = 5000000}},
	{.name = "dibao", .value = {.kind = CEL_BOOL, .b = false}, .type = FIELD_BOOL},
	{.name = "region", .value = {.kind = CEL_UNKNOWN}, .type = FIELD_STRING},
};
static struct message_threshold used[] = {{.name = "medical_burden", .unit = "yuan", .is = &line}};
static struct origin evidence[] = {{.source = STR("/ganxian/yibao"), .id = STR("yb-1"), .time = 1685577600000}};
static struct str unknown[] = {STR("region")};
static struct message_alert alerts[] = {{.rule = &rule,
					 .rule_name = STR("medical-burden"),
					 .version = 3,
					 .level = "red",
					 .state = "open",
					 .since = 1685577600000,
					 .summary = STR("近12个月自付医疗费45000.5元,预警线40000元"),
					 .values = values,
					 .n_values = 8,
					 .thresholds = used,
					 .n_thresholds = 1,
					 .evidence = evidence,
					 .n_evidence = 1,
					 .evidence_total = 7,
					 .unknown = unknown,
					 .n_unknown = 1}};
static struct message message = {.type = CASE_OPENED,
				 .watch = &household,
				 .subject = STR("h1"),
				 .region = STR("360704102"),
				 .unit = STR("social-assistance"),
				 .topic = STR("alerts.social-assistance"),
				 .case_id = STR("household/h1/social-assistance/2"),
				 .case_number = 2,
				 .number = 1,
				 .level = "red",
				 .due = 19522,
				 .opened = 1685577600000,
				 .now = 1685577600250,
				 .alerts = alerts,
				 .n_alerts = 1};

static json_t *json_of(const struct message *m)
{
	struct buffer out = {0};
	json_error_t error;
	write_plain(&out, "{}\n"); /* whatever stands before doesn't matter */
	message_json(m, &rules, STR("inc"), &out);
	json_t *json = json_loadb(out.data + 3, out.len - 3, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		fail_msg("%s at %d: %.*s", error.text, error.position, (int)out.len, out.data);
	buffer_free(&out);
	return json;
}

static void assert_at(const json_t *object, const char *name, const char *wanted)
{
	json_t *v = json_object_get(object, name);
	if (!v)
		fail_msg("no field %s", name);
	char *got = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	if (strcmp(got, wanted) != 0)
		fail_msg("%s: got %s, wanted %s", name, got, wanted);
	free(got);
}

static void message_has_every_field(void **state)
{
	(void)state;
	json_t *m = json_of(&message), *data = json_object_get(m, "data");
	assert_at(m, "specversion", "\"1.0\"");
	assert_int_equal(json_string_length(json_object_get(m, "id")), 32);
	assert_at(m, "source", "\"shouwang/ganxian\"");
	assert_at(m, "type", "\"case.opened\"");
	assert_at(m, "subject", "\"h1\"");
	assert_at(m, "time", "\"2023-06-01T08:00:00.250+08:00\"");
	assert_at(m, "datacontenttype", "\"application/json\"");
	assert_at(data, "case", "\"household/h1/social-assistance/2\"");
	assert_at(data, "previous", "null");
	assert_at(data, "unit", "\"social-assistance\"");
	assert_at(data, "watch", "\"household\"");
	assert_at(data, "subject", "\"h1\"");
	assert_at(data, "region", "\"360704102\"");
	assert_at(data, "level", "\"red\"");
	assert_at(data, "due", "\"2023-06-14\"");
	assert_at(data, "opened", "\"2023-06-01T08:00:00+08:00\"");
	assert_at(data, "message_no", "1");
	assert_int_equal(json_array_size(json_object_get(data, "alerts")), 1);
	json_decref(m);
}

static void alert_explains_itself(void **state)
{
	(void)state;
	json_t *m = json_of(&message), *a = json_array_get(json_object_get(json_object_get(m, "data"), "alerts"), 0);
	assert_at(a, "rule", "\"medical-burden\"");
	assert_at(a, "version", "3");
	assert_at(a, "title", "\"大额自付\\\"医疗\\\"费\"");
	assert_at(a, "member", "null");
	assert_at(a, "level", "\"red\"");
	assert_at(a, "state", "\"open\"");
	assert_at(a, "since", "\"2023-06-01T08:00:00+08:00\"");
	assert_at(a, "summary", "\"近12个月自付医疗费45000.5元,预警线40000元\"");
	assert_at(a, "basis", "\"工作要点第3条(2023-05-29)\"");
	assert_at(a, "assistance", "\"急难救助\"");
	assert_at(json_array_get(json_object_get(a, "thresholds"), 0), "value", "40000");
	assert_at(json_array_get(json_object_get(a, "thresholds"), 0), "region", "\"360704\"");
	assert_at(json_array_get(json_object_get(a, "thresholds"), 0), "from", "\"2023-06-01\"");
	assert_at(json_array_get(json_object_get(a, "thresholds"), 0), "basis", "\"示例\"");
	assert_at(json_array_get(json_object_get(a, "thresholds"), 0), "unit", "\"yuan\"");
	assert_at(json_array_get(json_object_get(a, "evidence"), 0), "source", "\"/ganxian/yibao\"");
	assert_at(json_array_get(json_object_get(a, "evidence"), 0), "id", "\"yb-1\"");
	assert_at(json_array_get(json_object_get(a, "evidence"), 0), "time", "\"2023-06-01T08:00:00+08:00\"");
	assert_at(a, "evidence_count", "7");
	assert_at(a, "unknown", "[\"region\"]");
	json_decref(m);
}

static void values_read_as_they_are(void **state)
{
	(void)state;
	static const char *const wanted[] = {
		"45000.5", "0.1", "\"138******78\"", "\"****\"", "\"2023-06-01\"", "\"2023-06-01T00:00:00.005+08:00\"",
		"false",   "null"};
	json_t *m = json_of(&message), *a = json_array_get(json_object_get(json_object_get(m, "data"), "alerts"), 0);
	for (size_t i = 0; i < 8; i++)
		assert_at(json_array_get(json_object_get(a, "values"), i), "value", wanted[i]);
	assert_at(json_array_get(json_object_get(a, "values"), 0), "title", "\"近12个月自付医疗费\"");
	assert_at(json_array_get(json_object_get(a, "values"), 0), "unit", "\"yuan\"");
	assert_at(json_array_get(json_object_get(a, "values"), 1), "title", "null");
	json_decref(m);
}

static void absent_things_are_null(void **state)
{
	(void)state;
	struct message_alert bare = {.rule_name = STR("gone"), .member = STR("p1"), .level = "red", .state = "over"};
	struct message m = message;
	m.region = (struct str){0};
	m.previous = STR("household/h1/social-assistance/1");
	m.due = DAY_NEVER;
	m.reason = "cleared";
	m.alerts = &bare;
	json_t *json = json_of(&m), *data = json_object_get(json, "data"),
	       *a = json_array_get(json_object_get(data, "alerts"), 0);
	assert_at(data, "region", "null");
	assert_at(data, "previous", "\"household/h1/social-assistance/1\"");
	assert_at(data, "due", "null");
	assert_at(data, "reason", "\"cleared\"");
	assert_at(a, "title", "null");
	assert_at(a, "member", "\"p1\"");
	assert_at(a, "summary", "null");
	assert_at(a, "values", "[]");
	json_decref(json);
}

static struct str outcome_rules[] = {STR("medical-burden"), STR("severe-uncovered")};
static const struct outcome outcome = {.watch = &household,
				       .subject = STR("h1"),
				       .unit = STR("township/360704102"),
				       .region = STR("360704102001"),
				       .case_id = STR("household/h1/township/360704102/2"),
				       .case_number = 2,
				       .rules = outcome_rules,
				       .n_rules = 2,
				       .opened = 1685577600000,
				       .ended = 1685664000000,
				       .due = 19522,
				       .result = "handled",
				       .on_time = ON_TIME_YES,
				       .now = 1685664000250,
				       .number = 3};

static json_t *outcome_of(const struct outcome *o, const char *incarnation)
{
	struct buffer out = {0};
	json_error_t error;
	write_plain(&out, "{}\n");
	outcome_json(o, &rules, str_of(incarnation), &out);
	json_t *json = json_loadb(out.data + 3, out.len - 3, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		fail_msg("%s at %d: %.*s", error.text, error.position, (int)out.len, out.data);
	buffer_free(&out);
	return json;
}

static void outcome_has_every_field(void **state)
{
	(void)state;
	json_t *o = outcome_of(&outcome, "inc"), *data = json_object_get(o, "data");
	assert_at(o, "specversion", "\"1.0\"");
	assert_int_equal(json_string_length(json_object_get(o, "id")), 32);
	assert_at(o, "source", "\"shouwang/ganxian\"");
	assert_at(o, "type", "\"case.outcome\"");
	assert_at(o, "subject", "\"township/360704102\"");
	assert_at(o, "time", "\"2023-06-02T08:00:00.250+08:00\"");
	assert_at(o, "datacontenttype", "\"application/json\"");
	assert_int_equal(json_object_size(o), 8);
	assert_at(data, "case", "\"household/h1/township/360704102/2\"");
	assert_at(data, "unit", "\"township/360704102\"");
	assert_at(data, "region", "\"360704102001\"");
	assert_at(data, "watch", "\"household\"");
	assert_at(data, "rules", "[\"medical-burden\",\"severe-uncovered\"]");
	assert_at(data, "opened", "\"2023-06-01T08:00:00+08:00\"");
	assert_at(data, "due", "\"2023-06-14\"");
	assert_at(data, "ended", "\"2023-06-02T08:00:00+08:00\"");
	assert_at(data, "result", "\"handled\"");
	assert_at(data, "on_time", "true");
	assert_int_equal(json_object_size(data), 10);
	json_decref(o);
}

static void outcome_leaves_out_what_is_absent(void **state)
{
	(void)state;
	struct outcome missed = outcome;
	missed.ended = 0;
	missed.due = DAY_NEVER;
	missed.region = (struct str){0};
	missed.result = "missed";
	missed.on_time = ON_TIME_NO;
	json_t *o = outcome_of(&missed, "inc"), *data = json_object_get(o, "data");
	assert_at(data, "ended", "null");
	assert_at(data, "due", "null");
	assert_at(data, "region", "null");
	assert_at(data, "on_time", "false");
	json_decref(o);
	missed.on_time = ON_TIME_ABSENT;
	o = outcome_of(&missed, "inc");
	assert_null(json_object_get(json_object_get(o, "data"), "on_time"));
	json_decref(o);
}

static void outcomes_have_ids_of_their_own(void **state)
{
	(void)state;
	char ids[6][33];
	for (int i = 0; i < 6; i++) {
		struct outcome o = outcome;
		if (i == 2)
			o.number++; /* another message has been sent since */
		if (i == 3)
			o.due++; /* a second deadline of the same case */
		if (i == 4)
			o.result = "missed";
		if (i == 5)
			o.case_id = STR("household/h1/township/360704102/3");
		json_t *json = outcome_of(&o, i == 1 ? "another" : "inc");
		snprintf(ids[i], sizeof ids[i], "%s", json_string_value(json_object_get(json, "id")));
		json_decref(json);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(ids[i], ids[j]);
	}
	json_t *again = outcome_of(&outcome, "inc");
	assert_string_equal(json_string_value(json_object_get(again, "id")), ids[0]);
	json_decref(again);
}

static void equal_messages_give_equal_bytes(void **state)
{
	(void)state;
	struct buffer a = {0}, b = {0};
	message_json(&message, &rules, STR("inc"), &a);
	message_json(&message, &rules, STR("inc"), &b);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	buffer_free(&a);
	buffer_free(&b);
}

static void id_depends_on_each_part_and_on_nothing_else(void **state)
{
	(void)state;
	struct message_id ids[9], same;
	struct message m = message;
	struct watch other = {.name = "township"};
	ids[0] = message_id(&m, STR("inc"));
	ids[1] = message_id(&m, STR("inc2"));
	m.watch = &other;
	ids[2] = message_id(&m, STR("inc"));
	m = message, m.subject = STR("h2");
	ids[3] = message_id(&m, STR("inc"));
	m = message, m.unit = STR("office");
	ids[4] = message_id(&m, STR("inc"));
	m = message, m.case_number = 3;
	ids[5] = message_id(&m, STR("inc"));
	m = message, m.number = 2;
	ids[6] = message_id(&m, STR("inc"));
	m = message, m.subject = STR("h"), m.unit = STR("1social-assistance"); /* the same letters, cut elsewhere */
	ids[7] = message_id(&m, STR("inc"));
	m = message, m.case_id = STR("household/h1/office/2"); /* told to the unit that it escalates to */
	ids[8] = message_id(&m, STR("inc"));
	for (int i = 0; i < 9; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(ids[i].text, ids[j].text);
	m = message, m.level = "yellow", m.now = 1, m.n_alerts = 0, m.type = CASE_CHANGED;
	same = message_id(&m, STR("inc"));
	assert_string_equal(same.text, ids[0].text);
	assert_int_equal(strspn(same.text, "0123456789abcdef"), 32);
}

/* vectors.h of the reference implementation: key 00 01 … 0f, input 00 01 … */
static void siphash_gives_the_published_vectors(void **state)
{
	(void)state;
	static const char *const wanted[] = {
		"a3817f04ba25a8e66df67214c7550293", "da87c1d86b99af44347659119b22fc45",
		"8177228da4a45dc7fca38bdef60affe4", "9c70b60c5267a94e5f33b6b02985ed51",
		"f88164c12d9c8faf7d0f6e7c7bcd5579", "1368875980776f8854527a07690e9627",
		"14eeca338b208613485ea0308fd7a15e", "a1f1ebbed8dbc153c0b84aa61ff08239",
		"3b62a9ba6258f5610f83e264f31497b4", "264499060ad9baabc47f8b02bb6d71ed",
	};
	uint8_t input[16], out[16];
	for (uint8_t i = 0; i < 16; i++)
		input[i] = i;
	for (size_t n = 0; n < sizeof wanted / sizeof *wanted; n++) {
		struct siphash h;
		char hex[33];
		siphash_init(&h, 0x0706050403020100, 0x0f0e0d0c0b0a0908);
		siphash_add(&h, input, n / 2); /* in two pieces */
		siphash_add(&h, input + n / 2, n - n / 2);
		siphash_end(&h, out);
		for (int i = 0; i < 16; i++)
			snprintf(hex + 2 * i, 3, "%02x", out[i]);
		assert_string_equal(hex, wanted[n]);
	}
}

static void written(void (*write)(struct buffer *, const void *), const void *value, const char *wanted)
{
	struct buffer b = {0};
	write(&b, value);
	if (b.len != strlen(wanted) || memcmp(b.data, wanted, b.len))
		fail_msg("got %.*s, wanted %s", (int)b.len, b.data, wanted);
	buffer_free(&b);
}
static void money(struct buffer *b, const void *v)
{
	write_money(b, *(const double *)v);
}
static void real(struct buffer *b, const void *v)
{
	write_real(b, *(const double *)v);
}
static void masked(struct buffer *b, const void *v)
{
	struct str s = str_of(v);
	write_masked(b, cel_string(s.s, s.len));
}
static void string(struct buffer *b, const void *v)
{
	write_string(b, str_of(v));
}

static void numbers_and_texts_are_written_exactly(void **state)
{
	(void)state;
	static const struct {
		double d;
		const char *money, *real;
	} numbers[] = {
		{0, "0", "0"},
		{-0.001, "0", "-0.001"},
		{100, "100", "100"},
		{1.5, "1.5", "1.5"},
		{0.01, "0.01", "0.01"},
		{-12.345678, "-12.35", "-12.345678"},
		{0.1 + 0.2, "0.3", "0.30000000000000004"},
		{90071992547409.91, "90071992547409.91", "90071992547409.9"},
		{NAN, "null", "null"},
		{INFINITY, "null", "null"},
	};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		written(money, &numbers[i].d, numbers[i].money);
		if (i != 7)
			written(real, &numbers[i].d, numbers[i].real);
	}
	written(string, "a\"b\\c\n\t\x01 甲", "\"a\\\"b\\\\c\\n\\t\\u0001 甲\"");
}

static void masks_leave_little(void **state)
{
	(void)state;
	written(masked, "13812345678", "\"138******78\"");
	written(masked, "360704199001011234", "\"360*************34\"");
	written(masked, "张三", "\"****\"");
	written(masked, "123456789", "\"****\"");
	written(masked, "江西省赣州市赣县区梅林镇一号", "\"江西省*********一号\"");
}

static void text_is_for_people(void **state)
{
	(void)state;
	struct buffer out = {0};
	message_text(&message, &rules, &out);
	write_bytes(&out, "", 1);
	static const char *const parts[] = {
		"【新预警】红色  社会救助股  2023-06-01 08:00",
		"案件 household/h1/social-assistance/2 (第1条通知)",
		"农村低收入家庭 h1 (区划360704102)",
		"办理期限 2023-06-14",
		"预警中",
		"依据: 工作要点第3条(2023-05-29)",
		"帮扶: 急难救助",
		"近12个月自付医疗费 45000.5元",
		"标准: 自付医疗费预警线 40000元 (区划360704, 自2023-06-01起, 示例)",
		"共7条",
		"/ganxian/yibao yb-1 2023-06-01",
		"缺少数据: region",
	};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (!strstr(out.data, parts[i]))
			fail_msg("no \"%s\" in\n%s", parts[i], out.data);
	buffer_free(&out);
}

static void text_of_a_foreign_message_is_no_fault(void **state)
{
	(void)state;
	static const char *const foreign[] = {"{}", "[]",
					      "{\"data\":{\"alerts\":[1,{\"values\":[2],\"thresholds\":[{}],"
					      "\"evidence\":[{}],\"unknown\":[3]}]}}",
					      "{\"data\":7,\"type\":{}}"};
	for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
		struct buffer out = {0};
		json_t *json = json_loads(foreign[i], 0, NULL);
		message_text_of(json, NULL, &out);
		assert_true(out.len > 0);
		json_decref(json);
		buffer_free(&out);
	}
}

static int start(void **state)
{
	(void)state;
	char bytes[65536];
	FILE *f = fopen("/usr/share/zoneinfo/Asia/Shanghai", "rb");
	if (!f)
		return 1;
	size_t n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	rules.zone = cel_zone_new(bytes, n);
	return rules.zone ? 0 : 1;
}

static int end(void **state)
{
	(void)state;
	cel_zone_free((struct cel_zone *)(uintptr_t)rules.zone);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_has_every_field),
		cmocka_unit_test(alert_explains_itself),
		cmocka_unit_test(values_read_as_they_are),
		cmocka_unit_test(absent_things_are_null),
		cmocka_unit_test(outcome_has_every_field),
		cmocka_unit_test(outcome_leaves_out_what_is_absent),
		cmocka_unit_test(outcomes_have_ids_of_their_own),
		cmocka_unit_test(equal_messages_give_equal_bytes),
		cmocka_unit_test(id_depends_on_each_part_and_on_nothing_else),
		cmocka_unit_test(siphash_gives_the_published_vectors),
		cmocka_unit_test(numbers_and_texts_are_written_exactly),
		cmocka_unit_test(masks_leave_little),
		cmocka_unit_test(text_is_for_people),
		cmocka_unit_test(text_of_a_foreign_message_is_no_fault),
	};
	return cmocka_run_group_tests(tests, start, end);
}
