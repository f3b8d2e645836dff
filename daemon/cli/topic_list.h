/* Every topic that a configuration names, and what it must be. */
#ifndef TOPIC_LIST_H
#define TOPIC_LIST_H
#include "../conf/config.h"

enum topic_role { TOPIC_EVENTS, TOPIC_FEEDBACK, TOPIC_OUTCOMES, TOPIC_FORWARD, TOPIC_STATE, TOPIC_REJECTS, TOPIC_UNIT };
const char *topic_role_name(enum topic_role role); /* "events of a watch" */
bool topic_same_partitions(enum topic_role role); /* it is read or written partition by partition: the count must fit */

struct topic_wanted {
	const char *name;
	enum topic_role role; /* the first it was named for */
};
struct topic_setting {
	const char *name, *value;
	bool at_least; /* a number: more is as good */
};
enum { TOPIC_SETTINGS = 5 };

/* Each topic once, in the order of the roles; names live in the arena and the configuration.  A unit's topic with
 * {region} stands for one each of the unit's named codes. */
struct topic_wanted *topic_list(const struct config *c, struct arena *a, size_t *n);
/* The settings that a topic must have; returns how many. */
size_t topic_settings(const struct settings *s, enum topic_role role, struct arena *a,
		      struct topic_setting out[TOPIC_SETTINGS]);
#endif
