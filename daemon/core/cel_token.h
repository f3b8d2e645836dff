/* cel_token.h: what the lexer reads; operators keep their token's name to the end. */
#ifndef CEL_TOKEN_H
#define CEL_TOKEN_H
#include "cel.h"

enum token_kind {
	T_END,
	T_FAULT,
	T_INT,
	T_UINT,
	T_DOUBLE,
	T_STRING,
	T_BYTES,
	T_IDENT,
	T_QUOTED,
	T_TRUE,
	T_FALSE,
	T_NULL,
	T_IN,
	T_LPAREN,
	T_RPAREN,
	T_LBRACKET,
	T_RBRACKET,
	T_LBRACE,
	T_RBRACE,
	T_DOT,
	T_COMMA,
	T_COLON,
	T_QUESTION,
	T_OR,
	T_AND,
	T_NOT,
	T_EQ,
	T_NE,
	T_LT,
	T_LE,
	T_GT,
	T_GE,
	T_PLUS,
	T_MINUS,
	T_STAR,
	T_SLASH,
	T_PERCENT,
	T_KINDS
};

struct token {
	uint8_t kind;
	bool reserved; /* T_IDENT that may only stand after a dot */
	uint32_t pos, len;
	struct cel_value value; /* literals; T_INT: u holds the magnitude */
};
#endif
