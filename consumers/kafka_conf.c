/* Makes librdkafka configurations from the settings. */
#include "kafka_conf.h"
#include "../daemon/conf/secret.h"
#include <stdio.h>
#include <string.h>

/* librdkafka's own error texts may repeat the value; a property's value may be a secret, so they are not used. */
bool kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *why)
{
	char text[256];
	switch (rd_kafka_conf_set(conf, name, value, text, sizeof text)) {
	case RD_KAFKA_CONF_OK:
		return true;
	case RD_KAFKA_CONF_UNKNOWN:
		return err_set(why, "kafka.properties: %s: librdkafka %s has no such property", name,
			       rd_kafka_version_str());
	default:
		return err_set(why, "kafka.properties: %s: librdkafka %s doesn't take this value", name,
			       rd_kafka_version_str());
	}
}

static bool names(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->kafka.n_properties; i++)
		if (strcmp(s->kafka.properties[i].name, name) == 0)
			return true;
	return false;
}

static bool set_password(rd_kafka_conf_t *conf, const char *file, struct err *why)
{
	char password[SECRET_MAX];
	if (!secret_read(file, password, why))
		return err_prefix(why, "kafka");
	bool ok = kafka_conf_set(conf, "sasl.password", password, why);
	secret_forget(password);
	return ok;
}

/* Without these two, librdkafka would take a username, and send nothing of it. */
static bool set_user(rd_kafka_conf_t *conf, const struct settings *s, struct err *why)
{
	if (s->kafka.username) {
		if (!kafka_conf_set(conf, "sasl.username", s->kafka.username, why))
			return false;
		if (!names(s, "security.protocol") && !kafka_conf_set(conf, "security.protocol", "sasl_ssl", why))
			return false;
		if (!names(s, "sasl.mechanism") && !names(s, "sasl.mechanisms") &&
		    !kafka_conf_set(conf, "sasl.mechanism", "SCRAM-SHA-512", why))
			return false;
	}
	return !s->kafka.password_file || set_password(conf, s->kafka.password_file, why);
}

static bool set_all(rd_kafka_conf_t *conf, const struct settings *s, struct err *why)
{
	char client[128];
	snprintf(client, sizeof client, "shouwang-%s", s->instance);
	if (!kafka_conf_set(conf, "client.id", client, why) ||
	    !kafka_conf_set(conf, "bootstrap.servers", s->kafka.bootstrap, why) || !set_user(conf, s, why))
		return false;
	for (size_t i = 0; i < s->kafka.n_properties; i++)
		if (!kafka_conf_set(conf, s->kafka.properties[i].name, s->kafka.properties[i].value, why))
			return false;
	return true;
}

rd_kafka_conf_t *kafka_conf_new(const struct settings *s, struct err *why)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	if (set_all(conf, s, why))
		return conf;
	rd_kafka_conf_destroy(conf);
	return NULL;
}
