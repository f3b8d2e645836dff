/* cel_lex.c: text to tokens, with the values of literals (langdef, "Syntax"). */
#include "cel_compilation.h"
#include "cel_text.h"
#include <stdlib.h>
#include <string.h>

static bool is_digit(int ch)
{
	return ch >= '0' && ch <= '9';
}
static bool is_start(int ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
}
static int hex_of(int ch)
{
	return is_digit(ch)             ? ch - '0'
	       : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
	       : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
					: -1;
}
/* The character at an offset from the lexer's place, 0 at the end. */
static int peek(const struct compilation *c, uint32_t ahead)
{
	return c->at + ahead < c->len ? (uint8_t)c->text[c->at + ahead] : 0;
}

static void broken(struct compilation *c, uint32_t pos, uint32_t len, const char *message)
{
	cel_fault_at(c, pos, len, "%s", message);
	c->broken = true;
	c->token.kind = T_FAULT;
}

static void skip_space(struct compilation *c)
{
	for (;;) {
		int ch = peek(c, 0);
		if (ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r' || ch == '\f')
			c->at++;
		else if (ch == '/' && peek(c, 1) == '/')
			while (c->at < c->len && c->text[c->at] != '\n')
				c->at++;
		else
			return;
	}
}

/* --- numbers */
static void lex_hex(struct compilation *c)
{
	struct token *t = &c->token;
	uint64_t u = 0;
	bool big = false;
	for (c->at += 2; hex_of(peek(c, 0)) >= 0; c->at++) {
		big |= u >> 60 != 0;
		u = u << 4 | (uint64_t)hex_of(peek(c, 0));
	}
	t->kind = T_INT;
	t->value = cel_uint(u);
	if (c->at - t->pos == 2)
		broken(c, t->pos, 2, "hexadecimal digits are missing after 0x");
	else if (big)
		broken(c, t->pos, c->at - t->pos, "the number is too large: it must fit in 64 bits");
}

static bool lex_fraction(struct compilation *c)
{
	bool fraction = false;
	if (peek(c, 0) == '.' && is_digit(peek(c, 1))) {
		fraction = true;
		for (c->at++; is_digit(peek(c, 0));)
			c->at++;
	}
	if (peek(c, 0) == 'e' || peek(c, 0) == 'E') {
		uint32_t sign = peek(c, 1) == '+' || peek(c, 1) == '-';
		if (is_digit(peek(c, 1 + sign))) {
			fraction = true;
			for (c->at += 1 + sign; is_digit(peek(c, 0));)
				c->at++;
		}
	}
	return fraction;
}

static void lex_decimal(struct compilation *c)
{
	struct token *t = &c->token;
	uint64_t u = 0;
	bool big = false;
	for (; is_digit(peek(c, 0)); c->at++)
		big |= __builtin_mul_overflow(u, 10u, &u) ||
		       __builtin_add_overflow(u, (uint64_t)(peek(c, 0) - '0'), &u);
	if (lex_fraction(c)) {
		char *text = cel_take_text(c, c->text + t->pos, c->at - t->pos);
		t->kind = T_DOUBLE;
		t->value = cel_double(strtod(text, NULL));
		return;
	}
	t->kind = T_INT;
	t->value = cel_uint(u);
	if (big)
		broken(c, t->pos, c->at - t->pos, "the number is too large: it must fit in 64 bits");
}

static void lex_number(struct compilation *c)
{
	if (peek(c, 0) == '0' && (peek(c, 1) == 'x' || peek(c, 1) == 'X'))
		lex_hex(c);
	else
		lex_decimal(c);
	if (c->token.kind == T_INT && (peek(c, 0) == 'u' || peek(c, 0) == 'U')) {
		c->token.kind = T_UINT;
		c->at++;
	}
	if (!c->broken && is_start(peek(c, 0)))
		broken(c, c->token.pos, c->at + 1 - c->token.pos, "a number can't be followed by a letter");
}

/* --- strings and bytes */
static bool hex_digits(struct compilation *c, uint32_t n, uint32_t *code)
{
	*code = 0;
	for (uint32_t i = 0; i < n; i++) {
		int d = hex_of(peek(c, i));
		if (d < 0)
			return false;
		*code = *code << 4 | (uint32_t)d;
	}
	c->at += n;
	return true;
}

/* A code point by \u or \U, with surrogate pairs. */
static bool unicode_escape(struct compilation *c, uint32_t digits, uint32_t *code)
{
	if (!hex_digits(c, digits, code))
		return false;
	if (*code >= 0xd800 && *code < 0xdc00 && peek(c, 0) == '\\' && peek(c, 1) == 'u') {
		uint32_t low;
		c->at += 2;
		if (!hex_digits(c, 4, &low) || low < 0xdc00 || low > 0xdfff)
			return false;
		*code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
	}
	return *code <= 0x10ffff && !(*code >= 0xd800 && *code <= 0xdfff);
}

static bool octal_escape(struct compilation *c, uint32_t *code)
{
	int a = peek(c, 0), b = peek(c, 1), d = peek(c, 2);
	if (a < '0' || a > '3' || b < '0' || b > '7' || d < '0' || d > '7')
		return false;
	*code = (uint32_t)((a - '0') * 64 + (b - '0') * 8 + (d - '0'));
	c->at += 3;
	return true;
}

/* Reads the escape after a backslash; writes it at out and returns the new end, or NULL. */
static char *escape(struct compilation *c, bool bytes, char *out)
{
	static const char from[] = "abfnrtv\\?\"'`", to[] = "\a\b\f\n\r\t\v\\?\"'`";
	int ch = peek(c, 0);
	const char *simple = ch ? strchr(from, ch) : NULL;
	if (simple) {
		c->at++;
		*out = to[simple - from];
		return out + 1;
	}
	uint32_t code;
	bool fine, octet = true;
	if (ch >= '0' && ch <= '3') {
		fine = octal_escape(c, &code);
	} else if (ch == 'x' || ch == 'X') {
		c->at++;
		fine = hex_digits(c, 2, &code);
	} else if ((ch == 'u' || ch == 'U') && !bytes) {
		c->at++;
		octet = false;
		fine = unicode_escape(c, ch == 'u' ? 4 : 8, &code);
	} else {
		return NULL;
	}
	if (!fine)
		return NULL;
	if (bytes && octet) {
		*out = (char)code;
		return out + 1;
	}
	return out + cel_utf8_put(out, code);
}

static bool closes(const struct compilation *c, int quote, bool triple)
{
	return peek(c, 0) == quote && (!triple || (peek(c, 1) == quote && peek(c, 2) == quote));
}

static void lex_string(struct compilation *c, bool raw, bool bytes)
{
	struct token *t = &c->token;
	int quote = peek(c, 0);
	bool triple = peek(c, 1) == quote && peek(c, 2) == quote;
	c->at += triple ? 3 : 1;
	if (!c->scratch)
		c->scratch = cel_take(c, c->len + 8u);
	char *start = c->scratch, *out = start;
	while (!closes(c, quote, triple)) {
		int ch = peek(c, 0);
		if (c->at >= c->len || (!triple && (ch == '\n' || ch == '\r'))) {
			broken(c, t->pos, c->at - t->pos, "the string isn't closed");
			return;
		}
		c->at++;
		if (ch != '\\' || raw) {
			*out++ = (char)ch;
			continue;
		}
		uint32_t pos = c->at - 1;
		if (!(out = escape(c, bytes, out))) {
			uint32_t len = c->at < c->len ? c->at + 1 - pos : c->at - pos;
			broken(c, pos, len, bytes ? "no such escape in bytes" : "no such escape in a string");
			return;
		}
	}
	c->at += triple ? 3 : 1;
	t->kind = bytes ? T_BYTES : T_STRING;
	char *kept = cel_pool_alloc(c->kept, (size_t)(out - start) + 1);
	if (!kept)
		longjmp(c->out, 1);
	memcpy(kept, start, (size_t)(out - start));
	t->value = cel_string(kept, (size_t)(out - start));
	if (bytes)
		t->value.kind = CEL_BYTES;
	else if (!cel_utf8_valid(start, (size_t)(out - start)))
		broken(c, t->pos, c->at - t->pos, "the string isn't valid UTF-8");
}

/* --- names */
static void lex_name(struct compilation *c)
{
	static const struct {
		const char *word;
		uint8_t kind;
	} words[] = {
		{"true", T_TRUE},       {"false", T_FALSE},  {"null", T_NULL},      {"in", T_IN},
		{"as", T_IDENT},        {"break", T_IDENT},  {"const", T_IDENT},    {"continue", T_IDENT},
		{"else", T_IDENT},      {"for", T_IDENT},    {"function", T_IDENT}, {"if", T_IDENT},
		{"import", T_IDENT},    {"let", T_IDENT},    {"loop", T_IDENT},     {"package", T_IDENT},
		{"namespace", T_IDENT}, {"return", T_IDENT}, {"var", T_IDENT},      {"void", T_IDENT},
		{"while", T_IDENT},
	};
	struct token *t = &c->token;
	while (is_start(peek(c, 0)) || is_digit(peek(c, 0)))
		c->at++;
	size_t len = c->at - t->pos;
	t->kind = T_IDENT;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strlen(words[i].word) == len && memcmp(words[i].word, c->text + t->pos, len) == 0) {
			t->kind = words[i].kind;
			t->reserved = true;
		}
	t->value = cel_string(c->text + t->pos, len);
}

static void lex_quoted(struct compilation *c)
{
	struct token *t = &c->token;
	for (c->at++; is_start(peek(c, 0)) || is_digit(peek(c, 0)) || (peek(c, 0) && strchr("_.-/ ", peek(c, 0)));)
		c->at++;
	t->kind = T_QUOTED;
	t->value = cel_string(c->text + t->pos + 1, c->at - t->pos - 1);
	if (peek(c, 0) != '`')
		broken(c, t->pos, c->at - t->pos,
		       "a name in backticks takes letters, digits and _ . - / and spaces, and ends with a backtick");
	c->at++;
}

/* What the character, as an input method for Chinese writes it, stands for; NULL: nothing that CEL has.  U+FF01 to
 * U+FF5E are the wide forms of ASCII. */
static const char *ascii_of(uint32_t code, char wide[2])
{
	static const struct {
		uint32_t code;
		const char *ascii;
	} table[] = {
		{0x2264, "<="}, {0x2265, ">="}, {0x2260, "!="}, {0x201c, "\""}, {0x201d, "\""}, {0x2018, "'"},
		{0x2019, "'"},  {0x3001, ","},  {0x3002, "."},  {0x3010, "["},  {0x3011, "]"},  {0xd7, "*"},
		{0xf7, "/"},    {0x2212, "-"},  {0x2014, "-"},  {0x3000, " "},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].code == code)
			return table[i].ascii;
	if (code < 0xff01 || code > 0xff5e)
		return NULL;
	wide[0] = (char)(code - 0xfee0);
	wide[1] = '\0';
	return code == 0xff1d ? "==" : wide;
}

static void no_meaning(struct compilation *c)
{
	uint32_t code, len = (uint32_t)cel_utf8_get(c->text + c->at, c->len - c->at, &code);
	char wide[2];
	const char *ascii = ascii_of(code, wide);
	if (code < 0x80 || code == 0xfffd)
		cel_fault_at(c, c->at, len, "this character has no meaning here");
	else if (ascii)
		cel_fault_at(c, c->at, len, "`%.*s` has no meaning here; expected `%s`", (int)len, c->text + c->at,
			     ascii);
	else
		cel_fault_at(c, c->at, len,
			     "`%.*s` has no meaning here; expected letters a-z, digits and `_` in names, and texts in "
			     "quotes",
			     (int)len, c->text + c->at);
	c->broken = true;
	c->token.kind = T_FAULT;
}

static void lex_operator(struct compilation *c)
{
	static const struct {
		char text[3];
		uint8_t kind;
	} operators[] = {
		{"||", T_OR},    {"&&", T_AND},     {"==", T_EQ},      {"!=", T_NE},      {"<=", T_LE},
		{">=", T_GE},    {"<", T_LT},       {">", T_GT},       {"!", T_NOT},      {"+", T_PLUS},
		{"-", T_MINUS},  {"*", T_STAR},     {"/", T_SLASH},    {"%", T_PERCENT},  {"(", T_LPAREN},
		{")", T_RPAREN}, {"[", T_LBRACKET}, {"]", T_RBRACKET}, {"{", T_LBRACE},   {"}", T_RBRACE},
		{".", T_DOT},    {",", T_COMMA},    {":", T_COLON},    {"?", T_QUESTION},
	};
	for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
		const char *op = operators[i].text;
		if (peek(c, 0) == op[0] && (!op[1] || peek(c, 1) == op[1])) {
			c->token.kind = operators[i].kind;
			c->at += op[1] ? 2 : 1;
			return;
		}
	}
	const char *hint = peek(c, 0) == '='   ? "comparing is written =="
			   : peek(c, 0) == '&' ? "and is written &&"
			   : peek(c, 0) == '|' ? "or is written ||"
					       : NULL;
	if (hint)
		broken(c, c->at, 1, hint);
	else
		no_meaning(c);
}

void cel_lex_next(struct compilation *c)
{
	c->end = c->at;
	skip_space(c);
	c->token = (struct token){.kind = T_END, .pos = c->at};
	if (c->broken || c->at >= c->len)
		return;
	int ch = peek(c, 0), next = peek(c, 1), third = peek(c, 2);
	bool r = ch == 'r' || ch == 'R', b = ch == 'b' || ch == 'B', r2 = b && (next == 'r' || next == 'R');
	if (ch == '"' || ch == '\'') {
		lex_string(c, false, false);
	} else if ((r || b) && (next == '"' || next == '\'')) {
		c->at++;
		lex_string(c, r, b);
	} else if (r2 && (third == '"' || third == '\'')) {
		c->at += 2;
		lex_string(c, true, true);
	} else if (is_digit(ch) || (ch == '.' && is_digit(next))) {
		lex_number(c);
	} else if (is_start(ch)) {
		lex_name(c);
	} else if (ch == '`') {
		lex_quoted(c);
	} else {
		lex_operator(c);
	}
	c->token.len = c->at - c->token.pos;
}
