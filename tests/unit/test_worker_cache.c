/* The cache against a private Redis on a unix socket: reads and writes that check the watermark, timers in order,
 * scripts that are gone, a Redis that forgets or is away.  Skipped where redis-server isn't installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../daemon/state/cache_redis.h"
#include "../../daemon/state/redis.h"

static char folder[] = "/tmp/shouwang-cache-XXXXXX";
static char url[128], socket_path[96];
static pid_t server;
static struct settings settings = {.instance = "test"};

static void start_server(const char *policy)
{
	server = fork();
	if (server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!freopen("/dev/null", "w", stdout))
			_exit(126);
		execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket_path, "--save", "",
		       "--dir", folder, "--maxmemory-policy", policy, (char *)NULL);
		_exit(127);
	}
}

static void stop_server(void)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	unlink(socket_path);
}

static struct cache *connected(void)
{
	struct err why = {""};
	struct cache *c = cache_new(&settings, &why);
	assert_non_null(c);
	for (int i = 0; i < 200; i++) {
		why.text[0] = '\0';
		if (cache_connect(c, &why))
			return c;
		usleep(20000);
	}
	fail_msg("%s", why.text);
	return NULL;
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(socket_path, sizeof socket_path, "%s/redis.sock", folder);
	snprintf(url, sizeof url, "unix://%s", socket_path);
	settings.redis.url = url;
	start_server("noeviction");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stop_server();
	return rmdir(folder);
}

static bool installed(void)
{
	return system("command -v redis-server >/dev/null 2>&1") == 0;
}

static void command(const char *first, const char *second, const char *third)
{
	struct arena a;
	struct err why = {""};
	arena_init(&a);
	struct redis *r = redis_new(&settings, &why);
	assert_true(redis_connect(r, &why));
	struct words w = words_new(&a, 3);
	word_text(&w, first);
	if (second)
		word_text(&w, second);
	if (third)
		word_text(&w, third);
	assert_non_null(redis_ask(r, &w, &a, first, &why));
	redis_free(r);
	arena_close(&a);
}

static struct cache_change change(const char *key, const char *bytes, int64_t due)
{
	return (struct cache_change){str_of(key), str_of(bytes), true, due};
}

static enum cache_answer store(struct cache *c, int64_t from, int64_t to, struct cache_change *changes, size_t n)
{
	struct arena a;
	struct err why = {""};
	arena_init(&a);
	struct cache_store s = {.partition = 3,
				.from = from,
				.to = to,
				.record = STR("{}"),
				.record_at = from,
				.changes = changes,
				.n_changes = n};
	enum cache_answer answer = cache_store(c, &s, 1, &a, &why);
	arena_close(&a);
	return answer == CACHE_OK ? s.answer : answer;
}

static void test_life(void **state)
{
	(void)state;
	struct arena a;
	struct err why = {""};
	struct cache_head head;
	arena_init(&a);
	struct cache *c = connected();
	assert_int_equal(cache_head(c, 3, &a, &head, &why), CACHE_OK);
	assert_false(head.exists);
	struct cache_change first[] = {change("w/a", "A1", 2000), change("w/b", "B1", 1000),
				       change("w/c", "C1", TIME_NEVER)};
	assert_int_equal(store(c, 0, 10, first, 3), CACHE_REFUSED); /* a missing hash is a refusal */
	assert_int_equal(cache_create(c, 3, STR("cluster"), STR("state"), &why), CACHE_OK);
	assert_int_equal(cache_create(c, 3, STR("cluster"), STR("state"), &why), CACHE_REFUSED);
	assert_int_equal(store(c, 0, 10, first, 3), CACHE_OK);
	assert_int_equal(store(c, 0, 11, first, 3), CACHE_REFUSED); /* not what is there */
	assert_int_equal(cache_head(c, 3, &a, &head, &why), CACHE_OK);
	assert_int_equal(head.watermark, 10);
	assert_true(str_equal(head.cluster, STR("cluster")) && str_equal(head.topic, STR("state")));
	assert_true(str_equal(head.record, STR("{}")));
	assert_int_equal(head.record_at, 0);

	struct str keys[] = {STR("w/c"), STR("w/none"), STR("w/a")};
	struct cache_load loads[2] = {
		{.partition = 3, .watermark = 10, .keys = keys, .n_keys = 3, .due_until = 1999, .due_max = 10},
		{.partition = 4, .watermark = 0, .due_until = 1999, .due_max = 10}};
	assert_int_equal(cache_load(c, loads, 2, NULL, &a, &why), CACHE_OK);
	assert_int_equal(loads[0].answer, CACHE_OK);
	assert_int_equal(loads[1].answer, CACHE_REFUSED);
	assert_int_equal(loads[1].found, -1);
	assert_true(str_equal(loads[0].states[0], STR("C1")) && str_equal(loads[0].states[2], STR("A1")));
	assert_int_equal(loads[0].states[1].len, 0);
	assert_int_equal(loads[0].n_due, 1);
	assert_true(str_equal(loads[0].due[0].key, STR("w/b")) && str_equal(loads[0].due[0].state, STR("B1")));

	struct cache_change second[] = {change("w/b", "B2", TIME_NEVER), {STR("w/a"), STR("A2"), false, 0}};
	assert_int_equal(store(c, 10, 20, second, 2), CACHE_OK);
	loads[0].watermark = 20;
	loads[0].due_until = 1782864000123;
	assert_int_equal(cache_load(c, loads, 1, NULL, &a, &why), CACHE_OK);
	assert_int_equal(loads[0].n_due, 1); /* b is disarmed, a's due time stayed */
	assert_true(str_equal(loads[0].due[0].state, STR("A2")));
	assert_int_equal(loads[0].due[0].due, 2000);
	struct cache_change disarm[] = {{STR("w/a"), {NULL, 0}, true, TIME_NEVER}};
	assert_int_equal(store(c, 20, 20, disarm, 1), CACHE_OK);
	assert_int_equal(cache_load(c, loads, 1, NULL, &a, &why), CACHE_OK);
	assert_int_equal(loads[0].n_due, 0);
	assert_true(str_equal(loads[0].states[2], STR("A2")));
	loads[0].watermark = 19;
	assert_int_equal(cache_load(c, loads, 1, NULL, &a, &why), CACHE_OK);
	assert_int_equal(loads[0].answer, CACHE_REFUSED);
	assert_int_equal(loads[0].found, 20);
	cache_free(c);
	arena_close(&a);
}

/* As many fields as the cut of a batch allows, all with timers; in order of due time, then key. */
static void test_most(void **state)
{
	(void)state;
	struct arena a;
	struct err why = {""};
	arena_init(&a);
	struct cache *c = connected();
	struct cache_change *changes = ARENA_ARRAY(&a, struct cache_change, CACHE_MAX_FIELDS);
	struct str *keys = ARENA_ARRAY(&a, struct str, CACHE_MAX_FIELDS);
	for (int i = 0; i < CACHE_MAX_FIELDS; i++) {
		keys[i] = str_of(arena_printf(&a, "w/%06d", i));
		changes[i] = change(keys[i].s, "state", 1782864000000 + i % 7);
	}
	command("FLUSHALL", NULL, NULL);
	assert_int_equal(cache_create(c, 3, STR("x"), STR("y"), &why), CACHE_OK);
	assert_int_equal(store(c, 0, 1, changes, CACHE_MAX_FIELDS), CACHE_OK);
	struct cache_load l = {.partition = 3,
			       .watermark = 1,
			       .keys = keys,
			       .n_keys = CACHE_MAX_FIELDS,
			       .due_until = 1782864000006,
			       .due_max = CACHE_MAX_FIELDS};
	assert_int_equal(cache_load(c, &l, 1, NULL, &a, &why), CACHE_OK);
	assert_int_equal(l.n_due, CACHE_MAX_FIELDS);
	for (size_t i = 1; i < l.n_due; i++) {
		assert_true(l.due[i - 1].due <= l.due[i].due);
		if (l.due[i - 1].due == l.due[i].due)
			assert_true(str_compare(l.due[i - 1].key, l.due[i].key) < 0);
	}
	assert_true(str_equal(l.states[CACHE_MAX_FIELDS - 1], STR("state")));
	cache_free(c);
	arena_close(&a);
}

/* A walk over all subjects, in pages, while some change and others come; its watermark is looked at too. */
static void test_scan(void **state)
{
	(void)state;
	enum { SUBJECTS = 2000 };
	struct arena a;
	struct err why = {""};
	arena_init(&a);
	struct cache *c = connected();
	struct cache_change *changes = ARENA_ARRAY(&a, struct cache_change, SUBJECTS);
	char *large = ARENA_ARRAY(&a, char, 201);
	memset(large, 's', 200); /* as real states are: Redis keeps small ones in one piece */
	for (int i = 0; i < SUBJECTS; i++)
		changes[i] = change(arena_printf(&a, "w/%d", i), large, TIME_NEVER);
	command("FLUSHALL", NULL, NULL);
	assert_int_equal(cache_create(c, 3, STR("x"), STR("y"), &why), CACHE_OK);
	assert_int_equal(store(c, 0, 1, changes, SUBJECTS), CACHE_OK);
	bool seen[SUBJECTS] = {0};
	size_t pages = 0, n = 0;
	struct cache_load l = {.partition = 3, .watermark = 1, .due_until = 5, .due_max = 1, .scan_max = 100};
	do {
		assert_int_equal(cache_load(c, &l, 1, NULL, &a, &why), CACHE_OK);
		assert_true(l.n_scanned < 1000);
		for (size_t i = 0; i < l.n_scanned; i++) {
			long number = strtol(l.scanned[i].key.s + 2, NULL, 10);
			assert_int_equal(l.scanned[i].state.len, 200);
			if (number < SUBJECTS && !seen[number])
				n++;
			if (number < SUBJECTS)
				seen[number] = true;
		}
		struct cache_change more[] = {change(arena_printf(&a, "w/%zu", SUBJECTS + pages), large, TIME_NEVER),
					      change("w/7", large, TIME_NEVER)};
		assert_int_equal(store(c, l.watermark, l.watermark + 1, more, 2), CACHE_OK);
		l.watermark++;
		l.scan_cursor = l.scan_next;
		pages++;
	} while (l.scan_cursor);
	assert_int_equal(n, SUBJECTS);
	assert_true(pages > 10);
	assert_int_equal(l.n_subjects, SUBJECTS + pages - 1);
	l.watermark--;
	assert_int_equal(cache_load(c, &l, 1, NULL, &a, &why), CACHE_OK);
	assert_int_equal(l.answer, CACHE_REFUSED);
	cache_free(c);
	arena_close(&a);
}

static void test_scripts_gone(void **state)
{
	(void)state;
	struct arena a;
	struct err why = {""};
	arena_init(&a);
	struct cache *c = connected();
	command("FLUSHALL", NULL, NULL);
	assert_int_equal(cache_create(c, 3, STR("x"), STR("y"), &why), CACHE_OK);
	command("SCRIPT", "FLUSH", NULL);
	struct cache_change one[] = {change("w/a", "A1", 5)};
	assert_int_equal(store(c, 0, 1, one, 1), CACHE_OK);
	command("SCRIPT", "FLUSH", NULL);
	struct cache_load l = {.partition = 3, .watermark = 1, .due_until = 5, .due_max = 1};
	assert_int_equal(cache_load(c, &l, 1, NULL, &a, &why), CACHE_OK);
	assert_int_equal(l.n_due, 1);
	command("FLUSHALL", NULL, NULL);
	assert_int_equal(cache_load(c, &l, 1, NULL, &a, &why), CACHE_OK);
	assert_int_equal(l.answer, CACHE_REFUSED);
	cache_free(c);
	arena_close(&a);
}

static void test_full_and_forgetful(void **state)
{
	(void)state;
	struct err why = {""};
	struct cache *c = connected();
	command("FLUSHALL", NULL, NULL);
	assert_int_equal(cache_create(c, 3, STR("x"), STR("y"), &why), CACHE_OK);
	struct redis *r = redis_new(&settings, &why);
	assert_true(redis_connect(r, &why));
	struct arena a;
	arena_init(&a);
	struct words w = words_new(&a, 4);
	word_text(&w, "CONFIG");
	word_text(&w, "SET");
	word_text(&w, "maxmemory");
	word_text(&w, "1");
	assert_non_null(redis_ask(r, &w, &a, "CONFIG", &why));
	struct cache_change one[] = {change("w/a", "A1", 5)};
	assert_int_equal(store(c, 0, 1, one, 1), CACHE_LOST);
	w.n = 3;
	word_text(&w, "0");
	assert_non_null(redis_ask(r, &w, &a, "CONFIG", &why));
	w.n = 2;
	word_text(&w, "maxmemory-policy");
	struct words policy = words_new(&a, 4);
	word_text(&policy, "CONFIG");
	word_text(&policy, "SET");
	word_text(&policy, "maxmemory-policy");
	word_text(&policy, "allkeys-lru");
	assert_non_null(redis_ask(r, &policy, &a, "CONFIG", &why));
	assert_false(cache_connect(c, &why));
	assert_non_null(strstr(why.text, "allkeys-lru"));
	policy.n = 3;
	word_text(&policy, "noeviction");
	assert_non_null(redis_ask(r, &policy, &a, "CONFIG", &why));
	why.text[0] = '\0';
	assert_true(cache_connect(c, &why));
	assert_int_equal(store(c, 0, 1, one, 1), CACHE_OK);
	redis_free(r);
	cache_free(c);
	arena_close(&a);
}

static void test_away(void **state)
{
	(void)state;
	struct err why = {""};
	struct arena a;
	arena_init(&a);
	struct cache *c = connected();
	stop_server();
	struct cache_load l = {.partition = 3, .watermark = 1, .due_until = 5, .due_max = 1};
	assert_int_equal(cache_load(c, &l, 1, NULL, &a, &why), CACHE_LOST);
	assert_false(cache_connected(c));
	why.text[0] = '\0';
	assert_int_equal(cache_load(c, &l, 1, NULL, &a, &why), CACHE_LOST);
	assert_non_null(strstr(why.text, "not connected"));
	why.text[0] = '\0';
	assert_false(cache_connect(c, &why));
	assert_non_null(strstr(why.text, settings.redis.url));
	start_server("noeviction");
	cache_free(c);
	cache_free(connected());
	arena_close(&a);
}

static void test_holder(void **state)
{
	(void)state;
	struct err why = {""};
	struct arena a;
	arena_init(&a);
	struct cache *c = connected();
	assert_int_equal(cache_holder(c, "t-1-0", &a).len, 0);
	assert_true(cache_hold(c, "t-1-0", "host here, process 7", &why));
	assert_true(str_equal(cache_holder(c, "t-1-0", &a), STR("host here, process 7")));
	cache_free(c);
	arena_close(&a);
}

static void test_peers(void **state)
{
	(void)state;
	size_t n;
	struct err why = {""};
	struct arena a;
	arena_init(&a);
	struct cache *c = connected();
	command("FLUSHALL", NULL, NULL);
	assert_non_null(cache_peers(c, &a, &n, &why));
	assert_int_equal(n, 0);
	assert_true(cache_peers_tell(c, "one", "1 a", &why) && cache_peers_tell(c, "two", "2 b", &why));
	assert_true(cache_peers_tell(c, "one", "3 c", &why));
	struct cache_peer *list = cache_peers(c, &a, &n, &why);
	assert_int_equal(n, 2);
	size_t one = str_equal(list[0].node, STR("one")) ? 0 : 1;
	assert_true(str_equal(list[one].text, STR("3 c")) && str_equal(list[!one].text, STR("2 b")));
	command("DEL", "test:daemon:one", NULL); /* a minute has passed without a word */
	list = cache_peers(c, &a, &n, &why);
	assert_int_equal(n, 1);
	assert_true(str_equal(list[0].node, STR("two")));
	assert_true(cache_peers_leave(c, "two", &why));
	assert_non_null(cache_peers(c, &a, &n, &why));
	assert_int_equal(n, 0);
	cache_free(c);
	arena_close(&a);
}

/* No more comes than is allowed: the connection ends, and smaller questions are answered as before. */
static void test_allowance(void **state)
{
	(void)state;
	enum { EACH = 1000 };
	struct err why = {""};
	struct arena a;
	arena_init(&a);
	struct cache *c = connected();
	char *large = ARENA_ARRAY(&a, char, EACH + 1);
	memset(large, 's', EACH);
	struct cache_change changes[] = {change("w/1", large, 5), change("w/2", large, TIME_NEVER)};
	struct str keys[] = {STR("w/1"), STR("w/2")};
	command("FLUSHALL", NULL, NULL);
	assert_int_equal(cache_create(c, 3, STR("x"), STR("y"), &why), CACHE_OK);
	assert_int_equal(store(c, 0, 1, changes, 2), CACHE_OK);
	struct cache_load l = {.partition = 3, .watermark = 1, .keys = keys, .n_keys = 2, .due_until = 9, .due_max = 1};
	size_t bytes = 3 * EACH - 1;
	assert_int_equal(cache_load(c, &l, 1, &bytes, &a, &why), CACHE_TOO_MUCH);
	assert_false(cache_connected(c));
	assert_true(cache_connect(c, &why));
	bytes = 4 * EACH;
	assert_int_equal(cache_load(c, &l, 1, &bytes, &a, &why), CACHE_OK);
	assert_in_range(bytes, 3 * EACH, 3 * EACH + 200);
	assert_int_equal(l.states[1].len, EACH);
	assert_int_equal(l.due[0].state.len, EACH);
	l.due_max = 0;
	l.n_keys = 1;
	bytes = 2 * EACH;
	assert_int_equal(cache_load(c, &l, 1, &bytes, &a, &why), CACHE_OK);
	assert_int_equal(cache_load(c, &l, 1, NULL, &a, &why), CACHE_OK);
	cache_free(c);
	arena_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),         cmocka_unit_test(test_most),
		cmocka_unit_test(test_scan),         cmocka_unit_test(test_allowance),
		cmocka_unit_test(test_scripts_gone), cmocka_unit_test(test_full_and_forgetful),
		cmocka_unit_test(test_away),         cmocka_unit_test(test_holder),
		cmocka_unit_test(test_peers),
	};
	signal(SIGPIPE, SIG_IGN); /* as in the daemon's workers */
	if (!installed()) {
		puts("skipped: redis-server is not installed");
		return 77;
	}
	return cmocka_run_group_tests_name("worker cache", tests, setup, teardown);
}
