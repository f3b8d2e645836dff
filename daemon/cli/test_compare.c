/* Compares what a rule test expects with what came out: alerts, messages, values. */
#include "test_run.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- matching */
static const char *field_text(const struct got_row *row, const char *key)
{
	for (size_t i = 0; i < row->n_fields; i++)
		if (strcmp(row->fields[i].key, key) == 0)
			return row->fields[i].text;
	return NULL;
}

static const struct got_list *field_list(const struct got_row *row, const struct node *key)
{
	for (size_t i = 0; row && i < row->n_lists; i++)
		if (node_is(key, row->lists[i].key))
			return &row->lists[i];
	return NULL;
}

static bool is_time(const char *key)
{
	return strcmp(key, "since") == 0 || strcmp(key, "opened") == 0 || strcmp(key, "due") == 0;
}

/* Is nothing wanted?  `null` and `~` are what YAML has for it. */
static bool is_nothing(const struct node *value)
{
	return value->text.len == 0 || node_is(value, "none") ||
	       (value->style == STYLE_PLAIN && (node_is(value, "null") || node_is(value, "~")));
}

/* What of a case's name is behind its subject: office/1 of household/h1/office/1. */
static struct str behind_subject(struct str id)
{
	for (int slashes = 0; id.len && slashes < 2; id.s++, id.len--)
		slashes += *id.s == '/';
	return id;
}

/* The one subject of a test, where neither the watch nor an event names it, has whatever name the test gives it. */
static bool any_name(const struct test_run *run)
{
	return run->n_subjects == 1 && !run->named;
}

static bool same_case(const struct test_run *run, const char *key, struct str wanted, struct str got)
{
	size_t watch = strlen(run->test->watch->name) + 1;
	return any_name(run) && (strcmp(key, "case") == 0 || strcmp(key, "previous") == 0) && wanted.len > watch &&
	       memcmp(wanted.s, got.s, watch) == 0 && behind_subject(wanted).len &&
	       str_equal(behind_subject(wanted), behind_subject(got));
}

/* Does one field fit?  Times may be written in any of their forms. */
static bool field_fits(const struct test_run *run, const struct node *key, const struct node *value,
		       const struct got_row *row)
{
	const char *got = field_text(row, key->text.s);
	int64_t a, b;
	if (!got || !*got || strcmp(got, "none") == 0)
		return is_nothing(value);
	if (node_is(value, got) || (any_name(run) && node_is(key, "subject")) ||
	    same_case(run, key->text.s, value->text, str_of(got)))
		return true;
	return is_time(key->text.s) && time_parse(run->r->zone, value->text, &a) &&
	       time_parse(run->r->zone, str_of(got), &b) && a == b;
}

struct pairing { /* of expectations and rows, one to one */
	struct test_run *run;
	const struct node *expected;
	struct got_row *rows;
	size_t n;
	int *row_of, *of_row; /* -1: none */
	bool *tried;
};

static bool pair_up(struct test_run *run, const struct node *expected, struct got_row *rows, size_t n,
		    struct pairing *out);

static bool list_fits(struct test_run *run, const struct node *key, const struct node *value, const struct got_row *row)
{
	struct pairing inner;
	const struct got_list *list = field_list(row, key);
	return list && pair_up(run, value, list->rows, list->n, &inner);
}

static bool row_fits(struct test_run *run, const struct node *item, struct got_row *row)
{
	if (item->kind == NODE_SCALAR) /* of a list of words */
		return row->n_fields && node_is(item, row->fields[0].text);
	for (uint32_t i = 0; i < item->n; i++) {
		const struct node *key = item->entries[i].key, *value = item->entries[i].value;
		if (value->kind == NODE_LIST ? !list_fits(run, key, value, row) : !field_fits(run, key, value, row))
			return false;
	}
	return true;
}

/* An augmenting path: may expectation i have a row, if others move? */
static bool find_row(struct pairing *p, uint32_t i)
{
	for (size_t k = 0; k < p->n; k++) {
		if (p->tried[k] || !row_fits(p->run, p->expected->entries[i].value, &p->rows[k]))
			continue;
		p->tried[k] = true;
		if (p->of_row[k] < 0 || find_row(p, (uint32_t)p->of_row[k])) {
			p->of_row[k] = (int)i;
			p->row_of[i] = (int)k;
			return true;
		}
	}
	return false;
}

/* Is the row's alert told of by an expectation, perhaps at another unit? */
static bool is_expected(const struct pairing *p, size_t k)
{
	for (size_t other = 0; other < p->n; other++)
		if (p->rows[other].thing == p->rows[k].thing && p->of_row[other] >= 0)
			return true;
	return p->rows[k].optional;
}

static bool pair_up(struct test_run *run, const struct node *expected, struct got_row *rows, size_t n,
		    struct pairing *out)
{
	*out = (struct pairing){.run = run, .expected = expected, .rows = rows, .n = n};
	out->row_of = ARENA_ARRAY(&run->scratch, int, expected->n);
	out->of_row = ARENA_ARRAY(&run->scratch, int, n);
	out->tried = ARENA_ARRAY(&run->scratch, bool, n);
	bool all = true;
	for (size_t k = 0; k < n; k++)
		out->of_row[k] = -1;
	for (uint32_t i = 0; i < expected->n; i++) {
		out->row_of[i] = -1;
		memset(out->tried, 0, n * sizeof *out->tried);
		all &= find_row(out, i);
	}
	for (size_t k = 0; k < n; k++)
		all &= is_expected(out, k);
	return all;
}

/* --- telling */
/* A row's pairs against an expectation (or NULL): the fields that it names, else the first few. */
static size_t make_pairs(struct test_run *run, const struct node *item, const struct got_row *row,
			 struct got_pair *pairs)
{
	size_t n = 0;
	if (item && item->kind == NODE_SCALAR) /* of a list of words */
		pairs[n++] = (struct got_pair){row ? row->fields[0].key : "word", item->text.s,
					       row ? row->fields[0].text : NULL};
	for (uint32_t i = 0; item && item->kind == NODE_MAP && i < item->n && n < 16; i++) {
		const struct node *key = item->entries[i].key, *value = item->entries[i].value;
		const char *got = row ? field_text(row, key->text.s) : NULL;
		if (value->kind == NODE_LIST) {
			const struct got_list *list = field_list(row, key);
			bool same = row && list_fits(run, key, value, row);
			pairs[n++] = (struct got_pair){
				key->text.s, arena_printf(&run->scratch, "%u as written", value->n),
				!row   ? NULL
				: same ? arena_printf(&run->scratch, "%u as written", value->n)
				       : arena_printf(&run->scratch, "%zu, not as written", list ? list->n : 0)};
			continue;
		}
		if (row && field_fits(run, key, value, row))
			got = value->text.s;
		pairs[n++] = (struct got_pair){key->text.s, value->text.s, got};
	}
	for (size_t i = 0; !item && i < row->n_fields && n < 6; i++)
		pairs[n++] = (struct got_pair){row->fields[i].key, NULL, row->fields[i].text};
	return n;
}

/* The row, not paired with another expectation, that agrees with it in most fields. */
static struct got_row *nearest_row(const struct pairing *p, const struct node *item, size_t *index)
{
	struct got_row *best = NULL;
	size_t most = 0;
	for (size_t k = 0; k < p->n; k++) {
		size_t same = 0;
		for (uint32_t i = 0; item->kind == NODE_MAP && i < item->n; i++)
			if (item->entries[i].value->kind == NODE_SCALAR &&
			    field_fits(p->run, item->entries[i].key, item->entries[i].value, &p->rows[k]))
				same += node_is(item->entries[i].key, "rule") ? 8 : 1;
		if (p->of_row[k] < 0 && same > most) {
			best = &p->rows[k];
			most = same;
			*index = k;
		}
	}
	return best;
}

static const struct rule *rule_of(const struct test_run *run, const struct node *item)
{
	const struct node *name = node_get(item, "rule");
	return name ? ruleset_rule(run->r, name->text) : NULL;
}

static void tell_inner(struct test_run *run, const struct node *item, struct got_row *row)
{
	for (uint32_t i = 0; item->kind == NODE_MAP && row && i < item->n; i++) {
		const struct got_list *list = field_list(row, item->entries[i].key);
		if (list && item->entries[i].value->kind == NODE_LIST)
			compare_rows(run, item->entries[i].value, list->rows, list->n);
	}
}

void compare_rows(struct test_run *run, const struct node *expected, struct got_row *rows, size_t n)
{
	struct pairing p;
	struct got_pair pairs[16];
	if (pair_up(run, expected, rows, n, &p))
		return;
	for (uint32_t i = 0; i < expected->n; i++) {
		const struct node *item = expected->entries[i].value;
		size_t k = 0;
		if (p.row_of[i] >= 0)
			continue;
		struct got_row *row = nearest_row(&p, item, &k);
		print_failure(run, item, row ? "it came out otherwise" : "it didn't come");
		print_pairs(pairs, make_pairs(run, item, row, pairs));
		if (row)
			print_explanation(run, row->subject, row->rule, row->member);
		else
			print_explanation(run, run->subject, rule_of(run, item), (struct str){"", 0});
		tell_inner(run, item, row);
		if (row) /* told */
			p.of_row[k] = (int)i;
	}
	for (size_t k = 0; k < n; k++) {
		if (is_expected(&p, k))
			continue;
		print_failure(run, expected, "it came unexpected");
		print_pairs(pairs, make_pairs(run, NULL, &rows[k], pairs));
		print_explanation(run, rows[k].subject, rows[k].rule, rows[k].member);
		p.of_row[k] = 0; /* one alert is told once */
	}
}

/* --- values */
static bool value_fits(const struct test_run *run, const struct node *expected, struct cel_value got)
{
	char *end;
	double wanted, number;
	int64_t ms;
	if (node_is(expected, "unknown") && expected->style == STYLE_PLAIN)
		return got.kind == CEL_UNKNOWN || got.kind == CEL_ERROR;
	switch ((enum cel_kind)got.kind) {
	case CEL_BOOL:
		return node_is(expected, got.b ? "true" : "false");
	case CEL_STRING:
		return str_equal(expected->text, (struct str){got.s, got.len});
	case CEL_INT:
	case CEL_DOUBLE:
		wanted = strtod(expected->text.s, &end);
		number = got.kind == CEL_INT ? (double)got.i : got.d;
		return !*end && (number == wanted ||
				 (isfinite(wanted) && fabs(wanted - number) <= 1e-9 * fmax(1, fabs(wanted))));
	case CEL_TIMESTAMP:
		return time_parse(run->r->zone, expected->text, &ms) && ms == got.i * 1000 + got.nanos / 1000000;
	default:
		return false;
	}
}

void compare_value(struct test_run *run, const struct test_value *v)
{
	const char *name = run->test->watch->names[v->variable].text;
	struct cel_value got = engine_value(run->engine, run->subject, str_of(name), run->now);
	if (value_fits(run, v->expected, got))
		return;
	print_failure(run, v->key, "the value is another");
	bool hide = engine_sensitive(run->engine, run->test->watch, v->variable) && got.kind != CEL_UNKNOWN &&
		    got.kind != CEL_ERROR;
	print_pairs(&(struct got_pair){name, v->expected->text.s, hide ? "***" : value_text(run, got)}, 1);
	if (got.kind == CEL_UNKNOWN)
		for (const struct cel_problem *p = got.problem; p; p = p->next)
			print_pairs(&(struct got_pair){"unknown", NULL, p->text}, 1);
}
