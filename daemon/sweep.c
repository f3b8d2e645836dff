/* The sweep: after the rules have changed, every subject of a partition is judged anew in the background, some in each
 * round, at a bounded rate.  A walk over Redis's hash finds them; a state tells by which rules it was judged.  The
 * partition record says when the walk is complete: until then, whoever takes the partition over begins it again and
 * passes over those that were judged already. */
#include "ops/log.h"
#include "worker.h"
#include <inttypes.h>

enum {
	SWEEP_MOST = 250,     /* subjects of a partition in a round */
	PASS_FASTER = 4,      /* a page, where the last one held nothing to judge */
	LOOKS_A_RECHECK = 10, /* so many subjects that are passed over count as one that is judged */
	SWEEP_WAIT_MS = 100
};

bool sweep_complete(const struct worker *w, const struct partition *p)
{
	return p->record.swept == w->rules->fingerprint;
}

static void show_left(struct worker *w, struct partition *p)
{
	metrics_set(w->metrics, p->sweep.gauge, (double)p->sweep.left);
}

void sweep_restart(struct worker *w, struct partition *p)
{
	series gauge = p->sweep.gauge;
	p->sweep = (struct sweep){.gauge = gauge, .left = sweep_complete(w, p) ? 0 : 1};
	show_left(w, p);
}

/* --- the rate: what may be judged now, at most what a second gives */

/* So many that a transaction of their own is worth it. */
static int64_t least(const struct worker *w)
{
	int64_t n = w->tuning.sweep / (1000 / SWEEP_WAIT_MS);
	return n < 1 ? 1 : n > SWEEP_MOST ? SWEEP_MOST : n;
}

static bool may_sweep(struct worker *w)
{
	int64_t now = clock_monotonic(), rate = w->tuning.sweep, gained = (now - w->sweep_filled) * rate / 1000;
	if (gained > rate)
		w->sweep_filled = now;
	else
		w->sweep_filled += gained * 1000 / rate;
	w->sweep_room = w->sweep_room + gained < rate ? w->sweep_room + gained : rate;
	return w->sweep_room >= least(w);
}

bool sweep_wants(struct worker *w, const struct partition *p)
{
	return p->state == PARTITION_RUNNING && !sweep_complete(w, p) && may_sweep(w);
}

int64_t sweep_allowance(struct worker *w)
{
	return may_sweep(w) ? w->sweep_room : 0;
}

int sweep_wait(struct worker *w, int wait_ms)
{
	for (size_t i = 0; i < w->n_partitions; i++) {
		const struct partition *p = &w->partitions[i];
		if (p->assigned && p->state == PARTITION_RUNNING && !sweep_complete(w, p))
			return may_sweep(w) ? 0 : SWEEP_WAIT_MS;
	}
	return wait_ms;
}

/* --- in a round */

void sweep_ask(struct worker *w, struct turn *t, size_t n_turns, int64_t *room)
{
	struct partition *p = t->partition;
	if (sweep_complete(w, p) || *room <= 0)
		return;
	int64_t most = w->tuning.batch.events / 4 / (int64_t)n_turns;
	most = most < 1 ? 1 : most > SWEEP_MOST ? SWEEP_MOST : most;
	most = most < *room ? most : *room;
	*room -= most;
	t->load.scan_cursor = p->sweep.cursor;
	t->load.scan_max = (size_t)(p->sweep.passing ? most * PASS_FASTER : most);
	if (!p->sweep.told)
		log_info("partition %" PRId32 ": judges its subjects anew by the rules %016" PRIx64, p->id,
			 w->rules->fingerprint);
	p->sweep.told = true;
}

/* Those of the page that other rules have judged. */
static size_t find_stale(struct worker *w, const struct turn *t, struct cache_due *out)
{
	size_t n = 0;
	for (size_t i = 0; i < t->load.n_scanned; i++) {
		struct str subject;
		const struct cache_due *s = &t->load.scanned[i];
		const struct watch *watch = changelog_watch(w->rules, s->key, &subject);
		if (watch && codec_stale(s->state, watch->fingerprint))
			out[n++] = *s;
	}
	return n;
}

/* A page is taken whole, or put off until there is room for all of it. */
void sweep_list(struct worker *w, struct turn *t)
{
	struct cache_due *stale = ARENA_ARRAY(&w->round, struct cache_due, t->load.n_scanned);
	size_t n = find_stale(w, t, stale), room = CACHE_MAX_FIELDS - t->n_subjects;
	t->sweep_put_off = n > room;
	t->sweep_ends = t->load.scan_max && !t->sweep_put_off && t->load.scan_next == 0;
	for (size_t i = 0; i < n && !t->sweep_put_off; i++) {
		struct str name;
		const struct watch *watch = changelog_watch(w->rules, stale[i].key, &name);
		struct turn_subject *s = turn_find(t, stale[i].key);
		if (!s) {
			s = turn_add(t, watch, name, stale[i].key);
			s->state = stale[i].state;
		}
		s->recheck = true;
		t->n_swept++;
	}
}

void sweep_note(const struct worker *w, struct turn *t)
{
	if (t->sweep_ends)
		t->record.swept = w->rules->fingerprint;
	else if (t->record.swept != w->rules->fingerprint)
		t->record.swept = 0; /* what it names no longer holds for all */
}

void sweep_moved(struct worker *w, const struct turn *t)
{
	struct partition *p = t->partition;
	struct sweep *s = &p->sweep;
	if (!t->load.scan_max)
		return;
	s->passing = !t->sweep_put_off && t->n_swept == 0;
	if (t->sweep_put_off)
		return;
	w->sweep_room -= (int64_t)(t->n_swept + t->load.n_scanned / LOOKS_A_RECHECK);
	meter_add(w->meter, w->series.swept, t->n_swept);
	s->cursor = t->load.scan_next;
	s->looked += t->load.n_scanned;
	s->judged += t->n_swept;
	s->left = t->sweep_ends ? 0 : t->load.n_subjects > s->looked ? (int64_t)(t->load.n_subjects - s->looked) : 1;
	show_left(w, p);
	if (t->sweep_ends)
		log_info("partition %" PRId32 ": all its %zu subjects are judged by the rules %016" PRIx64 ", %" PRIu64
			 " of them anew",
			 p->id, t->load.n_subjects, w->rules->fingerprint, s->judged);
}
