/* Passwords from files (systemd's LoadCredential), never from the command line, and never printed. */
#ifndef SECRET_H
#define SECRET_H
#include "../util/err.h"

enum { SECRET_MAX = 4096 };

/* Reads the first line of a file into out, terminated.  A name without a slash is looked up in
 * $CREDENTIALS_DIRECTORY where systemd sets it.  False: the file is missing, empty, longer than SECRET_MAX - 1 bytes or
 * no text; why names the file, never what is in it. */
bool secret_read(const char *file, char out[SECRET_MAX], struct err *why);
/* Overwrites a secret that is no longer needed. */
void secret_forget(char secret[SECRET_MAX]);
#endif
