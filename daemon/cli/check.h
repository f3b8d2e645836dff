/* Faults on the standard output; shared by check and test. */
#ifndef CHECK_H
#define CHECK_H
#include "../util/err.h"

/* file:line:column: [warning: ]what, and what was expected; a line each. */
void print_faults(const struct faults *f);
/* Prints the line that a place names and a mark under its column; nothing where the file or line can't be read. */
void print_excerpt(struct place at);
#endif
