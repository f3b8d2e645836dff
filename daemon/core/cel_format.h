/* cel_format.h: "%s ... %.2f".format([...]) */
#ifndef CEL_FORMAT_H
#define CEL_FORMAT_H
#include "cel_run.h"
struct cel_value cel_format(struct run *run, struct cel_value pattern, struct cel_value args);
#endif
