/* What the service manager is told (sd_notify(3)); nothing where there is none. */
#ifndef NOTIFY_H
#define NOTIFY_H
#include <stdbool.h>
#include <stdint.h>

void notify_ready(void);
void notify_reloading(void); /* followed by notify_ready; with MONOTONIC_USEC for Type=notify-reload */
void notify_stopping(void);
void notify_status(const char *sentence);
void notify_watchdog(void);
/* How often the watchdog wants to hear from us, ms; 0: not at all. */
int64_t notify_watchdog_interval(void);
#endif
