/* libFuzzer: any bytes as a configuration's one file.  Every place must lie in the file, every fault must have a
 * sentence, and what loads must be released whole. */
#include "../../daemon/conf/documents.h"
#include "../../daemon/conf/rule_test.h"
#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_places(const struct node *n)
{
	for (size_t i = 0; n->kind == NODE_SCALAR && i <= n->text.len; i += 1 + n->text.len / 64) {
		struct place p = node_place_at(n, i);
		require(p.line >= n->line && p.line <= n->source->n_lines && p.column >= 1);
	}
	for (uint32_t i = 0; n->kind != NODE_SCALAR && i < n->n; i++) {
		if (n->entries[i].key)
			check_places(n->entries[i].key);
		check_places(n->entries[i].value);
	}
}

static void load(const struct documents *docs, struct faults *faults)
{
	struct config config;
	struct arena arena;
	size_t n;
	arena_init(&arena);
	if (config_build(docs, &config, faults)) {
		require(config.ruleset != NULL && faults->errors == 0);
		tests_read(docs, &config, &arena, faults, &n);
		config_close(&config);
	} else {
		require(faults->errors > 0);
	}
	arena_close(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct documents docs = {0};
	struct faults faults;
	if (size > 65536)
		return 0;
	faults_init(&faults);
	documents_add(&docs, "shouwang.yaml", (const char *)data, size, &faults);
	for (size_t i = 0; i < docs.n; i++)
		check_places(docs.list[i].root);
	load(&docs, &faults);
	for (uint32_t i = 0; i < faults.n; i++)
		require(faults.list[i].text[0] != '\0');
	documents_close(&docs);
	faults_close(&faults);
	return 0;
}
