/* Inside of the decoder: one record while it is decoded.  decode.c reads the envelope and ordinary data,
 * decode_answer.c what feedback says. */
#ifndef DECODE_READING_H
#define DECODE_READING_H
#include "decode.h"
#include "json_simd.h"

enum { SUBJECT_MAX = 256, TEXT_MAX = 1024 };

/* The context attributes that we read: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md */
enum attribute {
	A_SPECVERSION,
	A_ID,
	A_SOURCE,
	A_TYPE,
	A_SUBJECT,
	A_TIME,
	N_ATTRIBUTES,
	A_DATA = N_ATTRIBUTES,
	A_DATA_BASE64,
	N_FIELDS
};

struct decoder {
	const struct ruleset *ruleset;
	struct json_reader *reader;
	struct engine *engine; /* finds subjects by expressions; NULL: no watch has `subject:` */
	struct str ***names;   /* [watch][event type][data field] */
	struct arena arena;    /* holds names */
};

enum feedback_mode { FEEDBACK_NEVER, FEEDBACK_ALSO, FEEDBACK_ONLY };
struct reading {
	struct decoder *decoder;
	const struct watch *watch;
	const struct event_type *type; /* NULL: not yet read, or unknown to the watches */
	enum feedback_mode feedback;
	bool alone; /* the watch itself is meant, not those beside it */
	struct arena *arena;
	uint32_t seen, nulls; /* bit sets of the fields met, and of those that were null */
	struct str value[N_ATTRIBUTES];
	json_field *fields; /* sees those of data; NULL: nobody wants them */
	bool data_waits;    /* data came before type */
	bool binary;        /* attributes are headers, the value is the data */
	bool named;         /* the reason names its field already */
	const struct str *names;
	struct cel_value *data;
	struct str *raw;
	uint32_t next;         /* the data field that is likely to come next */
	struct answer *answer; /* NULL: no feedback; at and until are set where written */
	uint32_t answer_seen;  /* bit set of its fields met */
};

/* A reason: the field, what was found, what was expected. */
bool decode_refuse(struct reading *g, enum attribute a, const char *found, struct err *why);
/* The event type is known: data's fields are wanted. */
void decode_expect(struct reading *g, const struct event_type *type);
/* Reads data's fields once more, with g->fields. */
bool decode_again(struct reading *g, struct err *why);
bool decode_has_control(struct str s);

/* Is it a type of feedback?  Then g->answer and g->fields are set. */
bool answer_expect(struct reading *g, struct str type);
/* After the envelope and the subject: the watch of the case, and what its `events` say of the type. */
bool answer_finish(struct reading *g, int64_t wall, struct event *out, struct err *why);
#endif
