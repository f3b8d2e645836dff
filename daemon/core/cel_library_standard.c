/* cel_library_standard.c: sizes, conversions, and the standard's functions on strings. */
#include "cel_library.h"
#include "cel_print.h"
#include "cel_regex.h"
#include "cel_text.h"
#include "cel_time.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTION(name) static struct cel_value name(const struct cel_call *call, const struct cel_value *args, size_t n)
#define UNUSED (void)call, (void)args, (void)n

static struct cel_value unreadable(const struct cel_call *call, struct cel_value v, const char *as)
{
	char text[64];
	return cel_fail(call, "can't read %s as %s", cel_show(v, text, sizeof text), as);
}
static struct cel_value out_of_range(const struct cel_call *call, struct cel_value v, const char *of)
{
	char text[64];
	return cel_fail(call, "%s is out of the range of %s", cel_show(v, text, sizeof text), of);
}

FUNCTION(identity)
{
	UNUSED;
	return args[0];
}

FUNCTION(type_of)
{
	UNUSED;
	return (struct cel_value){.kind = CEL_TYPE, .type = cel_type_of_kind(args[0].kind)};
}

/* --- sizes */
FUNCTION(size_string)
{
	UNUSED;
	if (!run_spend(run_of(call), args[0].len / 64))
		return cel_run_cost(run_of(call));
	return cel_int((int64_t)cel_utf8_count(args[0].s, args[0].len));
}
FUNCTION(size_plain)
{
	UNUSED;
	return cel_int(args[0].len);
}
FUNCTION(size_map)
{
	UNUSED;
	return cel_int(cel_map_size(args[0]));
}

/* --- to numbers */
FUNCTION(int_of_uint)
{
	(void)n;
	return args[0].u <= INT64_MAX ? cel_int(args[0].i) : out_of_range(call, args[0], "int");
}
FUNCTION(int_of_double)
{
	(void)n;
	double d = args[0].d;
	/* the standard's cases want both ends refused, for they can't be told from what lies beyond */
	return d > -9223372036854775808.0 && d < 9223372036854775808.0 ? cel_int((int64_t)d)
								       : out_of_range(call, args[0], "int");
}
FUNCTION(int_of_timestamp)
{
	UNUSED;
	return cel_int(args[0].i);
}

/* Decimal digits with an optional sign, to a magnitude. */
static bool read_digits(struct cel_value v, bool *negative, uint64_t *u)
{
	const char *s = v.s, *end = v.s + v.len;
	*negative = s < end && *s == '-';
	if (s < end && (*s == '-' || *s == '+'))
		s++;
	if (s == end)
		return false;
	for (*u = 0; s < end; s++)
		if (*s < '0' || *s > '9' || __builtin_mul_overflow(*u, 10u, u) ||
		    __builtin_add_overflow(*u, (uint64_t)(*s - '0'), u))
			return false;
	return true;
}

FUNCTION(int_of_string)
{
	(void)n;
	bool negative;
	uint64_t u;
	if (!read_digits(args[0], &negative, &u) || u > (uint64_t)INT64_MAX + negative)
		return unreadable(call, args[0], "int");
	return cel_int((int64_t)(negative ? 0 - u : u));
}
FUNCTION(uint_of_string)
{
	(void)n;
	bool negative;
	uint64_t u;
	if (!read_digits(args[0], &negative, &u) || args[0].s[0] == '-' || args[0].s[0] == '+')
		return unreadable(call, args[0], "uint");
	return cel_uint(u);
}
FUNCTION(uint_of_int)
{
	(void)n;
	return args[0].i >= 0 ? cel_uint(args[0].u) : out_of_range(call, args[0], "uint");
}
FUNCTION(uint_of_double)
{
	(void)n;
	double d = args[0].d;
	return d >= 0 && d < 18446744073709551616.0 ? cel_uint((uint64_t)d) : out_of_range(call, args[0], "uint");
}
FUNCTION(double_of_int)
{
	UNUSED;
	return cel_double((double)args[0].i);
}
FUNCTION(double_of_uint)
{
	UNUSED;
	return cel_double((double)args[0].u);
}
FUNCTION(double_of_string)
{
	(void)n;
	char text[400], *end;
	if (args[0].len == 0 || args[0].len >= sizeof text || (uint8_t)args[0].s[0] <= ' ')
		return unreadable(call, args[0], "double");
	memcpy(text, args[0].s, args[0].len);
	text[args[0].len] = '\0';
	double d = strtod(text, &end);
	if (end != text + args[0].len || strchr(text, '('))
		return unreadable(call, args[0], "double");
	return isinf(d) && text[strcspn(text, "0123456789")] ? out_of_range(call, args[0], "double") : cel_double(d);
}

FUNCTION(bool_of_string)
{
	(void)n;
	static const char *const words[] = {"1", "t", "true", "TRUE", "True", "0", "f", "false", "FALSE", "False"};
	for (size_t i = 0; i < 10; i++)
		if (strlen(words[i]) == args[0].len && memcmp(words[i], args[0].s, args[0].len) == 0)
			return cel_bool(i < 5);
	return unreadable(call, args[0], "bool");
}

/* --- to strings and bytes */
#define PRINTED(name, room, print)                                 \
	FUNCTION(name)                                             \
	{                                                          \
		(void)n;                                           \
		char text[room];                                   \
		return cel_string_copy(run_of(call), text, print); \
	}
PRINTED(string_of_int, PRINT_ROOM, cel_print_int(text, args[0].i))
PRINTED(string_of_uint, PRINT_ROOM, cel_print_uint(text, args[0].u))
PRINTED(string_of_double, PRINT_ROOM, cel_print_double(text, args[0].d))
PRINTED(string_of_timestamp, 2 * PRINT_ROOM, cel_print_timestamp(text, args[0]))
PRINTED(string_of_duration, PRINT_ROOM, cel_print_duration(text, args[0]))

FUNCTION(string_of_bool)
{
	UNUSED;
	return args[0].b ? cel_string("true", 4) : cel_string("false", 5);
}
FUNCTION(string_of_bytes)
{
	(void)n;
	if (!run_spend(run_of(call), args[0].len / 16))
		return cel_run_cost(run_of(call));
	return cel_utf8_valid(args[0].s, args[0].len) ? cel_string(args[0].s, args[0].len)
						      : cel_fail_plain(call, "the bytes are no valid UTF-8");
}
FUNCTION(string_of_type)
{
	UNUSED;
	return cel_string(args[0].type->name, strlen(args[0].type->name));
}
FUNCTION(bytes_of_string)
{
	UNUSED;
	struct cel_value v = args[0];
	v.kind = CEL_BYTES;
	return v;
}

/* --- to times */
FUNCTION(timestamp_of_string)
{
	(void)n;
	int64_t seconds;
	uint32_t nanos;
	if (!cel_parse_timestamp(args[0].s, args[0].len, &seconds, &nanos))
		return unreadable(call, args[0], "a timestamp (2023-06-01T00:00:00+08:00)");
	return cel_timestamp_fits(seconds) ? cel_timestamp(seconds, nanos) : out_of_range(call, args[0], "timestamps");
}
FUNCTION(timestamp_of_int)
{
	(void)n;
	return cel_timestamp_fits(args[0].i) ? cel_timestamp(args[0].i, 0) : out_of_range(call, args[0], "timestamps");
}
FUNCTION(duration_of_string)
{
	(void)n;
	struct cel_value v;
	return cel_parse_duration(args[0].s, args[0].len, &v) ? v
							      : unreadable(call, args[0], "a duration (1h30m, 90s)");
}

/* --- strings */
FUNCTION(string_contains)
{
	(void)n;
	if (args[0].len > 1024 && !run_spend(run_of(call), args[0].len / 32))
		return cel_run_cost(run_of(call));
	return cel_bool(!args[1].len || cel_find_bytes(args[0].s, args[0].len, args[1].s, args[1].len));
}
FUNCTION(starts_with)
{
	UNUSED;
	return cel_bool(args[0].len >= args[1].len && (!args[1].len || memcmp(args[0].s, args[1].s, args[1].len) == 0));
}
FUNCTION(ends_with)
{
	UNUSED;
	uint32_t a = args[0].len, b = args[1].len;
	return cel_bool(a >= b && (!b || memcmp(args[0].s + (a - b), args[1].s, b) == 0));
}

static void *from_heap(void *ctx, size_t size)
{
	struct run *run = ctx;
	void *p = run_spend(run, size / 64) ? cel_run_alloc(run, size) : NULL;
	return p ? memset(p, 0, size) : NULL;
}

/* A pattern that is only known now. */
FUNCTION(matches)
{
	(void)n;
	struct run *run = run_of(call);
	const char *why = NULL;
	const struct regex_memory memory = {from_heap, run};
	const struct regex *regex = cel_regex_new(&memory, args[1].s, args[1].len, &why);
	if (run->exhausted)
		return cel_run_cost(run);
	if (!regex)
		return cel_fail(call, "not a regular expression: %s", why);
	return cel_regex_match(run, regex, args[0].s, args[0].len);
}

static const struct builtin functions[] = {
	{"size", "s:i", size_string},
	{"size", "y:i", size_plain},
	{"size", "LA:i", size_plain},
	{"size", "MAB:i", size_map},
	{"size", ".s:i", size_string},
	{"size", ".y:i", size_plain},
	{"size", ".LA:i", size_plain},
	{"size", ".MAB:i", size_map},
	{"type", "A:T", type_of},
	{"dyn", "A:*", identity},
	{"int", "i:i", identity},
	{"int", "u:i", int_of_uint},
	{"int", "d:i", int_of_double},
	{"int", "s:i", int_of_string},
	{"int", "t:i", int_of_timestamp},
	{"uint", "u:u", identity},
	{"uint", "i:u", uint_of_int},
	{"uint", "d:u", uint_of_double},
	{"uint", "s:u", uint_of_string},
	{"double", "d:d", identity},
	{"double", "i:d", double_of_int},
	{"double", "u:d", double_of_uint},
	{"double", "s:d", double_of_string},
	{"bool", "b:b", identity},
	{"bool", "s:b", bool_of_string},
	{"string", "s:s", identity},
	{"string", "i:s", string_of_int},
	{"string", "u:s", string_of_uint},
	{"string", "d:s", string_of_double},
	{"string", "b:s", string_of_bool},
	{"string", "y:s", string_of_bytes},
	{"string", "t:s", string_of_timestamp},
	{"string", "p:s", string_of_duration},
	{"string", "T:s", string_of_type},
	{"bytes", "y:y", identity},
	{"bytes", "s:y", bytes_of_string},
	{"timestamp", "t:t", identity},
	{"timestamp", "s:t", timestamp_of_string},
	{"timestamp", "i:t", timestamp_of_int},
	{"duration", "p:p", identity},
	{"duration", "s:p", duration_of_string},
	{"contains", ".ss:b", string_contains},
	{"startsWith", ".ss:b", starts_with},
	{"endsWith", ".ss:b", ends_with},
	{"matches", ".ss:b", matches},
	{"matches", "ss:b", matches},
};
const struct library cel_library_standard = {functions, sizeof functions / sizeof *functions};
