/* Loads a watch's measures and derived values. */
#include "load.h"
#include <string.h>

/* --- measures */
static void read_kind(struct loader *l, const char *name, const struct node *map, struct measure *m)
{
	const struct node *sum = node_get(map, "sum"), *count = node_get(map, "count"), *of = node_get(map, "of");
	bool counts = true;
	if ((sum != NULL) + (count != NULL) + (of != NULL) != 1)
		FAULT(l, map,
		      "the measure `%s` needs one of `sum`, `count` and `of`; expected `sum: double`, `count: true` "
		      "or `of: another measure`",
		      name);
	if (sum && !node_is(sum, "double") && read_scalar(l, sum, "`sum`"))
		FAULT(l, sum, "`sum` is `%s`; expected `double`", sum->text.s);
	if (count && read_bool(l, count, "`count`", &counts) && !counts)
		FAULT(l, count, "`count` is `false`; expected `true`");
	m->count = count != NULL;
}

static void load_measure(struct loader *l, const char *name, const struct node *map, struct measure *m)
{
	static const char *const keys[] = {"sum", "count", "of", "unit", "window", "ago", "gaps", "title"};
	static const char *const gap_words[] = {"unknown"};
	if (!read_map(l, map, arena_printf(&l->scratch, "the measure `%s`", name), keys, COUNT(keys)))
		return;
	const struct node *unit = node_get(map, "unit"), *window = node_get(map, "window"), *ago = node_get(map, "ago");
	const struct node *gaps = node_get(map, "gaps");
	read_kind(l, name, map, m);
	m->title = read_title(l, map, name);
	m->unit = unit ? read_text(l, unit, "`unit`") : NULL;
	m->money = !m->count && is_money(m->unit);
	if (window)
		read_window(l, window, &m->window);
	if (ago && !window)
		FAULT(l, ago, "`ago` without `window`; expected a window that it moves back");
	else if (ago)
		read_span(l, ago, "`ago`", m->window.whole ? SPANS_PERIODS : SPANS_DATES, &m->window.ago);
	if (gaps && !window)
		FAULT(l, gaps, "`gaps` without `window`; expected a window whose months it looks at");
	else if (gaps)
		m->gaps_unknown = read_word(l, gaps, "`gaps`", gap_words, COUNT(gap_words)) == 0;
}

static int find_measure(const struct watch *w, const struct node *n)
{
	for (size_t i = 0; i < w->n_measures; i++)
		if (node_is(n, w->measures[i].name))
			return (int)i;
	return -1;
}

/* `of`: the same contributions, so what they are is taken from the measure that receives them. */
static void link_measure(struct loader *l, struct watch *w, const struct node **maps, size_t index)
{
	struct measure *m = &w->measures[index];
	size_t at = index;
	for (size_t steps = 0; steps <= w->n_measures; steps++) {
		const struct node *of = node_get(maps[at], "of");
		if (!of) {
			m->base = (uint32_t)at;
			break;
		}
		int next = of->bad ? -1 : find_measure(w, of);
		if (next < 0 && at == index && read_scalar(l, of, "`of`")) {
			const char **names = ARENA_ARRAY(&l->scratch, const char *, w->n_measures);
			for (size_t i = 0; i < w->n_measures; i++)
				names[i] = w->measures[i].name;
			unknown_name(l, of, "measure", of->text.s, names, w->n_measures);
		}
		if (next < 0)
			return;
		at = (size_t)next;
		if (steps == w->n_measures)
			FAULT(l, node_get(maps[index], "of"),
			      "`of` leads back to `%s`; expected a measure that sums or counts", m->name);
	}
	const struct measure *base = &w->measures[m->base];
	if (m->base == index)
		return;
	m->count = base->count;
	if (m->unit && (!base->unit || strcmp(m->unit, base->unit) != 0))
		FAULT(l, node_get(maps[index], "unit"),
		      "`unit` is `%s`, but the contributions are of `%s` in %s; expected to be left out", m->unit,
		      base->name, base->unit ? base->unit : "no unit");
	m->unit = base->unit;
	m->money = base->money;
}

void load_measures(struct loader *l, struct watch *w, const struct node *map)
{
	if (!map || !read_map(l, map, "`measures`", NULL, 0))
		return;
	w->measures = ARENA_ARRAY(&l->r->arena, struct measure, map->n);
	const struct node **maps = ARENA_ARRAY(&l->scratch, const struct node *, map->n);
	for (uint32_t i = 0; i < map->n; i++) {
		const char *name = claim_name(l, w, map->entries[i].key);
		if (!name)
			continue;
		struct measure *m = &w->measures[w->n_measures];
		*m = (struct measure){.name = name,
				      .title = name,
				      .id = field_id(name),
				      .base = (uint32_t)w->n_measures,
				      .place = keep_place(l, map->entries[i].key)};
		maps[w->n_measures++] = map->entries[i].value;
		load_measure(l, name, map->entries[i].value, m);
	}
	for (size_t i = 0; i < w->n_measures; i++)
		link_measure(l, w, maps, i);
	for (size_t i = 0; i < w->n_measures; i++) {
		const struct measure *m = &w->measures[i];
		const struct cel_type *number = m->count ? cel_type_int(w->env) : cel_type_double(w->env);
		declare_name(l, w, m->name, cel_type_with_unit(w->env, number, m->unit), NAME_MEASURE, (uint32_t)i);
	}
}

/* --- derived values */
struct formula {
	const char *name;
	const struct node *key, *map, *value; /* map: NULL in the short form */
	enum { FRESH, UNDER_WAY, DONE } state;
	bool circular;
};

/* In the unit that is declared for it (income_year / heads may be yuan/year), else in the one that its expression is
 * counted in. */
static const struct cel_type *formula_type(const struct watch *w, const struct derived *d)
{
	const struct cel_type *type = d->program ? cel_program_type(d->program) : cel_type_dyn(w->env);
	return cel_type_with_unit(w->env, type, d->unit);
}

static void load_formula(struct loader *l, struct watch *w, const struct formula *f)
{
	static const char *const keys[] = {"value", "unit", "title"};
	struct derived *d = &w->derived[w->n_derived];
	const struct node *unit = NULL;
	*d = (struct derived){.name = f->name, .title = f->name, .place = keep_place(l, f->key)};
	if (f->map && read_map(l, f->map, arena_printf(&l->scratch, "`%s`", f->name), keys, COUNT(keys))) {
		unit = node_get(f->map, "unit");
		d->title = read_title(l, f->map, f->name);
		d->unit = unit ? read_text(l, unit, "`unit`") : NULL;
		d->money = is_money(d->unit);
		if (!f->value)
			FAULT(l, f->map, "the derived value `%s` has no `value`; expected an expression", f->name);
	}
	if (f->value && !f->circular)
		d->program = compile_expression(l, w->env, f->value, unit ? KINDS_NUMBER : KINDS_ANY,
						"a number, since it has a unit");
	declare_name(l, w, d->name, formula_type(w, d), NAME_DERIVED, (uint32_t)w->n_derived++);
}

/* Depth first: what a formula reads is loaded before it. */
static void load_in_order(struct loader *l, struct watch *w, struct formula *all, size_t n, size_t index)
{
	struct formula *f = &all[index];
	f->state = UNDER_WAY;
	for (size_t i = 0; f->value && f->value->kind == NODE_SCALAR && i < n; i++) {
		if (all[i].state == DONE || !scan_names(f->value->text, all[i].name))
			continue;
		if (all[i].state == FRESH) {
			load_in_order(l, w, all, n, i);
			continue;
		}
		f->circular = all[i].circular = true;
		if (i == index)
			FAULT(l, f->value, "`%s` reads itself; expected an expression over other values", f->name);
		else
			FAULT(l, f->value,
			      "`%s` reads `%s`, which reads `%s` in turn; expected derived values that don't go "
			      "in a circle",
			      f->name, all[i].name, f->name);
	}
	load_formula(l, w, f);
	f->state = DONE;
}

enum { MAX_DERIVED = 1000 };

void load_derived(struct loader *l, struct watch *w, const struct node *map)
{
	if (!map || !read_map(l, map, "`derived`", NULL, 0))
		return;
	if (map->n > MAX_DERIVED) {
		FAULT(l, map, "`derived` has %u values; expected at most %d", map->n, MAX_DERIVED);
		return;
	}
	struct formula *all = ARENA_ARRAY(&l->scratch, struct formula, map->n);
	size_t n = 0;
	w->derived = ARENA_ARRAY(&l->r->arena, struct derived, map->n);
	for (uint32_t i = 0; i < map->n; i++) {
		const struct node *key = map->entries[i].key, *value = map->entries[i].value;
		const char *name = claim_name(l, w, key);
		for (size_t k = 0; name && k < n; k++)
			if (strcmp(all[k].name, name) == 0)
				name = NULL; /* a duplicate key: told already */
		if (name)
			all[n++] = (struct formula){name,
						    key,
						    value->kind == NODE_MAP ? value : NULL,
						    value->kind == NODE_MAP ? node_get(value, "value") : value,
						    FRESH,
						    false};
	}
	for (size_t i = 0; i < n; i++)
		if (all[i].state == FRESH)
			load_in_order(l, w, all, n, i);
}
