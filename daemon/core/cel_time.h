/* cel_time.h: timestamps and durations. */
#ifndef CEL_TIME_H
#define CEL_TIME_H
#include "cel_run.h"

/* a + b, or a - b; false: out of the kind's range (years 1 to 9999; a duration fits 64 bits of nanoseconds). */
bool cel_time_add(struct cel_value a, struct cel_value b, bool minus, int kind, struct cel_value *sum);
bool cel_timestamp_fits(int64_t seconds);
/* "1h30m", "-1.5s", "100ms", "20us", "1ns" */
bool cel_parse_duration(const char *s, size_t len, struct cel_value *out);
/* Seconds east of UTC in a zone, by name or "+08:00", at an instant; false: there is no such zone. */
bool cel_find_offset(const struct cel_options *options, struct cel_value name, int64_t at, int64_t *offset);
#endif
