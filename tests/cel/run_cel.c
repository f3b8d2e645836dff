/* Runs the cases of the .txt files in tests/cel: each is a block of lines `key: value`, blocks are parted by empty
 * lines. expr     the expression; goes on in lines that begin with a space let      NAME = EXPR: a variable's value;
 * unknown  NAME: a variable whose value is missing rules    yes: with language.md's additions and refusals;  dynamic
 * yes: without the check of types and names expect   an expression of the same type and value; or `error TEXT`, where
 * the error's sentence holds the text; or `fault COLUMN TEXT`, of the check; or `unknown NAME, NAME` Prints each failed
 * case with file and line, and at the end how many passed and failed. */
#include "../../daemon/core/cel.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LETS = 16, MAX_TEXT = 8192, MAX_ZONES = 64 };

struct test {
	unsigned line;
	char expr[MAX_TEXT], expect[MAX_TEXT];
	char names[MAX_LETS][64], lets[MAX_LETS][MAX_TEXT]; /* an empty let: unknown */
	size_t n;
	bool rules, dynamic;
};

/* --- memory and zones */
struct chunk {
	struct chunk *next;
	max_align_t data[];
};
static void *chunk_alloc(void *ctx, size_t size)
{
	struct chunk **list = ctx, *c = malloc(sizeof *c + size);
	if (!c)
		return NULL;
	c->next = *list;
	*list = c;
	return c->data;
}
static void chunks_free(struct chunk *c)
{
	for (struct chunk *next; c; c = next) {
		next = c->next;
		free(c);
	}
}

struct shelf {
	struct cel_zone *zones[MAX_ZONES];
	size_t n;
};
static const struct cel_zone *find_zone(void *ctx, const char *name, size_t len)
{
	struct shelf *shelf = ctx;
	char path[256], data[16384];
	snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", (int)len, name);
	FILE *f = memchr(name, '.', len) || len == 0 || shelf->n == MAX_ZONES ? NULL : fopen(path, "rb");
	if (!f)
		return NULL;
	size_t size = fread(data, 1, sizeof data, f);
	fclose(f);
	struct cel_zone *zone = cel_zone_new(data, size);
	if (zone)
		shelf->zones[shelf->n++] = zone;
	return zone;
}

/* --- results */
struct faults {
	char text[2048]; /* one a line: column, a space, the message */
	const char *expr;
};
static void note_fault(void *ctx, uint32_t pos, uint32_t len, const char *message)
{
	struct faults *f = ctx;
	unsigned column = 1;
	(void)len;
	for (uint32_t i = 0; i < pos; i++)
		column = f->expr[i] == '\n' ? 1 : column + (((unsigned char)f->expr[i] & 0xc0) != 0x80);
	size_t at = strlen(f->text);
	snprintf(f->text + at, sizeof f->text - at, "%u %s\n", column, message);
}

/* Of the same type and value, also inside lists and maps. */
static bool same(struct cel_value a, struct cel_value b)
{
	if (a.kind != b.kind)
		return false;
	if (a.kind == CEL_DOUBLE)
		return a.d == b.d || (isnan(a.d) && isnan(b.d));
	if (a.kind == CEL_LIST) {
		for (uint32_t i = 0; a.len == b.len && i < a.len; i++)
			if (!same(a.items[i], b.items[i]))
				return false;
		return a.len == b.len;
	}
	if (a.kind == CEL_OPTIONAL && a.some && b.some)
		return same(*a.some, *b.some);
	return cel_equal(a, b);
}

static bool names_match(const struct cel_problem *problem, const char *want)
{
	size_t n = 0, commas = *want != '\0';
	for (const char *s = want; *s; s++)
		commas += *s == ',';
	for (; problem; problem = problem->next, n++)
		if (!strstr(want, problem->text))
			return false;
	return n == commas;
}

struct outcome {
	bool passed;
	char got[3000];
};

static void describe(struct cel_value v, char *out, size_t room)
{
	static const char *const kinds[] = {"unknown", "error",     "null",     "bool",  "int",
					    "uint",    "double",    "string",   "bytes", "list",
					    "map",     "timestamp", "duration", "type",  "optional"};
	switch (v.kind) {
	case CEL_ERROR:
		snprintf(out, room, "error %s", v.problem->text);
		break;
	case CEL_BOOL:
		snprintf(out, room, v.b ? "true" : "false");
		break;
	case CEL_INT:
		snprintf(out, room, "%lld", (long long)v.i);
		break;
	case CEL_UINT:
		snprintf(out, room, "%lluu", (unsigned long long)v.u);
		break;
	case CEL_DOUBLE:
		snprintf(out, room, "%.17g (double)", v.d);
		break;
	case CEL_STRING:
		snprintf(out, room, "'%.*s'", (int)v.len, v.s);
		break;
	case CEL_UNKNOWN: {
		size_t at = (size_t)snprintf(out, room, "unknown");
		for (const struct cel_problem *p = v.problem; p && at < room; p = p->next)
			at += (size_t)snprintf(out + at, room - at, " %s", p->text);
		break;
	}
	default:
		snprintf(out, room, "another %s", kinds[v.kind]);
		break;
	}
}

static struct cel_value evaluate(struct cel_env *env, const char *text, const struct cel_value *values,
				 struct cel_program **program, const struct cel_heap *heap, struct faults *faults)
{
	faults->expr = text;
	*program = cel_compile(env, text, SIZE_MAX, note_fault, faults);
	return *program ? cel_eval(*program, &(struct cel_activation){.heap = heap, .values = values})
			: cel_unknown(NULL);
}

/* "7 a text": a fault at that column whose message holds the text? */
static bool fault_told(const char *told, const char *want)
{
	char *text;
	long column = strtol(want, &text, 10);
	text += *text == ' ';
	for (const char *line = told; *line; line = strchr(line, '\n') + 1) {
		char *message;
		const char *found, *end = strchr(line, '\n');
		if (strtol(line, &message, 10) == column && (found = strstr(message, text)) && found < end)
			return true;
	}
	return false;
}

static void judge(const struct test *t, struct cel_value v, bool compiled, const struct faults *faults,
		  struct cel_value want, struct outcome *out)
{
	const char *e = t->expect;
	if (!compiled) {
		snprintf(out->got, sizeof out->got, "fault %s", faults->text);
		out->passed = strncmp(e, "fault ", 6) == 0 && fault_told(faults->text, e + 6);
		return;
	}
	describe(v, out->got, sizeof out->got);
	if (strncmp(e, "error", 5) == 0)
		out->passed = v.kind == CEL_ERROR && strstr(v.problem->text, e + 5 + (e[5] == ' '));
	else if (strncmp(e, "unknown", 7) == 0)
		out->passed = v.kind == CEL_UNKNOWN && names_match(v.problem, e + 7 + (e[7] == ' '));
	else if (strncmp(e, "fault", 5) == 0)
		out->passed = false;
	else
		out->passed = v.kind != CEL_UNKNOWN && v.kind != CEL_ERROR && same(v, want);
}

static bool is_word(const char *expect)
{
	return strncmp(expect, "error", 5) == 0 || strncmp(expect, "unknown", 7) == 0 ||
	       strncmp(expect, "fault", 5) == 0;
}

static struct outcome run(const struct test *t)
{
	struct outcome out = {.passed = false, .got = ""};
	struct shelf shelf = {.n = 0};
	struct chunk *chunks = NULL;
	const struct cel_heap heap = {chunk_alloc, &chunks};
	struct cel_env *env = cel_env_new(&(struct cel_options){.mixed_arithmetic = t->rules,
								.refuse_int_division = t->rules,
								.refuse_utc_getters = t->rules,
								.has_name = t->rules,
								.list_sum = t->rules,
								.dynamic = t->dynamic,
								.zone = find_zone,
								.zone_ctx = &shelf});
	struct cel_program *programs[MAX_LETS + 2] = {NULL};
	struct cel_value values[MAX_LETS + 1] = {{.kind = CEL_UNKNOWN}};
	struct faults faults = {.text = ""}, others = {.text = ""};
	for (size_t i = 0; i < t->n; i++) {
		const struct cel_type *type = cel_type_dyn(env);
		struct cel_value v = cel_unknown(NULL);
		if (t->lets[i][0])
			v = evaluate(env, t->lets[i], values, &programs[i], &heap, &others);
		if (programs[i])
			type = cel_program_type(programs[i]);
		values[cel_env_variable(env, t->names[i], type)] = v;
	}
	struct cel_value want = cel_null();
	if (!is_word(t->expect))
		want = evaluate(env, t->expect, values, &programs[MAX_LETS], &heap, &others);
	struct cel_value v = evaluate(env, t->expr, values, &programs[MAX_LETS + 1], &heap, &faults);
	judge(t, v, programs[MAX_LETS + 1] != NULL, &faults, want, &out);
	if (others.text[0]) {
		out.passed = false;
		snprintf(out.got, sizeof out.got, "a fault in let or expect: %s", others.text);
	}
	for (size_t i = 0; i < MAX_LETS + 2; i++)
		cel_program_free(programs[i]);
	cel_env_free(env);
	for (size_t i = 0; i < shelf.n; i++)
		cel_zone_free(shelf.zones[i]);
	chunks_free(chunks);
	return out;
}

/* --- files */
static bool starts(const char *line, const char *key, const char **value)
{
	size_t n = strlen(key);
	if (strncmp(line, key, n) != 0 || line[n] != ':')
		return false;
	*value = line + n + 1 + (line[n + 1] == ' ');
	return true;
}

static bool read_let(struct test *t, const char *value)
{
	const char *equals = strstr(value, " = ");
	if (!equals || t->n == MAX_LETS)
		return false;
	snprintf(t->names[t->n], sizeof t->names[0], "%.*s", (int)(equals - value), value);
	snprintf(t->lets[t->n++], sizeof t->lets[0], "%s", equals + 3);
	return true;
}

static bool read_line(struct test *t, const char *line, unsigned number)
{
	const char *value;
	if (line[0] == ' ' && t->line) {
		strncat(t->expr, "\n", MAX_TEXT - strlen(t->expr) - 1);
		strncat(t->expr, line + 1, MAX_TEXT - strlen(t->expr) - 1);
	} else if (starts(line, "expr", &value)) {
		t->line = number;
		snprintf(t->expr, sizeof t->expr, "%s", value);
	} else if (starts(line, "expect", &value)) {
		snprintf(t->expect, sizeof t->expect, "%s", value);
	} else if (starts(line, "unknown", &value) && t->n < MAX_LETS) {
		snprintf(t->names[t->n++], sizeof t->names[0], "%s", value);
	} else if (starts(line, "let", &value)) {
		return read_let(t, value);
	} else if (starts(line, "rules", &value)) {
		t->rules = strcmp(value, "yes") == 0;
	} else if (starts(line, "dynamic", &value)) {
		t->dynamic = strcmp(value, "yes") == 0;
	} else {
		return false;
	}
	return true;
}

struct tally {
	unsigned passed, failed;
};

static void finish(const char *path, struct test *t, struct tally *tally)
{
	if (t->line) {
		struct outcome out = run(t);
		tally->passed += out.passed;
		tally->failed += !out.passed;
		if (!out.passed)
			printf("%s:%u: %s\n  wanted: %s\n  got:    %s\n", path, t->line, t->expr, t->expect, out.got);
	}
	memset(t, 0, sizeof *t);
}

static void run_file(const char *path, struct tally *tally)
{
	FILE *f = fopen(path, "r");
	struct test *t = calloc(1, sizeof *t);
	char line[MAX_TEXT];
	if (!f || !t) {
		printf("%s: can't be read\n", path);
		tally->failed++;
	}
	for (unsigned number = 1; f && t && fgets(line, sizeof line, f); number++) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\0') {
			finish(path, t, tally);
		} else if (line[0] != '#' && !read_line(t, line, number)) {
			printf("%s:%u: no key that is known: %s\n", path, number, line);
			tally->failed++;
		}
	}
	if (f && t)
		finish(path, t, tally);
	if (f)
		fclose(f);
	free(t);
}

int main(int argc, char **argv)
{
	struct tally tally = {0, 0};
	for (int i = 1; i < argc; i++)
		run_file(argv[i], &tally);
	printf("%u passed, %u failed\n", tally.passed, tally.failed);
	return tally.failed || !tally.passed;
}
