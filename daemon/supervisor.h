/* All workers together: started, judged, handed new rules, ended.  Owns the workers; safe from any thread where said.
 */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H
#include "ops/health.h"

struct supervisor;
struct supervisor *supervisor_new(void); /* with no worker yet: not ready */
void supervisor_free(struct supervisor *s);

/* Starts settings->workers of them.  settings and metrics are borrowed until supervisor_stop; each worker holds the
 * ruleset.  False: none runs, why says what is wrong. */
bool supervisor_start(struct supervisor *s, const struct settings *settings, struct ruleset *ruleset,
		      struct metrics *metrics, struct err *why);
/* Ends them all, each after its running transaction. */
void supervisor_stop(struct supervisor *s);
/* Hands over new rules, to be swapped in between two batches; stall: of the new settings, ms. */
void supervisor_reload(struct supervisor *s, const struct worker_rules *next, int64_t stall);
/* Judges the progress now.  From any thread. */
void supervisor_judge(struct supervisor *s, struct health_report *out);
#endif
