/* Feedback: what caseworkers answer (language.md, "Feedback").  "An answer covers what the case had told by
 * message_no (default: the latest), or only its rules." */
#include "step.h"
#include <string.h>

const char *answer_type(enum answer_kind kind)
{
	static const char *const types[] = {[ANSWER_ACKNOWLEDGED] = "case.acknowledged",
					    [ANSWER_CONFIRMED] = "case.confirmed",
					    [ANSWER_MEASURE_TAKEN] = "case.measure_taken",
					    [ANSWER_HANDLED] = "case.handled",
					    [ANSWER_NOT_CONFIRMED] = "case.not_confirmed"};
	return types[kind];
}

bool answer_kind_of(struct str type, enum answer_kind *kind)
{
	for (*kind = ANSWER_ACKNOWLEDGED; *kind <= ANSWER_NOT_CONFIRMED; (*kind)++)
		if (str_equal(type, str_of(answer_type(*kind))))
			return true;
	return false;
}

/* Takes <watch>/<subject>/<unit>/<number> apart; a unit may hold a slash (township/360704102), a subject too. */
static bool parse_case(const struct subject *s, struct str id, struct str *unit, uint64_t *number)
{
	struct str watch = str_of(s->watch->name);
	uint32_t head = watch.len + 1 + s->key.len + 1, slash = id.len;
	if (id.len <= head || memcmp(id.s, watch.s, watch.len) != 0 || id.s[watch.len] != '/' ||
	    memcmp(id.s + watch.len + 1, s->key.s, s->key.len) != 0 || id.s[head - 1] != '/')
		return false;
	while (slash > head && id.s[slash - 1] != '/')
		slash--;
	if (slash <= head + 1 || slash == id.len || id.len - slash > 9)
		return false;
	*number = 0;
	for (uint32_t i = slash; i < id.len; i++) {
		if (id.s[i] < '0' || id.s[i] > '9')
			return false;
		*number = *number * 10 + (uint64_t)(id.s[i] - '0');
	}
	*unit = (struct str){id.s + head, slash - 1 - head};
	return true;
}

static struct casefile *answered_case(struct engine *e, const struct answer *answer, uint64_t *number)
{
	struct str unit;
	if (!parse_case(e->s, answer->case_id, &unit, number))
		return NULL;
	for (uint32_t i = 0; i < e->s->n_cases; i++)
		if (str_equal(e->s->cases[i].unit, unit))
			return &e->s->cases[i];
	return NULL;
}

static bool in_case(const struct casefile *c, struct str rule)
{
	for (uint32_t i = 0; i < c->n_alerts; i++)
		if (c->alerts[i].in && str_equal(c->alerts[i].rule, rule))
			return true;
	return false;
}

bool check_answer(struct engine *e, const struct answer *answer, struct err *why)
{
	uint64_t number = 0;
	struct casefile *c = answered_case(e, answer, &number);
	int shown = (int)(answer->case_id.len < 200 ? answer->case_id.len : 200);
	bool known = c && number > 0 && (number < c->number || (number == c->number && (!c->open || c->messages > 0)));
	if (!known)
		return err_set(why, "data.case: there is no case %.*s", shown, answer->case_id.s);
	if (number < c->number || !c->open)
		return err_set(why, "data.case: the case %.*s has ended", shown, answer->case_id.s);
	if (answer->message_no > (int64_t)c->messages)
		return err_set(why, "data.message_no: found %lld, the case has sent %u", (long long)answer->message_no,
			       c->messages);
	for (size_t i = 0; i < answer->n_rules; i++)
		if (!in_case(c, answer->rules[i]))
			return err_set(why, "data.rules: the case has no alert of rule %.*s",
				       (int)(answer->rules[i].len < 100 ? answer->rules[i].len : 100),
				       answer->rules[i].s);
	return true;
}

/* The level that the case had told of an alert by a message, + 1; 0: nothing yet. */
static uint32_t told_by(const struct case_alert *entry, int64_t message_no)
{
	uint32_t level = 0;
	for (uint32_t i = 0; i < entry->n_told; i++)
		if (entry->told[i].message > entry->told_from &&
		    (message_no < 0 || entry->told[i].message <= message_no))
			level = entry->told[i].level + 1;
	return level;
}

static bool covers(const struct answer *answer, const struct case_alert *entry)
{
	if (answer->n_rules == 0)
		return true;
	for (size_t i = 0; i < answer->n_rules; i++)
		if (str_equal(answer->rules[i], entry->rule))
			return true;
	return false;
}

static uint64_t feedback_hash(const struct event *event)
{
	uint64_t h = 14695981039346656037u;
	for (uint32_t i = 0; i < event->source.len; i++)
		h = (h ^ (unsigned char)event->source.s[i]) * 1099511628211u;
	h = (h ^ 0xff) * 1099511628211u;
	for (uint32_t i = 0; i < event->id.len; i++)
		h = (h ^ (unsigned char)event->id.s[i]) * 1099511628211u;
	return h;
}

/* Is an alert still unanswered that was due by then? */
static bool waits_since(const struct casefile *c, int32_t due)
{
	for (uint32_t i = 0; i < c->n_alerts; i++)
		if (waits_for_answer(&c->alerts[i]) && c->alerts[i].due <= due)
			return true;
	return false;
}

/* The answer has been checked.  An alert is answered where the case had told a level at least as high as it now has; an
 * answer that answers none is not the case's.  One that was given in time, though it comes after the due day, takes
 * back that this was missed. */
void apply_answer(struct engine *e, const struct event *event)
{
	const struct answer *answer = event->answer;
	uint64_t number, hash = feedback_hash(event);
	struct casefile *c = answered_case(e, answer, &number);
	if (c->feedback == hash)
		return;
	c->feedback = hash;
	e->s->changed = true;
	if (answer->kind <= ANSWER_MEASURE_TAKEN) {
		c->heard[answer->kind] = answer->at;
		return;
	}
	bool answers = false;
	for (uint32_t i = 0; i < c->n_alerts; i++) {
		struct case_alert *entry = &c->alerts[i];
		uint32_t told = told_by(entry, answer->message_no);
		if (!entry->in || entry->left || !covers(answer, entry) || told < entry->level + 1)
			continue;
		entry->answered = told;
		entry->answered_in = (struct case_name){.number = c->number};
		entry->until = answer->until;
		e->answering = (uint32_t)(c - e->s->cases) + 1;
		c->answered = true;
		c->result = answer->kind;
		c->answered_at = answer->at;
		c->answered_due = c->due;
		answers = true;
	}
	if (answers && !waits_since(c, c->missed_due) && day_of(e->ruleset->zone, answer->at) <= c->missed_due)
		c->missed_due = DAY_NEVER;
}
