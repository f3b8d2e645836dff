/* What the commands' arguments have in common: whole numbers, dates and the configuration. */
#ifndef OPTIONS_H
#define OPTIONS_H
#include "../conf/config.h"

/* A whole number from..to; says on the standard error what was expected where it isn't. */
bool option_number(const char *command, const char *option, const char *text, int64_t from, int64_t to, int64_t *out);
/* Loads a configuration and prints its faults where it can't. */
bool option_config(const char *command, const char *dir, struct config *out);
/* A clean end for a caller's output: flushes, and says so where the disk is full or the pipe closed. */
int option_end(const char *command, int code);
#endif
