/* The compiled configuration: watches, thresholds, rules, units and the calendar.  Immutable once loaded; shared by all
 * workers; everything in it lives in its arena.  conf/ builds it, the engine reads it. */
#ifndef RULESET_H
#define RULESET_H
#include "../util/err.h"
#include "cel.h"
#include "day.h"

enum { MAX_LEVELS = 8, MAX_INPUTS = 512 };

/* --- what a watch knows of its subject */
enum field_type { FIELD_BOOL, FIELD_INT, FIELD_DOUBLE, FIELD_STRING, FIELD_DATE, FIELD_ENUM };
struct field {                           /* a fact, or a field of a member */
	const char *name, *title, *unit; /* title: default the name; unit: NULL for none */
	uint32_t id;                     /* field_id(name): names it in stored state */
	enum field_type type;
	bool money;     /* the unit begins with yuan: whole fen */
	bool sensitive; /* shown masked only */
	bool has_default;
	struct cel_value initial; /* the default, else unknown; a date is a CEL timestamp at local 00:00 */
	const char *const *values;
	size_t n_values; /* of an enum */
	struct place place;
};
struct member_list {
	const char *name;
	uint32_t id;
	struct field *fields;
	size_t n_fields;
	const struct cel_type *type; /* the record's: fields in the order above, then `since` */
	struct place place;
};
struct window {
	struct span length; /* n 0: of all time */
	bool whole;         /* whole months, quarters or years, before the current one */
	struct span ago;    /* n 0: none */
};
struct measure {
	const char *name, *title, *unit;
	uint32_t id;
	bool money, count; /* count: contributions are bools, the measure an int */
	uint32_t base;     /* index of the measure whose contributions it reads; its own unless `of` */
	struct window window;
	bool gaps_unknown;
	struct span reach; /* of a base: months that some window over its contributions reaches back; n 0: for ever */
	struct place place;
};
struct derived {
	const char *name, *title, *unit;
	bool money;
	struct cel_program *program;
	struct place place;
};

/* --- events */
struct assignment {      /* target = expression */
	uint32_t target; /* index of the fact, field or measure */
	struct cel_program *program;
	int32_t data;    /* where the expression is just data.<name>: index in event_type.data; else -1 */
	struct str path; /* where it is just data.<path>, of whatever depth; else empty */
	struct place place;
};
enum member_action { MEMBER_UPSERT, MEMBER_UPDATE, MEMBER_DROP };
struct member_change {
	enum member_action action;
	uint32_t list;
	struct assignment key; /* target unused */
	struct assignment *set;
	size_t n_set;
};
struct event_type {
	const char *type;
	struct assignment *key, *at; /* NULL: default */
	struct assignment *subject;  /* of the watch, compiled for this type; NULL: the attribute or the Kafka key */
	struct assignment *set, *add;
	size_t n_set, n_add;
	const uint32_t *remove; /* measures */
	size_t n_remove;
	struct member_change *members;
	size_t n_members;
	bool end;
	/* The names of `data` that its expressions read: the decoder fills event.data in this order. */
	const char *const *data;
	size_t n_data;
	struct cel_env *env; /* variables: EVENT_DATA, EVENT_META (records) */
	struct place place;
};
/* Every event expression sees these two records, by these indexes.  data's fields are event_type.data, all dyn, a
 * lacking one unknown.  event's fields: id, source, type, time (timestamp), key. */
enum { EVENT_DATA, EVENT_META };
enum { META_ID, META_SOURCE, META_TYPE, META_TIME, META_KEY, N_META };

/* Inputs: what an event can change of a subject, numbered: facts, then for each member list its presence (with
 * since) and its fields, then base measures (a measure's input is its base's), then `since`. */
struct inputs {
	uint64_t bits[MAX_INPUTS / 64];
};
static inline void inputs_set(struct inputs *a, size_t i)
{
	a->bits[i / 64] |= (uint64_t)1 << (i % 64);
}
static inline bool inputs_meet(const struct inputs *a, const struct inputs *b)
{
	uint64_t any = 0;
	for (size_t i = 0; i < MAX_INPUTS / 64; i++)
		any |= a->bits[i] & b->bits[i];
	return any != 0;
}

/* --- the names in scope of derived values and rules: one CEL environment for each watch */
enum name_kind {
	NAME_FACT,
	NAME_MEMBERS,
	NAME_MEASURE,
	NAME_DERIVED,
	NAME_THRESHOLD,
	NAME_TODAY,
	NAME_SINCE,
	NAME_EACH
};
struct name { /* by the CEL variable's index */
	enum name_kind kind;
	uint32_t index;   /* of the fact, list, measure, derived value or threshold; of the list for NAME_EACH */
	const char *text; /* as written in expressions: medical_self_paid, threshold.medical_burden, p */
};

struct watch {
	const char *name, *title, *topic;
	const struct watch *beside; /* the next that reads the same topic: an event is for each that knows its type */
	bool by_copy; /* one before it knows a type of its, too: so that its events stay in order, all are copies */
	uint32_t index;
	int32_t region; /* index of the fact that holds the division code; -1: none */
	struct field *facts;
	size_t n_facts;
	struct member_list *lists;
	size_t n_lists;
	struct measure *measures;
	size_t n_measures;
	struct derived *derived; /* in an order in which each reads only earlier ones */
	size_t n_derived;
	struct event_type *events; /* sorted by type */
	size_t n_events;
	struct cel_env *env;
	struct name *names;
	size_t n_names;
	size_t n_inputs;
	uint32_t *list_inputs;    /* first input of each list (its presence) */
	uint32_t *measure_inputs; /* input of each measure */
	uint32_t since_input;
	const uint32_t *rules; /* indexes in ruleset.rules */
	size_t n_rules;
	bool fed_by_outcomes; /* its topic is the outcomes': its own cases give none */
	uint64_t layout;      /* hash over names and types of facts, lists and base measures */
	uint64_t fingerprint; /* of all that can change a verdict, an alert or a case of its subjects */
	struct place place;
};

/* --- thresholds */
struct threshold_value {
	const char *region, *basis;
	int32_t from; /* day */
	double value;
	struct place place;
};
struct threshold {
	const char *name, *title, *unit;
	struct threshold_value *values; /* longest region first, then newest date */
	size_t n_values;
	struct place place;
};
/* The value in effect at a day: longest region that is a prefix of the subject's, then the newest date; NULL: none.
 * until becomes the smaller of itself and the first later day at which another value would be chosen. */
const struct threshold_value *threshold_at(const struct threshold *t, struct str region, int32_t day, int32_t *until);

/* --- rules */
struct rule_level {
	uint32_t level; /* index in ruleset.levels */
	struct cel_program *program;
	struct span deadline; /* n < 0: none */
};
struct summary_part {
	const char *text;            /* literal, or NULL: */
	struct cel_program *program; /* an expression */
};
struct rule {
	const char *name, *title, *basis, *assistance;
	int64_t version;
	uint32_t index;
	struct watch *watch;
	int32_t each; /* member list, or -1 */
	uint32_t each_variable;
	const uint32_t *units;
	size_t n_units;
	struct rule_level *levels; /* lowest first */
	size_t n_levels;
	struct cel_program *clear; /* NULL: every level is false */
	struct span hold, keep;
	enum span_unit per; /* SPAN_MONTHS, SPAN_QUARTERS, SPAN_YEARS; else none */
	bool has_per;
	struct summary_part *summary;
	size_t n_summary;
	struct inputs inputs; /* that its conditions read, through derived values too */
	bool timed;           /* its verdict may change by time alone: it reads today, a measure or a threshold */
	/* CEL variables that its conditions read, through derived values too (what an alert shows) */
	const uint32_t *reads;
	size_t n_reads;
	uint64_t each_fields; /* fields of the member that it reads */
	uint64_t fingerprint; /* of all that can change its verdicts */
	struct place place;
};

/* --- units */
struct unit {
	const char *name, *title, *topic; /* topic may hold {region} */
	uint32_t index;
	uint32_t each_digits; /* 0: one unit; else one for each code of so many digits */
	int32_t otherwise;    /* unit where the region is unknown or shorter; -1 */
	const char *const *codes, *const *code_names;
	size_t n_codes;
	struct span gather, quiet, remind, escalate_after; /* n < 0: none (remind, escalate_after) */
	const uint32_t *escalate;
	size_t n_escalate;
	struct place place;
};

struct ruleset {
	struct arena arena;
	int references;
	const char *instance;
	const struct cel_zone *zone;
	struct cel_zone **zones; /* all that were loaded, owned */
	const char *const *zone_names;
	size_t n_zones;
	const struct calendar
		*calendar;         /* of the settings; never NULL once loaded (weekends only where none is given) */
	const char *const *levels; /* lowest first */
	size_t n_levels;
	uint64_t cost_limit;
	bool reject_unknown_events;
	int64_t future_tolerance; /* ms */
	struct watch **watches;
	size_t n_watches;
	struct threshold *thresholds;
	size_t n_thresholds;
	struct rule **rules;
	size_t n_rules;
	struct unit *units;
	size_t n_units;
	uint64_t fingerprint; /* of all that can change a verdict, an alert or a case */
};

struct ruleset *ruleset_new(void);               /* empty, one reference */
struct ruleset *ruleset_hold(struct ruleset *r); /* one more reference */
void ruleset_release(struct ruleset *r);         /* frees at the last */
uint32_t field_id(const char *name);             /* FNV-1a, 32 bits: the name of a field in stored state */
const struct event_type *watch_event(const struct watch *w, struct str type); /* NULL: unknown */
const struct watch *ruleset_watch(const struct ruleset *r, struct str name);
const struct rule *ruleset_rule(const struct ruleset *r, struct str name);
/* Declares the functions that language.md adds (age, days_since, date, …) in an env whose evaluations have a
 * struct engine as context; see clock.c. */
void engine_declare_functions(struct cel_env *env);
#endif
