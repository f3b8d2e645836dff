/* Loads rules: conditions, deadlines and summaries. */
#include "load.h"
#include <stdlib.h>
#include <string.h>

static int find_level(const struct loader *l, const struct node *n)
{
	for (size_t i = 0; i < l->r->n_levels; i++)
		if (node_is(n, l->r->levels[i]))
			return (int)i;
	return -1;
}

static void unknown_level(struct loader *l, const struct node *n)
{
	if (!n->bad)
		unknown_name(l, n, "level", n->text.s, l->r->levels, l->r->n_levels);
}

static int by_level(const void *a, const void *b)
{
	uint32_t x = ((const struct rule_level *)a)->level, y = ((const struct rule_level *)b)->level;
	return (x > y) - (x < y);
}

/* An expression of a rule.  Another rule's `each` variable is declared in the same environment: it isn't this one's. */
static struct cel_program *compile_in_rule(struct loader *l, const struct rule *rule, const struct node *n, size_t from,
					   size_t len, unsigned kinds, const char *expected)
{
	const struct watch *w = rule->watch;
	struct cel_program *program = compile_part_of(l, w->env, n, from, len, kinds, expected);
	size_t n_variables = 0;
	const uint32_t *variables = program ? cel_program_variables(program, &n_variables) : NULL;
	for (size_t i = 0; i < n_variables; i++) {
		uint32_t v = variables[i];
		if (w->names[v].kind == NAME_EACH && (rule->each < 0 || v != rule->each_variable))
			faults_add(l->faults, node_place_at(n, from),
				   "`%s` is the member of another rule; expected a name that this rule knows",
				   w->names[v].text);
	}
	return program;
}

static struct cel_program *compile_condition(struct loader *l, const struct rule *rule, const struct node *n,
					     const char *what)
{
	if (!read_scalar(l, n, what))
		return NULL;
	return compile_in_rule(l, rule, n, 0, n->text.len, KIND_BIT(CEL_BOOL), "a condition (bool)");
}

static void load_levels(struct loader *l, struct rule *rule, const struct node *map)
{
	if (!map || !read_map(l, map, "`levels`", NULL, 0))
		return;
	if (map->n == 0)
		FAULT(l, map, "`levels` is empty; expected at least one level and its condition");
	rule->levels = ARENA_ARRAY(&l->r->arena, struct rule_level, map->n);
	for (uint32_t i = 0; i < map->n; i++) {
		int level = find_level(l, map->entries[i].key);
		if (level < 0)
			unknown_level(l, map->entries[i].key);
		struct rule_level *to = &rule->levels[rule->n_levels++];
		*to = (struct rule_level){.level = level < 0 ? 0 : (uint32_t)level,
					  .deadline = {-1, SPAN_WORKING_DAYS}};
		to->program = compile_condition(l, rule, map->entries[i].value, "a level's condition");
	}
	qsort(rule->levels, rule->n_levels, sizeof *rule->levels, by_level); /* the lowest first, however written */
}

/* One deadline for all levels, or a map by level. */
static void load_deadline(struct loader *l, struct rule *rule, const struct node *n)
{
	const unsigned units = SPANS_WORKING | SPANS_DATES;
	struct span span = {-1, SPAN_WORKING_DAYS};
	if (n && n->kind != NODE_MAP) {
		if (read_span(l, n, "`deadline`", units, &span))
			for (size_t i = 0; i < rule->n_levels; i++)
				rule->levels[i].deadline = span;
		return;
	}
	for (uint32_t i = 0; n && !n->bad && i < n->n; i++) {
		const struct node *key = n->entries[i].key;
		int level = find_level(l, key);
		bool found = false;
		if (!read_span(l, n->entries[i].value, "a deadline", units, &span) || level < 0) {
			if (level < 0)
				unknown_level(l, key);
			continue;
		}
		for (size_t k = 0; k < rule->n_levels; k++)
			if (rule->levels[k].level == (uint32_t)level) {
				rule->levels[k].deadline = span;
				found = true;
			}
		if (!found)
			FAULT(l, key, "the rule has no level `%s`; expected one of its `levels`", key->text.s);
	}
}

/* "p in person" */
static void load_each(struct loader *l, struct rule *rule, const struct node *n)
{
	struct watch *w = rule->watch;
	if (!read_scalar(l, n, "`each`"))
		return;
	const char *middle = strstr(n->text.s, " in ");
	if (!middle) {
		FAULT(l, n, "`each` is `%s`; expected a name and a member list such as `p in person`", n->text.s);
		return;
	}
	struct node name = *n, list = *n;
	name.text = (struct str){arena_text(&l->scratch, n->text.s, (size_t)(middle - n->text.s)),
				 (uint32_t)(middle - n->text.s)};
	const char *start = middle + 4 + strspn(middle + 4, " ");
	list.text = str_of(start);
	struct place at = node_place_at(n, (size_t)(start - n->text.s));
	list.line = at.line;
	list.column = at.column;
	const char **names = ARENA_ARRAY(&l->scratch, const char *, w->n_lists);
	for (size_t i = 0; i < w->n_lists; i++) {
		names[i] = w->lists[i].name;
		if (node_is(&list, names[i]))
			rule->each = (int32_t)i;
	}
	if (rule->each < 0)
		unknown_name(l, &list, "member list", list.text.s, names, w->n_lists);
	const char *variable = claim_name(l, w, &name);
	if (variable && rule->each >= 0)
		rule->each_variable =
			declare_name(l, w, variable, w->lists[rule->each].type, NAME_EACH, (uint32_t)rule->each);
	else
		rule->each = -1;
}

static void load_per(struct loader *l, struct rule *rule, const struct node *n)
{
	static const char *const words[] = {"month", "quarter", "year"};
	static const enum span_unit units[] = {SPAN_MONTHS, SPAN_QUARTERS, SPAN_YEARS};
	int i = read_word(l, n, "`per`", words, COUNT(words));
	if (i < 0)
		return;
	rule->per = units[i];
	rule->has_per = true;
}

/* --- summaries */
struct summary {
	struct loader *l;
	struct rule *rule;
	const struct node *node;
	char *literal; /* being collected */
	size_t len, cap;
};

static void end_literal(struct summary *s)
{
	struct rule *rule = s->rule;
	if (s->len)
		rule->summary[rule->n_summary++] =
			(struct summary_part){arena_text(&s->l->r->arena, s->literal, s->len), NULL};
	s->len = 0;
}

/* The byte after the `}` that closes the expression at `from`; 0: none does. */
static size_t expression_end(struct str text, size_t from)
{
	struct scan s = {.text = text, .at = (uint32_t)from};
	struct token t;
	int open = 1;
	while (scan_next(&s, &t)) {
		if (t.kind != TOKEN_OTHER)
			continue;
		open += t.c == '{';
		open -= t.c == '}';
		if (open == 0)
			return t.pos + 1;
	}
	return 0;
}

/* An expression begins at `from`, after its `{`; returns the byte after its `}`. */
static size_t load_part(struct summary *s, size_t from)
{
	struct str text = s->node->text;
	size_t end = expression_end(text, from);
	if (!end) {
		faults_add(s->l->faults, node_place_at(s->node, from - 1),
			   "a `{` without its `}`; expected an expression in braces (`{{` is a brace)");
		return text.len;
	}
	end_literal(s);
	if (strspn(text.s + from, " \n") >= end - 1 - from)
		faults_add(s->l->faults, node_place_at(s->node, from - 1),
			   "empty braces; expected an expression (`{{` is a brace)");
	else
		s->rule->summary[s->rule->n_summary++].program =
			compile_in_rule(s->l, s->rule, s->node, from, end - 1 - from, KINDS_ANY, "a value");
	return end;
}

static void load_summary(struct loader *l, struct rule *rule, const struct node *n)
{
	if (!n || !read_scalar(l, n, "`summary`"))
		return;
	struct str text = n->text;
	size_t braces = 0;
	for (size_t i = 0; i < text.len; i++)
		braces += text.s[i] == '{';
	struct summary s = {.l = l, .rule = rule, .node = n, .literal = arena_alloc(&l->scratch, text.len + 1)};
	rule->summary = ARENA_ARRAY(&l->r->arena, struct summary_part, 2 * braces + 1);
	for (size_t i = 0; i < text.len;) {
		char c = text.s[i];
		bool doubled = (c == '{' || c == '}') && i + 1 < text.len && text.s[i + 1] == c;
		if (c == '{' && !doubled) {
			i = load_part(&s, i + 1);
			continue;
		}
		if (c == '}' && !doubled)
			faults_warn(l->faults, node_place_at(n, i),
				    "a `}` without its `{` is a brace; write `}}` if that is meant");
		s.literal[s.len++] = c;
		i += doubled ? 2 : 1;
	}
	end_literal(&s);
}

/* --- rules */
static void read_run(struct loader *l, const struct node *root, const char *key, struct span *out)
{
	const struct node *n = node_get(root, key);
	*out = (struct span){0, SPAN_DAYS};
	if (n)
		read_span(l, n, arena_printf(&l->scratch, "`%s`", key), SPANS_CLOCK | SPANS_DATES | SPANS_WORKING, out);
}

static struct watch *read_watch(struct loader *l, const struct node *root)
{
	const struct node *n = read_needed(l, root, "the rule", "watch");
	if (!n || !read_scalar(l, n, "`watch`"))
		return NULL;
	const char **names = ARENA_ARRAY(&l->scratch, const char *, l->r->n_watches);
	for (size_t i = 0; i < l->r->n_watches; i++) {
		names[i] = l->r->watches[i]->name;
		if (node_is(n, names[i]))
			return l->watch_nodes[i] ? l->r->watches[i] : NULL; /* NULL: broken, told already */
	}
	unknown_name(l, n, "watch", n->text.s, names, l->r->n_watches);
	return NULL;
}

static void load_texts(struct loader *l, const struct node *root, struct rule *rule)
{
	const struct node *version = node_get(root, "version"), *basis = node_get(root, "basis");
	const struct node *assistance = node_get(root, "assistance"), *unit = read_needed(l, root, "the rule", "unit");
	rule->title = read_title(l, root, rule->name);
	rule->version = 1;
	if (version)
		read_int(l, version, "`version`", 0, INT64_MAX, &rule->version);
	rule->basis = basis ? read_text(l, basis, "`basis`") : NULL;
	rule->assistance = assistance ? read_text(l, assistance, "`assistance`") : NULL;
	rule->basis = rule->basis ? rule->basis : "";
	rule->assistance = rule->assistance ? rule->assistance : "";
	if (unit)
		rule->units = read_units(l, unit, &rule->n_units);
	read_run(l, root, "hold", &rule->hold);
	read_run(l, root, "keep", &rule->keep);
}

static void load_rule(struct loader *l, const struct node *root, struct rule *rule)
{
	const struct node *each = node_get(root, "each"), *per = node_get(root, "per"),
			  *clear = node_get(root, "clear");
	if (each)
		load_each(l, rule, each);
	if (per)
		load_per(l, rule, per);
	load_levels(l, rule, read_needed(l, root, "the rule", "levels"));
	if (clear)
		rule->clear = compile_condition(l, rule, clear, "`clear`");
	load_deadline(l, rule, node_get(root, "deadline"));
	load_summary(l, rule, node_get(root, "summary"));
}

static const char *const rule_keys[] = {"rule", "version", "title", "watch", "each", "per",      "basis",  "assistance",
					"unit", "levels",  "clear", "hold",  "keep", "deadline", "summary"};

void load_rules(struct loader *l)
{
	struct ruleset *r = l->r;
	size_t n;
	struct named *list = collect_documents(l, DOC_RULE, read_label, &n);
	r->rules = ARENA_ARRAY(&r->arena, struct rule *, n);
	l->rule_nodes = ARENA_ARRAY(&l->scratch, const struct node *, n);
	for (size_t i = 0; i < n; i++) {
		const struct node *root = list[i].root;
		struct watch *watch = NULL;
		if (!list[i].broken && read_map(l, root, "a rule", rule_keys, COUNT(rule_keys)))
			watch = read_watch(l, root);
		struct rule *rule = arena_zero(&r->arena, sizeof *rule);
		*rule = (struct rule){.name = list[i].name,
				      .index = (uint32_t)r->n_rules,
				      .watch = watch,
				      .each = -1,
				      .place = keep_place(l, root)};
		if (!list[i].broken)
			load_texts(l, root, rule);
		if (!watch) {
			if (!list[i].broken)
				read_needed(l, root, "the rule", "levels");
			continue;
		}
		l->rule_nodes[r->n_rules] = root;
		r->rules[r->n_rules++] = rule;
	}
	/* Rules without `each` first: they must not see the members of the others. */
	for (size_t pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < r->n_rules; i++)
			if ((node_get(l->rule_nodes[i], "each") != NULL) == (pass == 1))
				load_rule(l, l->rule_nodes[i], r->rules[i]);
}
