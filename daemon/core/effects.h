/* What a step wants done in the world: messages to units' queues.  Plain data; outbox/ renders and sends it.
 * Everything lives in the effects' arena (and the ruleset's) until the batch is committed. */
#ifndef EFFECTS_H
#define EFFECTS_H
#include "subject.h"

enum message_type { CASE_OPENED, CASE_CHANGED, CASE_RAISED, CASE_REMINDED, CASE_ESCALATED, CASE_CLEARED, CASE_CLOSED };
const char *message_type_name(enum message_type type); /* "case.opened" */

struct message_value {
	const char *name, *title, *unit; /* title, unit: NULL for none */
	struct cel_value value;          /* CEL_UNKNOWN: missing */
	enum field_type type;            /* FIELD_DATE: shown as a date; FIELD_STRING otherwise plain */
	bool masked;                     /* sensitive: the value is masked already */
};
struct message_threshold {
	const char *name, *unit;
	const struct threshold_value *is;
};
struct message_alert {
	const struct rule *rule; /* NULL where the rule is gone: */
	struct str rule_name, member;
	int64_t version;
	const char *level; /* its name */
	const char *state; /* open, clearing, over */
	int64_t since;
	struct str summary;
	struct message_value *values;
	size_t n_values;
	struct message_threshold *thresholds;
	size_t n_thresholds;
	struct origin *evidence; /* newest first, at most 20 */
	size_t n_evidence, evidence_total;
	struct str *unknown; /* names of missing values */
	size_t n_unknown;
};
struct message {
	enum message_type type;
	const struct watch *watch;
	struct str subject, region;   /* region: empty where unknown */
	struct str unit;              /* with the code */
	struct str topic;             /* where it goes */
	struct str case_id, previous; /* previous: empty for none */
	uint32_t case_number, number;
	const char *level;
	int32_t due;        /* day; DAY_NEVER: none */
	int64_t opened;     /* ms */
	int64_t now;        /* ms: the time of the step */
	const char *reason; /* why it ended: cleared, ended, rule removed; NULL otherwise */
	struct message_alert *alerts;
	size_t n_alerts;
	struct message *next;
};

/* What became of a case (language.md, "Outcomes"). */
enum on_time { ON_TIME_NO, ON_TIME_YES, ON_TIME_ABSENT };
struct outcome {
	const struct watch *watch;
	struct str subject, unit, region, case_id;
	uint32_t case_number;
	struct str *rules;
	size_t n_rules;
	int64_t opened, ended; /* ms; ended 0: the case goes on */
	int32_t due;           /* day; DAY_NEVER: none */
	const char *result;    /* missed, handled, not_confirmed, cleared, ended */
	enum on_time on_time;
	int64_t now;
	uint32_t number; /* of the messages so far: tells the outcomes of one case apart */
	struct outcome *next;
};

struct rule_counts { /* by rule index, counted over steps */
	uint64_t evaluated, unknown, opened;
};
struct effects {
	struct arena *arena;
	struct message *first, **last;
	size_t n_messages;
	struct outcome *first_outcome, **last_outcome;
	uint64_t late_contributions; /* older than any window reaches: dropped */
	struct rule_counts *rules;   /* ruleset->n_rules, or NULL; not reset here */
};
void effects_init(struct effects *fx, struct arena *arena);
#endif
