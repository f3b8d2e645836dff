/* One partition's subjects in memory, with an index by due time: for the tools what Redis is for the daemon. */
#ifndef MEMORY_H
#define MEMORY_H
#include "../core/subject.h"

struct memory_subject {
	const struct watch *watch;
	struct str key, bytes; /* bytes len 0: not known yet */
	int64_t due;           /* TIME_NEVER: none */
	uint32_t queued;       /* private: which entry of the index counts; 0: none */
	uint32_t room;         /* private: of bytes */
};
struct memory; /* owns all */
struct memory *memory_new(void);
void memory_free(struct memory *m);
/* Never NULL; a new one is not known and has nothing due.  Copies key.  Lives as long as the memory. */
struct memory_subject *memory_get(struct memory *m, const struct watch *watch, struct str key);
void memory_put(struct memory *m, struct memory_subject *s, struct str bytes); /* copies bytes */
/* Sets the next due time, also the same one again after memory_take_due took the subject out of the index. */
void memory_due(struct memory *m, struct memory_subject *s, int64_t due);
/* Takes the subject with the earliest due time out of the index, if that is at or before upto; else NULL. */
struct memory_subject *memory_take_due(struct memory *m, int64_t upto);
int64_t memory_next_due(struct memory *m); /* TIME_NEVER: nothing due */
/* All subjects that are known, by watch and key; n of them, the array is the memory's until the next call. */
struct memory_subject **memory_all(struct memory *m, size_t *n);
#endif
