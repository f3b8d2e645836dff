/* A unit's message for people: several lines in Chinese, made from its JSON, so that a queue's reader needs no more
 * than the queue.  Titles come from the rules where they are at hand. */
#ifndef MESSAGE_TEXT_H
#define MESSAGE_TEXT_H
#include "message.h"
#include <jansson.h>

/* message: a parsed message (borrowed); r: NULL where there are no rules at hand.  Fields that are missing are left
 * out. */
void message_text_of(const json_t *message, const struct ruleset *r, struct buffer *out);
/* "red" is 红色, "yuan/month" is 元/月; others as they are. */
const char *text_level(const char *level);
const char *text_unit(const char *unit);
#endif
