/* cel_generate.h: the generator's state, shared by its files: registers and structure, operators and calls, loops. */
#ifndef CEL_GENERATE_H
#define CEL_GENERATE_H
#include "cel_ast.h"
#include "cel_code.h"

struct generator {
	struct compilation *c;
	struct cel_program *program;
	uint32_t room_code, room_constants, room_spans, room_missing;
	int32_t top, most; /* registers in use, and at most */
	int16_t *locals;   /* register of each local */
	bool *reads;       /* of each variable of the env */
};

/* Emits code that leaves the node's value in dst. */
void cel_into(struct generator *g, struct node *node, int16_t dst);
/* The register of the node's value: its own where it has one, else dst, after code. */
int16_t cel_operand(struct generator *g, struct node *node, int16_t dst);
int16_t cel_temporary(struct generator *g, int n);
int16_t cel_constant(struct generator *g, struct cel_value value);
struct ins *cel_emit(struct generator *g, const struct node *node, enum op op, int a, int b, int c);
uint32_t cel_here(const struct generator *g);
/* The instruction at an index: the array moves when it grows. */
struct ins *cel_at(struct generator *g, uint32_t i);
/* The node's value goes somewhere where all fields of its records may be read. */
void cel_whole(struct generator *g, const struct node *node);
void *cel_keep(struct generator *g, size_t size); /* in the program's pool, never NULL */

void cel_into_call(struct generator *g, struct node *node, int16_t dst);
void cel_into_unary(struct generator *g, struct node *node, int16_t dst);
void cel_into_binary(struct generator *g, struct node *node, int16_t dst);
void cel_into_loop(struct generator *g, struct node *node, int16_t dst);
/* Turns the node into a literal where all it needs is known. */
void cel_fold(struct generator *g, struct node *node);
#endif
