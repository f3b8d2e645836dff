/* Where Redis is: unix:///path, redis://host[:port][/db] or rediss://… (TLS).  Credentials never stand in the URL. */
#ifndef REDIS_URL_H
#define REDIS_URL_H
#include "../util/err.h"

struct redis_url {
	char path[108]; /* of the unix socket; "" for TCP */
	char host[256];
	uint16_t port;
	int database;
	bool tls;
};
/* False: why says what is wrong with it. */
bool redis_url_parse(const char *text, struct redis_url *out, struct err *why);
#endif
