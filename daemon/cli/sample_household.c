/* How a household of the sample lives: founded with its persons and incomes, then month by month illness, loss of work,
 * help, children's visits, moves.  The rates make some two to six per cent of households somebody's case over 18
 * months with the shipped rules; the rest lives well within the lines. */
#include "../core/cel.h"
#include "sample.h"
#include <string.h>

/* Per 100,000 households (or persons where it says so), at the founding: */
enum {
	DIBAO = 5000,       /* receive dibao */
	EDGE = 5000,        /* live a little above the dibao standard */
	DECLINE = 700,      /* have declared wages, but hardly an income */
	DISABLED = 1500,    /* persons of grade 1 to 4 */
	UNCOVERED = 6000,   /* of EDGE: with a gravely disabled person outside dibao */
	LEFT_BEHIND = 9000, /* of those with children: parents work elsewhere */
};
/* and per 100,000 households each month: */
enum {
	LOSES_WORK = 85,
	FALLS_ILL = 75,
	GRANTED = 22000, /* of those without work: dibao is granted */
	NEGLECTED = 700, /* of those with left-behind children: nobody visits for weeks */
	LEAVES = 60,     /* a person */
	DISSOLVES = 25,
	WAGE_NEWS = 30000, /* human resources tell a changed wage */
	TREATED = 25000,   /* somebody sees a doctor */
	VISITED = 6000,
};

static int32_t day_of_month(const struct county *c, int32_t month, int offset)
{
	return c->starts[month] + offset;
}

/* A department's batch runs from 02:00 on; a household has its moment in it. */
static int64_t batch(const struct county *c, struct household *h, int32_t month, int offset)
{
	return (int64_t)day_of_month(c, month, offset) * DAY_S - 8 * 3600 + 2 * 3600 + sample_between(h, 0, 3 * 3600);
}

static int32_t heads(const struct household *h)
{
	int32_t n = 0;
	for (uint8_t i = 0; i < h->n_persons; i++)
		n += h->persons[i].present;
	return n;
}

static int32_t round_ten(int64_t fen)
{
	return (int32_t)(fen / 1000 * 1000);
} /* to ten yuan */

/* Shares what the household lives on among its workers' wages (of which 30 % are the costs of employment) and what
 * everybody else has. */
static void share_income(struct household *h)
{
	int32_t workers = 0, n = heads(h);
	for (uint8_t i = 0; i < h->n_persons; i++)
		workers += h->persons[i].present && h->persons[i].works;
	int64_t all = (int64_t)h->per_head * n, others = workers ? all / 5 : all;
	for (uint8_t i = 0; i < h->n_persons; i++) {
		struct person *p = &h->persons[i];
		p->wage = workers && p->works ? round_ten((all - others) * 10 / 7 / workers) + 1000 : 0;
		p->other = round_ten(others / n) + 1000;
	}
}

static void add_person(struct household *h, int32_t today, int youngest, int oldest, bool works)
{
	struct person *p = &h->persons[h->n_persons];
	*p = (struct person){
		.present = true, .works = works, .number = ++h->n_persons, .surname = (uint8_t)(h->number * 31 % 25)};
	p->born = today - (int32_t)sample_between(h, youngest * 365L, oldest * 365L);
	p->given[0] = (uint8_t)sample_between(h, 0, 29);
	p->given[1] = (uint8_t)sample_between(h, 0, 39);
	if (sample_chance(h, DISABLED))
		p->grade = (uint8_t)sample_between(h, 1, 4);
}

static void found_persons(struct household *h, int32_t today)
{
	int children = (int)sample_between(h, 0, 2), old = (int)sample_between(h, 0, 2);
	bool away = children && sample_chance(h, LEFT_BEHIND);
	if (away && !old)
		old = 1;
	add_person(h, today, 30, 55, true);
	if (sample_chance(h, 85000))
		add_person(h, today, 28, 52, sample_chance(h, 70000));
	for (int i = 0; i < old; i++)
		add_person(h, today, 62, 85, false);
	for (int i = 0; i < children; i++) {
		add_person(h, today, 1, 13, false);
		h->persons[h->n_persons - 1].left_behind = away;
	}
}

void sample_found(struct county *c, struct household *h, uint32_t number)
{
	*h = (struct household){.random = (c->seed + 1) * 0x9e3779b97f4a7c15u ^ number * 0xd1342543de82ef95u,
				.number = number};
	int32_t today = c->starts[0];
	h->township = (uint8_t)sample_between(h, 0, TOWNSHIPS - 1);
	h->village = (uint8_t)sample_between(h, 0, 14);
	found_persons(h, today);
	h->dibao = sample_chance(h, DIBAO);
	h->edge = !h->dibao && sample_chance(h, EDGE);
	h->decline = !h->dibao && !h->edge && sample_chance(h, DECLINE);
	h->per_head = (int32_t)(h->dibao  ? sample_between(h, 20000, 60000)
				: h->edge ? sample_between(h, 87000, 110000)
					  : sample_between(h, 130000, 210000) + sample_between(h, 0, 200000));
	h->dibao_amount = h->dibao ? round_ten((int64_t)(106000 - h->per_head) * heads(h)) : 0;
	h->category = (uint8_t)(h->dibao ? sample_between(h, 0, 1) : h->decline ? sample_between(h, 0, 2) : 0);
	for (uint8_t i = 0; i < h->n_persons; i++) { /* the gravely disabled of the poor are covered, as a rule */
		struct person *p = &h->persons[i];
		p->on_dibao = h->dibao || (h->edge && p->grade && p->grade <= 2);
	}
	if (h->edge && sample_chance(h, UNCOVERED)) {
		struct person *p = &h->persons[h->n_persons - 1];
		p->grade = (uint8_t)sample_between(h, 1, 2);
		p->on_dibao = false;
	}
	share_income(h);
}

/* --- what departments tell each month */
static void first_load(struct county *c, struct household *h)
{
	int64_t at = batch(c, h, 0, 0);
	send_profile(c, h, at, true);
	for (uint8_t i = 0; i < h->n_persons; i++)
		send_person(c, h, &h->persons[i], CIVIL_AFFAIRS,
			    PERSON_BORN | PERSON_INCOME | PERSON_HEALTH | PERSON_LEFT_BEHIND | PERSON_DIBAO, at + 1 + i,
			    true);
}

static void tell_incomes(struct county *c, struct household *h, int64_t at)
{
	for (uint8_t i = 0; i < h->n_persons; i++)
		if (h->persons[i].present && h->persons[i].works)
			send_person(c, h, &h->persons[i], HUMAN_RESOURCES, PERSON_INCOME, at + i, false);
}

/* Work is lost for some months; dibao may be granted meanwhile, else work is found again. */
static void work(struct county *c, struct household *h, int32_t month)
{
	int64_t at = batch(c, h, month, 6);
	if (h->jobless) {
		if (--h->jobless == 0) {
			share_income(h);
			tell_incomes(c, h, at);
		} else if (!h->dibao && sample_chance(h, GRANTED)) {
			h->dibao = true;
			h->category = 3;
			h->dibao_amount = round_ten(sample_between(h, 30000, 50000) * heads(h));
			send_profile(c, h, batch(c, h, month, 1), false);
		}
		return;
	}
	if (month && !h->dibao && sample_chance(h, LOSES_WORK)) {
		h->jobless = (int8_t)sample_between(h, 4, 11);
		for (uint8_t i = 0; i < h->n_persons; i++) {
			h->persons[i].wage = 0;
			h->persons[i].other = h->persons[i].other * 3 / 5;
		}
		tell_incomes(c, h, at);
	} else if (sample_chance(h, WAGE_NEWS)) { /* a little up or down, well within what they live on */
		struct person *p = &h->persons[0];
		if (p->present && p->works && p->wage) {
			struct person told = *p;
			told.wage = round_ten((int64_t)p->wage * sample_between(h, 98, 106) / 100);
			send_person(c, h, &told, HUMAN_RESOURCES, PERSON_INCOME, at, false);
		}
	}
}

static void earn(struct county *c, struct household *h, int32_t month)
{
	int64_t all = (int64_t)h->per_head * heads(h);
	if (h->edge)
		all = all * 6 / 5; /* with what the fields give */
	if (h->jobless)
		all = all * 3 / 10;
	if (h->decline)
		all = heads(h) * (h->category ? 46000 : 58000L); /* fen a month for each: below the monitoring line */
	if (h->dibao)
		all += h->dibao_amount;
	all = all * sample_between(h, 97, 108) / 100 + sample_between(h, 0, 99);
	send_income(c, h, day_of_month(c, month, -1), all, batch(c, h, month, 8));
}

static void grave_illness(struct county *c, struct household *h, int32_t month, int64_t at)
{
	struct person *p = &h->persons[h->sick];
	int n = (int)sample_between(h, 1, 3);
	for (int i = 0; i < n; i++)
		send_settlement(c, h, p, day_of_month(c, month, -(int)sample_between(h, 1, 28)),
				(int32_t)sample_between(h, 350000, 1250000), true, at + i);
	if (--h->ill == 0) {
		p->ill = false;
		send_person(c, h, p, DISABLED_FEDERATION, PERSON_HEALTH, batch(c, h, month, 9), false);
	}
}

static void health(struct county *c, struct household *h, int32_t month)
{
	int64_t at = batch(c, h, month, 4);
	if (h->ill) {
		grave_illness(c, h, month, at);
	} else if (sample_chance(h, FALLS_ILL)) {
		h->sick = (uint8_t)sample_between(h, 0, h->n_persons - 1);
		h->ill = (int8_t)(h->persons[h->sick].present ? sample_between(h, 3, 6) : 0);
		h->persons[h->sick].ill = h->ill > 0;
		if (h->ill)
			send_person(c, h, &h->persons[h->sick], DISABLED_FEDERATION, PERSON_HEALTH,
				    batch(c, h, month, 9), false);
	}
	for (int i = 0; i < 2; i++) {
		const struct person *p = &h->persons[sample_between(h, 0, h->n_persons - 1)];
		if (!p->present || !sample_chance(h, TREATED))
			continue;
		bool inpatient = sample_chance(h, 12000);
		send_settlement(
			c, h, p, day_of_month(c, month, -(int)sample_between(h, 1, 28)),
			(int32_t)(inpatient ? sample_between(h, 60000, 260000) : sample_between(h, 2000, 38000)),
			inpatient, at + 10 + i);
	}
}

static void visit_children(struct county *c, struct household *h, int32_t month)
{
	int32_t from = c->starts[month], to = c->starts[month + 1];
	bool any = false;
	for (uint8_t i = 0; i < h->n_persons; i++)
		any |= h->persons[i].present && h->persons[i].left_behind;
	if (any && from >= h->alone_until && sample_chance(h, NEGLECTED))
		h->alone_until = from + (int32_t)sample_between(h, 35, 75);
	for (uint8_t i = 0; any && i < h->n_persons; i++) {
		struct person *p = &h->persons[i];
		if (!p->present || !p->left_behind)
			continue;
		if (!p->visited)
			p->visited = from - 6; /* the first visit comes soon */
		for (int32_t next; (next = p->visited + 9) < to; p->visited = next) {
			if (next < h->alone_until)
				next = h->alone_until;
			if (next >= to)
				break;
			send_child_visit(c, h, p, next);
		}
	}
}

static void visit_household(struct county *c, struct household *h, int32_t month)
{
	int rate = h->category || h->dibao || h->edge ? 4 * VISITED : VISITED;
	if (sample_chance(h, rate))
		send_household_visit(c, h, day_of_month(c, month, (int)sample_between(h, 2, 25)));
}

/* Children grow up, parents come home, the old die, households move away. */
static void change(struct county *c, struct household *h, int32_t month)
{
	int64_t at = batch(c, h, month, 10);
	if (sample_chance(h, DISSOLVES)) {
		send_dissolved(c, h, at);
		h->gone = true;
		return;
	}
	struct person *p = &h->persons[sample_between(h, 0, h->n_persons - 1)];
	if (p->present && !p->works && heads(h) > 2 && !h->ill && sample_chance(h, LEAVES)) {
		p->present = false;
		send_person_left(c, h, p, at);
	}
	if (p->present && p->left_behind && sample_chance(h, 2000)) {
		p->left_behind = false;
		send_person(c, h, p, EDUCATION, PERSON_LEFT_BEHIND, batch(c, h, month, 11), false);
	}
}

void sample_month(struct county *c, struct household *h, int32_t month)
{
	if (h->gone)
		return;
	if (month == 0)
		first_load(c, h);
	else
		change(c, h, month);
	if (h->gone)
		return;
	health(c, h, month);
	work(c, h, month);
	earn(c, h, month);
	visit_children(c, h, month);
	visit_household(c, h, month);
}
