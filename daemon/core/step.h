/* What the engine's files share during one step; private to them.  Everything is borrowed for the step. */
#ifndef STEP_H
#define STEP_H
#include "engine.h"

struct range { /* of days, inclusive */
	int32_t first, last;
};
struct window_today { /* what a measure's window spans on a day */
	int32_t today;
	struct range range;
	int32_t oldest; /* the first day of which contributions are kept */
};
struct watch_index {         /* what the engine derives from a watch once */
	uint32_t **rules_of; /* by input: indexes in ruleset.rules */
	uint32_t *n_rules_of;
	struct window_today *windows;       /* by measure */
	bool *sensitive;                    /* by CEL variable: reading it can show a sensitive value */
	struct cel_problem *missing;        /* by CEL variable: why it is unknown */
	struct cel_problem **field_missing; /* by list and field (since last) */
};

struct engine {
	struct ruleset *ruleset;
	struct arena scratch; /* reset after each batch */
	struct arena index_arena;
	struct cel_heap heap;
	struct watch_index *index; /* by watch */

	/* the step under way */
	struct subject *s;
	int64_t now;
	int32_t today;
	struct effects *fx;
	int32_t until;       /* the first later day at which something that was read changes by time alone */
	struct inputs dirty; /* what the event changed */
	bool masking;        /* sensitive values read as masked text */
	bool masked;         /* since masking began, one was */

	/* values of names already read in this step, by CEL variable */
	uint32_t generation;
	uint32_t *seen; /* generation in which values[i] was read */
	struct cel_value *values;
	int32_t *untils;
	const struct member *each; /* the member that a rule judges */
	uint32_t each_list;

	uint32_t answering; /* the case that this step's event answers, by its place in s->cases, + 1 */

	/* rules to evaluate in this step */
	uint32_t *marked; /* by rule: generation */
	uint32_t *queue, n_queue;
};

/* --- values (measure.c, value.c) */
struct cel_value load_name(void *engine, uint32_t variable); /* the CEL activation's hook */
struct cel_value evaluate(struct engine *e, const struct cel_program *program);
struct cel_value fact_value(const struct engine *e, const struct field *field, const struct known *known,
			    const struct cel_problem *missing);
struct cel_value measure_value(struct engine *e, const struct measure *m);
bool measure_holds(struct engine *e, const struct measure *m,
		   const struct contribution *c);                             /* is it in the window today? */
bool out_of_reach(struct engine *e, const struct measure *base, int32_t day); /* too old for any window */
int32_t contribution_day(const struct engine *e, const struct contribution *c);
struct cel_value member_record(struct engine *e, uint32_t list, const struct member *m);
struct str subject_region(const struct engine *e);
static inline void note_until(struct engine *e, int32_t day)
{
	if (day > e->today && day < e->until)
		e->until = day;
}
/* Which member a rule's `each` variable now means; NULL: none. */
void judge_member(struct engine *e, const struct rule *rule, const struct member *m);
void forget_values(struct engine *e); /* after the state has changed */
struct str mask_text(struct arena *a, struct str text);

/* --- folding (prepare.c, fold.c) */
struct assigned { /* one target with its new value */
	uint32_t target;
	struct cel_value value; /* of the field's type; CEL_NULL */
	int64_t fen;            /* money */
};
struct prepared_members {
	const struct member_change *is;
	struct str key;
	struct assigned *set;
	size_t n_set;
};
struct prepared { /* an event whose expressions have been evaluated and whose types fit */
	const struct event *event;
	struct origin origin;
	struct assigned *set, *add;
	size_t n_set, n_add;
	struct prepared_members *members;
	size_t n_members;
};
bool prepare_event(struct engine *e, const struct event *event, struct prepared *out, struct err *why);
void fold_event(struct engine *e, const struct prepared *p); /* changes e->s, sets e->dirty */
void fold_end(struct engine *e, const struct prepared *p);   /* forgets what is not newer */
void fold_prune(struct engine *e);                           /* drops contributions that no window can reach any more */

/* --- what follows (alert.c, case.c, message.c) */
enum verdict { VERDICT_FALSE, VERDICT_TRUE, VERDICT_UNKNOWN };
struct judgement {
	enum verdict level[MAX_LEVELS]; /* it or a higher one */
	enum verdict clear;             /* while no level is true */
};
void judge(struct engine *e, const struct rule *rule, struct judgement *out);
void judge_rule(struct engine *e, const struct rule *rule); /* for the subject or each member; moves the alerts */
void drop_orphans(struct engine *e);                        /* alerts that no rule judges any more are over */
struct alert *find_alert(const struct subject *s, struct str rule, struct str member);
bool is_active(const struct alert *a); /* open or clearing, and its rule is there */
int64_t alert_due(const struct engine *e, const struct alert *a);

/* --- cases (unit.c, answer.c, entry.c, case.c, compose.c) */
/* A unit's name, and what it is, for a region; for the subject's. */
struct str unit_in(struct engine *e, uint32_t unit, struct str region, const struct unit **is);
struct str unit_for(struct engine *e, uint32_t unit, const struct unit **is);
bool check_answer(struct engine *e, const struct answer *answer, struct err *why);
void apply_answer(struct engine *e, const struct event *event);
bool waits_for_answer(const struct case_alert *entry);
void follow_alerts(struct engine *e, struct casefile *c); /* the entries follow their alerts */
void join_alerts(struct engine *e);                       /* active alerts join the cases of their rules' units */
bool is_moved(struct engine *e, const struct casefile *c, const struct case_alert *entry);
int32_t deadline(const struct engine *e, const struct rule *rule, uint32_t level);
void pass_deadlines(struct engine *e); /* before anything moves: what is missed by now */
void update_cases(struct engine *e);
void close_cases(struct engine *e, const char *reason); /* case.closed for each open one; every alert is over */
int64_t case_due(struct engine *e, const struct casefile *c);
/* The rule's summary for the subject, or the member that is judged; in the effects' arena. */
struct str summary_text(struct engine *e, const struct rule *rule);
struct addressee {
	struct str unit; /* with the code: township/360704102 */
	const struct unit *is;
};
/* Sends one message of the case to its unit (to NULL), or to another one (an escalation). */
void send_message(struct engine *e, struct casefile *c, enum message_type type, const char *reason,
		  const struct addressee *to);
void send_outcome(struct engine *e, const struct casefile *c, const char *result, enum on_time on_time, bool ended);
#endif
