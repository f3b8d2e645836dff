/* cel_library_optional.c: optional values, and base64. */
#include "cel_library.h"
#include "cel_run.h"
#include <string.h>

#define FUNCTION(name) static struct cel_value name(const struct cel_call *call, const struct cel_value *args, size_t n)
#define UNUSED (void)call, (void)args, (void)n

static const struct cel_value none = {.kind = CEL_OPTIONAL};

FUNCTION(optional_of)
{
	(void)n;
	struct cel_value *copy = cel_run_alloc(run_of(call), sizeof *copy);
	if (!copy)
		return cel_run_memory();
	*copy = args[0];
	return (struct cel_value){.kind = CEL_OPTIONAL, .some = copy};
}

static bool is_zero(struct cel_value v)
{
	switch (v.kind) {
	case CEL_NULL:
		return true;
	case CEL_BOOL:
		return !v.b;
	case CEL_INT:
	case CEL_UINT:
		return v.u == 0;
	case CEL_DOUBLE:
		return v.d == 0;
	case CEL_STRING:
	case CEL_BYTES:
	case CEL_LIST:
		return v.len == 0;
	case CEL_MAP:
		return cel_map_size(v) == 0;
	case CEL_DURATION:
		return v.i == 0 && v.nanos == 0;
	case CEL_OPTIONAL:
		return !v.some;
	default:
		return false;
	}
}

FUNCTION(of_non_zero)
{
	return is_zero(args[0]) ? none : optional_of(call, args, n);
}
FUNCTION(optional_none)
{
	UNUSED;
	return none;
}
FUNCTION(has_value)
{
	UNUSED;
	return cel_bool(args[0].some);
}
FUNCTION(value)
{
	(void)n;
	return args[0].some ? *args[0].some : cel_fail_plain(call, "the optional has no value");
}
FUNCTION(either)
{
	UNUSED;
	return args[0].some ? args[0] : args[1];
}
FUNCTION(or_value)
{
	UNUSED;
	return args[0].some ? *args[0].some : args[1];
}

/* --- base64 (RFC 4648), padded or not */
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

FUNCTION(encode)
{
	(void)n;
	const uint8_t *in = (const uint8_t *)args[0].s;
	size_t len = args[0].len, at = 0;
	struct run *run = run_of(call);
	if (len > INT32_MAX / 2 || !run_spend(run, len / 8))
		return cel_run_cost(run);
	char *out = cel_run_alloc(run, (len + 2) / 3 * 4 + 1);
	if (!out)
		return cel_run_memory();
	for (size_t i = 0; i < len; i += 3) {
		uint32_t three = (uint32_t)in[i] << 16 | (i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0) |
				 (i + 2 < len ? in[i + 2] : 0);
		for (unsigned k = 0; k < 4; k++)
			out[at++] = i + k > len ? '=' : alphabet[three >> (18 - 6 * k) & 63];
	}
	return cel_string(out, at);
}

FUNCTION(decode)
{
	(void)n;
	const char *in = args[0].s;
	size_t len = args[0].len, at = 0;
	struct run *run = run_of(call);
	if (!run_spend(run, len / 8))
		return cel_run_cost(run);
	while (len && in[len - 1] == '=' && args[0].len % 4 == 0 && args[0].len - len < 2)
		len--;
	char *out = cel_run_alloc(run, len * 3 / 4 + 1);
	if (!out)
		return cel_run_memory();
	uint32_t four = 0;
	for (size_t i = 0; i < len; i++) {
		const char *found = in[i] ? strchr(alphabet, in[i]) : NULL;
		if (!found)
			return cel_fail_plain(call, "the string is no base64");
		four = four << 6 | (uint32_t)(found - alphabet);
		if (i % 4 > 0)
			out[at++] = (char)(four >> (6 - 2 * (i % 4)));
	}
	if (len % 4 == 1)
		return cel_fail_plain(call, "the string is no base64");
	struct cel_value v = cel_string(out, at);
	v.kind = CEL_BYTES;
	return v;
}

static const struct builtin functions[] = {
	{"optional.of", "A:OA", optional_of},
	{"optional.ofNonZeroValue", "A:OA", of_non_zero},
	{"optional.none", ":O0", optional_none},
	{"hasValue", ".OA:b", has_value},
	{"value", ".OA:A", value},
	{"or", ".OAOA:OA", either},
	{"orValue", ".OAA:A", or_value},
	{"base64.encode", "y:s", encode},
	{"base64.decode", "s:y", decode},
};
const struct library cel_library_optional = {functions, sizeof functions / sizeof *functions};
