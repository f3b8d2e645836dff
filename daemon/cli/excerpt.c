/* The line of a file that a fault is about, with a mark under the place. */
#include "check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SHOWN = 110, BEFORE = 60 }; /* characters of a long line, and how many of them before the mark */

static uint32_t character(const char *s, size_t left, size_t *bytes)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t code = n == 1 ? c : c & (0x7fu >> n);
	if (n > left)
		n = left;
	for (size_t i = 1; i < n; i++)
		code = code << 6 | ((unsigned char)s[i] & 0x3f);
	*bytes = n;
	return code;
}

/* Chinese and other wide characters take two columns of a terminal. */
static int width(uint32_t code)
{
	return code >= 0x1100 && !(code >= 0x2000 && code < 0x2e80) ? 2 : 1;
}

static void print_line(const char *line, size_t len, uint32_t column)
{
	uint32_t first = column > MOST_SHOWN ? column - BEFORE : 1, at = 1;
	int indent = 0;
	size_t n;
	printf("    ");
	for (size_t i = 0; i < len && at < first + MOST_SHOWN; i += n, at++) {
		uint32_t code = character(line + i, len - i, &n);
		if (at < first)
			continue;
		if (code < 0x20 || code == 0x7f)
			putchar(' ');
		else
			fwrite(line + i, 1, n, stdout);
		indent += at < column ? width(code) : 0;
	}
	printf("\n    %*s^\n", indent, "");
}

void print_excerpt(struct place at)
{
	FILE *f = at.line ? fopen(at.file, "rb") : NULL;
	char *line = NULL;
	size_t room = 0;
	ssize_t len = -1;
	if (!f)
		return;
	for (uint32_t n = 0; n < at.line && (len = getline(&line, &room, f)) >= 0;)
		n++;
	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	if (len > 0 && !memchr(line, 0, (size_t)len))
		print_line(line, (size_t)len, at.column);
	free(line);
	fclose(f);
}
