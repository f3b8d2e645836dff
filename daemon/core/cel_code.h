/* cel_code.h: what a program is made of: instructions over registers, and the tables beside them. */
#ifndef CEL_CODE_H
#define CEL_CODE_H
#include "cel_library.h"
#include "cel_run.h"

enum op {
#define OP(name) OP_##name,
#include "cel_op.def"
#undef OP
	OPS
};

/* Registers are counted from the frame's middle: temporaries and locals upward from 0, constants downward from -1. */
struct ins {
	uint16_t op;
	int16_t a, b, c;
	union {
		int64_t i;
		double d;
		struct {
			uint32_t target, other;
		};
		const struct cel_type *type;
		const struct overload *overload;
		const struct fusion *fusion;
		const struct cel_problem *problem;
		const bool *optionals;
		const struct cel_value *constant;
		const struct regex *regex;
	};
};

struct fusion { /* a comparison handed to a host function */
	const struct overload *overload;
	enum cel_compare op;
};

/* The code of a sub-expression and the register of its value, in order of their ends; for cel_trace. */
struct span {
	uint32_t start, end;
	int16_t reg;
	uint32_t pos, len;
};

struct missing { /* what a FIELD instruction says when the field is missing */
	uint32_t at;
	struct cel_problem problem;
};

struct read_fields {
	const struct cel_type *record;
	uint64_t bits;
};

struct cel_program {
	struct cel_options options;
	struct pool pool;
	char *text;
	struct ins *code;
	uint32_t *positions; /* of each instruction, a byte offset in the text */
	uint32_t n_code;
	struct cel_value *constants; /* the last first, as they lie in the frame */
	uint32_t n_constants, n_slots;
	struct span *spans;
	uint32_t n_spans;
	struct missing *missing;
	uint32_t n_missing;
	const struct cel_type *type;
	uint64_t cost;
	uint32_t *variables;
	uint32_t n_variables;
	struct read_fields *fields;
	uint32_t n_fields;
	const char *path[2]; /* root and name, where it is only that */
};

struct compilation;
struct node;
uint64_t cel_cost_of(const struct node *node);               /* the static estimate, after check */
void cel_generate(struct compilation *c, struct node *root); /* fills c->program */
/* Runs the code; seen may be NULL. */
struct cel_value cel_run_program(const struct cel_program *program, const struct cel_activation *activation,
				 cel_seen *seen, void *seen_ctx);

/* Operators on values that the fast paths don't take, errors and unknowns included; op is a token. */
struct cel_value cel_arithmetic(struct run *run, int op, struct cel_value a, struct cel_value b);
struct cel_value cel_negate(struct run *run, struct cel_value a);
struct cel_value cel_compare(struct run *run, int op, struct cel_value a, struct cel_value b); /* == != < ... */
struct cel_value cel_contains(struct run *run, struct cel_value a, struct cel_value in);       /* a in b */
struct cel_value cel_element(struct run *run, struct cel_value of, struct cel_value key, bool optional); /* of[key] */
struct cel_value cel_has_key(struct run *run, struct cel_value of, struct cel_value name);
struct cel_value cel_call_function(struct run *run, const struct overload *overload, const struct cel_value *args,
				   size_t n);
#endif
