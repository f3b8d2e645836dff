/* The YAML documents of a configuration directory, sorted by what their first key says they are.
 * Owns its nodes and texts. */
#ifndef DOCUMENTS_H
#define DOCUMENTS_H
#include "yaml.h"

enum document_kind { DOC_SETTINGS, DOC_WATCH, DOC_RULE, DOC_THRESHOLD, DOC_UNIT, DOC_CALENDAR, DOC_TEST, DOC_KINDS };
extern const char *const document_keys[DOC_KINDS]; /* the first key of each kind: "watch", …; settings: "instance" */

struct config_document {
	enum document_kind kind;
	struct node *root; /* a map; its first entry names the document */
	bool broken;       /* a syntax fault ends it: only its name counts */
};
struct documents {
	struct arena arena;
	struct config_document *list;
	size_t n, cap;
	size_t n_files;
};

/* Reads dir/shouwang.yaml and all *.yaml in watches/, rules/, thresholds/, units/, calendars/ and, where asked, tests/.
 * Names of files in places are dir's as given ("." is left out).  Faults: files that can't be read, syntax, documents
 * of no known kind. */
void documents_read(struct documents *docs, const char *dir, bool with_tests, struct faults *faults);
/* The same for one text, as a file of that name. */
void documents_add(struct documents *docs, const char *name, const char *text, size_t len, struct faults *faults);
void documents_close(struct documents *docs);
#endif
