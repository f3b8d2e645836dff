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
static struct health *health;

/* A worker with one partition, at work and without a lag. */
static int fresh(void **state)
{
	(void)state;
	partition = (struct partition_status){.partition = 3,
					      .state = PARTITION_RUNNING,
					      .since = LONG_AGO,
					      .committed = LONG_AGO,
					      .caught_up = NOW,
					      .clock = INT64_MIN};
	worker = (struct worker_status){.number = 1,
					.phase = WORKER_RUNNING,
					.since = LONG_AGO,
					.moved = LATELY,
					.partitions = &partition,
					.n_partitions = 1};
	health = health_new();
	return 0;
}

static int done(void **state)
{
	(void)state;
	health_free(health);
	return 0;
}

static void judge_at(int64_t now)
{
	health_judge(health, &worker, 1, now, STALL, &report);
}

static void expect(bool healthy, bool ready, bool stuck, const char *sentence)
{
	judge_at(NOW);
	if (report.healthy != healthy || report.ready != ready || report.stuck != stuck ||
	    !strstr(report.status, sentence))
		fail_msg("got healthy %d ready %d stuck %d: %s", report.healthy, report.ready, report.stuck,
			 report.status);
}

static void idle_is_healthy(void **state)
{
	(void)state;
	expect(true, true, false, "Keeping watch on 1 partitions; nothing waits.");
	partition.unswept = 17;
	expect(true, true, false, "about 17 subjects are yet to be judged by new rules.");
}

static void lag_with_commits_is_healthy(void **state)
{
	(void)state;
	partition.lag = 500;
	partition.caught_up = LONG_AGO;
	partition.committed = worker.committed = LATELY;
	expect(true, true, false, "500 records wait, last commit 1 s ago");
}

static void lag_that_just_came_is_healthy(void **state)
{
	(void)state;
	partition.lag = 500; /* after a quiet night: the last commit is hours ago */
	partition.caught_up = LATELY;
	expect(true, true, false, "500 records wait");
}

static void lag_without_commit_is_stuck(void **state)
{
	(void)state;
	partition.lag = 500;
	partition.caught_up = LONG_AGO;
	expect(false, true, true, "Partition 3: 500 records wait and none was committed for 125 s");
}

static void lag_is_not_stuck_while_a_server_is_away(void **state)
{
	(void)state;
	partition.lag = 500;
	partition.caught_up = LONG_AGO;
	worker.away = true;
	worker.away_since = LATELY;
	strcpy(worker.doing, "Redis is away");
	expect(false, false, false, "500 records wait");
}

static void a_worker_that_hangs_is_stuck(void **state)
{
	(void)state;
	worker.moved = LONG_AGO;
	strcpy(worker.doing, "commits");
	expect(false, true, true, "Worker 1 has not moved for 125 s: commits");
}

static void a_worker_in_a_long_call_is_not_stuck(void **state)
{
	(void)state;
	worker.moved = NOW - 50000;
	health_judge(health, &worker, 1, NOW, 2000, &report);
	assert_true(report.healthy);
}

static void a_worker_that_ended_is_stuck(void **state)
{
	(void)state;
	worker.phase = WORKER_ENDED;
	expect(false, false, true, "Worker 1 has ended");
}

static void a_server_away_for_a_moment_is_only_unready(void **state)
{
	(void)state;
	worker.phase = WORKER_PAUSED;
	worker.away = true;
	worker.since = worker.away_since = LATELY;
	strcpy(worker.doing, "Redis is away");
	expect(true, false, false, "Not ready: Worker 1: Kafka or Redis can't be reached: Redis is away");
}

static void a_server_away_for_long_is_unhealthy_but_no_restart_helps(void **state)
{
	(void)state;
	worker.phase = WORKER_PAUSED;
	worker.away = true;
	worker.since = worker.away_since = LONG_AGO;
	strcpy(worker.doing, "Redis is away");
	expect(false, false, false, "Worker 1: Kafka or Redis can't be reached for 125 s: Redis is away");
}

static void a_stopped_partition_needs_a_person(void **state)
{
	(void)state;
	partition.state = PARTITION_STOPPED;
	partition.since = LATELY;
	strcpy(partition.why, "the changelog has lost its tail");
	expect(false, false, false, "Partition 3 is stopped: the changelog has lost its tail");
}

static void a_partition_may_wait_for_a_moment(void **state)
{
	(void)state;
	partition.state = PARTITION_WAITING;
	partition.since = LATELY;
	strcpy(partition.why, "not assigned of case.feedback");
	expect(true, false, false, "Partition 3 waits: not assigned of case.feedback");
	partition.since = LONG_AGO;
	expect(false, false, false, "Partition 3 waits for 125 s");
}

static void a_replay_that_moves_is_healthy_however_long(void **state)
{
	(void)state;
	partition.state = PARTITION_TAKING_OVER;
	partition.replay = 1000000;
	for (int64_t i = 0; i < 10; i++) {
		partition.replayed = 1000 * (i + 1);
		worker.moved = NOW + i * (STALL - 1);
		judge_at(NOW + i * (STALL - 1));
		assert_true(report.healthy);
		assert_false(report.ready);
	}
	assert_non_null(strstr(report.status, "Partition 3 is being taken over: 10000 of 1000000"));
}

static void a_replay_that_stands_is_unhealthy(void **state)
{
	(void)state;
	partition.state = PARTITION_TAKING_OVER;
	partition.replayed = 7;
	partition.replay = 9;
	judge_at(NOW);
	assert_true(report.healthy);
	worker.moved = NOW + STALL + 1000;
	judge_at(NOW + STALL + 1000);
	assert_false(report.healthy);
	assert_non_null(strstr(report.status, "stands at 7 of 9"));
}

static void joining_is_not_ready(void **state)
{
	(void)state;
	worker.phase = WORKER_JOINING;
	worker.n_partitions = 0;
	strcpy(worker.doing, "waits for the group");
	expect(true, false, false, "Not ready: Worker 1: waits for the group");
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
	health_judge(health, NULL, 0, NOW, STALL, &report);
	assert_false(report.healthy);
	assert_false(report.ready);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest tests[] = {
		CASE(idle_is_healthy),
		CASE(lag_with_commits_is_healthy),
		CASE(lag_that_just_came_is_healthy),
		CASE(lag_without_commit_is_stuck),
		CASE(lag_is_not_stuck_while_a_server_is_away),
		CASE(a_worker_that_hangs_is_stuck),
		CASE(a_worker_in_a_long_call_is_not_stuck),
		CASE(a_worker_that_ended_is_stuck),
		CASE(a_server_away_for_a_moment_is_only_unready),
		CASE(a_server_away_for_long_is_unhealthy_but_no_restart_helps),
		CASE(a_stopped_partition_needs_a_person),
		CASE(a_partition_may_wait_for_a_moment),
		CASE(a_replay_that_moves_is_healthy_however_long),
		CASE(a_replay_that_stands_is_unhealthy),
		CASE(joining_is_not_ready),
		CASE(a_standby_is_ready),
		CASE(no_worker_is_neither),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
