/* The judgement of progress: a pure function, cases in a row. */
#include "../../daemon/ops/health.h"
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { NOW = 10000000, STALL = 120000, LONG_AGO = NOW - STALL - 5000, LATELY = NOW - 1000 };

static struct partition_status partition;
static struct worker_status worker;
static struct health_report report;

/* A worker with one partition, at work and without a lag. */
static int fresh(void **state)
{
	(void)state;
	partition = (struct partition_status){
		.partition = 3, .state = PARTITION_RUNNING, .since = LONG_AGO, .progress = LATELY, .clock = INT64_MIN};
	worker = (struct worker_status){.number = 1,
					.phase = WORKER_RUNNING,
					.since = LONG_AGO,
					.settled = LATELY,
					.moved = LATELY,
					.doing = "works on 1 partition",
					.partitions = &partition,
					.n_partitions = 1};
	return 0;
}

static void expect(bool healthy, bool ready, bool stuck, const char *sentence)
{
	health_judge(&worker, 1, NOW, STALL, &report);
	if (report.healthy != healthy || report.ready != ready || report.stuck != stuck ||
	    !strstr(report.status, sentence))
		fail_msg("got healthy %d ready %d stuck %d: %s", report.healthy, report.ready, report.stuck,
			 report.status);
	if ((healthy && ready) != (report.n_notes == 0))
		fail_msg("%zu lines for the log: %s", report.n_notes, report.status);
}

static void idle_is_healthy(void **state)
{
	(void)state;
	partition.lag = 0;
	partition.progress = LONG_AGO;
	expect(true, true, false, "Keeping watch on 1 partitions; nothing waits.");
	partition.unswept = 17;
	expect(true, true, false, "about 17 subjects are yet to be judged by new rules.");
}

static void lag_with_commits_is_healthy(void **state)
{
	(void)state;
	partition.lag = 500;
	partition.progress = worker.committed = LATELY;
	expect(true, true, false, "500 records wait, last commit 1 s ago");
}

static void lag_that_just_came_is_healthy(void **state)
{
	(void)state;
	partition.lag = 500; /* after a quiet night: the last commit is hours ago */
	worker.committed = LONG_AGO;
	expect(true, true, false, "500 records wait, last commit 125 s ago");
}

static void lag_before_the_first_commit_is_healthy(void **state)
{
	(void)state;
	partition.lag = 500;
	expect(true, true, false, "500 records wait.");
}

static void lag_without_commit_is_stuck(void **state)
{
	(void)state;
	partition.lag = 500;
	partition.progress = LONG_AGO;
	expect(false, true, true,
	       "Partition 3: 500 records wait and none was committed for 125 s; worker 1 works on 1 partition");
}

static void lag_without_commit_is_stuck_while_the_state_comes_and_goes(void **state)
{
	(void)state;
	partition.lag = 500; /* aborted, taken over anew, aborted again */
	partition.progress = LONG_AGO;
	partition.since = LATELY;
	expect(false, true, true, "none was committed for 125 s");
	partition.state = PARTITION_TAKING_OVER;
	partition.lag = -1;
	expect(false, false, true, "has stood at 0 of 0 changelog records for 125 s");
}

static void lag_that_is_not_known_hides_no_stall(void **state)
{
	(void)state;
	partition.lag = -1;
	expect(true, true, false, "");
	partition.progress = LONG_AGO;
	expect(false, true, true, "how many wait isn't known");
}

static void records_that_nobody_delivers_are_stuck(void **state)
{
	(void)state;
	partition.lag = 0; /* another topic of the partition flows */
	partition.hold = HOLD_UNREAD;
	strcpy(partition.why, "household.events has records from offset 5 to 9, but Kafka doesn't deliver them");
	partition.held = STALL - 1;
	expect(true, true, false, "nothing waits");
	partition.held = STALL + 3000;
	expect(false, true, true, "Partition 3, for 123 s: household.events has records from offset 5 to 9");
}

static void a_topic_whose_end_is_not_told_is_stuck(void **state)
{
	(void)state;
	partition.hold = HOLD_UNKNOWN;
	partition.held = STALL + 3000;
	strcpy(partition.why, "Kafka doesn't tell where household.events ends");
	expect(false, true, true, "Partition 3, for 123 s: Kafka doesn't tell where household.events ends");
}

static void a_hanging_transaction_is_unhealthy_but_no_restart_helps(void **state)
{
	(void)state;
	partition.hold = HOLD_TRANSACTION;
	partition.held = STALL + 3000;
	strcpy(partition.why, "4 records of household.events are held up by a transaction");
	expect(false, true, false, "Partition 3, for 123 s: 4 records of household.events are held up");
}

static void a_worker_that_hangs_is_stuck(void **state)
{
	(void)state;
	worker.moved = LONG_AGO;
	expect(false, true, true, "Worker 1 has not moved for 125 s: it works on 1 partition");
	worker.call = "committing";
	expect(false, true, true, "it works on 1 partition and is still committing");
}

static void a_worker_that_ended_is_stuck(void **state)
{
	(void)state;
	worker.phase = WORKER_ENDED;
	expect(false, false, true, "Worker 1 has ended");
}

static void away(int64_t since)
{
	worker.phase = WORKER_PAUSED;
	worker.away = true;
	worker.since = worker.away_since = since;
	strcpy(worker.away_why, "Redis is away");
	strcpy(worker.doing, "tries again in 500 ms: Redis is away");
}

static void a_server_away_for_a_moment_is_only_unready(void **state)
{
	(void)state;
	away(LATELY);
	expect(true, false, false,
	       "Not ready: Worker 1 has been held up by Kafka or Redis for 1 s: Redis is away; it tries again");
}

static void a_server_away_for_long_is_stuck(void **state)
{
	(void)state;
	away(LONG_AGO);
	expect(false, false, true,
	       "UNHEALTHY: Worker 1 has been held up by Kafka or Redis for 125 s: Redis is away; it tries again");
}

static void a_server_away_for_long_is_stuck_between_two_attempts_too(void **state)
{
	(void)state;
	away(LONG_AGO);
	worker.phase = WORKER_RUNNING;
	worker.since = LATELY;
	strcpy(worker.doing, "takes over 1 partition");
	expect(false, false, true, "for 125 s: Redis is away; it takes over 1 partition");
}

static void a_worker_that_pauses_for_long_is_stuck(void **state)
{
	(void)state;
	worker.phase = WORKER_PAUSED;
	worker.since = LATELY;
	strcpy(worker.doing, "tries again in 500 ms: a record is refused");
	expect(true, false, false, "Not ready: Worker 1 tries again in 500 ms: a record is refused");
	worker.settled = LONG_AGO;
	expect(false, false, true, "Worker 1 has not got to work for 125 s: it tries again in 500 ms");
}

static void a_stopped_partition_needs_a_person(void **state)
{
	(void)state;
	partition.state = PARTITION_STOPPED;
	partition.since = LATELY;
	strcpy(partition.why, "partition 3: the changelog has lost its tail");
	expect(false, false, false,
	       "Partition 3 has been stopped for 1 s and is tried again each minute: the changelog has lost its tail");
}

static void a_partition_may_wait_for_a_moment(void **state)
{
	(void)state;
	partition.state = PARTITION_WAITING;
	partition.since = LATELY;
	strcpy(partition.why, "case.feedback is another's");
	expect(true, false, false,
	       "Partition 3 has waited for 1 s for the group to assign all of it: case.feedback is another's");
	partition.since = LONG_AGO;
	expect(false, false, false, "UNHEALTHY: Partition 3 has waited for 125 s");
}

static void a_replay_that_moves_is_healthy_however_long(void **state)
{
	(void)state;
	partition.state = PARTITION_TAKING_OVER;
	partition.lag = -1;
	partition.replayed = 7;
	partition.replay = 9;
	expect(true, false, false, "Partition 3 has been taken over for 125 s: 7 of 9 changelog records");
}

static void a_replay_that_stands_is_stuck(void **state)
{
	(void)state;
	partition.state = PARTITION_TAKING_OVER;
	partition.lag = -1;
	partition.replayed = 7;
	partition.replay = 9;
	partition.progress = LONG_AGO;
	strcpy(partition.why, "a transaction is undecided");
	expect(false, false, true, "has stood at 7 of 9 changelog records for 125 s: a transaction is undecided");
}

static void joining_for_a_moment_is_only_unready(void **state)
{
	(void)state;
	worker.phase = WORKER_JOINING;
	worker.n_partitions = 0;
	strcpy(worker.doing, "waits for the group");
	expect(true, false, false, "Not ready: Worker 1 waits for the group");
}

static void a_rebalance_that_does_not_end_is_stuck(void **state)
{
	(void)state;
	worker.phase = WORKER_JOINING;
	worker.since = LATELY; /* joined and thrown out again and again */
	worker.settled = LONG_AGO;
	worker.n_partitions = 0;
	strcpy(worker.doing, "waits for the group");
	expect(false, false, true, "Worker 1 has not got to work for 125 s: it waits for the group");
}

static void a_standby_is_ready(void **state)
{
	(void)state;
	worker.n_partitions = 0;
	expect(true, true, false, "Standing by");
}

static void no_worker_is_neither(void **state)
{
	(void)state;
	health_judge(NULL, 0, NOW, STALL, &report);
	assert_false(report.healthy);
	assert_false(report.ready);
}

static void every_fault_has_its_line_and_those_beyond_are_counted(void **state)
{
	struct partition_status many[HEALTH_NOTES + 4];
	(void)state;
	for (int i = 0; i < HEALTH_NOTES + 4; i++) {
		many[i] = partition;
		many[i].partition = i;
		many[i].state = i == 1 ? PARTITION_STOPPED : PARTITION_TAKING_OVER;
	}
	worker.partitions = many;
	worker.n_partitions = HEALTH_NOTES + 4;
	expect(false, false, false, "Partition 1 has been stopped");
	assert_int_equal(report.n_notes, HEALTH_NOTES + 4);
	assert_non_null(strstr(report.notes[HEALTH_NOTES - 1], "Partition 15 has been taken over"));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup(f, fresh)
	const struct CMUnitTest tests[] = {
		CASE(idle_is_healthy),
		CASE(lag_with_commits_is_healthy),
		CASE(lag_that_just_came_is_healthy),
		CASE(lag_before_the_first_commit_is_healthy),
		CASE(lag_without_commit_is_stuck),
		CASE(lag_without_commit_is_stuck_while_the_state_comes_and_goes),
		CASE(lag_that_is_not_known_hides_no_stall),
		CASE(records_that_nobody_delivers_are_stuck),
		CASE(a_topic_whose_end_is_not_told_is_stuck),
		CASE(a_hanging_transaction_is_unhealthy_but_no_restart_helps),
		CASE(a_worker_that_hangs_is_stuck),
		CASE(a_worker_that_ended_is_stuck),
		CASE(a_server_away_for_a_moment_is_only_unready),
		CASE(a_server_away_for_long_is_stuck),
		CASE(a_server_away_for_long_is_stuck_between_two_attempts_too),
		CASE(a_worker_that_pauses_for_long_is_stuck),
		CASE(a_stopped_partition_needs_a_person),
		CASE(a_partition_may_wait_for_a_moment),
		CASE(a_replay_that_moves_is_healthy_however_long),
		CASE(a_replay_that_stands_is_stuck),
		CASE(joining_for_a_moment_is_only_unready),
		CASE(a_rebalance_that_does_not_end_is_stuck),
		CASE(a_standby_is_ready),
		CASE(no_worker_is_neither),
		CASE(every_fault_has_its_line_and_those_beyond_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
