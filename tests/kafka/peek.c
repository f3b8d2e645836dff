/* What tests need to see and do on a real broker beyond the tools: records with their headers, states out of the
 * changelog and out of Redis, and records that no honest producer would send.  Takes its settings as the daemon does.
 *
 *     peek CONFIG read TOPIC       committed records, a JSON object a line
 *     peek CONFIG states           the changelog's newest states, as `shouwangctl run --state` prints them
 *     peek CONFIG cached           the same out of Redis
 *     peek CONFIG positions        how many records of each topic the newest partition records have taken in
 *     peek CONFIG send TOPIC       sends JSON lines {"partition", "key", "value", "headers"} from the standard input;
 *                                  each may lack */
#include "../../consumers/kafka_client.h"
#include "../../daemon/cli/kafka.h"
#include "../../daemon/conf/config.h"
#include "../../daemon/state/changelog.h"
#include "../../daemon/state/partition_record.h"
#include "../../daemon/state/redis.h"
#include "../../daemon/state/state_json.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct config config;

static int complain(const char *what)
{
	fprintf(stderr, "peek: %s\n", what);
	return 1;
}

/* --- reading */

typedef void take_message(const rd_kafka_message_t *m, void *opaque);

static int read_all(const char *topic, take_message *take, void *opaque)
{
	struct err why = {""};
	char *topics[] = {(char *)(uintptr_t)topic};
	struct topic_reader *r = topic_reader_open(&config.settings, topics, 1, true, &why);
	if (!r)
		return complain(why.text);
	for (rd_kafka_message_t *m; (m = topic_reader_next(r, 10000, &why));) {
		take(m, opaque);
		rd_kafka_message_destroy(m);
	}
	bool ended = topic_reader_ended(r);
	topic_reader_close(r);
	return ended ? 0 : complain(why.text[0] ? why.text : "no end of the topic");
}

static json_t *text(const void *s, size_t n)
{
	return s ? json_stringn_nocheck(s, n) : json_null();
}

/* Bytes that are no UTF-8 are printed as their number. */
static json_t *printable(const void *s, size_t n)
{
	char number[32];
	json_t *out = s ? json_stringn(s, n) : json_null();
	snprintf(number, sizeof number, "%zu bytes", n);
	return out ? out : json_string(number);
}

static void print_message(const rd_kafka_message_t *m, void *opaque)
{
	(void)opaque;
	rd_kafka_headers_t *headers;
	json_t *named = json_object();
	const char *name;
	const void *value;
	size_t n;
	if (rd_kafka_message_headers(m, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
		for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &n) == 0; i++)
			json_object_set_new_nocheck(named, name, printable(value, n));
	json_t *line = json_pack("{s:i, s:I, s:o, s:o, s:o}", "partition", (int)m->partition, "offset",
				 (json_int_t)m->offset, "key", printable(m->key, m->key_len), "value",
				 printable(m->payload, m->len), "headers", named);
	json_dumpf(line, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(line);
}

/* --- states: by key in an object, printed in the order of keys */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_states(json_t *states)
{
	const char *key;
	json_t *bytes;
	struct buffer out = {0};
	struct arena a = {0};
	void *next;
	size_t n = 0, i = 0;
	const char **keys = calloc(json_object_size(states) + 1, sizeof *keys);
	json_object_foreach_safe(states, next, key, bytes) keys[n++] = key;
	qsort(keys, n, sizeof *keys, by_text);
	for (i = 0; i < n; i++) {
		struct subject s;
		struct str subject;
		struct err why = {""};
		bytes = json_object_get(states, keys[i]);
		const struct watch *w = changelog_watch(config.ruleset, str_of(keys[i]), &subject);
		struct str b = {json_string_value(bytes), (uint32_t)json_string_length(bytes)};
		if (!w || !codec_decode(&s, &a, config.ruleset, w, subject, b, &why)) {
			printf("%s: %s\n", keys[i], w ? why.text : "no such watch");
			continue;
		}
		out.len = 0;
		state_json(&s, config.ruleset, false, &out);
		printf("%.*s\n", (int)out.len, out.data);
		arena_reset(&a);
	}
	free(keys);
	buffer_free(&out);
	arena_close(&a);
}

static void keep_state(const rd_kafka_message_t *m, void *opaque)
{
	char key[1024];
	snprintf(key, sizeof key, "%.*s", (int)m->key_len, (const char *)m->key);
	if (strcmp(key, PARTITION_RECORD_KEY) != 0)
		json_object_set_new_nocheck(opaque, key, text(m->payload, m->len));
}

static int cached_states(json_t *states)
{
	struct err why = {""};
	struct arena a = {0};
	struct redis *r = redis_new(&config.settings, &why);
	if (!r || !redis_connect(r, &why))
		return complain(why.text);
	for (int32_t p = 0; p < config.settings.partitions; p++) {
		struct words w = words_new(&a, 2);
		word_text(&w, "HGETALL");
		word_text(&w, arena_printf(&a, "{%s:%d}:states", config.settings.instance, (int)p));
		struct reply *reply = redis_ask(r, &w, &a, "HGETALL", &why);
		for (size_t i = 0; reply && i + 1 < reply->n; i += 2) {
			struct str bytes = reply->elements[i + 1]->str;
			json_object_set_new_nocheck(states, reply->elements[i]->str.s, text(bytes.s, bytes.len));
		}
	}
	redis_free(r);
	arena_close(&a);
	return why.text[0] ? complain(why.text) : 0;
}

static int print_from(bool cached)
{
	json_t *states = json_object();
	int code = cached ? cached_states(states) : read_all(config.settings.topics.state, keep_state, states);
	if (code == 0)
		print_states(states);
	json_decref(states);
	return code;
}

/* --- positions */

static void keep_record(const rd_kafka_message_t *m, void *opaque)
{
	char partition[16];
	snprintf(partition, sizeof partition, "%d", (int)m->partition);
	if (str_equal((struct str){m->key, (uint32_t)m->key_len}, STR(PARTITION_RECORD_KEY)))
		json_object_set_new(opaque, partition, text(m->payload, m->len));
}

static int print_positions(void)
{
	json_t *records = json_object(), *bytes, *sums = json_object();
	const char *partition;
	int code = read_all(config.settings.topics.state, keep_record, records);
	json_object_foreach(records, partition, bytes)
	{
		struct partition_record r;
		struct err why = {""};
		struct str b = {json_string_value(bytes), (uint32_t)json_string_length(bytes)};
		if (!partition_record_decode(&r, b, &why))
			code = complain(why.text);
		for (size_t i = 0; i < r.n_positions; i++) {
			json_int_t sum = json_integer_value(json_object_get(sums, r.positions[i].topic));
			json_object_set_new(sums, r.positions[i].topic, json_integer(sum + r.positions[i].next));
		}
	}
	json_dumpf(sums, stdout, 0);
	json_decref(records);
	json_decref(sums);
	return code;
}

/* --- sending */

static rd_kafka_headers_t *headers_of(json_t *named)
{
	const char *name;
	json_t *value;
	rd_kafka_headers_t *h = rd_kafka_headers_new(8);
	json_object_foreach(named, name, value)
		rd_kafka_header_add(h, name, -1, json_string_value(value), (ssize_t)json_string_length(value));
	return h;
}

static int send_line(rd_kafka_t *rk, const char *topic, json_t *line)
{
	json_t *partition = json_object_get(line, "partition"), *key = json_object_get(line, "key"),
	       *value = json_object_get(line, "value");
	int32_t to = partition ? (int32_t)json_integer_value(partition) : RD_KAFKA_PARTITION_UA;
	rd_kafka_resp_err_t code = rd_kafka_producev(
		rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(to),
		RD_KAFKA_V_KEY(json_string_value(key), json_string_length(key)),
		RD_KAFKA_V_VALUE((void *)(uintptr_t)json_string_value(value), json_string_length(value)),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		RD_KAFKA_V_HEADERS(headers_of(json_object_get(line, "headers"))), RD_KAFKA_V_END);
	return code ? complain(rd_kafka_err2str(code)) : 0;
}

static int send_all(const char *topic)
{
	struct err why = {""};
	json_error_t e;
	json_t *line;
	const struct kafka_setting list[] = {{"partitioner", "murmur2_random", true}};
	rd_kafka_conf_t *conf = kafka_client_conf(&config.settings, list, 1, &why);
	rd_kafka_t *rk = conf ? kafka_client_new(RD_KAFKA_PRODUCER, conf, &why) : NULL;
	if (!rk)
		return complain(why.text);
	int code = 0;
	while (code == 0 && (line = json_loadf(stdin, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &e))) {
		code = send_line(rk, topic, line);
		json_decref(line);
	}
	if (rd_kafka_flush(rk, 20000) != 0)
		code = complain("not everything was delivered");
	rd_kafka_destroy(rk);
	return code;
}

int main(int argc, char **argv)
{
	struct faults faults;
	faults_init(&faults);
	if (argc < 3 || !config_load(argv[1], &config, &faults))
		return complain("usage: peek CONFIG read|states|cached|positions|send [TOPIC]");
	faults_close(&faults);
	int code = 2;
	if (strcmp(argv[2], "read") == 0 && argc == 4)
		code = read_all(argv[3], print_message, NULL);
	else if (strcmp(argv[2], "send") == 0 && argc == 4)
		code = send_all(argv[3]);
	else if (strcmp(argv[2], "states") == 0 || strcmp(argv[2], "cached") == 0)
		code = print_from(strcmp(argv[2], "cached") == 0);
	else if (strcmp(argv[2], "positions") == 0)
		code = print_positions();
	config_close(&config);
	return code;
}
