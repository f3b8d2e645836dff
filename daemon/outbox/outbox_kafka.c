/* The transactional producer.  Delivery reports come as events, one queue poll for many, and give the changelog's
 * offsets. */
#include "outbox_kafka.h"
#include "../../consumers/kafka_client.h"
#include "../ops/clock.h"
#include "../ops/fault_point.h"
#include "outbox_send.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TRANSACTION_MS = 15000,
	FENCED_ROW_MS = 120000, /* two of one id take it from each other at each commit, which may be far apart */
	RECORD_OVERHEAD = 512,
	DEFAULT_LIMIT = 1000000,
	METADATA_MS = 2000,
	MISSING_AGAIN_MS = 60000,
};

struct handle {
	char name[250];
	rd_kafka_topic_t *topic;
	bool there;
	int64_t again; /* ms, monotonic: it wasn't there; when to look again */
};
struct outbox {
	const struct settings *settings;
	char id[256];
	rd_kafka_t *rk; /* NULL: none */
	rd_kafka_queue_t *events;
	bool ready;      /* init_transactions is through */
	bool open;       /* a transaction has begun, at: */
	int64_t begun;   /* ms, monotonic */
	int64_t timeout; /* ms: how long the broker lets one be open */
	struct handle *handles;
	size_t n_handles, cap_handles;
	size_t unreported; /* records sent without a delivery report yet */
	bool lost;         /* the changelog has lost records that were there */
	bool failed;       /* a record of this transaction; what: */
	struct err failure;
	unsigned fenced; /* in a row; the newest at: */
	int64_t fenced_at;
	bool fenced_last; /* the newest replacement was for that */
	int32_t state_bytes, batch_bytes;
	struct kafka_trouble trouble;
};

static const struct kafka_setting settings_of_outbox[] = {
	{"enable.idempotence", "true", true},
	{"acks", "all", true},
	{"transaction.timeout.ms", "15000", false},
	{"linger.ms", "0", false},
	{"retry.backoff.ms", "2", false}, /* how long send_offsets waits after "concurrent transactions" */
	{"socket.nagle.disable", "true", false},
	{"queue.buffering.max.messages", "1000000", false},
	{"reconnect.backoff.max.ms", "2000", false},
};

static int64_t timeout_of(const struct settings *s)
{
	for (size_t i = 0; i < s->kafka.n_properties; i++)
		if (strcmp(s->kafka.properties[i].name, "transaction.timeout.ms") == 0)
			return strtoll(s->kafka.properties[i].value, NULL, 10);
	return TRANSACTION_MS;
}

struct outbox *outbox_new(const struct settings *s, int32_t number, struct err *why)
{
	rd_kafka_conf_t *conf =
		kafka_client_conf(s, settings_of_outbox, sizeof settings_of_outbox / sizeof *settings_of_outbox, why);
	if (!conf)
		return NULL;
	rd_kafka_conf_destroy(conf); /* it was only to be checked */
	struct outbox *o = calloc(1, sizeof *o);
	if (!o)
		abort();
	o->settings = s;
	o->state_bytes = o->batch_bytes = DEFAULT_LIMIT;
	o->timeout = timeout_of(s);
	snprintf(o->id, sizeof o->id, "%s-%s-%" PRId32, s->instance, s->node, number);
	return o;
}

/* The purge waits: an answer to what is in flight that comes while librdkafka (2.0.2 and newer) destroys the
 * producer may set the text of the transaction's error, which is freed by then. */
void outbox_close_producer(struct outbox *o)
{
	if (!o->rk)
		return;
	for (size_t i = 0; i < o->n_handles; i++)
		rd_kafka_topic_destroy(o->handles[i].topic);
	o->n_handles = 0;
	rd_kafka_queue_destroy(o->events);
	rd_kafka_purge(o->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_destroy(o->rk); /* after it nothing borrowed is in use */
	o->rk = NULL;
	o->unreported = 0;
	o->ready = o->open = false;
}

void outbox_free(struct outbox *o)
{
	if (!o)
		return;
	outbox_close_producer(o);
	free(o->handles);
	free(o);
}

const char *outbox_transactional_id(const struct outbox *o)
{
	return o->id;
}

const struct settings *outbox_settings(const struct outbox *o)
{
	return o->settings;
}

void outbox_limits(struct outbox *o, int32_t state_bytes, int32_t batch_bytes)
{
	if (o->state_bytes == state_bytes && o->batch_bytes == batch_bytes)
		return;
	o->state_bytes = state_bytes;
	o->batch_bytes = batch_bytes;
	outbox_close_producer(o); /* its batches could be too large */
}

bool outbox_ready(const struct outbox *o)
{
	return o->ready;
}

unsigned outbox_fenced(const struct outbox *o)
{
	return o->fenced_last ? o->fenced : 0;
}

size_t outbox_max_state(const struct outbox *o)
{
	return (size_t)o->state_bytes - RECORD_OVERHEAD;
}

size_t outbox_max_message(const struct outbox *o)
{
	return (size_t)o->batch_bytes - RECORD_OVERHEAD;
}

/* --- the producer */

static bool set_number(rd_kafka_conf_t *conf, const char *name, int32_t value, struct err *why)
{
	char text[16];
	snprintf(text, sizeof text, "%" PRId32, value);
	return kafka_conf_set(conf, name, text, why);
}

static rd_kafka_t *producer_new(struct outbox *o, struct err *why)
{
	rd_kafka_conf_t *conf = kafka_client_conf(o->settings, settings_of_outbox,
						  sizeof settings_of_outbox / sizeof *settings_of_outbox, why);
	if (!conf)
		return NULL;
	bool murmur2 = strcmp(o->settings->partitioner, "murmur2") == 0;
	if (!kafka_conf_set(conf, "transactional.id", o->id, why) || !kafka_conf_set(conf, "client.id", o->id, why) ||
	    !kafka_conf_set(conf, "partitioner", murmur2 ? "murmur2_random" : "consistent_random", why) ||
	    !set_number(conf, "message.max.bytes", o->state_bytes > o->batch_bytes ? o->state_bytes : o->batch_bytes,
			why) ||
	    !set_number(conf, "batch.size", o->batch_bytes, why)) {
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	rd_kafka_conf_set_opaque(conf, &o->trouble);
	rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR);
	return kafka_client_new(RD_KAFKA_PRODUCER, conf, why);
}

static rd_kafka_topic_t *handle_of(struct outbox *o, const char *name)
{
	for (size_t i = 0; i < o->n_handles; i++)
		if (strcmp(o->handles[i].name, name) == 0)
			return o->handles[i].topic;
	rd_kafka_topic_t *topic = strlen(name) < sizeof o->handles->name ? rd_kafka_topic_new(o->rk, name, NULL) : NULL;
	if (!topic)
		return NULL;
	if (o->n_handles == o->cap_handles) {
		o->cap_handles = o->cap_handles ? o->cap_handles * 2 : 16;
		o->handles = realloc(o->handles, o->cap_handles * sizeof *o->handles);
		if (!o->handles)
			abort();
	}
	struct handle *h = &o->handles[o->n_handles++];
	*h = (struct handle){.topic = topic};
	memcpy(h->name, name, strlen(name) + 1);
	return topic;
}

bool outbox_has_topic(struct outbox *o, const char *name)
{
	const struct rd_kafka_metadata *m;
	struct handle *h = NULL;
	rd_kafka_topic_t *topic = handle_of(o, name);
	for (size_t i = 0; topic && i < o->n_handles; i++)
		if (o->handles[i].topic == topic)
			h = &o->handles[i];
	if (!h || h->there || clock_monotonic() < h->again)
		return h && h->there;
	h->again = clock_monotonic() + MISSING_AGAIN_MS;
	if (rd_kafka_metadata(o->rk, 0, topic, &m, METADATA_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return h->there = true; /* not known: sending will tell */
	rd_kafka_resp_err_t code = m->topic_cnt ? m->topics[0].err : RD_KAFKA_RESP_ERR_NO_ERROR;
	h->there = code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART && code != RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
	rd_kafka_metadata_destroy(m);
	return h->there;
}

/* The first record to a topic would otherwise wait up to a second for its leaders. */
static void warm_up(struct outbox *o, const char *const *topics, size_t n)
{
	for (size_t i = 0; i < n; i++)
		outbox_has_topic(o, topics[i]);
}

bool outbox_open_producer(struct outbox *o, const char *const *topics, size_t n, int timeout_ms, struct err *why,
			  bool *away)
{
	if (o->ready)
		outbox_close_producer(o);
	if (!o->rk) {
		o->rk = producer_new(o, why);
		if (!o->rk)
			return false;
		o->events = rd_kafka_queue_get_main(o->rk);
	}
	rd_kafka_error_t *e = rd_kafka_init_transactions(o->rk, timeout_ms);
	if (e) {
		const char *remedy = kafka_remedy(rd_kafka_error_code(e));
		err_set(why, "waiting for earlier transactions of %s: %s%s", o->id, rd_kafka_error_string(e), remedy);
		*away = !*remedy;
		if (!rd_kafka_error_is_retriable(e))
			outbox_close_producer(o);
		rd_kafka_error_destroy(e);
		return false;
	}
	warm_up(o, topics, n);
	o->ready = true;
	return true;
}

/* --- delivery reports */

__attribute__((format(printf, 2, 3))) static void fail(struct outbox *o, const char *format, ...)
{
	char text[sizeof o->failure.text];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	o->failed = true;
	err_set(&o->failure, "%s", text);
}

static void take_report(struct outbox *o, const rd_kafka_message_t *m)
{
	struct outbox_partition *p = m->_private;
	o->unreported--;
	if (m->err) {
		fail(o, "a record of %zu bytes to %s [%" PRId32 "]: %s%s", m->len + m->key_len,
		     rd_kafka_topic_name(m->rkt), m->partition, rd_kafka_err2str(m->err), kafka_remedy(m->err));
	} else if (p && m->offset >= 0 && m->offset < p->from) {
		o->lost = true;
		fail(o,
		     "a record to %s [%" PRId32 "] was put at offset %" PRId64 ", but Redis reflects it up to %" PRId64
		     ": the topic was cut or made anew",
		     rd_kafka_topic_name(m->rkt), m->partition, m->offset, p->from);
	} else if (p && m->offset >= 0) {
		p->unreported--;
		if (!p->next || m->offset < p->first)
			p->first = m->offset;
		if (m->offset + 1 > p->next)
			p->next = m->offset + 1;
	}
}

static void take_reports(struct outbox *o, int timeout_ms)
{
	rd_kafka_event_t *e = rd_kafka_queue_poll(o->events, timeout_ms);
	if (!e)
		return;
	if (rd_kafka_event_type(e) == RD_KAFKA_EVENT_DR)
		for (const rd_kafka_message_t *m; (m = rd_kafka_event_message_next(e));)
			take_report(o, m);
	rd_kafka_event_destroy(e);
}

static void drain(struct outbox *o, int timeout_ms, bool until_failure)
{
	int64_t end = clock_monotonic() + timeout_ms, left;
	while (o->unreported && !(until_failure && o->failed) && (left = end - clock_monotonic()) > 0)
		take_reports(o, (int)left);
}

/* --- a producer that is of no more use */

/* Where librdkafka has one, the producer does nothing more. */
static rd_kafka_resp_err_t fatal_error(rd_kafka_t *rk, struct err *why)
{
	char text[256];
	rd_kafka_resp_err_t code = rd_kafka_fatal_error(rk, text, sizeof text);
	if (code)
		err_set(why, "%s", text);
	return code;
}

static bool is_fenced(rd_kafka_t *rk)
{
	struct err why = {""};
	rd_kafka_resp_err_t code = fatal_error(rk, &why);
	return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
	       code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/* Was the transaction open for so long that the broker has given it up?  Then why says so first. */
static bool too_late(const struct outbox *o, int64_t now, struct err *why)
{
	if (!o->open || now - o->begun < o->timeout)
		return false;
	err_prefix(why,
		   "a transaction was open for %" PRId64 " ms, and the broker gives it up after %" PRId64
		   " (transaction.timeout.ms); has this process, or the network, stood still?",
		   now - o->begun, o->timeout);
	return true;
}

/* The broker fences the producer of a transaction that it gives up, too. */
static enum outbox_answer replace(struct outbox *o, struct err *why)
{
	int64_t now = clock_monotonic();
	bool fenced = is_fenced(o->rk);
	o->fenced_last = fenced && !too_late(o, now, why);
	if (o->fenced_last) {
		o->fenced = o->fenced && now - o->fenced_at < FENCED_ROW_MS ? o->fenced + 1 : 1;
		o->fenced_at = now;
	}
	outbox_close_producer(o);
	return OUTBOX_REPLACE;
}

/* --- writing */

static void fail_on_request(struct outbox *o, enum fault_point here)
{
	(void)here; /* where there are no fault points */
	if (fault_fatal(here))
		rd_kafka_test_fatal_error(o->rk, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "for a test");
}

bool outbox_begin(struct outbox *o, struct err *why)
{
	fail_on_request(o, FAULT_BEFORE_BEGIN);
	o->failed = o->lost = false;
	o->failure.text[0] = '\0';
	rd_kafka_error_t *e = rd_kafka_begin_transaction(o->rk);
	if (!e) {
		o->open = true;
		o->begun = clock_monotonic();
		return true;
	}
	err_set(why, "beginning a transaction: %s", rd_kafka_error_string(e));
	rd_kafka_error_destroy(e);
	replace(o, why);
	return false;
}

/* A full queue empties while the reports are taken. */
static void produce(struct outbox *o, const char *topic, int32_t partition, struct str key, struct str value,
		    struct outbox_partition *p)
{
	rd_kafka_topic_t *t = handle_of(o, topic);
	if (!t)
		fail(o, "topic %s: no topic can have this name", topic);
	while (!o->failed) {
		if (rd_kafka_produce(t, partition, 0, (void *)(uintptr_t)value.s, value.len, key.s, key.len, p) == 0) {
			o->unreported++;
			return;
		}
		rd_kafka_resp_err_t code = rd_kafka_last_error();
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			fail(o, "a record of %u bytes to %s: %s", value.len + key.len, topic, rd_kafka_err2str(code));
		else
			take_reports(o, 100);
	}
}

void outbox_state(struct outbox *o, struct outbox_partition *p, struct str key, struct str value)
{
	size_t before = o->unreported;
	produce(o, o->settings->topics.state, p->partition, key, value, p);
	p->unreported += o->unreported > before;
}

void outbox_send(struct outbox *o, const char *topic, int32_t partition, struct str key, struct str value,
		 rd_kafka_headers_t *headers)
{
	rd_kafka_topic_t *t = handle_of(o, topic);
	rd_kafka_resp_err_t code = t ? RD_KAFKA_RESP_ERR__QUEUE_FULL : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
	while (!o->failed && code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
		code = rd_kafka_producev(o->rk, RD_KAFKA_V_RKT(t), RD_KAFKA_V_PARTITION(partition),
					 RD_KAFKA_V_MSGFLAGS(0), RD_KAFKA_V_KEY(key.s, key.len),
					 RD_KAFKA_V_VALUE((void *)(uintptr_t)value.s, value.len),
					 RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
		if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
			take_reports(o, 100);
	}
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
		o->unreported++;
		return;
	}
	rd_kafka_headers_destroy(headers);
	if (!o->failed)
		fail(o, "a record of %u bytes to %s: %s", value.len + key.len, topic, rd_kafka_err2str(code));
}

/* --- the end of a transaction */

/* What is still queued is dropped, what is under way is waited for; only an abort that succeeded is certain. */
static enum outbox_answer abort_transaction(struct outbox *o, struct err *why)
{
	rd_kafka_purge(o->rk, RD_KAFKA_PURGE_F_QUEUE);
	drain(o, TRANSACTION_MS, false);
	if (o->unreported)
		return replace(o, why);
	int64_t end = clock_monotonic() + TRANSACTION_MS;
	for (;;) {
		rd_kafka_error_t *e = rd_kafka_abort_transaction(o->rk, 5000);
		bool again = e && rd_kafka_error_is_retriable(e) && clock_monotonic() < end;
		bool ok = !e;
		rd_kafka_error_destroy(e);
		if (ok) {
			too_late(o, clock_monotonic(), why);
			o->open = false;
			return OUTBOX_AGAIN;
		}
		if (!again)
			return replace(o, why);
	}
}

static rd_kafka_error_t *send_offsets(struct outbox *o, const struct outbox_offset *offsets, size_t n,
				      const rd_kafka_consumer_group_metadata_t *metadata)
{
	rd_kafka_error_t *e;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
	for (size_t i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add(list, offsets[i].topic, offsets[i].partition)->offset =
			offsets[i].next;
	int64_t end = clock_monotonic() + TRANSACTION_MS;
	while ((e = rd_kafka_send_offsets_to_transaction(o->rk, list, metadata, 5000)) &&
	       rd_kafka_error_is_retriable(e) && clock_monotonic() < end)
		rd_kafka_error_destroy(e);
	rd_kafka_topic_partition_list_destroy(list);
	return e;
}

/* Why librdkafka lets the transaction not go on, which any call tells that is out of place.  False: it lets. */
static bool transaction_error(struct outbox *o, rd_kafka_resp_err_t *code, struct err *why)
{
	rd_kafka_error_t *e = rd_kafka_begin_transaction(o->rk);
	bool told = e && (rd_kafka_error_txn_requires_abort(e) || rd_kafka_error_is_fatal(e));
	if (told) {
		*code = rd_kafka_error_code(e);
		err_set(why, "%s", rd_kafka_error_string(e));
	}
	rd_kafka_error_destroy(e);
	return told;
}

/* Before the commit is asked for, an abort is safe.  (Where the changelog has lost records, a takeover must look into
 * it before anything is written again.) */
static enum outbox_answer give_up(struct outbox *o, rd_kafka_error_t *e, struct err *why)
{
	struct err told = {""};
	char topic[256];
	rd_kafka_resp_err_t code = fatal_error(o->rk, &told);
	bool fatal = code != RD_KAFKA_RESP_ERR_NO_ERROR;
	if (!fatal && e) {
		code = rd_kafka_error_code(e);
		err_set(&told, "%s", rd_kafka_error_string(e));
	} else if (!fatal && !transaction_error(o, &code, &told)) {
		told = o->failure;
	}
	if (kafka_refused(&o->trouble, topic, sizeof topic))
		err_prefix(&told, "topic %s", topic);
	char *lasted =
		strstr(told.text, " (after "); /* each time another one, so that nobody sees that it is the same */
	if (lasted)
		*lasted = '\0';
	err_set(why, "%s%s", told.text, kafka_remedy(code));
	rd_kafka_error_destroy(e);
	return fatal || o->lost ? replace(o, why) : abort_transaction(o, why);
}

static enum outbox_answer finish(struct outbox *o, struct err *why)
{
	rd_kafka_error_t *e;
	int64_t end = clock_monotonic() + 2 * TRANSACTION_MS;
	fault_point(FAULT_BEFORE_COMMIT);
	fail_on_request(o, FAULT_BEFORE_COMMIT);
	fault_point(FAULT_DURING_COMMIT);
	while ((e = rd_kafka_commit_transaction(o->rk, 5000)) && rd_kafka_error_is_retriable(e) &&
	       clock_monotonic() < end)
		rd_kafka_error_destroy(e);
	if (!e) {
		o->open = false;
		return OUTBOX_OK;
	}
	err_set(why, "committing: %s", rd_kafka_error_string(e));
	rd_kafka_error_destroy(e);
	return replace(o, why);
}

/* The records first: while their partitions are being registered, the coordinator would turn the offsets away and they
 * would be sent again. */
enum outbox_answer outbox_commit(struct outbox *o, const struct outbox_offset *offsets, size_t n,
				 const rd_kafka_consumer_group_metadata_t *metadata, struct err *why)
{
	fail_on_request(o, FAULT_IN_TRANSACTION);
	drain(o, TRANSACTION_MS, true);
	if (!o->failed && o->unreported)
		fail(o, "records were not acknowledged in time");
	if (o->failed)
		return give_up(o, NULL, why);
	rd_kafka_error_t *e = send_offsets(o, offsets, n, metadata);
	return e ? give_up(o, e, why) : finish(o, why);
}
