/* cel_print.h: values as text. */
#ifndef CEL_PRINT_H
#define CEL_PRINT_H
#include "cel_run.h"

/* A text that grows in the evaluation's memory. */
struct out {
	struct run *run;
	char *s;
	size_t len, room;
	bool failed; /* no memory, or the budget is used up */
};
void cel_out_put(struct out *out, const char *s, size_t len);
void cel_out_text(struct out *out, const char *s);
struct cel_value cel_out_string(struct out *out); /* what was put, or the error */

enum { PRINT_ROOM = 32 };
size_t cel_print_double(char text[PRINT_ROOM], double d); /* the shortest that reads back the same; NaN, Infinity */
size_t cel_print_int(char text[PRINT_ROOM], int64_t i);
size_t cel_print_uint(char text[PRINT_ROOM], uint64_t u);
size_t cel_print_timestamp(char text[2 * PRINT_ROOM], struct cel_value t); /* RFC 3339, in UTC */
size_t cel_print_duration(char text[PRINT_ROOM], struct cel_value d);      /* "1.5s" */
#endif
