/* Compiles expressions out of YAML scalars: CEL's faults at their places in the file, and the time zones they name. */
#include "expr.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- time zones */
enum { MAX_TZIF = 256 * 1024 };

static struct cel_zone *read_zone(const char *name)
{
	char path[512];
	snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
	FILE *f = fopen(path, "re");
	if (!f)
		return NULL;
	char *bytes = malloc(MAX_TZIF);
	if (!bytes)
		abort();
	size_t n = fread(bytes, 1, MAX_TZIF, f);
	fclose(f);
	struct cel_zone *zone = n < MAX_TZIF ? cel_zone_new(bytes, n) : NULL;
	free(bytes);
	return zone;
}

static bool zone_name(const char *name, size_t len)
{
	if (len == 0 || len > 64 || name[0] == '/' || name[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/", name[i]) || !name[i])
			return false;
	return true;
}

const struct cel_zone *find_zone(void *zone_shelf, const char *name, size_t len)
{
	struct zone_shelf *shelf = zone_shelf;
	struct ruleset *r = shelf->r;
	struct str wanted = {name, (uint32_t)len};
	for (size_t i = 0; i < r->n_zones; i++)
		if (str_equal(wanted, str_of(r->zone_names[i])))
			return r->zones[i];
	if (shelf->closed || !zone_name(name, len))
		return NULL;
	char *kept = arena_text(&r->arena, name, len);
	struct cel_zone *zone = read_zone(kept);
	if (!zone)
		return NULL;
	struct cel_zone **zones = ARENA_ARRAY(&r->arena, struct cel_zone *, r->n_zones + 1);
	const char **names = ARENA_ARRAY(&r->arena, const char *, r->n_zones + 1);
	for (size_t i = 0; i < r->n_zones; i++) {
		zones[i] = r->zones[i];
		names[i] = r->zone_names[i];
	}
	zones[r->n_zones] = zone;
	names[r->n_zones++] = kept;
	r->zones = zones;
	r->zone_names = names;
	return zone;
}

/* The zones that a text names must be on the shelf when it is evaluated. */
static void shelve_zones(struct loader *l, struct str text)
{
	struct scan s = {.text = text};
	struct token t;
	while (scan_next(&s, &t))
		if (t.kind == TOKEN_TEXT)
			find_zone(l->zones, text.s + t.pos, t.len);
}

/* --- expressions */
struct place_of_expression {
	struct loader *l;
	const struct node *node;
	size_t from;
};

static void on_fault(void *ctx, uint32_t pos, uint32_t len, const char *message)
{
	const struct place_of_expression *p = ctx;
	(void)len;
	faults_add(p->l->faults, node_place_at(p->node, p->from + pos), "%s", message);
}

struct cel_program *compile_part_of(struct loader *l, struct cel_env *env, const struct node *n, size_t from,
				    size_t len, unsigned kinds, const char *expected)
{
	struct place_of_expression p = {l, n, from};
	shelve_zones(l, (struct str){n->text.s + from, (uint32_t)len});
	struct cel_program *program = cel_compile(env, n->text.s + from, len, on_fault, &p);
	if (!program)
		return NULL;
	enum cel_kind kind = cel_type_kind(cel_program_type(program));
	if (kind == CEL_UNKNOWN || (kinds & KIND_BIT(kind)))
		return program;
	faults_add(l->faults, node_place_at(n, from), "the expression is of type %s; expected %s",
		   cel_type_name(cel_program_type(program)), expected);
	cel_program_free(program);
	return NULL;
}

struct cel_program *compile_expression(struct loader *l, struct cel_env *env, const struct node *n, unsigned kinds,
				       const char *expected)
{
	if (!read_scalar(l, n, "the expression"))
		return NULL;
	return compile_part_of(l, env, n, 0, n->text.len, kinds, expected);
}

struct cel_env *new_env(struct loader *l)
{
	struct cel_env *env = cel_env_new(&(struct cel_options){
		.mixed_arithmetic = true,
		.refuse_int_division = true,
		.refuse_utc_getters = true,
		.has_name = true,
		.list_sum = true,
		.cost_limit = l->r->cost_limit,
		.zone = find_zone,
		.zone_ctx = l->zones,
	});
	engine_declare_functions(env);
	return env;
}
