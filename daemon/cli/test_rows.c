/* What came out of a rule test's step, as rows of texts: the state's alerts, the units' messages, the outcomes. */
#include "test_run.h"
#include <string.h>

static void add(struct test_run *run, struct got_row *row, const char *key, const char *text)
{
	if (!row->fields)
		row->fields = ARENA_ARRAY(&run->scratch, struct got_field, 20);
	row->fields[row->n_fields++] = (struct got_field){key, text ? text : ""};
}

static const char *text_of(struct test_run *run, struct str s)
{
	return arena_text(&run->scratch, s.s, s.len);
}

static const char *due_text(struct test_run *run, int32_t due)
{
	return due == DAY_NEVER ? "none" : text_of(run, day_text(&run->scratch, due));
}

/* An instant as a test would write it: a date where it is a day's 00:00. */
static const char *instant_text(struct test_run *run, int64_t ms)
{
	return value_text(run, cel_timestamp(ms / 1000, (uint32_t)(ms % 1000) * 1000000));
}

static const char *level_of(struct test_run *run, const struct alert *a)
{
	uint32_t level = a->level;
	if (a->state == ALERT_PENDING && a->is) /* the highest whose run has begun */
		for (size_t i = 0; i < a->is->n_levels; i++)
			if (a->up[i])
				level = a->is->levels[i].level;
	return level < run->r->n_levels ? run->r->levels[level] : "?";
}

static void add_rule(struct test_run *run, struct got_row *row, const struct rule *rule)
{
	if (!rule)
		return;
	add(run, row, "title", rule->title);
	add(run, row, "basis", rule->basis);
	add(run, row, "assistance", rule->assistance);
}

static void fill_alert(struct test_run *run, struct got_row *row, struct subject *s, const struct alert *a,
		       const struct casefile *c, const struct case_alert *entry)
{
	static const char *const states[] = {"over", "pending", "open", "clearing"};
	row->rule = a->is;
	row->subject = s;
	row->member = a->member;
	row->optional = a->state == ALERT_PENDING || !entry || entry->answered;
	add(run, row, "rule", text_of(run, a->rule));
	if (a->member.len)
		add(run, row, "member", text_of(run, a->member));
	add(run, row, "level", level_of(run, a));
	add(run, row, "state", states[a->state]);
	if (c) {
		add(run, row, "unit", text_of(run, c->unit));
		add(run, row, "due", due_text(run, entry->due));
		add(run, row, "case",
		    case_id(s, c, entry->in ? (struct case_name){.number = c->number} : entry->answered_in,
			    &run->scratch)
			    .s);
	}
	if (a->state != ALERT_PENDING)
		add(run, row, "since", instant_text(run, a->since));
	if (a->is)
		add(run, row, "summary",
		    text_of(run, engine_summary(run->engine, s, a->is, a->member, run->now, &run->scratch)));
	if (c && entry->in && c->previous.number)
		add(run, row, "previous", case_id(s, c, c->previous, &run->scratch).s);
	add(run, row, "subject", text_of(run, s->key));
	add(run, row, "number", arena_printf(&run->scratch, "%u", a->number));
	add(run, row, "version", arena_printf(&run->scratch, "%lld", (long long)a->version));
	add_rule(run, row, a->is);
}

/* Is the alert this unit's: in its open case, or answered there before? */
static bool is_at(const struct casefile *c, const struct case_alert *entry, const struct alert *a)
{
	return str_equal(entry->rule, a->rule) && str_equal(entry->member, a->member) &&
	       (entry->in ? c->open && !entry->left : entry->answered && entry->joined == a->number);
}

/* A row for each unit at which an alert is; one where it is at none.  rows has n rows already. */
static void add_alerts(struct test_run *run, struct subject *s, struct got_row *rows, size_t *n)
{
	size_t others = *n;
	for (uint32_t i = 0; i < s->n_alerts; i++) {
		const struct alert *a = &s->alerts[i];
		size_t before = *n;
		if (a->state == ALERT_OVER)
			continue;
		for (uint32_t c = 0; c < s->n_cases; c++)
			for (uint32_t k = 0; k < s->cases[c].n_alerts; k++) {
				const struct case_alert *entry = &s->cases[c].alerts[k];
				if (!is_at(&s->cases[c], entry, a))
					continue;
				rows[*n].thing = others + i;
				fill_alert(run, &rows[(*n)++], s, a, &s->cases[c], entry);
			}
		if (*n > before)
			continue;
		rows[*n].thing = others + i;
		fill_alert(run, &rows[(*n)++], s, a, NULL, NULL);
	}
}

struct got_row *alert_rows(struct test_run *run, size_t *n)
{
	size_t room = 0;
	for (size_t i = 0; i < run->n_subjects; i++)
		room += run->subjects[i]->n_alerts * (size_t)(run->subjects[i]->n_cases + 1);
	struct got_row *rows = ARENA_ARRAY(&run->scratch, struct got_row, room);
	*n = 0;
	for (size_t i = 0; i < run->n_subjects; i++)
		add_alerts(run, run->subjects[i], rows, n);
	return rows;
}

/* --- lists within a row */
static struct got_row *add_list(struct test_run *run, struct got_row *row, const char *key, size_t n)
{
	if (!row->lists)
		row->lists = ARENA_ARRAY(&run->scratch, struct got_list, 4);
	struct got_list *list = &row->lists[row->n_lists++];
	*list = (struct got_list){key, ARENA_ARRAY(&run->scratch, struct got_row, n), n};
	for (size_t i = 0; i < n; i++)
		list->rows[i].thing = i;
	return list->rows;
}

static void add_words(struct test_run *run, struct got_row *row, const char *key, const struct str *words, size_t n)
{
	struct got_row *rows = add_list(run, row, key, n);
	for (size_t i = 0; i < n; i++)
		add(run, &rows[i], key, text_of(run, words[i]));
}

static void add_values(struct test_run *run, struct got_row *row, const struct message_alert *a)
{
	struct got_row *rows = add_list(run, row, "values", a->n_values);
	for (size_t i = 0; i < a->n_values; i++) {
		const struct message_value *v = &a->values[i];
		add(run, &rows[i], "name", v->name);
		add(run, &rows[i], "title", v->title);
		add(run, &rows[i], "unit", v->unit);
		add(run, &rows[i], "value", value_text(run, v->value));
	}
}

static void add_thresholds(struct test_run *run, struct got_row *row, const struct message_alert *a)
{
	struct got_row *rows = add_list(run, row, "thresholds", a->n_thresholds);
	for (size_t i = 0; i < a->n_thresholds; i++) {
		const struct message_threshold *t = &a->thresholds[i];
		add(run, &rows[i], "name", t->name);
		add(run, &rows[i], "unit", t->unit);
		add(run, &rows[i], "value", t->is ? value_text(run, cel_double(t->is->value)) : "unknown");
		add(run, &rows[i], "region", t->is ? t->is->region : NULL);
		add(run, &rows[i], "from", t->is ? due_text(run, t->is->from) : NULL);
		add(run, &rows[i], "basis", t->is ? t->is->basis : NULL);
	}
}

static void add_evidence(struct test_run *run, struct got_row *row, const struct message_alert *a)
{
	struct got_row *rows = add_list(run, row, "evidence", a->n_evidence);
	for (size_t i = 0; i < a->n_evidence; i++) {
		add(run, &rows[i], "source", text_of(run, a->evidence[i].source));
		add(run, &rows[i], "id", text_of(run, a->evidence[i].id));
		add(run, &rows[i], "time", instant_text(run, a->evidence[i].time));
	}
}

/* --- messages and outcomes */
static void fill_told(struct test_run *run, struct got_row *row, const struct message_alert *a)
{
	row->rule = a->rule;
	row->member = a->member;
	add(run, row, "rule", text_of(run, a->rule_name));
	if (a->member.len)
		add(run, row, "member", text_of(run, a->member));
	add(run, row, "level", a->level);
	add(run, row, "state", a->state);
	add(run, row, "summary", text_of(run, a->summary));
	add(run, row, "since", instant_text(run, a->since));
	add(run, row, "version", arena_printf(&run->scratch, "%lld", (long long)a->version));
	add_rule(run, row, a->rule);
	add_values(run, row, a);
	add_thresholds(run, row, a);
	add_evidence(run, row, a);
	add_words(run, row, "unknown", a->unknown, a->n_unknown);
}

static struct subject *subject_of(const struct test_run *run, const struct message *m)
{
	for (size_t i = 0; i < run->n_subjects; i++)
		if (str_equal(run->subjects[i]->key, m->subject))
			return run->subjects[i];
	return NULL;
}

struct got_row *message_rows(struct test_run *run, size_t *n)
{
	struct got_row *rows = ARENA_ARRAY(&run->scratch, struct got_row, run->fx.n_messages);
	*n = 0;
	for (const struct message *m = run->fx.first; m; m = m->next) {
		struct got_row *row = &rows[*n];
		row->thing = (*n)++;
		add(run, row, "unit", text_of(run, m->unit));
		add(run, row, "type", message_type_name(m->type));
		add(run, row, "level", m->level);
		add(run, row, "due", due_text(run, m->due));
		add(run, row, "message_no", arena_printf(&run->scratch, "%u", m->number));
		add(run, row, "case", text_of(run, m->case_id));
		if (m->previous.len)
			add(run, row, "previous", text_of(run, m->previous));
		if (m->reason)
			add(run, row, "reason", m->reason);
		add(run, row, "region", text_of(run, m->region));
		add(run, row, "topic", text_of(run, m->topic));
		add(run, row, "opened", instant_text(run, m->opened));
		add(run, row, "watch", m->watch->name);
		add(run, row, "subject", text_of(run, m->subject));
		struct got_row *alerts = add_list(run, row, "alerts", m->n_alerts);
		for (size_t i = 0; i < m->n_alerts; i++) {
			fill_told(run, &alerts[i], &m->alerts[i]);
			alerts[i].subject = subject_of(run, m);
		}
	}
	return rows;
}

struct got_row *outcome_rows(struct test_run *run, size_t *n)
{
	static const char *const on_time[] = {
		[ON_TIME_NO] = "false", [ON_TIME_YES] = "true", [ON_TIME_ABSENT] = "absent"};
	size_t count = 0;
	for (const struct outcome *o = run->fx.first_outcome; o; o = o->next)
		count++;
	struct got_row *rows = ARENA_ARRAY(&run->scratch, struct got_row, count);
	*n = 0;
	for (const struct outcome *o = run->fx.first_outcome; o; o = o->next) {
		struct got_row *row = &rows[*n];
		row->thing = (*n)++;
		add(run, row, "unit", text_of(run, o->unit));
		add(run, row, "result", o->result);
		add(run, row, "on_time", on_time[o->on_time]);
		add(run, row, "due", due_text(run, o->due));
		add(run, row, "ended", o->ended ? instant_text(run, o->ended) : "none");
		add(run, row, "case", text_of(run, o->case_id));
		add(run, row, "opened", instant_text(run, o->opened));
		add(run, row, "watch", o->watch->name);
		add(run, row, "region", text_of(run, o->region));
		add_words(run, row, "rules", o->rules, o->n_rules);
	}
	return rows;
}
