/* The daemon's metrics: one table, counted by each thread for itself, summed when /metrics is asked.
 *
 * struct metrics owns every meter and series; both stay valid until metrics_free (a thread that ends leaves its
 * counts).  Get a series once (when a rule set or a partition arrives: it takes a lock) and keep it; counting with it
 * takes no lock and no shared cache line. */
#ifndef METRICS_H
#define METRICS_H
#include "../state/codec.h"

/* X(NAME, kind, prometheus name, first label, second label, help); labels "" for none.
 * SECONDS and SIZES are histograms, of times and of numbers of things. */
#define METRICS(X)                                                                                                    \
	X(EVENTS, COUNTER, "events_total", "topic", "", "Events read from a topic and committed, rejected ones too")  \
	X(REJECTED, COUNTER, "rejected_total", "reason", "", "Events sent to the rejects, by class of reason")        \
	X(IGNORED, COUNTER, "ignored_total", "topic", "", "Events of a type that no watch knows")                     \
	X(TIMERS, COUNTER, "timers_total", "", "", "Subjects whose due timers were fired")                            \
	X(MESSAGES, COUNTER, "messages_total", "topic", "", "Messages sent to a unit's queue")                        \
	X(OUTCOMES, COUNTER, "outcomes_total", "", "", "What became of cases, sent to the outcomes")                  \
	X(FORWARDED, COUNTER, "forwarded_total", "", "",                                                              \
	  "Events and copies of them on their way to another partition, or watch")                                    \
	X(STATES, COUNTER, "states_total", "", "", "Subject states written to the changelog")                         \
	X(STATE_BYTES, COUNTER, "state_bytes_total", "", "", "Bytes of subject states written to the changelog")      \
	X(COMMITS, COUNTER, "commits_total", "", "", "Transactions committed")                                        \
	X(ABORTS, COUNTER, "aborts_total", "", "", "Transactions aborted")                                            \
	X(COMMIT_SECONDS, SECONDS, "commit_seconds", "", "", "Time from the end of stepping to the commit's success") \
	X(STEP_SECONDS, SECONDS, "step_seconds", "", "", "Time to load and step a batch")                             \
	X(CACHE_SECONDS, SECONDS, "cache_seconds", "", "", "Time to write a committed batch to Redis")                \
	X(BATCH_EVENTS, SIZES, "batch_events", "", "", "Events in a batch")                                           \
	X(LAG, GAUGE, "lag_events", "topic", "partition", "Events not yet committed, of partitions owned here")       \
	X(UNSTABLE, GAUGE, "unstable_records", "topic", "partition",                                                  \
	  "High watermark minus last stable offset: a hanging transaction where it doesn't move")                     \
	X(LAST_COMMIT, GAUGE, "last_commit_timestamp_seconds", "partition", "",                                       \
	  "When a transaction for the partition was last committed here")                                             \
	X(PARTITION_STATE, GAUGE, "partition_state", "partition", "",                                                 \
	  "0 waiting, 1 taking over, 2 running, 3 stopped by a fault")                                                \
	X(TAKEOVERS, COUNTER, "takeovers_total", "", "", "Partitions taken over")                                     \
	X(REPLAYED, COUNTER, "replayed_records_total", "", "", "Changelog records replayed into Redis")               \
	X(RULE_EVALUATED, COUNTER, "rule_evaluated_total", "rule", "", "Evaluations of a rule")                       \
	X(RULE_UNKNOWN, COUNTER, "rule_unknown_total", "rule", "", "Verdicts that a missing value left unknown")      \
	X(RULE_OPENED, COUNTER, "rule_opened_total", "rule", "", "Alerts opened by a rule")                           \
	X(LATE, COUNTER, "late_contributions_total", "", "", "Contributions older than any window reaches, dropped")  \
	X(CLOCK_AHEAD, GAUGE, "clock_ahead_seconds", "partition", "",                                                 \
	  "The partition's clock minus the wall clock, where it is ahead and stands")                                 \
	X(CLOCK_BEHIND, GAUGE, "clock_behind_seconds", "partition", "",                                               \
	  "The wall clock minus the partition's clock, where that is behind")                                         \
	X(ARENA_BYTES, GAUGE, "arena_bytes", "worker", "", "Memory that a worker's batches hold")                     \
	X(MEMORY_BOUND, GAUGE, "memory_bound_bytes", "", "", "What this daemon's resident memory stays below")        \
	X(ERRORS, COUNTER, "errors_total", "of", "", "Errors of kafka and redis")                                     \
	X(FENCED, COUNTER, "fenced_total", "", "", "Times that another process took over our transactional id")       \
	X(SWEPT, COUNTER, "swept_subjects_total", "", "", "Subjects judged anew because the rules had changed")       \
	X(SWEEP_LEFT, GAUGE, "sweep_left_subjects", "partition", "",                                                  \
	  "About so many subjects are yet to be looked at since the rules have changed; 0: complete")                 \
	X(PEERS_DIFFER, GAUGE, "peers_with_other_rules", "", "",                                                      \
	  "Other daemons of the instance that work by other rules or another revision")                               \
	X(RELOADS, COUNTER, "reloads_total", "result", "", "Reloads of the configuration: ok or refused")             \
	X(RELOAD_OK, GAUGE, "config_last_reload_successful", "", "", "1 where the newest reload was taken, else 0")   \
	X(RELOAD_TIME, GAUGE, "config_last_reload_success_timestamp_seconds", "", "",                                 \
	  "When the configuration in use was loaded")                                                                 \
	X(HEALTHY, GAUGE, "healthy", "", "", "1 where /-/healthy says so")                                            \
	X(READY, GAUGE, "ready", "", "", "1 where /-/ready says so")                                                  \
	X(START_TIME, GAUGE, "start_time_seconds", "", "", "When the daemon started")                                 \
	X(BUILD_INFO, GAUGE, "build_info", "version", "ruleset", "1; the version and the fingerprint of the rules")

enum metric {
#define X(name, kind, text, first, second, help) METRIC_##name,
	METRICS(X)
#undef X
		N_METRICS
};

/* One line of a metric, by its labels' values. */
typedef uint32_t series;

struct metrics; /* the registry */
struct meter;   /* one thread's counts */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);

/* A meter of its own for a thread; only that thread may count with it. */
struct meter *metrics_meter(struct metrics *m);
/* The series with these labels' values ("" where the metric has no such label); the same one at each call.
 * Copies the texts.  Thread-safe. */
series metrics_series(struct metrics *m, enum metric metric, const char *first, const char *second);
/* A gauge is no longer shown (a revoked partition's), until it is set again; it isn't shown before the first set. */
void metrics_hide(struct metrics *m, series s);

void meter_add(struct meter *t, series s, uint64_t n);       /* a counter */
void meter_observe(struct meter *t, series s, double value); /* a histogram */
void metrics_set(struct metrics *m, series s, double value); /* a gauge: the last set counts, from any thread */

/* A gauge's value, a counter's sum or a histogram's count (for health and tests). */
double metrics_value(struct metrics *m, series s);
/* Appends all series in Prometheus's text format 0.0.4. */
void metrics_text(struct metrics *m, struct buffer *out);
#endif
