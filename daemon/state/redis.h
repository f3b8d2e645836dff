/* One connection to Redis: commands out, replies in.  Replies live in the arena that the caller gives; after any error
 * the connection is closed, so that a late reply is never taken for another's.  redis.c is the only file that knows
 * hiredis.  The thread must ignore or block SIGPIPE. */
#ifndef REDIS_H
#define REDIS_H
#include "../conf/settings.h"

enum reply_type { REPLY_STRING = 1, REPLY_ARRAY, REPLY_INTEGER, REPLY_NIL, REPLY_STATUS, REPLY_ERROR };
struct reply {
	enum reply_type type;
	int64_t integer;
	struct str str; /* terminated; of strings, statuses and errors */
	struct reply **elements;
	size_t n;
};

/* One command, being built in an arena; room for the words is given at the start. */
struct words {
	const char **s;
	size_t *len;
	int n;
};
struct words words_new(struct arena *a, size_t most);
void word(struct words *w, struct str s);
void word_text(struct words *w, const char *s);
void word_number(struct words *w, struct arena *a, int64_t n);

struct redis;
struct redis *redis_new(const struct settings *s, struct err *why); /* reads the url, doesn't connect; borrows s */
void redis_free(struct redis *r);
/* Connects, authenticates (the password file is read anew), selects the database.  TLS checks the server's certificate
 * against the system's authorities, not its name: hiredis can't. */
bool redis_connect(struct redis *r, struct err *why);
void redis_disconnect(struct redis *r);
bool redis_connected(const struct redis *r);

/* A pipeline: any number of commands out, then as many replies in, in their order. */
void redis_send(struct redis *r, const struct words *w);
void redis_send_text(struct redis *r, const char *command); /* one without arguments */
struct reply *redis_receive(struct redis *r, struct arena *a, const char *doing, struct err *why); /* NULL: closed */
/* From now on no more bytes than these may come, in all replies together; SIZE_MAX: any.  Beyond them: closed. */
void redis_allow(struct redis *r, size_t bytes);
size_t redis_allowed(const struct redis *r); /* what is left of them; 0 where more would have come */
/* One command and its reply; an error reply counts as a failure too.  NULL: closed, why is set. */
struct reply *redis_ask(struct redis *r, const struct words *w, struct arena *a, const char *doing, struct err *why);
/* Closes it, and says why; returns false. */
bool redis_fail(struct redis *r, const char *doing, const char *what, struct err *why);
bool reply_is_error(const struct reply *r, const char *code);
#endif
