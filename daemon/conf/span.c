/* Spans of time as written: "10 working days", "0 minutes", "20 ms"; and windows: "12 whole months". */
#include "read.h"
#include <stdlib.h>
#include <string.h>

struct unit_word {
	const char *one, *many;
	int unit;      /* enum span_unit, or -1: in settings only */
	int64_t in_ms; /* where it is elapsed time; 0: none */
};
static const struct unit_word unit_words[] = {
	{"ms", "ms", -1, 1},
	{"second", "seconds", -1, 1000},
	{"minute", "minutes", SPAN_MINUTES, 60000},
	{"hour", "hours", SPAN_HOURS, 3600000},
	{"day", "days", SPAN_DAYS, 86400000},
	{"month", "months", SPAN_MONTHS, 0},
	{"quarter", "quarters", SPAN_QUARTERS, 0},
	{"year", "years", SPAN_YEARS, 0},
	{"working day", "working days", SPAN_WORKING_DAYS, 0},
};
enum { SPAN_MOST = 100000 };

/* "12 whole months" to 12, whole and the words; false: no such form. */
static bool split(struct str text, int64_t *n, bool *whole, struct str *word)
{
	char *end;
	if (text.len == 0 || text.s[0] < '0' || text.s[0] > '9')
		return false;
	*n = strtoll(text.s, &end, 10);
	if (*end != ' ' || end - text.s > 7 || *n > SPAN_MOST)
		return false;
	const char *s = end + strspn(end, " ");
	*whole = strncmp(s, "whole ", 6) == 0;
	if (*whole)
		s += 6;
	*word = (struct str){s, (uint32_t)(text.s + text.len - s)};
	return word->len > 0;
}

static const struct unit_word *find_word(struct str word)
{
	for (size_t i = 0; i < COUNT(unit_words); i++)
		if (str_equal(word, str_of(unit_words[i].one)) || str_equal(word, str_of(unit_words[i].many)))
			return &unit_words[i];
	return NULL;
}

static bool word_allowed(const struct unit_word *w, unsigned units)
{
	return units ? w->unit >= 0 && (units & SPAN_BIT(w->unit)) : w->in_ms > 0;
}

/* units 0: elapsed time, as in the settings. */
static void span_fault(struct loader *l, const struct node *n, const char *what, struct str word, unsigned units,
		       const char *form)
{
	const char *names[2 * COUNT(unit_words)], *list = "";
	size_t n_names = 0;
	for (size_t i = 0; i < COUNT(unit_words); i++) {
		if (!word_allowed(&unit_words[i], units))
			continue;
		list = arena_printf(&l->scratch, "%s%s%s", list, n_names ? ", " : "", unit_words[i].many);
		names[n_names++] = unit_words[i].one;
		names[n_names++] = unit_words[i].many;
	}
	const char *near = word.len && !find_word(word) ? cel_nearest(word.s, names, n_names) : NULL;
	if (strncmp(word.s, "work", 4) == 0 && units & SPANS_WORKING && !find_word(word))
		near = "working days";
	if (near)
		FAULT(l, n, "%s is `%s`; did you mean `%s`?", what, n->text.s, near);
	else
		FAULT(l, n, "%s is `%s`; expected %s (%s)", what, n->text.s, form, list);
}

bool read_span(struct loader *l, const struct node *n, const char *what, unsigned units, struct span *out)
{
	int64_t count = 0;
	bool whole = false;
	struct str word = STR("");
	if (!read_scalar(l, n, what))
		return false;
	const struct unit_word *w = split(n->text, &count, &whole, &word) && !whole ? find_word(word) : NULL;
	if (w && word_allowed(w, units)) {
		*out = (struct span){(int32_t)count, (enum span_unit)w->unit};
		return true;
	}
	span_fault(l, n, what, word, units, "a number and a unit");
	return false;
}

bool read_window(struct loader *l, const struct node *n, struct window *out)
{
	int64_t count = 0;
	struct str word = STR("");
	if (!read_scalar(l, n, "`window`"))
		return false;
	bool good = split(n->text, &count, &out->whole, &word);
	unsigned units = good && out->whole ? SPANS_PERIODS : SPANS_DATES;
	const struct unit_word *w = good ? find_word(word) : NULL;
	if (w && word_allowed(w, units) && count > 0) {
		out->length = (struct span){(int32_t)count, (enum span_unit)w->unit};
		return true;
	}
	if (good && count == 0)
		FAULT(l, n, "`window` is `%s`; expected at least 1", n->text.s);
	else
		span_fault(l, n, "`window`", word, units,
			   out->whole ? "a number and whole periods" : "a number, perhaps `whole`, and a unit");
	return false;
}

bool read_milliseconds(struct loader *l, const struct node *n, const char *what, int64_t *out)
{
	int64_t count = 0;
	bool whole = false;
	struct str word = STR("");
	if (!read_scalar(l, n, what))
		return false;
	const struct unit_word *w = split(n->text, &count, &whole, &word) && !whole ? find_word(word) : NULL;
	if (w && w->in_ms) {
		*out = count * w->in_ms;
		return true;
	}
	span_fault(l, n, what, word, 0, "a number and a unit");
	return false;
}
