/* libyaml's events made into a tree.  What would change text silently is told as a fault here; what the text means is
 * for those who read the tree. */
#include "yaml.h"
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { MAX_DEPTH = 64 };

struct reading {
	struct source *source;
	struct arena *arena;
	struct faults *faults;
	yaml_parser_t parser;
	uint32_t base_line; /* lines of the source before the parser's text */
	struct node *stack[MAX_DEPTH];
	struct node *keys[MAX_DEPTH]; /* of a map: the key that waits for its value */
	uint32_t caps[MAX_DEPTH];
	uint32_t depth;
	uint32_t seen_line, seen_column, seen_offset; /* of the last mark: the next one is near */
	struct document *documents;
	size_t n, cap;
};

static uint32_t mark_offset(struct reading *r, yaml_mark_t mark)
{
	uint32_t line = r->base_line + (uint32_t)mark.line + 1, column = (uint32_t)mark.column + 1;
	if (line == r->seen_line && column >= r->seen_column) {
		struct source rest = *r->source;
		uint32_t from[1] = {r->seen_offset};
		rest.lines = from;
		rest.n_lines = 1;
		r->seen_offset = source_offset(&rest, 1, column - r->seen_column + 1);
	} else {
		r->seen_offset = source_offset(r->source, line, column);
	}
	r->seen_line = line;
	r->seen_column = column;
	return r->seen_offset;
}

static struct node *new_node(struct reading *r, enum node_kind kind, const yaml_event_t *event)
{
	struct node *n = arena_zero(r->arena, sizeof *n);
	n->kind = kind;
	n->source = r->source;
	n->line = r->base_line + (uint32_t)event->start_mark.line + 1;
	n->column = (uint32_t)event->start_mark.column + 1;
	n->start = mark_offset(r, event->start_mark);
	n->end = mark_offset(r, event->end_mark);
	n->text = STR("");
	if (n->line > r->source->n_lines) { /* libyaml ends a last line that has no line break */
		struct place end = source_place(r->source, r->source->len);
		n->line = end.line;
		n->column = end.column;
	}
	return n;
}

static int word_length(const char *s, const char *end)
{
	int n = 0;
	while (s + n < end && n < 40 && (unsigned char)s[n] > ' ')
		n++;
	return n;
}

/* Tags and anchors would take a part of the value away without a word. */
static void refuse_properties(struct reading *r, struct node *n)
{
	const char *s = r->source->text + n->start, *end = r->source->text + r->source->len;
	if (s >= end || (*s != '!' && *s != '&' && *s != '*'))
		return;
	int len = word_length(s, end);
	n->bad = true;
	if (*s == '!')
		faults_add(r->faults, node_place(n),
			   "a tag (`%.*s`), which YAML would take out of the value; quote a value that begins with `!`",
			   len, s);
	else if (*s == '&')
		faults_add(r->faults, node_place(n),
			   "an anchor (`%.*s`), which is not used here; quote a value that begins with `&`", len, s);
	else
		faults_add(r->faults, node_place(n),
			   "an alias (`%.*s`), which is not used here; quote a value that begins with `*`", len, s);
}

static void refuse_duplicate(struct reading *r, const struct node *map, const struct node *key)
{
	for (uint32_t i = 0; i + 1 < map->n; i++) {
		const struct node *other = map->entries[i].key;
		if (str_equal(other->text, key->text)) {
			faults_add(r->faults, node_place(key),
				   "the key `%s` is given twice, first in line %u; expected it once", key->text.s,
				   other->line);
			return;
		}
	}
}

static void push_entry(struct reading *r, struct entry entry)
{
	struct node *top = r->stack[r->depth - 1];
	uint32_t *cap = &r->caps[r->depth - 1];
	ARENA_PUSH_ROOM(r->arena, top->entries, top->n, *cap);
	top->entries[top->n++] = entry;
	if (entry.key)
		refuse_duplicate(r, top, entry.key);
}

/* Puts a finished or opened node where it belongs: a key, a value, an item or the document's root. */
static void place_node(struct reading *r, struct node *n)
{
	if (r->depth == 0) {
		ARENA_PUSH_ROOM(r->arena, r->documents, r->n, r->cap);
		r->documents[r->n++] = (struct document){n, true};
		return;
	}
	struct node *top = r->stack[r->depth - 1];
	if (top->kind == NODE_LIST) {
		push_entry(r, (struct entry){NULL, n});
	} else if (!r->keys[r->depth - 1]) {
		if (n->kind != NODE_SCALAR) {
			faults_add(r->faults, node_place(n), "a %s as a key; expected a name",
				   n->kind == NODE_MAP ? "map" : "list");
			struct node *key = arena_copy(r->arena, n, sizeof *n); /* keep the pairs in step */
			key->kind = NODE_SCALAR;
			key->bad = true;
			n->bad = true;
			r->keys[r->depth - 1] = key;
		} else {
			r->keys[r->depth - 1] = n;
		}
	} else {
		push_entry(r, (struct entry){r->keys[r->depth - 1], n});
		r->keys[r->depth - 1] = NULL;
	}
}

static enum node_style style_of(yaml_scalar_style_t style)
{
	static const enum node_style styles[] = {
		[YAML_SINGLE_QUOTED_SCALAR_STYLE] = STYLE_SINGLE,
		[YAML_DOUBLE_QUOTED_SCALAR_STYLE] = STYLE_DOUBLE,
		[YAML_LITERAL_SCALAR_STYLE] = STYLE_LITERAL,
		[YAML_FOLDED_SCALAR_STYLE] = STYLE_FOLDED,
	};
	return (size_t)style < sizeof styles / sizeof *styles ? styles[style] : STYLE_PLAIN;
}

static void on_scalar(struct reading *r, const yaml_event_t *event)
{
	struct node *n = new_node(r, NODE_SCALAR, event);
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	n->style = style_of(event->data.scalar.style);
	n->text = (struct str){arena_text(r->arena, text, len), (uint32_t)len};
	refuse_properties(r, n);
	if (!n->bad && memchr(text, '\0', len)) {
		faults_add(r->faults, node_place(n), "a zero byte in a text; expected characters");
		n->bad = true;
	}
	place_node(r, n);
}

/* False: nested too deeply. */
static bool on_open(struct reading *r, const yaml_event_t *event, enum node_kind kind)
{
	struct node *n = new_node(r, kind, event);
	refuse_properties(r, n);
	if (r->depth == MAX_DEPTH) {
		faults_add(r->faults, node_place(n), "nested more than %d deep; expected a flatter text", MAX_DEPTH);
		return false;
	}
	place_node(r, n);
	r->stack[r->depth] = n;
	r->keys[r->depth] = NULL;
	r->caps[r->depth++] = 0;
	return true;
}

static void on_alias(struct reading *r, const yaml_event_t *event)
{
	struct node *n = new_node(r, NODE_SCALAR, event);
	refuse_properties(r, n);
	n->bad = true;
	place_node(r, n);
}

/* The first value of a line where it begins with a character that no plain value may begin with; NULL: it doesn't. */
static const char *bad_start(const struct source *s, uint32_t line)
{
	const char *p = s->text + source_offset(s, line, 1), *end = s->text + s->len;
	while (p < end && (*p == ' ' || *p == '-'))
		p++;
	while (p + 1 < end && *p != '\n' && !(*p == ':' && p[1] == ' '))
		p++;
	if (p + 1 >= end || *p != ':')
		return NULL;
	p++;
	while (p < end && *p == ' ')
		p++;
	return p < end && memchr("!&*[{|>%@`\"'", *p, 11) ? p : NULL;
}

static bool problem_is(const yaml_parser_t *p, const char *text)
{
	return (p->problem && strstr(p->problem, text)) || (p->context && strstr(p->context, text));
}

/* libyaml's complaint as a sentence for people; the place may move to where the mistake begins. */
static const char *explain(struct reading *r, uint32_t *offset, uint32_t line)
{
	const yaml_parser_t *p = &r->parser;
	const char *s = r->source->text + *offset, *end = r->source->text + r->source->len;
	const char *problem = p->problem ? p->problem : "?", *start = bad_start(r->source, line);
	if (s < end && *s == '\t')
		return "a tab; expected spaces (YAML indents with spaces only)";
	if (problem_is(p, "flow mapping") || problem_is(p, "flow sequence"))
		return problem_is(p, "flow mapping") ? "a `{` that is not closed before this; expected `,` or `}` "
						       "(quote a value in it that holds `, `, `[` or `{`)"
						     : "a `[` that is not closed before this; expected `,` or `]` "
						       "(quote a value in it that holds `, `, `[` or `{`)";
	if (problem_is(p, "quoted")) {
		*offset = mark_offset(r, p->context_mark); /* where they begin */
		return "quotes that are not closed; expected the closing quote";
	}
	if (start) {
		*offset = (uint32_t)(start - r->source->text);
		return arena_printf(r->arena,
				    "a value that begins with `%c` (YAML: %s); quote the whole value, or use `>-`",
				    *start, problem);
	}
	if (problem_is(p, "mapping values are not allowed"))
		return "a second `: ` in the line, or a line indented too far; expected one `key: value` (quote a "
		       "value that "
		       "holds `: `, or use `>-`)";
	if (problem_is(p, "could not find expected ':'"))
		return "a line without `: `; expected `key: value`";
	if (problem_is(p, "did not find expected key"))
		return "indented differently from the lines before; expected the next key in their column";
	if (problem_is(p, "did not find expected '-' indicator"))
		return "indented differently from the list before; expected the next `-` in its column";
	return arena_printf(r->arena, "not YAML: %s%s%s; expected `key: value` lines, indented with spaces",
			    p->context ? p->context : "", p->context ? ", " : "", problem);
}

static void on_error(struct reading *r, size_t parsed_from)
{
	const yaml_parser_t *p = &r->parser;
	if (p->error == YAML_READER_ERROR) {
		bool control = p->problem && strstr(p->problem, "control");
		faults_add(r->faults, source_place(r->source, parsed_from + p->problem_offset),
			   control ? "a control character (0x%02X); expected text"
				   : "a byte that is no UTF-8 (0x%02X); expected the file to be saved as UTF-8",
			   (unsigned)p->problem_value);
		return;
	}
	uint32_t offset = mark_offset(r, p->problem_mark);
	const char *text = explain(r, &offset, r->base_line + (uint32_t)p->problem_mark.line + 1);
	faults_add(r->faults, source_place(r->source, offset), "%s", text);
}

/* One event into the tree; false: stop here. */
static bool on_event(struct reading *r, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		on_scalar(r, event);
		return true;
	case YAML_ALIAS_EVENT:
		on_alias(r, event);
		return true;
	case YAML_MAPPING_START_EVENT:
		return on_open(r, event, NODE_MAP);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(r, event, NODE_LIST);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		r->depth--;
		r->stack[r->depth]->end = mark_offset(r, event->end_mark);
		return true;
	case YAML_DOCUMENT_END_EVENT:
		if (r->n && node_empty(r->documents[r->n - 1].root))
			r->n--; /* an empty document */
		else if (r->n)
			r->documents[r->n - 1].broken = false;
		return true;
	default:
		return true;
	}
}

/* Parses from a byte on; returns the byte after which reading may go on: the source's length when all is read. */
static size_t parse(struct reading *r, size_t from)
{
	yaml_event_t event;
	bool done = false, good = true;
	if (!yaml_parser_initialize(&r->parser))
		abort();
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)r->source->text + from, r->source->len - from);
	r->depth = 0;
	r->seen_line = 0;
	while (good && !done) {
		good = yaml_parser_parse(&r->parser, &event);
		if (!good) {
			on_error(r, from);
			break;
		}
		done = event.type == YAML_STREAM_END_EVENT;
		good = on_event(r, &event);
		yaml_event_delete(&event);
	}
	size_t line = r->base_line + 1; /* a later one, at or after the fault */
	if (r->parser.error != YAML_READER_ERROR && r->parser.error &&
	    r->base_line + r->parser.problem_mark.line > line)
		line = r->base_line + r->parser.problem_mark.line;
	yaml_parser_delete(&r->parser);
	if (good)
		return r->source->len;
	for (; line < r->source->n_lines; line++) { /* a document begins at `---`, always */
		uint32_t at = r->source->lines[line];
		if (r->source->len - at >= 3 && memcmp(r->source->text + at, "---", 3) == 0 &&
		    (at + 3 == r->source->len || strchr(" \t\r\n", r->source->text[at + 3])))
			return at;
	}
	return r->source->len;
}

struct document *yaml_read(const char *name, const char *text, size_t len, struct arena *arena, struct faults *faults,
			   size_t *n)
{
	struct reading r = {.arena = arena, .faults = faults};
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	r.source = arena_zero(arena, sizeof *r.source);
	*r.source = (struct source){.name = name, .text = arena_text(arena, text, len), .len = len};
	source_lines(r.source, arena);
	for (size_t from = 0; from < len;) {
		r.base_line = source_place(r.source, from).line - 1;
		from = parse(&r, from);
	}
	*n = r.n;
	return r.documents;
}

struct node *node_get(const struct node *map, const char *key)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (uint32_t i = 0; i < map->n; i++)
		if (node_is(map->entries[i].key, key))
			return map->entries[i].value;
	return NULL;
}

bool node_is(const struct node *scalar, const char *text)
{
	return scalar && scalar->kind == NODE_SCALAR && str_equal(scalar->text, str_of(text));
}

bool node_empty(const struct node *n)
{
	return n->kind == NODE_SCALAR && n->style == STYLE_PLAIN && n->text.len == 0;
}
