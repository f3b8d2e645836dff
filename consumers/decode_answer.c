/* Feedback: what caseworkers say of a case (language.md, "Feedback"), out of the data of its CloudEvents. */
#include "decode_reading.h"
#include <string.h>

enum { CASE_MAX = 2 * SUBJECT_MAX, MAX_RULES = 1000 };

/* --- each field, by its name and what it must be */

typedef bool take_field(struct reading *g, struct cel_value v, const char **found);

static bool is_text(struct cel_value v, const char **found)
{
	*found = v.kind == CEL_STRING ? NULL
		 : v.kind == CEL_BOOL ? "a boolean"
		 : v.kind == CEL_LIST ? "an array"
		 : v.kind == CEL_MAP  ? "an object"
				      : "a number";
	return v.kind == CEL_STRING;
}

static bool take_any_text(struct reading *g, struct cel_value v, const char **found)
{
	(void)g;
	return is_text(v, found);
}

static bool take_case(struct reading *g, struct cel_value v, const char **found)
{
	if (!is_text(v, found))
		return false;
	g->answer->case_id = (struct str){v.s, v.len};
	*found = v.len == 0                               ? "an empty string"
		 : v.len > CASE_MAX                       ? "a text of more than 512 bytes"
		 : decode_has_control(g->answer->case_id) ? "a control character"
							  : NULL;
	return !*found;
}

static bool take_time(struct reading *g, struct cel_value v, parse_time *parse, int64_t *ms, const char **found)
{
	if (!is_text(v, found))
		return false;
	*found = "another text";
	return parse(g->decoder->ruleset->zone, (struct str){v.s, v.len}, ms);
}

static bool take_at(struct reading *g, struct cel_value v, const char **found)
{
	return take_time(g, v, time_parse, &g->answer->at, found);
}

static bool take_until(struct reading *g, struct cel_value v, const char **found)
{
	return take_time(g, v, until_parse, &g->answer->until, found);
}

static bool take_when(struct reading *g, struct cel_value v, const char **found)
{
	int64_t ms;
	return take_time(g, v, time_parse, &ms, found);
}

static bool take_number(struct reading *g, struct cel_value v, const char **found)
{
	bool number = v.kind == CEL_INT || v.kind == CEL_DOUBLE;
	if (!number && !is_text(v, found))
		return false;
	*found = number ? "another number" : "a string";
	if (v.kind != CEL_INT || v.i < 1 || v.i > UINT32_MAX)
		return false;
	g->answer->message_no = v.i;
	return true;
}

static bool take_rules(struct reading *g, struct cel_value v, const char **found)
{
	if (v.kind != CEL_LIST) {
		if (is_text(v, found))
			*found = "a string";
		return false;
	}
	*found = "too many";
	if (v.len > MAX_RULES)
		return false;
	struct str *rules = ARENA_ARRAY(g->arena, struct str, v.len + 1);
	*found = "an element that is no rule's name";
	for (uint32_t i = 0; i < v.len; i++) {
		if (v.items[i].kind != CEL_STRING || v.items[i].len == 0)
			return false;
		rules[i] = (struct str){v.items[i].s, v.items[i].len};
	}
	g->answer->rules = rules;
	g->answer->n_rules = v.len;
	return true;
}

static const struct {
	struct str name;
	take_field *take;
	const char *expected;
} fields[] = {
	{STR("case"), take_case, "the case's name, <watch>/<subject>/<unit>/<number>"},
	{STR("by"), take_any_text, "the name of who answers"},
	{STR("at"), take_at, "a date or an RFC 3339 timestamp"},
	{STR("note"), take_any_text, "a text"},
	{STR("until"), take_until, "a date or an RFC 3339 timestamp"},
	{STR("message_no"), take_number, "the number of a message of the case, from 1"},
	{STR("rules"), take_rules, "a list of rules' names"},
	{STR("measure"), take_any_text, "the measure that was taken"},
	{STR("when"), take_when, "a date or an RFC 3339 timestamp"},
};
enum { F_CASE, F_AT = 2, N_ANSWER_FIELDS = sizeof fields / sizeof *fields };

static bool refuse(struct reading *g, size_t field, const char *found, struct err *why)
{
	g->named = true;
	return err_set(why, "data.%s: found %s, expected %s", fields[field].name.s, found, fields[field].expected);
}

static bool answer_field(void *ctx, struct json_reader *r, struct str name, struct err *why)
{
	struct reading *g = ctx;
	struct cel_value v;
	struct str raw;
	const char *found = NULL;
	size_t i = 0;
	while (i < N_ANSWER_FIELDS && !str_equal(fields[i].name, name))
		i++;
	if (i == N_ANSWER_FIELDS || g->answer_seen & 1u << i) /* of duplicates the first counts */
		return true;
	g->answer_seen |= 1u << i;
	if (!json_take(r, &v, &raw, why)) {
		g->named = true;
		return err_prefix(why, "data.%s", fields[i].name.s);
	}
	return v.kind == CEL_NULL || fields[i].take(g, v, &found) || refuse(g, i, found, why);
}

bool answer_expect(struct reading *g, struct str type)
{
	enum answer_kind kind;
	if (!answer_kind_of(type, &kind))
		return false;
	g->answer = arena_zero(g->arena, sizeof *g->answer);
	*g->answer = (struct answer){.kind = kind, .at = TIME_NEVER, .until = TIME_NEVER, .message_no = -1};
	g->fields = answer_field;
	return true;
}

/* --- the whole */

static bool find_watch(struct reading *g, const struct event *out, struct err *why)
{
	struct str id = g->answer->case_id, subject = out->subject;
	if (!id.len)
		return refuse(g, F_CASE, "nothing", why);
	const char *slash = memchr(id.s, '/', id.len);
	uint32_t head = slash ? (uint32_t)(slash - id.s) : id.len;
	g->watch = ruleset_watch(g->decoder->ruleset, (struct str){id.s, head});
	if (!slash || !g->watch)
		return refuse(g, F_CASE, slash ? "a watch that there is not" : "no slash", why);
	if (id.len <= head + 1 + subject.len || memcmp(id.s + head + 1, subject.s, subject.len) != 0 ||
	    id.s[head + 1 + subject.len] != '/')
		return decode_refuse(g, A_SUBJECT, "another one than in data.case", why);
	return true;
}

static bool check_at(struct reading *g, int64_t wall, const struct event *out, struct err *why)
{
	int64_t tolerance = g->decoder->ruleset->future_tolerance, at = g->answer->at;
	if (at == TIME_NEVER)
		g->answer->at = out->time;
	else if (wall != TIME_NEVER && at > wall && at - wall > tolerance)
		return err_set(why, "data.at: found one %lld s in the future, expected at most %lld s",
			       (long long)((at - wall) / 1000), (long long)(tolerance / 1000));
	return true;
}

bool answer_finish(struct reading *g, int64_t wall, struct event *out, struct err *why)
{
	if (!find_watch(g, out, why) || !check_at(g, wall, out, why))
		return false;
	const struct event_type *type = watch_event(g->watch, g->value[A_TYPE]);
	if (type) {
		decode_expect(g, type);
		if (type->n_data && !decode_again(g, why))
			return false;
	}
	out->watch = g->watch;
	out->type = type;
	out->answer = g->answer;
	out->data = g->data;
	out->raw = g->raw;
	return true;
}
