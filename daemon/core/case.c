/* Cases: the alerts of one subject at one unit.  After the alerts have moved, each case is compared with what it last
 * told its unit; what has changed in one step is one message (language.md, "The life of alerts and cases"). */
#include "step.h"
#include <string.h>

static bool is_told(const struct case_alert *entry)
{
	return entry->n_told && !entry->renewed && entry->told[entry->n_told - 1].level == entry->level;
}

bool waits_for_answer(const struct case_alert *entry)
{
	return entry->in && !entry->left && !entry->answered;
}

static uint32_t case_level(const struct casefile *c)
{
	uint32_t level = 0;
	for (uint32_t i = 0; i < c->n_alerts; i++)
		if (c->alerts[i].in && !c->alerts[i].left && c->alerts[i].level > level)
			level = c->alerts[i].level;
	return level;
}

static bool has_news(const struct casefile *c)
{
	for (uint32_t i = 0; i < c->n_alerts; i++)
		if (c->alerts[i].in && (c->alerts[i].left ? c->alerts[i].n_told > 0 : !is_told(&c->alerts[i])))
			return true;
	return false;
}

static void mark_told(struct casefile *c)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < c->n_alerts; i++) {
		struct case_alert *a = &c->alerts[i];
		if (a->in && a->left && !a->answered)
			continue;
		if (a->in && a->left) { /* answered, told that it left: remembered, since it may come again */
			a->in = a->left = false;
			a->n_told = 0;
		} else if (a->in && !is_told(a)) {
			if (a->n_told == MAX_TOLD)
				memmove(a->told, a->told + 1, --a->n_told * sizeof *a->told);
			a->told[a->n_told++] = (struct told){c->messages, a->level};
		}
		a->renewed = false;
		c->alerts[kept++] = *a;
	}
	c->n_alerts = kept;
}

static void tell(struct engine *e, struct casefile *c, enum message_type type)
{
	c->level = case_level(c);
	c->told_due = c->due;
	send_message(e, c, type, NULL, NULL);
	mark_told(c);
}

/* --- due, reminder, escalation */

static int32_t working_days_before(const struct calendar *calendar, int32_t day, int32_t n)
{
	while (n > 0)
		n -= calendar_is_working(calendar, --day);
	return day;
}

/* "A reminder comes at 00:00 of its working day, and not at all if that has passed." */
static int64_t reminder(const struct engine *e, const struct casefile *c)
{
	struct span before = c->is ? c->is->remind : (struct span){-1, SPAN_DAYS};
	if (before.n < 0 || c->due == DAY_NEVER)
		return 0;
	int32_t day = before.unit == SPAN_WORKING_DAYS ? working_days_before(e->ruleset->calendar, c->due, before.n)
						       : c->due - before.n;
	int64_t at = day_start(e->ruleset->zone, day);
	return at > e->now ? at : 0;
}

/* "At 00:00 of the third working day after `due`": a moment that passes like the reminder's. */
static int64_t escalation(const struct engine *e, const struct casefile *c)
{
	struct span after = c->is ? c->is->escalate_after : (struct span){-1, SPAN_DAYS};
	if (after.n < 0 || c->due == DAY_NEVER)
		return 0;
	int64_t at =
		after.n ? span_end(after, e->ruleset->zone, e->ruleset->calendar, day_start(e->ruleset->zone, c->due))
			: day_start(e->ruleset->zone, c->due + 1);
	return at > e->now ? at : 0;
}

/* "While every alert is clearing, due, reminders and escalation rest; if one comes back after `due` has passed, it is
 * counted anew."  Otherwise the earliest due of the unanswered alerts. */
static void settle_due(struct engine *e, struct casefile *c)
{
	bool resting = true;
	int32_t due = DAY_NEVER;
	for (uint32_t i = 0; i < c->n_alerts; i++)
		if (waits_for_answer(&c->alerts[i]))
			resting &= find_alert(e->s, c->alerts[i].rule, c->alerts[i].member)->state == ALERT_CLEARING;
	for (uint32_t i = 0; i < c->n_alerts; i++) {
		struct case_alert *entry = &c->alerts[i];
		if (!waits_for_answer(entry))
			continue;
		const struct alert *a = find_alert(e->s, entry->rule, entry->member);
		if (c->resting && !resting && entry->due < e->today) {
			entry->due = deadline(e, a->is, a->level);
			c->missed = false;
		}
		if (entry->due < due)
			due = entry->due;
	}
	if (c->resting == resting && c->due == due)
		return;
	e->s->changed = true;
	c->resting = resting;
	if (c->due == due)
		return;
	if (due > c->due)
		c->missed = c->missed && due < e->today;
	c->due = due;
	c->remind = reminder(e, c);
	c->escalate = escalation(e, c);
}

static void pass_deadline(struct engine *e, struct casefile *c)
{
	if (c->missed || c->resting || c->due == DAY_NEVER || c->due >= e->today || c->messages == 0)
		return;
	c->missed = true;
	c->missed_due = c->due < c->missed_due ? c->due : c->missed_due;
	e->s->changed = true;
	send_outcome(e, c, "missed", ON_TIME_NO, false);
}

/* "The case is missed when the due day ends": judged by the case as it stood then, before this step moves anything. */
void pass_deadlines(struct engine *e)
{
	for (uint32_t i = 0; i < e->s->n_cases; i++)
		if (e->s->cases[i].open)
			pass_deadline(e, &e->s->cases[i]);
}

static void pass_reminder(struct engine *e, struct casefile *c)
{
	if (!c->remind || c->remind > e->now)
		return;
	bool send = !c->resting && c->messages > 0 && c->due >= e->today;
	c->remind = 0;
	e->s->changed = true;
	if (send)
		tell(e, c, CASE_REMINDED);
}

static struct addressee superior(struct engine *e, const struct casefile *c, size_t i)
{
	struct addressee to;
	to.unit = unit_in(e, c->is->escalate[i], c->escalated_region, &to.is);
	return to;
}

/* To those that a case is escalated to, each once; not to its own unit, which may be the `otherwise` of one. */
static void tell_superiors(struct engine *e, struct casefile *c, enum message_type type, const char *reason)
{
	for (size_t i = 0; c->is && i < c->is->n_escalate; i++) {
		struct addressee to = superior(e, c, i);
		bool told = str_equal(to.unit, c->unit);
		for (size_t k = 0; k < i && !told; k++)
			told = str_equal(to.unit, superior(e, c, k).unit);
		if (!told)
			send_message(e, c, type, reason, &to);
	}
}

static bool any_for_each_code(const struct engine *e, const struct unit *u)
{
	for (size_t i = 0; i < u->n_escalate; i++)
		if (e->ruleset->units[u->escalate[i]].each_digits)
			return true;
	return false;
}

static void pass_escalation(struct engine *e, struct casefile *c)
{
	if (!c->escalate || c->escalate > e->now)
		return;
	bool send = !c->resting && c->messages > 0;
	c->escalate = 0;
	e->s->changed = true;
	if (!send)
		return;
	c->escalated = true;
	c->escalated_region = any_for_each_code(e, c->is) ? c->region : (struct str){"", 0};
	tell_superiors(e, c, CASE_ESCALATED, NULL);
}

/* --- opening and telling */

static bool wants_opening(const struct casefile *c)
{
	for (uint32_t i = 0; i < c->n_alerts; i++)
		if (waits_for_answer(&c->alerts[i]))
			return true;
	return false;
}

static void open_case(struct engine *e, struct casefile *c)
{
	c->open = true;
	c->number++;
	c->previous = c->follow_up;
	c->messages = 0;
	c->opened = e->now;
	c->sent = 0;
	c->level = 0;
	c->due = c->told_due = c->missed_due = DAY_NEVER;
	c->missed = c->resting = c->answered = c->escalated = false;
	c->escalated_region = (struct str){"", 0};
	c->remind = c->escalate = 0;
	c->feedback = 0;
	memset(c->heard, 0, sizeof c->heard);
	e->s->changed = true;
}

/* "`gather` and `quiet` are elapsed time": a day is 24 hours. */
static int64_t after(const struct engine *e, struct span span, int64_t start)
{
	if (span.n > 0 && span.unit == SPAN_DAYS)
		return start + (int64_t)span.n * 86400000;
	return span.n > 0 ? span_end(span, e->ruleset->zone, e->ruleset->calendar, start) : start;
}

static int64_t gathered(const struct engine *e, const struct casefile *c)
{
	return after(e, c->is ? c->is->gather : (struct span){0, SPAN_MINUTES}, c->opened);
}

static int64_t quiet_over(const struct engine *e, const struct casefile *c)
{
	return after(e, c->is ? c->is->quiet : (struct span){0, SPAN_MINUTES}, c->sent);
}

/* "Inside `quiet`, changes wait and go as one message.  Sent at once: the case's level rises, its due moves nearer." */
static void tell_news(struct engine *e, struct casefile *c)
{
	if (c->messages == 0) {
		if (gathered(e, c) <= e->now)
			tell(e, c, CASE_OPENED);
		return;
	}
	if (!has_news(c))
		return;
	bool rises = case_level(c) > c->level, nearer = c->due < c->told_due && !c->resting;
	if (rises || nearer || quiet_over(e, c) <= e->now)
		tell(e, c, rises ? CASE_RAISED : CASE_CHANGED);
}

/* --- ending */

/* What an ended case leaves: its answered alerts, which may speak again. */
static void forget_case(struct casefile *c)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < c->n_alerts; i++) {
		struct case_alert a = c->alerts[i];
		if (!a.answered)
			continue;
		a.in = a.left = false;
		a.n_told = 0;
		c->alerts[kept++] = a;
	}
	c->n_alerts = kept;
	c->open = c->missed = c->resting = c->answered = c->escalated = false;
	c->due = c->told_due = c->missed_due = DAY_NEVER;
	c->remind = c->escalate = 0;
}

static void send_end(struct engine *e, struct casefile *c, enum message_type type, const char *reason)
{
	send_message(e, c, type, reason, NULL);
	if (c->escalated)
		tell_superiors(e, c, type, reason);
}

/* What moved before, while others stayed, isn't what the case ends by. */
static bool any_moved(struct engine *e, const struct casefile *c)
{
	for (uint32_t i = 0; i < c->n_alerts; i++)
		if (c->alerts[i].leaves && is_moved(e, c, &c->alerts[i]))
			return true;
	return false;
}

static bool is_answering(const struct engine *e, const struct casefile *c)
{
	return (uint32_t)(c - e->s->cases) + 1 == e->answering;
}

/* Is an answered alert still in the case, or does this step's event answer it? */
static bool any_answered(const struct engine *e, const struct casefile *c)
{
	bool now = is_answering(e, c);
	for (uint32_t i = 0; i < c->n_alerts; i++)
		if (c->alerts[i].in && c->alerts[i].answered && (now || !c->alerts[i].left))
			return true;
	return false;
}

static bool all_orphans(struct engine *e, const struct casefile *c)
{
	for (uint32_t i = 0; i < c->n_alerts; i++) {
		const struct alert *a = find_alert(e->s, c->alerts[i].rule, c->alerts[i].member);
		if (c->alerts[i].in && a && a->is)
			return false;
	}
	return c->n_alerts > 0;
}

/* "on_time (the answer's time against `due`; absent where it cleared in time or moved)", and false once a deadline was
 * missed: the last record of a case must not make up for its silence. */
static enum on_time answer_in_time(const struct engine *e, const struct casefile *c)
{
	if (c->missed_due != DAY_NEVER)
		return ON_TIME_NO;
	if (c->answered_due == DAY_NEVER)
		return ON_TIME_ABSENT;
	return day_of(e->ruleset->zone, c->answered_at) <= c->answered_due ? ON_TIME_YES : ON_TIME_NO;
}

static void end_case(struct engine *e, struct casefile *c)
{
	enum on_time late =
		c->missed_due != DAY_NEVER || (!c->resting && c->due < e->today) ? ON_TIME_NO : ON_TIME_ABSENT;
	e->s->changed = true;
	if (c->messages == 0) { /* nothing was told: there was no case */
		c->number--;
	} else if (any_answered(e, c)) {
		const char *result = c->result == ANSWER_HANDLED ? "handled" : "not_confirmed";
		send_end(e, c, CASE_CLOSED, result);
		send_outcome(e, c, result, answer_in_time(e, c), true);
	} else if (any_moved(e, c)) {
		send_end(e, c, CASE_CLOSED, "moved");
	} else {
		send_end(e, c, CASE_CLEARED, all_orphans(e, c) ? "rule removed" : "cleared");
		send_outcome(e, c, "cleared", late, true);
	}
	forget_case(c);
}

/* --- one case after a step */

/* An answer whose `until` has passed already ends the case, and what is still true speaks again at once, in a new one.
 */
static void reopen_case(struct engine *e, struct casefile *c)
{
	e->answering = 0;
	follow_alerts(e, c);
	if (!wants_opening(c))
		return;
	open_case(e, c);
	c->region = arena_str(e->s->arena, subject_region(e));
	settle_due(e, c);
	tell_news(e, c);
}

static void update_case(struct engine *e, struct casefile *c)
{
	if (!c->open && !wants_opening(c))
		return;
	if (!c->open)
		open_case(e, c);
	struct str region = subject_region(e);
	if (!str_equal(region, c->region)) {
		c->region = arena_str(e->s->arena, region);
		e->s->changed = true;
	}
	if (!wants_opening(c)) {
		end_case(e, c);
		reopen_case(e, c);
		return;
	}
	if (is_answering(e, c)) { /* an answer whose `until` has passed already lets its alert speak again at once */
		e->answering = 0;
		follow_alerts(e, c);
	}
	settle_due(e, c);
	tell_news(e, c);
	pass_deadline(e, c); /* of a case whose first message waited longer than that */
	pass_reminder(e, c);
	pass_escalation(e, c);
}

void update_cases(struct engine *e)
{
	struct subject *s = e->s;
	for (uint32_t i = 0; i < s->n_cases; i++)
		s->cases[i].level_before = case_level(&s->cases[i]);
	join_alerts(e); /* first: what was answered at a unit that the subject has left is asked there */
	for (uint32_t i = 0; i < s->n_cases; i++)
		follow_alerts(e, &s->cases[i]);
	for (uint32_t i = 0; i < s->n_cases; i++)
		update_case(e, &s->cases[i]);
}

void close_cases(struct engine *e, const char *reason)
{
	struct subject *s = e->s;
	for (uint32_t i = 0; i < s->n_cases; i++) {
		struct casefile *c = &s->cases[i];
		c->level_before = case_level(c);
		if (c->open && c->messages > 0) {
			send_end(e, c, CASE_CLOSED, reason);
			send_outcome(e, c, reason, c->missed_due != DAY_NEVER ? ON_TIME_NO : ON_TIME_ABSENT, true);
		} else if (c->open) {
			c->number--;
		}
		forget_case(c);
		c->n_alerts = 0;
	}
	for (uint32_t i = 0; i < s->n_alerts; i++)
		s->alerts[i] = (struct alert){.rule = s->alerts[i].rule,
					      .member = s->alerts[i].member,
					      .is = s->alerts[i].is,
					      .number = s->alerts[i].number,
					      .version = s->alerts[i].version};
	s->changed = true;
}

/* --- timers */

static int64_t sooner(const struct engine *e, int64_t at, int64_t least)
{
	return at > e->now && at < least ? at : least;
}

static int64_t answers_due(struct engine *e, const struct casefile *c)
{
	int64_t due = TIME_NEVER;
	for (uint32_t i = 0; i < c->n_alerts; i++) {
		const struct alert *a =
			c->alerts[i].answered ? find_alert(e->s, c->alerts[i].rule, c->alerts[i].member) : NULL;
		if (a && is_active(a))
			due = sooner(e, c->alerts[i].until, due);
	}
	return due;
}

int64_t case_due(struct engine *e, const struct casefile *c)
{
	int64_t due = answers_due(e, c);
	if (!c->open)
		return due;
	if (c->messages == 0)
		due = sooner(e, gathered(e, c), due);
	else if (has_news(c))
		due = sooner(e, quiet_over(e, c), due);
	if (c->remind)
		due = sooner(e, c->remind, due);
	if (c->escalate)
		due = sooner(e, c->escalate, due);
	if (c->resting || c->due == DAY_NEVER)
		return due;
	if (!c->missed)
		due = sooner(e, day_start(e->ruleset->zone, c->due + 1), due);
	return due;
}
