/* Lines of several files: each in its own order, merged by time. */
#include "../../consumers/inbox_file.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/test-inbox-XXXXXX";

static char *file(const char *name, const char *content)
{
	char *path = malloc(200);
	snprintf(path, 200, "%s/%s", folder, name);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	fputs(content, f);
	fclose(f);
	return path;
}

/* A line begins with its time; "?" has none. */
static void look(void *ctx, struct file_record *r)
{
	++*(int *)ctx;
	if (r->text.s[0] != '?')
		r->time = strtoll(r->text.s, NULL, 10);
}

static void assert_merged(char **paths, size_t n, const char *wanted)
{
	char got[1000] = "";
	int looked = 0, taken = 0;
	struct err why = {0};
	struct file_record r;
	struct inbox_file *in = inbox_file_open(paths, n, look, &looked, &why);
	if (!in)
		fail_msg("%s", why.text);
	while (inbox_file_next(in, &r)) {
		snprintf(got + strlen(got), sizeof got - strlen(got), "%u:%u=%.*s ", r.file, r.line, (int)r.text.len,
			 r.text.s);
		taken++;
	}
	inbox_file_close(in);
	assert_string_equal(got, wanted);
	assert_int_equal(looked, taken);
}

static void one_file_keeps_its_order(void **state)
{
	(void)state;
	char *a[] = {file("a", "5 x\n3 late\n\n\r\n?\n9 y")};
	assert_merged(a, 1, "0:1=5 x 0:2=3 late 0:5=? 0:6=9 y ");
	free(a[0]);
}

static void several_files_are_merged_by_time(void **state)
{
	(void)state;
	char *paths[] = {file("a", "1\n5\n2\n7\n"), file("b", "4\n5\n6\n"), file("c", ""), file("d", "0\n?\n8\n")};
	/* a's 2 is late: it stays behind a's 5; of equal times the first named file's comes first */
	assert_merged(paths, 4, "3:1=0 3:2=? 0:1=1 1:1=4 0:2=5 0:3=2 1:2=5 1:3=6 0:4=7 3:3=8 ");
	for (int i = 0; i < 4; i++)
		free(paths[i]);
}

static void missing_files_are_named(void **state)
{
	(void)state;
	char *paths[] = {file("a", "1\n"), (char *)"/nonexistent/events"};
	struct err why = {0};
	assert_null(inbox_file_open(paths, 2, NULL, NULL, &why));
	assert_string_equal(why.text, "/nonexistent/events: No such file or directory");
	paths[1] = folder;
	why = (struct err){{0}};
	assert_null(inbox_file_open(paths, 2, NULL, NULL, &why));
	assert_non_null(strstr(why.text, "Is a directory"));
	free(paths[0]);
}

static int start(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : 1;
}

static int end(void **state)
{
	(void)state;
	char path[200];
	for (const char *name = "abcd"; *name; name++) {
		snprintf(path, sizeof path, "%s/%c", folder, *name);
		unlink(path);
	}
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_file_keeps_its_order),
		cmocka_unit_test(several_files_are_merged_by_time),
		cmocka_unit_test(missing_files_are_named),
	};
	return cmocka_run_group_tests(tests, start, end);
}
