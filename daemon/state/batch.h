/* One partition's subjects while a batch is stepped: loaded from bytes, stepped in memory, stored as bytes at the end.
 * The same code serves the daemon (bytes from Redis) and `shouwangctl run` (bytes from memory).
 *
 *     batch_begin(b, clock)                  the partition's clock as its record has it
 *     batch_load(b, watch, key, bytes, due)  each subject of the batch's events, and those with timers due
 *     batch_timers(b, now) / batch_event(b, event, now)     in order
 *     batch_store(b)                         what to write
 */
#ifndef BATCH_H
#define BATCH_H
#include "../core/engine.h"
#include "codec.h"

enum clock_mode { CLOCK_WALL, CLOCK_FIXED, CLOCK_EVENTS };

/* The due time of a subject whose stored one has passed: its timer fired since, without effect; the index alone knows
 * the next, which is later than the batch goes.  Known again after the next step. */
#define DUE_PASSED (TIME_NEVER - 1)

struct batch_subject {
	struct subject subject;
	struct batch_subject *next; /* in order of loading */
	struct str bytes;           /* after batch_store: the state to write, where subject.changed */
	int64_t indexed;            /* the due time that the index holds; DUE_PASSED: one that isn't known */
};
struct batch;
struct batch *batch_new(struct engine *engine, enum clock_mode mode);
void batch_free(struct batch *b);
size_t batch_size(const struct batch *b); /* bytes that it holds */

/* Forgets the last batch and takes the partition's clock (ms; INT64_MIN: none yet). */
void batch_begin(struct batch *b, int64_t clock);
int64_t batch_clock(const struct batch *b);
/* Is it loaded?  NULL: no. */
struct batch_subject *batch_find(struct batch *b, const struct watch *watch, struct str key);
/* bytes len 0: not known yet.  due: as the index has it; INT64_MIN: the index has nothing for it up to the batch's end.
 * Copies key; borrows bytes until the batch is stored.  NULL: the bytes can't be read, why says so. */
struct batch_subject *batch_load(struct batch *b, const struct watch *watch, struct str key, struct str bytes,
				 int64_t due, struct err *why);
/* Is the due time another than the index has? */
bool batch_moved(const struct batch_subject *s);
/* The partition's time moves to now (with CLOCK_EVENTS: the event's time or later), all timers of loaded subjects due
 * up to then fire in the order of due time and subject (with CLOCK_EVENTS each at its own due time, else at
 * now), and then the event is stepped.  Its subject must be loaded.  False: rejected, why says so.
 * Who calls must have loaded every subject of the partition that is due up to then (CLOCK_EVENTS: up to the event's
 * time), or only the event's own (the other modes, where strangers' timers come through batch_timers). */
bool batch_event(struct batch *b, const struct event *event, int64_t now, struct effects *fx, struct err *why);
/* Fires the timers of loaded subjects due up to now. */
void batch_timers(struct batch *b, int64_t now, struct effects *fx);
/* Judges a loaded subject anew, after the rules have changed, at the partition's time, which moves to now as above. */
void batch_recheck(struct batch *b, struct batch_subject *s, int64_t now, struct effects *fx);
/* Encodes the changed subjects; returns the first of all loaded ones (follow next). */
struct batch_subject *batch_store(struct batch *b);
#endif
