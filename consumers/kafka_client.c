/* Makes librdkafka clients that log as we do and tell when all brokers are away. */
#include "kafka_client.h"
#include "../daemon/ops/log.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DESTROY_SECONDS = 5 };

static pthread_mutex_t refused_lock = PTHREAD_MUTEX_INITIALIZER; /* librdkafka's thread writes it */

static void take_refusal(struct kafka_trouble *t, const char *text)
{
	static const char mark[] = "Failed to add partition \"";
	const char *at = strstr(text, mark);
	if (!t || !at || strstr(text, rd_kafka_err2str(RD_KAFKA_RESP_ERR_OPERATION_NOT_ATTEMPTED)))
		return;
	at += strlen(mark);
	const char *end = strchr(at, '"');
	pthread_mutex_lock(&refused_lock);
	if (end)
		snprintf(t->refused, sizeof t->refused, "%.*s", (int)(end - at), at);
	pthread_mutex_unlock(&refused_lock);
}

bool kafka_refused(struct kafka_trouble *t, char *out, size_t size)
{
	pthread_mutex_lock(&refused_lock);
	snprintf(out, size, "%s", t->refused);
	t->refused[0] = '\0';
	pthread_mutex_unlock(&refused_lock);
	return *out != '\0';
}

/* librdkafka says a broken connection anew at each attempt; its texts hold addresses, never payloads.  CONFWARN: each
 * client gets all properties and would name those that are for the others. */
static void take_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	static struct log_limit limit;
	if (strcmp(facility, "CONFWARN") == 0)
		return;
	if (strcmp(facility, "ADDPARTS") == 0)
		take_refusal(rd_kafka_opaque(rk), text);
	enum log_level ours = level <= 3 ? LOG_LEVEL_ERROR : level <= 4 ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG;
	/* What it calls an error is trouble with one connection; whether it matters, the worker says. */
	if (ours == LOG_LEVEL_ERROR && strcmp(facility, "FATAL") != 0)
		ours = LOG_LEVEL_WARNING;
	if (log_wants(ours))
		log_limited(&limit, 60, ours, "librdkafka (%s) %s: %s", rd_kafka_name(rk), facility, text);
}

static void take_error(rd_kafka_t *rk, int code, const char *text, void *opaque)
{
	struct kafka_trouble *t = opaque;
	(void)rk;
	if (!t)
		return;
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		t->away = true;
	snprintf(t->what, sizeof t->what, "%s", text);
}

const char *kafka_remedy(rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		return "; allow this user to Describe it, to Read it if it is read, to Write it if it is written";
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
		return "; allow this user to Read the group";
	case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
		return "; allow this user to Write and Describe the transactional id";
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		return "; raise the topic's max.message.bytes, or let this user DescribeConfigs it, so that its limit "
		       "is kept";
	case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
		return "; this machine's clock is ahead of the broker's: set it right, and let the brokers tell the "
		       "time "
		       "(`shouwangctl topics` does)";
	default:
		return "";
	}
}

static bool named(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->kafka.n_properties; i++)
		if (strcmp(s->kafka.properties[i].name, name) == 0)
			return true;
	return false;
}

rd_kafka_conf_t *kafka_client_conf(const struct settings *s, const struct kafka_setting *list, size_t n,
				   struct err *why)
{
	rd_kafka_conf_t *conf = kafka_conf_new(s, why);
	if (!conf)
		return NULL;
	rd_kafka_conf_set_log_cb(conf, take_log);
	rd_kafka_conf_set_error_cb(conf, take_error);
	for (size_t i = 0; i < n; i++)
		if ((list[i].fixed || !named(s, list[i].name)) &&
		    !kafka_conf_set(conf, list[i].name, list[i].value, why)) {
			rd_kafka_conf_destroy(conf);
			return NULL;
		}
	return conf;
}

rd_kafka_t *kafka_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct err *why)
{
	char text[256];
	rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
	if (rk)
		return rk;
	rd_kafka_conf_destroy(conf);
	err_set(why, "Kafka client: %s", text);
	return NULL;
}

static void *destroy(void *rk)
{
	rd_kafka_destroy(rk);
	return NULL;
}

void kafka_client_destroy(rd_kafka_t *rk)
{
	pthread_t thread;
	struct timespec end;
	char name[128];
	snprintf(name, sizeof name, "%s", rd_kafka_name(rk));
	if (pthread_create(&thread, NULL, destroy, rk) != 0)
		abort();
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += DESTROY_SECONDS;
	if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &end) != ETIMEDOUT)
		return;
	log_warn("librdkafka's client %s doesn't end, and is left behind: was a topic deleted?", name);
	pthread_detach(thread);
}
