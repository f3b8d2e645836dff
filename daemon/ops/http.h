/* A small HTTP server for a few pages of text: what they say is their owner's business. */
#ifndef HTTP_H
#define HTTP_H
#include "../state/codec.h"

struct http_page {
	const char *path, *type; /* the content type */
	/* Appends the page's text to out and returns its HTTP status; called from the server's thread. */
	unsigned (*write)(void *context, struct buffer *out);
};
struct http;
/* pages and context are borrowed until http_stop.  port 0: any free one.  NULL: why says what is wrong. */
struct http *http_start(const char *host, uint16_t port, const struct http_page *pages, size_t n_pages, void *context,
			struct err *why);
uint16_t http_port(const struct http *h); /* that it listens on */
bool http_is_loopback(const struct http *h);
void http_stop(struct http *h);
#endif
