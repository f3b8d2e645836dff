/* cel_ast.h: tokens and the syntax tree of one expression; all of it lives in the compilation's pool. */
#ifndef CEL_AST_H
#define CEL_AST_H
#include "cel_type.h"
#include <setjmp.h>

enum token_kind {
	T_END, T_FAULT, T_INT, T_UINT, T_DOUBLE, T_STRING, T_BYTES, T_IDENT, T_QUOTED, T_TRUE, T_FALSE, T_NULL, T_IN,
	T_LPAREN, T_RPAREN, T_LBRACKET, T_RBRACKET, T_LBRACE, T_RBRACE, T_DOT, T_COMMA, T_COLON, T_QUESTION,
	T_OR, T_AND, T_NOT, T_EQ, T_NE, T_LT, T_LE, T_GT, T_GE, T_PLUS, T_MINUS, T_STAR, T_SLASH, T_PERCENT,
	T_KINDS
};

struct token {
	uint8_t kind;
	bool reserved;  /* T_IDENT that may only stand after a dot */
	uint32_t pos, len;
	struct cel_value value; /* literals; T_INT: u holds the magnitude */
};

enum node_kind {
	N_LITERAL, N_IDENT, N_SELECT, N_INDEX, N_CALL, N_UNARY, N_BINARY, N_AND, N_OR, N_COND, N_LIST, N_MAP,
	N_LOOP, N_BIND, N_OPTMAP, N_KNOWN
};

enum loop_kind { LOOP_ALL, LOOP_EXISTS, LOOP_ONE, LOOP_FILTER, LOOP_LIST, LOOP_MAP, LOOP_ENTRIES };

struct node {
	uint8_t kind;
	uint8_t op;        /* N_UNARY, N_BINARY: token; N_LOOP: enum loop_kind */
	bool method;       /* N_CALL: kids[0] is the receiver */
	bool optional;     /* N_SELECT, N_INDEX: .? and [?]; N_OPTMAP: flat */
	bool test;         /* N_SELECT: has() */
	bool root;         /* N_IDENT: written with a leading dot */
	bool faulty;       /* a fault in it has been reported */
	bool folded;       /* whether it is constant has been tried */
	uint16_t depth;    /* of the tree below */
	uint32_t pos, len; /* its text */
	uint32_t mark, mark_len; /* where a fault of it points: the operator or the name */
	uint32_t n;
	struct node **kids; /* N_LOOP: range, body, and maybe filter; N_BIND: init, body; N_OPTMAP: target, body */
	const char *name;   /* N_IDENT, N_SELECT, N_CALL */
	const char *vars[2];
	const bool *optionals; /* N_LIST, N_MAP: one per element or entry, NULL: none */
	struct cel_value value;
	/* what the checker found: */
	const struct cel_type *type;
	int64_t variable;                /* the declared variable or -1; the local's number; what binds: its first local's */
	const struct overload *overload; /* N_CALL, and comparisons of a call */
	bool local;                      /* N_IDENT: a loop's or a bind's */
	bool to_double;                  /* its int result becomes a double (mixed_arithmetic) */
	const char *message;             /* faulty in a dynamic env: the error that it evaluates to */
};

/* One compilation. */
struct fault {
	uint32_t pos, len;
	const char *message;
};
struct compilation {
	struct cel_env *env;
	const char *text;
	uint32_t len;
	struct pool pool; /* the tree and the faults; freed after compile */
	struct pool *kept; /* the program's: what literals hold */
	char *scratch;    /* room for the longest string */
	jmp_buf out;      /* memory is out (1), or the expression is too large (2) */
	struct fault *faults;
	uint32_t n_faults, room_faults;
	uint32_t at; /* the lexer's place */
	struct token token; /* the parser's current one */
	uint32_t end; /* of the token before it */
	uint32_t nesting;
	uint32_t n_locals;
	bool broken; /* a syntax fault: the rest is skipped */
	struct cel_program *program; /* under construction */
};
enum { MAX_NESTING = 250, MAX_DEPTH = 1000, MAX_FAULTS = 20 };

void *cel_take(struct compilation *c, size_t size); /* from the pool, never NULL */
char *cel_take_text(struct compilation *c, const char *s, size_t len);
__attribute__((format(printf, 4, 5))) void cel_fault_at(struct compilation *c, uint32_t pos, uint32_t len, const char *format, ...);

void cel_lex_next(struct compilation *c);       /* reads c->token */
struct node *cel_parse(struct compilation *c);  /* the whole text; NULL after a syntax fault */
struct node *cel_node_new(struct compilation *c, int kind, uint32_t pos, uint32_t end);
void cel_node_kids(struct compilation *c, struct node *node, struct node *const *kids, uint32_t n);
/* A call that names a macro becomes what the macro means; else it is returned as it is. */
struct node *cel_expand(struct compilation *c, struct node *call);
/* The dotted name that the node spells, or NULL. */
const char *cel_node_path(struct compilation *c, const struct node *node);
void cel_check(struct compilation *c, struct node *root);
#endif
