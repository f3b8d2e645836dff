// simdjson on demand, callable from C.  The only file that includes it.
#include "json_simd.h"
#include <cstdlib>
#include <cstring>
#include <new>
#include <simdjson.h>
#include <string>

namespace od = simdjson::ondemand;

struct json_reader {
	od::parser parser;
	od::document doc;
	od::value *current = nullptr;
	struct arena *arena = nullptr;
	bool escapes = false; // does the text hold any backslash at all?
};

static bool broken(struct err *why, simdjson::error_code code)
{
	static const struct {
		simdjson::error_code code;
		const char *text;
	} faults[] = {
		{simdjson::EMPTY, "empty"},
		{simdjson::UTF8_ERROR, "not valid UTF-8"},
		{simdjson::INCORRECT_TYPE, "not a JSON object"},
		{simdjson::TAPE_ERROR, "not JSON: a comma, colon or bracket is missing or too much"},
		{simdjson::INCOMPLETE_ARRAY_OR_OBJECT, "not JSON: the object is not closed, or more text follows it"},
		{simdjson::UNCLOSED_STRING, "not JSON: a string is not closed"},
		{simdjson::UNESCAPED_CHARS, "not JSON: a control character in a string"},
		{simdjson::STRING_ERROR, "not JSON: a wrong escape in a string"},
	};
	for (const auto &f : faults)
		if (f.code == code)
			return err_set(why, "%s", f.text);
	return err_set(why, "not JSON: %s", simdjson::error_message(code));
}

extern "C" const char *json_kind_name(enum json_kind kind)
{
	static const char *const names[] = {"null",     "a boolean", "a number",     "a string",
					    "an array", "an object", "no JSON value"};
	return names[kind];
}

extern "C" struct json_reader *json_reader_new(void)
{
	auto *r = new (std::nothrow) json_reader;
	if (!r)
		abort();
	return r;
}

extern "C" bool json_utf8(struct str s)
{
	return simdjson::validate_utf8(s.s, s.len);
}

extern "C" void json_reader_free(struct json_reader *r)
{
	delete r;
}

// A scalar's token without the white space that follows it.
static std::string_view token_of(od::value &v)
{
	std::string_view t = v.raw_json_token();
	size_t n = t.size();
	while (n && (unsigned char)t[n - 1] <= ' ')
		n--;
	return t.substr(0, n);
}

static struct str keep(struct json_reader *r, std::string_view s)
{
	return {arena_text(r->arena, s.data(), s.size()), (uint32_t)s.size()};
}

// The first byte, from p on, that is a quote or a backslash; the text is known to hold a quote there.
static const char *name_end(const char *p)
{
	const uint64_t ones = 0x0101010101010101u, high = ones * 0x80;
	for (;; p += 8) {
		uint64_t w;
		memcpy(&w, p, 8); // the padding behind the text covers it
		uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
		uint64_t hit = (((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & high;
		if (!hit)
			continue;
		while (*p != '"' && *p != '\\')
			p++;
		return p;
	}
}

static struct str escaped_name(struct json_reader *r, od::field &f, struct err *why)
{
	std::string_view s;
	if (auto code = f.unescaped_key().get(s)) {
		broken(why, code);
		return {};
	}
	return keep(r, s);
}

// s NULL: why is set.
static inline struct str name_of(struct json_reader *r, od::field &f, struct err *why)
{
	const char *raw = f.key().raw();
	const char *end = name_end(raw);
	return *end == '"' ? (struct str){raw, (uint32_t)(end - raw)} : escaped_name(r, f, why);
}

static bool string_of(struct json_reader *r, od::value &v, struct cel_value *out, struct err *why)
{
	std::string_view t = token_of(v);
	if (t.size() < 2 || t.back() != '"')
		return err_set(why, "not JSON: a string is not closed");
	struct str s = {t.data() + 1, (uint32_t)t.size() - 2};
	if (r->escapes && memchr(s.s, '\\', s.len)) {
		std::string_view plain;
		if (auto code = v.get_string().get(plain))
			return broken(why, code);
		s = keep(r, plain);
	}
	*out = cel_string(s.s, s.len);
	return true;
}

static const char *digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

// RFC 8259's number; integer: no fraction and no exponent.
static bool is_number(std::string_view t, bool *integer)
{
	const char *p = t.data(), *end = p + t.size(), *from;
	*integer = true;
	p += p < end && *p == '-';
	p = digits(from = p, end);
	if (p == from || (*from == '0' && p - from > 1))
		return false;
	if (p < end && *p == '.') {
		*integer = false;
		p = digits(from = p + 1, end);
		if (p == from)
			return false;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		*integer = false;
		p++;
		p += p < end && (*p == '+' || *p == '-');
		p = digits(from = p, end);
		if (p == from)
			return false;
	}
	return p == end;
}

static bool small_int(std::string_view t, int64_t *out) // at most 18 digits: can't overflow
{
	bool minus = t[0] == '-';
	if (t.size() - minus > 18)
		return false;
	int64_t n = 0;
	for (size_t i = minus; i < t.size(); i++)
		n = n * 10 + (t[i] - '0');
	*out = minus ? -n : n;
	return true;
}

// Few digits and no exponent: digits and power of ten are exact doubles, so one division is rounded right (Clinger).
static bool small_decimal(std::string_view t, double *out)
{
	static const double tens[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
				      1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
	bool minus = t[0] == '-';
	size_t point = 0;
	if (t.size() - minus > 16)
		return false;
	int64_t n = 0;
	for (size_t i = minus; i < t.size(); i++) {
		if (t[i] == '.')
			point = t.size() - 1 - i;
		else if (t[i] < '0')
			return false;
		else if (t[i] > '9')
			return false;
		else
			n = n * 10 + (t[i] - '0');
	}
	double d = (double)n / tens[point];
	*out = minus ? -d : d;
	return true;
}

static bool number_of(od::value &v, struct cel_value *out, struct str *raw, struct err *why)
{
	std::string_view t = token_of(v);
	bool integer;
	int64_t i;
	double d;
	if (!is_number(t, &integer))
		return err_set(why, "not JSON: a malformed number");
	*raw = {t.data(), (uint32_t)t.size()};
	if (integer && (small_int(t, &i) || v.get_int64().get(i) == simdjson::SUCCESS)) {
		*out = cel_int(i);
		return true;
	}
	if (!small_decimal(t, &d) && v.get_double().get(d) != simdjson::SUCCESS)
		return err_set(why, "a number beyond what a double can hold");
	*out = cel_double(d);
	return true;
}

extern "C" enum json_kind json_kind(struct json_reader *r)
{
	od::json_type type;
	if (r->current->type().get(type))
		return JSON_BROKEN;
	switch (type) {
	case od::json_type::array:
		return JSON_ARRAY;
	case od::json_type::object:
		return JSON_OBJECT;
	case od::json_type::number:
		return JSON_NUMBER;
	case od::json_type::string:
		return JSON_STRING;
	case od::json_type::boolean:
		return JSON_BOOL;
	case od::json_type::null:
		return JSON_NULL;
	}
	return JSON_BROKEN;
}

static bool take(struct json_reader *r, od::value &v, unsigned depth, struct cel_value *out, struct str *raw,
		 struct err *why);

struct list {
	struct cel_value *items = nullptr;
	uint32_t n = 0, cap = 0;
};

static struct cel_value *more(struct json_reader *r, struct list *l)
{
	if (l->n == l->cap) {
		uint32_t cap = l->cap ? l->cap * 2 : 8;
		auto *wider = (struct cel_value *)arena_alloc(r->arena, cap * sizeof(struct cel_value));
		if (l->n)
			memcpy(wider, l->items, l->n * sizeof *wider);
		l->items = wider;
		l->cap = cap;
	}
	return &l->items[l->n++];
}

static bool take_array(struct json_reader *r, od::value &v, unsigned depth, struct cel_value *out, struct err *why)
{
	od::array array;
	struct list l;
	struct str raw;
	if (auto code = v.get_array().get(array))
		return broken(why, code);
	for (auto element : array) {
		od::value item;
		if (auto code = element.get(item))
			return broken(why, code);
		struct cel_value value;
		if (!take(r, item, depth + 1, &value, &raw, why))
			return false;
		*more(r, &l) = value;
	}
	*out = cel_list(l.items, l.n);
	return true;
}

static bool has_name(const struct list *l, struct str name)
{
	for (uint32_t i = 0; i < l->n; i += 2)
		if (l->items[i].len == name.len && memcmp(l->items[i].s, name.s, name.len) == 0)
			return true;
	return false;
}

static bool take_object(struct json_reader *r, od::value &v, unsigned depth, struct cel_value *out, struct err *why)
{
	od::object object;
	struct list l;
	struct str raw;
	if (auto code = v.get_object().get(object))
		return broken(why, code);
	for (auto result : object) {
		if (auto code = result.error())
			return broken(why, code);
		od::field &&f = std::move(result).value_unsafe(); // in place: a copy costs a stall
		struct cel_value value;
		struct str name = name_of(r, f, why);
		if (!name.s || !take(r, f.value(), depth + 1, &value, &raw, why))
			return false;
		if (has_name(&l, name)) // the first counts
			continue;
		if (l.n == 2 * JSON_MAX_FIELDS)
			return err_set(why, "an object of more than %d fields", JSON_MAX_FIELDS);
		*more(r, &l) = cel_string(name.s, name.len);
		*more(r, &l) = value;
	}
	*out = (struct cel_value){};
	out->kind = CEL_MAP;
	out->len = l.n / 2;
	out->items = l.items;
	return true;
}

static bool take(struct json_reader *r, od::value &v, unsigned depth, struct cel_value *out, struct str *raw,
		 struct err *why)
{
	*raw = {};
	od::json_type type;
	if (auto code = v.type().get(type))
		return broken(why, code);
	switch (type) {
	case od::json_type::string:
		return string_of(r, v, out, why);
	case od::json_type::number:
		return number_of(v, out, raw, why);
	case od::json_type::boolean:
	case od::json_type::null: {
		std::string_view t = token_of(v);
		if (t == "true" || t == "false")
			*out = cel_bool(t[0] == 't');
		else if (t == "null")
			*out = cel_null();
		else
			return err_set(why, "not JSON: a malformed true, false or null");
		return true;
	}
	default:
		if (depth >= JSON_MAX_DEPTH)
			return err_set(why, "nested deeper than %d levels", JSON_MAX_DEPTH);
		return type == od::json_type::array ? take_array(r, v, depth, out, why)
						    : take_object(r, v, depth, out, why);
	}
}

extern "C" bool json_take(struct json_reader *r, struct cel_value *value, struct str *raw, struct err *why)
{
	return take(r, *r->current, 0, value, raw, why);
}

static bool walk(struct json_reader *r, od::object &object, json_field *field, void *ctx, struct err *why)
{
	od::value *outer = r->current;
	for (auto result : object) {
		if (auto code = result.error())
			return broken(why, code);
		od::field &&f = std::move(result).value_unsafe(); // in place: a copy costs a stall
		struct str name = name_of(r, f, why);
		if (!name.s)
			return false;
		r->current = &f.value();
		bool more_of_it = field(ctx, r, name, why);
		r->current = outer;
		if (!more_of_it)
			return false;
	}
	return true;
}

extern "C" bool json_enter(struct json_reader *r, json_field *field, void *ctx, struct err *why)
{
	od::object object;
	if (auto code = r->current->get_object().get(object))
		return broken(why, code);
	return walk(r, object, field, ctx, why);
}

static bool walk_root(struct json_reader *r, json_field *field, void *ctx, struct err *why)
{
	od::object object;
	if (auto code = r->doc.get_object().get(object))
		return broken(why, code);
	if (!walk(r, object, field, ctx, why))
		return !why->text[0];
	const char *rest;
	if (r->doc.current_location().get(rest) == simdjson::SUCCESS)
		return err_set(why, "not JSON: the object is not closed, or more text follows it");
	return true;
}

extern "C" bool json_read(struct json_reader *r, struct str bytes, struct arena *arena, json_field *field, void *ctx,
			  struct err *why)
{
	const size_t padding = simdjson::SIMDJSON_PADDING;
	char *text = (char *)arena_alloc(arena, bytes.len + padding);
	memcpy(text, bytes.s, bytes.len);
	memset(text + bytes.len, 0, padding);
	r->arena = arena;
	r->escapes = memchr(text, '\\', bytes.len) != nullptr;
	if (auto code = r->parser.iterate(text, bytes.len, bytes.len + padding).get(r->doc))
		return broken(why, code);
	return walk_root(r, field, ctx, why);
}

extern "C" bool json_again(struct json_reader *r, json_field *field, void *ctx, struct err *why)
{
	r->doc.rewind();
	return walk_root(r, field, ctx, why);
}
