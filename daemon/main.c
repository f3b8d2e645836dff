/* shouwangd: argv, signals, and the order in which everything starts and, mirrored, ends.  What the daemon does with
 * events is in run.h. */
#include "conf/config.h"
#include "ops/clock.h"
#include "ops/http.h"
#include "ops/log.h"
#include "ops/memory_bound.h"
#include "ops/notify.h"
#include "supervisor.h"
#include "used_topics.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_FAULT = 1, EXIT_USAGE = 2 };
enum { TICK = 1000, PATIENCE = 10000, MINUTE = 60000 }; /* ms */

static const char usage[] =
	"usage: shouwangd [--config DIR] [--foreground] [--check]\n"
	"  --config DIR   where the configuration is (default /etc/shouwang)\n"
	"  --foreground   stay in the foreground; without it, shouwangd goes to the background once it\n"
	"                 is ready, and logs to syslog\n"
	"  --check        only check the configuration: every fault with file, line and column\n"
	"  --version      the version\n"
	"  --help         this text\n"
	"Signals: SIGHUP reloads the configuration, all or nothing; SIGTERM and SIGINT end it cleanly.\n";

struct options {
	const char *config;
	bool foreground, check;
};
struct daemon {
	struct options options;
	int signals;
	int parent;            /* pipe to who started us in the background; -1: none */
	struct config config;  /* of the start: the workers borrow its settings */
	int64_t revision;      /* of the rules in use */
	struct ruleset *rules; /* in use */
	struct metrics *metrics;
	series healthy, ready, build, reload_ok, reload_time, reloaded, refused;
	struct meter *meter;
	struct supervisor *supervisor;
	struct http *http;
	char status[sizeof(((struct health_report *)0)->status)]; /* last told */
	int64_t watchdog_interval, watchdog_due;                  /* ms; monotonic */
	int64_t trouble_due; /* ms, monotonic: when to log what doesn't move; 0: all does */
	bool was_healthy, trouble_told;
};

/* --- configuration */

static void log_fault(const struct fault *f)
{
	enum log_level level = f->warning ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR;
	if (f->at.line)
		log_at(level, "%s:%" PRIu32 ":%" PRIu32 ": %s", f->at.file, f->at.line, f->at.column, f->text);
	else if (f->at.file)
		log_at(level, "%s: %s", f->at.file, f->text);
	else
		log_at(level, "%s", f->text);
}

/* Loads it all and logs every fault.  in_use NULL: at the start. */
static bool load(const char *dir, const struct in_use *in_use, struct config *out)
{
	struct faults faults;
	faults_init(&faults);
	bool ok = config_reload(dir, in_use, out, &faults);
	for (uint32_t i = 0; i < faults.n; i++)
		log_fault(&faults.list[i]);
	if (!ok)
		log_error("%s: %" PRIu32 " %s in the configuration", dir, faults.errors,
			  faults.errors == 1 ? "fault" : "faults");
	faults_close(&faults);
	return ok;
}

/* --check, for people: plain lines. */
static int check(const char *dir)
{
	struct config c;
	struct faults faults;
	faults_init(&faults);
	bool ok = config_load(dir, &c, &faults);
	for (uint32_t i = 0; i < faults.n; i++) {
		const struct fault *f = &faults.list[i];
		if (f->at.line)
			fprintf(stderr, "%s:%" PRIu32 ":%" PRIu32 ": ", f->at.file, f->at.line, f->at.column);
		else if (f->at.file)
			fprintf(stderr, "%s: ", f->at.file);
		fprintf(stderr, "%s%s\n", f->warning ? "warning: " : "", f->text);
	}
	if (ok) {
		const struct ruleset *r = c.ruleset;
		printf("%s: no fault in %zu files (watches: %zu, rules: %zu, thresholds: %zu, units: %zu); at most %zu "
		       "MiB "
		       "of memory\n",
		       dir, c.n_files, r->n_watches, r->n_rules, r->n_thresholds, r->n_units,
		       memory_bound(&c.settings, USUAL_RECORD_BYTES) >> 20);
		config_close(&c);
	}
	faults_close(&faults);
	return ok ? 0 : EXIT_FAULT;
}

/* --- the pages */

static unsigned write_sentence(struct buffer *out, bool good, const char *why, const char *otherwise)
{
	const char *text = good ? otherwise : why;
	size_t len = strlen(text);
	out->data = malloc(len + 2);
	if (!out->data)
		abort();
	memcpy(out->data, text, len);
	out->data[len] = '\n';
	out->len = len + 1;
	out->cap = len + 2;
	return good ? 200 : 503;
}

static void judge(struct daemon *d, struct health_report *report)
{
	supervisor_judge(d->supervisor, report);
	metrics_set(d->metrics, d->healthy, report->healthy);
	metrics_set(d->metrics, d->ready, report->ready);
}

static unsigned write_metrics(void *context, struct buffer *out)
{
	struct daemon *d = context;
	struct health_report report;
	judge(d, &report);
	metrics_text(d->metrics, out);
	return 200;
}

static unsigned write_healthy(void *context, struct buffer *out)
{
	struct health_report report;
	judge(context, &report);
	return write_sentence(out, report.healthy, report.why_unhealthy, report.status);
}

static unsigned write_ready(void *context, struct buffer *out)
{
	struct health_report report;
	judge(context, &report);
	return write_sentence(out, report.ready, report.why_not_ready, report.status);
}

static const struct http_page pages[] = {
	{"/metrics", "text/plain; version=0.0.4; charset=utf-8", write_metrics},
	{"/-/healthy", "text/plain; charset=utf-8", write_healthy},
	{"/-/ready", "text/plain; charset=utf-8", write_ready},
};
enum { N_PAGES = sizeof pages / sizeof pages[0] };

/* --- start and end, mirrored */

static void block_signals(struct daemon *d)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL); /* before any thread: they inherit it */
	signal(SIGPIPE, SIG_IGN);
	d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (d->signals < 0)
		abort();
}

static bool open_log(const struct daemon *d, const struct settings *s, struct err *why)
{
	bool background = d->parent >= 0;
	return log_open(background && strcmp(s->log_target, "auto") == 0 ? "syslog" : s->log_target, s->log_level, why);
}

static void show_build(struct daemon *d, const struct ruleset *r)
{
	char fingerprint[17];
	snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, r->fingerprint);
	series now = metrics_series(d->metrics, METRIC_BUILD_INFO, SHOUWANG_VERSION, fingerprint);
	if (d->build && d->build != now)
		metrics_hide(d->metrics, d->build);
	d->build = now;
	metrics_set(d->metrics, now, 1);
	metrics_set(d->metrics, d->reload_time, (double)clock_wall() / 1000);
}

static void open_metrics(struct daemon *d)
{
	struct metrics *m = d->metrics = metrics_new();
	d->meter = metrics_meter(m);
	d->healthy = metrics_series(m, METRIC_HEALTHY, "", "");
	d->ready = metrics_series(m, METRIC_READY, "", "");
	d->reload_ok = metrics_series(m, METRIC_RELOAD_OK, "", "");
	d->reload_time = metrics_series(m, METRIC_RELOAD_TIME, "", "");
	d->reloaded = metrics_series(m, METRIC_RELOADS, "ok", "");
	d->refused = metrics_series(m, METRIC_RELOADS, "refused", "");
	metrics_set(m, metrics_series(m, METRIC_START_TIME, "", ""), (double)clock_wall() / 1000);
	metrics_set(m, metrics_series(m, METRIC_MEMORY_BOUND, "", ""),
		    (double)memory_bound(&d->config.settings, USUAL_RECORD_BYTES));
	metrics_set(m, d->reload_ok, 1);
	show_build(d, d->config.ruleset);
}

static bool open_http(struct daemon *d, struct err *why)
{
	const struct settings *s = &d->config.settings;
	d->http = http_start(s->http_host, s->http_port, pages, N_PAGES, d, why);
	if (!d->http)
		return false;
	if (!http_is_loopback(d->http))
		log_warn("http listens on %s, not only for this machine: whoever reaches port %u can read the metrics",
			 s->http_host, http_port(d->http));
	log_info("http listens on %s:%u", s->http_host, http_port(d->http));
	return true;
}

static bool daemon_start(struct daemon *d, struct err *why)
{
	if (!load(d->options.config, NULL, &d->config))
		return err_set(why, "the configuration in %s is refused", d->options.config);
	if (!open_log(d, &d->config.settings, why))
		goto close_config;
	d->revision = d->config.settings.revision;
	log_info("shouwangd " SHOUWANG_VERSION " starts: instance %s, node %s, %zu rules", d->config.settings.instance,
		 d->config.settings.node, d->config.ruleset->n_rules);
	d->rules = ruleset_hold(d->config.ruleset);
	open_metrics(d);
	d->supervisor = supervisor_new();
	if (!open_http(d, why))
		goto close_metrics;
	if (!supervisor_start(d->supervisor, &d->config.settings, d->config.ruleset, d->metrics, why))
		goto close_http;
	return true;

close_http:
	http_stop(d->http);
close_metrics:
	supervisor_free(d->supervisor);
	metrics_free(d->metrics);
	ruleset_release(d->rules);
close_config:
	config_close(&d->config);
	return false;
}

static void daemon_stop(struct daemon *d)
{
	supervisor_stop(d->supervisor);
	http_stop(d->http);
	supervisor_free(d->supervisor);
	metrics_free(d->metrics);
	ruleset_release(d->rules);
	config_close(&d->config);
}

/* --- while it runs */

static void warn_restart(const struct daemon *d, const struct config *loaded)
{
	struct arena a;
	arena_init(&a);
	const char *names = settings_differences(&a, &d->config.settings, &loaded->settings);
	if (*names)
		log_warn("changed, but taken over only by a restart: %s", names);
	arena_close(&a);
}

/* Their subjects stay as they are: nothing is forgotten by a file that was moved away. */
static void warn_watches(const struct daemon *d, const struct config *loaded)
{
	for (size_t i = 0; i < d->rules->n_watches; i++) {
		const char *name = d->rules->watches[i]->name;
		if (!ruleset_watch(loaded->ruleset, str_of(name)))
			log_warn("there is no watch `%s` any more: its subjects are kept as they are, with their cases "
				 "open, until it is there again",
				 name);
	}
}

/* Everything is checked before anything is put to use. */
static bool check_loaded(struct daemon *d, const struct config *loaded, struct topics *found)
{
	struct err why = {0};
	bool fit = used_topics_fit(&d->config.settings, loaded->ruleset, found, &why);
	if (!fit)
		log_error("%s", why.text);
	else if (why.text[0])
		log_warn("the topics are not checked yet: %s", why.text);
	why.text[0] = '\0';
	if (!fit || open_log(d, &loaded->settings, &why))
		return fit;
	log_error("%s", why.text);
	return false;
}

static bool reload(struct daemon *d)
{
	struct config loaded;
	struct topics found = {0};
	if (!load(d->options.config, &(struct in_use){&d->config.settings, d->revision}, &loaded))
		return false;
	if (!check_loaded(d, &loaded, &found)) {
		config_close(&loaded);
		return false;
	}
	warn_restart(d, &loaded);
	warn_watches(d, &loaded);
	supervisor_reload(d->supervisor,
			  &(struct worker_rules){loaded.ruleset, settings_tuning(&loaded.settings), found},
			  loaded.settings.stall);
	ruleset_release(d->rules);
	d->rules = ruleset_hold(loaded.ruleset);
	d->revision = loaded.settings.revision;
	show_build(d, loaded.ruleset);
	log_info("reloaded: %zu files, %zu rules, revision %" PRId64, loaded.n_files, loaded.ruleset->n_rules,
		 d->revision);
	config_close(&loaded);
	return true;
}

static void on_hangup(struct daemon *d)
{
	notify_reloading();
	bool ok = reload(d);
	if (!ok)
		log_error("reload refused: the configuration of before stays in use");
	meter_add(d->meter, ok ? d->reloaded : d->refused, 1);
	metrics_set(d->metrics, d->reload_ok, ok);
	notify_ready();
	d->status[0] = 0; /* tell it anew */
}

static void log_trouble(struct daemon *d, const struct health_report *r)
{
	enum log_level level = r->healthy ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR;
	for (size_t i = 0; i < r->n_notes && i < HEALTH_NOTES; i++)
		log_at(level, "%s%s", r->healthy ? "" : "UNHEALTHY: ", r->notes[i]);
	if (r->n_notes > HEALTH_NOTES)
		log_at(level, "and %zu more like these", r->n_notes - HEALTH_NOTES);
	if (r->stuck && d->watchdog_interval)
		log_at(level,
		       "the watchdog is no longer fed: systemd restarts this service, and nothing is lost by it");
	d->trouble_told = true;
}

/* What is unhealthy at once, what is only slow when it lasts; then once a minute, until all moves again. */
static void watch_trouble(struct daemon *d, const struct health_report *r, int64_t now)
{
	if (r->n_notes == 0) {
		if (d->trouble_told)
			log_info("all moves again: %s", r->status);
		d->trouble_told = false;
		d->trouble_due = 0;
	} else if (d->trouble_due == 0) {
		d->trouble_due = now + PATIENCE;
	}
	if (d->was_healthy && !r->healthy)
		d->trouble_due = now;
	d->was_healthy = r->healthy;
	if (d->trouble_due && now >= d->trouble_due) {
		log_trouble(d, r);
		d->trouble_due = now + MINUTE;
	}
}

/* Tells the service manager how it goes. */
static void tick(struct daemon *d)
{
	struct health_report report;
	judge(d, &report);
	if (strcmp(report.status, d->status) != 0) {
		memcpy(d->status, report.status, sizeof d->status);
		notify_status(d->status);
	}
	int64_t now = clock_monotonic();
	watch_trouble(d, &report, now);
	if (d->watchdog_interval && now >= d->watchdog_due && !report.stuck) {
		notify_watchdog();
		d->watchdog_due = now + d->watchdog_interval;
	}
}

/* Until SIGTERM or SIGINT. */
static void loop(struct daemon *d)
{
	for (;;) {
		struct pollfd fd = {.fd = d->signals, .events = POLLIN};
		poll(&fd, 1, TICK);
		struct signalfd_siginfo got;
		while (read(d->signals, &got, sizeof got) == (ssize_t)sizeof got) {
			if (got.ssi_signo != SIGHUP) {
				log_info("%s: ending after the running transaction", strsignal((int)got.ssi_signo));
				return;
			}
			on_hangup(d);
		}
		tick(d);
	}
}

/* A second Ctrl-C doesn't wait for the running transaction: what isn't committed is done again. */
static void let_interrupt(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* --- going to the background */

/* Forks; the parent waits for the child's word and ends with it.  Returns in the child. */
static void leave_foreground(struct daemon *d)
{
	int word[2];
	if (pipe2(word, O_CLOEXEC) != 0)
		abort();
	pid_t child = fork();
	if (child < 0) {
		fprintf(stderr, "shouwangd: cannot go to the background: %s\n", strerror(errno));
		exit(EXIT_FAULT);
	}
	if (child > 0) {
		char status;
		close(word[1]);
		_exit(read(word[0], &status, 1) == 1 ? status : EXIT_FAULT);
	}
	close(word[0]);
	d->parent = word[1];
	setsid();
}

static void tell_parent(struct daemon *d, char status)
{
	if (d->parent < 0)
		return;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0)
		for (int fd = 0; fd <= 2; fd++)
			dup2(null, fd);
	if (write(d->parent, &status, 1) != 1)
		log_debug("nobody waits for the start");
	close(d->parent);
}

/* --- argv */

/* Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'}, {"foreground", no_argument, NULL, 'f'},
		{"check", no_argument, NULL, 'k'},        {"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},         {0}};
	*o = (struct options){.config = "/etc/shouwang"};
	for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'f':
			o->foreground = true;
			break;
		case 'k':
			o->check = true;
			break;
		case 'v':
			puts("shouwangd " SHOUWANG_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "shouwangd: unexpected argument \"%s\"\n%s", argv[optind], usage);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct daemon d = {.parent = -1, .was_healthy = true};
	int status = parse(argc, argv, &d.options);
	if (status >= 0)
		return status;
	if (d.options.check)
		return check(d.options.config);
	if (!d.options.foreground)
		leave_foreground(&d);
	block_signals(&d);
	struct err why = {0};
	log_open("auto", "info", &why);
	if (!daemon_start(&d, &why)) {
		log_error("%s", why.text);
		return EXIT_FAULT;
	}
	d.watchdog_interval = notify_watchdog_interval();
	notify_ready();
	tell_parent(&d, 0);
	loop(&d);
	notify_stopping();
	let_interrupt();
	daemon_stop(&d);
	log_info("ended");
	log_close();
	close(d.signals);
	return 0;
}
