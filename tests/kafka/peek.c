/* What tests need to see and do on a real broker beyond the tools: records with their headers, states out of the
 * changelog and out of Redis, and records that no honest producer would send.  Takes its settings as the daemon does.
 *
 *     peek CONFIG read TOPIC       committed records, a JSON object a line
 *     peek CONFIG states           the changelog's newest states, as `shouwangctl run --state` prints them
 *     peek CONFIG cached           the same out of Redis
 *     peek CONFIG raw-states       their bytes, as `shouwangctl run --raw` prints them
 *     peek CONFIG raw-cached       the same out of Redis
 *     peek CONFIG positions        how many records of each topic the newest partition records have taken in
 *     peek CONFIG committed TOPIC… how many records of each topic the group has committed, of all partitions
 *     peek CONFIG left TOPIC       how many committed records of it the group has not taken in
 *     peek CONFIG unsettled        how many of the changelog's records Redis doesn't reflect yet, and how many timers
 *                                  are due by the partitions' clocks
 *     peek CONFIG send TOPIC       sends JSON lines {"partition", "key", "value", "headers", "timestamp"} from the
 *                                  standard input; each may lack.  A text may be {"base64": …}; headers are an object
 *                                  or pairs in an array
 *     peek CONFIG hold TOPIC JSON  sends one of these in a transaction that it aborts when the standard input ends;
 *                                  prints "held" meanwhile
 *     peek CONFIG feed             sends lines TOPIC<tab>KEY<tab>VALUE, or TOPIC:PARTITION…, from the standard input as
 *                                  they come, in their order whatever happens to the broker; prints now and then how
 *                                  many have arrived
 */
#include "../../consumers/kafka_client.h"
#include "../../daemon/cli/kafka.h"
#include "../../daemon/conf/config.h"
#include "../../daemon/state/changelog.h"
#include "../../daemon/state/partition_record.h"
#include "../../daemon/state/redis.h"
#include "../../daemon/outbox/json_write.h"
#include "../../daemon/state/state_json.h"
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	for (rd_kafka_message_t *m; (m = topic_reader_next(r, 60000, &why));) {
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

/* What of a value printable doesn't tell. */
static void add_base64(json_t *line, const rd_kafka_message_t *m)
{
	struct buffer b = {0};
	json_t *utf8 = m->payload ? json_stringn(m->payload, m->len) : json_null();
	json_decref(utf8);
	if (utf8)
		return;
	write_base64(&b, (struct str){m->payload, (uint32_t)m->len});
	json_object_set_new(line, "value_base64", json_stringn((const char *)b.data + 1, b.len - 2)); /* unquoted */
	buffer_free(&b);
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
	add_base64(line, m);
	json_dumpf(line, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(line);
}

/* --- states: by key in an object, printed in the order of keys */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_state(const char *key, struct str bytes, struct arena *a, struct buffer *out)
{
	struct subject s;
	struct str subject;
	struct err why = {""};
	const struct watch *w = changelog_watch(config.ruleset, str_of(key), &subject);
	if (!w || !codec_decode(&s, a, config.ruleset, w, subject, bytes, &why)) {
		printf("%s: %s\n", key, w ? why.text : "no such watch");
		return;
	}
	out->len = 0;
	state_json(&s, config.ruleset, false, out);
	printf("%.*s\n", (int)out->len, out->data);
	arena_reset(a);
}

static void print_raw(const char *key, struct str bytes)
{
	printf("%s ", key);
	for (uint32_t i = 0; i < bytes.len; i++)
		printf("%02x", (unsigned char)bytes.s[i]);
	putchar('\n');
}

static void print_states(json_t *states, bool raw)
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
		bytes = json_object_get(states, keys[i]);
		struct str b = {json_string_value(bytes), (uint32_t)json_string_length(bytes)};
		if (raw)
			print_raw(keys[i], b);
		else
			print_state(keys[i], b, &a, &out);
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
			if (json_object_get(states, reply->elements[i]->str.s))
				err_set(&why, "%s is in two partitions", reply->elements[i]->str.s);
			json_object_set_new_nocheck(states, reply->elements[i]->str.s, text(bytes.s, bytes.len));
		}
	}
	redis_free(r);
	arena_close(&a);
	return why.text[0] ? complain(why.text) : 0;
}

static int print_from(bool cached, bool raw)
{
	json_t *states = json_object();
	int code = cached ? cached_states(states) : read_all(config.settings.topics.state, keep_state, states);
	if (code == 0)
		print_states(states, raw);
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

/* --- how far the daemons are */

/* As a member of the group that reads nothing by itself. */
static rd_kafka_t *open_group(struct err *why)
{
	const struct kafka_setting list[] = {{"group.id", config.settings.instance, true},
					     {"isolation.level", "read_committed", true},
					     {"enable.partition.eof", "true", true},
					     {"enable.auto.commit", "false", true},
					     {"auto.offset.reset", "earliest", true}};
	rd_kafka_conf_t *conf = kafka_client_conf(&config.settings, list, sizeof list / sizeof *list, why);
	return conf ? kafka_client_new(RD_KAFKA_CONSUMER, conf, why) : NULL;
}

static rd_kafka_topic_partition_list_t *committed_places(rd_kafka_t *rk, char **topics, int n,
							 rd_kafka_resp_err_t *code)
{
	rd_kafka_topic_partition_list_t *places = rd_kafka_topic_partition_list_new(8);
	for (int i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add_range(places, topics[i], 0, config.settings.partitions - 1);
	*code = rd_kafka_committed(rk, places, 20000);
	return places;
}

static int print_left(char *topic)
{
	struct err why = {""};
	rd_kafka_resp_err_t code;
	long left = 0;
	rd_kafka_t *rk = open_group(&why);
	if (!rk)
		return complain(why.text);
	rd_kafka_poll_set_consumer(rk);
	rd_kafka_topic_partition_list_t *places = committed_places(rk, &topic, 1, &code);
	if (!code)
		code = rd_kafka_assign(rk, places);
	for (int open = places->cnt; !code && open;) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 20000);
		code = !m ? RD_KAFKA_RESP_ERR__TIMED_OUT : m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ? 0 : m->err;
		open -= m && m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
		left += m && !m->err;
		if (m)
			rd_kafka_message_destroy(m);
	}
	printf("%ld\n", left);
	rd_kafka_topic_partition_list_destroy(places);
	rd_kafka_destroy(rk);
	return code ? complain(rd_kafka_err2str(code)) : 0;
}

static int print_committed(char **topics, int n)
{
	struct err why = {""};
	rd_kafka_resp_err_t code;
	rd_kafka_t *rk = open_group(&why);
	if (!rk)
		return complain(why.text);
	rd_kafka_topic_partition_list_t *places = committed_places(rk, topics, n, &code);
	json_t *sums = json_object();
	for (int i = 0; i < places->cnt && !code; i++) {
		const rd_kafka_topic_partition_t *p = &places->elems[i];
		json_int_t sum = json_integer_value(json_object_get(sums, p->topic));
		json_object_set_new(sums, p->topic, json_integer(sum + (p->offset > 0 ? p->offset : 0)));
		code = p->err;
	}
	json_dumpf(sums, stdout, 0);
	json_decref(sums);
	rd_kafka_topic_partition_list_destroy(places);
	rd_kafka_destroy(rk);
	return code ? complain(rd_kafka_err2str(code)) : 0;
}

static struct reply *ask_partition(struct redis *r, struct arena *a, int32_t partition, const char *command,
				   const char *what, const char *const *more, size_t n, struct err *why)
{
	struct words w = words_new(a, n + 2);
	word_text(&w, command);
	word_text(&w, arena_printf(a, "{%s:%d}:%s", config.settings.instance, (int)partition, what));
	for (size_t i = 0; i < n; i++)
		word_text(&w, more[i]);
	return redis_ask(r, &w, a, command, why);
}

/* Where Redis stands, and how many timers are due there. */
static bool ask_redis(struct redis *r, struct arena *a, struct changelog_start *starts, json_int_t *due,
		      struct err *why)
{
	static const char *const fields[] = {"watermark", "record"};
	for (int32_t p = 0; p < config.settings.partitions; p++) {
		struct partition_record record = {.clock = INT64_MIN};
		struct reply *meta = ask_partition(r, a, p, "HMGET", "meta", fields, 2, why);
		if (!meta)
			return false;
		const struct reply *mark = meta->elements[0], *bytes = meta->elements[1];
		starts[p] = (struct changelog_start){p, mark->str.len ? strtoll(mark->str.s, NULL, 10) : 0};
		if (bytes->str.len && !partition_record_decode(&record, bytes->str, why))
			return false;
		const char *range[] = {"-inf", arena_printf(a, "%" PRId64, record.clock)};
		struct reply *n = ask_partition(r, a, p, "ZCOUNT", "timers", range, 2, why);
		if (!n)
			return false;
		*due += n->integer;
	}
	return true;
}

static bool count_behind(const struct changelog_start *starts, json_int_t *behind, struct err *why)
{
	int32_t left = config.settings.partitions;
	struct changelog_item item;
	struct changelog *c = changelog_open(&config.settings, why);
	bool ok = c && changelog_read(c, starts, (size_t)left, why);
	for (int quiet = 0; ok && left;) {
		switch (changelog_poll(c, 1000, &item, why)) {
		case CHANGELOG_RECORD:
			++*behind;
			break;
		case CHANGELOG_END:
			left--;
			break;
		case CHANGELOG_BROKEN:
			ok = false;
			break;
		default:
			ok = ++quiet < 20 || err_set(why, "Kafka says nothing");
		}
	}
	if (c)
		changelog_close(c);
	return ok;
}

static int print_unsettled(void)
{
	struct err why = {""};
	struct arena a = {0};
	json_int_t due = 0, behind = 0;
	struct changelog_start *starts = ARENA_ARRAY(&a, struct changelog_start, (size_t)config.settings.partitions);
	struct redis *r = redis_new(&config.settings, &why);
	bool ok = r && redis_connect(r, &why) && ask_redis(r, &a, starts, &due, &why) &&
		  count_behind(starts, &behind, &why);
	if (ok)
		printf("{\"behind\": %" JSON_INTEGER_FORMAT ", \"due\": %" JSON_INTEGER_FORMAT "}\n", behind, due);
	redis_free(r);
	arena_close(&a);
	return ok ? 0 : complain(why.text);
}

/* --- sending */

static int digit_of(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

static struct str decode_base64(struct arena *a, const char *s)
{
	char *out = arena_alloc(a, strlen(s) + 1);
	uint32_t n = 0, bits = 0, have = 0;
	for (int d; (d = digit_of(*s)) >= 0; s++) {
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have >= 8)
			out[n++] = (char)(bits >> (have -= 8));
	}
	return (struct str){out, n};
}

/* A string, or bytes as base64; .s NULL: neither. */
static struct str bytes_of(struct arena *a, json_t *value)
{
	const char *base64 = json_string_value(json_object_get(value, "base64"));
	return base64 ? decode_base64(a, base64)
		      : (struct str){json_string_value(value), (uint32_t)json_string_length(value)};
}

static void add_header(rd_kafka_headers_t *h, struct arena *a, const char *name, json_t *value)
{
	struct str s = bytes_of(a, value);
	rd_kafka_header_add(h, name, -1, s.s, (ssize_t)s.len);
}

static rd_kafka_headers_t *headers_of(struct arena *a, json_t *list)
{
	size_t i;
	const char *name;
	json_t *value;
	rd_kafka_headers_t *h = rd_kafka_headers_new(8);
	json_array_foreach(list, i, value)
		add_header(h, a, json_string_value(json_array_get(value, 0)), json_array_get(value, 1));
	json_object_foreach(list, name, value) add_header(h, a, name, value);
	return h;
}

static int send_line(rd_kafka_t *rk, const char *topic, json_t *line)
{
	struct arena a = {0};
	json_t *partition = json_object_get(line, "partition");
	struct str key = bytes_of(&a, json_object_get(line, "key")),
		   value = bytes_of(&a, json_object_get(line, "value"));
	int32_t to = partition ? (int32_t)json_integer_value(partition) : RD_KAFKA_PARTITION_UA;
	rd_kafka_resp_err_t code;
	do { /* a full queue empties */
		rd_kafka_headers_t *headers = headers_of(&a, json_object_get(line, "headers"));
		code = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(to),
					 RD_KAFKA_V_KEY(key.s, key.len),
					 RD_KAFKA_V_VALUE((void *)(uintptr_t)value.s, value.len),
					 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
					 RD_KAFKA_V_TIMESTAMP(json_integer_value(json_object_get(line, "timestamp"))),
					 RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
		if (code)
			rd_kafka_headers_destroy(headers);
		rd_kafka_poll(rk, code ? 100 : 0);
	} while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
	arena_close(&a);
	return code ? complain(rd_kafka_err2str(code)) : 0;
}

static int send_all(const char *topic)
{
	struct err why = {""};
	json_error_t e;
	json_t *line;
	const struct kafka_setting list[] = {{"partitioner", "murmur2_random", true},
					     {"enable.idempotence", "true", true}}; /* keeps the order */
	rd_kafka_conf_t *conf = kafka_client_conf(&config.settings, list, 2, &why);
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

static rd_kafka_t *transaction_new(struct err *why)
{
	const struct kafka_setting list[] = {{"partitioner", "murmur2_random", true},
					     {"transactional.id", "peek", true}};
	rd_kafka_conf_t *conf = kafka_client_conf(&config.settings, list, sizeof list / sizeof *list, why);
	rd_kafka_t *rk = conf ? kafka_client_new(RD_KAFKA_PRODUCER, conf, why) : NULL;
	rd_kafka_error_t *e = rk ? rd_kafka_init_transactions(rk, 20000) : NULL;
	if (!e && rk)
		e = rd_kafka_begin_transaction(rk);
	if (!e)
		return rk;
	err_set(why, "%s", rd_kafka_error_string(e));
	rd_kafka_error_destroy(e);
	rd_kafka_destroy(rk);
	return NULL;
}

/* A transaction that stays open until the standard input ends, and is aborted then. */
static int hold(const char *topic, const char *text)
{
	struct err why = {""};
	json_t *line = json_loads(text, 0, NULL);
	rd_kafka_t *rk = line ? transaction_new(&why) : NULL;
	if (!rk)
		return complain(line ? why.text : "no JSON");
	int code = send_line(rk, topic, line);
	if (rd_kafka_flush(rk, 20000) != 0)
		code = complain("not delivered");
	puts("held");
	fflush(stdout);
	while (getchar() != EOF)
		continue;
	rd_kafka_error_destroy(rd_kafka_abort_transaction(rk, 20000));
	rd_kafka_destroy(rk);
	json_decref(line);
	return code;
}

/* Lines may be anything that has no line end; an empty key is none. */
struct feeding {
	struct kafka_trouble trouble; /* first: kafka_client.c's error callback writes there */
	long delivered, shown;
	bool failed;
};

static void on_fed(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	struct feeding *f = opaque;
	(void)rk;
	if (m->err) {
		f->failed = true;
		complain(rd_kafka_err2str(m->err));
	} else {
		f->delivered++;
	}
}

static void tell(struct feeding *f)
{
	if (f->shown == f->delivered)
		return;
	printf("%ld\n", f->delivered);
	fflush(stdout);
	f->shown = f->delivered;
}

static bool feed_line(rd_kafka_t *rk, char *line, size_t n, struct feeding *f)
{
	char *key = memchr(line, '\t', n);
	char *value = key ? memchr(key + 1, '\t', n - (size_t)(key + 1 - line)) : NULL;
	if (!value)
		return false;
	*key++ = '\0';
	size_t key_len = (size_t)(value - key);
	value++;
	char *colon = strchr(line, ':');
	int32_t partition = colon ? (int32_t)strtol(colon + 1, NULL, 10) : RD_KAFKA_PARTITION_UA;
	if (colon)
		*colon = '\0';
	rd_kafka_resp_err_t e;
	while ((e = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(line), RD_KAFKA_V_PARTITION(partition),
				      RD_KAFKA_V_KEY(key_len ? key : NULL, key_len),
				      RD_KAFKA_V_VALUE(value, n - (size_t)(value - line)),
				      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE(NULL),
				      RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
		rd_kafka_poll(rk, 100);
		tell(f);
	}
	return !e;
}

/* Waits for lines in short turns, so that what has arrived is told while none comes. */
static bool wait_line(rd_kafka_t *rk, struct feeding *f)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	for (;;) {
		rd_kafka_poll(rk, 0);
		tell(f);
		if (f->failed || poll(&in, 1, 20) > 0)
			return !f->failed;
	}
}

static bool feed_lines(rd_kafka_t *rk, struct feeding *f)
{
	char *rest = NULL, *end;
	size_t n = 0, cap = 0;
	bool ok = true;
	for (ssize_t got = 1; ok && got > 0 && wait_line(rk, f);) {
		if (cap - n < 65536 && !(rest = realloc(rest, cap = 2 * cap + 131072)))
			abort();
		got = read(STDIN_FILENO, rest + n, cap - n);
		n += got > 0 ? (size_t)got : 0;
		char *line = rest;
		while (ok && (end = memchr(line, '\n', n - (size_t)(line - rest)))) {
			ok = feed_line(rk, line, (size_t)(end - line), f);
			line = end + 1;
		}
		n -= (size_t)(line - rest);
		memmove(rest, line, n);
	}
	free(rest);
	return ok && !f->failed;
}

static int feed(void)
{
	struct err why = {""};
	struct feeding f = {0};
	const struct kafka_setting list[] = {{"partitioner", "murmur2_random", true},
					     {"enable.idempotence", "true", true},
					     {"linger.ms", "5", true},
					     {"message.timeout.ms", "900000", true},
					     {"reconnect.backoff.max.ms", "1000", true}};
	rd_kafka_conf_t *conf = kafka_client_conf(&config.settings, list, sizeof list / sizeof *list, &why);
	if (!conf)
		return complain(why.text);
	rd_kafka_conf_set_dr_msg_cb(conf, on_fed);
	rd_kafka_conf_set_opaque(conf, &f);
	rd_kafka_t *rk = kafka_client_new(RD_KAFKA_PRODUCER, conf, &why);
	if (!rk)
		return complain(why.text);
	bool ok = feed_lines(rk, &f);
	while (ok && !f.failed && rd_kafka_outq_len(rk) > 0) {
		rd_kafka_poll(rk, 100);
		tell(&f);
	}
	tell(&f);
	rd_kafka_destroy(rk);
	return ok && !f.failed ? 0 : complain("not everything was delivered");
}

static bool is(const char *word, const char *wanted)
{
	return strcmp(word, wanted) == 0;
}

static int obey(int argc, char **argv)
{
	const char *word = argv[2];
	if (is(word, "read") && argc == 4)
		return read_all(argv[3], print_message, NULL);
	if (is(word, "send") && argc == 4)
		return send_all(argv[3]);
	if (is(word, "hold") && argc == 5)
		return hold(argv[3], argv[4]);
	if (is(word, "states") || is(word, "cached"))
		return print_from(is(word, "cached"), false);
	if (is(word, "raw-states") || is(word, "raw-cached"))
		return print_from(is(word, "raw-cached"), true);
	if (is(word, "positions"))
		return print_positions();
	if (is(word, "committed"))
		return print_committed(argv + 3, argc - 3);
	if (is(word, "left") && argc == 4)
		return print_left(argv[3]);
	if (is(word, "unsettled"))
		return print_unsettled();
	if (is(word, "feed"))
		return feed();
	return complain("no such word");
}

int main(int argc, char **argv)
{
	struct faults faults;
	faults_init(&faults);
	if (argc < 3 || !config_load(argv[1], &config, &faults))
		return complain("usage: peek CONFIG WORD…; the words stand at the top of peek.c");
	faults_close(&faults);
	int code = obey(argc, argv);
	config_close(&config);
	return code;
}
