/* Fingerprints: FNV-1a, 64 bits, over what is written, whatever the order of keys, the comments and the layout. */
#include "load.h"
#include <string.h>

static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t len)
{
	const unsigned char *s = bytes;
	for (size_t i = 0; i < len; i++)
		h = (h ^ s[i]) * 1099511628211u;
	return h;
}

static uint64_t hash_number(uint64_t h, uint64_t n)
{
	unsigned char bytes[8]; /* little-endian on every machine: states move between them */
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(n >> (8 * i));
	return hash_bytes(h, bytes, sizeof bytes);
}

static uint64_t hash_text(uint64_t h, const char *text)
{
	return text ? hash_bytes(hash_number(h, strlen(text)), text, strlen(text)) : hash_number(h, UINT64_MAX);
}

static const uint64_t HASH_START = 14695981039346656037u;

/* A tree; NULL counts as such.  The entries of a map are added up: their order says nothing. */
static uint64_t hash_node(const struct node *n)
{
	uint64_t h = hash_number(HASH_START, n ? (uint64_t)n->kind : 9);
	if (!n)
		return h;
	if (n->kind == NODE_SCALAR)
		return hash_text(h, n->text.s);
	uint64_t sum = 0;
	for (uint32_t i = 0; i < n->n; i++) {
		uint64_t value = hash_node(n->entries[i].value);
		if (n->kind == NODE_LIST)
			h = hash_number(h, value);
		else
			sum += hash_number(hash_text(HASH_START, n->entries[i].key->text.s), value);
	}
	return hash_number(h, sum);
}

static const struct config_document *find_document(const struct loader *l, enum document_kind kind, const char *name)
{
	for (size_t i = 0; i < l->docs->n; i++)
		if (l->docs->list[i].kind == kind && node_is(l->docs->list[i].root->entries[0].value, name))
			return &l->docs->list[i];
	return NULL;
}

static uint64_t hash_document(const struct loader *l, uint64_t h, enum document_kind kind, const char *name)
{
	const struct config_document *d = find_document(l, kind, name);
	return hash_number(hash_number(h, (uint64_t)kind), hash_node(d ? d->root : NULL));
}

/* Time and place: what every rule depends on. */
static uint64_t hash_settings(const struct loader *l)
{
	uint64_t h = hash_text(HASH_START, l->settings->timezone);
	for (size_t i = 0; i < l->r->n_levels; i++)
		h = hash_text(h, l->r->levels[i]);
	h = hash_number(h, l->r->cost_limit);
	return hash_document(l, h, DOC_CALENDAR, l->settings->calendar);
}

/* The definition of a name that a rule reads. */
static uint64_t hash_name(const struct loader *l, uint64_t h, const struct watch *w, const struct name *name)
{
	static const char *const parts[] = {[NAME_FACT] = "facts",
					    [NAME_MEMBERS] = "members",
					    [NAME_MEASURE] = "measures",
					    [NAME_DERIVED] = "derived",
					    [NAME_EACH] = "members"};
	const struct node *root = l->watch_nodes[w->index];
	const char *of = name->text;
	if (name->kind == NAME_THRESHOLD)
		return hash_text(hash_document(l, h, DOC_THRESHOLD, l->r->thresholds[name->index].name),
				 w->region >= 0 ? w->facts[w->region].name : NULL);
	if (name->kind == NAME_TODAY || name->kind == NAME_SINCE)
		return hash_text(h, of);
	if (name->kind == NAME_EACH)
		of = w->lists[name->index].name;
	if (name->kind == NAME_MEASURE) {
		const char *base = w->measures[w->measures[name->index].base].name;
		h = hash_number(hash_text(h, base), hash_node(node_get(node_get(root, "measures"), base)));
	}
	return hash_number(hash_text(h, of), hash_node(node_get(node_get(root, parts[name->kind]), of)));
}

static uint64_t hash_rule(const struct loader *l, const struct rule *rule, const struct node *root)
{
	static const char *const keys[] = {"each", "per", "levels", "clear", "hold", "keep"};
	uint64_t h = hash_text(hash_settings(l), rule->name);
	h = hash_text(h, rule->watch->name);
	for (size_t i = 0; i < COUNT(keys); i++)
		h = hash_number(h, hash_node(node_get(root, keys[i])));
	for (size_t i = 0; i < rule->n_reads; i++)
		h = hash_name(l, h, rule->watch, &rule->watch->names[rule->reads[i]]);
	return h;
}

static uint64_t hash_layout(const struct watch *w)
{
	uint64_t h = hash_text(HASH_START, w->name);
	for (size_t i = 0; i < w->n_facts; i++)
		h = hash_number(hash_text(h, w->facts[i].name), (uint64_t)w->facts[i].type * 2 + w->facts[i].money);
	for (size_t i = 0; i < w->n_lists; i++) {
		h = hash_text(h, w->lists[i].name);
		for (size_t k = 0; k < w->lists[i].n_fields; k++) {
			const struct field *f = &w->lists[i].fields[k];
			h = hash_number(hash_text(h, f->name), (uint64_t)f->type * 2 + f->money);
		}
	}
	for (size_t i = 0; i < w->n_measures; i++)
		if (w->measures[i].base == i)
			h = hash_number(hash_text(h, w->measures[i].name),
					(uint64_t)w->measures[i].count * 2 + w->measures[i].money);
	return h;
}

/* --- what the subjects of one watch depend on */

static void reach_threshold(const struct rule *rule, bool *reached)
{
	for (size_t i = 0; i < rule->n_reads; i++) {
		const struct name *name = &rule->watch->names[rule->reads[i]];
		if (name->kind == NAME_THRESHOLD)
			reached[name->index] = true;
	}
}

/* With the units that take over from it. */
static void reach_unit(const struct ruleset *r, uint32_t unit, bool *reached)
{
	const struct unit *u = &r->units[unit];
	if (reached[unit])
		return;
	reached[unit] = true;
	if (u->otherwise >= 0)
		reach_unit(r, (uint32_t)u->otherwise, reached);
	for (size_t i = 0; i < u->n_escalate; i++)
		reach_unit(r, u->escalate[i], reached);
}

static uint64_t hash_watch(struct loader *l, const struct watch *w)
{
	const struct ruleset *r = l->r;
	bool *thresholds = ARENA_ARRAY(&l->scratch, bool, r->n_thresholds);
	bool *units = ARENA_ARRAY(&l->scratch, bool, r->n_units);
	uint64_t h = hash_document(l, hash_settings(l), DOC_WATCH, w->name);
	for (size_t i = 0; i < w->n_rules; i++) {
		const struct rule *rule = r->rules[w->rules[i]];
		h = hash_document(l, h, DOC_RULE, rule->name);
		reach_threshold(rule, thresholds);
		for (size_t k = 0; k < rule->n_units; k++)
			reach_unit(r, rule->units[k], units);
	}
	for (size_t i = 0; i < r->n_thresholds; i++)
		if (thresholds[i])
			h = hash_document(l, h, DOC_THRESHOLD, r->thresholds[i].name);
	for (size_t i = 0; i < r->n_units; i++)
		if (units[i])
			h = hash_document(l, h, DOC_UNIT, r->units[i].name);
	return h;
}

void find_fingerprints(struct loader *l)
{
	struct ruleset *r = l->r;
	uint64_t h = hash_settings(l);
	for (size_t i = 0; i < r->n_watches; i++) {
		r->watches[i]->layout = hash_layout(r->watches[i]);
		r->watches[i]->fingerprint = hash_watch(l, r->watches[i]);
		h = hash_document(l, h, DOC_WATCH, r->watches[i]->name);
	}
	for (size_t i = 0; i < r->n_rules; i++) {
		r->rules[i]->fingerprint = hash_rule(l, r->rules[i], l->rule_nodes[i]);
		h = hash_document(l, h, DOC_RULE, r->rules[i]->name);
	}
	for (size_t i = 0; i < r->n_thresholds; i++)
		h = hash_document(l, h, DOC_THRESHOLD, r->thresholds[i].name);
	for (size_t i = 0; i < r->n_units; i++)
		h = hash_document(l, h, DOC_UNIT, r->units[i].name);
	r->fingerprint = h;
}
