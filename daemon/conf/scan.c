/* A light scan of expressions for the names in them; the parser proper is core/cel_parse.c. */
#include "expr.h"
#include <string.h>

static bool starts_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool in_name(char c)
{
	return starts_name(c) || (c >= '0' && c <= '9');
}

/* The byte after a string literal whose quotes begin at `at`. */
static uint32_t pass_text(struct str text, uint32_t at, bool raw)
{
	char quote = text.s[at];
	uint32_t n = at + 2 < text.len && text.s[at + 1] == quote && text.s[at + 2] == quote ? 3 : 1;
	for (at += n; at < text.len; at++) {
		if (text.s[at] == '\\' && !raw) {
			at++;
		} else if (text.s[at] == quote) {
			if (n == 1)
				return at + 1;
			if (at + 2 < text.len && text.s[at + 1] == quote && text.s[at + 2] == quote)
				return at + 3;
		}
	}
	return text.len;
}

static void take_text(struct scan *s, struct token *out, uint32_t quotes, bool raw)
{
	uint32_t end = pass_text(s->text, quotes, raw);
	out->kind = TOKEN_TEXT;
	out->pos = quotes + 1;
	out->len = end > quotes + 2 ? end - quotes - 2 : 0;
	s->at = end;
}

static uint32_t name_length(struct str text, uint32_t at)
{
	uint32_t n = 0;
	while (at + n < text.len && in_name(text.s[at + n]))
		n++;
	return n;
}

bool scan_next(struct scan *s, struct token *out)
{
	const char *t = s->text.s;
	uint32_t end = s->text.len;
	for (;;) {
		while (s->at < end && strchr(" \t\r\n", t[s->at]))
			s->at++;
		if (s->at + 1 >= end || t[s->at] != '/' || t[s->at + 1] != '/')
			break;
		while (s->at < end && t[s->at] != '\n')
			s->at++;
	}
	if (s->at >= end)
		return false;
	*out = (struct token){.kind = TOKEN_OTHER, .pos = s->at, .len = 1, .c = t[s->at]};
	bool dot = s->dot;
	s->dot = t[s->at] == '.' || (dot && t[s->at] == '?');
	if (t[s->at] == '"' || t[s->at] == '\'') {
		take_text(s, out, s->at, false);
	} else if (starts_name(t[s->at])) {
		uint32_t n = name_length(s->text, s->at);
		bool prefix = n <= 2 && strspn(t + s->at, "rRbB") >= n && s->at + n < end &&
			      (t[s->at + n] == '"' || t[s->at + n] == '\'');
		if (prefix) {
			take_text(s, out, s->at + n, memchr(t + s->at, 'r', n) || memchr(t + s->at, 'R', n));
			return true;
		}
		out->kind = TOKEN_NAME;
		out->len = n;
		out->after_dot = dot;
		s->at += n;
	} else if (t[s->at] >= '0' && t[s->at] <= '9') {
		while (s->at < end && (in_name(t[s->at]) || t[s->at] == '.')) /* 0x1F, 1.5e3, 5u */
			s->at++;
		out->len = s->at - out->pos;
	} else {
		s->at++;
	}
	return true;
}

bool scan_names(struct str text, const char *name)
{
	struct scan s = {.text = text};
	struct token t;
	while (scan_next(&s, &t))
		if (t.kind == TOKEN_NAME && !t.after_dot &&
		    str_equal((struct str){text.s + t.pos, t.len}, str_of(name)))
			return true;
	return false;
}
