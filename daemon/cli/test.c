/* shouwangctl test: runs a configuration's rule tests through the engine in virtual time, without servers. */
#include "check.h"
#include "cli.h"
#include "test_run.h"
#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: shouwangctl test [DIR] [--only TEXT] [--verbose]\n"
	"\n"
	"Runs the rule tests in DIR: each sends events to a subject, lets time pass and compares alerts, messages and\n"
	"values.  A failed expectation prints what was wanted and what came, and how the rule judged.\n"
	"\n"
	"  --only TEXT   only tests whose name holds TEXT\n"
	"  --verbose     name the tests that pass, too\n";

/* --- one test */
/* The subject that the test names, or its events first; empty: none does. */
static struct str first_subject(const struct rule_test *test)
{
	if (test->subject.len)
		return test->subject;
	for (size_t i = 0; i < test->n_steps; i++)
		for (size_t k = 0; k < test->steps[i].n_events; k++)
			if (test->steps[i].events[k].subject.len)
				return test->steps[i].events[k].subject;
	return STR("");
}

static struct subject *subject_named(struct test_run *run, struct str key)
{
	for (size_t i = 0; i < run->n_subjects; i++)
		if (str_equal(run->subjects[i]->key, key))
			return run->subjects[i];
	struct subject *s = arena_zero(&run->state, sizeof *s);
	subject_init(s, &run->state, run->test->watch, arena_str(&run->state, key));
	s->due = TIME_NEVER;
	ARENA_PUSH_ROOM(&run->state, run->subjects, run->n_subjects, run->cap_subjects);
	return run->subjects[run->n_subjects++] = s;
}

static bool step_engine(struct test_run *run, struct subject *s, const struct event *event, struct err *why)
{
	struct err broken = {{0}};
	if (!engine_step(run->engine, s, event, run->now, &run->fx, why))
		return false;
	if (!engine_check(run->engine, s, &broken) || !codec_check(s, engine_ruleset(run->engine), &broken))
		print_failure(run, run->step->node, "the state is broken: %s", broken.text);
	return true;
}

static struct subject *next_due(const struct test_run *run)
{
	struct subject *next = run->subjects[0];
	for (size_t i = 1; i < run->n_subjects; i++)
		if (run->subjects[i]->due < next->due)
			next = run->subjects[i];
	return next;
}

/* Time passes: each timer fires at its own due time. */
static void pass_time(struct test_run *run, int64_t to)
{
	for (struct subject *s; (s = next_due(run))->due <= to;) {
		struct err why = {{0}};
		int64_t due = s->due;
		run->now = due > run->now ? due : run->now;
		if (!step_engine(run, s, NULL, &why))
			print_failure(run, run->step->node, "a timer failed: %s", why.text);
		if (s->due <= due) {
			print_failure(run, run->step->node, "a timer does not move on");
			break;
		}
	}
	run->now = to;
}

/* --- feedback */

/* Where the watch leaves the subject to the event's key, a test has one, whatever `case` calls it:
 * household/h1/office/1 is household/test/office/1. */
static struct subject *case_subject(struct test_run *run, struct str *case_id)
{
	for (size_t i = 0; i < run->n_subjects; i++) {
		const struct subject *s = run->subjects[i];
		for (uint32_t k = 0; k < s->n_cases; k++)
			for (uint32_t number = 1; number <= s->cases[k].number; number++) {
				const char *tail = arena_printf(&run->scratch, "/%.*s/%u", (int)s->cases[k].unit.len,
								s->cases[k].unit.s, number);
				const char *id = arena_printf(&run->state, "%s/%.*s%s", run->test->watch->name,
							      (int)s->key.len, s->key.s, tail);
				size_t len = strlen(tail);
				bool same = str_equal(*case_id, str_of(id)),
				     one = run->n_subjects == 1 && !run->named && case_id->len > len &&
					   memcmp(case_id->s + case_id->len - len, tail, len) == 0;
				if (same || one) {
					*case_id = str_of(id);
					return run->subjects[i];
				}
			}
	}
	return run->subject;
}

/* A rejection fails a test only where the event says otherwise. */
static void tell_rejection(struct test_run *run, const struct test_event *e, const char *why)
{
	if (!e->rejected)
		print_note(run, e->node, "the event was rejected: %s (`rejected: true` would expect it)", why);
	else if (!strstr(why, e->rejected))
		print_failure(run, e->node, "the event was rejected: %s; expected: %s", why, e->rejected);
}

/* Feedback without `case` is about the one that is open.  NULL: not clear which. */
static struct subject *find_case(struct test_run *run, const struct test_event *e, struct answer *a)
{
	struct subject *found = NULL;
	size_t n = 0;
	if (a->case_id.len)
		return case_subject(run, &a->case_id);
	for (size_t i = 0; i < run->n_subjects; i++)
		for (uint32_t k = 0; k < run->subjects[i]->n_cases; k++) {
			const struct casefile *c = &run->subjects[i]->cases[k];
			if (!c->open || (e->subject.len && !str_equal(e->subject, run->subjects[i]->key)))
				continue;
			found = run->subjects[i];
			a->case_id = case_id(found, c, (struct case_name){.number = c->number}, &run->state);
			n++;
		}
	if (n > 1)
		print_failure(run, e->node, "%zu cases are open: the feedback must name its `case`", n);
	if (n == 0)
		tell_rejection(run, e, "no case is open");
	return n == 1 ? found : NULL;
}

/* --- events */

static bool take_event(struct test_run *run, struct event *event, struct err *why)
{
	struct str key;
	if (!event->answer && event->type->subject) {
		if (!engine_subject(run->engine, event, &key, why))
			return false;
		run->subject = subject_named(run, key);
	}
	event->subject = run->subject->key;
	return step_engine(run, run->subject, event, why);
}

static void send_event(struct test_run *run, const struct test_event *e, size_t number)
{
	struct err why = {{0}};
	struct answer answer = e->answer ? *e->answer : (struct answer){0};
	struct subject *subject = e->answer        ? find_case(run, e, &answer)
				  : e->subject.len ? subject_named(run, e->subject)
						   : run->subject;
	if (!subject)
		return;
	run->subject = subject;
	struct event event = {
		.watch = run->test->watch,
		.type = e->type,
		.answer = e->answer ? &answer : NULL,
		.subject = run->subject->key,
		.source = e->source.len ? e->source : STR("test"),
		.id = e->id.len ? e->id
				: str_of(arena_printf(&run->state, "step-%zu-event-%zu",
						      (size_t)(run->step - run->test->steps) + 1, number + 1)),
		.time = e->time,
		.data = e->data,
		.raw = e->raw,
	};
	if (event.answer)
		journal_answer(&run->journal, answer.case_id);
	if (!take_event(run, &event, &why))
		tell_rejection(run, e, why.text);
	else if (e->rejected)
		print_failure(run, e->node, "the event was taken; expected it to be rejected%s%s",
			      e->rejected[0] ? ": " : "", e->rejected);
}

static void run_step(struct test_run *run)
{
	const struct test_step *step = run->step;
	size_t n;
	effects_init(&run->fx, &run->scratch);
	pass_time(run, step->at);
	for (size_t i = 0; i < step->n_events; i++)
		send_event(run, &step->events[i], i);
	struct err broken = {{0}};
	if (!journal_take(&run->journal, run->r, &run->fx, &broken))
		print_failure(run, step->node, "an invariant is broken: %s", broken.text);
	if (step->expect) {
		struct got_row *rows = alert_rows(run, &n);
		compare_rows(run, step->expect, rows, n);
	}
	if (step->messages) {
		struct got_row *rows = message_rows(run, &n);
		compare_rows(run, step->messages, rows, n);
	}
	if (step->outcomes) {
		struct got_row *rows = outcome_rows(run, &n);
		compare_rows(run, step->outcomes, rows, n);
	}
	for (size_t i = 0; i < step->n_values; i++)
		compare_value(run, &step->values[i]);
	engine_reset(run->engine);
	arena_reset(&run->scratch);
}

/* `expect_messages` tells what came since the last step: a step that has none passes its messages over. */
static bool run_test(const struct rule_test *test, struct ruleset *r)
{
	struct test_run run = {.test = test, .r = r, .engine = engine_new(r), .now = INT64_MIN};
	arena_init(&run.state);
	arena_init(&run.scratch);
	arena_init(&run.journal.arena);
	struct str name = first_subject(test);
	run.named = name.len > 0;
	run.subject = subject_named(&run, run.named ? name : STR("test"));
	for (size_t i = 0; i < test->n_steps; i++) {
		run.step = &test->steps[i];
		run_step(&run);
	}
	engine_free(run.engine);
	arena_close(&run.state);
	arena_close(&run.scratch);
	journal_close(&run.journal);
	return run.n_failures == 0;
}

/* --- all of them */
struct options {
	const char *dir, *only;
	bool verbose;
};

static int run_all(const struct rule_test *tests, size_t n, struct ruleset *r, const struct options *o)
{
	size_t passed = 0, failed = 0;
	for (size_t i = 0; i < n; i++) {
		struct place at = node_place(tests[i].node);
		if (o->only && !strstr(tests[i].name, o->only))
			continue;
		if (!run_test(&tests[i], r)) {
			failed++;
			continue;
		}
		passed++;
		if (o->verbose)
			printf("%s:%u: ok: %s\n", at.file, at.line, tests[i].name);
	}
	printf("%zu passed, %zu failed\n", passed, failed);
	if (o->only && !passed && !failed)
		fprintf(stderr, "shouwangctl test: no test's name holds `%s`\n", o->only);
	return failed || (o->only && !passed) ? CLI_FAILED : CLI_DONE;
}

static int load_and_run(const struct options *o)
{
	struct documents docs;
	struct config config;
	struct faults faults;
	struct arena arena;
	size_t n = 0;
	int code = CLI_FAILED;
	faults_init(&faults);
	arena_init(&arena);
	documents_read(&docs, o->dir, true, &faults);
	bool built = config_build(&docs, &config, &faults);
	struct rule_test *tests = built ? tests_read(&docs, &config, &arena, &faults, &n) : NULL;
	if (faults.errors)
		print_faults(&faults);
	else
		code = run_all(tests, n, config.ruleset, o);
	if (built)
		config_close(&config);
	documents_close(&docs);
	arena_close(&arena);
	faults_close(&faults);
	return code;
}

int cli_test(int argc, char **argv)
{
	struct options o = {NULL, NULL, false};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			fputs(help, stdout);
			return CLI_DONE;
		}
		if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
			o.only = argv[++i];
		} else if (strcmp(argv[i], "--verbose") == 0) {
			o.verbose = true;
		} else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc && !o.dir) {
			o.dir = argv[++i];
		} else if (argv[i][0] == '-' || o.dir) {
			fputs(help, stderr);
			return CLI_USAGE;
		} else {
			o.dir = argv[i];
		}
	}
	o.dir = o.dir ? o.dir : cli_config_dir();
	return load_and_run(&o);
}
