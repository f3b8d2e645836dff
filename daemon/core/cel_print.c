/* cel_print.c: values as text, for conversions, for format() and for messages. */
#include "cel_print.h"
#include "cel_text.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cel_out_put(struct out *out, const char *s, size_t len)
{
	if (out->failed || len == 0)
		return;
	if (!run_spend(out->run, len / 16)) {
		out->failed = true;
		return;
	}
	if (out->room - out->len < len) {
		size_t room = 2 * (out->len + len) + 32;
		char *more = cel_run_alloc(out->run, room);
		if (!more || !run_spend(out->run, out->len / 16)) {
			out->failed = true;
			return;
		}
		if (out->len)
			memcpy(more, out->s, out->len);
		out->s = more;
		out->room = room;
	}
	memcpy(out->s + out->len, s, len);
	out->len += len;
}

void cel_out_text(struct out *out, const char *s)
{
	cel_out_put(out, s, strlen(s));
}

struct cel_value cel_out_string(struct out *out)
{
	if (out->failed || out->len > UINT32_MAX)
		return out->run->exhausted ? cel_run_cost(out->run) : cel_run_memory();
	return cel_string(out->s ? out->s : "", out->len);
}

size_t cel_print_int(char text[PRINT_ROOM], int64_t i)
{
	return (size_t)snprintf(text, PRINT_ROOM, "%" PRId64, i);
}
size_t cel_print_uint(char text[PRINT_ROOM], uint64_t u)
{
	return (size_t)snprintf(text, PRINT_ROOM, "%" PRIu64, u);
}

size_t cel_print_double(char text[PRINT_ROOM], double d)
{
	if (isnan(d))
		return (size_t)snprintf(text, PRINT_ROOM, "NaN");
	if (isinf(d))
		return (size_t)snprintf(text, PRINT_ROOM, d < 0 ? "-Infinity" : "Infinity");
	int n = 0;
	if (fabs(d) < 1e15 && d == trunc(d))
		return (size_t)snprintf(text, PRINT_ROOM, "%.0f", d);
	for (int digits = 15; digits <= 17; digits++) {
		n = snprintf(text, PRINT_ROOM, "%.*g", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	return (size_t)n;
}

/* Nanoseconds as a fraction of 3, 6 or 9 digits. */
static size_t fraction(char *text, size_t room, uint32_t nanos)
{
	if (nanos == 0)
		return 0;
	if (nanos % 1000000 == 0)
		return (size_t)snprintf(text, room, ".%03u", nanos / 1000000);
	if (nanos % 1000 == 0)
		return (size_t)snprintf(text, room, ".%06u", nanos / 1000);
	return (size_t)snprintf(text, room, ".%09u", nanos);
}

size_t cel_print_timestamp(char text[2 * PRINT_ROOM], struct cel_value t)
{
	int64_t days = t.i >= 0 ? t.i / 86400 : -((86399 - t.i) / 86400), year;
	int64_t seconds = t.i - days * 86400;
	unsigned month, day;
	cel_civil_from_days(days, &year, &month, &day);
	size_t n =
		(size_t)snprintf(text, 2 * PRINT_ROOM, "%04" PRId64 "-%02u-%02uT%02u:%02u:%02u", year, month, day,
				 (unsigned)(seconds / 3600), (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
	n += fraction(text + n, 2 * PRINT_ROOM - n, t.nanos);
	text[n++] = 'Z';
	text[n] = '\0';
	return n;
}

size_t cel_print_duration(char text[PRINT_ROOM], struct cel_value d)
{
	bool negative = d.i < 0;
	uint64_t seconds = negative ? 0 - (uint64_t)d.i : (uint64_t)d.i;
	uint32_t nanos = d.nanos;
	if (negative && nanos) {
		seconds--;
		nanos = 1000000000 - nanos;
	}
	size_t n = (size_t)snprintf(text, PRINT_ROOM, "%s%" PRIu64, negative ? "-" : "", seconds);
	if (nanos) {
		n += (size_t)snprintf(text + n, PRINT_ROOM - n, ".%09u", nanos);
		while (text[n - 1] == '0')
			n--;
	}
	text[n++] = 's';
	text[n] = '\0';
	return n;
}

char *cel_show(struct cel_value value, char *out, size_t size)
{
	char text[2 * PRINT_ROOM] = "";
	switch (value.kind) {
	case CEL_NULL:
		snprintf(out, size, "null");
		break;
	case CEL_BOOL:
		snprintf(out, size, value.b ? "true" : "false");
		break;
	case CEL_INT:
		cel_print_int(text, value.i);
		break;
	case CEL_UINT:
		cel_print_uint(text, value.u);
		break;
	case CEL_DOUBLE:
		cel_print_double(text, value.d);
		break;
	case CEL_TIMESTAMP:
		cel_print_timestamp(text, value);
		break;
	case CEL_DURATION:
		cel_print_duration(text, value);
		break;
	case CEL_STRING: {
		size_t n = value.len < 40 ? value.len : cel_utf8_skip(value.s, value.len, 13);
		snprintf(out, size, "'%.*s%s'", (int)n, value.s ? value.s : "", n < value.len ? "..." : "");
		break;
	}
	case CEL_LIST:
		snprintf(out, size, "a list of %u", value.len);
		break;
	case CEL_MAP:
		snprintf(out, size, "a map of %u", cel_map_size(value));
		break;
	case CEL_TYPE:
		snprintf(out, size, "%s", value.type->name);
		break;
	default:
		snprintf(out, size, "%s", cel_type_of_kind(value.kind)->name);
		break;
	}
	if (text[0])
		snprintf(out, size, "%s%s", text, value.kind == CEL_UINT ? "u" : "");
	return out;
}
