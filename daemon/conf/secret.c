/* Reads passwords from files. */
#include "secret.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void resolve(const char *file, char *path, size_t size)
{
	const char *dir = strchr(file, '/') ? NULL : getenv("CREDENTIALS_DIRECTORY");
	snprintf(path, size, "%s%s%s", dir ? dir : "", dir ? "/" : "", file);
}

bool secret_read(const char *file, char out[SECRET_MAX], struct err *why)
{
	char path[4096];
	resolve(file, path, sizeof path);
	out[0] = '\0';
	FILE *f = fopen(path, "re");
	if (!f)
		return err_set(why, "password_file: %s: %s", path, strerror(errno));
	size_t n = fread(out, 1, SECRET_MAX, f);
	bool failed = ferror(f) != 0;
	fclose(f);
	size_t line = n;
	const char *end = memchr(out, '\n', n);
	if (end)
		line = (size_t)(end - out);
	if (line && out[line - 1] == '\r')
		line--;
	if (failed)
		err_set(why, "password_file: %s: can't be read", path);
	else if (line == 0)
		err_set(why, "password_file: %s: its first line is empty, expected the password", path);
	else if (line >= SECRET_MAX - 1)
		err_set(why, "password_file: %s: longer than %d bytes", path, SECRET_MAX - 2);
	else if (memchr(out, '\0', line))
		err_set(why, "password_file: %s: holds a zero byte, expected text", path);
	else {
		out[line] = '\0';
		explicit_bzero(out + line, SECRET_MAX - line);
		return true;
	}
	secret_forget(out);
	return false;
}

void secret_forget(char secret[SECRET_MAX])
{
	explicit_bzero(secret, SECRET_MAX);
}
