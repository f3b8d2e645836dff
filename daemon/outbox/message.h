/* A unit's message, and a case's outcome, as CloudEvents JSON (structured mode) with deterministic ids. */
#ifndef MESSAGE_H
#define MESSAGE_H
#include "../core/effects.h"
#include "../state/codec.h"

struct message_id {
	char text[33]; /* 128 bits in hex */
};
/* Hash of incarnation, watch, subject, unit, case number and message number. */
struct message_id message_id(const struct message *m, struct str incarnation);
/* Appends the JSON object, without a line end: UTF-8, keys in a fixed order, equal messages give equal bytes. */
void message_json(const struct message *m, const struct ruleset *r, struct str incarnation, struct buffer *out);
/* What became of a case, as the CloudEvent `case.outcome` (language.md, "Outcomes"): its subject is the unit.  on_time
 * is left out where it is absent. */
void outcome_json(const struct outcome *o, const struct ruleset *r, struct str incarnation, struct buffer *out);
/* A message for people, several lines of plain text in Chinese. */
void message_text(const struct message *m, const struct ruleset *r, struct buffer *out);
#endif
