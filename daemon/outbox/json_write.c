/* The JSON writer. */
#include "json_write.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve(struct buffer *b, size_t len)
{
	if (b->cap - b->len >= len)
		return;
	size_t cap = b->cap ? b->cap * 2 : 4096;
	while (cap - b->len < len)
		cap *= 2;
	b->data = realloc(b->data, cap);
	if (!b->data)
		abort();
	b->cap = cap;
}

void write_bytes(struct buffer *b, const void *from, size_t len)
{
	reserve(b, len);
	if (len)
		memcpy(b->data + b->len, from, len);
	b->len += len;
}

void write_plain(struct buffer *b, const char *terminated)
{
	write_bytes(b, terminated, strlen(terminated));
}

void write_printf(struct buffer *b, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	reserve(b, 64); /* enough as a rule */
	size_t room = b->cap - b->len;
	int n = vsnprintf(b->data + b->len, room, format, args);
	if (n > 0 && (size_t)n >= room) {
		reserve(b, (size_t)n + 1);
		n = vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
	}
	b->len += n > 0 ? (size_t)n : 0;
	va_end(again);
	va_end(args);
}

static void comma(struct buffer *b)
{
	char last = b->len ? b->data[b->len - 1] : '\n';
	if (last != '{' && last != '[' && last != ':' && last != '\n')
		write_bytes(b, ",", 1);
}

void write_open(struct buffer *b, char bracket)
{
	comma(b);
	write_bytes(b, &bracket, 1);
}

void write_close(struct buffer *b, char bracket)
{
	write_bytes(b, &bracket, 1);
}

void write_name(struct buffer *b, const char *name)
{
	comma(b);
	write_bytes(b, "\"", 1);
	write_plain(b, name);
	write_bytes(b, "\":", 2);
}

static void escape(struct buffer *b, unsigned char c)
{
	switch (c) {
	case '"':
		write_bytes(b, "\\\"", 2);
		break;
	case '\\':
		write_bytes(b, "\\\\", 2);
		break;
	case '\n':
		write_bytes(b, "\\n", 2);
		break;
	case '\t':
		write_bytes(b, "\\t", 2);
		break;
	case '\r':
		write_bytes(b, "\\r", 2);
		break;
	default:
		write_printf(b, "\\u%04x", c);
	}
}

static void quoted(struct buffer *b, struct str s)
{
	write_bytes(b, "\"", 1);
	uint32_t from = 0;
	for (uint32_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.s[i];
		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		write_bytes(b, s.s + from, i - from);
		escape(b, c);
		from = i + 1;
	}
	write_bytes(b, s.s + from, s.len - from);
	write_bytes(b, "\"", 1);
}

void write_string(struct buffer *b, struct str s)
{
	comma(b);
	quoted(b, s);
}

void write_key(struct buffer *b, struct str name)
{
	write_string(b, name);
	write_bytes(b, ":", 1);
}

void write_null(struct buffer *b)
{
	comma(b);
	write_bytes(b, "null", 4);
}

void write_text(struct buffer *b, const char *terminated)
{
	if (terminated)
		write_string(b, str_of(terminated));
	else
		write_null(b);
}

void write_optional(struct buffer *b, struct str s)
{
	if (s.len)
		write_string(b, s);
	else
		write_null(b);
}

void write_base64(struct buffer *b, struct str bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)bytes.s;
	comma(b);
	write_bytes(b, "\"", 1);
	for (uint32_t i = 0; i < bytes.len; i += 3) {
		uint32_t left = bytes.len - i;
		uint32_t w =
			(uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
		char four[4] = {digits[w >> 18], digits[w >> 12 & 63], left > 1 ? digits[w >> 6 & 63] : '=',
				left > 2 ? digits[w & 63] : '='};
		write_bytes(b, four, 4);
	}
	write_bytes(b, "\"", 1);
}

void write_int(struct buffer *b, int64_t i)
{
	comma(b);
	write_printf(b, "%lld", (long long)i);
}

void write_real(struct buffer *b, double d)
{
	char text[40];
	if (!isfinite(d)) {
		write_null(b);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	comma(b);
	write_plain(b, text);
}

void write_money(struct buffer *b, double yuan)
{
	char text[64];
	if (!isfinite(yuan) || fabs(yuan) >= 1e15) {
		write_real(b, yuan);
		return;
	}
	int n = snprintf(text, sizeof text, "%.2f", yuan);
	while (text[n - 1] == '0')
		n--;
	if (text[n - 1] == '.')
		n--;
	comma(b);
	if (n == 2 && memcmp(text, "-0", 2) == 0)
		write_bytes(b, "0", 1);
	else
		write_bytes(b, text, (size_t)n);
}

void write_bool(struct buffer *b, bool v)
{
	comma(b);
	write_plain(b, v ? "true" : "false");
}

void write_day(struct buffer *b, int32_t day)
{
	int64_t year;
	unsigned month, d;
	if (day == DAY_NEVER) {
		write_null(b);
		return;
	}
	cel_civil_from_days(day, &year, &month, &d);
	comma(b);
	write_printf(b, "\"%04lld-%02u-%02u\"", (long long)year, month, d);
}

static const int64_t LAST_SECOND = 253402300799; /* of the year 9999; what lies beyond is no date of ours */

static int64_t divided(int64_t a, int64_t by)
{
	return a / by - (a % by < 0);
} /* rounded down */

void write_time(struct buffer *b, const struct cel_zone *zone, int64_t ms)
{
	if (ms / 1000 > LAST_SECOND || ms / 1000 < -LAST_SECOND) { /* TIME_NEVER too */
		write_null(b);
		return;
	}
	int64_t seconds = divided(ms, 1000), milli = ms - seconds * 1000;
	int32_t east = cel_zone_offset(zone, seconds);
	int64_t local = seconds + east, days = divided(local, 86400), rest = local - days * 86400;
	int64_t year;
	unsigned month, day;
	cel_civil_from_days(days, &year, &month, &day);
	comma(b);
	write_printf(b, "\"%04lld-%02u-%02uT%02lld:%02lld:%02lld", (long long)year, month, day,
		     (long long)(rest / 3600), (long long)(rest / 60 % 60), (long long)(rest % 60));
	if (milli)
		write_printf(b, ".%03lld", (long long)milli);
	write_printf(b, "%c%02d:%02d\"", east < 0 ? '-' : '+', abs(east) / 3600, abs(east) / 60 % 60);
}

static void write_items(struct buffer *b, const struct cel_zone *zone, struct cel_value v)
{
	bool map = v.kind == CEL_MAP;
	write_open(b, map ? '{' : '[');
	for (uint32_t i = 0; i < v.len; i++) {
		const struct cel_value *item = &v.items[map ? 2 * i + 1 : i];
		if (map && v.items[2 * i].kind == CEL_STRING)
			write_key(b, (struct str){v.items[2 * i].s, v.items[2 * i].len});
		else if (map)
			write_key(b, STR("?"));
		write_value(b, zone, *item, false, NULL);
	}
	write_close(b, map ? '}' : ']');
}

void write_value(struct buffer *b, const struct cel_zone *zone, struct cel_value v, bool date, const char *unit)
{
	bool money = unit_is_money(unit);
	switch ((enum cel_kind)v.kind) {
	case CEL_BOOL:
		write_bool(b, v.b);
		break;
	case CEL_INT:
		write_int(b, v.i);
		break;
	case CEL_UINT:
		comma(b);
		write_printf(b, "%llu", (unsigned long long)v.u);
		break;
	case CEL_DOUBLE:
		(money ? write_money : write_real)(b, v.d);
		break;
	case CEL_STRING:
		write_string(b, (struct str){v.s, v.len});
		break;
	case CEL_TIMESTAMP: {
		if (v.i > LAST_SECOND || v.i < -LAST_SECOND) {
			write_null(b);
			break;
		}
		int64_t ms = v.i * 1000 + v.nanos / 1000000;
		if (date)
			write_day(b, day_of(zone, ms));
		else
			write_time(b, zone, ms);
		break;
	}
	case CEL_DURATION:
		comma(b);
		write_printf(b, "\"%.15gs\"", (double)v.i + v.nanos / 1e9);
		break;
	case CEL_LIST:
	case CEL_MAP:
		if (v.sub != CEL_SUB_RECORD) {
			write_items(b, zone, v);
			break;
		}
		__attribute__((fallthrough));
	default: /* unknown, error, null, and what no fact or derived value can be */
		write_null(b);
	}
}

static uint32_t characters(struct str s) /* UTF-8 */
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.s[i] & 0xc0) != 0x80;
	return n;
}

static uint32_t offset_of(struct str s, uint32_t character)
{
	uint32_t i = 0;
	for (uint32_t n = 0; i < s.len; i++) {
		if (((unsigned char)s.s[i] & 0xc0) == 0x80)
			continue;
		if (n++ == character)
			break;
	}
	return i;
}

void write_masked(struct buffer *b, struct cel_value v)
{
	if (v.kind == CEL_UNKNOWN || v.kind == CEL_ERROR || v.kind == CEL_NULL) {
		write_null(b);
		return;
	}
	struct str s = v.kind == CEL_STRING ? (struct str){v.s, v.len} : STR("");
	uint32_t n = characters(s);
	if (n < 10) { /* too short to leave anything of it */
		write_text(b, "****");
		return;
	}
	struct buffer masked = {0};
	uint32_t head = offset_of(s, 3), tail = offset_of(s, n - 2);
	write_bytes(&masked, s.s, head);
	for (uint32_t i = 5; i < n && i < 5 + 32; i++)
		write_bytes(&masked, "*", 1);
	write_bytes(&masked, s.s + tail, s.len - tail);
	write_string(b, (struct str){masked.data, (uint32_t)masked.len});
	free(masked.data);
}

bool unit_is_money(const char *unit)
{
	return unit && strncmp(unit, "yuan", 4) == 0;
}
