/* The settings' way to a librdkafka configuration: bootstrap, user, password, properties.  Shared by the worker and the
 * tools, so that all of them reach the same cluster the same way. */
#ifndef KAFKA_CONF_H
#define KAFKA_CONF_H
#include "../daemon/conf/settings.h"
#include <librdkafka/rdkafka.h>

/* A configuration that the caller owns until rd_kafka_new takes it: `bootstrap.servers`; with a username,
 * `sasl.username` and `sasl.password` (from password_file), by default over `sasl_ssl` with SCRAM-SHA-512; then
 * `properties` as written, and `client.id` = shouwang-<instance> unless they name one.  Callbacks, group.id,
 * transactional.id and the like are the caller's.  NULL: why names the setting; values are never in it. */
rd_kafka_conf_t *kafka_conf_new(const struct settings *s, struct err *why);
/* rd_kafka_conf_set for our own constant settings: false and why where librdkafka refuses one. */
bool kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *why);
#endif
