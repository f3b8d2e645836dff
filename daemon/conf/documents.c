/* Finds and reads the files of a configuration, and tells their documents apart. */
#include "documents.h"
#include "../core/cel.h"
#include "settings.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FILE = 16 * 1024 * 1024 };

const char *const document_keys[DOC_KINDS] = {"instance", "watch", "rule", "threshold", "unit", "calendar", "test"};
static const char *const folders[] = {"watches", "rules", "thresholds", "units", "calendars", "tests"};

/* The kind that a first key names; -1: none. */
static int kind_of(const struct node *key)
{
	for (int k = 0; k < DOC_KINDS; k++)
		if (node_is(key, document_keys[k]))
			return k;
	return -1;
}

static bool is_settings_file(const char *name)
{
	const char *slash = strrchr(name, '/');
	return strcmp(slash ? slash + 1 : name, "shouwang.yaml") == 0;
}

static bool has_settings(const struct documents *docs)
{
	for (size_t i = 0; i < docs->n; i++)
		if (docs->list[i].kind == DOC_SETTINGS)
			return true;
	return false;
}

static void add_document(struct documents *docs, const char *file, const struct document *d, struct faults *faults)
{
	const struct node *root = d->root;
	if (root->kind != NODE_MAP || (root->n == 0 && !d->broken)) {
		faults_add(faults, node_place(root),
			   "a document that is no map; expected its first key to say what it is: watch, rule, "
			   "threshold, unit, "
			   "calendar, test or (settings) instance");
		return;
	}
	if (root->n == 0)
		return; /* broken from its begin: told already */
	const struct node *key = root->entries[0].key;
	int kind = kind_of(key);
	/* The settings' own keys come in any order, and `calendar` is one of them. */
	if ((kind < 0 || kind == DOC_CALENDAR) && is_settings_file(file) && !has_settings(docs))
		kind = DOC_SETTINGS;
	if (kind < 0 && !key->bad) {
		const char *near = cel_nearest(key->text.s, document_keys, DOC_KINDS);
		if (near)
			faults_add(faults, node_place(key), "unknown key `%s`; did you mean `%s`?", key->text.s, near);
		else
			faults_add(faults, node_place(key),
				   "a document's first key says what it is: found `%s`, expected watch, rule, "
				   "threshold, unit, "
				   "calendar, test or (settings) instance",
				   key->text.s);
	}
	if (kind < 0)
		return;
	if (kind == DOC_SETTINGS && has_settings(docs)) {
		faults_add(faults, node_place(key),
			   "settings for the second time; expected them once, in shouwang.yaml");
		return;
	}
	ARENA_PUSH_ROOM(&docs->arena, docs->list, docs->n, docs->cap);
	docs->list[docs->n++] = (struct config_document){(enum document_kind)kind, d->root, d->broken};
}

void documents_add(struct documents *docs, const char *name, const char *text, size_t len, struct faults *faults)
{
	size_t n;
	char *kept = arena_text(&docs->arena, name, strlen(name));
	struct document *list = yaml_read(kept, text, len, &docs->arena, faults, &n);
	docs->n_files++;
	for (size_t i = 0; i < n; i++)
		add_document(docs, kept, &list[i], faults);
}

static char *read_whole(const char *path, size_t *len, struct err *why)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	if (!f) {
		err_set(why, "can't be read (%s); expected a YAML file", strerror(errno));
		return NULL;
	}
	char *text = NULL;
	if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode))
		err_set(why, "is no regular file; expected a YAML file");
	else if (st.st_size > MAX_FILE)
		err_set(why, "is larger than %d MiB; expected a smaller file", MAX_FILE >> 20);
	else if (!(text = malloc((size_t)st.st_size + 1)))
		abort();
	if (text) {
		*len = fread(text, 1, (size_t)st.st_size, f);
		text[*len] = '\0';
	}
	fclose(f);
	return text;
}

static void read_file(struct documents *docs, const char *path, const char *name, struct faults *faults)
{
	struct err why = {{0}};
	size_t len = 0;
	char *text = read_whole(path, &len, &why);
	if (!text) {
		faults_add(faults, (struct place){name, 0, 0}, "%s", why.text);
		return;
	}
	documents_add(docs, name, text, len, faults);
	free(text);
}

static int is_yaml(const struct dirent *d)
{
	size_t len = strlen(d->d_name);
	return d->d_name[0] != '.' && len > 5 && strcmp(d->d_name + len - 5, ".yaml") == 0;
}

static int is_yml(const struct dirent *d)
{
	size_t len = strlen(d->d_name);
	return d->d_name[0] != '.' && len > 4 && strcmp(d->d_name + len - 4, ".yml") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_folder(struct documents *docs, const char *dir, const char *prefix, const char *folder,
			struct faults *faults)
{
	struct dirent **names;
	char *path = arena_printf(&docs->arena, "%s/%s", dir, folder);
	int n = scandir(path, &names, is_yml, by_bytes);
	for (int i = 0; i < n; i++) {
		char *name = arena_printf(&docs->arena, "%s%s/%s", prefix, folder, names[i]->d_name);
		faults_warn(faults, (struct place){name, 0, 0}, "is not read; expected a name that ends in .yaml");
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	n = scandir(path, &names, is_yaml, by_bytes);
	if (n < 0 && errno != ENOENT)
		faults_add(faults, (struct place){arena_printf(&docs->arena, "%s%s", prefix, folder), 0, 0},
			   "can't be read (%s); expected a folder", strerror(errno));
	for (int i = 0; i < n; i++) {
		char *full = arena_printf(&docs->arena, "%s/%s", path, names[i]->d_name);
		char *name = arena_printf(&docs->arena, "%s%s/%s", prefix, folder, names[i]->d_name);
		read_file(docs, full, name, faults);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

void documents_read(struct documents *docs, const char *dir, bool with_tests, struct faults *faults)
{
	struct stat st;
	size_t len = strlen(dir);
	*docs = (struct documents){0};
	while (len > 1 && dir[len - 1] == '/')
		len--;
	char *base = arena_text(&docs->arena, dir, len);
	const char *prefix = strcmp(base, ".") == 0   ? ""
			     : strcmp(base, "/") == 0 ? "/"
						      : arena_printf(&docs->arena, "%s/", base);
	if (stat(base, &st) != 0 || !S_ISDIR(st.st_mode)) {
		faults_add(faults, (struct place){base, 0, 0}, "no such folder; expected one that holds shouwang.yaml");
		return;
	}
	read_file(docs, arena_printf(&docs->arena, "%s/shouwang.yaml", base),
		  arena_printf(&docs->arena, "%sshouwang.yaml", prefix), faults);
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (with_tests || strcmp(folders[i], "tests") != 0)
			read_folder(docs, base, prefix, folders[i], faults);
}

void documents_close(struct documents *docs)
{
	arena_close(&docs->arena);
	*docs = (struct documents){0};
}
