/* eval_json.h: an evaluation asked for in JSON and answered in JSON. */
#ifndef EVAL_JSON_H
#define EVAL_JSON_H
#include <jansson.h>
#include <stdbool.h>

struct evaluator; /* the time zones that were read, and whether the rules' additions hold */
struct evaluator *evaluator_new(bool rules);
void evaluator_free(struct evaluator *e);
/* {"expr", "let", "unknown"} to {"type", "value"}, {"error", "column"} or {"unknown"}; the caller's. */
json_t *evaluate_json(struct evaluator *e, const json_t *input);
json_t *error_json(const char *text, size_t column);
#endif
