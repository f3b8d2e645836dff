/* States to begin a run with, as `run --state --raw` prints them: those of a daemon, say, at a time of its own. */
#include "run_lanes.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

static bool read_bytes(struct run *r, const char *hex, size_t len, struct str *out)
{
	char *bytes = arena_alloc(&r->events, len / 2 + 1);
	for (size_t i = 0; i < len / 2; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		bytes[i] = (char)(high << 4 | low);
	}
	*out = (struct str){bytes, (uint32_t)(len / 2)};
	return len % 2 == 0;
}

/* WATCH/SUBJECT HEX */
static bool take_line(struct run *r, char *line, size_t len)
{
	struct str bytes;
	int64_t due;
	char *slash = memchr(line, '/', len), *space = memrchr(line, ' ', len);
	if (!slash || !space || slash > space || !read_bytes(r, space + 1, len - (size_t)(space + 1 - line), &bytes) ||
	    !codec_due(bytes, &due))
		return false;
	const struct watch *w = ruleset_watch(r->part->config.ruleset, (struct str){line, (uint32_t)(slash - line)});
	struct str key = {slash + 1, (uint32_t)(space - slash - 1)};
	if (!w)
		return false;
	struct lane *lane = &r->lanes[run_partition(r, key)];
	struct memory_subject *s = memory_get(lane->memory, w, key);
	memory_put(lane->memory, s, bytes);
	memory_due(lane->memory, s, due);
	return true;
}

bool run_from(struct run *r, struct err *why)
{
	char *line = NULL;
	size_t cap = 0, n = 0;
	bool ok = true;
	FILE *f = fopen(r->from_file, "re");
	if (!f)
		return err_set(why, "--from: %s: %s", r->from_file, strerror(errno));
	for (ssize_t len; ok && (len = getline(&line, &cap, f)) > 0; n++) {
		arena_reset(&r->events);
		ok = take_line(r, line, (size_t)len - (line[len - 1] == '\n'));
	}
	free(line);
	fclose(f);
	for (int32_t p = 0; p < r->partitions; p++)
		r->lanes[p].clock = r->from_time;
	return ok || err_set(why, "%s:%zu: this is no state of a subject that a watch knows", r->from_file, n);
}
