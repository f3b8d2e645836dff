/* libmicrohttpd with one thread.  GET and HEAD only, no state, a few connections at a time. */
#include "http.h"
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONNECTIONS = 64, IDLE_SECONDS = 15 };

struct http {
	struct MHD_Daemon *server;
	const struct http_page *pages;
	size_t n_pages;
	void *context;
	struct sockaddr_storage address;
};

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type, struct buffer *text)
{
	/* MHD copies: a page is small, and our buffer may have no bytes at all */
	struct MHD_Response *r =
		MHD_create_response_from_buffer(text->len, text->data ? text->data : "", MHD_RESPMEM_MUST_COPY);
	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	enum MHD_Result done = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return done;
}

static enum MHD_Result answer_text(struct MHD_Connection *c, unsigned status, const char *text)
{
	struct buffer b = {(char *)text, strlen(text), strlen(text)};
	return answer(c, status, "text/plain; charset=utf-8", &b);
}

/* The pages there are, for someone who looks in with a browser. */
static enum MHD_Result answer_index(const struct http *h, struct MHD_Connection *c, unsigned status)
{
	char text[1024];
	size_t n = (size_t)snprintf(text, sizeof text, "shouwangd " SHOUWANG_VERSION "\n");
	for (size_t i = 0; i < h->n_pages && n < sizeof text; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s\n", h->pages[i].path);
	return answer_text(c, status, text);
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *c, const char *url, const char *method,
			      const char *version, const char *upload, size_t *upload_size, void **state)
{
	struct http *h = cls;
	(void)version, (void)upload;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		if (*upload_size) { /* a body must be taken in before it can be refused */
			*upload_size = 0;
			return MHD_YES;
		}
		if (!*state) {
			*state = h;
			return MHD_YES;
		}
		return answer_text(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	}
	for (size_t i = 0; i < h->n_pages; i++) {
		if (strcmp(h->pages[i].path, url) != 0)
			continue;
		struct buffer text = {0};
		unsigned status = h->pages[i].write(h->context, &text);
		enum MHD_Result done = answer(c, status, h->pages[i].type, &text);
		buffer_free(&text);
		return done;
	}
	return answer_index(h, c, strcmp(url, "/") == 0 ? MHD_HTTP_OK : MHD_HTTP_NOT_FOUND);
}

static bool find_address(const char *host, uint16_t port, struct sockaddr_storage *out, struct err *why)
{
	char service[8];
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
	snprintf(service, sizeof service, "%u", port);
	int e = getaddrinfo(host, service, &hints, &found);
	if (e)
		return err_set(why, "http: no address of \"%s\": %s", host, gai_strerror(e));
	memcpy(out, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return true;
}

struct http *http_start(const char *host, uint16_t port, const struct http_page *pages, size_t n_pages, void *context,
			struct err *why)
{
	struct http *h = calloc(1, sizeof *h);
	if (!h)
		abort();
	*h = (struct http){.pages = pages, .n_pages = n_pages, .context = context};
	if (!find_address(host, port, &h->address, why)) {
		free(h);
		return NULL;
	}
	unsigned flags = MHD_USE_AUTO_INTERNAL_THREAD | (h->address.ss_family == AF_INET6 ? (unsigned)MHD_USE_IPv6 : 0);
	errno = 0;
	h->server = MHD_start_daemon(flags, port, NULL, NULL, handle, h, MHD_OPTION_SOCK_ADDR, &h->address,
				     MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS,
				     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_END);
	if (!h->server) {
		err_set(why, "http: cannot listen on %s:%u: %s", host, port,
			errno ? strerror(errno) : "unknown reason");
		free(h);
		return NULL;
	}
	return h;
}

uint16_t http_port(const struct http *h)
{
	return MHD_get_daemon_info(h->server, MHD_DAEMON_INFO_BIND_PORT)->port;
}

bool http_is_loopback(const struct http *h)
{
	if (h->address.ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&h->address)->sin6_addr);
	return ntohl(((const struct sockaddr_in *)&h->address)->sin_addr.s_addr) >> 24 == 127;
}

void http_stop(struct http *h)
{
	if (!h)
		return;
	MHD_stop_daemon(h->server);
	free(h);
}
