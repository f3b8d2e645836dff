/* A configuration directory, read whole: settings and ruleset, or every fault in it. */
#ifndef CONFIG_H
#define CONFIG_H
#include "../core/ruleset.h"
#include "settings.h"

struct config {
	struct settings settings;
	struct ruleset *ruleset; /* one reference, owned; NULL where there are faults */
	size_t n_files;
};
/* Reads dir/shouwang.yaml, watches/, rules/, thresholds/, units/, calendars/ (all *.yaml in them, documents by their
 * first key; `test` documents and tests/ are left to the test runner).  False: faults has errors and *out is closed;
 * warnings come in faults in both cases. */
bool config_load(const char *dir, struct config *out, struct faults *faults);
/* The same for a daemon that works by others: a lower revision is a fault, and what only a restart changes stays as it
 * is. */
bool config_reload(const char *dir, const struct in_use *in_use, struct config *out, struct faults *faults);
/* As config_load, from documents that were read (documents.h), which may be closed afterwards. */
struct documents;
bool config_build(const struct documents *docs, struct config *out, struct faults *faults);
void config_close(struct config *c);
#endif
