/* Looking at a subject without changing it: values, explanations, invariants. */
#include "step.h"
#include <stdio.h>
#include <string.h>

static void look(struct engine *e, struct subject *s, int64_t now)
{
	e->s = s;
	e->now = now;
	e->today = day_of(e->ruleset->zone, now);
	e->fx = NULL;
	e->each = NULL;
	e->masking = false;
	e->until = DAY_NEVER;
	forget_values(e);
}

void engine_prune(struct engine *e, struct subject *s, int64_t now)
{
	look(e, s, now);
	fold_prune(e);
}

void engine_set_now(struct engine *e, int64_t now)
{
	e->now = now;
	e->today = day_of(e->ruleset->zone, now);
	e->until = DAY_NEVER;
}

struct cel_value engine_value(struct engine *e, struct subject *s, struct str name, int64_t now)
{
	look(e, s, now);
	for (size_t i = 0; i < s->watch->n_names; i++)
		if (str_equal(str_of(s->watch->names[i].text), name))
			return load_name(e, (uint32_t)i);
	struct cel_problem *p = arena_alloc(&e->scratch, sizeof *p);
	*p = (struct cel_problem){.text = "no such name"};
	return (struct cel_value){.kind = CEL_ERROR, .problem = p};
}

bool engine_sensitive(const struct engine *e, const struct watch *w, uint32_t variable)
{
	return e->index[w->index].sensitive[variable];
}

/* --- explanations */

struct explaining {
	struct engine *e;
	const char *text;
	bool guarded; /* the expression names something sensitive */
	struct str *out;
	struct arena *arena;
};

static void append(struct explaining *x, struct str more)
{
	char *p = arena_alloc(x->arena, x->out->len + more.len + 1);
	memcpy(p, x->out->s, x->out->len);
	memcpy(p + x->out->len, more.s, more.len);
	*x->out = (struct str){p, x->out->len + more.len};
}

static bool is_sensitive(const struct engine *e, struct str word)
{
	const struct watch *w = e->s->watch;
	for (size_t i = 0; i < w->n_names; i++)
		if (w->names[i].kind != NAME_MEMBERS && e->index[w->index].sensitive[i] &&
		    str_equal(str_of(w->names[i].text), word))
			return true;
	for (size_t i = 0; i < w->n_lists; i++)
		for (size_t k = 0; k < w->lists[i].n_fields; k++)
			if (w->lists[i].fields[k].sensitive && str_equal(str_of(w->lists[i].fields[k].name), word))
				return true;
	return false;
}

static bool is_word(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool names_sensitive(const struct engine *e, struct str text)
{
	for (uint32_t i = 0, from; i < text.len; i++) {
		for (from = i; i < text.len && is_word(text.s[i]); i++)
			;
		if (i > from && is_sensitive(e, (struct str){text.s + from, i - from}))
			return true;
	}
	return false;
}

/* May the value of a part be shown?  Where a sensitive value is read, only verdicts and other names are. */
static bool may_show(const struct explaining *x, struct str part, struct cel_value v)
{
	const struct watch *w = x->e->s->watch;
	if (!x->guarded || v.kind == CEL_BOOL || v.kind == CEL_UNKNOWN || v.kind == CEL_ERROR)
		return true;
	for (size_t i = 0; i < w->n_names; i++)
		if (str_equal(str_of(w->names[i].text), part))
			return !is_sensitive(x->e, part);
	return false;
}

static struct str shown(struct explaining *x, struct cel_value v)
{
	switch (v.kind) {
	case CEL_UNKNOWN:
		return str_of(
			arena_printf(x->arena, "unknown%s%s", v.problem ? ": " : "", v.problem ? v.problem->text : ""));
	case CEL_ERROR:
		return str_of(arena_printf(x->arena, "error: %s", v.problem ? v.problem->text : "?"));
	case CEL_MAP:
		return str_of(arena_printf(x->arena, v.sub == CEL_SUB_RECORD ? "{…}" : "{%u entries}", v.len));
	case CEL_LIST:
		return str_of(arena_printf(x->arena, "[%u elements]", v.len));
	case CEL_STRING:
		return str_of(arena_printf(x->arena, "\"%.*s\"", (int)v.len, v.s));
	case CEL_BOOL:
		return v.b ? STR("true") : STR("false");
	case CEL_INT:
		return str_of(arena_printf(x->arena, "%lld", (long long)v.i));
	case CEL_DOUBLE:
		return str_of(arena_printf(x->arena, "%.10g", v.d));
	case CEL_TIMESTAMP:
		return time_text(x->arena, x->e->ruleset->zone, v.i * 1000 + v.nanos / 1000000);
	default:
		return STR("…");
	}
}

static void seen(void *ctx, uint32_t pos, uint32_t len, struct cel_value v)
{
	struct explaining *x = ctx;
	struct str part = {x->text + pos, len};
	struct str text = may_show(x, part, v)   ? shown(x, v)
			  : v.kind == CEL_STRING ? mask_text(x->arena, (struct str){v.s, v.len})
						 : STR("***");
	append(x, str_of(arena_printf(x->arena, "    %.*s = %.*s\n", (int)len, x->text + pos, (int)text.len, text.s)));
}

static void explain_program(struct explaining *x, const char *label, const struct cel_program *program)
{
	struct engine *e = x->e;
	struct cel_activation activation = {
		.heap = &e->heap, .load = load_name, .ctx = e, .budget = e->ruleset->cost_limit};
	struct str before = *x->out;
	x->text = cel_program_text(program);
	x->guarded = names_sensitive(e, str_of(x->text));
	*x->out = (struct str){"", 0};
	struct cel_value v = cel_trace(program, &activation, seen, x);
	struct str parts = *x->out, verdict = shown(x, v);
	*x->out = before;
	append(x,
	       str_of(arena_printf(x->arena, "  %s: %s\n    is %.*s\n", label, x->text, (int)verdict.len, verdict.s)));
	append(x, parts);
}

static void judge_named(struct engine *e, const struct rule *rule, struct str member)
{
	const struct members *m = rule->each >= 0 ? &e->s->lists[rule->each] : NULL;
	for (uint32_t i = 0; m && i < m->n; i++)
		if (str_equal(m->rows[i].key, member))
			judge_member(e, rule, &m->rows[i]);
}

struct str engine_summary(struct engine *e, struct subject *s, const struct rule *rule, struct str member, int64_t now,
			  struct arena *out)
{
	struct effects fx = {.arena = out};
	look(e, s, now);
	judge_named(e, rule, member);
	e->fx = &fx;
	struct str text = summary_text(e, rule);
	e->fx = NULL;
	judge_member(e, rule, NULL);
	return text;
}

struct str engine_explain(struct engine *e, struct subject *s, const struct rule *rule, struct str member, int64_t now,
			  struct arena *out)
{
	struct str text = {"", 0};
	struct explaining x = {.e = e, .out = &text, .arena = out};
	look(e, s, now);
	judge_named(e, rule, member);
	for (size_t i = 0; i < rule->n_levels; i++)
		explain_program(&x, e->ruleset->levels[rule->levels[i].level], rule->levels[i].program);
	if (rule->clear)
		explain_program(&x, "clear", rule->clear);
	judge_member(e, rule, NULL);
	return text;
}

/* --- invariants */

static bool check_alert(const struct engine *e, const struct alert *a, struct err *why)
{
	bool active = a->state == ALERT_OPEN || a->state == ALERT_CLEARING;
	if (!active && a->level)
		return err_set(why, "alert %.*s: level %u in state %d", (int)a->rule.len, a->rule.s, a->level,
			       a->state);
	if (!a->is)
		return a->state == ALERT_OVER ||
		       err_set(why, "alert %.*s is active without its rule", (int)a->rule.len, a->rule.s);
	if (active != (a->on != 0))
		return err_set(why, "alert %s: state %d with levels %x", a->is->name, a->state, a->on);
	if (active && (a->number == 0 || a->since > e->now))
		return err_set(why, "alert %s: number %u, since in the future", a->is->name, a->number);
	if ((a->state == ALERT_CLEARING) != (active && a->clear != 0))
		return err_set(why, "alert %s: clearing without a run", a->is->name);
	if (active && a->level != a->is->levels[31 - __builtin_clz(a->on)].level)
		return err_set(why, "alert %s: its level is not the highest that holds", a->is->name);
	return true;
}

static bool check_entry(const struct subject *s, const struct casefile *c, const struct case_alert *entry,
			struct err *why)
{
	const struct alert *a = find_alert(s, entry->rule, entry->member);
	if (!entry->in && !entry->answered)
		return err_set(why, "case %.*s: remembers %.*s unanswered", (int)c->unit.len, c->unit.s,
			       (int)entry->rule.len, entry->rule.s);
	if (!entry->in || entry->left)
		return true;
	if (!a || !is_active(a) || a->number != entry->joined || a->level != entry->level)
		return err_set(why, "case %.*s: alert %.*s is not as the case has it", (int)c->unit.len, c->unit.s,
			       (int)entry->rule.len, entry->rule.s);
	return true;
}

static bool check_case(const struct engine *e, const struct subject *s, const struct casefile *c, struct err *why)
{
	uint32_t told = 0, waiting = 0;
	int32_t due = DAY_NEVER;
	for (uint32_t i = 0; i < c->n_alerts; i++) {
		const struct case_alert *entry = &c->alerts[i];
		if (!check_entry(s, c, entry, why))
			return false;
		if (!entry->in || entry->left)
			continue;
		if (entry->n_told && entry->told[entry->n_told - 1].level > told)
			told = entry->told[entry->n_told - 1].level;
		waiting += !entry->answered;
		if (!entry->answered && entry->due < due)
			due = entry->due;
	}
	if (c->open != (waiting > 0))
		return err_set(why, "case %.*s: open %d with %u unanswered alerts", (int)c->unit.len, c->unit.s,
			       c->open, waiting);
	if (!c->open)
		return true;
	if (c->number == 0 || due != c->due || told > c->level)
		return err_set(why, "case %.*s: number %u, due %d of %d, level %u of %u", (int)c->unit.len, c->unit.s,
			       c->number, c->due, due, c->level, told);
	bool waits = c->messages && !c->missed && !c->resting && c->due != DAY_NEVER;
	if (waits && s->due > day_start(e->ruleset->zone, c->due + 1))
		return err_set(why, "case %.*s: no timer at the end of its due day %d", (int)c->unit.len, c->unit.s,
			       c->due);
	return true;
}

static bool check_contributions(const struct subject *s, struct err *why)
{
	for (uint32_t i = 1; i < s->n_contributions; i++) {
		const struct contribution *a = &s->contributions[i - 1], *b = &s->contributions[i];
		if (a->measure > b->measure ||
		    (a->measure == b->measure && s->origins[a->origin].at > s->origins[b->origin].at))
			return err_set(why, "contributions %u and %u are out of order", i - 1, i);
	}
	return true;
}

bool engine_check(const struct engine *e, const struct subject *s, struct err *why)
{
	for (uint32_t i = 0; i < s->n_alerts; i++)
		if (!check_alert(e, &s->alerts[i], why))
			return false;
	for (uint32_t i = 0; i < s->n_cases; i++)
		if (!check_case(e, s, &s->cases[i], why))
			return false;
	return check_contributions(s, why);
}
