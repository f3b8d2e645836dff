/* Which librdkafka properties the settings may name, and which of them would undo exactly-once. */
#ifndef PROPERTIES_H
#define PROPERTIES_H
#include <stdbool.h>
#include <stddef.h>

/* Why a property must not be set, as "it …; expected …"; NULL: it may.  value matters for transaction.timeout.ms. */
const char *property_refused(const char *name, const char *value);
/* What librdkafka says against it (in text, terminated); for an unknown name the nearest known one.  False: nothing
 * against it. */
bool property_wrong(const char *name, const char *value, char *text, size_t size);
#endif
