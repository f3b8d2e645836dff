/* The synthetic county of `shouwangctl sample`: households that live month by month (sample_household.c), the events
 * that departments send about them (sample_event.c), and their way to the output in the order of arrival (sample.c).
 * Everything follows from the seed; a household's life doesn't depend on how many others there are. */
#ifndef SAMPLE_H
#define SAMPLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TOWNSHIPS = 19, PERSONS = 8, DAY_S = 86400 };

struct person {
	int32_t born;                             /* day */
	int32_t wage, other;                      /* fen a month */
	uint8_t number, surname, given[2], grade; /* grade: of a disability, 0 none */
	bool present, works, ill, left_behind, on_dibao;
	int32_t visited; /* day of the last visit to a child; 0: none */
};
struct household {
	uint64_t random;
	uint32_t number, serial, settlements; /* serial: of its events */
	uint8_t township, village, category, n_persons;
	bool dibao, edge, decline, gone;
	int32_t dibao_amount; /* fen a month */
	int32_t per_head;     /* fen a month, in normal times */
	int8_t jobless, ill;  /* months to go */
	uint8_t sick;         /* index of who is ill */
	int32_t alone_until;  /* day until which nobody visits */
	struct person persons[PERSONS];
};

/* A line on its way: lies in the bucket of the month in which it arrives. */
struct arrival {
	int64_t at;     /* s */
	uint64_t order; /* among equal ones */
	size_t offset;
	uint32_t len;
};
struct bucket {
	char *text;
	size_t len, cap;
	struct arrival *list;
	size_t n, cap_list;
};
struct county {
	uint64_t seed;
	int32_t months;
	int32_t *starts; /* the first day of each month, and the day of the end */
	struct bucket *buckets;
	uint64_t order;
	size_t lines, late, repeated, corrected, retracted, faulty;
};

/* Random numbers of a household's own. */
uint64_t sample_random(struct household *h);
int64_t sample_between(struct household *h, int64_t from, int64_t to); /* both included */
bool sample_chance(struct household *h, int per_100000);

/* A line arrives (s since 1970, local time being UTC+8); what arrives after the end is dropped. */
void sample_arrive(struct county *c, const char *text, size_t len, int64_t at);

/* --- a household's life */
void sample_found(struct county *c, struct household *h, uint32_t number);
void sample_month(struct county *c, struct household *h, int32_t month); /* sends the events of one month */

/* --- events; at: s, when the department sends it; initial: part of the first load, never late */
enum department { MEDICAL_INSURANCE, CIVIL_AFFAIRS, HUMAN_RESOURCES, EDUCATION, DISABLED_FEDERATION, TOWNSHIP };
enum person_fields { PERSON_BORN = 1, PERSON_INCOME = 2, PERSON_HEALTH = 4, PERSON_LEFT_BEHIND = 8, PERSON_DIBAO = 16 };
void send_profile(struct county *c, struct household *h, int64_t at, bool initial);
void send_person(struct county *c, struct household *h, const struct person *p, enum department from, int fields,
		 int64_t at, bool initial);
void send_person_left(struct county *c, struct household *h, const struct person *p, int64_t at);
void send_dissolved(struct county *c, struct household *h, int64_t at);
void send_settlement(struct county *c, struct household *h, const struct person *p, int32_t day, int32_t self_paid,
		     bool inpatient, int64_t at);
void send_income(struct county *c, struct household *h, int32_t month_day, int64_t income, int64_t at);
void send_household_visit(struct county *c, struct household *h, int32_t day);
void send_child_visit(struct county *c, struct household *h, const struct person *p, int32_t day);
#endif
