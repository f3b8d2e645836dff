/* The cache in Redis: three scripts, and pipelined reads and writes. */
#include "cache_redis.h"
#include "redis.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Lua's unpack takes no more than some 8,000 values: many(command, key, values, first, last) calls in pieces, and gives
 * what each answered to `each`. */
#define MANY                                                                                         \
	"local function many(command, key, values, first, last, each)\n"                             \
	"  for i = first, last, 4000 do\n"                                                           \
	"    local answer = redis.call(command, key, unpack(values, i, math.min(i + 3999, last)))\n" \
	"    if each then each(answer) end\n"                                                        \
	"  end\n"                                                                                    \
	"end\n"

/* KEYS meta, states, timers.  1: created; 0: it was there. */
static const char script_create[] =
	"if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end\n"
	"redis.call('UNLINK', KEYS[2], KEYS[3])\n"
	"redis.call('HSET', KEYS[1], 'cluster', ARGV[1], 'topic', ARGV[2], 'watermark', '0')\n"
	"return 1\n";

/* KEYS timers, states; ARGV until, max.  Flat: key, due time, state, … */
static const char script_due[] =
	MANY "local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])\n"
	     "local keys, out, n = {}, {}, 0\n"
	     "for i = 1, #due, 2 do keys[#keys + 1] = due[i] end\n"
	     "many('HMGET', KEYS[2], keys, 1, #keys, function(states)\n"
	     "  for i = 1, #states do\n"
	     "    n = n + 1\n"
	     "    out[#out + 1] = keys[n]; out[#out + 1] = due[2 * n]; out[#out + 1] = states[i] or ''\n"
	     "  end\n"
	     "end)\n"
	     "return out\n";

/* KEYS meta, states, timers; ARGV known watermark, new one, record, its offset, n states, (key, state)…, n timers,
 * (due, key)…, keys without a timer….  1: written; 0: the watermark is another, nothing is written. */
static const char script_store[] = MANY "if redis.call('HGET', KEYS[1], 'watermark') ~= ARGV[1] then return 0 end\n"
					"local last = 5 + 2 * ARGV[5]\n"
					"many('HSET', KEYS[2], ARGV, 6, last)\n"
					"local first = last + 2\n"
					"last = last + 1 + 2 * ARGV[last + 1]\n"
					"many('ZADD', KEYS[3], ARGV, first, last)\n"
					"many('ZREM', KEYS[3], ARGV, last + 1, #ARGV)\n"
					"if ARGV[3] ~= '' then\n"
					"  redis.call('HSET', KEYS[1], 'record', ARGV[3], 'record_at', ARGV[4])\n"
					"end\n"
					"redis.call('HSET', KEYS[1], 'watermark', ARGV[2])\n"
					"return 1\n";

enum script { SCRIPT_CREATE, SCRIPT_DUE, SCRIPT_STORE, N_SCRIPTS };
static const char *const scripts[N_SCRIPTS] = {script_create, script_due, script_store};

struct cache {
	const struct settings *settings;
	struct redis *redis;
	struct arena own; /* of commands and replies that nobody keeps */
	char digests[N_SCRIPTS][41];
};

static enum cache_answer lost(struct cache *c, struct err *why, const char *doing, const char *what)
{
	redis_fail(c->redis, doing, what, why);
	return CACHE_LOST;
}

static void word_key(struct words *w, struct arena *a, const struct cache *c, int32_t partition, const char *what)
{
	word_text(w, arena_printf(a, "{%s:%" PRId32 "}:%s", c->settings->instance, partition, what));
}

/* --- connecting */

/* A Redis that forgets keys when it is full would forget households. */
static bool check_policy(struct cache *c, struct err *why)
{
	struct words w = words_new(&c->own, 2);
	word_text(&w, "INFO");
	word_text(&w, "memory");
	struct reply *r = redis_ask(c->redis, &w, &c->own, "INFO memory", why);
	if (!r)
		return false;
	const char *policy = r->str.s ? strstr(r->str.s, "maxmemory_policy:") : NULL;
	if (!policy)
		return err_set(why, "Redis doesn't tell its maxmemory-policy");
	policy += strlen("maxmemory_policy:");
	if (strncmp(policy, "noeviction", 10) == 0)
		return true;
	return err_set(why, "Redis has maxmemory-policy %.*s and would forget states when full; set it to noeviction",
		       (int)strcspn(policy, "\r\n"), policy);
}

static bool load_script(struct cache *c, enum script script, struct err *why)
{
	struct words w = words_new(&c->own, 3);
	word_text(&w, "SCRIPT");
	word_text(&w, "LOAD");
	word_text(&w, scripts[script]);
	struct reply *r = redis_ask(c->redis, &w, &c->own, "SCRIPT LOAD", why);
	if (!r || r->str.len != 40)
		return err_set(why, "Redis, SCRIPT LOAD: no digest");
	memcpy(c->digests[script], r->str.s, 41);
	return true;
}

static bool load_scripts(struct cache *c, struct err *why)
{
	for (int i = 0; i < N_SCRIPTS; i++)
		if (!load_script(c, (enum script)i, why))
			return false;
	return true;
}

bool cache_connect(struct cache *c, struct err *why)
{
	arena_reset(&c->own);
	if (redis_connect(c->redis, why) && check_policy(c, why) && load_scripts(c, why))
		return true;
	cache_disconnect(c);
	return false;
}

bool cache_answers(struct cache *c, struct err *why)
{
	arena_reset(&c->own);
	struct words w = words_new(&c->own, 1);
	word_text(&w, "PING");
	return redis_ask(c->redis, &w, &c->own, "PING", why) != NULL;
}

void cache_disconnect(struct cache *c)
{
	redis_disconnect(c->redis);
}

bool cache_connected(const struct cache *c)
{
	return redis_connected(c->redis);
}

struct cache *cache_new(const struct settings *s, struct err *why)
{
	struct redis *redis = redis_new(s, why);
	if (!redis)
		return NULL;
	struct cache *c = calloc(1, sizeof *c);
	if (!c)
		abort();
	c->settings = s;
	c->redis = redis;
	arena_init(&c->own);
	return c;
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	redis_free(c->redis);
	arena_close(&c->own);
	free(c);
}

/* --- scripts */

static struct words script_words(struct cache *c, struct arena *a, enum script script, size_t most, int keys)
{
	struct words w = words_new(a, most + 3);
	word_text(&w, "EVALSHA");
	word_text(&w, c->digests[script]);
	word_number(&w, a, keys);
	return w;
}

static void partition_keys(struct words *w, struct arena *a, const struct cache *c, int32_t partition)
{
	word_key(w, a, c, partition, "meta");
	word_key(w, a, c, partition, "states");
	word_key(w, a, c, partition, "timers");
}

/* --- taking over */

static struct str text_of(const struct reply *r)
{
	return r->type == REPLY_STRING ? r->str : (struct str){"", 0};
}

static int64_t offset_of(const struct reply *r)
{
	return r->type == REPLY_STRING ? strtoll(r->str.s, NULL, 10) : -1;
}

enum cache_answer cache_head(struct cache *c, int32_t partition, struct arena *a, struct cache_head *out,
			     struct err *why)
{
	struct words w = words_new(a, 7);
	word_text(&w, "HMGET");
	word_key(&w, a, c, partition, "meta");
	word_text(&w, "watermark");
	word_text(&w, "cluster");
	word_text(&w, "topic");
	word_text(&w, "record");
	word_text(&w, "record_at");
	struct reply *r = redis_ask(c->redis, &w, a, "HMGET", why);
	if (!r)
		return CACHE_LOST;
	if (r->n != 5)
		return lost(c, why, "HMGET", "not five fields");
	*out = (struct cache_head){.watermark = offset_of(r->elements[0]),
				   .record_at = offset_of(r->elements[4]),
				   .cluster = text_of(r->elements[1]),
				   .topic = text_of(r->elements[2]),
				   .record = text_of(r->elements[3])};
	out->exists = out->watermark >= 0;
	return CACHE_OK;
}

enum cache_answer cache_create(struct cache *c, int32_t partition, struct str cluster, struct str topic,
			       struct err *why)
{
	arena_reset(&c->own);
	struct words w = script_words(c, &c->own, SCRIPT_CREATE, 5, 3);
	partition_keys(&w, &c->own, c, partition);
	word(&w, cluster);
	word(&w, topic);
	struct reply *r = redis_ask(c->redis, &w, &c->own, "creating a partition", why);
	if (!r)
		return CACHE_LOST;
	return r->integer == 1 ? CACHE_OK : CACHE_REFUSED;
}

/* --- reading */

static void send_scan(struct cache *c, const struct cache_load *l, struct arena *a)
{
	struct words w = words_new(a, 5);
	word_text(&w, "HLEN");
	word_key(&w, a, c, l->partition, "states");
	redis_send(c->redis, &w);
	w.n = 0;
	word_text(&w, "HSCAN");
	word_key(&w, a, c, l->partition, "states");
	word_text(&w, arena_printf(a, "%" PRIu64, l->scan_cursor));
	word_text(&w, "COUNT");
	word_number(&w, a, (int64_t)l->scan_max);
	redis_send(c->redis, &w);
}

static int send_load(struct cache *c, const struct cache_load *l, struct arena *a)
{
	struct words w = words_new(a, l->n_keys + 8);
	int replies = 3; /* to MULTI, HGET, EXEC */
	redis_send_text(c->redis, "MULTI");
	word_text(&w, "HGET");
	word_key(&w, a, c, l->partition, "meta");
	word_text(&w, "watermark");
	redis_send(c->redis, &w);
	if (l->n_keys) {
		w.n = 0;
		word_text(&w, "HMGET");
		word_key(&w, a, c, l->partition, "states");
		for (size_t i = 0; i < l->n_keys; i++)
			word(&w, l->keys[i]);
		redis_send(c->redis, &w);
		replies++;
	}
	if (l->due_max) {
		w = script_words(c, a, SCRIPT_DUE, 4, 2);
		word_key(&w, a, c, l->partition, "timers");
		word_key(&w, a, c, l->partition, "states");
		word_number(&w, a, l->due_until);
		word_number(&w, a, (int64_t)l->due_max);
		redis_send(c->redis, &w);
		replies++;
	}
	if (l->scan_max) {
		send_scan(c, l, a);
		replies += 2;
	}
	redis_send_text(c->redis, "EXEC");
	return replies;
}

static void take_due(struct cache_load *l, const struct reply *r, struct arena *a)
{
	l->n_due = r->n / 3;
	l->due = ARENA_ARRAY(a, struct cache_due, l->n_due);
	for (size_t i = 0; i < l->n_due; i++) {
		struct reply **of = r->elements + 3 * i;
		l->due[i] = (struct cache_due){of[0]->str, of[2]->str, (int64_t)strtod(of[1]->str.s, NULL)};
	}
}

/* HSCAN's answer: the next cursor, and key, state, … */
static void take_scan(struct cache_load *l, struct reply *const *of, struct arena *a)
{
	const struct reply *list = of[1]->n == 2 ? of[1]->elements[1] : NULL;
	l->n_subjects = (size_t)of[0]->integer;
	l->scan_next = list ? strtoull(text_of(of[1]->elements[0]).s, NULL, 10) : 0;
	l->n_scanned = list ? list->n / 2 : 0;
	l->scanned = ARENA_ARRAY(a, struct cache_due, l->n_scanned);
	for (size_t i = 0; i < l->n_scanned; i++)
		l->scanned[i] = (struct cache_due){text_of(list->elements[2 * i]), text_of(list->elements[2 * i + 1]),
						   TIME_NEVER};
}

/* What EXEC gave; NULL, or the error in it. */
static const struct reply *take_load(struct cache_load *l, const struct reply *r, struct arena *a)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->elements[i]->type == REPLY_ERROR)
			return r->elements[i];
	l->found = offset_of(r->elements[0]);
	l->answer = l->found == l->watermark ? CACHE_OK : CACHE_REFUSED;
	if (l->answer != CACHE_OK)
		return NULL;
	if (l->n_keys) {
		l->states = ARENA_ARRAY(a, struct str, l->n_keys);
		for (size_t i = 0; i < l->n_keys; i++)
			l->states[i] = text_of(r->elements[1]->elements[i]);
	}
	struct reply **next = r->elements + (l->n_keys ? 2 : 1);
	l->n_due = l->n_scanned = 0;
	if (l->due_max)
		take_due(l, *next++, a);
	if (l->scan_max)
		take_scan(l, next, a);
	return NULL;
}

static enum cache_answer load_once(struct cache *c, struct cache_load *loads, size_t n, struct arena *a,
				   bool *script_missing, struct err *why)
{
	const struct reply *bad = NULL;
	int *replies = ARENA_ARRAY(a, int, n);
	for (size_t i = 0; i < n; i++)
		replies[i] = send_load(c, &loads[i], a);
	for (size_t i = 0; i < n; i++) {
		struct reply *r = NULL;
		for (int k = 0; k < replies[i]; k++) {
			r = redis_receive(c->redis, a, "reading states", why);
			if (!r)
				return redis_allowed(c->redis) ? CACHE_LOST : CACHE_TOO_MUCH;
			if (r->type == REPLY_ERROR && !bad)
				bad = r;
		}
		if (!bad)
			bad = take_load(&loads[i], r, a);
	}
	*script_missing = bad && reply_is_error(bad, "NOSCRIPT");
	return !bad || *script_missing ? CACHE_OK : lost(c, why, "reading states", bad->str.s);
}

static enum cache_answer load_all(struct cache *c, struct cache_load *loads, size_t n, struct arena *a, struct err *why)
{
	bool script_missing = false;
	enum cache_answer answer = load_once(c, loads, n, a, &script_missing, why);
	if (!script_missing)
		return answer;
	arena_reset(&c->own);
	if (!load_scripts(c, why))
		return CACHE_LOST;
	answer = load_once(c, loads, n, a, &script_missing, why);
	return script_missing ? lost(c, why, "reading states", "a script just loaded is gone") : answer;
}

enum cache_answer cache_load(struct cache *c, struct cache_load *loads, size_t n, size_t *bytes, struct arena *a,
			     struct err *why)
{
	redis_allow(c->redis, bytes ? *bytes : SIZE_MAX);
	enum cache_answer answer = load_all(c, loads, n, a, why);
	if (bytes)
		*bytes -= redis_allowed(c->redis);
	redis_allow(c->redis, SIZE_MAX);
	return answer;
}

/* --- writing */

static void send_store(struct cache *c, const struct cache_store *s, struct arena *a)
{
	size_t armed = 0, states = 0;
	for (size_t i = 0; i < s->n_changes; i++) {
		armed += s->changes[i].timed && s->changes[i].due != TIME_NEVER;
		states += s->changes[i].state.s != NULL;
	}
	struct words w = script_words(c, a, SCRIPT_STORE, 9 + 4 * s->n_changes, 3);
	partition_keys(&w, a, c, s->partition);
	word_number(&w, a, s->from);
	word_number(&w, a, s->to);
	word(&w, s->record);
	word_number(&w, a, s->record_at);
	word_number(&w, a, (int64_t)states);
	for (size_t i = 0; i < s->n_changes; i++)
		if (s->changes[i].state.s) {
			word(&w, s->changes[i].key);
			word(&w, s->changes[i].state);
		}
	word_number(&w, a, (int64_t)armed);
	for (size_t i = 0; i < s->n_changes; i++)
		if (s->changes[i].timed && s->changes[i].due != TIME_NEVER) {
			word_number(&w, a, s->changes[i].due);
			word(&w, s->changes[i].key);
		}
	for (size_t i = 0; i < s->n_changes; i++)
		if (s->changes[i].timed && s->changes[i].due == TIME_NEVER)
			word(&w, s->changes[i].key);
	redis_send(c->redis, &w);
}

/* A script that Redis lacks has written nothing: those stores alone are sent again. */
static enum cache_answer store_once(struct cache *c, struct cache_store *stores, size_t n, struct arena *a,
				    bool *pending, bool *script_missing, struct err *why)
{
	const struct reply *bad = NULL;
	*script_missing = false;
	for (size_t i = 0; i < n; i++)
		if (pending[i])
			send_store(c, &stores[i], a);
	for (size_t i = 0; i < n; i++) {
		if (!pending[i])
			continue;
		struct reply *r = redis_receive(c->redis, a, "writing states", why);
		if (!r)
			return CACHE_LOST;
		pending[i] = reply_is_error(r, "NOSCRIPT");
		*script_missing |= pending[i];
		if (r->type == REPLY_ERROR && !pending[i])
			bad = r;
		stores[i].answer = r->type == REPLY_INTEGER && r->integer == 1 ? CACHE_OK : CACHE_REFUSED;
	}
	return bad ? lost(c, why, "writing states", bad->str.s) : CACHE_OK;
}

enum cache_answer cache_store(struct cache *c, struct cache_store *stores, size_t n, struct arena *a, struct err *why)
{
	bool script_missing, *pending = ARENA_ARRAY(a, bool, n);
	memset(pending, true, sizeof *pending * n);
	enum cache_answer answer = store_once(c, stores, n, a, pending, &script_missing, why);
	if (answer != CACHE_OK || !script_missing)
		return answer;
	arena_reset(&c->own);
	if (!load_scripts(c, why))
		return CACHE_LOST;
	answer = store_once(c, stores, n, a, pending, &script_missing, why);
	return script_missing ? lost(c, why, "writing states", "a script just loaded is gone") : answer;
}

/* --- holders */

static void word_holder(struct words *w, struct cache *c, const char *transactional_id)
{
	word_text(w, arena_printf(&c->own, "%s:holder:%s", c->settings->instance, transactional_id));
}

bool cache_hold(struct cache *c, const char *transactional_id, const char *holder, struct err *why)
{
	arena_reset(&c->own);
	struct words w = words_new(&c->own, 3);
	word_text(&w, "SET");
	word_holder(&w, c, transactional_id);
	word_text(&w, holder);
	return redis_ask(c->redis, &w, &c->own, "SET", why) != NULL;
}

struct str cache_holder(struct cache *c, const char *transactional_id, struct arena *a)
{
	struct err why = {""};
	arena_reset(&c->own);
	struct words w = words_new(&c->own, 2);
	word_text(&w, "GET");
	word_holder(&w, c, transactional_id);
	struct reply *r = redis_ask(c->redis, &w, a, "GET", &why);
	return r ? text_of(r) : (struct str){"", 0};
}

/* --- peers: one key each, which passes away by itself, and a set of their names */

static void word_peer(struct words *w, struct cache *c, struct str node)
{
	word_text(w, arena_printf(&c->own, "%s:daemon:%.*s", c->settings->instance, (int)node.len, node.s));
}

static void word_peers(struct words *w, struct cache *c)
{
	word_text(w, arena_printf(&c->own, "%s:daemons", c->settings->instance));
}

bool cache_peers_tell(struct cache *c, const char *node, const char *text, struct err *why)
{
	arena_reset(&c->own);
	struct words w = words_new(&c->own, 5);
	word_text(&w, "SET");
	word_peer(&w, c, str_of(node));
	word_text(&w, text);
	word_text(&w, "EX");
	word_text(&w, "60");
	if (!redis_ask(c->redis, &w, &c->own, "SET", why))
		return false;
	w.n = 0;
	word_text(&w, "SADD");
	word_peers(&w, c);
	word_text(&w, node);
	return redis_ask(c->redis, &w, &c->own, "SADD", why) != NULL;
}

static bool forget_peer(struct cache *c, struct str node, struct err *why)
{
	struct words w = words_new(&c->own, 3);
	word_text(&w, "SREM");
	word_peers(&w, c);
	word(&w, node);
	return redis_ask(c->redis, &w, &c->own, "SREM", why) != NULL;
}

bool cache_peers_leave(struct cache *c, const char *node, struct err *why)
{
	arena_reset(&c->own);
	struct words w = words_new(&c->own, 2);
	word_text(&w, "DEL");
	word_peer(&w, c, str_of(node));
	return redis_ask(c->redis, &w, &c->own, "DEL", why) && forget_peer(c, str_of(node), why);
}

struct cache_peer *cache_peers(struct cache *c, struct arena *a, size_t *n, struct err *why)
{
	arena_reset(&c->own);
	struct words w = words_new(&c->own, 2);
	word_text(&w, "SMEMBERS");
	word_peers(&w, c);
	struct reply *nodes = redis_ask(c->redis, &w, a, "SMEMBERS", why);
	if (!nodes)
		return NULL;
	struct cache_peer *list = ARENA_ARRAY(a, struct cache_peer, nodes->n);
	*n = 0;
	for (size_t i = 0; i < nodes->n; i++) {
		struct str node = text_of(nodes->elements[i]);
		w.n = 0;
		word_text(&w, "GET");
		word_peer(&w, c, node);
		struct reply *r = redis_ask(c->redis, &w, a, "GET", why);
		if (!r || (r->type != REPLY_STRING && !forget_peer(c, node, why)))
			return NULL;
		if (r->type == REPLY_STRING)
			list[(*n)++] = (struct cache_peer){node, r->str};
	}
	return list;
}
