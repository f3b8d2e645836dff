/* cel_library_strings.c: the strings extension; indexes and lengths count code points. */
#include "cel_library.h"
#include "cel_format.h"
#include "cel_print.h"
#include "cel_text.h"
#include <string.h>

#define FUNCTION(name) static struct cel_value name(const struct cel_call *call, const struct cel_value *args, size_t n)

static bool pay(const struct cel_call *call, struct cel_value s)
{
	return run_spend(run_of(call), s.len / 16);
}
static struct cel_value bad_index(const struct cel_call *call, int64_t i)
{
	return cel_fail(call, "index out of range: %lld", (long long)i);
}

/* The byte offset of code point i, or -1 where the string is shorter. */
static int64_t offset_of(struct cel_value s, int64_t i)
{
	uint32_t code;
	size_t at = 0;
	if (i < 0)
		return -1;
	for (; i > 0; i--) {
		if (at >= s.len)
			return -1;
		at += cel_utf8_get(s.s + at, s.len - at, &code);
	}
	return (int64_t)at;
}
static struct cel_value slice(struct cel_value s, size_t from, size_t to)
{
	return cel_string(s.s + from, to - from);
}

FUNCTION(char_at)
{
	(void)n;
	uint32_t code;
	int64_t at = offset_of(args[0], args[1].i);
	if (!pay(call, args[0]))
		return cel_run_cost(run_of(call));
	if (at < 0)
		return bad_index(call, args[1].i);
	size_t i = (size_t)at;
	return i == args[0].len ? cel_string("", 0)
				: slice(args[0], i, i + cel_utf8_get(args[0].s + i, args[0].len - i, &code));
}

/* The place of part in s, in code points, from an offset in bytes on. */
static struct cel_value place(struct cel_value s, struct cel_value part, size_t from)
{
	const char *found = part.len ? cel_find_bytes(s.s + from, s.len - from, part.s, part.len) : s.s + from;
	return cel_int(found ? (int64_t)cel_utf8_count(s.s, (size_t)(found - s.s)) : -1);
}
FUNCTION(index_of)
{
	if (!pay(call, args[0]))
		return cel_run_cost(run_of(call));
	int64_t from = n > 2 ? offset_of(args[0], args[2].i) : 0;
	return from < 0 ? bad_index(call, args[2].i) : place(args[0], args[1], (size_t)from);
}
FUNCTION(last_index_of)
{
	struct cel_value s = args[0], part = args[1];
	if (!run_spend(run_of(call), (uint64_t)s.len * (part.len ? part.len : 1) / 16))
		return cel_run_cost(run_of(call));
	int64_t from = n > 2 ? offset_of(s, args[2].i) : (int64_t)s.len;
	if (from < 0)
		return bad_index(call, args[2].i);
	if (part.len > s.len)
		return cel_int(-1);
	int64_t at = from < (int64_t)(s.len - part.len) ? from : (int64_t)(s.len - part.len);
	while (at >= 0 && (((uint8_t)s.s[at] & 0xc0) == 0x80 || memcmp(s.s + at, part.s, part.len) != 0) &&
	       !(part.len == 0 && at == (int64_t)s.len))
		at--;
	return cel_int(at < 0 ? -1 : (int64_t)cel_utf8_count(s.s, (size_t)at));
}

FUNCTION(substring)
{
	if (!pay(call, args[0]))
		return cel_run_cost(run_of(call));
	int64_t from = offset_of(args[0], args[1].i);
	if (from < 0)
		return bad_index(call, args[1].i);
	int64_t to = n > 2 ? offset_of(args[0], args[2].i) : (int64_t)args[0].len;
	if (to < 0)
		return bad_index(call, args[2].i);
	if (from > to)
		return cel_fail(call, "invalid substring range. start: %lld, end: %lld", (long long)args[1].i,
				(long long)args[2].i);
	return slice(args[0], (size_t)from, (size_t)to);
}

static struct cel_value map_ascii(const struct cel_call *call, struct cel_value s, char low, int shift)
{
	if (!pay(call, s))
		return cel_run_cost(run_of(call));
	char *out = cel_run_alloc(run_of(call), s.len + 1u);
	if (!out)
		return cel_run_memory();
	for (uint32_t i = 0; i < s.len; i++)
		out[i] = (char)(s.s[i] >= low && s.s[i] < low + 26 ? s.s[i] + shift : s.s[i]);
	return cel_string(out, s.len);
}
FUNCTION(lower_ascii)
{
	(void)n;
	return map_ascii(call, args[0], 'A', 'a' - 'A');
}
FUNCTION(upper_ascii)
{
	(void)n;
	return map_ascii(call, args[0], 'a', 'A' - 'a');
}

static bool is_space(uint32_t c)
{
	return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}
FUNCTION(trim)
{
	(void)n;
	struct cel_value s = args[0];
	uint32_t code;
	size_t from = 0, to = 0;
	if (!pay(call, s))
		return cel_run_cost(run_of(call));
	for (size_t at = 0, len; at < s.len; at += len) {
		len = cel_utf8_get(s.s + at, s.len - at, &code);
		if (!is_space(code))
			to = at + len;
		else if (to == 0)
			from = at + len;
	}
	return to ? slice(s, from, to) : cel_string("", 0);
}

FUNCTION(reverse)
{
	(void)n;
	struct cel_value s = args[0];
	uint32_t code;
	char *out = pay(call, s) ? cel_run_alloc(run_of(call), s.len + 1u) : NULL;
	if (!out)
		return run_of(call)->exhausted ? cel_run_cost(run_of(call)) : cel_run_memory();
	for (size_t at = 0, len; at < s.len; at += len) {
		len = cel_utf8_get(s.s + at, s.len - at, &code);
		memcpy(out + s.len - at - len, s.s + at, len);
	}
	return cel_string(out, s.len);
}

FUNCTION(replace)
{
	struct cel_value s = args[0], old = args[1], by = args[2];
	int64_t limit = n > 3 ? args[3].i : -1;
	struct out out = {.run = run_of(call)};
	uint32_t code;
	size_t at = 0, from = 0;
	if (!pay(call, s))
		return cel_run_cost(run_of(call));
	for (; limit != 0 && !out.failed; limit--) {
		const char *found = old.len ? cel_find_bytes(s.s + at, s.len - at, old.s, old.len) : s.s + at;
		if (!found)
			break;
		cel_out_put(&out, s.s + from, (size_t)(found - s.s) - from);
		cel_out_put(&out, by.s, by.len);
		from = at = (size_t)(found - s.s) + old.len;
		if (old.len)
			continue;
		if (at == s.len) /* an empty one stands before each code point and at the end */
			break;
		at += cel_utf8_get(s.s + at, s.len - at, &code);
	}
	cel_out_put(&out, s.s + from, s.len - from);
	return cel_out_string(&out);
}

FUNCTION(split)
{
	struct cel_value s = args[0], by = args[1];
	int64_t limit = n > 2 ? args[2].i : -1;
	struct run *run = run_of(call);
	uint32_t code;
	if (limit == 0)
		return cel_list(NULL, 0);
	if (!run_spend(run, s.len / 16))
		return cel_run_cost(run);
	size_t most = 1;
	for (size_t at = 0; at < s.len; most++) {
		const char *found = by.len ? cel_find_bytes(s.s + at, s.len - at, by.s, by.len) : s.s + at;
		if (!found)
			break;
		at = (size_t)(found - s.s) + (by.len ? by.len : cel_utf8_get(found, s.len - at, &code));
	}
	struct cel_value *items = run_spend(run, most) ? cel_run_alloc(run, most * sizeof *items) : NULL;
	if (!items)
		return run->exhausted ? cel_run_cost(run) : cel_run_memory();
	size_t count = 0, at = 0;
	while (count + 1 < most && (limit < 0 || (int64_t)count + 1 < limit)) {
		size_t stop = by.len ? (size_t)(cel_find_bytes(s.s + at, s.len - at, by.s, by.len) - s.s)
				     : at + cel_utf8_get(s.s + at, s.len - at, &code);
		items[count++] = slice(s, at, stop);
		at = stop + by.len;
	}
	if (by.len || at < s.len)
		items[count++] = slice(s, at, s.len);
	return cel_list(items, count);
}

FUNCTION(join)
{
	struct out out = {.run = run_of(call)};
	for (uint32_t i = 0; i < args[0].len; i++) {
		struct cel_value v = args[0].items[i];
		if (is_bad(v))
			return v;
		if (v.kind != CEL_STRING)
			return cel_fail_overload(call, "join", &v, 1);
		if (!run_spend(out.run, 1))
			out.failed = true;
		if (i && n > 1)
			cel_out_put(&out, args[1].s, args[1].len);
		cel_out_put(&out, v.s, v.len);
	}
	return cel_out_string(&out);
}

FUNCTION(quote)
{
	(void)n;
	static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
	struct out out = {.run = run_of(call)};
	uint32_t code;
	cel_out_put(&out, "\"", 1);
	for (size_t at = 0, len; at < args[0].len; at += len) {
		const char *s = args[0].s + at, *found = *s ? strchr(from, *s) : NULL;
		len = cel_utf8_get(s, args[0].len - at, &code);
		if (found)
			cel_out_put(&out, (const char[]){'\\', to[found - from]}, 2);
		else if (code == 0xfffd && len == 1)
			cel_out_text(&out, "\xef\xbf\xbd");
		else
			cel_out_put(&out, s, len);
	}
	cel_out_put(&out, "\"", 1);
	return cel_out_string(&out);
}

FUNCTION(string_format)
{
	(void)n;
	return cel_format(run_of(call), args[0], args[1]);
}

static const struct builtin functions[] = {
	{"charAt", ".si:s", char_at},
	{"indexOf", ".ss:i", index_of},
	{"indexOf", ".ssi:i", index_of},
	{"lastIndexOf", ".ss:i", last_index_of},
	{"lastIndexOf", ".ssi:i", last_index_of},
	{"substring", ".si:s", substring},
	{"substring", ".sii:s", substring},
	{"lowerAscii", ".s:s", lower_ascii},
	{"upperAscii", ".s:s", upper_ascii},
	{"trim", ".s:s", trim},
	{"reverse", ".s:s", reverse},
	{"replace", ".sss:s", replace},
	{"replace", ".sssi:s", replace},
	{"split", ".ss:Ls", split},
	{"split", ".ssi:Ls", split},
	{"join", ".Ls:s", join},
	{"join", ".Lss:s", join},
	{"strings.quote", "s:s", quote},
	{"format", ".sL*:s", string_format},
};
const struct library cel_library_strings = {functions, sizeof functions / sizeof *functions};
