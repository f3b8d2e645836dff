/* The state of one subject: facts, members, contributions, alerts and cases.  Plain data in an arena; fold.c changes
 * what is known, alert.c and case.c what follows from it, state/codec.c stores it. */
#ifndef SUBJECT_H
#define SUBJECT_H
#include "ruleset.h"

/* The event that a value came from.  Values refer to it by index, so that the evidence costs little. */
struct origin {
	struct str source, id;
	struct str key;   /* of its contributions; source and id together where the event type names none (len 0) */
	int64_t at, time; /* ms: what it is about, and its own time */
};

/* A value and the origin that set it.  Never set: origin 0.  Set to null: value CEL_NULL. */
struct known {
	struct cel_value value; /* bool, int, double (money: fen / 100), string, timestamp (a date: its local 00:00) */
	uint32_t origin;        /* index in subject.origins; 0: none */
};

struct member {
	struct str key;
	uint32_t presence; /* origin of the newest upsert or drop; 0: only updates so far */
	bool present;
	int64_t since; /* the earliest `at` of the events that named it */
	struct known *fields;
};
struct members {
	struct member *rows; /* sorted by key */
	uint32_t n, cap;
};

struct contribution {     /* at most one for each measure and key */
	uint16_t measure; /* the base measure */
	bool removed;     /* a retraction, kept so that a late original doesn't count */
	uint32_t origin;
	union {
		int64_t i; /* fen, or 0 or 1 for a count */
		double d;
	};
};

enum alert_state { ALERT_OVER, ALERT_PENDING, ALERT_OPEN, ALERT_CLEARING };
struct alert {
	struct str rule, member; /* member: "" unless the rule judges each */
	const struct rule *is;   /* NULL: no such rule any more */
	int64_t version;         /* of the rule when it was last evaluated */
	uint32_t number;         /* of openings, the current one included */
	enum alert_state state;
	uint32_t level; /* index in ruleset.levels, while open or clearing; else 0 */
	int64_t since;  /* when it opened */
	/* Runs, by index in rule.levels: since when the level (or a higher one) is true, or false; 0: no run */
	int64_t up[MAX_LEVELS], down[MAX_LEVELS], clear;
	uint32_t on; /* bit set of rule levels that hold */
};

/* A case of the same subject. */
struct case_name {
	struct str unit; /* with the code; empty: that of the case which has this name in it */
	uint32_t number; /* 0: none */
};
/* What a message told of an alert. */
struct told {
	uint32_t message, level;
};
enum { MAX_TOLD = 16 };
struct case_alert {
	struct str rule, member;
	bool in;                    /* it belongs to the open case; else it is remembered: answered in an earlier one */
	bool left;                  /* it has left, and the unit hasn't been told so yet */
	bool leaves;                /* within a step: it does so in this one */
	bool renewed;               /* the alert that was told has ended and the next has opened, which is untold yet */
	uint32_t joined;            /* the alert's number when it joined */
	uint32_t level;             /* the alert's when the case last saw it */
	int32_t due;                /* day; DAY_NEVER: none */
	struct told told[MAX_TOLD]; /* oldest first */
	uint32_t n_told;
	uint32_t told_from; /* an answer covers what later messages told: earlier ones told of the alert before it */
	uint32_t answered;  /* answered level + 1; 0: unanswered */
	struct case_name answered_in; /* that case */
	int64_t until;                /* of the answer; TIME_NEVER: none */
};
enum answer_kind { ANSWER_ACKNOWLEDGED, ANSWER_CONFIRMED, ANSWER_MEASURE_TAKEN, ANSWER_HANDLED, ANSWER_NOT_CONFIRMED };
/* One unit's cases of this subject: at most one is open; the number counts them. */
struct casefile {
	struct str unit;            /* with the code: township/360704102 */
	const struct unit *is;      /* NULL: no such unit any more */
	uint32_t number;            /* of the newest case */
	struct case_name previous;  /* that the open one follows up */
	struct case_name follow_up; /* within a step: what `previous` will be if a case opens */
	uint32_t level_before;      /* within a step: the case's level before it */
	bool open;
	/* all below: of the open case */
	struct str region;           /* the subject's */
	uint32_t messages;           /* sent; 0: still gathering */
	uint32_t level;              /* last told */
	int32_t told_due;            /* last told */
	int64_t opened, sent;        /* ms; of the opening, of the last message */
	int32_t due;                 /* day; DAY_NEVER: none */
	bool missed;                 /* due has passed unanswered, and an outcome was sent */
	int32_t missed_due;          /* the earliest of those; DAY_NEVER: none */
	bool resting;                /* every unanswered alert is clearing: due, reminder and escalation rest */
	int64_t remind;              /* ms: the reminder; 0: none to come */
	int64_t escalate;            /* ms: the escalation; 0: none to come */
	bool escalated;              /* it was: those who heard of it also hear of the end */
	struct str escalated_region; /* the subject's then, where a unit that heard is one for each code; else empty */
	bool answered;               /* an answer was given: */
	enum answer_kind result;
	int64_t answered_at;
	int32_t answered_due;                    /* the case's due when the answer came */
	int64_t heard[ANSWER_MEASURE_TAKEN + 1]; /* ms: acknowledged, confirmed, measure taken; 0: not */
	uint64_t feedback; /* hash of the newest feedback's source and id: a repeat is passed over */
	struct case_alert *alerts;
	uint32_t n_alerts, cap_alerts;
};

struct subject {
	struct arena *arena; /* holds all below */
	const struct watch *watch;
	struct str key;
	bool exists;                  /* false: nothing but `ended` and the counters */
	bool changed;                 /* since it was loaded */
	int64_t since;                /* earliest `at` of its events; TIME_NEVER: none */
	int64_t ended_at, ended_time; /* stamp of the newest end; TIME_NEVER negated: never ended */
	struct origin *origins;       /* [0] unused */
	uint32_t n_origins, cap_origins;
	struct known *facts;   /* watch->n_facts */
	struct members *lists; /* watch->n_lists */
	struct contribution *contributions;
	uint32_t n_contributions, cap_contributions;
	struct alert *alerts;
	uint32_t n_alerts, cap_alerts;
	struct casefile *cases;
	uint32_t n_cases, cap_cases;
	uint64_t ruleset; /* the watch's fingerprint when it was last evaluated */
	int32_t recheck;  /* the day at which a verdict may change by time alone, as of the last change; DAY_NEVER */
	int64_t due;      /* ms: the next timer of all kinds; TIME_NEVER: none.  Derived, kept for the index */
	int64_t due_then; /* due as of the last change: what the stored state has */
};

/* Sets used[i] for each origin that something still refers to; used has n_origins elements, cleared before. */
void subject_origins_used(const struct subject *s, bool *used);
/* A subject of which nothing is known yet. */
void subject_init(struct subject *s, struct arena *arena, const struct watch *watch, struct str key);
#endif
