/* One event about one subject, decoded: what the engine takes in.  Everything is borrowed from the decoder's arena. */
#ifndef EVENT_H
#define EVENT_H
#include "subject.h"

/* A caseworker's feedback on a case (language.md, "Feedback"). */
struct answer {
	enum answer_kind kind;
	struct str case_id;      /* <watch>/<subject>/<unit>/<number> */
	int64_t at;              /* ms; default the event's time */
	int64_t until;           /* ms; TIME_NEVER: none */
	int64_t message_no;      /* what the answer covers; -1: the latest */
	const struct str *rules; /* only these; n_rules 0: all */
	size_t n_rules;
};

const char *answer_type(enum answer_kind kind);               /* "case.handled" */
bool answer_kind_of(struct str type, enum answer_kind *kind); /* false: no type of feedback */

struct event {
	const struct watch *watch;
	const struct event_type *type; /* NULL: an answer that the watch's `events` don't name */
	const struct answer *answer;   /* NULL: an ordinary event */
	struct str subject, source, id;
	struct str key; /* `event.key` in expressions: the attribute `subject` or the Kafka key; .s NULL: the subject */
	int64_t time;   /* ms: the CloudEvents time, else the Kafka timestamp */
	/* By the order of type->data; a field that the event lacks is CEL_UNKNOWN, JSON null is CEL_NULL, a number is
	 * an int where it is written as one and fits, else a double; objects and arrays become maps and lists. */
	const struct cel_value *data;
	const struct str *raw; /* the number as written, for money; empty for others */
};

/* Money as whole fen, half up (away from zero) by the decimal digits as written ("1.005" is 101, "-1.005" is -101,
 * exponents too).  False: not a number, or beyond 9e15 fen. */
bool money_parse(struct str written, int64_t *fen);
/* The same for a computed value: by its 15 significant digits. */
bool money_round(double yuan, int64_t *fen);
#endif
