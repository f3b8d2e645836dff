/* Keys of the changelog, and the consumer that replays it. */
#include "changelog.h"
#include "../../consumers/kafka_client.h"
#include "../ops/memory_bound.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { RANGE_MS = 5000 };

struct str changelog_key(struct arena *a, const struct watch *watch, struct str subject)
{
	size_t n = strlen(watch->name);
	char *key = arena_alloc(a, n + 1 + subject.len);
	memcpy(key, watch->name, n);
	key[n] = '/';
	memcpy(key + n + 1, subject.s, subject.len);
	return (struct str){key, (uint32_t)(n + 1 + subject.len)};
}

const struct watch *changelog_watch(const struct ruleset *r, struct str key, struct str *subject)
{
	const char *slash = key.len ? memchr(key.s, '/', key.len) : NULL;
	if (!slash)
		return NULL;
	uint32_t n = (uint32_t)(slash - key.s);
	*subject = (struct str){slash + 1, key.len - n - 1};
	return ruleset_watch(r, (struct str){key.s, n});
}

struct changelog {
	const struct settings *settings;
	rd_kafka_t *rk;
	bool refused; /* librdkafka says so only once: another client will tell when it still is */
	const char *topic;
	struct kafka_trouble trouble;
	rd_kafka_message_t *last; /* whose bytes are lent */
};

/* The group is only named, never joined.  Short waits: the end is to be seen soon after it is reached. */
static const struct kafka_setting settings_of_changelog[] = {
	{"enable.auto.commit", "false", true},
	{"enable.auto.offset.store", "false", true},
	{"auto.offset.reset", "error", true},
	{"isolation.level", "read_committed", true},
	{"enable.partition.eof", "true", true},
	{"fetch.wait.max.ms", "10", true},
	{"fetch.error.backoff.ms", "50", false},
	{"queued.max.messages.kbytes", KAFKA_NUMBER(REPLAY_QUEUE_KBYTES), true},
	{"queued.min.messages", KAFKA_NUMBER(REPLAY_QUEUE_RECORDS), true},
	{"fetch.max.bytes", KAFKA_NUMBER(FETCH_BYTES), false},
	{"reconnect.backoff.max.ms", "2000", false},
	{"check.crcs", "true", false},
};

static rd_kafka_t *client_new(struct changelog *c, struct err *why)
{
	rd_kafka_conf_t *conf = kafka_client_conf(c->settings, settings_of_changelog,
						  sizeof settings_of_changelog / sizeof *settings_of_changelog, why);
	if (!conf)
		return NULL;
	if (!kafka_conf_set(conf, "group.id", c->settings->instance, why)) {
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	rd_kafka_conf_set_opaque(conf, &c->trouble);
	rd_kafka_t *rk = kafka_client_new(RD_KAFKA_CONSUMER, conf, why);
	if (rk)
		rd_kafka_poll_set_consumer(rk);
	return rk;
}

struct changelog *changelog_open(const struct settings *s, struct err *why)
{
	struct changelog *c = calloc(1, sizeof *c);
	if (!c)
		abort();
	c->settings = s;
	c->topic = s->topics.state;
	c->rk = client_new(c, why);
	if (c->rk)
		return c;
	free(c);
	return NULL;
}

static void give_back(struct changelog *c)
{
	if (c->last)
		rd_kafka_message_destroy(c->last);
	c->last = NULL;
}

void changelog_close(struct changelog *c)
{
	if (!c)
		return;
	give_back(c);
	rd_kafka_consumer_close(c->rk);
	kafka_client_destroy(c->rk);
	free(c);
}

static bool assign(struct changelog *c, rd_kafka_topic_partition_list_t *list, struct err *why)
{
	rd_kafka_resp_err_t code = rd_kafka_assign(c->rk, list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR || err_set(why, "reading the changelog: %s", rd_kafka_err2str(code));
}

static bool replace_client(struct changelog *c, struct err *why)
{
	rd_kafka_t *rk = client_new(c, why);
	if (!rk)
		return false;
	rd_kafka_consumer_close(c->rk);
	kafka_client_destroy(c->rk);
	c->rk = rk;
	c->refused = false;
	return true;
}

bool changelog_read(struct changelog *c, const struct changelog_start *list, size_t n, struct err *why)
{
	give_back(c);
	if (c->refused && !replace_client(c, why))
		return false;
	rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new((int)n);
	for (size_t i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add(l, c->topic, list[i].partition)->offset = list[i].offset;
	bool ok = assign(c, l, why);
	rd_kafka_topic_partition_list_destroy(l);
	return ok;
}

void changelog_stop(struct changelog *c)
{
	struct err ignored = {""};
	give_back(c);
	assign(c, NULL, &ignored);
}

enum changelog_news changelog_poll(struct changelog *c, int timeout_ms, struct changelog_item *out, struct err *why)
{
	give_back(c);
	rd_kafka_message_t *m = c->last = rd_kafka_consumer_poll(c->rk, timeout_ms);
	if (!m)
		return CHANGELOG_NOTHING;
	*out = (struct changelog_item){.partition = m->partition, .offset = m->offset};
	switch (m->err) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		out->key = (struct str){m->key ? m->key : "", (uint32_t)m->key_len};
		out->value = (struct str){m->payload ? m->payload : "", (uint32_t)m->len};
		return CHANGELOG_RECORD;
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		return CHANGELOG_END;
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
		err_set(why, "%s doesn't hold offset %" PRId64 " of partition %" PRId32, c->topic, m->offset,
			m->partition);
		return CHANGELOG_BROKEN;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		c->refused = true;
		err_set(why, "topic %s: this user may not read it (%s)%s", c->topic, rd_kafka_message_errstr(m),
			kafka_remedy(m->err));
		return CHANGELOG_REFUSED;
	default:
		err_set(why, "reading %s: %s", c->topic, rd_kafka_message_errstr(m));
		return CHANGELOG_TROUBLE;
	}
}

struct rd_kafka_s *changelog_client(struct changelog *c)
{
	return c->rk;
}

static int64_t ask_offset(struct changelog *c, int32_t partition, int64_t time)
{
	rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(l, c->topic, partition)->offset = time;
	rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(c->rk, l, RANGE_MS);
	int64_t offset = code || l->elems[0].err ? -1 : l->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(l);
	return offset;
}

bool changelog_range(struct changelog *c, int32_t partition, int64_t *first, int64_t *end)
{
	*first = ask_offset(c, partition, RD_KAFKA_OFFSET_BEGINNING);
	*end = ask_offset(c, partition, RD_KAFKA_OFFSET_END);
	return *first >= 0 && *end >= 0;
}

int64_t changelog_high(const struct changelog *c, int32_t partition)
{
	int64_t low, high;
	if (rd_kafka_get_watermark_offsets(c->rk, c->topic, partition, &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return -1;
	return high < 0 ? -1 : high;
}
