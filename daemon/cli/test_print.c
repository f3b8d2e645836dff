/* Prints a failed expectation for people: where, wanted and got side by side, and why the rule judged so. */
#include "test_run.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void print_line(struct test_run *run, const struct node *at, const char *what, const char *format, va_list args)
{
	struct place p = node_place(at);
	struct str when = time_text(&run->scratch, run->r->zone, run->step->at);
	printf("%s:%u:%u: %s: %s: at %.*s: ", p.file, p.line, p.column, what, run->test->name,
	       run->step->at == day_start(run->r->zone, day_of(run->r->zone, run->step->at)) ? 10 : (int)when.len,
	       when.s);
	vprintf(format, args);
	putchar('\n');
}

void print_note(struct test_run *run, const struct node *at, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	print_line(run, at, "note", format, args);
	va_end(args);
}

void print_failure(struct test_run *run, const struct node *at, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	print_line(run, at, "FAILED", format, args);
	va_end(args);
	run->n_failures++;
}

/* Columns on a terminal: Chinese characters take two. */
static int width_of(const char *s)
{
	int width = 0;
	for (const unsigned char *c = (const unsigned char *)s; *c; c++)
		if ((*c & 0xc0) != 0x80)
			width += *c >= 0xe3 && *c <= 0xef ? 2 : *c >= 0xf0 ? 2 : 1;
	return width;
}

static void print_cell(const char *key, const char *text, int width)
{
	int used = text ? printf("%s: %s", key, text) : printf("-");
	if (used < 0)
		return;
	used = text ? width_of(key) + 2 + width_of(text) : 1;
	printf("%*s", width > used ? width - used : 0, "");
}

void print_pairs(const struct got_pair *pairs, size_t n)
{
	int width = width_of("wanted");
	for (size_t i = 0; i < n; i++) {
		int w = pairs[i].wanted ? width_of(pairs[i].key) + 2 + width_of(pairs[i].wanted) : 1;
		width = w > width ? w : width;
	}
	printf("    %-*s       got\n", width, "wanted");
	for (size_t i = 0; i < n; i++) {
		bool same = pairs[i].wanted && pairs[i].got && strcmp(pairs[i].wanted, pairs[i].got) == 0;
		fputs("    ", stdout);
		print_cell(pairs[i].key, pairs[i].wanted, width);
		fputs(same ? "   =   " : "   !   ", stdout);
		print_cell(pairs[i].key, pairs[i].got, 0);
		putchar('\n');
	}
}

void print_explanation(struct test_run *run, struct subject *s, const struct rule *rule, struct str member)
{
	if (!rule || !s)
		return;
	struct str text = engine_explain(run->engine, s, rule, member, run->now, &run->scratch);
	printf("    %s judges%s%.*s:\n", rule->name, member.len ? " " : "", (int)member.len, member.s);
	for (const char *line = text.s, *end = text.s + text.len; line < end;) {
		const char *next = memchr(line, '\n', (size_t)(end - line));
		next = next ? next : end;
		printf("    %.*s\n", (int)(next - line), line);
		line = next + 1;
	}
}

const char *value_text(struct test_run *run, struct cel_value v)
{
	struct arena *a = &run->scratch;
	int64_t ms;
	switch ((enum cel_kind)v.kind) {
	case CEL_UNKNOWN:
		return "unknown";
	case CEL_ERROR:
		return arena_printf(a, "unknown (%s)", v.problem ? v.problem->text : "an error");
	case CEL_BOOL:
		return v.b ? "true" : "false";
	case CEL_INT:
		return arena_printf(a, "%lld", (long long)v.i);
	case CEL_DOUBLE:
		return arena_printf(a, "%.15g", v.d);
	case CEL_STRING:
		return arena_text(a, v.s, v.len);
	case CEL_TIMESTAMP:
		ms = v.i * 1000 + v.nanos / 1000000;
		if (ms == day_start(run->r->zone, day_of(run->r->zone, ms)))
			return day_text(a, day_of(run->r->zone, ms)).s;
		return time_text(a, run->r->zone, ms).s;
	case CEL_LIST:
		return arena_printf(a, "a list of %u", v.len);
	default:
		return "another kind of value";
	}
}
