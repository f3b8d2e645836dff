/* A message that explains itself: every value that a rule used, the thresholds with their place and date, the
 * events behind them, and what is missing. */
#include "step.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_EVIDENCE = 20 };

/* --- text for people */

/* "numbers have at most two decimals and no trailing zeros or exponent, dates read 2023-06-01, unknown `?`" */
static struct str number_text(struct arena *a, double d)
{
	int64_t hundredths;
	if (!isfinite(d))
		return STR("?");
	if (!money_round(d, &hundredths))
		return str_of(arena_printf(a, "%.0f", d));
	const char *sign = hundredths < 0 ? "-" : "";
	uint64_t n = (uint64_t)(hundredths < 0 ? -hundredths : hundredths);
	unsigned fraction = (unsigned)(n % 100);
	unsigned long long whole = n / 100;
	if (fraction == 0)
		return str_of(arena_printf(a, "%s%llu", sign, whole));
	if (fraction % 10 == 0)
		return str_of(arena_printf(a, "%s%llu.%u", sign, whole, fraction / 10));
	return str_of(arena_printf(a, "%s%llu.%02u", sign, whole, fraction));
}

static struct str value_text(struct engine *e, struct cel_value v)
{
	struct arena *a = &e->scratch;
	struct str text;
	switch (v.kind) {
	case CEL_BOOL:
		return v.b ? STR("true") : STR("false");
	case CEL_INT:
		return str_of(arena_printf(a, "%lld", (long long)v.i));
	case CEL_UINT:
		return str_of(arena_printf(a, "%llu", (unsigned long long)v.u));
	case CEL_DOUBLE:
		return number_text(a, v.d);
	case CEL_STRING:
		return (struct str){v.s, v.len};
	case CEL_TIMESTAMP:
		return day_text(a, day_of(e->ruleset->zone, v.i * 1000));
	case CEL_LIST:
		text = (struct str){"", 0};
		for (uint32_t i = 0; i < v.len && i < 50; i++) {
			struct str item = value_text(e, v.items[i]);
			text = str_of(arena_printf(a, "%.*s%s%.*s", (int)text.len, text.s, i ? ", " : "", (int)item.len,
						   item.s));
		}
		return text;
	default:
		return STR("?");
	}
}

static bool is_known(struct cel_value v)
{
	return v.kind != CEL_UNKNOWN && v.kind != CEL_ERROR;
}

/* Sensitive text is masked.  What can't be told without another sensitive value is `***`, and no `?`: it is known; so
 * is what the mask would make false (`{phone.size() == 11}`), unless it shows that it is masked. */
static struct str placeholder_text(struct engine *e, const struct cel_program *program)
{
	e->masking = true;
	e->masked = false;
	struct cel_value masked = evaluate(e, program);
	e->masking = false;
	if (!e->masked)
		return value_text(e, masked);
	struct str text = value_text(e, masked);
	struct cel_value v = evaluate(e, program);
	if (!is_known(v))
		return STR("?");
	return is_known(masked) && (memchr(text.s, '*', text.len) || str_equal(text, value_text(e, v))) ? text
													: STR("***");
}

struct str summary_text(struct engine *e, const struct rule *rule)
{
	struct str *parts = arena_alloc(&e->scratch, (rule->n_summary + 1) * sizeof *parts);
	size_t size = 0, used = 0;
	for (size_t i = 0; i < rule->n_summary; i++) {
		const struct summary_part *p = &rule->summary[i];
		parts[i] = p->program ? placeholder_text(e, p->program) : str_of(p->text);
		size += parts[i].len;
	}
	char *out = arena_alloc(e->fx->arena, size + 1);
	for (size_t i = 0; i < rule->n_summary; i++) {
		memcpy(out + used, parts[i].s, parts[i].len);
		used += parts[i].len;
	}
	return (struct str){out, (uint32_t)size};
}

/* --- values */

static enum field_type shown_type(struct cel_value v)
{
	return v.kind == CEL_TIMESTAMP ? FIELD_DATE
	       : v.kind == CEL_BOOL    ? FIELD_BOOL
	       : v.kind == CEL_INT     ? FIELD_INT
	       : v.kind == CEL_DOUBLE  ? FIELD_DOUBLE
				       : FIELD_STRING;
}

static struct cel_value kept_value(struct engine *e, struct cel_value v, bool masked)
{
	if (v.kind == CEL_STRING) {
		struct str text = {v.s, v.len};
		text = masked ? mask_text(e->fx->arena, text) : arena_str(e->fx->arena, text);
		return cel_string(text.s, text.len);
	}
	bool plain = v.kind == CEL_BOOL || v.kind == CEL_INT || v.kind == CEL_UINT || v.kind == CEL_DOUBLE ||
		     v.kind == CEL_TIMESTAMP;
	if (plain && !masked)
		return v;
	struct str text = masked ? STR("***") : arena_str(e->fx->arena, value_text(e, v));
	return v.kind == CEL_UNKNOWN || v.kind == CEL_ERROR ? cel_unknown(NULL) : cel_string(text.s, text.len);
}

struct shown { /* lists of a message's alert that grow */
	struct message_alert *alert;
	size_t cap_values, cap_thresholds, cap_unknown;
};

static void show_unknown(struct engine *e, struct shown *out, const char *name)
{
	struct message_alert *a = out->alert;
	for (size_t i = 0; i < a->n_unknown; i++)
		if (str_equal(a->unknown[i], str_of(name)))
			return;
	ARENA_PUSH_ROOM(e->fx->arena, a->unknown, a->n_unknown, out->cap_unknown);
	a->unknown[a->n_unknown++] = str_of(name);
}

static void show_value(struct engine *e, struct shown *out, struct message_value shown, struct cel_value v)
{
	struct message_alert *a = out->alert;
	shown.type = shown_type(v);
	shown.value = kept_value(e, v, shown.masked);
	ARENA_PUSH_ROOM(e->fx->arena, a->values, a->n_values, out->cap_values);
	a->values[a->n_values++] = shown;
	if (v.kind == CEL_UNKNOWN || v.kind == CEL_ERROR)
		show_unknown(e, out, shown.name);
}

static void show_threshold(struct engine *e, struct shown *out, const struct name *name)
{
	const struct threshold *t = &e->ruleset->thresholds[name->index];
	struct message_alert *a = out->alert;
	int32_t until = DAY_NEVER;
	const struct threshold_value *v = threshold_at(t, subject_region(e), e->today, &until);
	if (!v) {
		show_unknown(e, out, name->text);
		return;
	}
	ARENA_PUSH_ROOM(e->fx->arena, a->thresholds, a->n_thresholds, out->cap_thresholds);
	a->thresholds[a->n_thresholds++] = (struct message_threshold){t->name, t->unit, v};
}

static void show_each(struct engine *e, struct shown *out, const struct rule *rule, const struct name *name)
{
	const struct member_list *l = &e->s->watch->lists[rule->each];
	if (!e->each)
		return;
	struct cel_value record = member_record(e, (uint32_t)rule->each, e->each);
	for (size_t i = 0; i < l->n_fields; i++)
		if (rule->each_fields >> i & 1)
			show_value(e, out,
				   (struct message_value){
					   .name = arena_printf(e->fx->arena, "%s.%s", name->text, l->fields[i].name),
					   .title = l->fields[i].title,
					   .unit = l->fields[i].unit,
					   .masked = l->fields[i].sensitive},
				   record.record->fields[i]);
}

static void show_name(struct engine *e, struct shown *out, const struct rule *rule, uint32_t variable)
{
	const struct watch *w = e->s->watch;
	const struct name *name = &w->names[variable];
	struct message_value shown = {.name = name->text, .masked = e->index[w->index].sensitive[variable]};
	switch (name->kind) {
	case NAME_FACT:
		shown.title = w->facts[name->index].title;
		shown.unit = w->facts[name->index].unit;
		break;
	case NAME_MEASURE:
		shown.title = w->measures[name->index].title;
		shown.unit = w->measures[name->index].unit;
		break;
	case NAME_DERIVED:
		shown.title = w->derived[name->index].title;
		shown.unit = w->derived[name->index].unit;
		break;
	case NAME_THRESHOLD:
		show_threshold(e, out, name);
		return;
	case NAME_EACH:
		show_each(e, out, rule, name);
		return;
	case NAME_MEMBERS:
		if (load_name(e, variable).kind == CEL_UNKNOWN)
			show_unknown(e, out, name->text);
		return;
	case NAME_TODAY:
	case NAME_SINCE:
		return;
	}
	show_value(e, out, shown, load_name(e, variable));
}

/* --- evidence */

/* A member's presence, and the fields that the rule reads of one that is there. */
static void use_member(const struct watch *w, const struct rule *rule, uint32_t list, const struct member *m,
		       bool *used)
{
	used[m->presence] = true;
	for (size_t i = 0; m->present && i < w->lists[list].n_fields; i++) {
		size_t input = w->list_inputs[list] + 1 + i;
		if (rule->inputs.bits[input / 64] >> (input % 64) & 1)
			used[m->fields[i].origin] = true;
	}
}

static void use_name(struct engine *e, const struct rule *rule, uint32_t variable, bool *used)
{
	const struct subject *s = e->s;
	const struct name *name = &s->watch->names[variable];
	if (name->kind == NAME_FACT) {
		used[s->facts[name->index].origin] = true;
	} else if (name->kind == NAME_MEASURE) {
		for (uint32_t i = 0; i < s->n_contributions; i++)
			if (measure_holds(e, &s->watch->measures[name->index], &s->contributions[i]))
				used[s->contributions[i].origin] = true;
	} else if (name->kind == NAME_MEMBERS) {
		for (uint32_t i = 0; i < s->lists[name->index].n; i++)
			use_member(s->watch, rule, name->index, &s->lists[name->index].rows[i], used);
	} else if (name->kind == NAME_EACH && e->each) {
		use_member(s->watch, rule, (uint32_t)rule->each, e->each, used);
	}
}

static int newest_first(const void *pa, const void *pb)
{
	const struct origin *a = pa, *b = pb;
	if (a->time != b->time)
		return a->time > b->time ? -1 : 1;
	if (a->at != b->at)
		return a->at > b->at ? -1 : 1;
	int c = str_compare(a->source, b->source);
	return c ? c : str_compare(a->id, b->id);
}

/* The newest first; one event may stand in several rows (with and without a key): it counts once. */
static void show_evidence(struct engine *e, struct message_alert *out, const struct rule *rule)
{
	const struct subject *s = e->s;
	bool *used = ARENA_ARRAY(&e->scratch, bool, s->n_origins);
	struct origin *all = arena_alloc(&e->scratch, s->n_origins * sizeof *all);
	size_t n = 0, kept = 0;
	for (size_t i = 0; i < rule->n_reads; i++)
		use_name(e, rule, rule->reads[i], used);
	for (uint32_t i = 1; i < s->n_origins; i++)
		if (used[i])
			all[n++] = s->origins[i];
	qsort(all, n, sizeof *all, newest_first);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || newest_first(&all[kept - 1], &all[i]) != 0)
			all[kept++] = all[i];
	out->evidence_total = kept;
	out->n_evidence = kept < MOST_EVIDENCE ? kept : MOST_EVIDENCE;
	out->evidence = arena_alloc(e->fx->arena, (out->n_evidence + 1) * sizeof *out->evidence);
	for (size_t i = 0; i < out->n_evidence; i++) {
		out->evidence[i] = all[i];
		out->evidence[i].source = arena_str(e->fx->arena, all[i].source);
		out->evidence[i].id = arena_str(e->fx->arena, all[i].id);
		out->evidence[i].key = (struct str){"", 0};
	}
}

/* --- the message */

static const struct member *member_of(const struct engine *e, const struct rule *rule, struct str key)
{
	if (rule->each < 0)
		return NULL;
	const struct members *m = &e->s->lists[rule->each];
	for (uint32_t i = 0; i < m->n; i++)
		if (str_equal(m->rows[i].key, key))
			return &m->rows[i];
	return NULL;
}

static void compose_alert(struct engine *e, struct message_alert *out, const struct case_alert *entry)
{
	const struct alert *a = find_alert(e->s, entry->rule, entry->member);
	const struct rule *rule = a ? a->is : NULL;
	struct shown shown = {.alert = out};
	*out = (struct message_alert){.rule = rule,
				      .rule_name = arena_str(e->fx->arena, entry->rule),
				      .member = arena_str(e->fx->arena, entry->member),
				      .level = e->ruleset->levels[entry->level],
				      .version = a ? a->version : 0,
				      .since = a ? a->since : e->now,
				      .summary = {"", 0}};
	out->state = !a || !is_active(a) || a->number != entry->joined ? "over"
		     : a->state == ALERT_CLEARING                      ? "clearing"
								       : "open";
	if (!rule)
		return;
	judge_member(e, rule, member_of(e, rule, entry->member));
	out->summary = summary_text(e, rule);
	for (size_t i = 0; i < rule->n_reads; i++)
		show_name(e, &shown, rule, rule->reads[i]);
	show_evidence(e, out, rule);
	judge_member(e, rule, NULL);
}

struct str case_id(const struct subject *s, const struct casefile *c, struct case_name name, struct arena *a)
{
	struct str unit = name.unit.len ? name.unit : c->unit;
	return str_of(arena_printf(a, "%s/%.*s/%.*s/%u", s->watch->name, (int)s->key.len, s->key.s, (int)unit.len,
				   unit.s, name.number));
}

static struct str own_id(struct engine *e, const struct casefile *c)
{
	return case_id(e->s, c, (struct case_name){.number = c->number}, e->fx->arena);
}

/* A topic's {region} is the unit's code: what follows the slash of township/360704102. */
static struct str topic_of(struct engine *e, const struct unit *unit, struct str name)
{
	const char *at = strstr(unit->topic, "{region}");
	size_t len = strlen(unit->name);
	if (!at)
		return str_of(unit->topic);
	struct str code =
		name.len > len ? (struct str){name.s + len + 1, name.len - (uint32_t)len - 1} : (struct str){"", 0};
	return str_of(arena_printf(e->fx->arena, "%.*s%.*s%s", (int)(at - unit->topic), unit->topic, (int)code.len,
				   code.s, at + strlen("{region}")));
}

/* "Its level is its highest alert's"; where none is left, the one it last had. */
static uint32_t shown_level(const struct engine *e, const struct casefile *c, enum message_type type)
{
	uint32_t level[2] = {0}, n[2] = {0}; /* of those that are in it, and of those that have moved away */
	for (uint32_t i = 0; type != CASE_CLEARED && i < c->n_alerts; i++) {
		const struct case_alert *entry = &c->alerts[i];
		const struct alert *a = entry->in ? find_alert(e->s, entry->rule, entry->member) : NULL;
		if (!a || !is_active(a) || a->number != entry->joined)
			continue;
		if (entry->level > level[entry->left])
			level[entry->left] = entry->level;
		n[entry->left]++;
	}
	return n[0] ? level[0] : n[1] && type == CASE_CLOSED ? level[1] : c->level_before;
}

static void compose_case(struct engine *e, struct message *m, const struct casefile *c, const struct addressee *to)
{
	const struct subject *s = e->s;
	struct arena *a = e->fx->arena;
	m->watch = s->watch;
	m->subject = arena_str(a, s->key);
	m->region = arena_str(a, c->region);
	m->unit = arena_str(a, to ? to->unit : c->unit);
	m->topic = topic_of(e, to ? to->is : c->is, m->unit);
	m->case_number = c->number;
	m->number = c->messages;
	m->case_id = own_id(e, c);
	m->previous = c->previous.number ? case_id(s, c, c->previous, a) : (struct str){"", 0};
	m->level = e->ruleset->levels[shown_level(e, c, m->type)];
	m->due = c->due;
	m->opened = c->opened;
	m->now = e->now;
}

void send_message(struct engine *e, struct casefile *c, enum message_type type, const char *reason,
		  const struct addressee *to)
{
	e->s->changed = true;
	c->messages++;
	if (!to)
		c->sent = e->now; /* another unit's message leaves this one's quiet alone */
	if (!e->fx || !c->is)
		return; /* a unit that is gone has no queue */
	struct message *m = arena_zero(e->fx->arena, sizeof *m);
	m->type = type;
	m->reason = reason;
	compose_case(e, m, c, to);
	m->alerts = arena_alloc(e->fx->arena, (c->n_alerts + 1) * sizeof *m->alerts);
	for (uint32_t i = 0; i < c->n_alerts; i++)
		if (c->alerts[i].in)
			compose_alert(e, &m->alerts[m->n_alerts++], &c->alerts[i]);
	*e->fx->last = m;
	e->fx->last = &m->next;
	e->fx->n_messages++;
}

/* "Cases of a watch that is fed by outcomes give none." */
void send_outcome(struct engine *e, const struct casefile *c, const char *result, enum on_time on_time, bool ended)
{
	if (!e->fx || e->s->watch->fed_by_outcomes)
		return;
	struct arena *a = e->fx->arena;
	struct outcome *o = arena_zero(a, sizeof *o);
	*o = (struct outcome){.watch = e->s->watch,
			      .subject = arena_str(a, e->s->key),
			      .unit = arena_str(a, c->unit),
			      .region = arena_str(a, c->region),
			      .case_id = own_id(e, c),
			      .case_number = c->number,
			      .opened = c->opened,
			      .ended = ended ? e->now : 0,
			      .due = c->due,
			      .result = result,
			      .on_time = on_time,
			      .now = e->now,
			      .number = c->messages};
	o->rules = arena_alloc(a, (c->n_alerts + 1) * sizeof *o->rules);
	for (uint32_t i = 0; i < c->n_alerts; i++) {
		size_t k = 0;
		while (k < o->n_rules && !str_equal(o->rules[k], c->alerts[i].rule))
			k++;
		if (c->alerts[i].in && k == o->n_rules)
			o->rules[o->n_rules++] = arena_str(a, c->alerts[i].rule);
	}
	*e->fx->last_outcome = o;
	e->fx->last_outcome = &o->next;
}
