/* The journal of a simulated run: what an engine must never say, said to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "../../daemon/cli/journal.h"

static const char *const levels[] = {"green", "yellow", "red"};
static const struct ruleset rules = {.levels = levels, .n_levels = 3};
static const struct watch home = {.name = "home"};

static struct message_alert alert(const char *rule, const char *level, const char *state)
{
	return (struct message_alert){.rule_name = str_of(rule), .member = STR(""), .level = level, .state = state};
}

static struct message message(uint32_t number, enum message_type type, const char *level, struct message_alert *a)
{
	return (struct message){.type = type,
				.watch = &home,
				.unit = STR("office"),
				.case_id = STR("home/h/office/1"),
				.number = number,
				.level = level,
				.due = 100,
				.alerts = a,
				.n_alerts = a ? 1 : 0};
}

static struct outcome outcome(int32_t due, int64_t ended)
{
	return (struct outcome){.watch = &home, .case_id = STR("home/h/office/1"), .due = due, .ended = ended};
}

static struct err why;

static bool take(struct journal *j, struct message *m, struct outcome *o)
{
	struct effects fx = {.first = m, .first_outcome = o};
	why = (struct err){""};
	return journal_take(j, &rules, &fx, &why);
}

static struct journal opened(void)
{
	struct journal j = {0};
	struct message_alert a = alert("r", "yellow", "open");
	struct message m = message(1, CASE_OPENED, "yellow", &a);
	assert_true(take(&j, &m, NULL));
	return j;
}

static void refused(struct message m, struct outcome *o, const char *reason)
{
	struct journal j = opened();
	assert_false(take(&j, &m, o));
	if (!strstr(why.text, reason))
		fail_msg("%s; expected: %s", why.text, reason);
	journal_close(&j);
}

static void a_case_that_lives_as_it_should_is_taken(void **state)
{
	(void)state;
	struct journal j = opened();
	struct message_alert red = alert("r", "red", "open"), yellow = alert("r", "yellow", "clearing"),
			     over = alert("r", "yellow", "over");
	struct message list[] = {
		message(2, CASE_RAISED, "red", &red),        message(3, CASE_REMINDED, "red", &red),
		message(4, CASE_CHANGED, "yellow", &yellow), message(5, CASE_ESCALATED, "yellow", &yellow),
		message(6, CASE_CLEARED, "yellow", &over),   message(7, CASE_CLEARED, "yellow", &over)};
	list[3].unit = list[5].unit = STR("mayor");
	struct outcome missed = outcome(100, 0), end = outcome(100, 5000);
	for (size_t i = 0; i < 4; i++)
		assert_true(take(&j, &list[i], i == 3 ? &missed : NULL));
	list[4].next = &list[5];
	assert_true(take(&j, &list[4], &end));
	journal_close(&j);
}

static void no_message_without_a_change(void **state)
{
	(void)state;
	struct message_alert same = alert("r", "yellow", "clearing"), red = alert("r", "red", "open");
	refused(message(2, CASE_CHANGED, "yellow", &same), NULL, "nothing has changed");
	refused(message(2, CASE_RAISED, "yellow", &same), NULL, "didn't rise");
	refused(message(2, CASE_CHANGED, "red", &red), NULL, "the level rose");
	refused(message(1, CASE_REMINDED, "yellow", &same), NULL, "isn't above");
	refused(message(2, CASE_OPENED, "yellow", &same), NULL, "the first message");
}

static void what_was_answered_may_speak_again(void **state)
{
	(void)state;
	struct journal j = opened();
	struct message_alert same = alert("r", "yellow", "open");
	struct message m = message(2, CASE_CHANGED, "yellow", &same);
	journal_answer(&j, m.case_id);
	assert_true(take(&j, &m, NULL));
	journal_close(&j);
}

static void each_end_and_each_missed_deadline_has_one_outcome(void **state)
{
	(void)state;
	struct message_alert over = alert("r", "yellow", "over");
	struct outcome end = outcome(100, 5000), again = outcome(100, 5000), missed = outcome(100, 0), twice = missed;
	refused(message(2, CASE_CLEARED, "yellow", &over), NULL, "without its outcome");
	end.next = &again;
	refused(message(2, CASE_CLEARED, "yellow", &over), &end, "or a second");
	again.next = NULL;
	refused(message(2, CASE_REMINDED, "yellow", &over), &again, "isn't one");
	missed.next = &twice;
	refused(message(2, CASE_REMINDED, "yellow", &over), &missed, "one missed deadline");
	struct message moved = message(2, CASE_CLOSED, "yellow", &over);
	moved.reason = "moved";
	refused(moved, &again, "isn't one");
}

static void nothing_after_the_end(void **state)
{
	(void)state;
	struct journal j = opened();
	struct message_alert over = alert("r", "yellow", "over");
	struct message end = message(2, CASE_CLOSED, "yellow", &over),
		       more = message(3, CASE_REMINDED, "yellow", &over);
	struct outcome handled = outcome(100, 5000);
	assert_true(take(&j, &end, &handled));
	assert_false(take(&j, &more, NULL));
	assert_non_null(strstr(why.text, "has ended"));
	journal_close(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_case_that_lives_as_it_should_is_taken),
		cmocka_unit_test(no_message_without_a_change),
		cmocka_unit_test(what_was_answered_may_speak_again),
		cmocka_unit_test(each_end_and_each_missed_deadline_has_one_outcome),
		cmocka_unit_test(nothing_after_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
