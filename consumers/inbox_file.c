/* JSON lines from mapped files, merged. */
#include "inbox_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct source {
	char *data;
	size_t size, at;
	bool mapped;
	uint32_t line;
	int64_t clock; /* the greatest time told so far */
	bool has;      /* head is set */
	struct file_record head;
};
struct inbox_file {
	inbox_look *look;
	void *ctx;
	size_t n;
	struct source *sources;
};

static bool read_all(struct source *s, int fd)
{
	size_t room = 1 << 20;
	s->data = malloc(room);
	for (ssize_t got = 1; s->data && got;) {
		if (s->size == room) {
			char *wider = realloc(s->data, room *= 2);
			if (!wider)
				return false;
			s->data = wider;
		}
		got = read(fd, s->data + s->size, room - s->size);
		if (got < 0 && errno != EINTR)
			return false;
		s->size += got > 0 ? (size_t)got : 0;
		got = got < 0 ? 1 : got;
	}
	return s->data != NULL;
}

static bool open_source(struct source *s, const char *path)
{
	struct stat info;
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool ok = fstat(fd, &info) == 0;
	if (ok && S_ISDIR(info.st_mode)) {
		errno = EISDIR;
		ok = false;
	} else if (ok && S_ISREG(info.st_mode) && info.st_size > 0) {
		s->size = (size_t)info.st_size;
		s->data = mmap(NULL, s->size, PROT_READ, MAP_PRIVATE, fd, 0);
		s->mapped = ok = s->data != MAP_FAILED;
	} else if (ok) {
		ok = read_all(s, fd);
	}
	int why = errno;
	if (!standard)
		close(fd);
	errno = why;
	return ok;
}

static void advance(struct inbox_file *in, size_t i)
{
	struct source *s = &in->sources[i];
	s->has = false;
	while (s->at < s->size && !s->has) {
		const char *start = s->data + s->at, *end = memchr(start, '\n', s->size - s->at);
		size_t len = end ? (size_t)(end - start) : s->size - s->at;
		s->at += len + (end != NULL);
		s->line++;
		if (len == 0 || (len == 1 && *start == '\r'))
			continue;
		s->has = true;
		s->head = (struct file_record){.text = {start, len > UINT32_MAX ? UINT32_MAX : (uint32_t)len},
					       .file = (uint32_t)i,
					       .line = s->line,
					       .time = INT64_MIN,
					       .partition = -1};
		if (in->look)
			in->look(in->ctx, &s->head);
		if (s->head.time > s->clock)
			s->clock = s->head.time;
	}
}

struct inbox_file *inbox_file_open(char *const *paths, size_t n, inbox_look *look, void *ctx, struct err *why)
{
	struct inbox_file *in = calloc(1, sizeof *in);
	struct source *sources = calloc(n + 1, sizeof *sources);
	if (!in || !sources)
		abort();
	*in = (struct inbox_file){look, ctx, n, sources};
	for (size_t i = 0; i < n; i++) {
		sources[i].clock = INT64_MIN;
		if (!open_source(&sources[i], paths[i])) {
			err_set(why, "%s: %s", paths[i], strerror(errno));
			in->n = i;
			inbox_file_close(in);
			return NULL;
		}
	}
	for (size_t i = 0; i < n; i++)
		advance(in, i);
	return in;
}

void inbox_file_close(struct inbox_file *in)
{
	if (!in)
		return;
	for (size_t i = 0; i < in->n; i++) {
		if (in->sources[i].mapped)
			munmap(in->sources[i].data, in->sources[i].size);
		else
			free(in->sources[i].data);
	}
	free(in->sources);
	free(in);
}

bool inbox_file_next(struct inbox_file *in, struct file_record *out)
{
	struct source *first = NULL;
	for (size_t i = 0; i < in->n; i++) {
		struct source *s = &in->sources[i];
		if (s->has && (!first || s->clock < first->clock))
			first = s;
	}
	if (!first)
		return false;
	*out = first->head;
	advance(in, (size_t)(first - in->sources));
	return true;
}
