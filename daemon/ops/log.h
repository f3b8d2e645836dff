/* The log: one line a message, to the journal (priority prefixes), stderr or syslog(3).  Safe from any thread.
 * The log owns nothing of its callers.  Nothing sensitive may be passed in: no names, numbers or payloads of people. */
#ifndef LOG_H
#define LOG_H
#include "../util/err.h"

enum log_level { /* the priorities of syslog */
		 LOG_LEVEL_ERROR = 3,
		 LOG_LEVEL_WARNING = 4,
		 LOG_LEVEL_INFO = 6,
		 LOG_LEVEL_DEBUG = 7
};

/* target: auto (the journal under systemd, else stderr), stderr, journal or syslog; level: error, warning, info or
 * debug.  Both as in the settings; called again at a reload.  Before the first call: stderr, info. */
bool log_open(const char *target, const char *level, struct err *why);
void log_close(void);

__attribute__((format(printf, 1, 2))) void log_error(const char *format, ...);
__attribute__((format(printf, 1, 2))) void log_warn(const char *format, ...);
__attribute__((format(printf, 1, 2))) void log_info(const char *format, ...);
__attribute__((format(printf, 1, 2))) void log_debug(const char *format, ...);
__attribute__((format(printf, 2, 3))) void log_at(enum log_level level, const char *format, ...);
bool log_wants(enum log_level level); /* would a message of that level be written? */

/* A memory of what one place said lately: the same text again within the time is counted instead of written, and
 * the next one written says how often it was held back.  Different texts (another partition's) don't hold back each
 * other, up to LOG_LIMIT_TEXTS of them.  Zeroed: nothing said yet. */
enum { LOG_LIMIT_TEXTS = 32 };
struct log_limit {
	struct {
		uint64_t text; /* hash; 0: free */
		int64_t until; /* ms, monotonic */
		uint32_t held; /* since it was last written */
	} said[LOG_LIMIT_TEXTS];
};
__attribute__((format(printf, 4, 5))) void log_limited(struct log_limit *limit, unsigned seconds, enum log_level level,
						       const char *format, ...);

/* log_every(60, LOG_LEVEL_WARNING, "partition %d waits for …", p): once a minute from this place. */
#define log_every(seconds, level, ...)                                 \
	do {                                                           \
		static struct log_limit limit_;                        \
		log_limited(&limit_, (seconds), (level), __VA_ARGS__); \
	} while (0)
#endif
