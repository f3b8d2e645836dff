/* CloudEvents 1.0 in JSON, structured or binary mode, to struct event, or the reason why not.  Reasons name fields and
 * kinds, never a value of the data.  What the fields mean is the engine's. */
#include "decode_reading.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	struct str name;
	bool required;
	uint32_t longest;
	const char *expected;
} attributes[N_FIELDS] = {
	[A_SPECVERSION] = {STR("specversion"), true, TEXT_MAX, "the text 1.0"},
	[A_ID] = {STR("id"), true, TEXT_MAX, "a text that is unique within the source"},
	[A_SOURCE] = {STR("source"), true, TEXT_MAX, "the name of the department or system"},
	[A_TYPE] = {STR("type"), true, TEXT_MAX, "the event's type"},
	[A_SUBJECT] = {STR("subject"), false, SUBJECT_MAX, "the subject's code"},
	[A_TIME] = {STR("time"), false, TEXT_MAX, "an RFC 3339 timestamp"},
	[A_DATA] = {STR("data"), false, 0, "an object"},
	[A_DATA_BASE64] = {STR("data_base64"), false, 0, "data as a JSON object"},
};

static bool any_subject(const struct ruleset *r)
{
	for (size_t w = 0; w < r->n_watches; w++)
		for (size_t t = 0; t < r->watches[w]->n_events; t++)
			if (r->watches[w]->events[t].subject)
				return true;
	return false;
}

struct decoder *decoder_new(struct ruleset *ruleset)
{
	struct decoder *d = calloc(1, sizeof *d);
	if (!d)
		abort();
	d->ruleset = ruleset;
	d->reader = json_reader_new();
	d->engine = any_subject(ruleset) ? engine_new(ruleset) : NULL;
	arena_init(&d->arena);
	d->names = ARENA_ARRAY(&d->arena, struct str **, ruleset->n_watches);
	for (size_t w = 0; w < ruleset->n_watches; w++) {
		const struct watch *watch = ruleset->watches[w];
		d->names[w] = ARENA_ARRAY(&d->arena, struct str *, watch->n_events);
		for (size_t t = 0; t < watch->n_events; t++) {
			const struct event_type *type = &watch->events[t];
			d->names[w][t] = ARENA_ARRAY(&d->arena, struct str, type->n_data);
			for (size_t i = 0; i < type->n_data; i++)
				d->names[w][t][i] = str_of(type->data[i]);
		}
	}
	return d;
}

void decoder_free(struct decoder *d)
{
	if (!d)
		return;
	json_reader_free(d->reader);
	engine_free(d->engine);
	arena_close(&d->arena);
	free(d);
}

bool decode_refuse(struct reading *g, enum attribute a, const char *found, struct err *why)
{
	g->named = true;
	return err_set(why, "%s: found %s, expected %s", attributes[a].name.s, found, attributes[a].expected);
}

/* Names are met in vain more often than not: one byte tells most apart. */
static inline bool same(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || (a.s[0] == b.s[0] && memcmp(a.s, b.s, a.len) == 0));
}

/* --- data */
static int32_t wanted(const struct reading *g, struct str name)
{
	uint32_t n = (uint32_t)g->type->n_data;
	for (uint32_t i = 0, at = g->next; i < n; i++, at++) {
		at = at >= n ? 0 : at;
		if (same(g->names[at], name))
			return (int32_t)at;
	}
	return -1;
}

static bool data_field(void *ctx, struct json_reader *r, struct str name, struct err *why)
{
	struct reading *g = ctx;
	int32_t i = wanted(g, name);
	if (i < 0 || g->data[i].kind != CEL_UNKNOWN)
		return true;
	g->next = (uint32_t)i + 1;
	if (json_take(r, &g->data[i], &g->raw[i], why))
		return true;
	g->named = true;
	return err_prefix(why, "data.%.*s", (int)name.len, name.s);
}

_Static_assert(CEL_UNKNOWN == 0, "a field that is not there is unknown");
void decode_expect(struct reading *g, const struct event_type *type)
{
	g->type = type;
	g->fields = type->n_data ? data_field : NULL;
	g->names = g->decoder->names[g->watch->index][type - g->watch->events];
	g->data = ARENA_ARRAY(g->arena, struct cel_value, type->n_data);
	g->raw = ARENA_ARRAY(g->arena, struct str, type->n_data);
}

static bool take_data(struct reading *g, struct json_reader *r, struct err *why)
{
	if (!g->fields)
		return true;
	enum json_kind kind = json_kind(r);
	return kind == JSON_OBJECT ? json_enter(r, g->fields, g, why)
				   : decode_refuse(g, A_DATA, json_kind_name(kind), why);
}

/* --- structured mode */
static void keep_attribute(struct reading *g, enum attribute a, struct str value)
{
	g->value[a] = value;
	if (a != A_TYPE || (g->feedback != FEEDBACK_NEVER && answer_expect(g, value)) || g->feedback == FEEDBACK_ONLY)
		return;
	const struct ruleset *r = g->decoder->ruleset;
	const struct event_type *type = NULL;
	for (const struct watch *w = g->watch; w && !type; w = g->alone ? NULL : w->beside)
		if ((type = watch_event(w, value)))
			g->watch = w;
	for (size_t i = 0; !g->watch && i < r->n_watches; i++)
		if ((type = watch_event(r->watches[i], value)))
			g->watch = r->watches[i];
	if (type)
		decode_expect(g, type);
}

static bool take_attribute(struct reading *g, struct json_reader *r, enum attribute a, struct err *why)
{
	struct cel_value v;
	struct str raw;
	enum json_kind kind = json_kind(r);
	if (kind == JSON_NULL) { /* the JSON format lets null stand for absent */
		g->nulls |= 1u << a;
		return true;
	}
	if (kind != JSON_STRING)
		return decode_refuse(g, a, json_kind_name(kind), why);
	if (!json_take(r, &v, &raw, why)) {
		g->named = true;
		return err_prefix(why, "%s", attributes[a].name.s);
	}
	keep_attribute(g, a, (struct str){v.s, v.len});
	return true;
}

static enum attribute attribute_of(struct str name)
{
	enum attribute a = 0;
	while (a < N_FIELDS && !same(attributes[a].name, name))
		a++;
	return a;
}

static bool envelope_field(void *ctx, struct json_reader *r, struct str name, struct err *why)
{
	struct reading *g = ctx;
	enum attribute a = attribute_of(name);
	if (a == N_FIELDS || g->seen & 1u << a) /* of duplicates the first counts */
		return true;
	g->seen |= 1u << a;
	if (a < N_ATTRIBUTES)
		return take_attribute(g, r, a, why);
	if (a == A_DATA && !(g->seen & 1u << A_TYPE))
		g->data_waits = true;
	return a != A_DATA || take_data(g, r, why);
}

static bool waiting_data(void *ctx, struct json_reader *r, struct str name, struct err *why)
{
	if (!str_equal(name, attributes[A_DATA].name))
		return true;
	take_data(ctx, r, why);
	return false; /* stop here: content, or why is set */
}

static bool read_structured(struct reading *g, struct str value, struct err *why)
{
	struct json_reader *r = g->decoder->reader;
	struct err inner = {0};
	if (!value.s)
		return err_set(why, "event: found no value, expected one CloudEvents object in JSON");
	if (json_read(r, value, g->arena, envelope_field, g, &inner) &&
	    (!g->data_waits || !g->fields || json_again(r, waiting_data, g, &inner)))
		return true;
	return err_set(why, g->named ? "%s" : "event: %s; expected one CloudEvents object in JSON", inner.text);
}

/* --- binary mode: attributes are headers, the value is the data */
static struct str header(const struct record *record, struct str name)
{
	for (size_t i = 0; i < record->n_headers; i++)
		if (str_equal(record->headers[i].name, name))
			return record->headers[i].value;
	return (struct str){0};
}

static bool starts_with(struct str s, struct str prefix)
{
	return s.len >= prefix.len && strncasecmp(s.s, prefix.s, prefix.len) == 0;
}

/* application/json, text/json or anything that ends in +json, whatever parameters follow. */
static bool is_json(struct str type)
{
	const char *end = type.len ? memchr(type.s, ';', type.len) : NULL;
	uint32_t n = end ? (uint32_t)(end - type.s) : type.len;
	while (n && type.s[n - 1] == ' ')
		n--;
	return n >= 5 && strncasecmp(type.s + n - 4, "json", 4) == 0 && (type.s[n - 5] == '/' || type.s[n - 5] == '+');
}

static bool read_headers(struct reading *g, const struct record *record, struct err *why)
{
	for (size_t i = 0; i < record->n_headers; i++) {
		struct str name = record->headers[i].name, value = record->headers[i].value;
		if (!starts_with(name, STR("ce_")))
			continue;
		enum attribute a = attribute_of((struct str){name.s + 3, name.len - 3});
		if (a >= N_ATTRIBUTES || g->seen & 1u << a)
			continue;
		g->seen |= 1u << a;
		if (!json_utf8(value))
			return decode_refuse(g, a, "bytes that are not valid UTF-8 in its header", why);
		keep_attribute(g, a, arena_str(g->arena, value));
	}
	return true;
}

static bool read_binary(struct reading *g, const struct record *record, struct err *why)
{
	if (!read_headers(g, record, why))
		return false;
	if (!g->fields)
		return true;
	struct str content = header(record, STR("content-type"));
	if (content.len && !is_json(content))
		return err_set(why, "content-type: found a type that is not JSON, expected application/json");
	if (!record->value.s)
		return decode_refuse(g, A_DATA, "no value", why);
	g->seen |= 1u << A_DATA;
	struct err inner = {0};
	if (json_read(g->decoder->reader, record->value, g->arena, g->fields, g, &inner))
		return true;
	return err_set(why, g->named ? "%s" : "data: %s; expected an object", inner.text);
}

static bool read_record(struct reading *g, const struct record *record, struct err *why)
{
	struct str content = header(record, STR("content-type")), structured = STR("application/cloudevents+json");
	if (starts_with(content, structured) &&
	    (content.len == structured.len || strchr("; ", content.s[structured.len])))
		return read_structured(g, record->value, why);
	if (starts_with(content, STR("application/cloudevents")))
		return err_set(why, "content-type: found a CloudEvents format or batch that is not read, expected %s",
			       structured.s);
	for (size_t i = 0; i < record->n_headers && !g->binary; i++)
		g->binary = starts_with(record->headers[i].name, STR("ce_"));
	return g->binary ? read_binary(g, record, why) : read_structured(g, record->value, why);
}

bool decode_again(struct reading *g, struct err *why)
{
	struct err inner = {0};
	g->named = false;
	if (json_again(g->decoder->reader, g->binary ? g->fields : waiting_data, g, &inner))
		return true;
	return err_set(why, g->named ? "%s" : "data: %s; expected an object", inner.text);
}

/* --- what the attributes must be */
static bool check_attributes(struct reading *g, struct err *why)
{
	for (enum attribute a = 0; a < N_ATTRIBUTES; a++) {
		bool given = g->seen & 1u << a && !(g->nulls & 1u << a);
		if (attributes[a].required && !given)
			return decode_refuse(g, a, g->seen & 1u << a ? "null" : "nothing", why);
		if (given && g->value[a].len == 0)
			return decode_refuse(g, a, "an empty string", why);
		if (g->value[a].len > attributes[a].longest) {
			g->named = true;
			return err_set(why, "%s: found %u bytes, expected at most %u", attributes[a].name.s,
				       g->value[a].len, attributes[a].longest);
		}
	}
	if (!str_equal(g->value[A_SPECVERSION], STR("1.0")))
		return decode_refuse(g, A_SPECVERSION, "another version", why);
	return true;
}

bool decode_has_control(struct str s)
{
	for (uint32_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.s[i];
		if (c < 0x20 || c == 0x7f)
			return true;
		if (c == 0xc2 && i + 1 < s.len && (unsigned char)s.s[i + 1] < 0xa0) /* U+0080 to U+009F */
			return true;
	}
	return false;
}

/* What `subject:` finds: the attribute and the key needn't be there then. */
static bool computed_subject(struct reading *g, struct event *out, struct err *why)
{
	struct str subject;
	bool found = engine_subject(g->decoder->engine, out, &subject, why);
	if (found)
		out->subject = arena_str(g->arena, subject);
	engine_reset(g->decoder->engine);
	return found &&
	       (!decode_has_control(out->subject) ||
		err_set(why, "subject: found a control character, expected %s", attributes[A_SUBJECT].expected));
}

static bool find_subject(struct reading *g, const struct record *record, struct event *out, struct err *why)
{
	struct str subject = g->value[A_SUBJECT];
	bool needed = !g->type || !g->type->subject;
	if (!subject.len && record->key.len) {
		if (record->key.len > SUBJECT_MAX)
			return !needed || err_set(why, "subject: found a record key of %u bytes, expected at most %d",
						  record->key.len, SUBJECT_MAX);
		if (!json_utf8(record->key))
			return !needed || decode_refuse(g, A_SUBJECT, "a record key that is not valid UTF-8", why);
		subject = arena_str(g->arena, record->key);
	}
	if (!subject.len && needed)
		return decode_refuse(g, A_SUBJECT, "nothing, and the record has no key", why);
	if (decode_has_control(subject))
		return decode_refuse(g, A_SUBJECT, "a control character", why);
	out->subject = out->key = subject;
	return true;
}

static bool find_time(struct reading *g, const struct record *record, int64_t wall, int64_t *time, struct err *why)
{
	struct str text = g->value[A_TIME];
	int64_t seconds;
	uint32_t nanos;
	if (text.len) {
		if (!cel_parse_timestamp(text.s, text.len, &seconds, &nanos))
			return decode_refuse(g, A_TIME, "another text", why);
		*time = seconds * 1000 + nanos / 1000000;
	} else if (record->timestamp > 0) {
		*time = record->timestamp;
	} else {
		return decode_refuse(g, A_TIME, "nothing, and the record has no timestamp", why);
	}
	int64_t tolerance = g->decoder->ruleset->future_tolerance;
	if (wall != TIME_NEVER && *time > wall && *time - wall > tolerance)
		return err_set(why, "time: found one %lld s in the future, expected at most %lld s",
			       (long long)((*time - wall) / 1000), (long long)(tolerance / 1000));
	return true;
}

static bool check_data(struct reading *g, struct err *why)
{
	if (!g->fields || g->seen & 1u << A_DATA)
		return true;
	if (g->seen & 1u << A_DATA_BASE64)
		return decode_refuse(g, A_DATA_BASE64, "bytes", why);
	return decode_refuse(g, A_DATA, "nothing", why);
}

static enum decode_result unknown_type(const struct reading *g, struct err *why)
{
	if (!g->decoder->ruleset->reject_unknown_events)
		return DECODE_IGNORED;
	if (g->feedback == FEEDBACK_ONLY)
		err_set(why, "type: found one that is no feedback, expected case.handled or the like");
	else if (g->watch && g->watch->beside && !g->alone)
		err_set(why, "type: found one that no watch of %s knows, expected one of their events",
			g->watch->topic);
	else if (g->watch)
		err_set(why, "type: found one that the watch %s does not know, expected one of its events",
			g->watch->name);
	else
		err_set(why, "type: found one that no watch knows, expected one of their events");
	return DECODE_REJECTED;
}

static bool finish(struct reading *g, const struct record *record, int64_t wall, struct event *out, struct err *why)
{
	if (!find_subject(g, record, out, why) || !find_time(g, record, wall, &out->time, why) || !check_data(g, why))
		return false;
	if (g->answer)
		return answer_finish(g, wall, out, why);
	return !g->type->subject || computed_subject(g, out, why);
}

static enum decode_result decode(struct reading *g, const struct record *record, int64_t wall, struct event *out,
				 struct err *why)
{
	bool good = read_record(g, record, why) && check_attributes(g, why);
	*out = (struct event){.watch = g->watch,
			      .type = g->answer ? NULL : g->type,
			      .source = g->value[A_SOURCE],
			      .id = g->value[A_ID],
			      .data = g->data,
			      .raw = g->raw};
	if (!good)
		return DECODE_REJECTED;
	if (!g->type && !g->answer)
		return unknown_type(g, why);
	return finish(g, record, wall, out, why) ? DECODE_EVENT : DECODE_REJECTED;
}

enum decode_result decode_event(struct decoder *d, const struct watch *watch, const struct record *record, int64_t wall,
				struct arena *arena, struct event *out, struct err *why)
{
	struct reading g = {
		.decoder = d, .watch = watch, .arena = arena, .feedback = watch ? FEEDBACK_NEVER : FEEDBACK_ALSO};
	return decode(&g, record, wall, out, why);
}

enum decode_result decode_event_for(struct decoder *d, const struct watch *watch, const struct record *record,
				    int64_t wall, struct arena *arena, struct event *out, struct err *why)
{
	struct reading g = {.decoder = d, .watch = watch, .arena = arena, .feedback = FEEDBACK_NEVER, .alone = true};
	return decode(&g, record, wall, out, why);
}

const struct watch *decode_also(const struct event *e)
{
	const struct watch *w = e->type && !e->answer ? e->watch->beside : NULL;
	while (w && !watch_event(w, str_of(e->type->type)))
		w = w->beside;
	return w;
}

enum decode_result decode_feedback(struct decoder *d, const struct record *record, int64_t wall, struct arena *arena,
				   struct event *out, struct err *why)
{
	struct reading g = {.decoder = d, .arena = arena, .feedback = FEEDBACK_ONLY};
	return decode(&g, record, wall, out, why);
}
