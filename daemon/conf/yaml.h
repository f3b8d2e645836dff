/* YAML text as a tree of nodes that know their places, through libyaml's events.  Scalars stay text as written; what
 * would change text silently (tags, anchors, aliases, duplicate keys, tabs) is a fault.
 *
 * Nodes and their texts live in the arena given to yaml_read; places borrow the source's name. */
#ifndef CONF_YAML_H
#define CONF_YAML_H
#include "../util/err.h"

struct source { /* one file, or one value of the environment */
	const char *name;
	const char *text;
	size_t len;
	uint32_t *lines; /* byte offset of each line's begin */
	uint32_t n_lines;
};

enum node_kind { NODE_SCALAR, NODE_MAP, NODE_LIST };
enum node_style { STYLE_PLAIN, STYLE_SINGLE, STYLE_DOUBLE, STYLE_LITERAL, STYLE_FOLDED };
struct entry {
	struct node *key, *value; /* key: always a scalar; of a list: NULL */
};
struct node {
	enum node_kind kind;
	enum node_style style; /* of a scalar */
	bool bad;              /* a fault was told about it: its content is not what was meant */
	const struct source *source;
	uint32_t line, column; /* from 1, in characters */
	uint32_t start, end;   /* bytes in the source */
	struct str text;       /* of a scalar; terminated */
	struct entry *entries; /* of a map or a list, in the order written */
	uint32_t n;
};
struct document {
	struct node *root;
	bool broken; /* the text ends in a syntax fault: what was read until then */
};

/* Reads all documents of a text (empty ones are left out).  After a syntax fault reading goes on with the next
 * document. The name is borrowed, the text is copied. */
struct document *yaml_read(const char *name, const char *text, size_t len, struct arena *arena, struct faults *faults,
			   size_t *n);

struct place node_place(const struct node *n);
/* The place in the file of a byte of a scalar's text; offset may be the text's length.  Whatever the style: columns and
 * lines are the file's. */
struct place node_place_at(const struct node *n, size_t offset);
/* The value of a key, or NULL. */
struct node *node_get(const struct node *map, const char *key);
bool node_is(const struct node *scalar, const char *text);
bool node_empty(const struct node *n); /* nothing was written: `key:` */

/* --- shared by yaml.c and yaml_place.c */
void source_lines(struct source *s, struct arena *arena);
uint32_t source_offset(const struct source *s, uint32_t line, uint32_t column); /* both from 1 */
struct place source_place(const struct source *s, size_t offset);
#endif
