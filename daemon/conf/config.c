/* Loads a configuration: documents, settings, ruleset, what follows from them; then all faults at once. */
#include "config.h"
#include "load_settings.h"

static const struct node *settings_root(const struct documents *docs)
{
	for (size_t i = 0; i < docs->n; i++)
		if (docs->list[i].kind == DOC_SETTINGS)
			return docs->list[i].root;
	return NULL;
}

static void load_all(struct loader *l)
{
	const struct node *root = settings_root(l->docs);
	if (!root && !l->faults->errors)
		faults_add(l->faults, (struct place){"shouwang.yaml", 0, 0},
			   "there are no settings; expected a document that begins with `instance: NAME`");
	load_settings(l, root);
	if (!l->r->zone) {
		faults_add(l->faults, (struct place){"/usr/share/zoneinfo", 0, 0},
			   "holds no time zones; expected the package tzdata");
		return;
	}
	load_calendars(l);
	load_thresholds(l);
	load_units(l);
	load_watches(l);
	load_rules(l);
	find_dependencies(l);
	find_fingerprints(l);
	if (!l->faults->errors)
		warn_all(l);
}

static bool build(const struct documents *docs, const struct in_use *in_use, struct config *out, struct faults *faults)
{
	*out = (struct config){.ruleset = ruleset_new(), .n_files = docs->n_files};
	struct loader l = {
		.faults = faults, .r = out->ruleset, .settings = &out->settings, .in_use = in_use, .docs = docs};
	l.zones = arena_zero(&out->ruleset->arena, sizeof *l.zones);
	l.zones->r = out->ruleset;
	load_all(&l);
	l.zones->closed = true;
	arena_close(&l.scratch);
	faults_sort(faults);
	if (!faults->errors)
		return true;
	config_close(out);
	return false;
}

bool config_build(const struct documents *docs, struct config *out, struct faults *faults)
{
	return build(docs, NULL, out, faults);
}

bool config_reload(const char *dir, const struct in_use *in_use, struct config *out, struct faults *faults)
{
	struct documents docs;
	documents_read(&docs, dir, false, faults);
	bool good = build(&docs, in_use, out, faults);
	documents_close(&docs);
	return good;
}

bool config_load(const char *dir, struct config *out, struct faults *faults)
{
	return config_reload(dir, NULL, out, faults);
}

void config_close(struct config *c)
{
	ruleset_release(c->ruleset);
	settings_close(&c->settings);
	c->ruleset = NULL;
}
