/* cel_regex.c: a pattern's tree to a program of states, and the simulation of all its paths at once (Thompson). */
#include "cel_regex.h"
#include "cel_regex_parse.h"
#include "cel_text.h"
#include <string.h>

enum { MAX_STATES = 20000, SMALL = 128 };

enum re_op { RE_CHAR, RE_SPLIT, RE_TEST, RE_DONE };
struct state {
	uint8_t op, assert;
	uint32_t next, other;
	struct re_set set;
};
struct regex {
	struct state *states;
	uint32_t n, start;
	const char *prefix; /* a match begins with these bytes; no more: the whole pattern is them */
	uint32_t prefix_len;
	bool plain;
	bool anchored;      /* a match begins at the text's start */
	bool selective;     /* a match begins with one of these bytes: */
	uint8_t first[256]; /* 1: it may */
};

void *cel_regex_pool(void *pool, size_t size)
{
	return cel_pool_alloc(pool, size);
}

/* --- tree to states, from the end to the beginning: each piece is built knowing what follows it */
struct builder {
	struct re_parser *p;
	struct state *states;
	uint32_t n, room;
};

static uint32_t add(struct builder *b, struct state state)
{
	if (b->n == b->room) {
		uint32_t room = b->room ? 2 * b->room : 32;
		struct state *more = room <= 2 * MAX_STATES ? cel_re_alloc(b->p, room * sizeof *more) : NULL;
		if (!more) {
			if (!b->p->why)
				b->p->why = "it is too large";
			return 0;
		}
		if (b->n)
			memcpy(more, b->states, b->n * sizeof *more);
		b->states = more;
		b->room = room;
	}
	if (b->n >= MAX_STATES) {
		b->p->why = "it is too large";
		return 0;
	}
	b->states[b->n] = state;
	return b->n++;
}

static uint32_t build(struct builder *b, const struct re_node *node, uint32_t next);

static uint32_t build_row(struct builder *b, const struct re_node *kid, uint32_t next)
{
	/* backwards over a singly linked list: by an array of its nodes */
	uint32_t n = 0;
	for (const struct re_node *k = kid; k; k = k->next)
		n++;
	const struct re_node **kids = cel_re_alloc(b->p, (n + 1) * sizeof *kids);
	for (uint32_t i = 0; kids && i < n; i++, kid = kid->next)
		kids[i] = kid;
	while (kids && n-- > 0 && !b->p->why)
		next = build(b, kids[n], next);
	return next;
}

static uint32_t build_repeat(struct builder *b, const struct re_node *node, uint32_t next)
{
	if (node->max == RE_FOREVER) {
		uint32_t loop = add(b, (struct state){.op = RE_SPLIT, .other = next});
		uint32_t body = build(b, node->kids, loop);
		if (!b->p->why)
			b->states[loop].next = body;
		next = loop;
	} else {
		uint32_t end = next;
		for (int i = node->min; i < node->max && !b->p->why; i++)
			next = add(b, (struct state){.op = RE_SPLIT, .next = build(b, node->kids, next), .other = end});
	}
	for (int i = 0; i < node->min && !b->p->why; i++)
		next = build(b, node->kids, next);
	return next;
}

static uint32_t build(struct builder *b, const struct re_node *node, uint32_t next)
{
	if (b->p->why)
		return 0;
	switch (node->kind) {
	case RE_SET:
		return add(b, (struct state){.op = RE_CHAR, .next = next, .set = node->set});
	case RE_ASSERT:
		return add(b, (struct state){.op = RE_TEST, .assert = node->assert, .next = next});
	case RE_CAT:
		return build_row(b, node->kids, next);
	case RE_REPEAT:
		return build_repeat(b, node, next);
	case RE_ALT: {
		uint32_t all = build(b, node->kids, next);
		for (const struct re_node *k = node->kids->next; k && !b->p->why; k = k->next)
			all = add(b, (struct state){.op = RE_SPLIT, .next = build(b, k, next), .other = all});
		return all;
	}
	default:
		return next;
	}
}

/* The text that every match begins with. */
static void find_prefix(struct re_parser *p, struct regex *regex)
{
	char *text = NULL;
	uint32_t at = regex->start, n = 0;
	for (; n < 64; at = regex->states[at].next) {
		const struct state *s = &regex->states[at];
		if (s->op != RE_CHAR || s->set.n != 1 || s->set.ranges[0].first != s->set.ranges[0].last ||
		    s->set.ranges[0].first == 0xfffd)
			break;
		if (!text && !(text = cel_re_alloc(p, 68)))
			return;
		n += (uint32_t)cel_utf8_put(text + n, s->set.ranges[0].first);
	}
	regex->prefix = text;
	regex->prefix_len = n;
	regex->plain = regex->states[at].op == RE_DONE;
	regex->anchored =
		regex->states[regex->start].op == RE_TEST && regex->states[regex->start].assert == AT_TEXT_START;
}

/* The bytes that a match can begin with; none are told where a match may be empty or begin with an assertion. */
static void find_first(struct re_parser *p, struct regex *regex)
{
	uint32_t *stack = cel_re_alloc(p, (2 * (size_t)regex->n + 1) * sizeof *stack), top = 0;
	uint8_t *seen = cel_re_alloc(p, regex->n);
	if (!stack || !seen)
		return;
	for (stack[top++] = regex->start; top;) {
		uint32_t at = stack[--top];
		const struct state *s = &regex->states[at];
		if (seen[at])
			continue;
		seen[at] = 1;
		if (s->op == RE_TEST || s->op == RE_DONE)
			return;
		if (s->op == RE_SPLIT) {
			stack[top++] = s->next;
			stack[top++] = s->other;
			continue;
		}
		for (uint32_t i = 0; i < s->set.n; i++) {
			char low[4], high[4];
			cel_utf8_put(low, s->set.ranges[i].first);
			cel_utf8_put(high, s->set.ranges[i].last);
			memset(&regex->first[(uint8_t)low[0]], 1, (size_t)((uint8_t)high[0] - (uint8_t)low[0]) + 1);
			if (s->set.ranges[i].first <= 0xfffd && s->set.ranges[i].last >= 0xfffd)
				memset(&regex->first[0x80], 1, 0x80); /* what a bad byte is read as */
		}
	}
	regex->selective = true;
}

const struct regex *cel_regex_new(const struct regex_memory *memory, const char *pattern, size_t len, const char **why)
{
	struct re_parser p = {.memory = memory, .s = pattern, .end = pattern + len};
	struct regex *regex = cel_re_alloc(&p, sizeof *regex);
	const struct re_node *root = regex ? cel_re_parse(&p) : NULL;
	if (root) {
		struct builder b = {.p = &p};
		uint32_t done = add(&b, (struct state){.op = RE_DONE});
		uint32_t start = build(&b, root, done);
		*regex = (struct regex){.states = b.states, .n = b.n, .start = start};
		if (!p.why) {
			find_prefix(&p, regex);
			find_first(&p, regex);
		}
	}
	*why = p.why;
	return p.why ? NULL : regex;
}

/* --- matching */
struct places { /* states that are reached, each once: sparse over dense */
	uint32_t *dense, *sparse;
	uint32_t n;
};
struct matcher {
	const struct regex *regex;
	const char *text;
	size_t len, at;
	uint32_t before, after; /* code points around the place; UINT32_MAX: none */
	uint32_t *stack;
	uint64_t steps;
};

static bool is_word(uint32_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool holds(const struct matcher *m, enum re_assert assert)
{
	switch (assert) {
	case AT_TEXT_START:
		return m->before == UINT32_MAX;
	case AT_TEXT_END:
		return m->after == UINT32_MAX;
	case AT_LINE_START:
		return m->before == UINT32_MAX || m->before == '\n';
	case AT_LINE_END:
		return m->after == UINT32_MAX || m->after == '\n';
	case AT_WORD:
		return is_word(m->before) != is_word(m->after);
	default:
		return is_word(m->before) == is_word(m->after);
	}
}

/* Adds a state and all that it leads to without a character; true: the end is reached. */
static bool reach(struct matcher *m, struct places *set, uint32_t start)
{
	uint32_t top = 0;
	m->stack[top++] = start;
	while (top) {
		uint32_t at = m->stack[--top];
		if (set->sparse[at] < set->n && set->dense[set->sparse[at]] == at)
			continue;
		set->sparse[at] = set->n;
		set->dense[set->n++] = at;
		m->steps++;
		const struct state *s = &m->regex->states[at];
		switch (s->op) {
		case RE_DONE:
			return true;
		case RE_TEST:
			if (holds(m, s->assert))
				m->stack[top++] = s->next;
			break;
		case RE_SPLIT:
			m->stack[top++] = s->other;
			m->stack[top++] = s->next;
			break;
		default:
			break;
		}
	}
	return false;
}

/* Goes on to where a match may begin; only while none is under way. */
static void skip(struct matcher *m)
{
	size_t from = m->at;
	while (m->at < m->len && !m->regex->first[(uint8_t)m->text[m->at]])
		m->at++;
	m->steps += (m->at - from) / 4;
	size_t back = m->at; /* the code point before the place */
	while (back > from && ((uint8_t)m->text[--back] & 0xc0) == 0x80)
		;
	if (m->at > from)
		cel_utf8_get(m->text + back, m->at - back, &m->before);
}

static struct cel_value simulate(struct run *run, struct matcher *m, struct places now, struct places next)
{
	const struct regex *regex = m->regex;
	m->before = UINT32_MAX;
	for (;;) {
		if (now.n == 0 && regex->selective)
			skip(m);
		size_t width = 0;
		m->after = UINT32_MAX;
		if (m->at < m->len)
			width = cel_utf8_get(m->text + m->at, m->len - m->at, &m->after);
		/* what the last character led to was put in `now`, to be followed from here */
		uint32_t arrived = now.n;
		struct places set = {next.dense, next.sparse, 0};
		for (uint32_t i = 0; i < arrived; i++)
			if (reach(m, &set, now.dense[i]))
				return cel_bool(true);
		bool begin = !regex->anchored || m->before == UINT32_MAX;
		if (begin && regex->selective)
			begin = m->at < m->len && regex->first[(uint8_t)m->text[m->at]];
		if (begin && reach(m, &set, regex->start))
			return cel_bool(true);
		if (m->after == UINT32_MAX || (set.n == 0 && regex->anchored))
			return cel_bool(false);
		if (!run_spend(run, m->steps / 16))
			return cel_run_cost(run);
		m->steps %= 16;
		now.n = 0;
		for (uint32_t i = 0; i < set.n; i++) {
			const struct state *s = &regex->states[set.dense[i]];
			if (s->op == RE_CHAR && cel_set_has(&s->set, m->after))
				now.dense[now.n++] = s->next;
		}
		m->before = m->after;
		m->at += width;
	}
}

struct cel_value cel_regex_match(struct run *run, const struct regex *regex, const char *text, size_t len)
{
	uint32_t small[5 * SMALL], *room = small, n = regex->n;
	size_t from = 0;
	if (regex->prefix_len && !regex->anchored) {
		const char *found = cel_find_bytes(text, len, regex->prefix, regex->prefix_len);
		if (!run_spend(run, len / 64))
			return cel_run_cost(run);
		if (!found || regex->plain)
			return cel_bool(found != NULL);
		from = (size_t)(found - text);
	}
	if (n > SMALL && !(room = cel_run_alloc(run, (size_t)n * 6 * sizeof *room)))
		return cel_run_memory();
	memset(room, 0, (size_t)n * (n > SMALL ? 6 : 5) * sizeof *room);
	struct matcher m = {.regex = regex, .text = text, .len = len, .at = from, .stack = room + 3 * (size_t)n};
	return simulate(run, &m, (struct places){room, NULL, 0}, (struct places){room + n, room + 2 * (size_t)n, 0});
}
