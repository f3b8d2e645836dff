/* Loads calendars and thresholds, and collects the documents of every kind by name. */
#include "load.h"
#include <stdlib.h>
#include <string.h>

static int by_name(const void *pa, const void *pb)
{
	const struct named *a = pa, *b = pb;
	int c = strcmp(a->name, b->name);
	return c ? c : (a->root > b->root) - (a->root < b->root);
}

struct named *collect_documents(struct loader *l, enum document_kind kind,
				const char *(*read)(struct loader *, const struct node *, const char *), size_t *n)
{
	struct named *list = ARENA_ARRAY(&l->scratch, struct named, l->docs->n);
	*n = 0;
	for (size_t i = 0; i < l->docs->n; i++) {
		const struct config_document *d = &l->docs->list[i];
		if (d->kind != kind)
			continue;
		const struct node *name = d->root->entries[0].value;
		const char *text = read(l, name, arena_printf(&l->scratch, "`%s`", document_keys[kind]));
		size_t k = 0;
		while (text && k < *n && strcmp(list[k].name, text) != 0)
			k++;
		if (text && k < *n) {
			struct place first = node_place(list[k].root);
			FAULT(l, name, "the %s `%s` is given twice, first in %s:%u; expected it once",
			      document_keys[kind], text, first.file, first.line);
		} else if (text) {
			list[(*n)++] = (struct named){text, d->root, d->broken};
		}
	}
	qsort(list, *n, sizeof *list, by_name);
	return list;
}

/* --- calendars */
struct days {
	int32_t *list;
	size_t n, cap;
};

static bool has_day(const struct days *d, int32_t day)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->list[i] == day)
			return true;
	return false;
}

static void add_day(struct loader *l, struct days *d, int32_t day)
{
	ARENA_PUSH_ROOM(&l->scratch, d->list, d->n, d->cap);
	d->list[d->n++] = day;
}

/* "2023-01-21 to 2023-01-27", or one day. */
static bool read_days(struct loader *l, const struct node *n, int64_t year, int32_t *from, int32_t *to)
{
	if (!read_scalar(l, n, "a day"))
		return false;
	const char *middle = strstr(n->text.s, " to ");
	struct str first = {n->text.s, middle ? (uint32_t)(middle - n->text.s) : n->text.len};
	struct str last = middle ? str_of(middle + 4) : first;
	if (first.len != 10 || last.len != 10 || !day_parse(l->r->zone, first, from) ||
	    !day_parse(l->r->zone, last, to)) {
		FAULT(l, n, "`%s` is no day; expected a date such as 2023-04-05, or 2023-01-21 to 2023-01-27",
		      n->text.s);
		return false;
	}
	int32_t begin = (int32_t)cel_days_from_civil(year, 1, 1), end = (int32_t)cel_days_from_civil(year + 1, 1, 1);
	if (*from > *to) {
		FAULT(l, n, "`%s` ends before it begins; expected the earlier day first", n->text.s);
		return false;
	}
	if (*from < begin || *to >= end) {
		FAULT(l, n, "`%s` is not in %lld; expected it under its own year", n->text.s, (long long)year);
		return false;
	}
	return true;
}

/* 1970-01-01 was a Thursday. */
static bool is_weekend(int32_t day)
{
	return ((day % 7) + 7 + 3) % 7 >= 5;
}

static void read_year_days(struct loader *l, const struct node *list, int64_t year, struct days *out,
			   const struct days *off)
{
	if (!list || !read_list(l, list, off ? "`work`" : "`off`"))
		return;
	for (uint32_t i = 0; i < list->n; i++) {
		const struct node *item = list->entries[i].value;
		int32_t from, to;
		if (!read_days(l, item, year, &from, &to))
			continue;
		for (int32_t day = from; day <= to; day++) {
			if (off && has_day(off, day))
				FAULT(l, item, "`%s` is also a day off; expected it under `off` or `work`",
				      item->text.s);
			else if (off && !is_weekend(day))
				FAULT(l, item,
				      "`%s` holds a day from Monday to Friday, which is worked anyway; expected days "
				      "of weekends",
				      item->text.s);
			if (!has_day(out, day))
				add_day(l, out, day);
		}
	}
}

static void load_calendar(struct loader *l, const struct named *doc)
{
	static const char *const keys[] = {"calendar", "title", "years"};
	static const char *const year_keys[] = {"off", "work"};
	struct days off = {0}, work = {0};
	int32_t first = INT32_MAX, last = INT32_MIN;
	const struct node *years = read_map(l, doc->root, "a calendar", keys, COUNT(keys))
					   ? read_needed(l, doc->root, "the calendar", "years")
					   : NULL;
	bool good = years && read_map(l, years, "`years`", NULL, 0);
	for (uint32_t i = 0; good && i < years->n; i++) {
		const struct node *key = years->entries[i].key, *value = years->entries[i].value;
		int64_t year;
		if (!read_int(l, key, "a year", CALENDAR_FIRST_YEAR, CALENDAR_LAST_YEAR, &year) ||
		    !read_map(l, value, "a year", year_keys, COUNT(year_keys)))
			continue;
		int32_t begin = (int32_t)cel_days_from_civil(year, 1, 1);
		int32_t end = (int32_t)cel_days_from_civil(year + 1, 1, 1) - 1;
		first = begin < first ? begin : first;
		last = end > last ? end : last;
		read_year_days(l, node_get(value, "off"), year, &off, NULL);
		read_year_days(l, node_get(value, "work"), year, &work, &off);
	}
	if (strcmp(doc->name, l->settings->calendar) == 0)
		l->r->calendar = calendar_new(&l->r->arena, doc->name, off.list, off.n, work.list, work.n, first, last);
}

void load_calendars(struct loader *l)
{
	size_t n;
	struct named *list = collect_documents(l, DOC_CALENDAR, read_label, &n);
	const char **names = ARENA_ARRAY(&l->scratch, const char *, n);
	for (size_t i = 0; i < n; i++) {
		names[i] = list[i].name;
		load_calendar(l, &list[i]);
	}
	if (l->r->calendar)
		return;
	l->r->calendar =
		calendar_new(&l->r->arena, keep_text(l, str_of(l->settings->calendar)), NULL, 0, NULL, 0, 1, 0);
	if (!n)
		return;
	const char *near = cel_nearest(l->settings->calendar, names, n);
	faults_add(l->faults, node_place(l->calendar ? l->calendar : list[0].root),
		   "no calendar is named `%s`, which the settings ask for; expected one%s%s%s", l->settings->calendar,
		   near ? " (did you mean `" : "", near ? near : "", near ? "`?)" : "");
}

/* --- thresholds */
/* Longest region first, then newest date: the first that fits is the one in effect. */
static int by_precedence(const void *pa, const void *pb)
{
	const struct threshold_value *a = pa, *b = pb;
	size_t la = strlen(a->region), lb = strlen(b->region);
	if (la != lb)
		return la > lb ? -1 : 1;
	int c = strcmp(a->region, b->region);
	return c ? c : (a->from < b->from) - (a->from > b->from);
}

static bool read_value(struct loader *l, const struct node *n, struct threshold_value *v)
{
	static const char *const keys[] = {"region", "from", "value", "basis"};
	if (!read_map(l, n, "a value", keys, COUNT(keys)))
		return false;
	const struct node *region = node_get(n, "region"), *basis = node_get(n, "basis");
	const struct node *from = read_needed(l, n, "the value", "from"),
			  *value = read_needed(l, n, "the value", "value");
	v->place = keep_place(l, n);
	v->region = region ? read_region(l, region) : "";
	v->basis = basis ? read_text(l, basis, "`basis`") : "";
	bool good = v->region != NULL;
	v->basis = v->basis ? v->basis : "";
	good &= from && read_day(l, from, "`from`", &v->from);
	good &= value && read_double(l, value, "`value`", &v->value);
	return good;
}

static void refuse_equal_values(struct loader *l, const struct threshold *t)
{
	for (size_t i = 1; i < t->n_values; i++) {
		const struct threshold_value *a = &t->values[i - 1], *b = &t->values[i];
		if (a->from != b->from || strcmp(a->region, b->region) != 0)
			continue;
		bool a_first = a->place.line < b->place.line ||
			       (a->place.line == b->place.line && a->place.column < b->place.column);
		const struct threshold_value *first = a_first ? a : b, *second = a_first ? b : a;
		faults_add(
			l->faults, second->place,
			"another value of `%s` for region `%s` from the same day, the first in line %u; expected one",
			t->name, second->region, first->place.line);
	}
}

static void load_threshold(struct loader *l, const struct named *doc, struct threshold *t)
{
	static const char *const keys[] = {"threshold", "title", "unit", "values"};
	t->name = t->title = doc->name;
	t->place = keep_place(l, doc->root);
	if (doc->broken || !read_map(l, doc->root, "a threshold", keys, COUNT(keys)))
		return;
	const struct node *unit = node_get(doc->root, "unit");
	t->title = read_title(l, doc->root, t->name);
	t->unit = unit ? read_text(l, unit, "`unit`") : NULL;
	const struct node *values = read_needed(l, doc->root, "the threshold", "values");
	if (!values || !read_list(l, values, "`values`"))
		return;
	t->values = ARENA_ARRAY(&l->r->arena, struct threshold_value, values->n);
	for (uint32_t i = 0; i < values->n; i++)
		t->n_values += read_value(l, values->entries[i].value, &t->values[t->n_values]);
	qsort(t->values, t->n_values, sizeof *t->values, by_precedence);
	refuse_equal_values(l, t);
}

void load_thresholds(struct loader *l)
{
	struct ruleset *r = l->r;
	struct named *list = collect_documents(l, DOC_THRESHOLD, read_identifier, &r->n_thresholds);
	r->thresholds = ARENA_ARRAY(&r->arena, struct threshold, r->n_thresholds);
	for (size_t i = 0; i < r->n_thresholds; i++)
		load_threshold(l, &list[i], &r->thresholds[i]);
}
