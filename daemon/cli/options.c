/* Arguments of the commands. */
#include "options.h"
#include "cli.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool option_number(const char *command, const char *option, const char *text, int64_t from, int64_t to, int64_t *out)
{
	char *end;
	errno = 0;
	long long n = strtoll(text, &end, 10);
	if (end != text && *end == '\0' && errno == 0 && n >= from && n <= to) {
		*out = n;
		return true;
	}
	fprintf(stderr, "shouwangctl %s: %s: found %s, expected a whole number from %lld to %lld\n", command, option,
		text, (long long)from, (long long)to);
	return false;
}

bool option_config(const char *command, const char *dir, struct config *out)
{
	struct faults faults;
	faults_init(&faults);
	bool ok = config_load(dir, out, &faults);
	for (uint32_t i = 0; i < faults.n && !ok; i++) {
		const struct fault *f = &faults.list[i];
		if (f->warning)
			continue;
		if (f->at.line)
			fprintf(stderr, "%s:%u:%u: %s\n", f->at.file, f->at.line, f->at.column, f->text);
		else
			fprintf(stderr, "%s: %s\n", f->at.file, f->text);
	}
	if (!ok)
		fprintf(stderr, "shouwangctl %s: the configuration in %s has faults\n", command, dir);
	faults_close(&faults);
	return ok;
}

int option_end(const char *command, int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "shouwangctl %s: output: %s\n", command, strerror(errno));
	return CLI_FAILED;
}
