/* cel_parse.c: tokens to the syntax tree, by one table of what each token does before and after an expression.
 * Chains of operators are loops, so that only brackets, ! - and ?: nest on the C stack; those are counted. */
#include "cel_ast.h"
#include <string.h>

static void syntax(struct compilation *c, const char *message)
{
	cel_fault_at(c, c->token.pos, c->token.len, "%s", message);
	c->broken = true;
	c->token.kind = T_END;
}

struct node *cel_node_new(struct compilation *c, int kind, uint32_t pos, uint32_t end)
{
	struct node *node = cel_take(c, sizeof *node);
	node->kind = (uint8_t)kind;
	node->pos = node->mark = pos;
	node->len = node->mark_len = end - pos;
	node->variable = -1;
	return node;
}

void cel_node_kids(struct compilation *c, struct node *node, struct node *const *kids, uint32_t n)
{
	node->n = n;
	node->kids = cel_take(c, (n + 1) * sizeof *node->kids);
	for (uint32_t i = 0; i < n; i++) {
		node->kids[i] = kids[i];
		if (kids[i]->depth >= node->depth)
			node->depth = (uint16_t)(kids[i]->depth + 1);
	}
	if (node->depth > MAX_DEPTH && !c->broken) {
		cel_fault_at(c, node->pos, node->len,
			     "the expression is nested too deeply, or a chain of operators is too long");
		c->broken = true;
		c->token.kind = T_END;
	}
}

/* --- the table */
enum precedence { P_NONE, P_COND, P_OR, P_AND, P_RELATION, P_SUM, P_PRODUCT, P_MEMBER };
typedef struct node *prefix(struct compilation *c);
typedef struct node *infix(struct compilation *c, struct node *left);
struct row {
	prefix *before;
	infix *after;
	enum precedence precedence;
};
static const struct row table[T_KINDS];

static struct node *expression(struct compilation *c, enum precedence least)
{
	struct node *left = NULL;
	if (++c->nesting > MAX_NESTING)
		syntax(c, "the expression is nested too deeply");
	else if (!table[c->token.kind].before)
		syntax(c, c->token.kind == T_END ? "the expression ends too early; a value is missing"
						 : "a value is missing here");
	else
		left = table[c->token.kind].before(c);
	if (c->broken || !left)
		left = cel_node_new(c, N_LITERAL, c->token.pos, c->token.pos);
	while (!c->broken && table[c->token.kind].precedence >= least)
		left = table[c->token.kind].after(c, left);
	c->nesting--;
	return left;
}

static bool accept(struct compilation *c, enum token_kind kind)
{
	if (c->token.kind != kind)
		return false;
	cel_lex_next(c);
	return true;
}

static void expect(struct compilation *c, enum token_kind kind, const char *message)
{
	if (!accept(c, kind))
		syntax(c, message);
}

/* A growing array of kids. */
struct kids {
	struct node **nodes;
	bool *optionals;
	bool any_optional;
	uint32_t n, room;
};

static void kids_add(struct compilation *c, struct kids *k, struct node *node, bool optional)
{
	if (k->n == k->room) {
		k->room = k->room ? 2 * k->room : 4;
		struct node **nodes = cel_take(c, k->room * sizeof(struct node *));
		bool *optionals = cel_take(c, k->room);
		for (uint32_t i = 0; i < k->n; i++) {
			nodes[i] = k->nodes[i];
			optionals[i] = k->optionals[i];
		}
		k->nodes = nodes;
		k->optionals = optionals;
	}
	k->optionals[k->n] = optional;
	k->nodes[k->n++] = node;
	k->any_optional |= optional;
}

/* --- what may begin an expression */
static struct node *literal(struct compilation *c)
{
	struct token t = c->token;
	struct node *node = cel_node_new(c, N_LITERAL, t.pos, t.pos + t.len);
	node->value = t.value;
	if (t.kind == T_TRUE || t.kind == T_FALSE)
		node->value = cel_bool(t.kind == T_TRUE);
	else if (t.kind == T_NULL)
		node->value = cel_null();
	else if (t.kind == T_INT) {
		node->value.kind = CEL_INT;
		if (t.value.u > INT64_MAX)
			cel_fault_at(c, t.pos, t.len, "the number is too large for an int");
	}
	cel_lex_next(c);
	return node;
}

static void arguments(struct compilation *c, struct kids *k)
{
	cel_lex_next(c);
	if (c->token.kind != T_RPAREN)
		do
			kids_add(c, k, expression(c, P_COND), false);
		while (!c->broken && accept(c, T_COMMA));
	expect(c, T_RPAREN, "a comma or ) is missing here");
}

static struct node *name(struct compilation *c)
{
	uint32_t pos = c->token.pos;
	bool root = accept(c, T_DOT);
	struct token t = c->token;
	if (t.kind != T_IDENT) {
		syntax(c, "a name is missing here");
		return NULL;
	}
	if (t.reserved) {
		syntax(c, "this word is reserved by the language; it can't be a name");
		return NULL;
	}
	cel_lex_next(c);
	struct node *node = cel_node_new(c, N_IDENT, pos, t.pos + t.len);
	node->name = cel_take_text(c, t.value.s, t.value.len);
	node->root = root;
	if (c->token.kind != T_LPAREN)
		return node;
	struct kids k = {0};
	node->kind = N_CALL;
	arguments(c, &k);
	node->len = c->end - pos;
	node->mark_len = t.len;
	node->mark = t.pos;
	cel_node_kids(c, node, k.nodes, k.n);
	return cel_expand(c, node);
}

static struct node *group(struct compilation *c)
{
	cel_lex_next(c);
	struct node *inner = expression(c, P_COND);
	expect(c, T_RPAREN, "a ) is missing here");
	/* (a.b).c is no qualified name: the bracket ends it */
	if (inner->kind == N_IDENT || (inner->kind == N_SELECT && cel_node_path(c, inner))) {
		struct node *wrap = cel_take(c, sizeof *wrap);
		*wrap = *inner;
		wrap->root = false;
		wrap->op = T_LPAREN;
		return wrap;
	}
	return inner;
}

/* The rest of a list or a map, to its closing bracket. */
static struct node *aggregate(struct compilation *c, int kind, enum token_kind close, const char *unclosed)
{
	struct kids k = {0};
	uint32_t pos = c->token.pos;
	cel_lex_next(c);
	while (c->token.kind != close && !c->broken) {
		bool optional = accept(c, T_QUESTION);
		kids_add(c, &k, expression(c, P_COND), optional);
		if (kind == N_MAP) {
			expect(c, T_COLON, "a : is missing between key and value");
			kids_add(c, &k, expression(c, P_COND), optional);
		}
		if (!accept(c, T_COMMA))
			break;
	}
	expect(c, close, unclosed);
	struct node *node = cel_node_new(c, kind, pos, c->end);
	node->optionals = k.any_optional ? k.optionals : NULL;
	cel_node_kids(c, node, k.nodes, k.n);
	return node;
}

static struct node *list(struct compilation *c)
{
	return aggregate(c, N_LIST, T_RBRACKET, "a comma or ] is missing here");
}

static struct node *map(struct compilation *c)
{
	return aggregate(c, N_MAP, T_RBRACE, "a comma or } is missing here");
}

/* A number with the minus before it: only so can the least int be written. */
static struct node *negative(struct compilation *c, uint32_t pos)
{
	struct token t = c->token;
	struct node *node = cel_node_new(c, N_LITERAL, pos, t.pos + t.len);
	if (t.kind == T_DOUBLE)
		node->value = cel_double(-t.value.d);
	else
		node->value = cel_int((int64_t)(0 - t.value.u));
	if (t.kind == T_INT && t.value.u > (uint64_t)INT64_MAX + 1)
		cel_fault_at(c, pos, node->len, "the number is too small for an int");
	cel_lex_next(c);
	while (!c->broken && table[c->token.kind].precedence >= P_MEMBER)
		node = table[c->token.kind].after(c, node);
	return node;
}

/* ! and -, each as often as it stands; pairs cancel, but for the type that they ask for. */
static struct node *unary(struct compilation *c)
{
	struct token first = c->token, last = first;
	uint32_t n = 0;
	for (; c->token.kind == first.kind; n++) {
		last = c->token;
		cel_lex_next(c);
	}
	struct node *node;
	if (first.kind == T_MINUS && (c->token.kind == T_INT || c->token.kind == T_DOUBLE)) {
		node = negative(c, last.pos);
		n--;
	} else {
		node = expression(c, P_MEMBER);
	}
	for (n = n > 2 ? 2 - n % 2 : n; n; n--) {
		struct node *outer = cel_node_new(c, N_UNARY, first.pos, c->end);
		outer->op = first.kind;
		outer->mark_len = 1;
		cel_node_kids(c, outer, &node, 1);
		node = outer;
	}
	return node;
}

/* --- what may follow one */
static struct node *binary(struct compilation *c, struct node *left)
{
	struct token t = c->token;
	cel_lex_next(c);
	struct node *kids[2] = {left, expression(c, table[t.kind].precedence + 1)};
	struct node *node = cel_node_new(c, N_BINARY, left->pos, c->end);
	node->op = t.kind;
	node->mark = t.pos;
	node->mark_len = t.len;
	cel_node_kids(c, node, kids, 2);
	return node;
}

/* && and ||: a chain is one node. */
static struct node *logic(struct compilation *c, struct node *left)
{
	struct kids k = {0};
	uint8_t kind = c->token.kind;
	struct token first = c->token;
	kids_add(c, &k, left, false);
	while (!c->broken && accept(c, kind))
		kids_add(c, &k, expression(c, table[kind].precedence + 1), false);
	struct node *node = cel_node_new(c, kind == T_AND ? N_AND : N_OR, left->pos, c->end);
	node->mark = first.pos;
	node->mark_len = first.len;
	cel_node_kids(c, node, k.nodes, k.n);
	return node;
}

static struct node *conditional(struct compilation *c, struct node *left)
{
	struct token t = c->token;
	cel_lex_next(c);
	struct node *yes = expression(c, P_OR);
	expect(c, T_COLON, "the : of ? : is missing here");
	struct node *kids[3] = {left, yes, expression(c, P_COND)};
	struct node *node = cel_node_new(c, N_COND, left->pos, c->end);
	node->mark = t.pos;
	node->mark_len = 1;
	cel_node_kids(c, node, kids, 3);
	return node;
}

static struct node *select_field(struct compilation *c, struct node *left)
{
	cel_lex_next(c);
	bool optional = accept(c, T_QUESTION);
	struct token t = c->token;
	if (t.kind != T_IDENT && t.kind != T_QUOTED && t.kind != T_IN) {
		syntax(c, "a field's name is missing after the dot");
		return left;
	}
	cel_lex_next(c);
	struct node *node = cel_node_new(c, N_SELECT, left->pos, c->end);
	node->name = cel_take_text(c, t.value.s, t.value.len);
	node->mark = t.pos;
	node->mark_len = t.len;
	node->optional = optional;
	if (c->token.kind != T_LPAREN || t.kind == T_QUOTED || optional) {
		node->op = t.kind;
		cel_node_kids(c, node, &left, 1);
		return node;
	}
	struct kids k = {0};
	kids_add(c, &k, left, false);
	node->kind = N_CALL;
	node->method = true;
	arguments(c, &k);
	node->len = c->end - node->pos;
	cel_node_kids(c, node, k.nodes, k.n);
	return cel_expand(c, node);
}

static struct node *index_of(struct compilation *c, struct node *left)
{
	uint32_t pos = c->token.pos;
	cel_lex_next(c);
	bool optional = accept(c, T_QUESTION);
	struct node *kids[2] = {left, expression(c, P_COND)};
	expect(c, T_RBRACKET, "a ] is missing here");
	struct node *node = cel_node_new(c, N_INDEX, left->pos, c->end);
	node->optional = optional;
	node->mark = pos;
	node->mark_len = c->end - pos;
	cel_node_kids(c, node, kids, 2);
	return node;
}

static struct node *message(struct compilation *c, struct node *left)
{
	syntax(c, cel_node_path(c, left) ? "there are no message types here; a map is written {'key': value}"
					 : "an operator is missing before {");
	return left;
}

static const struct row table[T_KINDS] = {
	[T_INT] = {.before = literal},
	[T_UINT] = {.before = literal},
	[T_DOUBLE] = {.before = literal},
	[T_STRING] = {.before = literal},
	[T_BYTES] = {.before = literal},
	[T_TRUE] = {.before = literal},
	[T_FALSE] = {.before = literal},
	[T_NULL] = {.before = literal},
	[T_IDENT] = {.before = name},
	[T_DOT] = {name, select_field, P_MEMBER},
	[T_LPAREN] = {.before = group},
	[T_LBRACKET] = {list, index_of, P_MEMBER},
	[T_LBRACE] = {map, message, P_MEMBER},
	[T_NOT] = {.before = unary},
	[T_MINUS] = {unary, binary, P_SUM},
	[T_PLUS] = {.after = binary, .precedence = P_SUM},
	[T_STAR] = {.after = binary, .precedence = P_PRODUCT},
	[T_SLASH] = {.after = binary, .precedence = P_PRODUCT},
	[T_PERCENT] = {.after = binary, .precedence = P_PRODUCT},
	[T_EQ] = {.after = binary, .precedence = P_RELATION},
	[T_NE] = {.after = binary, .precedence = P_RELATION},
	[T_LT] = {.after = binary, .precedence = P_RELATION},
	[T_LE] = {.after = binary, .precedence = P_RELATION},
	[T_GT] = {.after = binary, .precedence = P_RELATION},
	[T_GE] = {.after = binary, .precedence = P_RELATION},
	[T_IN] = {.after = binary, .precedence = P_RELATION},
	[T_AND] = {.after = logic, .precedence = P_AND},
	[T_OR] = {.after = logic, .precedence = P_OR},
	[T_QUESTION] = {.after = conditional, .precedence = P_COND},
};

const char *cel_node_path(struct compilation *c, const struct node *node)
{
	size_t len = 0;
	const struct node *n = node;
	for (; n->kind == N_SELECT; n = n->kids[0]) {
		if (n->optional || n->op == T_QUOTED || n->op == T_LPAREN)
			return NULL;
		len += strlen(n->name) + 1;
	}
	if (n->kind != N_IDENT || (n != node && n->op == T_LPAREN))
		return NULL;
	if (n == node)
		return n->name;
	len += strlen(n->name);
	char *path = cel_take(c, len + 1);
	for (n = node; n->kind == N_SELECT; n = n->kids[0]) {
		size_t part = strlen(n->name);
		len -= part;
		memcpy(path + len, n->name, part);
		path[--len] = '.';
	}
	memcpy(path, n->name, strlen(n->name));
	return path;
}

static bool token_is(const struct compilation *c, const char *text)
{
	return c->token.len == strlen(text) && memcmp(c->text + c->token.pos, text, c->token.len) == 0;
}

/* What stands where the expression should end. */
static const char *too_much(const struct compilation *c)
{
	if (c->token.kind == T_RPAREN)
		return "this ) has no ( before it";
	if (token_is(c, "and"))
		return "and is written &&";
	if (token_is(c, "or"))
		return "or is written ||";
	if (c->token.kind == T_COMMA)
		return "a comma has no meaning here, nor between the digits of a number";
	return "an operator is missing here, or this is too much";
}

struct node *cel_parse(struct compilation *c)
{
	cel_lex_next(c);
	if (c->token.kind == T_END && !c->broken) {
		syntax(c, "the expression is empty");
		return NULL;
	}
	struct node *root = expression(c, P_COND);
	if (!c->broken && c->token.kind != T_END)
		syntax(c, too_much(c));
	return c->broken || c->n_faults ? NULL : root;
}
