/* The settings of shouwang.yaml: a table of key, type and default in settings.c; the environment overrides them. */
#ifndef SETTINGS_H
#define SETTINGS_H
#include "../core/day.h"
#include "../state/batch.h"
#include "../util/err.h"

struct property {
	const char *name, *value;
	struct place place;
};
/* What a running worker needs of the settings and a reload can change, while all clients stay open. */
struct tuning {
	int64_t revision;
	int32_t partitions; /* that the topics should have */
	struct {
		int32_t events;
		int64_t wait; /* ms */
	} batch;
	int32_t sweep; /* subjects that a worker re-checks a second after the rules have changed */
};
struct settings {
	struct arena arena; /* owns every text below */
	const char *instance;
	int64_t revision;
	const char *node; /* resolved: never "auto" */
	const char *timezone, *calendar;
	const char *const *levels;
	size_t n_levels;
	enum clock_mode clock;
	int64_t fixed_clock; /* ms, for CLOCK_FIXED */
	struct {
		const char *bootstrap, *username, *password_file; /* NULL: none */
		struct property *properties;
		size_t n_properties;
	} kafka;
	struct {
		const char *url, *username, *password_file;
	} redis;
	struct {
		const char *feedback, *outcomes, *rejects, *forward, *state;
	} topics;
	const char *partitioner; /* "murmur2" or "consistent" (librdkafka's CRC32) */
	int32_t workers, partitions, replication, min_insync_replicas;
	struct {
		int32_t events;
		int64_t wait;  /* ms */
		int64_t bytes; /* of its events, of the states it loads and of what comes out: of each so many */
	} batch;
	int32_t sweep;
	bool reject_unknown_events;
	int64_t future_tolerance; /* ms */
	int64_t stall;            /* ms */
	uint64_t cost_limit;
	const char *http_host;
	uint16_t http_port;
	const char *log_target; /* auto, stderr, journal, syslog */
	const char *log_level;  /* error, warning, info, debug */
	const char **written;   /* each row of the table as it was given, environment included (settings_differences) */
};

/* Frees the texts. */
void settings_close(struct settings *s);
struct tuning settings_tuning(const struct settings *s);

/* What a reload is checked against. */
struct in_use {
	const struct settings *start; /* what only a restart changes stays as it is here */
	int64_t revision;             /* a lower one is a fault */
};
/* The paths ("kafka.bootstrap, workers"), in a, of the settings that differ and that a reload can't change: they need a
 * restart.  "": none. */
const char *settings_differences(struct arena *a, const struct settings *was, const struct settings *is);
#endif
