/* cel_compilation.h: one compilation under way: its text, its memory, its faults. */
#ifndef CEL_COMPILATION_H
#define CEL_COMPILATION_H
#include "cel_token.h"
#include "cel_type.h"
#include <setjmp.h>

struct fault {
	uint32_t pos, len;
	const char *message;
};
struct compilation {
	struct cel_env *env;
	const char *text;
	uint32_t len;
	struct pool pool;  /* the tree and the faults; freed after compile */
	struct pool *kept; /* the program's: what literals hold */
	char *scratch;     /* room for the longest string */
	jmp_buf out;       /* memory is out (1), or the expression is too large (2) */
	struct fault *faults;
	uint32_t n_faults, room_faults;
	uint32_t at;        /* the lexer's place */
	struct token token; /* the parser's current one */
	uint32_t end;       /* of the token before it */
	uint32_t nesting;
	uint32_t n_locals;
	bool broken;                 /* a syntax fault: the rest is skipped */
	struct cel_program *program; /* under construction */
};
enum { MAX_FAULTS = 20 };

void *cel_take(struct compilation *c, size_t size); /* from the pool, never NULL */
char *cel_take_text(struct compilation *c, const char *s, size_t len);
__attribute__((format(printf, 4, 5))) void cel_fault_at(struct compilation *c, uint32_t pos, uint32_t len,
							const char *format, ...);

void cel_lex_next(struct compilation *c); /* reads c->token */
#endif
