/* The marks of a subject's stored form, shared by its writer (codec.c) and its reader (codec_read.c). */
#ifndef CODEC_FORMAT_H
#define CODEC_FORMAT_H
enum { VERSION = 3, HEADER = 17 };
/* Fields of facts and members: how many there are and their ids (4 bytes each), then for each row a bit for each field
 * that is set and the values of those. */
enum { MOST_FIELDS = MAX_INPUTS };
enum { ORIGIN_TIME_MS = 1, ORIGIN_AT_MS = 2, ORIGIN_FLAGS = 2 }; /* no whole seconds; how many bits */
enum { FLAG_EXISTS = 1, FLAG_ENDED = 2 };
enum { CASE_OPEN = 1, CASE_MISSED = 2, CASE_RESTING = 4, CASE_ANSWERED = 8, CASE_ESCALATED_BEFORE = 16 };
enum { CASE_ESCALATED_REGION = 32 };
enum { ENTRY_IN = 1, ENTRY_LEFT = 2, ENTRY_ANSWERED = 4, ENTRY_UNTIL = 8, ENTRY_RENEWED = 16 };
enum { MOST_SHARED = 255 }; /* bytes that a text may share with the one before it */
enum value_tag { TAG_NULL, TAG_FALSE, TAG_TRUE, TAG_INT, TAG_DOUBLE, TAG_FEN, TAG_STRING, TAG_TIME };
#endif
