/* The heart: one step of one subject, a pure function of its state, an event (or the time) and now.
 *
 *     step:  due timers -> fold the event -> evaluate the rules it touches -> alerts -> cases -> messages
 *
 * No clock, socket, JSON, Kafka or Redis in here.  READ engine.c FIRST; then fold.c, measure.c, evaluate.c, alert.c,
 * case.c in the order in which an event meets them. */
#ifndef ENGINE_H
#define ENGINE_H
#include "effects.h"
#include "event.h"
#include "subject.h"

struct engine;                                      /* scratch of one worker; not shared between threads */
struct engine *engine_new(struct ruleset *ruleset); /* holds a reference */
void engine_free(struct engine *e);
const struct ruleset *engine_ruleset(const struct engine *e);
void engine_reset(struct engine *e); /* after each batch: gives back its scratch memory */

/* Steps the subject.  event NULL: only timers.  now in ms.  Returns false where the event must be rejected: why then
 * names the field, and the subject is as it was.  On success subject->changed is set where its state is another, and
 * subject->due is its next timer. */
bool engine_step(struct engine *e, struct subject *s, const struct event *event, int64_t now, struct effects *fx,
		 struct err *why);

/* The subject that the watch's `subject:` finds in an event whose type has one: text, or a whole number's digits; lives
 * until engine_reset or as long as the event.  False: why names the field. */
bool engine_subject(struct engine *e, const struct event *event, struct str *out, struct err *why);

/* Checks the invariants of a state (for tests and simulations); false: why says which is broken. */
bool engine_check(const struct engine *e, const struct subject *s, struct err *why);

/* Sets the time for functions of time that are evaluated with the engine as context but outside a step (`eval`). */
void engine_set_now(struct engine *e, int64_t now);
/* Drops the contributions that no window can reach at now; a step does so only where it changes something else too. */
void engine_prune(struct engine *e, struct subject *s, int64_t now);
/* For rule tests, `eval` and `explain`: the value of a name (fact, measure, derived) or of a program at now. */
struct cel_value engine_value(struct engine *e, struct subject *s, struct str name, int64_t now);
/* Can the value of the watch's name show something sensitive?  Then people see it masked only. */
bool engine_sensitive(const struct engine *e, const struct watch *w, uint32_t variable);
/* A rule's summary as its message would have it. */
struct str engine_summary(struct engine *e, struct subject *s, const struct rule *rule, struct str member, int64_t now,
			  struct arena *out);
/* watch/subject/unit/number of a case; name: of c, or one that c names. */
struct str case_id(const struct subject *s, const struct casefile *c, struct case_name name, struct arena *a);
/* The verdict of each level of a rule with its sub-expressions, as lines of text. */
struct str engine_explain(struct engine *e, struct subject *s, const struct rule *rule, struct str member, int64_t now,
			  struct arena *out);
#endif
