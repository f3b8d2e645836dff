/* A table of the settings that are read once.  What is missing in it is taken over by a reload: rules and all they
 * rest on (timezone, calendar, levels, cost_limit, unknown_events, future_tolerance), stall and log. */
#include "restart.h"
#include <string.h>

enum kind { TEXT, INT32, INT64, PORT };
static const struct {
	const char *name;
	enum kind kind;
	size_t at;
} fixed[] = {
#define X(name, kind, member) {name, kind, offsetof(struct settings, member)},
	X("instance", TEXT, instance)                        /**/
	X("revision", INT64, revision)                       /**/
	X("node", TEXT, node)                                /**/
	X("clock", INT64, fixed_clock)                       /**/
	X("kafka.bootstrap", TEXT, kafka.bootstrap)          /**/
	X("kafka.username", TEXT, kafka.username)            /**/
	X("kafka.password_file", TEXT, kafka.password_file)  /**/
	X("redis.url", TEXT, redis.url)                      /**/
	X("redis.username", TEXT, redis.username)            /**/
	X("redis.password_file", TEXT, redis.password_file)  /**/
	X("topics.feedback", TEXT, topics.feedback)          /**/
	X("topics.outcomes", TEXT, topics.outcomes)          /**/
	X("topics.rejects", TEXT, topics.rejects)            /**/
	X("topics.forward", TEXT, topics.forward)            /**/
	X("topics.state", TEXT, topics.state)                /**/
	X("partitioner", TEXT, partitioner)                  /**/
	X("workers", INT32, workers)                         /**/
	X("partitions", INT32, partitions)                   /**/
	X("replication", INT32, replication)                 /**/
	X("min_insync_replicas", INT32, min_insync_replicas) /**/
	X("batch.events", INT32, batch.events)               /**/
	X("batch.wait", INT64, batch.wait)                   /**/
	X("http", TEXT, http_host)                           /**/
	X("http", PORT, http_port)
#undef X
};

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same(enum kind kind, const void *a, const void *b)
{
	switch (kind) {
	case TEXT:
		return same_text(*(const char *const *)a, *(const char *const *)b);
	case INT32:
		return memcmp(a, b, sizeof(int32_t)) == 0;
	case INT64:
		return memcmp(a, b, sizeof(int64_t)) == 0;
	case PORT:
		return memcmp(a, b, sizeof(uint16_t)) == 0;
	}
	return false;
}

static const char *property(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->kafka.n_properties; i++)
		if (strcmp(s->kafka.properties[i].name, name) == 0)
			return s->kafka.properties[i].value;
	return NULL;
}

static bool same_properties(const struct settings *a, const struct settings *b)
{
	if (a->kafka.n_properties != b->kafka.n_properties)
		return false;
	for (size_t i = 0; i < a->kafka.n_properties; i++)
		if (!same_text(a->kafka.properties[i].value, property(b, a->kafka.properties[i].name)))
			return false;
	return true;
}

static const char *also(struct arena *a, const char *names, const char *name)
{
	size_t len = strlen(names), more = strlen(name);
	if (len >= more && strcmp(names + len - more, name) == 0)
		return names; /* host and port of one setting */
	return *names ? arena_printf(a, "%s, %s", names, name) : arena_text(a, name, more);
}

const char *restart_needed(struct arena *a, const struct settings *running, const struct settings *loaded)
{
	const char *names = "";
	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		if (!same(fixed[i].kind, (const char *)running + fixed[i].at, (const char *)loaded + fixed[i].at))
			names = also(a, names, fixed[i].name);
	if (running->clock != loaded->clock)
		names = also(a, names, "clock");
	if (!same_properties(running, loaded))
		names = also(a, names, "kafka.properties");
	return names;
}
