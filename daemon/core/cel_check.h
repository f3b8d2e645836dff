/* cel_check.h: the checker's state, shared by its two files: names and structure, operators and calls. */
#ifndef CEL_CHECK_H
#define CEL_CHECK_H
#include "cel_ast.h"
#include "cel_library.h"

struct local {
	const char *name;
	const struct cel_type *type;
	uint32_t id;
	struct local *outer;
};
struct checker {
	struct compilation *c;
	struct cel_env *env;
	struct local *locals; /* the innermost */
	uint32_t n_locals;    /* ever made */
};

void cel_check_node(struct checker *k, struct node *node);
void cel_check_call(struct checker *k, struct node *node);
void cel_check_unary(struct checker *k, struct node *node);
void cel_check_binary(struct checker *k, struct node *node);
/* With mixed_arithmetic: where one is a double, the other's int becomes one. */
void cel_mix(struct checker *k, struct node *a, struct node *b);
/* Reports a fault of the node, once; in a dynamic env it is kept as the node's message instead. */
__attribute__((format(printf, 5, 6))) void cel_wrong(struct checker *k, struct node *node, uint32_t pos, uint32_t len,
						     const char *format, ...);
const struct cel_type *cel_basic(const struct checker *k, int kind);
void cel_mix_all(struct checker *k, struct node *node); /* the same for a list or arguments */
/* Two numbers, or lists or maps of them, counted in different units: told at the node, where they meet. */
bool cel_same_unit(struct checker *k, struct node *node, const char *what, const struct cel_type *a,
		   const struct cel_type *b);
bool cel_is_local(const struct checker *k, const char *name);
#endif
