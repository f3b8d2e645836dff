/* cel_value.c: equality, order and maps, across types as the standard says. */
#include "cel_run.h"
#include <math.h>
#include <string.h>

static inline bool is_number(struct cel_value v)
{
	return v.kind >= CEL_INT && v.kind <= CEL_DOUBLE;
}

/* int and uint against double are compared as doubles, as the standard's cases have it, also where that loses digits.
 */
static int order_doubles(double a, double b)
{
	return isnan(a) || isnan(b) ? 2 : (a > b) - (a < b);
}

#define ORDER(x, y) ((x) < (y) ? -1 : (x) > (y))

static int order_numbers(struct cel_value a, struct cel_value b)
{
	switch (a.kind * 16 + b.kind) {
	case CEL_INT * 16 + CEL_INT:
		return ORDER(a.i, b.i);
	case CEL_UINT * 16 + CEL_UINT:
		return ORDER(a.u, b.u);
	case CEL_DOUBLE * 16 + CEL_DOUBLE:
		return order_doubles(a.d, b.d);
	case CEL_INT * 16 + CEL_UINT:
		return a.i < 0 ? -1 : ORDER((uint64_t)a.i, b.u);
	case CEL_UINT * 16 + CEL_INT:
		return b.i < 0 ? 1 : ORDER(a.u, (uint64_t)b.i);
	case CEL_INT * 16 + CEL_DOUBLE:
		return order_doubles((double)a.i, b.d);
	case CEL_DOUBLE * 16 + CEL_INT:
		return order_doubles(a.d, (double)b.i);
	case CEL_UINT * 16 + CEL_DOUBLE:
		return order_doubles((double)a.u, b.d);
	default:
		return order_doubles(a.d, (double)b.u);
	}
}

static int order_bytes(struct cel_value a, struct cel_value b)
{
	uint32_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.s, b.s, n) : 0;
	return c ? ORDER(c, 0) : ORDER(a.len, b.len);
}

int cel_order(struct cel_value a, struct cel_value b)
{
	if (is_number(a) && is_number(b))
		return order_numbers(a, b);
	if (a.kind != b.kind)
		return 3;
	switch (a.kind) {
	case CEL_BOOL:
		return ORDER(a.b, b.b);
	case CEL_STRING:
	case CEL_BYTES:
		return order_bytes(a, b);
	case CEL_TIMESTAMP:
	case CEL_DURATION:
		return a.i != b.i ? ORDER(a.i, b.i) : ORDER(a.nanos, b.nanos);
	default:
		return 3;
	}
}

/* --- equality */
static enum verdict equal_deep(struct run *run, struct cel_value a, struct cel_value b, unsigned depth);

static enum verdict equal_lists(struct run *run, struct cel_value a, struct cel_value b, unsigned depth)
{
	if (a.len != b.len)
		return NO;
	enum verdict all = YES;
	for (uint32_t i = 0; i < a.len; i++) {
		enum verdict v = equal_deep(run, a.items[i], b.items[i], depth);
		if (v == NO || v == WRONG)
			return v;
		if (v == MAYBE)
			all = MAYBE;
	}
	return all;
}

static enum verdict equal_maps(struct run *run, struct cel_value a, struct cel_value b, unsigned depth)
{
	if (cel_map_room(a) == cel_map_size(a) && cel_map_room(b) == cel_map_size(b) &&
	    cel_map_size(a) != cel_map_size(b))
		return NO;
	enum verdict all = YES;
	struct cel_value key, value;
	for (uint32_t i = 0, n = cel_map_room(a); i < n; i++) {
		if (!cel_map_entry(a, i, &key, &value)) {
			all = MAYBE;
			continue;
		}
		const struct cel_value *other = cel_map_find(b, key);
		enum verdict v = other ? equal_deep(run, value, *other, depth) : NO;
		if (v == NO || v == WRONG)
			return v;
		if (v == MAYBE)
			all = MAYBE;
	}
	for (uint32_t i = 0, n = cel_map_room(b); i < n; i++)
		if (!cel_map_entry(b, i, &key, &value))
			all = MAYBE;
		else if (!cel_map_find(a, key))
			return NO;
	return all;
}

static enum verdict equal_deep(struct run *run, struct cel_value a, struct cel_value b, unsigned depth)
{
	if (is_bad(a) || is_bad(b))
		return MAYBE;
	if (is_number(a) && is_number(b))
		return order_numbers(a, b) == 0 ? YES : NO;
	if (a.kind != b.kind)
		return NO;
	if (depth > MAX_VALUE_DEPTH || (run && !run_spend(run, 1)))
		return WRONG;
	switch (a.kind) {
	case CEL_BOOL:
		return a.b == b.b ? YES : NO;
	case CEL_STRING:
	case CEL_BYTES:
		if (run && !run_spend(run, a.len / 16))
			return WRONG;
		return a.len == b.len && (!a.len || memcmp(a.s, b.s, a.len) == 0) ? YES : NO;
	case CEL_TIMESTAMP:
	case CEL_DURATION:
		return a.i == b.i && a.nanos == b.nanos ? YES : NO;
	case CEL_LIST:
		return equal_lists(run, a, b, depth + 1);
	case CEL_MAP:
		return equal_maps(run, a, b, depth + 1);
	case CEL_TYPE:
		return strcmp(a.type->name, b.type->name) == 0 ? YES : NO;
	case CEL_OPTIONAL:
		if (!a.some || !b.some)
			return a.some == b.some ? YES : NO;
		return equal_deep(run, *a.some, *b.some, depth + 1);
	default:
		return YES; /* null */
	}
}

enum verdict cel_same(struct run *run, struct cel_value a, struct cel_value b)
{
	return equal_deep(run, a, b, 0);
}
bool cel_equal(struct cel_value a, struct cel_value b)
{
	return equal_deep(NULL, a, b, 0) == YES;
}

/* --- maps */
static bool key_allowed(struct cel_value key)
{
	return key.kind == CEL_BOOL || key.kind == CEL_INT || key.kind == CEL_UINT || key.kind == CEL_STRING;
}

/* Equal keys of different numeric types hash alike. */
static uint64_t hash_key(struct cel_value key)
{
	uint64_t h = 0x9e3779b97f4a7c15u ^ key.kind;
	switch (key.kind) {
	case CEL_STRING:
		for (uint32_t i = 0; i < key.len; i++)
			h = (h ^ (uint8_t)key.s[i]) * 0x100000001b3u;
		break;
	case CEL_DOUBLE:
		h = (uint64_t)(int64_t)(key.d < 9e18 && key.d > -9e18 ? key.d : 0);
		break;
	case CEL_BOOL:
		h = key.b;
		break;
	default:
		h = key.u;
		break;
	}
	h *= 0xd6e8feb86659fd93u;
	return h ^ h >> 32;
}

static bool same_key(struct cel_value a, struct cel_value b)
{
	if (a.kind == CEL_STRING)
		return b.kind == CEL_STRING && a.len == b.len && (!a.len || memcmp(a.s, b.s, a.len) == 0);
	if (is_number(a) && is_number(b))
		return order_numbers(a, b) == 0;
	return a.kind == CEL_BOOL && b.kind == CEL_BOOL && a.b == b.b;
}

uint32_t cel_map_size(struct cel_value map)
{
	if (map.sub != CEL_SUB_RECORD)
		return map.len;
	uint32_t n = 0;
	for (size_t i = 0; i < map.record->type->n; i++)
		n += map.record->fields[i].kind != CEL_UNKNOWN;
	return n;
}

uint32_t cel_map_room(struct cel_value map)
{
	return map.sub == CEL_SUB_RECORD ? (uint32_t)map.record->type->n : map.len;
}

bool cel_map_entry(struct cel_value map, uint32_t i, struct cel_value *key, struct cel_value *value)
{
	if (map.sub != CEL_SUB_RECORD) {
		*key = map.items[2 * i];
		*value = map.items[2 * i + 1];
		return true;
	}
	const char *name = map.record->type->fields[i].name;
	*key = cel_string(name, strlen(name));
	*value = map.record->fields[i];
	return value->kind != CEL_UNKNOWN;
}

/* An indexed map's table lies before its entries: a header of its size, then slots of entry + 1. */
struct map_index {
	uint32_t mask;
	uint32_t room;
	uint32_t slots[];
};
static const struct map_index *index_before(struct cel_value map)
{
	uint64_t size = ((const uint64_t *)(const void *)map.items)[-1];
	return (const void *)((const char *)map.items - size);
}

const struct cel_value *cel_map_find(struct cel_value map, struct cel_value key)
{
	if (map.sub == CEL_SUB_RECORD) {
		int i = key.kind == CEL_STRING ? cel_type_field(map.record->type, key.s, key.len) : -1;
		return i < 0 ? NULL : &map.record->fields[i];
	}
	if (map.sub == CEL_SUB_INDEXED) {
		const struct map_index *index = index_before(map);
		for (uint64_t h = hash_key(key);; h++) {
			uint32_t at = index->slots[h & index->mask];
			if (!at)
				return NULL;
			if (same_key(key, map.items[2 * (at - 1)]))
				return &map.items[2 * (at - 1) + 1];
		}
	}
	for (uint32_t i = 0; i < map.len; i++)
		if (same_key(key, map.items[2 * i]))
			return &map.items[2 * i + 1];
	return NULL;
}

struct cel_value cel_map_begin(struct run *run, uint32_t n)
{
	struct cel_value map = {.kind = CEL_MAP};
	if (n == 0)
		return map;
	uint32_t slots = 0;
	if (n > 8)
		for (slots = 32; slots < 2 * n;)
			slots *= 2;
	size_t head = slots ? sizeof(struct map_index) + slots * sizeof(uint32_t) + sizeof(uint64_t) : 0;
	char *p = cel_run_alloc(run, head + 2 * (size_t)n * sizeof(struct cel_value));
	if (!p)
		return cel_run_memory();
	if (slots) {
		struct map_index *index = (void *)p;
		memset(p, 0, head);
		index->mask = slots - 1;
		((uint64_t *)(void *)(p + head))[-1] = head;
		map.sub = CEL_SUB_INDEXED;
	}
	map.items = (const void *)(p + head);
	return map;
}

struct cel_value cel_map_add(struct run *run, struct cel_value map, uint32_t room, struct cel_value key,
			     struct cel_value value)
{
	char text[64];
	if (!key_allowed(key))
		return cel_fail(&run->call, "a map's key can't be %s", cel_type_of_kind(key.kind)->name);
	if (map.len >= room)
		return cel_run_memory();
	if (cel_map_find(map, key))
		return cel_fail(&run->call, "the key %s stands twice in the map", cel_show(key, text, sizeof text));
	struct cel_value *entry = (struct cel_value *)(uintptr_t)&map.items[2 * map.len];
	entry[0] = key;
	entry[1] = value;
	map.len++;
	if (map.sub == CEL_SUB_INDEXED) {
		struct map_index *index = (struct map_index *)(uintptr_t)index_before(map);
		uint64_t h = hash_key(key);
		while (index->slots[h & index->mask])
			h++;
		index->slots[h & index->mask] = map.len;
	}
	return map;
}
