/* Lists topics from settings and rules, and checks them. */
#include "used_topics.h"
#include "../consumers/kafka_client.h"
#include <string.h>

enum { FIT_WAIT_MS = 3000 };

/* --- the lists */

/* Of two uses of a topic the first counts. */
static void add_input(struct used_topics *u, const char *name, enum topic_role role, const struct watch *watch)
{
	for (size_t i = 0; i < u->n_inputs; i++)
		if (strcmp(u->inputs[i].name, name) == 0)
			return;
	if (u->n_inputs < MAX_TOPICS)
		u->inputs[u->n_inputs++] = (struct inbox_topic){.name = name, .role = role, .watch = watch};
}

static void add_output(struct used_topics *u, struct arena *a, size_t *cap, const char *name)
{
	ARENA_PUSH_ROOM(a, u->outputs, u->n_outputs, *cap);
	u->outputs[u->n_outputs++] = name;
}

/* A topic with {region} is one for each of the codes that the unit names. */
static void add_unit(struct used_topics *u, struct arena *a, size_t *cap, const struct unit *unit)
{
	static const char mark[] = "{region}";
	const char *at = strstr(unit->topic, mark);
	if (!at)
		add_output(u, a, cap, unit->topic);
	for (size_t i = 0; at && i < unit->n_codes; i++)
		add_output(u, a, cap,
			   arena_printf(a, "%.*s%s%s", (int)(at - unit->topic), unit->topic, unit->codes[i],
					at + strlen(mark)));
}

void used_topics(const struct settings *s, const struct ruleset *r, struct arena *a, struct used_topics *out)
{
	size_t cap = 0;
	*out = (struct used_topics){0};
	add_input(out, s->topics.feedback, TOPIC_FEEDBACK, NULL);
	add_input(out, s->topics.forward, TOPIC_FORWARD, NULL);
	for (size_t i = 0; i < r->n_watches; i++)
		add_input(out, r->watches[i]->topic, TOPIC_EVENTS, r->watches[i]);
	add_output(out, a, &cap, s->topics.state);
	add_output(out, a, &cap, s->topics.rejects);
	add_output(out, a, &cap, s->topics.forward);
	add_output(out, a, &cap, s->topics.outcomes);
	for (size_t i = 0; i < r->n_units; i++)
		add_unit(out, a, &cap, &r->units[i]);
}

bool used_topics_same(const struct inbox_topic *a, size_t n_a, const struct inbox_topic *b, size_t n_b)
{
	bool same = n_a == n_b;
	for (size_t i = 0; same && i < n_a; i++)
		same = strcmp(a[i].name, b[i].name) == 0;
	return same;
}

/* --- the check */

bool used_topics_check(struct rd_kafka_s *client, const struct settings *s, const struct used_topics *used,
		       int timeout_ms, struct topics *found, struct err *why)
{
	const char *inputs[MAX_TOPICS];
	for (size_t i = 0; i < used->n_inputs; i++)
		inputs[i] = used->inputs[i].name;
	*found = (struct topics){
		.inputs = inputs, .n_inputs = used->n_inputs, .outputs = used->outputs, .n_outputs = used->n_outputs};
	bool ok = topics_check(client, s, found, timeout_ms, why);
	found->inputs = found->outputs = NULL;
	return ok;
}

bool used_topics_fit(const struct settings *s, const struct ruleset *r, struct topics *found, struct err *why)
{
	struct arena a;
	struct used_topics used;
	rd_kafka_conf_t *conf = kafka_client_conf(s, NULL, 0, why);
	rd_kafka_t *rk = conf ? kafka_client_new(RD_KAFKA_PRODUCER, conf, why) : NULL;
	if (!rk)
		return false;
	arena_init(&a);
	used_topics(s, r, &a, &used);
	bool ok = used_topics_check(rk, s, &used, FIT_WAIT_MS, found, why);
	rd_kafka_destroy(rk);
	arena_close(&a);
	return ok || !found->answered;
}
