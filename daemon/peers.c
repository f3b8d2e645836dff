/* The other daemons of the instance: do they work by the same rules?  Each tells in Redis what it works by; the first
 * worker of each looks at the others', and warns once a minute: two machines that judge by different rules would clear
 * and reopen the same alerts whenever a partition moves. */
#include "ops/log.h"
#include "worker.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LOOK_MS = 15000 };

struct peer {
	int64_t revision;
	uint64_t rules;
	char host[65];
};

static bool read_peer(struct str text, struct peer *out)
{
	char copy[256];
	snprintf(copy, sizeof copy, "%.*s", (int)text.len, text.s);
	return sscanf(copy, "%" SCNd64 " %" SCNx64 " %64s", &out->revision, &out->rules, out->host) == 3;
}

static bool tell(struct worker *w, struct err *why)
{
	char host[65] = "", text[256];
	gethostname(host, sizeof host - 1);
	snprintf(text, sizeof text, "%" PRId64 " %016" PRIx64 " %s", w->tuning.revision, w->rules->fingerprint,
		 host[0] ? host : "?");
	return cache_peers_tell(w->cache, w->settings->node, text, why);
}

static bool compare(const struct worker *w, struct str node, const struct peer *p)
{
	int64_t revision = w->tuning.revision;
	if (p->revision == revision && p->rules != w->rules->fingerprint)
		log_every(60, LOG_LEVEL_WARNING,
			  "node %.*s on %s works by the rules %016" PRIx64 ", this one by %016" PRIx64
			  ", both of revision %" PRId64
			  ": what a partition's subjects are judged by depends on who has it.  Give all machines the "
			  "same rules, and each change a higher `revision`",
			  (int)node.len, node.s, p->host, p->rules, w->rules->fingerprint, revision);
	else if (p->revision > revision)
		log_every(60, LOG_LEVEL_WARNING,
			  "node %.*s on %s works by revision %" PRId64 " of the rules, this one by %" PRId64
			  ": it can take over none of that one's partitions.  Reload it with the newer ones",
			  (int)node.len, node.s, p->host, p->revision, revision);
	return p->revision == revision && p->rules == w->rules->fingerprint;
}

static void look(struct worker *w, struct arena *a)
{
	size_t n = 0, differ = 0;
	struct err why = {""};
	struct cache_peer *list = tell(w, &why) ? cache_peers(w->cache, a, &n, &why) : NULL;
	if (!list) {
		log_every(60, LOG_LEVEL_WARNING, "the other daemons' rules can't be compared: %s", why.text);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct peer p;
		if (!str_equal(list[i].node, str_of(w->settings->node)) && read_peer(list[i].text, &p))
			differ += !compare(w, list[i].node, &p);
	}
	metrics_set(w->metrics, w->series.peers_differ, (double)differ);
}

void peers_look(struct worker *w)
{
	int64_t now = clock_monotonic();
	if (w->number != 0 || now < w->peers_due)
		return;
	struct arena a;
	arena_init(&a);
	w->peers_due = now + LOOK_MS;
	look(w, &a);
	arena_close(&a);
}

void peers_leave(struct worker *w)
{
	struct err why = {""};
	if (w->number == 0 && cache_connected(w->cache))
		cache_peers_leave(w->cache, w->settings->node, &why);
}
