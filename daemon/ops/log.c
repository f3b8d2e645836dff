/* Where the log's lines go, and what is held back.  The one place with state of the whole process: a log that every
 * part had to be handed would be worse. */
#include "log.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum sink { SINK_STDERR, SINK_JOURNAL, SINK_SYSLOG };

static struct {
	pthread_mutex_t lock; /* of what follows, and of a line */
	enum sink sink;
	enum log_level level;
} the_log = {.lock = PTHREAD_MUTEX_INITIALIZER, .sink = SINK_STDERR, .level = LOG_LEVEL_INFO};

static const struct {
	enum log_level level;
	const char *setting, *shown;
} levels[] = {
	{LOG_LEVEL_ERROR, "error", "error"},
	{LOG_LEVEL_WARNING, "warning", "warning"},
	{LOG_LEVEL_INFO, "info", "info"},
	{LOG_LEVEL_DEBUG, "debug", "debug"},
};
enum { N_LEVELS = sizeof levels / sizeof levels[0] };

/* Is stderr the journal's socket?  JOURNAL_STREAM names its device and inode (sd-daemon(3)): a child whose stderr was
 * sent elsewhere must not believe the variable alone. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;
	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == (dev_t)device && st.st_ino == (ino_t)inode;
}

static bool find_sink(const char *target, enum sink *out)
{
	if (strcmp(target, "auto") == 0)
		*out = stderr_is_journal() ? SINK_JOURNAL : SINK_STDERR;
	else if (strcmp(target, "stderr") == 0)
		*out = SINK_STDERR;
	else if (strcmp(target, "journal") == 0)
		*out = SINK_JOURNAL;
	else if (strcmp(target, "syslog") == 0)
		*out = SINK_SYSLOG;
	else
		return false;
	return true;
}

bool log_open(const char *target, const char *level, struct err *why)
{
	enum sink sink;
	size_t i = 0;
	if (!find_sink(target, &sink))
		return err_set(why, "log target \"%s\": expected auto, stderr, journal or syslog", target);
	while (i < N_LEVELS && strcmp(levels[i].setting, level) != 0)
		i++;
	if (i == N_LEVELS)
		return err_set(why, "log level \"%s\": expected error, warning, info or debug", level);
	pthread_mutex_lock(&the_log.lock);
	if (sink == SINK_SYSLOG)
		openlog("shouwangd", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	the_log.sink = sink;
	__atomic_store_n(&the_log.level, levels[i].level, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&the_log.lock);
	return true;
}

void log_close(void)
{
	pthread_mutex_lock(&the_log.lock);
	if (the_log.sink == SINK_SYSLOG)
		closelog();
	the_log.sink = SINK_STDERR;
	__atomic_store_n(&the_log.level, LOG_LEVEL_INFO, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&the_log.lock);
}

bool log_wants(enum log_level level)
{
	return level <= __atomic_load_n(&the_log.level, __ATOMIC_RELAXED);
}

static const char *level_name(enum log_level level)
{
	for (size_t i = 0; i < N_LEVELS; i++)
		if (levels[i].level == level)
			return levels[i].shown;
	return "?";
}

/* Control characters would let a text forge further lines or colours. */
static void make_plain(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			*c = ' ';
}

/* text: one or more lines, each written as one; the lock is held. */
static void write_lines(enum log_level level, char *text)
{
	char stamp[40] = "";
	if (the_log.sink == SINK_STDERR) {
		struct timespec now;
		struct tm tm;
		clock_gettime(CLOCK_REALTIME, &now);
		localtime_r(&now.tv_sec, &tm);
		size_t n = strftime(stamp, sizeof stamp, "%F %T", &tm);
		snprintf(stamp + n, sizeof stamp - n, ".%03ld ", now.tv_nsec / 1000000);
	}
	char *rest = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		make_plain(line);
		if (the_log.sink == SINK_SYSLOG)
			syslog(level, "%s", line);
		else if (the_log.sink == SINK_JOURNAL)
			fprintf(stderr, "<%d>%s\n", (int)level, line);
		else
			fprintf(stderr, "%s%s: %s\n", stamp, level_name(level), line);
	}
}

static void write_text(enum log_level level, char *text)
{
	pthread_mutex_lock(&the_log.lock);
	write_lines(level, text);
	pthread_mutex_unlock(&the_log.lock);
}

enum { TEXT_SIZE = 2048 };

/* What doesn't fit is cut off, at a whole character. */
static void format_text(char text[TEXT_SIZE], const char *format, va_list args)
{
	if (vsnprintf(text, TEXT_SIZE, format, args) < TEXT_SIZE)
		return;
	size_t end = TEXT_SIZE - 1;
	while (end > 0 && ((unsigned char)text[end - 1] & 0xc0) == 0x80)
		end--;
	text[end > 0 ? end - 1 : 0] = 0;
}

static void log_args(enum log_level level, const char *format, va_list args)
{
	char text[TEXT_SIZE];
	if (!log_wants(level))
		return;
	format_text(text, format, args);
	write_text(level, text);
}

#define FORWARD(level)                           \
	do {                                     \
		va_list args;                    \
		va_start(args, format);          \
		log_args((level), format, args); \
		va_end(args);                    \
	} while (0)

void log_at(enum log_level level, const char *format, ...)
{
	FORWARD(level);
}
void log_error(const char *format, ...)
{
	FORWARD(LOG_LEVEL_ERROR);
}
void log_warn(const char *format, ...)
{
	FORWARD(LOG_LEVEL_WARNING);
}
void log_info(const char *format, ...)
{
	FORWARD(LOG_LEVEL_INFO);
}
void log_debug(const char *format, ...)
{
	FORWARD(LOG_LEVEL_DEBUG);
}

static uint64_t hash_text(const char *text)
{
	uint64_t h = 0xcbf29ce484222325u;
	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3u;
	return h ? h : 1;
}

static int64_t monotonic_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* May this text be written now?  held: how often it was not since the last time.  The lock is held. */
static bool may_say(struct log_limit *limit, uint64_t text, unsigned seconds, uint32_t *held)
{
	int64_t now = monotonic_ms();
	size_t place = 0; /* of the text, else of a free one, else of the one that expires first */
	for (size_t i = 0; i < LOG_LIMIT_TEXTS; i++) {
		if (limit->said[i].text == text) {
			place = i;
			break;
		}
		if (limit->said[i].until < limit->said[place].until)
			place = i;
	}
	bool known = limit->said[place].text == text;
	if (known && now < limit->said[place].until) {
		limit->said[place].held++;
		return false;
	}
	*held = known ? limit->said[place].held : 0;
	limit->said[place].text = text;
	limit->said[place].until = now + (int64_t)seconds * 1000;
	limit->said[place].held = 0;
	return true;
}

void log_limited(struct log_limit *limit, unsigned seconds, enum log_level level, const char *format, ...)
{
	char text[TEXT_SIZE + 64];
	uint32_t held = 0;
	if (!log_wants(level))
		return;
	va_list args;
	va_start(args, format);
	format_text(text, format, args);
	va_end(args);
	pthread_mutex_lock(&the_log.lock);
	if (may_say(limit, hash_text(text), seconds, &held)) {
		if (held)
			snprintf(text + strlen(text), 64, " (and %u times since it was last said)", held);
		write_lines(level, text);
	}
	pthread_mutex_unlock(&the_log.lock);
}
