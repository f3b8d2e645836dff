/* Which settings a running daemon can't take over: a reload names those that differ. */
#ifndef RESTART_H
#define RESTART_H
#include "../conf/settings.h"

/* Names, separated by commas, of the settings that differ and wait for a restart, in a; "" where none does. */
const char *restart_needed(struct arena *a, const struct settings *running, const struct settings *loaded);
#endif
