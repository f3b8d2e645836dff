/* Faults on the standard output; shared by check and test. */
#ifndef CHECK_H
#define CHECK_H
#include "../util/err.h"

/* file:line:column: [warning: ]what, and what was expected; a line each. */
void print_faults(const struct faults *f);
#endif
