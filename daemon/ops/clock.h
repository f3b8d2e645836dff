/* The system's clocks.  Nothing in the core calls them. */
#ifndef CLOCK_H
#define CLOCK_H
#include <stdint.h>

int64_t clock_wall(void);      /* ms since 1970 */
int64_t clock_monotonic(void); /* ms */
#endif
