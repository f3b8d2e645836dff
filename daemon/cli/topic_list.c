/* Topics of a configuration. */
#include "topic_list.h"
#include <string.h>

static const struct {
	const char *name;
	bool same_partitions;
} roles[] = {
	[TOPIC_EVENTS] = {"events of a watch", true}, [TOPIC_FEEDBACK] = {"feedback", true},
	[TOPIC_OUTCOMES] = {"outcomes", true},        [TOPIC_FORWARD] = {"forwarded events", true},
	[TOPIC_STATE] = {"state (changelog)", true},  [TOPIC_REJECTS] = {"rejects", false},
	[TOPIC_UNIT] = {"messages to a unit", false},
};

const char *topic_role_name(enum topic_role role)
{
	return roles[role].name;
}
bool topic_same_partitions(enum topic_role role)
{
	return roles[role].same_partitions;
}

struct list {
	struct arena *arena;
	struct topic_wanted *topics;
	size_t n, cap;
};

static void add(struct list *l, const char *name, enum topic_role role)
{
	if (!name)
		return;
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->topics[i].name, name) == 0)
			return;
	ARENA_PUSH_ROOM(l->arena, l->topics, l->n, l->cap);
	l->topics[l->n++] = (struct topic_wanted){name, role};
}

static void add_unit(struct list *l, const struct unit *u)
{
	static const char mark[] = "{region}";
	const char *at = u->topic ? strstr(u->topic, mark) : NULL;
	if (!at) {
		add(l, u->topic, TOPIC_UNIT);
		return;
	}
	for (size_t i = 0; i < u->n_codes; i++)
		add(l,
		    arena_printf(l->arena, "%.*s%s%s", (int)(at - u->topic), u->topic, u->codes[i], at + strlen(mark)),
		    TOPIC_UNIT);
}

struct topic_wanted *topic_list(const struct config *c, struct arena *a, size_t *n)
{
	struct list l = {.arena = a};
	for (size_t i = 0; i < c->ruleset->n_watches; i++)
		add(&l, c->ruleset->watches[i]->topic, TOPIC_EVENTS);
	add(&l, c->settings.topics.feedback, TOPIC_FEEDBACK);
	add(&l, c->settings.topics.outcomes, TOPIC_OUTCOMES);
	add(&l, c->settings.topics.forward, TOPIC_FORWARD);
	add(&l, c->settings.topics.state, TOPIC_STATE);
	add(&l, c->settings.topics.rejects, TOPIC_REJECTS);
	for (size_t i = 0; i < c->ruleset->n_units; i++)
		add_unit(&l, &c->ruleset->units[i]);
	*n = l.n;
	return l.topics;
}

size_t topic_settings(const struct settings *s, enum topic_role role, struct arena *a,
		      struct topic_setting out[TOPIC_SETTINGS])
{
	size_t n = 0;
	/* Compaction would take events and messages away; retention would take states away. */
	out[n++] = (struct topic_setting){"cleanup.policy", role == TOPIC_STATE ? "compact" : "delete", false};
	out[n++] = (struct topic_setting){"min.insync.replicas", arena_printf(a, "%d", s->min_insync_replicas), false};
	out[n++] = (struct topic_setting){"max.message.bytes", "1048588", true}; /* Kafka's own default */
	/* Of what the daemon writes, the broker tells the time: a wrong clock here would have messages refused, or
	 * taken away by retention before they are read. */
	if (role != TOPIC_EVENTS && role != TOPIC_FEEDBACK)
		out[n++] = (struct topic_setting){"message.timestamp.type", "LogAppendTime", false};
	if (role == TOPIC_STATE)
		out[n++] = (struct topic_setting){"unclean.leader.election.enable", "false", false};
	return n;
}
