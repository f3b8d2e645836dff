/* Events from files, one JSON object a line, for the tools: each file in its own order, several merged by event time,
 * as a topic would have got them. */
#ifndef INBOX_FILE_H
#define INBOX_FILE_H
#include "../daemon/util/err.h"
#include <stddef.h>

struct watch;
struct file_record {
	struct str text; /* the line without its end; lives as long as the inbox */
	uint32_t file;   /* index in paths */
	uint32_t line;   /* from 1 */
	int64_t time;    /* ms; set by look */
	int32_t partition;
	const struct watch *watch; /* that it is for, where several are; NULL: the first that knows its type */
};
/* Sets time (INT64_MIN: none) and whatever else the caller wants of a record; called once for each, in the order of its
 * file. */
typedef void inbox_look(void *ctx, struct file_record *record);

struct inbox_file;
/* paths: borrowed; "-" is the standard input.  look NULL: no times, one file after the other.  NULL: why names the
 * file. */
struct inbox_file *inbox_file_open(char *const *paths, size_t n, inbox_look *look, void *ctx, struct err *why);
void inbox_file_close(struct inbox_file *in);
/* The next record: of the file whose clock (the greatest time it has told so far) is the earliest, of equal ones the
 * first named.  Empty lines are passed over.  False: no more. */
bool inbox_file_next(struct inbox_file *in, struct file_record *out);
#endif
