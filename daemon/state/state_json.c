/* States for people and for tests. */
#include "state_json.h"
#include "../outbox/json_write.h"
#include <stdlib.h>
#include <string.h>

struct writing {
	const struct subject *s;
	const struct ruleset *r;
	bool unmasked;
	struct buffer *out;
};

static void known_json(struct writing *w, const struct field *f, const struct known *k)
{
	if (!k->origin)
		return;
	write_name(w->out, f->name);
	if (f->sensitive && !w->unmasked)
		write_masked(w->out, k->value);
	else
		write_value(w->out, w->r->zone, k->value, f->type == FIELD_DATE, f->unit);
}

static void facts_json(struct writing *w)
{
	write_name(w->out, "facts");
	write_open(w->out, '{');
	for (size_t i = 0; i < w->s->watch->n_facts; i++)
		known_json(w, &w->s->watch->facts[i], &w->s->facts[i]);
	write_close(w->out, '}');
}

static void member_json(struct writing *w, const struct member_list *list, const struct member *m)
{
	write_open(w->out, '{');
	write_name(w->out, "key");
	write_string(w->out, m->key);
	write_name(w->out, "present");
	write_bool(w->out, m->present);
	write_name(w->out, "since");
	write_time(w->out, w->r->zone, m->since);
	for (size_t i = 0; i < list->n_fields; i++)
		known_json(w, &list->fields[i], &m->fields[i]);
	write_close(w->out, '}');
}

static void members_json(struct writing *w)
{
	write_name(w->out, "members");
	write_open(w->out, '{');
	for (size_t l = 0; l < w->s->watch->n_lists; l++) {
		write_name(w->out, w->s->watch->lists[l].name);
		write_open(w->out, '[');
		for (uint32_t i = 0; i < w->s->lists[l].n; i++)
			member_json(w, &w->s->watch->lists[l], &w->s->lists[l].rows[i]);
		write_close(w->out, ']');
	}
	write_close(w->out, '}');
}

static int by_key(const void *pa, const void *pb, void *ctx)
{
	const struct subject *s = ctx;
	const struct contribution *a = *(struct contribution *const *)pa, *b = *(struct contribution *const *)pb;
	const struct origin *x = &s->origins[a->origin], *y = &s->origins[b->origin];
	int c = (a->measure > b->measure) - (a->measure < b->measure);
	if (!c)
		c = str_compare(x->key, y->key);
	if (!c)
		c = str_compare(x->source, y->source);
	return c ? c : str_compare(x->id, y->id);
}

static void contribution_json(struct writing *w, const struct contribution *c)
{
	const struct measure *m = &w->s->watch->measures[c->measure];
	const struct origin *o = &w->s->origins[c->origin];
	write_open(w->out, '{');
	write_name(w->out, "key");
	write_optional(w->out, o->key);
	write_name(w->out, "source");
	write_string(w->out, o->source);
	write_name(w->out, "id");
	write_string(w->out, o->id);
	write_name(w->out, "at");
	write_time(w->out, w->r->zone, o->at);
	write_name(w->out, "time");
	write_time(w->out, w->r->zone, o->time);
	write_name(w->out, c->removed ? "removed" : "value");
	if (c->removed || m->count)
		write_bool(w->out, c->removed || c->i);
	else if (m->money)
		write_money(w->out, (double)c->i / 100);
	else
		write_real(w->out, c->d);
	write_close(w->out, '}');
}

static void measures_json(struct writing *w)
{
	const struct subject *s = w->s;
	const struct contribution **sorted = calloc(s->n_contributions + 1, sizeof(struct contribution *));
	if (!sorted)
		abort();
	for (uint32_t i = 0; i < s->n_contributions; i++)
		sorted[i] = &s->contributions[i];
	qsort_r(sorted, s->n_contributions, sizeof *sorted, by_key, (void *)(uintptr_t)s);
	write_name(w->out, "measures");
	write_open(w->out, '{');
	for (uint32_t i = 0; i < s->n_contributions;) {
		uint16_t measure = sorted[i]->measure;
		write_name(w->out, s->watch->measures[measure].name);
		write_open(w->out, '[');
		for (; i < s->n_contributions && sorted[i]->measure == measure; i++)
			contribution_json(w, sorted[i]);
		write_close(w->out, ']');
	}
	write_close(w->out, '}');
	free(sorted);
}

static void runs_json(struct writing *w, const struct alert *a)
{
	static const char *const names[] = {"up", "down"};
	size_t n = a->is ? a->is->n_levels : 0;
	for (int side = 0; side < 2; side++) {
		const int64_t *runs = side ? a->down : a->up;
		write_name(w->out, names[side]);
		write_open(w->out, '[');
		for (size_t i = 0; i < n; i++) {
			if (runs[i])
				write_time(w->out, w->r->zone, runs[i]);
			else
				write_null(w->out);
		}
		write_close(w->out, ']');
	}
}

static const char *level_name(const struct ruleset *r, uint32_t level)
{
	return level < r->n_levels ? r->levels[level] : NULL;
}

static void alert_json(struct writing *w, const struct alert *a)
{
	static const char *const states[] = {"over", "pending", "open", "clearing"};
	bool active = a->state == ALERT_OPEN || a->state == ALERT_CLEARING;
	write_open(w->out, '{');
	write_name(w->out, "rule");
	write_string(w->out, a->rule);
	write_name(w->out, "member");
	write_optional(w->out, a->member);
	write_name(w->out, "state");
	write_text(w->out, states[a->state]);
	write_name(w->out, "level");
	write_text(w->out, active ? level_name(w->r, a->level) : NULL);
	write_name(w->out, "number");
	write_int(w->out, a->number);
	write_name(w->out, "version");
	write_int(w->out, a->version);
	write_name(w->out, "since");
	if (active)
		write_time(w->out, w->r->zone, a->since);
	else
		write_null(w->out);
	runs_json(w, a);
	write_name(w->out, "clear");
	if (a->clear)
		write_time(w->out, w->r->zone, a->clear);
	else
		write_null(w->out);
	write_close(w->out, '}');
}

static int by_rule(const void *pa, const void *pb)
{
	const struct alert *a = *(struct alert *const *)pa, *b = *(struct alert *const *)pb;
	int c = str_compare(a->rule, b->rule);
	return c ? c : str_compare(a->member, b->member);
}

static void alerts_json(struct writing *w)
{
	const struct subject *s = w->s;
	const struct alert **sorted = calloc(s->n_alerts + 1, sizeof(struct alert *));
	if (!sorted)
		abort();
	for (uint32_t i = 0; i < s->n_alerts; i++)
		sorted[i] = &s->alerts[i];
	qsort(sorted, s->n_alerts, sizeof *sorted, by_rule);
	write_name(w->out, "alerts");
	write_open(w->out, '[');
	for (uint32_t i = 0; i < s->n_alerts; i++)
		alert_json(w, sorted[i]);
	write_close(w->out, ']');
	free(sorted);
}

static void case_alert_json(struct writing *w, const struct case_alert *a)
{
	write_open(w->out, '{');
	write_name(w->out, "rule");
	write_string(w->out, a->rule);
	write_name(w->out, "member");
	write_optional(w->out, a->member);
	write_name(w->out, "in");
	write_bool(w->out, a->in && !a->left);
	write_name(w->out, "told");
	write_text(w->out, a->n_told ? level_name(w->r, a->told[a->n_told - 1].level) : NULL);
	write_name(w->out, "answered");
	write_text(w->out, a->answered ? level_name(w->r, a->answered - 1) : NULL);
	write_name(w->out, "due");
	write_day(w->out, a->due);
	write_close(w->out, '}');
}

static void case_json(struct writing *w, const struct casefile *c)
{
	write_open(w->out, '{');
	write_name(w->out, "unit");
	write_string(w->out, c->unit);
	write_name(w->out, "number");
	write_int(w->out, c->number);
	write_name(w->out, "open");
	write_bool(w->out, c->open);
	if (c->open) {
		write_name(w->out, "level");
		write_text(w->out, level_name(w->r, c->level));
		write_name(w->out, "opened");
		write_time(w->out, w->r->zone, c->opened);
		write_name(w->out, "due");
		write_day(w->out, c->due);
		write_name(w->out, "resting");
		write_bool(w->out, c->resting);
		write_name(w->out, "missed");
		write_bool(w->out, c->missed);
		write_name(w->out, "messages");
		write_int(w->out, c->messages);
		write_name(w->out, "alerts");
		write_open(w->out, '[');
		for (uint32_t i = 0; i < c->n_alerts; i++)
			case_alert_json(w, &c->alerts[i]);
		write_close(w->out, ']');
	}
	write_close(w->out, '}');
}

void state_json(const struct subject *s, const struct ruleset *r, bool unmasked, struct buffer *out)
{
	struct writing w = {s, r, unmasked, out};
	write_bytes(out, "{", 1);
	write_name(out, "watch");
	write_text(out, s->watch->name);
	write_name(out, "subject");
	write_string(out, s->key);
	write_name(out, "exists");
	write_bool(out, s->exists);
	write_name(out, "since");
	write_time(out, r->zone, s->since);
	write_name(out, "ended");
	write_time(out, r->zone, s->ended_at);
	if (s->exists) {
		facts_json(&w);
		members_json(&w);
		measures_json(&w);
	}
	alerts_json(&w);
	write_name(out, "cases");
	write_open(out, '[');
	for (uint32_t i = 0; i < s->n_cases; i++)
		case_json(&w, &s->cases[i]);
	write_close(out, ']');
	write_name(out, "due");
	write_time(out, r->zone, s->due);
	write_close(out, '}');
}
