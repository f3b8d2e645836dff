/* Places: from bytes of a source to lines and columns, and from bytes of a scalar's text back to the source, through
 * quotes, escapes, indentation and folding.  Not the parser: libyaml has made the text, this finds where it came from.
 */
#include "yaml.h"
#include <string.h>

/* The length of the line break at s, as libyaml counts them: LF, CR, CRLF, NEL, LS, PS; 0: none. */
static size_t break_length(const char *s, const char *end)
{
	size_t left = (size_t)(end - s);
	if (left && s[0] == '\n')
		return 1;
	if (left && s[0] == '\r')
		return left > 1 && s[1] == '\n' ? 2 : 1;
	if (left > 1 && memcmp(s, "\xc2\x85", 2) == 0)
		return 2;
	if (left > 2 && (memcmp(s, "\xe2\x80\xa8", 3) == 0 || memcmp(s, "\xe2\x80\xa9", 3) == 0))
		return 3;
	return 0;
}

static bool begins_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

void source_lines(struct source *s, struct arena *arena)
{
	uint32_t cap = 64;
	s->lines = arena_alloc(arena, cap * sizeof *s->lines);
	s->lines[0] = 0;
	s->n_lines = 1;
	for (size_t i = 0; i < s->len;) {
		size_t n = break_length(s->text + i, s->text + s->len);
		i += n ? n : 1;
		if (!n)
			continue;
		ARENA_PUSH_ROOM(arena, s->lines, s->n_lines, cap);
		s->lines[s->n_lines++] = (uint32_t)i;
	}
}

uint32_t source_offset(const struct source *s, uint32_t line, uint32_t column)
{
	if (line > s->n_lines)
		return (uint32_t)s->len;
	size_t at = s->lines[line - 1];
	for (uint32_t left = column - 1; left && at < s->len; left--)
		do
			at++;
		while (at < s->len && !begins_character(s->text[at]));
	return (uint32_t)at;
}

struct place source_place(const struct source *s, size_t offset)
{
	uint32_t low = 0, high = s->n_lines;
	if (offset > s->len)
		offset = s->len;
	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;
		if (s->lines[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	uint32_t column = 1;
	for (size_t i = s->lines[low]; i < offset; i++)
		column += begins_character(s->text[i]);
	if (offset < s->len && !begins_character(s->text[offset]) && column > 1)
		column--; /* within a character: its begin */
	return (struct place){s->name, low + 1, column};
}

struct place node_place(const struct node *n)
{
	return n ? (struct place){n->source->name, n->line, n->column} : (struct place){"", 0, 0};
}

/* --- a scalar's text and its source, side by side */
struct walk {
	const struct node *n;
	const char *s, *end; /* in the source */
	size_t at, want;     /* bytes of the text passed, and the byte that is looked for */
};

/* Bytes that the escape at s (a backslash) takes in the source, and those that it gives in the text. */
static size_t escape_length(const char *s, const char *end, size_t *gives)
{
	*gives = 1;
	if (s + 1 >= end)
		return 1;
	size_t digits = s[1] == 'x' ? 2 : s[1] == 'u' ? 4 : s[1] == 'U' ? 8 : 0;
	if (s[1] == 'N' || s[1] == '_')
		*gives = 2; /* U+0085, U+00A0 */
	if (s[1] == 'L' || s[1] == 'P')
		*gives = 3; /* U+2028, U+2029 */
	if (!digits)
		return 2;
	uint32_t code = 0;
	size_t i = 2;
	for (; i < 2 + digits && s + i < end; i++) {
		char c = s[i];
		uint32_t digit = c >= '0' && c <= '9' ? (uint32_t)(c - '0') : ((uint32_t)(c | 32) - 'a' + 10) & 15;
		code = code << 4 | digit;
	}
	*gives = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	return i;
}

/* Passes the text of a line break: blanks and breaks in the source have become spaces or breaks, or nothing. */
static void pass_break(struct walk *w)
{
	const struct str text = w->n->text;
	while (w->s < w->end) {
		size_t n = break_length(w->s, w->end);
		if (!n && *w->s != ' ' && *w->s != '\t')
			break;
		w->s += n ? n : 1;
	}
	while (w->at < text.len && w->at < w->want && (text.s[w->at] == ' ' || text.s[w->at] == '\n'))
		w->at++;
}

/* Does a line end here, but for blanks? */
static bool line_ends(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	return s < end && break_length(s, end) > 0;
}

/* An escaped line break stands for nothing: it and the next line's indentation are passed. */
static bool pass_escaped_break(struct walk *w)
{
	if (w->n->style != STYLE_DOUBLE || w->s + 1 >= w->end || *w->s != '\\' || !break_length(w->s + 1, w->end))
		return false;
	w->s++;
	while (w->s < w->end && (break_length(w->s, w->end) || *w->s == ' ' || *w->s == '\t'))
		w->s++;
	return true;
}

/* Plain and quoted scalars: characters stand for themselves but for escapes, doubled quotes and folded lines. */
static void walk_flow(struct walk *w)
{
	enum node_style style = w->n->style;
	while (w->at < w->want && w->s < w->end) {
		size_t gives;
		if (pass_escaped_break(w))
			continue;
		if (line_ends(w->s, w->end)) {
			pass_break(w);
		} else if (style == STYLE_DOUBLE && *w->s == '\\') {
			size_t takes = escape_length(w->s, w->end, &gives);
			if (w->at + gives > w->want)
				return;
			w->s += takes;
			w->at += gives;
		} else {
			w->s += style == STYLE_SINGLE && *w->s == '\'' ? 2 : 1;
			w->at++;
		}
	}
	if (w->want < w->n->text.len)
		pass_escaped_break(w);
}

/* The indentation of a block scalar: that of its first line with content. */
static size_t block_indent(const char *s, const char *end)
{
	while (s < end) {
		const char *line = s;
		while (s < end && *s == ' ')
			s++;
		size_t n = s < end ? break_length(s, end) : 0;
		if (!n)
			return (size_t)(s - line);
		s += n;
	}
	return 0;
}

/* Is [s, line's end) what the text goes on with at this byte? */
static bool line_matches(struct str text, size_t at, const char *s, const char *end, size_t *len)
{
	size_t n = 0;
	while (s + n < end && !break_length(s + n, end))
		n++;
	*len = n;
	return at + n <= text.len && memcmp(text.s + at, s, n) == 0;
}

/* Block scalars, line by line: between two lines' contents the text has some spaces and breaks, as folding has it. */
static void walk_block(struct walk *w)
{
	while (w->s < w->end && !break_length(w->s, w->end)) /* `>-` and a comment */
		w->s++;
	w->s += break_length(w->s, w->end);
	size_t indent = block_indent(w->s, w->end);
	while (w->s < w->end) {
		size_t skip = 0, len, at = w->at;
		while (skip < indent && w->s + skip < w->end && w->s[skip] == ' ')
			skip++;
		const char *line = w->s + skip;
		while (!line_matches(w->n->text, at, line, w->end, &len) && at < w->n->text.len &&
		       (w->n->text.s[at] == ' ' || w->n->text.s[at] == '\n' || w->n->text.s[at] == '\t'))
			at++;
		if (len && at + len >= w->want) {
			w->s = at > w->want ? line : line + (w->want - at);
			w->at = w->want;
			return;
		}
		w->at = len ? at + len : w->at;
		w->s = line + len + break_length(line + len, w->end);
	}
}

struct place node_place_at(const struct node *n, size_t offset)
{
	if (n->kind != NODE_SCALAR)
		return node_place(n);
	struct walk w = {n, n->source->text + n->start, n->source->text + n->end, 0,
			 offset < n->text.len ? offset : n->text.len};
	if (n->style == STYLE_LITERAL || n->style == STYLE_FOLDED) {
		while (w.want && w.want == n->text.len && n->text.s[w.want - 1] == '\n')
			w.want--; /* its end is that of its last line */
		walk_block(&w);
	} else {
		w.s += n->style != STYLE_PLAIN && w.s < w.end;
		w.end -= n->style != STYLE_PLAIN && w.s < w.end;
		walk_flow(&w);
	}
	return source_place(n->source, (size_t)(w.s - n->source->text));
}
