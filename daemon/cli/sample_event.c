/* The events that departments send about a household, as JSON lines, and what goes wrong with them on the way: late,
 * repeated, corrected, retracted, faulty. */
#include "../core/cel.h"
#include "sample.h"
#include <stdio.h>
#include <string.h>

/* Per 100,000.  Corrections and retractions are of certain events only: the rates are such that of all lines 3 % are
 * late, 2 % repeated, 1 % corrected, 0.5 % retracted, 0.2 % faulty. */
enum { LATE = 3600, REPEATED = 2050, CORRECTED = 1700, RETRACTED = 2550, FAULTY = 205 };

static const struct {
	const char *source, *prefix;
} departments[] = {
	[MEDICAL_INSURANCE] = {"/ganxian/medical-insurance", "yb"},
	[CIVIL_AFFAIRS] = {"/ganxian/civil-affairs", "mz"},
	[HUMAN_RESOURCES] = {"/ganxian/human-resources", "rs"},
	[EDUCATION] = {"/ganxian/education", "jy"},
	[DISABLED_FEDERATION] = {"/ganxian/disabled-federation", "cl"},
	[TOWNSHIP] = {"/ganxian/township/360704", "xz"},
};
static const char *const categories[] = {"一般户", "脱贫不稳定户", "边缘易致贫户", "突发严重困难户"};
static const char *const surnames[] = {"谢", "刘", "陈", "李", "黄", "钟", "曾", "王", "张", "赖", "罗", "温", "邱",
				       "郭", "朱", "林", "吴", "杨", "肖", "廖", "何", "周", "胡", "叶", "蓝"};
static const char *const given[] = {"明", "华", "英", "秀", "兰", "芳", "福", "生", "财", "发",
				    "春", "香", "建", "国", "平", "军", "红", "梅", "玉", "珍",
				    "小", "丽", "伟", "强", "桂", "金", "水", "连", "文", "辉"};
static const char *const hospitals[] = {"县人民医院",   "县中医院",     "市第一人民医院",
					"县妇幼保健院", "镇中心卫生院", "市肿瘤医院"};
static const char *const light[] = {"高血压", "糖尿病", "肺炎", "骨折", "胃溃疡", "腰椎间盘突出", "急性支气管炎"};
static const char *const grave[] = {"恶性肿瘤", "尿毒症(透析)", "脑梗死", "冠心病", "肝硬化"};
#define CHOSEN(h, list) ((list)[sample_random(h) % (sizeof(list) / sizeof *(list))])

struct line {
	char text[1024];
	size_t n;
};

static void add_n(struct line *l, const char *s, size_t n)
{
	if (n > sizeof l->text - l->n)
		n = sizeof l->text - l->n;
	memcpy(l->text + l->n, s, n);
	l->n += n;
}
static void add(struct line *l, const char *s)
{
	add_n(l, s, strlen(s));
}

static void add_number(struct line *l, uint64_t v, int digits) /* at least so many digits */
{
	char text[24];
	int at = (int)sizeof text;
	do {
		text[--at] = (char)('0' + v % 10);
		v /= 10;
		digits--;
	} while (v || digits > 0);
	add_n(l, text + at, sizeof text - (size_t)at);
}

static void add_money(struct line *l, int64_t fen)
{
	add_number(l, (uint64_t)(fen / 100), 1);
	if (fen % 100) {
		add(l, ".");
		add_number(l, (uint64_t)(fen % 100), 2);
	}
}

static void add_day(struct line *l, int32_t day)
{
	int64_t year;
	unsigned month, d;
	cel_civil_from_days(day, &year, &month, &d);
	add_number(l, (uint64_t)year, 4);
	add(l, "-");
	add_number(l, month, 2);
	add(l, "-");
	add_number(l, d, 2);
}

static void add_region(struct line *l, const struct household *h)
{
	add(l, "360704");
	add_number(l, 101u + h->township, 3);
	add_number(l, 200u + h->village, 3);
}

static void add_code(struct line *l, const struct household *h)
{
	add_region(l, h);
	add(l, "-");
	add_number(l, h->number, 5);
}

static void name_of(struct line *l, const char *name) /* ,"name": */
{
	add(l, l->text[l->n - 1] == '{' ? "\"" : ",\"");
	add(l, name);
	add(l, "\":");
}
static void add_text(struct line *l, const char *name, const char *value)
{
	name_of(l, name);
	add(l, "\"");
	add(l, value);
	add(l, "\"");
}
static void add_flag(struct line *l, const char *name, bool value)
{
	name_of(l, name);
	add(l, value ? "true" : "false");
}
static void add_amount(struct line *l, const char *name, int64_t fen)
{
	name_of(l, name);
	add_money(l, fen);
}
static void add_date(struct line *l, const char *name, int32_t day)
{
	name_of(l, name);
	add(l, "\"");
	add_day(l, day);
	add(l, "\"");
}
static void add_person(struct line *l, const struct household *h, const struct person *p)
{
	name_of(l, "person_id");
	add(l, "\"");
	add_code(l, h);
	add(l, "-");
	add_number(l, p->number, 1);
	add(l, "\"");
	name_of(l, "name");
	add(l, "\"");
	add(l, surnames[p->surname]);
	add(l, given[p->given[0]]);
	if (p->given[1] < sizeof given / sizeof *given)
		add(l, given[p->given[1]]);
	add(l, "\"");
}
static void add_settlement_no(struct line *l, const struct household *h, uint32_t n)
{
	name_of(l, "settlement_no");
	add(l, "\"S");
	add_number(l, h->number, 5);
	add(l, "-");
	add_number(l, n, 4);
	add(l, "\"");
}

/* --- the envelope */
struct defect { /* what is wrong with an envelope; all zero: nothing */
	bool old_version, no_subject, odd_time;
};

static void begin_with(struct line *l, struct household *h, enum department from, const char *type, int64_t at,
		       struct defect defect)
{
	int64_t local = at + 8 * 3600, day = local / DAY_S, rest = local % DAY_S;
	l->n = 0;
	add(l, defect.old_version ? "{\"specversion\":\"0.3\",\"id\":\"" : "{\"specversion\":\"1.0\",\"id\":\"");
	add(l, departments[from].prefix);
	add(l, "-");
	add_number(l, h->number, 5);
	add(l, "-");
	add_number(l, ++h->serial, 4);
	add(l, "\",\"source\":\"");
	add(l, departments[from].source);
	if (from == TOWNSHIP)
		add_number(l, 101u + h->township, 3);
	add(l, "\",\"type\":\"");
	add(l, type);
	if (!defect.no_subject) {
		add(l, "\",\"subject\":\"");
		add_code(l, h);
	}
	add(l, "\",\"time\":\"");
	add_day(l, (int32_t)day);
	add(l, defect.odd_time ? " " : "T");
	add_number(l, (uint64_t)(rest / 3600), 2);
	add(l, ":");
	add_number(l, (uint64_t)(rest / 60 % 60), 2);
	add(l, ":");
	add_number(l, (uint64_t)(rest % 60), 2);
	add(l, defect.odd_time ? "\",\"data\":{" : "+08:00\",\"data\":{");
}

static void begin(struct line *l, struct household *h, enum department from, const char *type, int64_t at)
{
	begin_with(l, h, from, type, at, (struct defect){0});
}

/* --- faulty lines: ten kinds, each rejected for a reason of its own */
enum fault {
	CUT_OFF,
	NO_JSON,
	OLD_VERSION,
	NO_SUBJECT,
	ODD_TIME,
	NO_UTF8,
	AMOUNT_IN_WORDS,
	NO_SETTLEMENT_NO,
	NO_SUCH_DAY,
	NO_SUCH_CATEGORY,
	FAULTS
};

static void faulty_settlement(struct line *l, struct household *h, enum fault fault, int64_t at)
{
	struct defect defect = {fault == OLD_VERSION, fault == NO_SUBJECT, fault == ODD_TIME};
	int32_t day = (int32_t)((at + 8 * 3600) / DAY_S) - 10;
	begin_with(l, h, MEDICAL_INSURANCE, "cn.medical.settled", at, defect);
	if (fault != NO_SETTLEMENT_NO)
		add_settlement_no(l, h, 9000 + h->serial);
	if (fault == NO_SUCH_DAY)
		add_text(l, "settled_on", "2026-02-30");
	else
		add_date(l, "settled_on", day);
	add_text(l, "hospital", fault == NO_UTF8 ? "\xcf\xd8\xc8\xcb\xc3\xf1\xd2\xbd\xd4\xba" /* GBK */ : "县人民医院");
	if (fault == AMOUNT_IN_WORDS)
		add_text(l, "self_paid", "约三千元");
	else
		add_amount(l, "self_paid", 300000);
	add_flag(l, "inpatient", false);
	add(l, "}}");
	if (fault == CUT_OFF)
		l->n = l->n * 2 / 3;
}

static void send_faulty(struct county *c, struct household *h, int64_t at)
{
	struct line l;
	enum fault fault = (enum fault)(sample_random(h) % FAULTS);
	if (fault == NO_JSON) {
		l.n = 0;
		add_code(&l, h);
		add(&l, ",县人民医院,2860.00,住院");
	} else if (fault == NO_SUCH_CATEGORY) {
		begin(&l, h, CIVIL_AFFAIRS, "cn.household.profile", at);
		add_text(&l, "category", "脱贫户");
		add(&l, "}}");
	} else {
		faulty_settlement(&l, h, fault, at);
	}
	sample_arrive(c, l.text, l.n, at);
	c->faulty++;
}

/* --- the way of a line to the county's platform */
static void finish(struct county *c, struct household *h, struct line *l, int64_t at, bool initial)
{
	int64_t arrives = at;
	add(l, "}}");
	if (!initial && sample_chance(h, LATE)) { /* sent in time, arrived with another month's batch */
		arrives += sample_between(h, 30, 75) * DAY_S;
		c->late++;
	}
	sample_arrive(c, l->text, l->n, arrives);
	if (sample_chance(h, REPEATED)) { /* the same bytes again */
		sample_arrive(c, l->text, l->n, arrives + sample_between(h, 60, 20 * DAY_S));
		c->repeated++;
	}
	if (sample_chance(h, FAULTY))
		send_faulty(c, h, at);
}

void send_profile(struct county *c, struct household *h, int64_t at, bool initial)
{
	struct line l;
	begin(&l, h, CIVIL_AFFAIRS, "cn.household.profile", at);
	name_of(&l, "region");
	add(&l, "\"");
	add_region(&l, h);
	add(&l, "\"");
	add_text(&l, "category", categories[h->category]);
	add_flag(&l, "dibao", h->dibao);
	name_of(&l, "dibao_amount");
	if (h->dibao)
		add_money(&l, h->dibao_amount);
	else
		add(&l, "null");
	name_of(&l, "phone");
	add(&l, "\"139");
	add_number(&l, (h->number * 7919u + 10007) % 100000000u, 8);
	add(&l, "\"");
	finish(c, h, &l, at, initial);
}

void send_person(struct county *c, struct household *h, const struct person *p, enum department from, int fields,
		 int64_t at, bool initial)
{
	struct line l;
	begin(&l, h, from, "cn.household.person.changed", at);
	add_person(&l, h, p);
	if (fields & PERSON_BORN)
		add_date(&l, "born", p->born);
	if (fields & PERSON_INCOME) {
		add_amount(&l, "wage", p->wage);
		add_amount(&l, "other_income", p->other);
	}
	if (fields & PERSON_HEALTH) {
		name_of(&l, "disability_grade");
		add_number(&l, p->grade, 1);
		add_flag(&l, "seriously_ill", p->ill);
	}
	if (fields & PERSON_LEFT_BEHIND)
		add_flag(&l, "left_behind", p->left_behind);
	if (fields & PERSON_DIBAO)
		add_flag(&l, "on_dibao", p->on_dibao);
	finish(c, h, &l, at, initial);
}

void send_person_left(struct county *c, struct household *h, const struct person *p, int64_t at)
{
	struct line l;
	begin(&l, h, CIVIL_AFFAIRS, "cn.household.person.left", at);
	add_person(&l, h, p);
	add_text(&l, "reason", sample_chance(h, 50000) ? "迁出" : "死亡");
	finish(c, h, &l, at, false);
}

void send_dissolved(struct county *c, struct household *h, int64_t at)
{
	struct line l;
	begin(&l, h, CIVIL_AFFAIRS, "cn.household.dissolved", at);
	add_text(&l, "reason", "整户迁出");
	finish(c, h, &l, at, false);
}

static void settlement(struct county *c, struct household *h, const struct person *p, uint32_t no, int32_t day,
		       int64_t self_paid, bool inpatient, int64_t at)
{
	struct line l;
	begin(&l, h, MEDICAL_INSURANCE, "cn.medical.settled", at);
	add_settlement_no(&l, h, no);
	add_date(&l, "settled_on", day);
	add_person(&l, h, p);
	add_text(&l, "hospital", CHOSEN(h, hospitals));
	add_text(&l, "diagnosis", self_paid > 400000 ? CHOSEN(h, grave) : CHOSEN(h, light));
	add_amount(&l, "total", self_paid * 5 / 2 + sample_between(h, 1000, 99999));
	add_amount(&l, "self_paid", self_paid);
	add_flag(&l, "inpatient", inpatient);
	finish(c, h, &l, at, false);
}

void send_settlement(struct county *c, struct household *h, const struct person *p, int32_t day, int32_t self_paid,
		     bool inpatient, int64_t at)
{
	uint32_t no = ++h->settlements;
	settlement(c, h, p, no, day, self_paid, inpatient, at);
	if (sample_chance(h, CORRECTED)) { /* the same number again, with what it should have been */
		int64_t right = self_paid * sample_between(h, 40, 120) / 100;
		settlement(c, h, p, no, day, right, inpatient, at + sample_between(h, 3, 40) * DAY_S);
		c->corrected++;
	}
	if (sample_chance(h, RETRACTED)) {
		struct line l;
		int64_t later = at + sample_between(h, 2, 35) * DAY_S;
		begin(&l, h, MEDICAL_INSURANCE, "cn.medical.settlement.cancelled", later);
		add_settlement_no(&l, h, no);
		add_text(&l, "reason", "重复结算");
		finish(c, h, &l, later, false);
		c->retracted++;
	}
}

static void income(struct county *c, struct household *h, int32_t month_day, int64_t fen, int64_t at)
{
	struct line l;
	int64_t year;
	unsigned month, day;
	cel_civil_from_days(month_day, &year, &month, &day);
	begin(&l, h, HUMAN_RESOURCES, "cn.household.income", at);
	name_of(&l, "month");
	add(&l, "\"");
	add_number(&l, (uint64_t)year, 4);
	add(&l, "-");
	add_number(&l, month, 2);
	add(&l, "\"");
	add_amount(&l, "income", fen);
	finish(c, h, &l, at, false);
}

void send_income(struct county *c, struct household *h, int32_t month_day, int64_t fen, int64_t at)
{
	income(c, h, month_day, fen, at);
	if (sample_chance(h, CORRECTED)) {
		income(c, h, month_day, fen * sample_between(h, 90, 115) / 100, at + sample_between(h, 3, 40) * DAY_S);
		c->corrected++;
	}
}

/* A visit is told the same afternoon, by the township's app. */
static int64_t afternoon(struct household *h, int32_t day)
{
	return (int64_t)day * DAY_S - 8 * 3600 + 14 * 3600 + sample_between(h, 0, 4 * 3600);
}

void send_household_visit(struct county *c, struct household *h, int32_t day)
{
	struct line l;
	int64_t at = afternoon(h, day);
	begin(&l, h, TOWNSHIP, "cn.household.visited", at);
	add_date(&l, "visited_on", day);
	add_text(&l, "by", "驻村干部");
	finish(c, h, &l, at, false);
}

void send_child_visit(struct county *c, struct household *h, const struct person *p, int32_t day)
{
	struct line l;
	int64_t at = afternoon(h, day);
	begin(&l, h, TOWNSHIP, "cn.person.visited", at);
	add_person(&l, h, p);
	add_date(&l, "visited_on", day);
	add_text(&l, "by", "儿童主任");
	finish(c, h, &l, at, false);
}
