/* What went wrong: one error (struct err, owned by the caller), and the list of faults of a configuration. */
#ifndef ERR_H
#define ERR_H
#include "arena.h"
#include <stdbool.h>

/* One sentence; "" is no error.  The first error wins: err_set on one that is set does nothing. */
struct err {
	char text[512];
};
__attribute__((format(printf, 2, 3))) bool err_set(struct err *e, const char *format, ...); /* returns false */
__attribute__((format(printf, 2, 3))) bool err_prefix(struct err *e, const char *format,
						      ...); /* "prefix: text"; returns false */

/* A place in a configuration file; line and column count from 1, in characters; line 0: the whole file. */
struct place {
	const char *file;
	uint32_t line, column;
};
struct fault {
	struct place at;
	const char *text;
	bool warning; /* said, but does not refuse the configuration */
};
/* Owns its texts. */
struct faults {
	struct arena arena;
	struct fault *list;
	uint32_t n, cap;
	uint32_t errors; /* those that are no warnings */
};
void faults_init(struct faults *f);
void faults_close(struct faults *f);
__attribute__((format(printf, 3, 4))) void faults_add(struct faults *f, struct place at, const char *format, ...);
__attribute__((format(printf, 3, 4))) void faults_warn(struct faults *f, struct place at, const char *format, ...);
void faults_sort(struct faults *f); /* by file, line, column; repeats dropped */
#endif
