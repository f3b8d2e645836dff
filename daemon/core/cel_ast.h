/* cel_ast.h: the syntax tree of one expression; all of it lives in the compilation's pool. */
#ifndef CEL_AST_H
#define CEL_AST_H
#include "cel_compilation.h"

enum node_kind {
	N_LITERAL,
	N_IDENT,
	N_SELECT,
	N_INDEX,
	N_CALL,
	N_UNARY,
	N_BINARY,
	N_AND,
	N_OR,
	N_COND,
	N_LIST,
	N_MAP,
	N_LOOP,
	N_BIND,
	N_OPTMAP,
	N_KNOWN
};

enum loop_kind { LOOP_ALL, LOOP_EXISTS, LOOP_ONE, LOOP_FILTER, LOOP_LIST, LOOP_MAP, LOOP_ENTRIES };

struct node {
	uint8_t kind;
	uint8_t op;              /* N_UNARY, N_BINARY: token; N_LOOP: enum loop_kind */
	bool method;             /* N_CALL: kids[0] is the receiver */
	bool optional;           /* N_SELECT, N_INDEX: .? and [?]; N_OPTMAP: flat */
	bool test;               /* N_SELECT: has() */
	bool root;               /* N_IDENT: written with a leading dot */
	bool faulty;             /* a fault in it has been reported */
	bool folded;             /* whether it is constant has been tried */
	uint16_t depth;          /* of the tree below */
	uint32_t pos, len;       /* its text */
	uint32_t mark, mark_len; /* where a fault of it points: the operator or the name */
	uint32_t n;
	struct node **kids; /* N_LOOP: range, body, and maybe filter; N_BIND: init, body; N_OPTMAP: target, body */
	const char *name;   /* N_IDENT, N_SELECT, N_CALL */
	const char *vars[2];
	const bool *optionals; /* N_LIST, N_MAP: one per element or entry, NULL: none */
	struct cel_value value;
	/* what the checker found: */
	const struct cel_type *type;
	int64_t variable; /* the declared variable or -1; the local's number; what binds: its first local's */
	const struct overload *overload; /* N_CALL, and comparisons of a call */
	bool local;                      /* N_IDENT: a loop's or a bind's */
	bool to_double;                  /* its int result becomes a double (mixed_arithmetic) */
	const char *message;             /* faulty in a dynamic env: the error that it evaluates to */
};

enum { MAX_NESTING = 250, MAX_DEPTH = 1000 };

struct node *cel_parse(struct compilation *c); /* the whole text; NULL after a syntax fault */
struct node *cel_node_new(struct compilation *c, int kind, uint32_t pos, uint32_t end);
void cel_node_kids(struct compilation *c, struct node *node, struct node *const *kids, uint32_t n);
/* A call that names a macro becomes what the macro means; else it is returned as it is. */
struct node *cel_expand(struct compilation *c, struct node *call);
unsigned
cel_macro_names(const char *macro); /* how many names it binds at least; 0: there is no such macro over a list */
/* The dotted name that the node spells, or NULL. */
const char *cel_node_path(struct compilation *c, const struct node *node);
void cel_check(struct compilation *c, struct node *root);
#endif
