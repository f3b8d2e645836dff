/* Errors and lists of faults. */
#include "err.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool err_set(struct err *e, const char *format, ...)
{
	if (e && !e->text[0]) {
		va_list args;
		va_start(args, format);
		vsnprintf(e->text, sizeof e->text, format, args);
		va_end(args);
	}
	return false;
}

bool err_prefix(struct err *e, const char *format, ...)
{
	char text[2 * sizeof e->text + 2];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof e->text, format, args);
	va_end(args);
	size_t used = n < 0 ? 0 : (size_t)n < sizeof e->text ? (size_t)n : sizeof e->text - 1;
	snprintf(text + used, sizeof text - used, ": %s", e->text);
	memcpy(e->text, text, sizeof e->text - 1);
	return false;
}

void faults_init(struct faults *f)
{
	*f = (struct faults){0};
}

void faults_close(struct faults *f)
{
	arena_close(&f->arena);
	faults_init(f);
}

static void add(struct faults *f, struct place at, bool warning, const char *format, va_list args)
{
	ARENA_PUSH_ROOM(&f->arena, f->list, f->n, f->cap);
	at.file = at.file ? arena_text(&f->arena, at.file, strlen(at.file)) : "";
	f->list[f->n++] = (struct fault){at, arena_vprintf(&f->arena, format, args), warning};
	f->errors += !warning;
}

void faults_add(struct faults *f, struct place at, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(f, at, false, format, args);
	va_end(args);
}

void faults_warn(struct faults *f, struct place at, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(f, at, true, format, args);
	va_end(args);
}

static int by_place(const void *pa, const void *pb)
{
	const struct fault *a = pa, *b = pb;
	int c = strcmp(a->at.file, b->at.file);
	if (c)
		return c;
	if (a->at.line != b->at.line)
		return a->at.line < b->at.line ? -1 : 1;
	if (a->at.column != b->at.column)
		return a->at.column < b->at.column ? -1 : 1;
	return strcmp(a->text, b->text);
}

void faults_sort(struct faults *f)
{
	if (!f->n)
		return;
	qsort(f->list, f->n, sizeof *f->list, by_place);
	uint32_t kept = 1;
	for (uint32_t i = 1; i < f->n; i++) {
		if (by_place(&f->list[kept - 1], &f->list[i]) == 0)
			f->errors -= !f->list[i].warning;
		else
			f->list[kept++] = f->list[i];
	}
	f->n = kept;
}
