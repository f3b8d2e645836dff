/* YAML with places: the tree, what is refused, and the way back from a byte of a scalar to its line and column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../daemon/conf/yaml.h"

struct read {
	struct arena arena;
	struct faults faults;
	struct document *documents;
	size_t n;
};

static void read_text(struct read *r, const char *text)
{
	arena_init(&r->arena);
	faults_init(&r->faults);
	r->documents = yaml_read("a.yaml", text, strlen(text), &r->arena, &r->faults, &r->n);
}

static void close_read(struct read *r)
{
	arena_close(&r->arena);
	faults_close(&r->faults);
}

static void scalars_stay_text(void **state)
{
	(void)state;
	struct read r;
	read_text(&r, "a: no\nb: 360704\nc: 'it''s'\nd: [on, \"x\\ty\", ~]\ne:\n");
	assert_int_equal(r.faults.n, 0);
	assert_int_equal(r.n, 1);
	const struct node *root = r.documents[0].root;
	assert_true(node_is(node_get(root, "a"), "no"));
	assert_true(node_is(node_get(root, "b"), "360704"));
	assert_true(node_is(node_get(root, "c"), "it's"));
	const struct node *d = node_get(root, "d");
	assert_int_equal(d->kind, NODE_LIST);
	assert_int_equal(d->n, 3);
	assert_true(node_is(d->entries[1].value, "x\ty"));
	assert_true(node_empty(node_get(root, "e")));
	assert_null(node_get(root, "f"));
	close_read(&r);
}

static void places_count_characters(void **state)
{
	(void)state;
	struct read r;
	read_text(&r, "标题: 自付\n名: {甲: 乙, 丙: 丁}\n");
	const struct node *root = r.documents[0].root;
	struct place p = node_place(root->entries[0].value);
	assert_int_equal(p.line, 1);
	assert_int_equal(p.column, 5);
	p = node_place(root->entries[1].value->entries[1].value);
	assert_int_equal(p.line, 2);
	assert_int_equal(p.column, 14);
	assert_string_equal(p.file, "a.yaml");
	close_read(&r);
}

static void documents_are_apart_and_empty_ones_left_out(void **state)
{
	(void)state;
	struct read r;
	read_text(&r, "\xef\xbb\xbf# a byte order mark\n---\na: 1\n---\n---\n# nothing\n---\nb: 2\n...\n");
	assert_int_equal(r.faults.n, 0);
	assert_int_equal(r.n, 2);
	assert_int_equal(node_place(r.documents[1].root).line, 8);
	close_read(&r);
}

static void a_syntax_fault_ends_its_document_only(void **state)
{
	(void)state;
	struct read r;
	read_text(&r, "a: 1\n---\nb: 2\nc: [x\n---\nd: {\n---\ne: 5\n");
	assert_int_equal(r.faults.errors, 2);
	assert_int_equal(r.n, 4);
	assert_false(r.documents[0].broken);
	assert_true(r.documents[1].broken);
	assert_true(node_is(node_get(r.documents[1].root, "b"), "2"));
	assert_true(r.documents[2].broken);
	assert_false(r.documents[3].broken);
	assert_true(node_is(node_get(r.documents[3].root, "e"), "5"));
	close_read(&r);
}

static void what_changes_text_silently_is_a_fault(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned line, column;
		const char *says;
	} cases[] = {
		{"a: !b", 1, 4, "a tag"},
		{"a: ! b", 1, 4, "a tag"},
		{"a: !!str b", 1, 4, "a tag"},
		{"a: ! [b]", 1, 4, "a tag"},
		{"a: &b c", 1, 4, "an anchor"},
		{"a: *b", 1, 4, "an alias"},
		{"a: 1\nb:\n  'x: 2\n", 3, 3, "not closed"},
		{"a: 1\nb: 2\na: 3", 3, 1, "given twice, first in line 1"},
		{"a:\n\tb: 1", 2, 1, "a tab"},
		{"a: @b", 1, 4, "begins with `@`"},
		{"a: %b", 1, 4, "begins with `%`"},
		{"a: b: c", 1, 5, "a second `: `"},
		{"a: \"b", 1, 4, "not closed"},
		{"a: [b", 1, 6, "not closed"},
		{"[a]: b", 1, 1, "as a key"},
		{"a: b\x02", 1, 5, "control character (0x02)"},
		{"a: \xff", 1, 4, "no UTF-8 (0xFF)"},
		{"a: \"b\\0c\"", 1, 4, "a zero byte"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct read r;
		read_text(&r, cases[i].text);
		assert_true(r.faults.n >= 1);
		const struct fault *f = &r.faults.list[0];
		if (!strstr(f->text, cases[i].says))
			fail_msg("%s gives: %s", cases[i].text, f->text);
		if (f->at.line != cases[i].line || f->at.column != cases[i].column)
			fail_msg("%s: at %u:%u: %s", cases[i].text, f->at.line, f->at.column, f->text);
		close_read(&r);
	}
}

static void depth_is_bounded(void **state)
{
	(void)state;
	struct read r;
	char text[2001];
	memset(text, '[', 2000);
	text[2000] = '\0';
	read_text(&r, text);
	assert_true(r.faults.errors >= 1);
	assert_non_null(strstr(r.faults.list[0].text, "nested more than"));
	close_read(&r);
}

/* --- from a byte of a scalar's text to the file */
static void at(const struct node *n, const char *part, unsigned line, unsigned column)
{
	const char *found = strstr(n->text.s, part);
	assert_non_null(found);
	struct place p = node_place_at(n, (size_t)(found - n->text.s));
	if (p.line != line || p.column != column)
		fail_msg("`%s` in `%s`: found at %u:%u, expected %u:%u", part, n->text.s, p.line, p.column, line,
			 column);
}

static void columns_are_the_files_in_every_style(void **state)
{
	(void)state;
	struct read r;
	read_text(&r, "plain: 户 alpha\n"
		      "  beta\n"
		      "\n"
		      "  gamma\n"
		      "single: 'it''s 户 alpha\n"
		      "    beta'\n"
		      "double: \"\\u6237\\x41 \\\"alpha\\\" \\\n"
		      "    beta\"\n"
		      "folded: >-   # a comment\n"
		      "    户 alpha\n"
		      "    beta\n"
		      "\n"
		      "      gamma\n"
		      "    delta\n"
		      "literal: |\n"
		      "   户 alpha\n"
		      "     beta\n"
		      "   gamma\n"
		      "given: >2+\n"
		      "    alpha\n"
		      "  beta\n"
		      "\n");
	assert_int_equal(r.faults.n, 0);
	const struct node *root = r.documents[0].root, *n = node_get(root, "plain");
	at(n, "alpha", 1, 10), at(n, "beta", 2, 3), at(n, "gamma", 4, 3);
	n = node_get(root, "single");
	at(n, "s 户", 5, 14), at(n, "alpha", 5, 18), at(n, "beta", 6, 5);
	n = node_get(root, "double");
	at(n, "A", 7, 16), at(n, "alpha", 7, 23), at(n, "beta", 8, 5);
	n = node_get(root, "folded");
	at(n, "alpha", 10, 7), at(n, "beta", 11, 5), at(n, "gamma", 13, 7), at(n, "delta", 14, 5);
	n = node_get(root, "literal");
	at(n, "alpha", 16, 6), at(n, "beta", 17, 6), at(n, "gamma", 18, 4);
	n = node_get(root, "given");
	at(n, "alpha", 20, 5), at(n, "beta", 21, 3);
	close_read(&r);
}

static void the_end_of_a_scalar_is_its_last_line(void **state)
{
	(void)state;
	struct read r;
	read_text(&r, "a: >-\n  x &&\nb: 'y'\nc: |\n  z\n\n\nd: 1\n");
	const struct node *root = r.documents[0].root, *n = node_get(root, "a");
	struct place p = node_place_at(n, n->text.len);
	assert_int_equal(p.line, 2);
	assert_int_equal(p.column, 7);
	n = node_get(root, "b");
	p = node_place_at(n, n->text.len);
	assert_int_equal(p.line, 3);
	assert_int_equal(p.column, 6);
	n = node_get(root, "c");
	p = node_place_at(n, n->text.len);
	assert_int_equal(p.line, 5);
	assert_int_equal(p.column, 4);
	close_read(&r);
}

/* Random texts in random styles: each letter of the scalar must be found at its place in the file. */
static uint32_t seed = 1;
static unsigned roll(unsigned n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 16) % n;
}

static void put(char *out, const char *s)
{
	strcat(out, s);
}

static void random_line(char *out, bool quoted)
{
	static const char *const words[] = {"alpha", "户", "b", "&&", ">=", "3.5", "自付医疗费", "it", "x.y", "(z)"};
	for (unsigned i = 0, n = 1 + roll(5); i < n; i++) {
		put(out, i ? (roll(4) ? " " : "  ") : "");
		put(out, words[roll(sizeof words / sizeof *words)]);
		if (quoted && roll(6) == 0)
			put(out, "#");
	}
}

static void random_scalar(char *out)
{
	static const char *const openings[] = {"key: ",      "key: '",      "key: \"",
					       "key: |\n  ", "key: >-\n  ", "key: >\n    "};
	unsigned style = roll(6);
	bool block = style >= 3;
	const char *indent = style == 5 ? "    " : "  ";
	strcpy(out, openings[style]);
	if (style == 0)
		put(out, "a ");
	for (unsigned i = 0, n = 1 + roll(4); i < n; i++) {
		if (i) {
			put(out, "\n");
			for (unsigned k = 0, blanks = roll(3) ? 0 : 1 + roll(2); k < blanks; k++)
				put(out, roll(2) ? "\n" : "  \n");
			put(out, indent);
			put(out, block && roll(4) == 0 ? "  " : "");
		}
		if (style == 1 && roll(3) == 0)
			put(out, "''");
		if (style == 2 && roll(3) == 0)
			put(out, roll(2) ? "\\\"" : "\\u6237");
		random_line(out, style == 1 || style == 2);
	}
	put(out, style == 1 ? "'\n" : style == 2 ? "\"\n" : "\n");
	put(out, roll(2) ? "next: 1\n" : "");
}

static void every_letter_is_found_where_it_stands(void **state)
{
	(void)state;
	for (int round = 0; round < 5000; round++) {
		char text[4096];
		struct read r;
		random_scalar(text);
		read_text(&r, text);
		if (r.faults.n)
			fail_msg("%s\n%s", text, r.faults.list[0].text);
		const struct node *n = node_get(r.documents[0].root, "key");
		for (size_t i = 0; i < n->text.len; i++) {
			struct place p = node_place_at(n, i);
			uint32_t offset = source_offset(n->source, p.line, p.column);
			char c = n->text.s[i], there = n->source->text[offset];
			bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("&>=.()#", c);
			if (letter && c && c != there)
				fail_msg("byte %zu of `%s` (%c) is placed at %u:%u (%c) of\n%s", i, n->text.s, c,
					 p.line, p.column, there, text);
		}
		close_read(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars_stay_text),
		cmocka_unit_test(places_count_characters),
		cmocka_unit_test(documents_are_apart_and_empty_ones_left_out),
		cmocka_unit_test(a_syntax_fault_ends_its_document_only),
		cmocka_unit_test(what_changes_text_silently_is_a_fault),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(columns_are_the_files_in_every_style),
		cmocka_unit_test(the_end_of_a_scalar_is_its_last_line),
		cmocka_unit_test(every_letter_is_found_where_it_stands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
