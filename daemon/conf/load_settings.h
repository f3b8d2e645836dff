/* Reading the settings; private to conf/. */
#ifndef LOAD_SETTINGS_H
#define LOAD_SETTINGS_H
#include "load.h"

/* Fills l->settings from the document's root (NULL: none was found) and the environment, and what the ruleset takes
 * from them: zone, levels, cost limit, tolerance. */
void load_settings(struct loader *l, const struct node *root);
#endif
