/* A unit's message, and a case's outcome, as CloudEvents JSON.  What it says, the engine decided; this only renders. */
#include "message.h"
#include "json_write.h"
#include "siphash.h"
#include <stdio.h>
#include <string.h>

/* Each part with its length, so that no two lists of parts can read alike. */
static void hash_part(struct siphash *h, struct str part)
{
	uint8_t len[4] = {(uint8_t)part.len, (uint8_t)(part.len >> 8), (uint8_t)(part.len >> 16),
			  (uint8_t)(part.len >> 24)};
	siphash_add(h, len, sizeof len);
	siphash_add(h, part.s, part.len);
}

static void hash_number(struct siphash *h, uint32_t n)
{
	uint8_t bytes[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};
	siphash_add(h, bytes, sizeof bytes);
}

static void hash_begin(struct siphash *h)
{
	siphash_init(h, 0x676e617775796f68, 0x73656761737365); /* any key will do, but always the same */
}

static struct message_id hash_end(struct siphash *h)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t bits[16];
	struct message_id id;
	siphash_end(h, bits);
	for (int i = 0; i < 16; i++) {
		id.text[2 * i] = hex[bits[i] >> 4];
		id.text[2 * i + 1] = hex[bits[i] & 15];
	}
	id.text[32] = '\0';
	return id;
}

/* An escalation goes to a unit that may have a case of that number itself: whose case it is tells them apart. */
struct message_id message_id(const struct message *m, struct str incarnation)
{
	struct siphash h;
	hash_begin(&h);
	hash_part(&h, incarnation);
	hash_part(&h, str_of(m->watch->name));
	hash_part(&h, m->subject);
	hash_part(&h, m->unit);
	hash_part(&h, m->case_id);
	hash_number(&h, m->case_number);
	hash_number(&h, m->number);
	return hash_end(&h);
}

/* A case may miss several deadlines: each has another due. */
static struct message_id outcome_id(const struct outcome *o, struct str incarnation)
{
	struct siphash h;
	hash_begin(&h);
	hash_part(&h, STR("case.outcome"));
	hash_part(&h, incarnation);
	hash_part(&h, o->case_id);
	hash_part(&h, str_of(o->result));
	hash_number(&h, o->number);
	hash_number(&h, (uint32_t)o->due);
	return hash_end(&h);
}

static void values_json(const struct message_alert *a, const struct ruleset *r, struct buffer *out)
{
	write_name(out, "values");
	write_open(out, '[');
	for (size_t i = 0; i < a->n_values; i++) {
		const struct message_value *v = &a->values[i];
		write_open(out, '{');
		write_name(out, "name");
		write_text(out, v->name);
		write_name(out, "title");
		write_text(out, v->title);
		write_name(out, "value");
		if (v->masked && v->value.kind != CEL_STRING) /* a text comes masked from the engine */
			write_masked(out, v->value);
		else
			write_value(out, r->zone, v->value, v->type == FIELD_DATE, v->unit);
		write_name(out, "unit");
		write_text(out, v->unit);
		write_close(out, '}');
	}
	write_close(out, ']');
}

static void thresholds_json(const struct message_alert *a, struct buffer *out)
{
	write_name(out, "thresholds");
	write_open(out, '[');
	for (size_t i = 0; i < a->n_thresholds; i++) {
		const struct message_threshold *t = &a->thresholds[i];
		write_open(out, '{');
		write_name(out, "name");
		write_text(out, t->name);
		write_name(out, "value");
		if (!t->is)
			write_null(out);
		else
			(unit_is_money(t->unit) ? write_money : write_real)(out, t->is->value);
		write_name(out, "unit");
		write_text(out, t->unit);
		write_name(out, "region");
		write_text(out, t->is ? t->is->region : NULL);
		write_name(out, "from");
		write_day(out, t->is ? t->is->from : DAY_NEVER);
		write_name(out, "basis");
		write_text(out, t->is ? t->is->basis : NULL);
		write_close(out, '}');
	}
	write_close(out, ']');
}

static void evidence_json(const struct message_alert *a, const struct ruleset *r, struct buffer *out)
{
	write_name(out, "evidence");
	write_open(out, '[');
	for (size_t i = 0; i < a->n_evidence; i++) {
		write_open(out, '{');
		write_name(out, "source");
		write_string(out, a->evidence[i].source);
		write_name(out, "id");
		write_string(out, a->evidence[i].id);
		write_name(out, "time");
		write_time(out, r->zone, a->evidence[i].time);
		write_close(out, '}');
	}
	write_close(out, ']');
	write_name(out, "evidence_count");
	write_int(out, (int64_t)a->evidence_total);
	write_name(out, "unknown");
	write_open(out, '[');
	for (size_t i = 0; i < a->n_unknown; i++)
		write_string(out, a->unknown[i]);
	write_close(out, ']');
}

static void alert_json(const struct message_alert *a, const struct ruleset *r, struct buffer *out)
{
	write_open(out, '{');
	write_name(out, "rule");
	write_string(out, a->rule_name);
	write_name(out, "version");
	write_int(out, a->version);
	write_name(out, "title");
	write_text(out, a->rule ? a->rule->title : NULL);
	write_name(out, "member");
	write_optional(out, a->member);
	write_name(out, "level");
	write_text(out, a->level);
	write_name(out, "state");
	write_text(out, a->state);
	if (!a->rule) {
		write_name(out, "reason");
		write_text(out, "rule removed");
	}
	write_name(out, "since");
	write_time(out, r->zone, a->since);
	write_name(out, "summary");
	write_optional(out, a->summary);
	write_name(out, "basis");
	write_text(out, a->rule ? a->rule->basis : NULL);
	write_name(out, "assistance");
	write_text(out, a->rule ? a->rule->assistance : NULL);
	values_json(a, r, out);
	thresholds_json(a, out);
	evidence_json(a, r, out);
	write_close(out, '}');
}

static void data_json(const struct message *m, const struct ruleset *r, struct buffer *out)
{
	write_name(out, "case");
	write_string(out, m->case_id);
	write_name(out, "previous");
	write_optional(out, m->previous);
	write_name(out, "unit");
	write_string(out, m->unit);
	write_name(out, "watch");
	write_text(out, m->watch->name);
	write_name(out, "subject");
	write_string(out, m->subject);
	write_name(out, "region");
	write_optional(out, m->region);
	write_name(out, "level");
	write_text(out, m->level);
	write_name(out, "due");
	write_day(out, m->due);
	write_name(out, "opened");
	write_time(out, r->zone, m->opened);
	write_name(out, "message_no");
	write_int(out, m->number);
	write_name(out, "reason");
	write_text(out, m->reason);
	write_name(out, "alerts");
	write_open(out, '[');
	for (size_t i = 0; i < m->n_alerts; i++)
		alert_json(&m->alerts[i], r, out);
	write_close(out, ']');
}

/* Opens the object and its data: whatever stands before in the buffer is another message. */
static void open_event(const struct ruleset *r, const char *id, const char *type, struct str subject, int64_t time,
		       struct buffer *out)
{
	char source[300];
	snprintf(source, sizeof source, "shouwang/%s", r->instance);
	write_bytes(out, "{", 1);
	write_name(out, "specversion");
	write_text(out, "1.0");
	write_name(out, "id");
	write_text(out, id);
	write_name(out, "source");
	write_text(out, source);
	write_name(out, "type");
	write_text(out, type);
	write_name(out, "subject");
	write_string(out, subject);
	write_name(out, "time");
	write_time(out, r->zone, time);
	write_name(out, "datacontenttype");
	write_text(out, "application/json");
	write_name(out, "data");
	write_open(out, '{');
}

void message_json(const struct message *m, const struct ruleset *r, struct str incarnation, struct buffer *out)
{
	struct message_id id = message_id(m, incarnation);
	open_event(r, id.text, message_type_name(m->type), m->subject, m->now, out);
	data_json(m, r, out);
	write_close(out, '}');
	write_close(out, '}');
}

void outcome_json(const struct outcome *o, const struct ruleset *r, struct str incarnation, struct buffer *out)
{
	struct message_id id = outcome_id(o, incarnation);
	open_event(r, id.text, "case.outcome", o->unit, o->now, out);
	write_name(out, "case");
	write_string(out, o->case_id);
	write_name(out, "unit");
	write_string(out, o->unit);
	write_name(out, "region");
	write_optional(out, o->region);
	write_name(out, "watch");
	write_text(out, o->watch->name);
	write_name(out, "rules");
	write_open(out, '[');
	for (size_t i = 0; i < o->n_rules; i++)
		write_string(out, o->rules[i]);
	write_close(out, ']');
	write_name(out, "opened");
	write_time(out, r->zone, o->opened);
	write_name(out, "due");
	write_day(out, o->due);
	write_name(out, "ended");
	write_time(out, r->zone, o->ended ? o->ended : TIME_NEVER);
	write_name(out, "result");
	write_text(out, o->result);
	if (o->on_time != ON_TIME_ABSENT) {
		write_name(out, "on_time");
		write_bool(out, o->on_time == ON_TIME_YES);
	}
	write_close(out, '}');
	write_close(out, '}');
}
