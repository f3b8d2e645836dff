/* cel_regex_parse.c: RE2's syntax to a tree. */
#include "cel_regex_parse.h"
#include "cel_text.h"
#include <string.h>

static void fault(struct re_parser *p, const char *why)
{
	if (!p->why)
		p->why = why;
	p->s = p->end;
}
static bool more(const struct re_parser *p)
{
	return p->s < p->end;
}
static bool next_is(const struct re_parser *p, const char *text)
{
	size_t n = strlen(text);
	return (size_t)(p->end - p->s) >= n && memcmp(p->s, text, n) == 0;
}
static bool accept(struct re_parser *p, const char *text)
{
	if (!next_is(p, text))
		return false;
	p->s += strlen(text);
	return true;
}
static uint32_t take_code(struct re_parser *p)
{
	uint32_t code = 0;
	if (more(p))
		p->s += cel_utf8_get(p->s, (size_t)(p->end - p->s), &code);
	return code;
}

static struct re_node *make(struct re_parser *p, enum re_kind kind)
{
	struct re_node *node = cel_re_alloc(p, sizeof *node);
	if (node)
		node->kind = (uint8_t)kind;
	return node;
}

/* --- sets */
static int hex(int ch)
{
	return ch >= '0' && ch <= '9'   ? ch - '0'
	       : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
	       : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
					: -1;
}

static uint32_t hex_escape(struct re_parser *p)
{
	uint32_t code = 0;
	int n = 0;
	bool braces = accept(p, "{");
	for (; more(p) && hex(*p->s) >= 0 && n < (braces ? 8 : 2); n++)
		code = code * 16 + (uint32_t)hex(*p->s++);
	if (n == 0 || (!braces && n < 2) || (braces && !accept(p, "}")) || code > 0x10ffff)
		fault(p, "a \\x escape is \\x7F or \\x{10FFFF}");
	return code;
}

/* The code point of the escape after a backslash. */
static uint32_t escape(struct re_parser *p)
{
	static const char from[] = "aftnrv", to[] = "\a\f\t\n\r\v";
	uint32_t ch = take_code(p);
	const char *found = ch && ch < 128 ? strchr(from, (int)ch) : NULL;
	if (found)
		return (uint8_t)to[found - from];
	if (ch == 'x')
		return hex_escape(p);
	if (ch >= '0' && ch <= '7') {
		uint32_t code = ch - '0';
		bool octal = ch == '0' || (more(p) && *p->s >= '0' && *p->s <= '7');
		for (int n = 1; n < 3 && more(p) && *p->s >= '0' && *p->s <= '7'; n++)
			code = code * 8 + (uint32_t)(*p->s++ - '0');
		if (octal)
			return code;
	}
	bool word = (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch >= 128 ||
		    ch == 0;
	if (word)
		fault(p, "there is no such escape");
	return ch;
}

static const struct {
	const char *name;
	uint8_t n;
	struct range ranges[4];
} classes[] = {
	{"alnum", 3, {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
	{"alpha", 2, {{'A', 'Z'}, {'a', 'z'}}},
	{"ascii", 1, {{0, 127}}},
	{"blank", 2, {{'\t', '\t'}, {' ', ' '}}},
	{"cntrl", 2, {{0, 31}, {127, 127}}},
	{"digit", 1, {{'0', '9'}}},
	{"graph", 1, {{'!', '~'}}},
	{"lower", 1, {{'a', 'z'}}},
	{"print", 1, {{' ', '~'}}},
	{"punct", 4, {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
	{"space", 2, {{9, 13}, {' ', ' '}}},
	{"upper", 1, {{'A', 'Z'}}},
	{"word", 4, {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
	{"xdigit", 3, {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
	{"d", 1, {{'0', '9'}}},
	{"s", 3, {{9, 10}, {12, 13}, {' ', ' '}}},
	{"w", 4, {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
};

static bool add_class(struct re_parser *p, struct re_set *set, const char *name, size_t len, bool negated)
{
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		if (strlen(classes[i].name) != len || memcmp(classes[i].name, name, len) != 0)
			continue;
		struct re_set one = {0};
		for (int k = 0; k < classes[i].n; k++)
			cel_set_add(p, &one, classes[i].ranges[k].first, classes[i].ranges[k].last);
		if (p->fold)
			cel_set_fold(p, &one);
		if (negated)
			cel_set_negate(p, &one);
		cel_set_add_set(p, set, &one);
		return true;
	}
	return false;
}

static void unicode_class(struct re_parser *p, struct re_set *set, bool negated)
{
	const char *name = p->s;
	size_t len = 1;
	if (accept(p, "{")) {
		negated ^= accept(p, "^");
		name = p->s;
		while (more(p) && *p->s != '}')
			p->s++;
		len = (size_t)(p->s - name);
		if (!accept(p, "}"))
			fault(p, "a } is missing after \\p{");
	} else if (more(p)) {
		p->s++;
	} else {
		len = 0;
	}
	struct re_set one = {0};
	if (!p->why && !cel_set_unicode(p, &one, name, len))
		fault(p, "there is no such Unicode class");
	if (p->fold)
		cel_set_fold(p, &one);
	if (negated)
		cel_set_negate(p, &one);
	cel_set_add_set(p, set, &one);
}

/* \d \w \s \p and their opposites; false: no class. */
static bool class_escape(struct re_parser *p, struct re_set *set)
{
	if (p->end - p->s < 2 || p->s[0] != '\\' || !strchr("dswDSWpP", p->s[1]))
		return false;
	char ch = p->s[1];
	p->s += 2;
	if (ch == 'p' || ch == 'P')
		unicode_class(p, set, ch == 'P');
	else
		add_class(p, set, (const char[]){(char)(ch | 32)}, 1, ch < 'a');
	return true;
}

/* [:alpha:] */
static bool posix_class(struct re_parser *p, struct re_set *set)
{
	if (!next_is(p, "[:"))
		return false;
	const char *name = p->s + 2, *stop = name;
	bool negated = stop < p->end && *stop == '^';
	name = stop += negated;
	while (stop < p->end && *stop >= 'a' && *stop <= 'z')
		stop++;
	if (p->end - stop < 2 || stop[0] != ':' || stop[1] != ']')
		return false;
	if (!add_class(p, set, name, (size_t)(stop - name), negated) || stop - name < 4)
		fault(p, "there is no such [:class:]");
	else
		p->s = stop + 2;
	return true;
}

static uint32_t set_code(struct re_parser *p)
{
	return accept(p, "\\") ? escape(p) : take_code(p);
}

static void bracket(struct re_parser *p, struct re_set *out)
{
	struct re_set set = {0};
	bool negated = accept(p, "^");
	for (bool first = true; more(p) && (first || *p->s != ']'); first = false) {
		if (posix_class(p, &set) || class_escape(p, &set))
			continue;
		struct re_set one = {0};
		uint32_t low = set_code(p), high = low;
		if (p->end - p->s >= 2 && p->s[0] == '-' && p->s[1] != ']') {
			p->s++;
			high = set_code(p);
			if (high < low)
				fault(p, "a range goes backwards");
		}
		if (p->why)
			return;
		cel_set_add(p, &one, low, high);
		if (p->fold)
			cel_set_fold(p, &one);
		cel_set_add_set(p, &set, &one);
	}
	if (!accept(p, "]"))
		fault(p, "a ] is missing");
	if (negated)
		cel_set_negate(p, &set);
	*out = set;
}

/* --- expressions */
static struct re_node *alternatives(struct re_parser *p);

static struct re_node *literal(struct re_parser *p, uint32_t code)
{
	struct re_node *node = make(p, RE_SET);
	if (!node)
		return NULL;
	cel_set_add(p, &node->set, code, code);
	if (p->fold)
		cel_set_fold(p, &node->set);
	return node;
}

static struct re_node *assertion(struct re_parser *p, enum re_assert assert)
{
	struct re_node *node = make(p, RE_ASSERT);
	if (node)
		node->assert = (uint8_t)assert;
	return node;
}

/* (?flags), (?flags:, (?P<name>, (?:; true: a group follows, to its bracket. */
static bool group_head(struct re_parser *p)
{
	if (accept(p, "P<") || accept(p, "<")) {
		const char *name = p->s;
		while (more(p) && (hex(*p->s) >= 0 || *p->s == '_' || (*p->s >= 'a' && *p->s <= 'z') ||
				   (*p->s >= 'A' && *p->s <= 'Z')))
			p->s++;
		if (p->s == name || !accept(p, ">"))
			fault(p, "a group's name is letters, digits and _, before a >");
		return true;
	}
	bool on = true;
	while (more(p) && *p->s != ':' && *p->s != ')') {
		char ch = *p->s++;
		if (ch == '-' && on)
			on = false;
		else if (ch == 'i')
			p->fold = on;
		else if (ch == 'm')
			p->many_lines = on;
		else if (ch == 's')
			p->dot_all = on;
		else if (ch != 'U')
			fault(p, "there is no such (? group");
	}
	if (accept(p, ":"))
		return true;
	if (!more(p))
		fault(p, "a ) is missing");
	return false;
}

static struct re_node *group(struct re_parser *p)
{
	bool fold = p->fold, many_lines = p->many_lines, dot_all = p->dot_all;
	if (accept(p, "?") && !group_head(p)) {
		accept(p, ")"); /* the flags hold on to the end of the group around */
		return make(p, RE_EMPTY);
	}
	if (++p->nesting > RE_MAX_NESTING)
		fault(p, "its groups are nested too deeply");
	struct re_node *inner = alternatives(p);
	p->nesting--;
	if (!accept(p, ")"))
		fault(p, "a ) is missing");
	p->fold = fold;
	p->many_lines = many_lines;
	p->dot_all = dot_all;
	return inner;
}

static struct re_node *quoted(struct re_parser *p)
{
	struct re_node *all = make(p, RE_CAT), **tail = all ? &all->kids : NULL;
	while (tail && more(p) && !accept(p, "\\E")) {
		*tail = literal(p, take_code(p));
		tail = *tail ? &(*tail)->next : NULL;
	}
	return all;
}

static struct re_node *escaped(struct re_parser *p)
{
	if (accept(p, "\\A"))
		return assertion(p, AT_TEXT_START);
	if (accept(p, "\\z"))
		return assertion(p, AT_TEXT_END);
	if (accept(p, "\\b"))
		return assertion(p, AT_WORD);
	if (accept(p, "\\B"))
		return assertion(p, AT_NO_WORD);
	if (accept(p, "\\Q"))
		return quoted(p);
	struct re_node *node = make(p, RE_SET);
	if (!node)
		return NULL;
	if (accept(p, "\\C")) {
		cel_set_add(p, &node->set, 0, 0x10ffff);
	} else if (!class_escape(p, &node->set)) {
		p->s++;
		return literal(p, escape(p));
	}
	return node;
}

static struct re_node *atom(struct re_parser *p)
{
	if (*p->s == '\\')
		return escaped(p);
	if (accept(p, "("))
		return group(p);
	if (accept(p, "^"))
		return assertion(p, p->many_lines ? AT_LINE_START : AT_TEXT_START);
	if (accept(p, "$"))
		return assertion(p, p->many_lines ? AT_LINE_END : AT_TEXT_END);
	if (strchr("*+?", *p->s) && *p->s) {
		fault(p, "there is nothing to repeat before * + or ?");
		return NULL;
	}
	if (*p->s != '[' && *p->s != '.')
		return literal(p, take_code(p));
	struct re_node *node = make(p, RE_SET);
	if (!node)
		return NULL;
	if (accept(p, "[")) {
		bracket(p, &node->set);
		return node;
	}
	p->s++;
	if (!p->dot_all)
		cel_set_add(p, &node->set, '\n', '\n');
	cel_set_negate(p, &node->set);
	return node;
}

/* {n}, {n,}, {n,m}; anything else in braces is text. */
static bool braces(struct re_parser *p, int *min, int *max)
{
	const char *s = p->s;
	int n[2] = {0, RE_FOREVER}, part = 0, digits = 0;
	if (s == p->end || *s != '{')
		return false;
	for (s++; s < p->end && *s != '}'; s++) {
		if (*s == ',' && part == 0 && digits) {
			part = 1;
			digits = 0;
		} else if (*s >= '0' && *s <= '9') {
			n[part] = (n[part] > 0 ? n[part] : 0) * 10 + (*s - '0');
			digits++;
			if (n[part] > RE_MAX_REPEAT)
				n[part] = RE_MAX_REPEAT + 1;
		} else {
			return false;
		}
	}
	if (s == p->end || (part == 0 && !digits))
		return false;
	p->s = s + 1;
	*min = n[0];
	*max = part ? n[1] : n[0];
	if (*min > RE_MAX_REPEAT || *max > RE_MAX_REPEAT || (*max != RE_FOREVER && *max < *min))
		fault(p, "a repeat count goes up to 1000, and not backwards");
	return true;
}

static bool repeat(struct re_parser *p, int *min, int *max)
{
	*min = 0;
	*max = RE_FOREVER;
	if (accept(p, "*"))
		return true;
	if (accept(p, "+")) {
		*min = 1;
		return true;
	}
	if (accept(p, "?")) {
		*max = 1;
		return true;
	}
	return braces(p, min, max);
}

static struct re_node *repeated(struct re_parser *p)
{
	struct re_node *node = atom(p);
	int min, max;
	bool again = false;
	while (more(p) && repeat(p, &min, &max)) {
		accept(p, "?"); /* which match is found doesn't matter, only whether */
		struct re_node *outer = make(p, RE_REPEAT);
		if (again)
			fault(p, "a repeat can't be repeated");
		if (!outer || !node)
			return NULL;
		outer->min = min;
		outer->max = max;
		outer->kids = node;
		node = outer;
		again = true;
	}
	return node;
}

static struct re_node *alternatives(struct re_parser *p)
{
	struct re_node *all = make(p, RE_ALT), **tail = all ? &all->kids : NULL;
	while (tail) {
		struct re_node *row = make(p, RE_CAT), **end = row ? &row->kids : NULL;
		while (end && more(p) && *p->s != '|' && *p->s != ')') {
			*end = repeated(p);
			end = *end ? &(*end)->next : NULL;
		}
		*tail = row;
		tail = row && accept(p, "|") ? &row->next : NULL;
	}
	return all;
}

struct re_node *cel_re_parse(struct re_parser *p)
{
	struct re_node *root = alternatives(p);
	if (more(p) && !p->why)
		p->why = "there is a ) too many";
	return p->why ? NULL : root;
}
