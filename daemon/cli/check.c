/* shouwangctl check: every fault of a configuration, with its place; or one line that says what there is. */
#include "../conf/documents.h"
#include "../conf/rule_test.h"
#include "check.h"
#include "cli.h"
#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: shouwangctl check [DIR]\n"
	"\n"
	"Checks the settings, watches, rules, thresholds, units, calendars and rule tests in DIR and prints every "
	"fault as\n"
	"file:line:column: what is wrong, and what was expected.  Exits 0 where there is none (warnings don't count),\n"
	"else 1.\n";

void print_faults(const struct faults *f)
{
	for (uint32_t i = 0; i < f->n; i++) {
		const struct fault *x = &f->list[i];
		const char *kind = x->warning ? "warning: " : "";
		if (x->at.line)
			printf("%s:%u:%u: %s%s\n", x->at.file, x->at.line, x->at.column, kind, x->text);
		else
			printf("%s: %s%s\n", x->at.file, kind, x->text);
		print_excerpt(x->at);
	}
}

static size_t count_calendars(const struct documents *docs)
{
	size_t n = 0;
	for (size_t i = 0; i < docs->n; i++)
		n += docs->list[i].kind == DOC_CALENDAR;
	return n;
}

static void print_count(size_t n, const char *one, const char *many, const char *after)
{
	printf("%zu %s%s", n, n == 1 ? one : many, after);
}

static void print_counts(const struct documents *docs, const struct config *c, size_t n_tests)
{
	const struct ruleset *r = c->ruleset;
	print_count(docs->n_files, "file", "files", ": ");
	print_count(r->n_watches, "watch", "watches", ", ");
	print_count(r->n_rules, "rule", "rules", ", ");
	print_count(r->n_thresholds, "threshold", "thresholds", ", ");
	print_count(r->n_units, "unit", "units", ", ");
	print_count(count_calendars(docs), "calendar", "calendars", ", ");
	print_count(n_tests, "test", "tests", "\n");
}

static bool check(const char *dir)
{
	struct documents docs;
	struct config config;
	struct faults faults;
	struct arena arena;
	size_t n_tests = 0;
	faults_init(&faults);
	arena_init(&arena);
	documents_read(&docs, dir, true, &faults);
	bool good = config_build(&docs, &config, &faults);
	if (good) {
		tests_read(&docs, &config, &arena, &faults, &n_tests);
		good = faults.errors == 0;
		print_faults(&faults);
		if (good)
			print_counts(&docs, &config, n_tests);
		config_close(&config);
	} else {
		print_faults(&faults);
	}
	documents_close(&docs);
	arena_close(&arena);
	faults_close(&faults);
	return good;
}

int cli_check(int argc, char **argv)
{
	const char *dir = NULL;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			fputs(help, stdout);
			return CLI_DONE;
		}
		if (strcmp(argv[i], "--config") == 0 && i + 1 < argc && !dir) {
			dir = argv[++i];
		} else if (argv[i][0] == '-' || dir) {
			fputs(help, stderr);
			return CLI_USAGE;
		} else {
			dir = argv[i];
		}
	}
	return check(dir ? dir : cli_config_dir()) ? CLI_DONE : CLI_FAILED;
}
