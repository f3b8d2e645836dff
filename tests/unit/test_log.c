/* The log's lines: prefixes, levels, control characters, what is held back. */
#include "../../daemon/ops/log.h"
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char text[65536];
static int saved;
static FILE *file;

static void capture(void)
{
	fflush(stderr);
	file = tmpfile();
	saved = dup(STDERR_FILENO);
	dup2(fileno(file), STDERR_FILENO);
}

static const char *captured(void)
{
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	size_t n = fread(text, 1, sizeof text - 1, file);
	text[n] = 0;
	fclose(file);
	return text;
}

static void open_or_fail(const char *target, const char *level)
{
	struct err why = {0};
	if (!log_open(target, level, &why))
		fail_msg("%s", why.text);
}

static void journal_lines_have_priorities(void **state)
{
	(void)state;
	open_or_fail("journal", "debug");
	capture();
	log_error("e %d", 1);
	log_warn("w");
	log_info("i");
	log_debug("d");
	assert_string_equal(captured(), "<3>e 1\n<4>w\n<6>i\n<7>d\n");
}

static void each_line_has_its_prefix(void **state)
{
	(void)state;
	open_or_fail("journal", "info");
	capture();
	log_error("one\ntwo\n\nthree");
	assert_string_equal(captured(), "<3>one\n<3>two\n<3>three\n");
}

static void control_characters_are_no_lines(void **state)
{
	(void)state;
	open_or_fail("journal", "info");
	capture();
	log_warn("a\rb\033[31mc\177d 守望");
	assert_string_equal(captured(), "<4>a b [31mc d 守望\n");
}

static void levels_below_are_silent(void **state)
{
	(void)state;
	open_or_fail("journal", "warning");
	assert_true(log_wants(LOG_LEVEL_WARNING));
	assert_false(log_wants(LOG_LEVEL_INFO));
	capture();
	log_info("no");
	log_debug("no");
	log_warn("yes");
	assert_string_equal(captured(), "<4>yes\n");
}

static void stderr_lines_have_time_and_level(void **state)
{
	(void)state;
	open_or_fail("stderr", "info");
	capture();
	log_warn("slow");
	const char *line = captured();
	int year, ms;
	char rest[64] = "";
	assert_int_equal(sscanf(line, "%d-%*d-%*d %*d:%*d:%*d.%d %63[^\n]", &year, &ms, rest), 3);
	assert_string_equal(rest, "warning: slow");
}

static void auto_is_the_journal_only_where_stderr_is(void **state)
{
	(void)state;
	struct stat st;
	char stream[64];
	capture();
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	open_or_fail("auto", "info");
	log_info("to the journal");
	setenv("JOURNAL_STREAM", "1:1", 1);
	open_or_fail("auto", "info");
	log_info("elsewhere");
	unsetenv("JOURNAL_STREAM");
	const char *lines = captured();
	assert_non_null(strstr(lines, "<6>to the journal\n"));
	assert_non_null(strstr(lines, "info: elsewhere\n"));
	assert_null(strstr(lines, "<6>elsewhere"));
}

static void wrong_settings_are_named(void **state)
{
	(void)state;
	struct err why = {0};
	assert_false(log_open("printer", "info", &why));
	assert_non_null(strstr(why.text, "\"printer\": expected auto, stderr, journal or syslog"));
	struct err again = {0};
	assert_false(log_open("stderr", "loud", &again));
	assert_non_null(strstr(again.text, "\"loud\": expected error, warning, info or debug"));
}

static void long_texts_end_at_a_character(void **state)
{
	(void)state;
	char summary[6001];
	for (size_t i = 0; i < 2000; i++)
		memcpy(summary + 3 * i, "守", 3);
	summary[6000] = 0;
	open_or_fail("journal", "info");
	capture();
	log_info("a%s", summary);
	const char *line = captured();
	size_t len = strlen(line);
	assert_true(len > 2000 && len < 2100);
	assert_memory_equal(line + len - 4, "守\n", 4);
}

static void repeats_are_held_back_and_counted(void **state)
{
	(void)state;
	struct log_limit limit = {0};
	open_or_fail("journal", "info");
	capture();
	for (int i = 0; i < 5; i++)
		log_limited(&limit, 60, LOG_LEVEL_WARNING, "partition %d waits", 3);
	log_limited(&limit, 60, LOG_LEVEL_WARNING, "partition %d waits", 4);
	limit.said[0].until = limit.said[1].until = 0; /* a minute later */
	log_limited(&limit, 60, LOG_LEVEL_WARNING, "partition %d waits", 3);
	log_limited(&limit, 60, LOG_LEVEL_WARNING, "partition %d waits", 4);
	limit.said[0].until = limit.said[1].until = 0;
	log_limited(&limit, 60, LOG_LEVEL_WARNING, "partition %d waits", 3);
	assert_string_equal(captured(), "<4>partition 3 waits\n"
					"<4>partition 4 waits\n"
					"<4>partition 3 waits (and 4 times since it was last said)\n"
					"<4>partition 4 waits\n"
					"<4>partition 3 waits\n");
}

static void many_texts_push_out_the_oldest(void **state)
{
	(void)state;
	struct log_limit limit = {0};
	open_or_fail("journal", "info");
	capture();
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < LOG_LIMIT_TEXTS; i++)
			log_limited(&limit, 60, LOG_LEVEL_INFO, "%d", i);
	const char *lines = captured();
	size_t n = 0;
	for (const char *c = lines; *c; c++)
		n += *c == '\n';
	assert_int_equal(n, LOG_LIMIT_TEXTS);
}

static void each_place_has_its_own_memory(void **state)
{
	(void)state;
	open_or_fail("journal", "info");
	capture();
	for (int i = 0; i < 3; i++)
		log_every(60, LOG_LEVEL_INFO, "same");
	log_every(60, LOG_LEVEL_INFO, "same");
	assert_string_equal(captured(), "<6>same\n<6>same\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(journal_lines_have_priorities),
		cmocka_unit_test(each_line_has_its_prefix),
		cmocka_unit_test(control_characters_are_no_lines),
		cmocka_unit_test(levels_below_are_silent),
		cmocka_unit_test(stderr_lines_have_time_and_level),
		cmocka_unit_test(auto_is_the_journal_only_where_stderr_is),
		cmocka_unit_test(wrong_settings_are_named),
		cmocka_unit_test(long_texts_end_at_a_character),
		cmocka_unit_test(repeats_are_held_back_and_counted),
		cmocka_unit_test(many_texts_push_out_the_oldest),
		cmocka_unit_test(each_place_has_its_own_memory),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	log_close();
	return failed;
}
