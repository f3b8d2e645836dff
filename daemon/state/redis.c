/* The connection to Redis, over hiredis. */
#include "redis.h"
#include "../conf/secret.h"
#include "redis_url.h"
#include <hiredis/hiredis.h>
#ifdef HAVE_HIREDIS_SSL
#include <hiredis/hiredis_ssl.h>
#endif
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_SECONDS = 3, COMMAND_SECONDS = 5 };

struct receiver { /* what hiredis's reader builds replies with */
	struct arena *arena;
	size_t allowed; /* bytes */
};
struct redis {
	const struct settings *settings;
	struct redis_url url;
	redisContext *context; /* NULL: not connected */
	struct receiver receiver;
	struct arena own; /* of commands and replies that nobody keeps */
};

/* --- replies, built by hiredis's reader straight into an arena */

_Static_assert((int)REPLY_STRING == REDIS_REPLY_STRING && (int)REPLY_ARRAY == REDIS_REPLY_ARRAY &&
		       (int)REPLY_INTEGER == REDIS_REPLY_INTEGER && (int)REPLY_NIL == REDIS_REPLY_NIL &&
		       (int)REPLY_STATUS == REDIS_REPLY_STATUS && (int)REPLY_ERROR == REDIS_REPLY_ERROR,
	       "hiredis numbers the types of replies as redis.h does");

static struct arena *arena_of(const redisReadTask *task)
{
	return ((struct receiver *)task->privdata)->arena;
}

static struct reply *place(const redisReadTask *task)
{
	struct reply *r = arena_zero(arena_of(task), sizeof *r);
	r->type = (enum reply_type)task->type;
	if (task->parent)
		((struct reply *)task->parent->obj)->elements[task->idx] = r;
	return r;
}

/* NULL ends the connection: hiredis takes it for a lack of memory. */
static void *make_string(const redisReadTask *task, char *s, size_t len)
{
	struct receiver *to = task->privdata;
	if (to->allowed != SIZE_MAX)
		to->allowed = to->allowed > len ? to->allowed - len : 0;
	if (to->allowed == 0)
		return NULL;
	struct reply *r = place(task);
	r->str = (struct str){arena_text(to->arena, s, len), (uint32_t)len};
	return r;
}

#if HIREDIS_MAJOR >= 1
static void *make_array(const redisReadTask *task, size_t n)
#else
static void *make_array(const redisReadTask *task, int n)
#endif
{
	struct reply *r = place(task);
	r->n = (size_t)n;
	r->elements = ARENA_ARRAY(arena_of(task), struct reply *, n);
	return r;
}

static void *make_integer(const redisReadTask *task, long long value)
{
	struct reply *r = place(task);
	r->integer = value;
	return r;
}

static void *make_nil(const redisReadTask *task) /* whose type is that of a string or an array */
{
	struct reply *r = place(task);
	r->type = REPLY_NIL;
	return r;
}

static void forget(void *reply)
{
	(void)reply; /* the arena's */
}

static redisReplyObjectFunctions reply_functions = {.createString = make_string,
						    .createArray = make_array,
						    .createInteger = make_integer,
						    .createNil = make_nil,
						    .freeObject = forget};

bool reply_is_error(const struct reply *r, const char *code)
{
	return r->type == REPLY_ERROR && strncmp(r->str.s, code, strlen(code)) == 0;
}

/* --- commands */

struct words words_new(struct arena *a, size_t most)
{
	return (struct words){arena_alloc(a, sizeof(char *) * most), arena_alloc(a, sizeof(size_t) * most), 0};
}

void word(struct words *w, struct str s)
{
	w->s[w->n] = s.len ? s.s : "";
	w->len[w->n++] = s.len;
}

void word_text(struct words *w, const char *s)
{
	word(w, str_of(s));
}

void word_number(struct words *w, struct arena *a, int64_t n)
{
	word_text(w, arena_printf(a, "%" PRId64, n));
}

void redis_disconnect(struct redis *r)
{
	if (r->context)
		redisFree(r->context);
	r->context = NULL;
}

bool redis_connected(const struct redis *r)
{
	return r->context != NULL;
}

bool redis_fail(struct redis *r, const char *doing, const char *what, struct err *why)
{
	err_set(why, "Redis at %s, %s: %s", r->settings->redis.url, doing, what);
	redis_disconnect(r);
	return false;
}

void redis_send(struct redis *r, const struct words *w)
{
	if (r->context)
		redisAppendCommandArgv(r->context, w->n, w->s, w->len);
}

void redis_send_text(struct redis *r, const char *command)
{
	if (r->context)
		redisAppendCommandArgv(r->context, 1, &command, NULL);
}

void redis_allow(struct redis *r, size_t bytes)
{
	r->receiver.allowed = bytes;
}

size_t redis_allowed(const struct redis *r)
{
	return r->receiver.allowed;
}

struct reply *redis_receive(struct redis *r, struct arena *a, const char *doing, struct err *why)
{
	void *reply = NULL;
	if (!r->context) {
		redis_fail(r, doing, "not connected", why);
		return NULL;
	}
	r->receiver.arena = a;
	r->context->reader->privdata = &r->receiver;
	if (redisGetReply(r->context, &reply) == REDIS_OK)
		return reply;
	bool late = r->context->err == REDIS_ERR_IO && strstr(r->context->errstr, "Resource temporarily unavailable");
	char what[sizeof r->context->errstr];
	memcpy(what, r->context->errstr, sizeof what);
	redis_fail(r, doing, late ? "no answer in time" : what, why);
	return NULL;
}

struct reply *redis_ask(struct redis *r, const struct words *w, struct arena *a, const char *doing, struct err *why)
{
	redis_send(r, w);
	struct reply *reply = redis_receive(r, a, doing, why);
	if (reply && reply->type == REPLY_ERROR) {
		redis_fail(r, doing, reply->str.s, why);
		return NULL;
	}
	return reply;
}

/* --- connecting */

static redisContext *dial(const struct redis_url *url)
{
	struct timeval wait = {.tv_sec = CONNECT_SECONDS};
	if (url->path[0])
		return redisConnectUnixWithTimeout(url->path, wait);
	return redisConnectWithTimeout(url->host, url->port, wait);
}

#ifdef HAVE_HIREDIS_SSL
static bool secure(struct redis *r, struct err *why)
{
	redisSSLContextError code = REDIS_SSL_CTX_NONE;
	redisInitOpenSSL();
	redisSSLContext *ssl = redisCreateSSLContext(NULL, "/etc/ssl/certs", NULL, NULL, r->url.host, &code);
	if (!ssl)
		return redis_fail(r, "TLS", redisSSLContextGetError(code), why);
	bool ok = redisInitiateSSLWithContext(r->context, ssl) == REDIS_OK;
	redisFreeSSLContext(ssl);
	return ok || redis_fail(r, "TLS", "the server's certificate or protocol was refused", why);
}

static bool tls_known(const struct redis_url *url, struct err *why)
{
	(void)url, (void)why;
	return true;
}
#else
static bool secure(struct redis *r, struct err *why)
{
	return redis_fail(r, "TLS", "this build's hiredis has none", why);
}

static bool tls_known(const struct redis_url *url, struct err *why)
{
	return !url->tls || err_set(why, "redis.url: this build's hiredis (%d.%d) has no TLS; use a unix socket",
				    HIREDIS_MAJOR, HIREDIS_MINOR);
}
#endif

static bool authenticate(struct redis *r, struct err *why)
{
	const struct settings *s = r->settings;
	char password[SECRET_MAX] = "";
	if (!s->redis.password_file && !s->redis.username)
		return true;
	if (s->redis.password_file && !secret_read(s->redis.password_file, password, why))
		return err_prefix(why, "redis");
	struct words w = words_new(&r->own, 3);
	word_text(&w, "AUTH");
	if (s->redis.username)
		word_text(&w, s->redis.username);
	word_text(&w, password);
	bool ok = redis_ask(r, &w, &r->own, "AUTH", why) != NULL;
	secret_forget(password);
	return ok;
}

static bool select_database(struct redis *r, struct err *why)
{
	if (r->url.database == 0)
		return true;
	struct words w = words_new(&r->own, 2);
	word_text(&w, "SELECT");
	word_number(&w, &r->own, r->url.database);
	return redis_ask(r, &w, &r->own, "SELECT", why) != NULL;
}

bool redis_connect(struct redis *r, struct err *why)
{
	redis_disconnect(r);
	arena_reset(&r->own);
	r->context = dial(&r->url);
	if (!r->context)
		return redis_fail(r, "connecting", "no memory", why);
	if (r->context->err) {
		char what[sizeof r->context->errstr];
		memcpy(what, r->context->errstr, sizeof what);
		return redis_fail(r, "connecting", what, why);
	}
	r->context->reader->fn = &reply_functions;
	r->context->reader->maxbuf = 0; /* keep a large buffer for the next batch */
	redisSetTimeout(r->context, (struct timeval){.tv_sec = COMMAND_SECONDS});
	if ((!r->url.tls || secure(r, why)) && authenticate(r, why) && select_database(r, why))
		return true;
	redis_disconnect(r);
	return false;
}

struct redis *redis_new(const struct settings *s, struct err *why)
{
	struct redis_url url;
	if (!redis_url_parse(s->redis.url, &url, why) || !tls_known(&url, why))
		return NULL;
	struct redis *r = calloc(1, sizeof *r);
	if (!r)
		abort();
	r->settings = s;
	r->url = url;
	r->receiver.allowed = SIZE_MAX;
	arena_init(&r->own);
	return r;
}

void redis_free(struct redis *r)
{
	if (!r)
		return;
	redis_disconnect(r);
	arena_close(&r->own);
	free(r);
}
