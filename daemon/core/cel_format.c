/* cel_format.c: format(), the strings extension's: %s %d %f %e %b %o %x %X, with a precision for %f and %e. */
#include "cel_format.h"
#include "cel_print.h"
#include "cel_text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PRECISION = 100 };

static const char *kind_name(struct cel_value v)
{
	return cel_type_of_kind(v.kind)->name;
}

static struct cel_value unfit(struct run *run, char clause, struct cel_value v)
{
	const char *takes = clause == 's'
				    ? "strings, bools, bytes, numbers, lists, maps, types, durations and timestamps"
			    : clause == 'd'                  ? "numbers"
			    : clause == 'b'                  ? "integers and bools"
			    : clause == 'o'                  ? "integers"
			    : clause == 'x' || clause == 'X' ? "integers, strings and bytes"
							     : "numbers";
	return cel_fail(&run->call, "%%%c formats %s, not %s", clause, takes, kind_name(v));
}

static bool put_double_word(struct out *out, double d)
{
	if (isfinite(d))
		return false;
	cel_out_text(out, isnan(d) ? "NaN" : d < 0 ? "-Infinity" : "Infinity");
	return true;
}

/* --- %s */
static bool put_value(struct out *out, struct cel_value v, unsigned depth);

static bool put_list(struct out *out, struct cel_value list, unsigned depth)
{
	cel_out_text(out, "[");
	for (uint32_t i = 0; i < list.len && !out->failed; i++) {
		if (i)
			cel_out_text(out, ", ");
		if (!put_value(out, list.items[i], depth + 1))
			return false;
	}
	cel_out_text(out, "]");
	return true;
}

struct entry {
	struct cel_value key, value; /* the key as text */
};
static int by_key(const void *a, const void *b)
{
	return cel_order(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

/* The entries in the order of their keys as text, by heap sort: the library's may ask the system for memory. */
static void sort(struct entry *e, size_t n)
{
	for (size_t round = n / 2 + n; round-- > 0;) {
		size_t size = round < n ? round : n, at = round < n ? 0 : round - n;
		if (round < n) {
			struct entry swap = e[0];
			e[0] = e[round];
			e[round] = swap;
		}
		for (size_t kid; (kid = 2 * at + 1) < size; at = kid) {
			if (kid + 1 < size && by_key(&e[kid], &e[kid + 1]) < 0)
				kid++;
			if (by_key(&e[at], &e[kid]) >= 0)
				break;
			struct entry swap = e[at];
			e[at] = e[kid];
			e[kid] = swap;
		}
	}
}

static bool put_map(struct out *out, struct cel_value map, unsigned depth)
{
	size_t n = 0, room = cel_map_room(map);
	struct entry *entries =
		run_spend(out->run, room) ? cel_run_alloc(out->run, (room + 1) * sizeof *entries) : NULL;
	if (!entries) {
		out->failed = true;
		return true;
	}
	for (uint32_t i = 0; i < room; i++) {
		struct out text = {.run = out->run};
		struct cel_value key;
		if (!cel_map_entry(map, i, &key, &entries[n].value))
			continue;
		put_value(&text, key, depth + 1);
		entries[n++].key = cel_out_string(&text);
	}
	if (n > 1)
		sort(entries, n);
	cel_out_text(out, "{");
	for (size_t i = 0; i < n && !out->failed; i++) {
		if (i)
			cel_out_text(out, ", ");
		cel_out_put(out, entries[i].key.s, entries[i].key.kind == CEL_STRING ? entries[i].key.len : 0);
		cel_out_text(out, ": ");
		if (!put_value(out, entries[i].value, depth + 1))
			return false;
	}
	cel_out_text(out, "}");
	return true;
}

static bool put_value(struct out *out, struct cel_value v, unsigned depth)
{
	char text[2 * PRINT_ROOM];
	if (depth > MAX_VALUE_DEPTH || !run_spend(out->run, 1)) {
		out->failed = true;
		return depth <= MAX_VALUE_DEPTH;
	}
	switch (v.kind) {
	case CEL_STRING:
	case CEL_BYTES:
		cel_out_put(out, v.s, v.len);
		break;
	case CEL_NULL:
		cel_out_text(out, "null");
		break;
	case CEL_BOOL:
		cel_out_text(out, v.b ? "true" : "false");
		break;
	case CEL_INT:
		cel_out_put(out, text, cel_print_int(text, v.i));
		break;
	case CEL_UINT:
		cel_out_put(out, text, cel_print_uint(text, v.u));
		break;
	case CEL_DOUBLE:
		cel_out_put(out, text, cel_print_double(text, v.d));
		break;
	case CEL_TIMESTAMP:
		cel_out_put(out, text, cel_print_timestamp(text, v));
		break;
	case CEL_DURATION:
		cel_out_put(out, text, cel_print_duration(text, v));
		break;
	case CEL_TYPE:
		cel_out_text(out, v.type->name);
		break;
	case CEL_LIST:
		return put_list(out, v, depth);
	case CEL_MAP:
		return put_map(out, v, depth);
	default:
		return false;
	}
	return true;
}

/* --- numbers */
static bool put_decimal(struct out *out, struct cel_value v)
{
	char text[PRINT_ROOM];
	if (v.kind == CEL_INT)
		cel_out_put(out, text, cel_print_int(text, v.i));
	else if (v.kind == CEL_UINT)
		cel_out_put(out, text, cel_print_uint(text, v.u));
	else if (v.kind == CEL_DOUBLE)
		cel_out_put(out, text, cel_print_double(text, v.d));
	else
		return false;
	return true;
}

static bool put_float(struct out *out, char clause, int precision, struct cel_value v)
{
	char text[512];
	if (v.kind != CEL_DOUBLE && v.kind != CEL_INT && v.kind != CEL_UINT)
		return false;
	double d = v.kind == CEL_DOUBLE ? v.d : v.kind == CEL_INT ? (double)v.i : (double)v.u;
	if (put_double_word(out, d))
		return true;
	int n = snprintf(text, sizeof text, clause == 'f' ? "%.*f" : "%.*e", precision < 0 ? 6 : precision, d);
	cel_out_put(out, text, n < 0 ? 0 : (size_t)n);
	return true;
}

static bool put_radix(struct out *out, char clause, struct cel_value v)
{
	char text[66];
	size_t at = sizeof text;
	unsigned shift = clause == 'b' ? 1 : clause == 'o' ? 3 : 4;
	bool negative = v.kind == CEL_INT && v.i < 0;
	if (v.kind != CEL_INT && v.kind != CEL_UINT && !(v.kind == CEL_BOOL && clause == 'b'))
		return false;
	uint64_t u = v.kind == CEL_BOOL ? v.b : negative ? 0 - v.u : v.u;
	do
		text[--at] = (clause == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[u & ((1u << shift) - 1)];
	while (u >>= shift);
	if (negative)
		text[--at] = '-';
	cel_out_put(out, text + at, sizeof text - at);
	return true;
}

static bool put_hex(struct out *out, char clause, struct cel_value v)
{
	if (v.kind != CEL_STRING && v.kind != CEL_BYTES)
		return put_radix(out, clause, v);
	const char *digits = clause == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	for (uint32_t i = 0; i < v.len && !out->failed; i++) {
		uint8_t byte = (uint8_t)v.s[i];
		cel_out_put(out, (const char[]){digits[byte >> 4], digits[byte & 15]}, 2);
	}
	return true;
}

static bool put_clause(struct out *out, char clause, int precision, struct cel_value v)
{
	switch (clause) {
	case 's':
		return put_value(out, v, 0);
	case 'd':
		return put_decimal(out, v);
	case 'f':
	case 'e':
		return put_float(out, clause, precision, v);
	case 'x':
	case 'X':
		return put_hex(out, clause, v);
	default:
		return put_radix(out, clause, v);
	}
}

struct cel_value cel_format(struct run *run, struct cel_value pattern, struct cel_value args)
{
	struct out out = {.run = run};
	uint32_t used = 0;
	const char *s = pattern.s, *end = s + pattern.len;
	while (s < end && !out.failed) {
		const char *stop = memchr(s, '%', (size_t)(end - s));
		cel_out_put(&out, s, (size_t)((stop ? stop : end) - s));
		if (!stop)
			break;
		s = stop + 1;
		int precision = -1;
		if (s < end && *s == '.') {
			precision = 0;
			for (s++; s < end && *s >= '0' && *s <= '9' && precision <= MAX_PRECISION; s++)
				precision = precision * 10 + (*s - '0');
			if (precision > MAX_PRECISION)
				return cel_fail(&run->call, "a precision is at most %d", MAX_PRECISION);
		}
		char clause = s < end ? *s++ : '\0';
		if (clause == '%' && precision < 0) {
			cel_out_put(&out, "%", 1);
			continue;
		}
		if (!clause || !strchr("sdfebxXo", clause))
			return cel_fail(&run->call, "unrecognized formatting clause \"%c\"", clause ? clause : '%');
		if (used >= args.len)
			return cel_fail(&run->call, "index %u out of range: format() has too few arguments", used);
		struct cel_value v = args.items[used++];
		if (is_bad(v))
			return v;
		if (!put_clause(&out, clause, precision, v))
			return unfit(run, clause, v);
	}
	return cel_out_string(&out);
}
