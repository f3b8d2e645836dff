/* cel_regex_set.c: sets of code points. */
#include "cel_regex_parse.h"
#include "cel_unicode.h"
#include <string.h>

enum { LAST_CODE = 0x10ffff };

void *cel_re_alloc(struct re_parser *p, size_t size)
{
	void *m = p->memory->alloc(p->memory->ctx, size);
	if (!m && !p->why)
		p->why = "it is too large";
	return m;
}

void cel_set_add(struct re_parser *p, struct re_set *set, uint32_t first, uint32_t last)
{
	if (set->n == set->room) {
		uint32_t room = set->room ? 2 * set->room : 4;
		struct range *more = cel_re_alloc(p, room * sizeof *more);
		if (!more)
			return;
		if (set->n)
			memcpy(more, set->ranges, set->n * sizeof *more);
		set->ranges = more;
		set->room = room;
	}
	uint32_t at = set->n; /* in order of beginnings, joined where they touch */
	while (at > 0 && set->ranges[at - 1].first > first)
		at--;
	if (at > 0 && set->ranges[at - 1].last + 1 >= first) {
		at--;
		first = set->ranges[at].first;
		if (set->ranges[at].last > last)
			last = set->ranges[at].last;
	} else {
		memmove(&set->ranges[at + 1], &set->ranges[at], (set->n - at) * sizeof *set->ranges);
		set->n++;
	}
	uint32_t after = at + 1;
	for (; after < set->n && set->ranges[after].first <= last + 1; after++)
		if (set->ranges[after].last > last)
			last = set->ranges[after].last;
	set->ranges[at] = (struct range){first, last};
	memmove(&set->ranges[at + 1], &set->ranges[after], (set->n - after) * sizeof *set->ranges);
	set->n -= after - at - 1;
}

void cel_set_add_set(struct re_parser *p, struct re_set *set, const struct re_set *other)
{
	for (uint32_t i = 0; i < other->n; i++)
		cel_set_add(p, set, other->ranges[i].first, other->ranges[i].last);
}

void cel_set_negate(struct re_parser *p, struct re_set *set)
{
	struct re_set out = {0};
	uint32_t from = 0;
	for (uint32_t i = 0; i < set->n; i++) {
		if (set->ranges[i].first > from)
			cel_set_add(p, &out, from, set->ranges[i].first - 1);
		from = set->ranges[i].last + 1;
	}
	if (from <= LAST_CODE)
		cel_set_add(p, &out, from, LAST_CODE);
	*set = out;
}

/* Letters whose other case lies at a fixed distance. */
static const struct {
	uint32_t first, last, distance; /* of the capitals */
} cases[] = {
	{'A', 'Z', 32},     {0xc0, 0xd6, 32},   {0xd8, 0xde, 32},   {0x391, 0x3a1, 32},
	{0x3a3, 0x3a9, 32}, {0x400, 0x40f, 80}, {0x410, 0x42f, 32},
};

static void add_shifted(struct re_parser *p, struct re_set *set, struct range r, uint32_t first, uint32_t last,
			int64_t by)
{
	uint32_t low = r.first > first ? r.first : first, high = r.last < last ? r.last : last;
	if (low <= high)
		cel_set_add(p, set, (uint32_t)(low + by), (uint32_t)(high + by));
}

void cel_set_fold(struct re_parser *p, struct re_set *set)
{
	struct re_set out = {0};
	cel_set_add_set(p, &out, set);
	for (uint32_t i = 0; i < set->n; i++)
		for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
			int64_t d = cases[k].distance;
			add_shifted(p, &out, set->ranges[i], cases[k].first, cases[k].last, d);
			add_shifted(p, &out, set->ranges[i], cases[k].first + cases[k].distance,
				    cases[k].last + cases[k].distance, -d);
		}
	*set = out;
}

bool cel_set_has(const struct re_set *set, uint32_t code)
{
	uint32_t low = 0, high = set->n;
	if (set->n <= 4) {
		for (uint32_t i = 0; i < set->n; i++)
			if (code <= set->ranges[i].last)
				return code >= set->ranges[i].first;
		return false;
	}
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (code > set->ranges[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	return low < set->n && code >= set->ranges[low].first;
}

bool cel_set_unicode(struct re_parser *p, struct re_set *set, const char *name, size_t len)
{
	if (len == 3 && memcmp(name, "Any", 3) == 0) {
		cel_set_add(p, set, 0, LAST_CODE);
		return true;
	}
	bool found = false;
	for (size_t i = 0; i < cel_unicode_n_scripts; i++)
		if (strlen(cel_unicode_scripts[i].name) == len && memcmp(cel_unicode_scripts[i].name, name, len) == 0) {
			cel_set_add(p, set, cel_unicode_scripts[i].first, cel_unicode_scripts[i].last);
			found = true;
		}
	if (found || len < 1 || len > 2)
		return found;
	for (size_t i = 0; i < cel_unicode_n_ranges; i++) {
		const char *category = cel_unicode_categories[cel_unicode_ranges[i].category];
		if (category[0] != name[0] || (len == 2 && category[1] != name[1]))
			continue;
		uint32_t first = cel_unicode_ranges[i].first;
		cel_set_add(p, set, first, first + cel_unicode_ranges[i].more);
		found = true;
	}
	return found;
}
