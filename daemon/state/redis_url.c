/* Reads the URL of Redis. */
#include "redis_url.h"
#include <stdlib.h>
#include <string.h>

/* The whole text as a number up to max; false: it isn't one. */
static bool number(const char *text, long max, long *out)
{
	char *end;
	if (*text < '0' || *text > '9')
		return false;
	*out = strtol(text, &end, 10);
	return *end == '\0' && *out <= max;
}

static bool parse_unix(const char *path, struct redis_url *out, struct err *why)
{
	if (path[0] != '/')
		return err_set(why, "redis.url: expected unix:///path/of/the.sock, with three slashes");
	if (strlen(path) >= sizeof out->path)
		return err_set(why, "redis.url: the path of a unix socket has at most %zu bytes", sizeof out->path - 1);
	memcpy(out->path, path, strlen(path) + 1);
	return true;
}

/* Cuts rest at the first `mark`; what follows it, or NULL. */
static char *cut(char *rest, char mark)
{
	char *at = strchr(rest, mark);
	if (at)
		*at++ = '\0';
	return at;
}

/* An IPv6 address stands in brackets. */
static char *cut_port(char *rest)
{
	if (rest[0] != '[')
		return cut(rest, ':');
	char *close = cut(rest, ']');
	memmove(rest, rest + 1, strlen(rest + 1) + 1);
	return close && *close == ':' ? close + 1 : NULL;
}

static bool parse_tcp(const char *text, struct redis_url *out, struct err *why)
{
	char rest[sizeof out->host];
	long n;
	if (strlen(text) >= sizeof rest)
		return err_set(why, "redis.url: longer than %zu bytes", sizeof rest - 1);
	memcpy(rest, text, strlen(text) + 1);
	if (strchr(rest, '@'))
		return err_set(
			why,
			"redis.url: credentials don't stand in the URL; use redis.username and redis.password_file");
	const char *database = cut(rest, '/');
	const char *port = cut_port(rest);
	if (!rest[0])
		return err_set(why, "redis.url: expected a host, as in redis://host:6379");
	out->port = 6379;
	if (port) {
		if (!number(port, 65535, &n) || n == 0)
			return err_set(why, "redis.url: the port is a number from 1 to 65535");
		out->port = (uint16_t)n;
	}
	if (database && *database) {
		if (!number(database, 65535, &n))
			return err_set(why, "redis.url: what follows the slash is the number of a database");
		out->database = (int)n;
	}
	memcpy(out->host, rest, sizeof rest);
	return true;
}

bool redis_url_parse(const char *text, struct redis_url *out, struct err *why)
{
	memset(out, 0, sizeof *out);
	if (strncmp(text, "unix://", 7) == 0)
		return parse_unix(text + 7, out, why);
	if (strncmp(text, "redis://", 8) == 0)
		return parse_tcp(text + 8, out, why);
	out->tls = strncmp(text, "rediss://", 9) == 0;
	if (out->tls)
		return parse_tcp(text + 9, out, why);
	return err_set(why, "redis.url: expected unix:///path, redis://host:port or rediss://host:port");
}
