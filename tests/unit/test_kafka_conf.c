/* Settings to a librdkafka configuration: users and passwords are used, and never shown. */
#include "../../consumers/kafka_conf.h"
#include "../../daemon/conf/secret.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/test-secret-XXXXXX";
static char path[100];

static const char *file(const void *content, size_t len)
{
	snprintf(path, sizeof path, "%s/password", folder);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	fwrite(content, 1, len, f);
	fclose(f);
	return path;
}

static void assert_set(const rd_kafka_conf_t *conf, const char *name, const char *wanted)
{
	char got[512];
	size_t n = sizeof got;
	assert_int_equal(rd_kafka_conf_get(conf, name, got, &n), RD_KAFKA_CONF_OK);
	assert_string_equal(got, wanted);
}

static struct settings plain(void)
{
	struct settings s = {.instance = "ganxian"};
	s.kafka.bootstrap = "127.0.0.1:9092";
	return s;
}

static void plain_settings_need_no_user(void **state)
{
	(void)state;
	struct settings s = plain();
	struct err why = {{0}};
	rd_kafka_conf_t *conf = kafka_conf_new(&s, &why);
	assert_non_null(conf);
	assert_set(conf, "bootstrap.servers", "127.0.0.1:9092");
	assert_set(conf, "client.id", "shouwang-ganxian");
	assert_set(conf, "security.protocol", "plaintext");
	rd_kafka_conf_destroy(conf);
}

static void a_user_is_never_sent_in_clear_unless_asked_for(void **state)
{
	(void)state;
	struct settings s = plain();
	struct err why = {{0}};
	s.kafka.username = "shouwang";
	s.kafka.password_file = file("s3cret with spaces \nsecond line\n", 32);
	rd_kafka_conf_t *conf = kafka_conf_new(&s, &why);
	if (!conf)
		fail_msg("%s", why.text);
	assert_set(conf, "security.protocol", "sasl_ssl");
	assert_set(conf, "sasl.mechanism", "SCRAM-SHA-512");
	assert_set(conf, "sasl.username", "shouwang");
	assert_set(conf, "sasl.password", "s3cret with spaces ");
	rd_kafka_conf_destroy(conf);
	struct property list[] = {{.name = "security.protocol", .value = "sasl_plaintext"},
				  {.name = "sasl.mechanisms", .value = "PLAIN"}};
	s.kafka.properties = list;
	s.kafka.n_properties = 2;
	conf = kafka_conf_new(&s, &why);
	assert_non_null(conf);
	assert_set(conf, "security.protocol", "sasl_plaintext");
	assert_set(conf, "sasl.mechanisms", "PLAIN");
	rd_kafka_conf_destroy(conf);
}

static void faults_name_the_property_and_no_value(void **state)
{
	(void)state;
	struct settings s = plain();
	struct err why = {{0}};
	struct property list[] = {{.name = "security.protocol", .value = "S3CRET"}};
	s.kafka.properties = list;
	s.kafka.n_properties = 1;
	assert_null(kafka_conf_new(&s, &why));
	assert_non_null(strstr(why.text, "kafka.properties: security.protocol: "));
	assert_null(strstr(why.text, "S3CRET"));
	why = (struct err){{0}};
	list[0].name = "no.such.property";
	assert_null(kafka_conf_new(&s, &why));
	assert_non_null(strstr(why.text, "has no such property"));
	why = (struct err){{0}};
	s.kafka.n_properties = 0;
	s.kafka.password_file = "/nonexistent/password";
	assert_null(kafka_conf_new(&s, &why));
	assert_string_equal(why.text, "kafka: password_file: /nonexistent/password: No such file or directory");
}

static void passwords_are_first_lines(void **state)
{
	(void)state;
	static char longest[SECRET_MAX + 10];
	char out[SECRET_MAX];
	struct err why = {{0}};
	memset(longest, 'x', sizeof longest);
	assert_true(secret_read(file("abc", 3), out, &why));
	assert_string_equal(out, "abc");
	assert_true(secret_read(file("abc\r\nd", 6), out, &why));
	assert_string_equal(out, "abc");
	assert_true(secret_read(file(longest, SECRET_MAX - 2), out, &why));
	assert_int_equal(strlen(out), SECRET_MAX - 2);
	secret_forget(out);
	for (size_t i = 0; i < sizeof out; i++)
		assert_int_equal(out[i], 0);
	static const struct {
		const char *content, *wanted;
		size_t len;
	} faults[] = {{"", "its first line is empty", 0},
		      {"\nabc", "its first line is empty", 4},
		      {"S3CRET\0x", "holds a zero byte", 8},
		      {longest, "longer than", SECRET_MAX - 1},
		      {longest, "longer than", sizeof longest}};
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		why = (struct err){{0}};
		assert_false(secret_read(file(faults[i].content, faults[i].len), out, &why));
		assert_non_null(strstr(why.text, faults[i].wanted));
		assert_null(strstr(why.text, "S3CRET"));
		assert_int_equal(out[0], 0);
	}
}

static void bare_names_are_systemd_credentials(void **state)
{
	(void)state;
	char out[SECRET_MAX];
	struct err why = {{0}};
	file("credential", 10);
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	assert_true(secret_read("password", out, &why));
	assert_string_equal(out, "credential");
	assert_false(secret_read("other", out, &why));
	assert_non_null(strstr(why.text, folder));
	unsetenv("CREDENTIALS_DIRECTORY");
}

static int start(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : 1;
}

static int end(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_settings_need_no_user),
		cmocka_unit_test(a_user_is_never_sent_in_clear_unless_asked_for),
		cmocka_unit_test(faults_name_the_property_and_no_value),
		cmocka_unit_test(passwords_are_first_lines),
		cmocka_unit_test(bare_names_are_systemd_credentials),
	};
	return cmocka_run_group_tests(tests, start, end);
}
