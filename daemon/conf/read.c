/* Reads typed values from nodes; every mismatch is a fault at its place.  The values' meaning is their loader's. */
#include "read.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 200 };

const char *keep_text(struct loader *l, struct str text)
{
	return arena_text(&l->r->arena, text.s, text.len);
}

struct place keep_place(struct loader *l, const struct node *n)
{
	struct place at = node_place(n);
	if (l->kept_source != n->source) {
		l->kept_source = n->source;
		l->kept_name = arena_text(&l->r->arena, at.file, strlen(at.file));
	}
	at.file = l->kept_name;
	return at;
}

static const char *kind_text(const struct node *n)
{
	return n->kind == NODE_MAP ? "a map" : n->kind == NODE_LIST ? "a list" : node_empty(n) ? "empty" : "a text";
}

/* "a, b or c"; at most a dozen. */
static const char *word_list(struct loader *l, const char *const *words, size_t n)
{
	const char *text = "";
	for (size_t i = 0; i < n; i++) {
		if (i == 12)
			return arena_printf(&l->scratch, "%s, …", text);
		text = arena_printf(&l->scratch, "%s%s`%s`", text, i == 0 ? "" : i + 1 == n ? " or " : ", ", words[i]);
	}
	return text;
}

void unknown_name(struct loader *l, const struct node *n, const char *what, const char *name, const char *const *names,
		  size_t n_names)
{
	const char *near = cel_nearest(name, names, n_names);
	if (near)
		FAULT(l, n, "unknown %s `%s`; did you mean `%s`?", what, name, near);
	else if (n_names)
		FAULT(l, n, "unknown %s `%s`; expected %s", what, name, word_list(l, names, n_names));
	else
		FAULT(l, n, "unknown %s `%s`; there is none yet", what, name);
}

/* {summary: 45000元,预警线50000元}: the second half is a key without a colon. */
static bool is_torn(const struct node *key, const struct node *value)
{
	const struct source *s = key->source;
	uint32_t at = key->end;
	while (at < s->len && s->text[at] == ' ')
		at++;
	return node_empty(value) && at < s->len && (s->text[at] == ',' || s->text[at] == '}');
}

bool read_map(struct loader *l, const struct node *n, const char *what, const char *const *keys, size_t n_keys)
{
	if (n->bad)
		return false;
	if (n->kind != NODE_MAP) {
		FAULT(l, n, "%s is %s; expected a map (`key: value`)", what, kind_text(n));
		return false;
	}
	for (uint32_t i = 0; keys && i < n->n; i++) {
		const struct node *key = n->entries[i].key;
		bool known = key->bad;
		for (size_t k = 0; k < n_keys && !known; k++)
			known = node_is(key, keys[k]);
		if (!known && is_torn(key, n->entries[i].value))
			FAULT(l, key,
			      "`%s` follows a comma and has no `:`; expected quotes around text that holds a comma",
			      key->text.s);
		else if (!known)
			unknown_name(l, key, "key", key->text.s, keys, n_keys);
	}
	return true;
}

bool read_list(struct loader *l, const struct node *n, const char *what)
{
	if (n->bad || n->kind == NODE_LIST)
		return !n->bad;
	FAULT(l, n, "%s is %s; expected a list (`[a, b]`)", what, kind_text(n));
	return false;
}

const struct node *read_needed(struct loader *l, const struct node *map, const char *what, const char *key)
{
	const struct node *n = node_get(map, key);
	if (!n)
		FAULT(l, map, "`%s` is missing; expected it in %s", key, what);
	return n;
}

bool read_scalar(struct loader *l, const struct node *n, const char *what)
{
	if (n->bad)
		return false;
	if (n->kind == NODE_SCALAR && n->text.len)
		return true;
	FAULT(l, n, "%s is %s; expected a value", what, n->kind == NODE_SCALAR ? "empty" : kind_text(n));
	return false;
}

const char *read_text(struct loader *l, const struct node *n, const char *what)
{
	return read_scalar(l, n, what) ? keep_text(l, n->text) : NULL;
}

const char *read_title(struct loader *l, const struct node *map, const char *name)
{
	const struct node *n = node_get(map, "title");
	const char *title = n ? read_text(l, n, "`title`") : NULL;
	return title ? title : name;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

const char *read_identifier(struct loader *l, const struct node *n, const char *what)
{
	static const char *const taken[] = {"true",     "false",   "null",      "in",       "as",  "break",  "const",
					    "continue", "else",    "for",       "function", "if",  "import", "let",
					    "loop",     "package", "namespace", "return",   "var", "void",   "while"};
	if (!read_scalar(l, n, what))
		return NULL;
	bool good = is_letter(n->text.s[0]);
	for (uint32_t i = 0; i < n->text.len; i++)
		good = good && (is_letter(n->text.s[i]) || is_digit(n->text.s[i]));
	if (!good) {
		FAULT(l, n, "`%s` can't be used in an expression; expected a name of letters a-z, digits and `_`",
		      n->text.s);
		return NULL;
	}
	for (size_t i = 0; i < COUNT(taken); i++)
		if (node_is(n, taken[i])) {
			FAULT(l, n, "`%s` is a word of the expression language; expected another name", n->text.s);
			return NULL;
		}
	return keep_text(l, n->text);
}

const char *read_label(struct loader *l, const struct node *n, const char *what)
{
	if (!read_scalar(l, n, what))
		return NULL;
	for (uint32_t i = 0; i < n->text.len; i++) {
		char c = n->text.s[i];
		if (is_letter(c) || is_digit(c) || c == '-' || c == '.' || (unsigned char)c >= 0x80)
			continue;
		FAULT(l, n, "`%s` is no name; expected letters, digits, `-`, `_` and `.`", n->text.s);
		return NULL;
	}
	if (n->text.len > NAME_MAX_BYTES) { /* they stand in keys and headers, which have little room */
		FAULT(l, n, "%s has a name of %u bytes; expected at most %d", what, n->text.len, NAME_MAX_BYTES);
		return NULL;
	}
	return keep_text(l, n->text);
}

const char *read_topic(struct loader *l, const struct node *n, bool with_region)
{
	if (!read_scalar(l, n, "`topic`"))
		return NULL;
	const char *region = strstr(n->text.s, "{region}");
	size_t len = n->text.len + (region ? 4 : 0);
	bool good = len <= 249 && !node_is(n, ".") && !node_is(n, "..");
	for (const char *c = n->text.s; *c; c++) {
		if (c == region)
			c += strlen("{region}");
		if (!*c)
			break;
		good = good && (is_letter(*c) || is_digit(*c) || *c == '-' || *c == '.');
	}
	if (region && !with_region)
		FAULT(l, n, "`{region}` in the topic of one queue; expected it only in units with `each`");
	else if (!good)
		FAULT(l, n, "`%s` is no Kafka topic; expected at most 249 letters a-z, digits, `.`, `_` and `-`",
		      n->text.s);
	return keep_text(l, n->text);
}

const char *read_region(struct loader *l, const struct node *n)
{
	if (n->bad)
		return NULL;
	if (n->kind == NODE_SCALAR) {
		bool good = n->text.len <= 12 && !node_empty(n);
		for (uint32_t i = 0; i < n->text.len; i++)
			good = good && is_digit(n->text.s[i]);
		if (good)
			return keep_text(l, n->text);
	}
	FAULT(l, n, "`region` is %s%s%s; expected the digits of a division code, at most 12",
	      n->kind == NODE_SCALAR ? "`" : "", n->kind == NODE_SCALAR ? n->text.s : kind_text(n),
	      n->kind == NODE_SCALAR ? "`" : "");
	return NULL;
}

bool read_bool(struct loader *l, const struct node *n, const char *what, bool *out)
{
	if (!read_scalar(l, n, what))
		return false;
	*out = node_is(n, "true");
	if (*out || node_is(n, "false"))
		return true;
	FAULT(l, n, "%s is `%s`; expected `true` or `false`", what, n->text.s);
	return false;
}

bool read_int(struct loader *l, const struct node *n, const char *what, int64_t min, int64_t max, int64_t *out)
{
	char *end;
	if (!read_scalar(l, n, what))
		return false;
	errno = 0;
	long long i = strtoll(n->text.s, &end, 10);
	if (errno == 0 && !*end && (is_digit(n->text.s[0]) || n->text.s[0] == '-') && i >= min && i <= max) {
		*out = i;
		return true;
	}
	if (max == INT64_MAX && min == INT64_MIN)
		FAULT(l, n, "%s is `%s`; expected a whole number", what, n->text.s);
	else if (max == INT64_MAX)
		FAULT(l, n, "%s is `%s`; expected a whole number, at least %lld", what, n->text.s, (long long)min);
	else
		FAULT(l, n, "%s is `%s`; expected a whole number from %lld to %lld", what, n->text.s, (long long)min,
		      (long long)max);
	return false;
}

bool read_double(struct loader *l, const struct node *n, const char *what, double *out)
{
	if (!read_scalar(l, n, what))
		return false;
	const char *s = n->text.s;
	char *end;
	double d = strtod(s, &end);
	bool plain = strspn(s, "+-.0123456789eE") == n->text.len && (is_digit(s[0]) || s[0] == '-' || s[0] == '+');
	if (plain && end != s && !*end && isfinite(d)) {
		*out = d;
		return true;
	}
	FAULT(l, n, "%s is `%s`; expected a number", what, s);
	return false;
}

bool read_day(struct loader *l, const struct node *n, const char *what, int32_t *out)
{
	if (!read_scalar(l, n, what))
		return false;
	if (n->text.len == 10 && day_parse(l->r->zone, n->text, out))
		return true;
	FAULT(l, n, "%s is `%s`; expected a date such as 2023-06-01", what, n->text.s);
	return false;
}

int read_word(struct loader *l, const struct node *n, const char *what, const char *const *words, size_t n_words)
{
	if (!read_scalar(l, n, what))
		return -1;
	for (size_t i = 0; i < n_words; i++)
		if (node_is(n, words[i]))
			return (int)i;
	const char *near = cel_nearest(n->text.s, words, n_words);
	if (near)
		FAULT(l, n, "%s is `%s`; did you mean `%s`?", what, n->text.s, near);
	else
		FAULT(l, n, "%s is `%s`; expected %s", what, n->text.s, word_list(l, words, n_words));
	return -1;
}
