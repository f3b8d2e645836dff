/* The stored form of a subject.
 *
 *   u8 version, i64 due, u64 ruleset, flags, recheck, since, ended     fixed and varint numbers, little-endian
 *   sources (texts), origins (source, id, key, time, at)               the events that values came from
 *   facts (ids, one row), lists (ids once, then rows), contributions
 *   alerts, cases                                                      levels by name
 *
 * Numbers are varints (zigzag where signed).  Texts are a length and bytes; the ids and keys of origins and the keys of
 * members, which resemble each other, begin with how many bytes they share with the one before.  An origin's time
 * counts from that of the one before, its `at` from its time; both in seconds where they are whole.  Counts are checked
 * against what is left of the bytes, so that broken bytes never make a large allocation. */
#include "codec.h"
#include "codec_format.h"
#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- writing */

static void grow(struct buffer *b, size_t n)
{
	size_t cap = b->cap ? b->cap * 2 : 4096;
	while (cap - b->len < n)
		cap *= 2;
	char *data = realloc(b->data, cap);
	if (!data)
		abort();
	b->data = data;
	b->cap = cap;
}

static inline char *room(struct buffer *b, size_t n)
{
	if (__builtin_expect(b->cap - b->len < n, 0))
		grow(b, n);
	return b->data + b->len;
}

void buffer_free(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){0};
}

static void put_byte(struct buffer *b, unsigned v)
{
	*room(b, 1) = (char)v;
	b->len++;
}

static void put_fixed(struct buffer *b, uint64_t v)
{
	v = htole64(v);
	memcpy(room(b, 8), &v, 8);
	b->len += 8;
}

static inline void put(struct buffer *b, uint64_t v)
{
	char *p = room(b, 10);
	size_t n = 0;
	if (__builtin_expect(v < 0x80, 1)) {
		*p = (char)v;
		b->len++;
		return;
	}
	for (; v >= 0x80; v >>= 7)
		p[n++] = (char)(v | 0x80);
	p[n++] = (char)v;
	b->len += n;
}

static void put_signed(struct buffer *b, int64_t v)
{
	put(b, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

/* Texts are short: two overlapping words do for most. */
static inline void put_text(struct buffer *b, struct str s)
{
	uint64_t head, tail;
	put(b, s.len);
	char *p = room(b, s.len);
	if (s.len >= 8 && s.len <= 16) {
		memcpy(&head, s.s, 8);
		memcpy(&tail, s.s + s.len - 8, 8);
		memcpy(p, &head, 8);
		memcpy(p + s.len - 8, &tail, 8);
	} else if (s.len) {
		memcpy(p, s.s, s.len);
	}
	b->len += s.len;
}

/* How many bytes the texts begin with alike. */
static inline uint32_t shared(struct str a, struct str b)
{
	uint32_t most = a.len < b.len ? a.len : b.len, n = 0;
	uint64_t x, y;
	if (most > MOST_SHARED)
		most = MOST_SHARED;
	for (; n + 8 <= most; n += 8) {
		memcpy(&x, a.s + n, 8);
		memcpy(&y, b.s + n, 8);
		if (x != y)
			return n + (uint32_t)__builtin_ctzll(htole64(x ^ y)) / 8;
	}
	while (n < most && a.s[n] == b.s[n])
		n++;
	return n;
}

static void put_after(struct buffer *b, struct str before, struct str s)
{
	uint32_t n = shared(before, s);
	put(b, n);
	put_text(b, (struct str){s.s + n, s.len - n});
}

static void put_ids(struct buffer *b, const struct field *fields, size_t n)
{
	put(b, n);
	char *p = room(b, n * 4);
	for (size_t i = 0; i < n; i++) {
		uint32_t id = htole32(fields[i].id);
		memcpy(p + 4 * i, &id, 4);
	}
	b->len += n * 4;
}

static void put_value(struct buffer *b, struct cel_value v, bool money)
{
	uint64_t bits;
	switch (v.kind) {
	case CEL_BOOL:
		put_byte(b, v.b ? TAG_TRUE : TAG_FALSE);
		return;
	case CEL_INT:
		put_byte(b, TAG_INT);
		put_signed(b, v.i);
		return;
	case CEL_DOUBLE:
		if (money && fabs(v.d) < 9e13) {
			put_byte(b, TAG_FEN);
			put_signed(b, (int64_t)nearbyint(v.d * 100));
			return;
		}
		memcpy(&bits, &v.d, sizeof bits);
		put_byte(b, TAG_DOUBLE);
		put_fixed(b, bits);
		return;
	case CEL_STRING:
		put_byte(b, TAG_STRING);
		put_text(b, (struct str){v.s, v.len});
		return;
	case CEL_TIMESTAMP:
		put_byte(b, TAG_TIME);
		put_signed(b, v.i);
		return;
	default:
		put_byte(b, TAG_NULL);
		return;
	}
}

/* Origins are numbered anew in the order of first use, so that equal states have equal bytes. */
struct numbering {
	const struct subject *s;
	uint32_t *number; /* by origin; 0: not yet */
	uint32_t *order;
	uint32_t n;
};

static void use(struct numbering *x, uint32_t origin)
{
	if (!origin || x->number[origin])
		return;
	x->order[x->n++] = origin;
	x->number[origin] = x->n;
}

static void number_origins(struct numbering *x)
{
	const struct subject *s = x->s;
	for (size_t i = 0; i < s->watch->n_facts; i++)
		use(x, s->facts[i].origin);
	for (size_t i = 0; i < s->watch->n_lists; i++)
		for (uint32_t j = 0; j < s->lists[i].n; j++) {
			use(x, s->lists[i].rows[j].presence);
			for (size_t k = 0; k < s->watch->lists[i].n_fields; k++)
				use(x, s->lists[i].rows[j].fields[k].origin);
		}
	for (uint32_t i = 0; i < s->n_contributions; i++)
		use(x, s->contributions[i].origin);
}

static void put_origin(struct buffer *b, const struct origin *before, const struct origin *o, uint32_t source)
{
	int64_t time = (int64_t)((uint64_t)o->time - (uint64_t)before->time);
	int64_t at = (int64_t)((uint64_t)o->at - (uint64_t)o->time);
	unsigned flags = (time % 1000 ? ORIGIN_TIME_MS : 0u) | (at % 1000 ? ORIGIN_AT_MS : 0u);
	put(b, (uint64_t)source << ORIGIN_FLAGS | flags);
	put_after(b, before->id, o->id);
	put_after(b, before->key, o->key);
	put_signed(b, flags & ORIGIN_TIME_MS ? time : time / 1000);
	put_signed(b, flags & ORIGIN_AT_MS ? at : at / 1000);
}

static void put_origins(struct buffer *b, const struct numbering *x)
{
	const struct subject *s = x->s;
	struct str *sources = arena_alloc(s->arena, (x->n + 1) * sizeof *sources);
	uint32_t *source_of = arena_alloc(s->arena, (x->n + 1) * sizeof *source_of), n = 0;
	for (uint32_t i = 0; i < x->n; i++) {
		struct str source = s->origins[x->order[i]].source;
		uint32_t k = 0;
		while (k < n && !str_equal(sources[k], source))
			k++;
		if (k == n)
			sources[n++] = source;
		source_of[i] = k;
	}
	put(b, n);
	for (uint32_t i = 0; i < n; i++)
		put_text(b, sources[i]);
	put(b, x->n);
	const struct origin none = {0}, *before = &none;
	for (uint32_t i = 0; i < x->n; i++) {
		const struct origin *o = &s->origins[x->order[i]];
		put_origin(b, before, o, source_of[i]);
		before = o;
	}
}

static void put_known(struct buffer *b, const struct numbering *x, const struct known *k, bool money)
{
	put_value(b, k->value, money);
	put(b, x->number[k->origin]);
}

/* A row of fields: which are set, and those. */
static void put_row(struct buffer *b, const struct numbering *x, const struct field *fields, const struct known *row,
		    size_t n)
{
	for (size_t j = 0; j < n; j += 8) {
		unsigned bits = 0;
		for (size_t k = j; k < n && k < j + 8; k++)
			bits |= (unsigned)(row[k].origin != 0) << (k - j);
		put_byte(b, bits);
	}
	for (size_t j = 0; j < n; j++)
		if (row[j].origin)
			put_known(b, x, &row[j], fields[j].money);
}

static void put_facts(struct buffer *b, const struct numbering *x)
{
	const struct watch *w = x->s->watch;
	put_ids(b, w->facts, w->n_facts);
	put_row(b, x, w->facts, x->s->facts, w->n_facts);
}

static void put_members(struct buffer *b, const struct numbering *x, const struct member_list *l,
			const struct members *m)
{
	put(b, l->id);
	put_ids(b, l->fields, l->n_fields);
	put(b, m->n);
	for (uint32_t i = 0; i < m->n; i++) {
		const struct member *row = &m->rows[i];
		put_after(b, i ? m->rows[i - 1].key : x->s->key, row->key);
		put(b, (uint64_t)x->number[row->presence] << 1 | row->present);
		put_signed(b, row->since);
		put_row(b, x, l->fields, row->fields, l->n_fields);
	}
}

static void put_lists(struct buffer *b, const struct numbering *x)
{
	const struct subject *s = x->s;
	uint32_t n = 0;
	for (size_t i = 0; i < s->watch->n_lists; i++)
		n += s->lists[i].n != 0;
	put(b, n);
	for (size_t i = 0; i < s->watch->n_lists; i++)
		if (s->lists[i].n)
			put_members(b, x, &s->watch->lists[i], &s->lists[i]);
}

/* For each measure that has some: its id, how many, and they. */
static void put_contributions(struct buffer *b, const struct numbering *x)
{
	const struct subject *s = x->s;
	uint32_t groups = 0;
	for (uint32_t i = 0; i < s->n_contributions; i++)
		groups += i == 0 || s->contributions[i].measure != s->contributions[i - 1].measure;
	put(b, groups);
	for (uint32_t i = 0, end; i < s->n_contributions; i = end) {
		const struct measure *m = &s->watch->measures[s->contributions[i].measure];
		for (end = i; end < s->n_contributions && s->contributions[end].measure == s->contributions[i].measure;)
			end++;
		put(b, m->id);
		put_byte(b, m->money || m->count);
		put(b, end - i);
		for (uint32_t j = i; j < end; j++) {
			const struct contribution *c = &s->contributions[j];
			put(b, (uint64_t)x->number[c->origin] << 1 | c->removed);
			if (c->removed)
				continue;
			if (m->money || m->count)
				put_signed(b, c->i);
			else
				put_fixed(b, (uint64_t)c->i); /* the double's bits */
		}
	}
}

static void put_level(struct buffer *b, const struct ruleset *r, uint32_t level)
{
	put_text(b, str_of(r->levels[level]));
}

static void put_runs(struct buffer *b, const struct ruleset *r, const struct alert *a)
{
	uint32_t n = 0;
	size_t levels = a->is ? a->is->n_levels : 0;
	for (size_t i = 0; i < levels; i++)
		n += (a->on >> i & 1) || a->up[i] || a->down[i];
	put(b, n);
	for (size_t i = 0; i < levels; i++) {
		if (!((a->on >> i & 1) || a->up[i] || a->down[i]))
			continue;
		put_level(b, r, a->is->levels[i].level);
		put_byte(b, a->on >> i & 1);
		put_signed(b, a->up[i]);
		put_signed(b, a->down[i]);
	}
}

static void put_alerts(struct buffer *b, const struct subject *s, const struct ruleset *r)
{
	put(b, s->n_alerts);
	for (uint32_t i = 0; i < s->n_alerts; i++) {
		const struct alert *a = &s->alerts[i];
		put_text(b, a->rule);
		put_text(b, a->member);
		put_byte(b, a->state);
		put(b, a->number);
		put_signed(b, a->version);
		put_signed(b, a->since); /* of one that is over too: its case may still have to tell */
		if (a->state == ALERT_OVER)
			continue;
		put_level(b, r, a->level);
		put_signed(b, a->clear);
		put_runs(b, r, a);
	}
}

static void put_case_name(struct buffer *b, const struct case_name *name)
{
	put(b, name->number);
	if (name->number)
		put_text(b, name->unit);
}

static void put_case_alert(struct buffer *b, const struct ruleset *r, const struct case_alert *a)
{
	put_text(b, a->rule);
	put_text(b, a->member);
	put_byte(b, (a->in ? ENTRY_IN : 0u) | (a->left ? ENTRY_LEFT : 0u) | (a->answered ? ENTRY_ANSWERED : 0u) |
			    (a->until != TIME_NEVER ? ENTRY_UNTIL : 0u) | (a->renewed ? ENTRY_RENEWED : 0u));
	put(b, a->joined);
	put_level(b, r, a->level);
	put_signed(b, a->due);
	put(b, a->n_told);
	put(b, a->told_from);
	for (uint32_t i = 0; i < a->n_told; i++) {
		put(b, a->told[i].message);
		put_level(b, r, a->told[i].level);
	}
	if (a->answered) {
		put_level(b, r, a->answered - 1);
		put_case_name(b, &a->answered_in);
	}
	if (a->until != TIME_NEVER)
		put_signed(b, a->until);
}

static void put_open_case(struct buffer *b, const struct ruleset *r, const struct casefile *c)
{
	put_case_name(b, &c->previous);
	put_text(b, c->region);
	put(b, c->messages);
	put_level(b, r, c->level);
	put_signed(b, c->told_due);
	put_signed(b, c->opened);
	put_signed(b, c->sent);
	put_signed(b, c->due);
	put_signed(b, c->missed_due);
	put_signed(b, c->remind);
	put_signed(b, c->escalate);
	if (c->escalated_region.len)
		put_text(b, c->escalated_region);
	if (c->answered) {
		put_byte(b, c->result);
		put_signed(b, c->answered_at);
		put_signed(b, c->answered_due);
	}
	for (int i = 0; i <= ANSWER_MEASURE_TAKEN; i++)
		put_signed(b, c->heard[i]);
	put_fixed(b, c->feedback);
}

static void put_cases(struct buffer *b, const struct subject *s, const struct ruleset *r)
{
	put(b, s->n_cases);
	for (uint32_t i = 0; i < s->n_cases; i++) {
		const struct casefile *c = &s->cases[i];
		put_text(b, c->unit);
		put(b, c->number);
		put_byte(b, (c->open ? CASE_OPEN : 0u) | (c->missed ? CASE_MISSED : 0u) |
				    (c->resting ? CASE_RESTING : 0u) | (c->answered ? CASE_ANSWERED : 0u) |
				    (c->escalated ? CASE_ESCALATED_BEFORE : 0u) |
				    (c->open && c->escalated_region.len ? CASE_ESCALATED_REGION : 0u));
		if (c->open)
			put_open_case(b, r, c);
		put(b, c->n_alerts);
		for (uint32_t j = 0; j < c->n_alerts; j++)
			put_case_alert(b, r, &c->alerts[j]);
	}
}

void codec_encode(const struct subject *s, const struct ruleset *r, struct buffer *b)
{
	struct numbering x = {.s = s};
	x.number = ARENA_ARRAY(s->arena, uint32_t, s->n_origins);
	x.order = ARENA_ARRAY(s->arena, uint32_t, s->n_origins);
	number_origins(&x);
	put_byte(b, VERSION);
	put_fixed(b, (uint64_t)s->due_then);
	put_fixed(b, s->ruleset);
	bool ended = s->ended_at != -TIME_NEVER;
	put_byte(b, (s->exists ? FLAG_EXISTS : 0u) | (ended ? FLAG_ENDED : 0u));
	put_signed(b, s->recheck);
	put_signed(b, s->since);
	if (ended) {
		put_signed(b, s->ended_at);
		put_signed(b, s->ended_time);
	}
	put_origins(b, &x);
	put_facts(b, &x);
	put_lists(b, &x);
	put_contributions(b, &x);
	put_alerts(b, s, r);
	put_cases(b, s, r);
}
