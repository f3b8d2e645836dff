/* Reading the stored form of a subject (codec.c says how it is laid out).  A field, measure or level that the
 * configuration has no more is passed over; so is a value of another type than its field now has. */
#include "codec.h"
#include "codec_format.h"
#include <endian.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	const unsigned char *p, *end;
	const char *broken; /* the first part that could not be read */
	const char *part;
	const struct ruleset *r;
	struct subject *s;
	struct arena *arena;
};

static void fail(struct reader *x)
{
	if (!x->broken)
		x->broken = x->part;
	x->p = x->end;
}

static unsigned get_byte(struct reader *x)
{
	if (x->p == x->end) {
		fail(x);
		return 0;
	}
	return *x->p++;
}

static uint64_t get_fixed(struct reader *x)
{
	uint64_t v = 0;
	if (x->end - x->p < 8) {
		fail(x);
		return 0;
	}
	memcpy(&v, x->p, 8);
	x->p += 8;
	return le64toh(v);
}

static inline uint64_t get(struct reader *x)
{
	uint64_t v = 0;
	if (__builtin_expect(x->p < x->end && *x->p < 0x80, 1))
		return *x->p++;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		unsigned byte = get_byte(x);
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	fail(x);
	return 0;
}

static int64_t get_signed(struct reader *x)
{
	uint64_t v = get(x);
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* A day; what does not fit is broken. */
static int32_t get_day(struct reader *x)
{
	int64_t day = get_signed(x);
	if (day < INT32_MIN || day > INT32_MAX)
		fail(x);
	return x->broken ? 0 : (int32_t)day;
}

/* A count of things of at least `least` bytes each. */
static uint32_t get_count(struct reader *x, size_t least)
{
	uint64_t n = get(x);
	if (n > (uint64_t)(x->end - x->p) / least)
		fail(x);
	return x->broken ? 0 : (uint32_t)n;
}

static struct str get_text(struct reader *x)
{
	uint32_t n = get_count(x, 1);
	struct str s = {(const char *)x->p, n};
	if (!x->broken)
		x->p += n;
	return x->broken ? (struct str){"", 0} : s;
}

/* A text that begins as the one before it, which it may be. */
static struct str get_after(struct reader *x, struct str before)
{
	uint64_t n = get(x);
	struct str rest = get_text(x);
	if (n > before.len || n > MOST_SHARED)
		fail(x);
	if (x->broken)
		return (struct str){"", 0};
	if (n == 0)
		return rest;
	if (n == before.len && rest.len == 0)
		return before;
	char *p = arena_alloc(x->arena, n + rest.len);
	memcpy(p, before.s, n);
	memcpy(p + n, rest.s, rest.len);
	return (struct str){p, (uint32_t)n + rest.len};
}

/* A time that counts from another, in seconds or in ms. */
static int64_t get_time(struct reader *x, int64_t from, bool ms)
{
	uint64_t span = (uint64_t)get_signed(x);
	return (int64_t)((uint64_t)from + (ms ? span : span * 1000));
}

static uint32_t get_origin(struct reader *x, uint64_t number)
{
	if (number >= x->s->n_origins)
		fail(x);
	return x->broken ? 0 : (uint32_t)number;
}

/* The level's index; -1: there is none of that name any more. */
static int get_level(struct reader *x)
{
	struct str name = get_text(x);
	for (size_t i = 0; i < x->r->n_levels; i++)
		if (str_equal(name, str_of(x->r->levels[i])))
			return (int)i;
	return -1;
}

static struct cel_value get_value(struct reader *x)
{
	struct str text;
	uint64_t bits;
	double d;
	switch (get_byte(x)) {
	case TAG_NULL:
		return cel_null();
	case TAG_FALSE:
		return cel_bool(false);
	case TAG_TRUE:
		return cel_bool(true);
	case TAG_INT:
		return cel_int(get_signed(x));
	case TAG_DOUBLE:
		bits = get_fixed(x);
		memcpy(&d, &bits, sizeof d);
		return cel_double(d);
	case TAG_FEN:
		return cel_double((double)get_signed(x) / 100);
	case TAG_STRING:
		text = get_text(x);
		return cel_string(text.s, text.len);
	case TAG_TIME:
		return cel_timestamp(get_signed(x), 0);
	default:
		fail(x);
		return cel_null();
	}
}

static bool fits(const struct field *f, struct cel_value v)
{
	static const unsigned char kinds[] = {
		[FIELD_BOOL] = CEL_BOOL,     [FIELD_INT] = CEL_INT,        [FIELD_DOUBLE] = CEL_DOUBLE,
		[FIELD_STRING] = CEL_STRING, [FIELD_DATE] = CEL_TIMESTAMP, [FIELD_ENUM] = CEL_STRING};
	if (v.kind == CEL_NULL)
		return true;
	if (v.kind != kinds[f->type])
		return false;
	if (f->type != FIELD_ENUM)
		return true;
	for (size_t i = 0; i < f->n_values; i++)
		if (str_equal((struct str){v.s, v.len}, str_of(f->values[i])))
			return true;
	return false;
}

static void get_known(struct reader *x, const struct field *f, struct known *to)
{
	struct cel_value v = get_value(x);
	uint32_t origin = get_origin(x, get(x));
	if (f && to && fits(f, v))
		*to = (struct known){v, origin};
}

static void read_origins(struct reader *x)
{
	struct subject *s = x->s;
	x->part = "sources";
	uint32_t n_sources = get_count(x, 1);
	struct str *sources = arena_alloc(x->arena, (n_sources + 1) * sizeof *sources);
	for (uint32_t i = 0; i < n_sources; i++)
		sources[i] = get_text(x);
	x->part = "origins";
	uint32_t n = get_count(x, 7);
	s->cap_origins = n + 8;
	s->origins = arena_alloc(x->arena, s->cap_origins * sizeof *s->origins);
	s->origins[0] = (struct origin){{"", 0}, {"", 0}, {"", 0}, 0, 0};
	s->n_origins = 1;
	for (uint32_t i = 0; i < n && !x->broken; i++) {
		const struct origin *before = &s->origins[s->n_origins - 1];
		uint64_t flags = get(x);
		if (flags >> ORIGIN_FLAGS >= n_sources) {
			fail(x);
			return;
		}
		struct origin *o = &s->origins[s->n_origins];
		o->source = sources[flags >> ORIGIN_FLAGS];
		o->id = get_after(x, before->id);
		o->key = get_after(x, before->key);
		o->time = get_time(x, before->time, flags & ORIGIN_TIME_MS);
		o->at = get_time(x, o->time, flags & ORIGIN_AT_MS);
		s->n_origins++;
	}
}

/* Fields as they were stored: where each is now; -1: there is none any more. */
struct stored_fields {
	uint32_t n;
	bool same; /* as they are now: index isn't filled */
	int16_t index[MOST_FIELDS];
};

static int field_index(const struct field *fields, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (fields[i].id == id)
			return (int)i;
	return -1;
}

static uint32_t id_at(const unsigned char *p)
{
	uint32_t id;
	memcpy(&id, p, 4);
	return le32toh(id);
}

static void read_ids(struct reader *x, const struct field *fields, size_t n, struct stored_fields *out)
{
	out->n = get_count(x, 4);
	if (out->n > MOST_FIELDS)
		fail(x);
	if (x->broken)
		out->n = 0;
	const unsigned char *p = x->p;
	out->same = out->n == n;
	for (uint32_t i = 0; i < out->n && out->same; i++)
		out->same = id_at(p + 4 * (size_t)i) == fields[i].id;
	for (uint32_t i = 0; i < out->n && !out->same; i++)
		out->index[i] = (int16_t)field_index(fields, n, id_at(p + 4 * (size_t)i));
	x->p += 4 * (size_t)out->n;
}

static void read_fields(struct reader *x, const struct field *fields, const struct stored_fields *stored,
			struct known *row)
{
	unsigned char set[MOST_FIELDS / 8];
	for (uint32_t j = 0; j < stored->n; j += 8)
		set[j / 8] = (unsigned char)get_byte(x);
	for (uint32_t j = 0; j < stored->n && !x->broken; j++) {
		if (!(set[j / 8] >> (j % 8) & 1))
			continue;
		int i = stored->same ? (int)j : stored->index[j];
		get_known(x, i < 0 ? NULL : &fields[i], i < 0 ? NULL : &row[i]);
	}
}

static void read_facts(struct reader *x)
{
	const struct watch *w = x->s->watch;
	struct stored_fields stored;
	x->part = "facts";
	read_ids(x, w->facts, w->n_facts, &stored);
	read_fields(x, w->facts, &stored, x->s->facts);
}

static void read_list(struct reader *x)
{
	const struct watch *w = x->s->watch;
	uint64_t id = get(x);
	size_t list = 0;
	struct stored_fields stored;
	while (list < w->n_lists && w->lists[list].id != id)
		list++;
	const struct member_list none = {0}, *l = list < w->n_lists ? &w->lists[list] : &none;
	read_ids(x, l->fields, l->n_fields, &stored);
	uint32_t n = get_count(x, 3);
	struct members m = {.rows = ARENA_ARRAY(x->arena, struct member, n + 1), .n = n, .cap = n + 1};
	struct known *fields = ARENA_ARRAY(x->arena, struct known, l->n_fields * n + 1);
	for (uint32_t i = 0; i < n && !x->broken; i++) {
		struct member *row = &m.rows[i];
		row->key = get_after(x, i ? m.rows[i - 1].key : x->s->key);
		uint64_t presence = get(x);
		row->presence = get_origin(x, presence >> 1);
		row->present = presence & 1;
		row->since = get_signed(x);
		row->fields = fields + i * l->n_fields;
		read_fields(x, l->fields, &stored, row->fields);
	}
	if (l != &none && !x->broken)
		x->s->lists[list] = m;
}

/* The base measure with this id and kind; -1: none any more. */
static int measure_index(const struct watch *w, uint64_t id, bool whole)
{
	for (size_t i = 0; i < w->n_measures; i++)
		if (w->measures[i].id == id)
			return w->measures[i].base == i && (w->measures[i].money || w->measures[i].count) == whole
				       ? (int)i
				       : -1;
	return -1;
}

static void read_group(struct reader *x)
{
	struct subject *s = x->s;
	uint64_t id = get(x);
	bool whole = get_byte(x) != 0;
	uint32_t n = get_count(x, 1);
	int measure = measure_index(s->watch, id, whole);
	for (uint32_t i = 0; i < n && !x->broken; i++) {
		struct contribution c = {.measure = (uint16_t)(measure < 0 ? 0 : measure)};
		uint64_t origin = get(x);
		c.removed = origin & 1;
		c.origin = get_origin(x, origin >> 1);
		if (!c.removed)
			c.i = whole ? get_signed(x) : (int64_t)get_fixed(x);
		if (!c.origin)
			fail(x);
		if (measure < 0 || x->broken)
			continue;
		ARENA_PUSH_ROOM(x->arena, s->contributions, s->n_contributions, s->cap_contributions);
		s->contributions[s->n_contributions++] = c;
	}
}

/* Groups back into the order in which the watch now declares its measures; each group is in order itself. */
static void order_groups(struct subject *s)
{
	for (uint32_t i = 1; i < s->n_contributions; i++)
		for (uint32_t j = i; j > 0 && s->contributions[j - 1].measure > s->contributions[j].measure; j--) {
			struct contribution swap = s->contributions[j];
			s->contributions[j] = s->contributions[j - 1];
			s->contributions[j - 1] = swap;
		}
}

static void read_runs(struct reader *x, struct alert *a)
{
	uint32_t n = get_count(x, 4);
	for (uint32_t i = 0; i < n && !x->broken; i++) {
		int level = get_level(x);
		bool on = get_byte(x);
		int64_t up = get_signed(x), down = get_signed(x);
		for (size_t k = 0; a->is && level >= 0 && k < a->is->n_levels; k++) {
			if (a->is->levels[k].level != (uint32_t)level)
				continue;
			a->on |= (uint32_t)on << k;
			a->up[k] = up;
			a->down[k] = down;
		}
	}
	if (a->is && a->on) /* of levels that the rule has no more the lowest stays */
		a->level = a->is->levels[31 - __builtin_clz(a->on)].level;
}

static void read_alerts(struct reader *x)
{
	struct subject *s = x->s;
	x->part = "alerts";
	uint32_t n = get_count(x, 5);
	s->alerts = ARENA_ARRAY(x->arena, struct alert, n + 4);
	s->cap_alerts = n + 4;
	for (; s->n_alerts < n && !x->broken; s->n_alerts++) {
		struct alert *a = &s->alerts[s->n_alerts];
		a->rule = get_text(x);
		a->member = get_text(x);
		a->state = get_byte(x);
		a->number = (uint32_t)get(x);
		a->version = get_signed(x);
		if (a->state > ALERT_CLEARING)
			fail(x);
		const struct rule *is = ruleset_rule(x->r, a->rule);
		a->is = is && is->watch == s->watch ? is : NULL;
		a->since = get_signed(x);
		if (a->state == ALERT_OVER)
			continue;
		int level = get_level(x);
		a->level = level < 0 ? 0 : (uint32_t)level;
		a->clear = get_signed(x);
		read_runs(x, a);
		if (a->is && !a->on && a->state != ALERT_PENDING && !x->broken) {
			a->on = 1; /* its levels have all been renamed: it goes on at the rule's lowest */
			a->level = a->is->levels[0].level;
		}
	}
}

static const struct unit *find_unit(const struct ruleset *r, struct str name)
{
	for (size_t i = 0; i < r->n_units; i++) {
		struct str unit = str_of(r->units[i].name);
		if (str_equal(unit, name) || (r->units[i].each_digits && name.len > unit.len &&
					      name.s[unit.len] == '/' && memcmp(name.s, unit.s, unit.len) == 0))
			return &r->units[i];
	}
	return NULL;
}

/* A level; one that is gone becomes the lowest. */
static uint32_t get_level_or_lowest(struct reader *x)
{
	int level = get_level(x);
	return level < 0 ? 0 : (uint32_t)level;
}

static struct case_name get_case_name(struct reader *x)
{
	struct case_name name = {.number = (uint32_t)get(x)};
	if (name.number)
		name.unit = get_text(x);
	return name;
}

static void read_case_alert(struct reader *x, struct case_alert *a)
{
	a->rule = get_text(x);
	a->member = get_text(x);
	unsigned flags = get_byte(x);
	a->in = flags & ENTRY_IN;
	a->left = flags & ENTRY_LEFT;
	a->renewed = flags & ENTRY_RENEWED;
	a->joined = (uint32_t)get(x);
	a->level = get_level_or_lowest(x);
	a->due = get_day(x);
	uint32_t n_told = get_count(x, 2);
	a->told_from = (uint32_t)get(x);
	if (n_told > MAX_TOLD)
		fail(x);
	for (; a->n_told < n_told && !x->broken; a->n_told++) {
		a->told[a->n_told].message = (uint32_t)get(x);
		a->told[a->n_told].level = get_level_or_lowest(x);
	}
	if (flags & ENTRY_ANSWERED) {
		a->answered = get_level_or_lowest(x) + 1;
		a->answered_in = get_case_name(x);
	}
	a->until = flags & ENTRY_UNTIL ? get_signed(x) : TIME_NEVER;
}

static void read_open_case(struct reader *x, struct casefile *c, unsigned flags)
{
	c->previous = get_case_name(x);
	c->region = get_text(x);
	c->messages = (uint32_t)get(x);
	c->level = get_level_or_lowest(x);
	c->told_due = get_day(x);
	c->opened = get_signed(x);
	c->sent = get_signed(x);
	c->due = get_day(x);
	c->missed_due = get_day(x);
	c->remind = get_signed(x);
	c->escalate = get_signed(x);
	if (flags & CASE_ESCALATED_REGION)
		c->escalated_region = get_text(x);
	if (c->answered) {
		unsigned result = get_byte(x);
		if (result > ANSWER_NOT_CONFIRMED)
			fail(x);
		c->result = result;
		c->answered_at = get_signed(x);
		c->answered_due = get_day(x);
	}
	for (int i = 0; i <= ANSWER_MEASURE_TAKEN; i++)
		c->heard[i] = get_signed(x);
	c->feedback = get_fixed(x);
}

static void read_case(struct reader *x, struct casefile *c)
{
	c->unit = get_text(x);
	c->is = find_unit(x->r, c->unit);
	c->number = (uint32_t)get(x);
	c->due = c->told_due = c->missed_due = DAY_NEVER;
	unsigned flags = get_byte(x);
	c->open = flags & CASE_OPEN;
	c->missed = flags & CASE_MISSED;
	c->resting = flags & CASE_RESTING;
	c->answered = flags & CASE_ANSWERED;
	c->escalated = flags & CASE_ESCALATED_BEFORE;
	if (c->open)
		read_open_case(x, c, flags);
	uint32_t n_alerts = get_count(x, 8);
	c->alerts = ARENA_ARRAY(x->arena, struct case_alert, n_alerts + 2);
	c->cap_alerts = n_alerts + 2;
	for (; c->n_alerts < n_alerts && !x->broken; c->n_alerts++)
		read_case_alert(x, &c->alerts[c->n_alerts]);
}

static void read_cases(struct reader *x)
{
	struct subject *s = x->s;
	x->part = "cases";
	uint32_t n = get_count(x, 4);
	s->cases = ARENA_ARRAY(x->arena, struct casefile, n + 2);
	s->cap_cases = n + 2;
	for (; s->n_cases < n && !x->broken; s->n_cases++)
		read_case(x, &s->cases[s->n_cases]);
}

static void read_header(struct reader *x)
{
	struct subject *s = x->s;
	x->part = "header";
	if (get_byte(x) != VERSION) {
		x->part = "version";
		fail(x);
	}
	s->due = s->due_then = (int64_t)get_fixed(x);
	s->ruleset = get_fixed(x);
	unsigned flags = get_byte(x);
	s->exists = flags & FLAG_EXISTS;
	s->recheck = get_day(x);
	s->since = get_signed(x);
	if (flags & FLAG_ENDED) {
		s->ended_at = get_signed(x);
		s->ended_time = get_signed(x);
	}
}

bool codec_decode(struct subject *s, struct arena *arena, const struct ruleset *r, const struct watch *watch,
		  struct str key, struct str bytes, struct err *why)
{
	const unsigned char *p = (const unsigned char *)bytes.s;
	struct reader x = {.p = p, .end = p + bytes.len, .r = r, .s = s, .arena = arena};
	subject_init(s, arena, watch, key);
	read_header(&x);
	read_origins(&x);
	read_facts(&x);
	x.part = "member lists";
	for (uint32_t n = get_count(&x, 3); n > 0 && !x.broken; n--)
		read_list(&x);
	x.part = "contributions";
	for (uint32_t n = get_count(&x, 3); n > 0 && !x.broken; n--)
		read_group(&x);
	order_groups(s);
	read_alerts(&x);
	read_cases(&x);
	x.part = "end";
	if (x.p != x.end)
		fail(&x);
	if (x.broken)
		return err_set(why, "stored state of %u bytes can't be read: its %s is not as version %d has it",
			       bytes.len, x.broken, VERSION);
	return true;
}

bool codec_due(struct str bytes, int64_t *due)
{
	struct reader x = {.p = (const unsigned char *)bytes.s, .end = (const unsigned char *)bytes.s + bytes.len};
	if (bytes.len < HEADER || get_byte(&x) != VERSION)
		return false;
	*due = (int64_t)get_fixed(&x);
	return true;
}

bool codec_stale(struct str bytes, uint64_t fingerprint)
{
	struct reader x = {.p = (const unsigned char *)bytes.s, .end = (const unsigned char *)bytes.s + bytes.len};
	if (bytes.len <= HEADER || get_byte(&x) != VERSION)
		return true; /* decoding it will tell what is wrong */
	get_fixed(&x);
	return get_fixed(&x) != fingerprint && (get_byte(&x) & FLAG_EXISTS);
}

struct str codec_unjudged(struct str bytes, struct arena *a)
{
	enum { RULES_AT = HEADER - sizeof(uint64_t) };
	if (bytes.len <= HEADER)
		return (struct str){"", 0};
	char *copy = arena_copy(a, bytes.s, bytes.len);
	memset(copy + RULES_AT, 0, sizeof(uint64_t));
	return (struct str){copy, bytes.len};
}
