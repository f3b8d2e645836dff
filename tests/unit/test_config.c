/* The ruleset as it is loaded: names, inputs, what rules read, windows, thresholds, deadlines, summaries, fingerprints.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../daemon/conf/config.h"
#include "../../daemon/conf/documents.h"

static const char SETTINGS[] = "instance: county\nclock: 2024-03-01T08:00:00+08:00\n---\n";
static const char WATCH[] =
	"watch: household\n"
	"topic: household.events\n"
	"region: region\n"
	"facts:\n"
	"  region: string\n"
	"  dibao: {type: bool, default: false, title: 低保户}\n"
	"  amount: {type: double, unit: yuan/month, default: 1.005}\n"
	"  visited_on: {type: date, default: 2024-02-29}\n"
	"  category: {enum: [甲, 乙], default: 乙}\n"
	"  phone: {type: string, sensitive: true}\n"
	"members:\n"
	"  person: {born: date, wage: {type: double, unit: yuan/month, default: 0}}\n"
	"measures:\n"
	"  medical: {sum: double, unit: yuan, window: 12 months}\n"
	"  medical_quarter: {of: medical, window: 1 whole quarter, ago: 2 quarters, gaps: unknown}\n"
	"  admissions: {count: true, window: 90 days}\n"
	"  ever: {sum: double}\n"
	"derived:\n"
	"  per_head: {value: total / heads, unit: yuan/month}\n"
	"  total: person.map(p, p.wage).sum()\n"
	"  heads: person.size()\n"
	"events:\n"
	"  cn.b:\n"
	"    key: data.no + event.id\n"
	"    add: {medical: data.cost.paid, admissions: 'data[\"in patient\"]'}\n"
	"  cn.a:\n"
	"    key: data.no\n"
	"    at: data.day\n"
	"    set: {region: data.region, amount: data.amount}\n"
	"    add: {medical: data.paid}\n"
	"    upsert: {person: {key: data.id, set: {born: data.born}}}\n"
	"    drop: {person: data.left}\n"
	"---\n";
static const char RULES[] = "rule: burden\n"
			    "version: 3\n"
			    "watch: household\n"
			    "unit: [office, county]\n"
			    "levels:\n"
			    "  red: medical >= threshold.line && !dibao\n"
			    "  yellow: medical >= 0.6 * threshold.line\n"
			    "clear: dibao\n"
			    "hold: 1 hour\n"
			    "keep: 30 days\n"
			    "deadline: {red: 3 working days, yellow: 1 month}\n"
			    "summary: '自付{medical}元,{{线}}{threshold.line}{\"}\"}'\n"
			    "---\n"
			    "rule: age\n"
			    "watch: household\n"
			    "unit: office\n"
			    "levels: {yellow: per_head < 100}\n"
			    "deadline: 2 working days\n"
			    "---\n"
			    "rule: old\n"
			    "watch: household\n"
			    "unit: office\n"
			    "levels: {yellow: 'days_since(visited_on) > 30'}\n"
			    "---\n"
			    "rule: since\n"
			    "watch: household\n"
			    "unit: office\n"
			    "levels: {yellow: 'category == \"甲\" && since < visited_on'}\n"
			    "---\n";
static const char REST[] = "threshold: line\n"
			   "unit: yuan\n"
			   "values:\n"
			   "  - {from: 2020-01-01, value: 1}\n"
			   "  - {region: '36', from: 2021-01-01, value: 2}\n"
			   "  - {region: '3607', from: 2021-01-01, value: 3}\n"
			   "  - {region: '36', from: 2023-01-01, value: 4, basis: 示例}\n"
			   "---\n"
			   "unit: office\n"
			   "title: 办公室\n"
			   "topic: alerts.office\n"
			   "---\n"
			   "unit: county\n"
			   "topic: alerts.county\n"
			   "---\n"
			   "calendar: cn\n"
			   "years:\n"
			   "  2024: {off: [2024-03-04 to 2024-03-05], work: [2024-03-09]}\n";

static bool load(const char *text, struct config *out, struct faults *faults)
{
	struct documents docs = {0};
	faults_init(faults);
	documents_add(&docs, "shouwang.yaml", text, strlen(text), faults);
	bool good = config_build(&docs, out, faults);
	documents_close(&docs); /* nothing of the ruleset may lie in it */
	return good;
}

static void load_good(const char *text, struct config *out)
{
	struct faults faults;
	if (!load(text, out, &faults))
		fail_msg("%u:%u: %s", faults.list[0].at.line, faults.list[0].at.column, faults.list[0].text);
	faults_close(&faults);
}

static char *whole(const char *rules)
{
	static char text[16384];
	snprintf(text, sizeof text, "%s%s%s%s", SETTINGS, WATCH, rules, REST);
	return text;
}

/* The whole with one part put for another. */
static char *changed(const char *from, const char *to)
{
	static char text[16384];
	const char *all = whole(RULES), *at = strstr(all, from);
	assert_non_null(at);
	snprintf(text, sizeof text, "%.*s%s%s", (int)(at - all), all, to, at + strlen(from));
	return text;
}

static const struct rule *rule(const struct config *c, const char *name)
{
	const struct rule *r = ruleset_rule(c->ruleset, str_of(name));
	assert_non_null(r);
	return r;
}

static void facts_have_types_and_defaults(void **state)
{
	(void)state;
	struct config c;
	load_good(whole(RULES), &c);
	const struct watch *w = c.ruleset->watches[0];
	assert_int_equal(w->n_facts, 6);
	assert_int_equal(w->region, 0);
	assert_string_equal(w->facts[1].title, "低保户");
	assert_true(w->facts[1].has_default && w->facts[1].initial.kind == CEL_BOOL && !w->facts[1].initial.b);
	assert_true(w->facts[2].money);
	assert_true(w->facts[2].initial.d == 1.01); /* half up, by the digits as written */
	assert_int_equal(w->facts[3].initial.kind, CEL_TIMESTAMP);
	assert_int_equal(w->facts[3].initial.i, cel_days_from_civil(2024, 2, 29) * 86400 - 8 * 3600);
	assert_int_equal(w->facts[4].type, FIELD_ENUM);
	assert_memory_equal(w->facts[4].initial.s, "乙", 3);
	assert_true(w->facts[5].sensitive);
	assert_int_equal(w->facts[5].initial.kind, CEL_UNKNOWN);
	assert_int_equal(w->facts[0].id, field_id("region"));
	assert_int_equal(w->lists[0].n_fields, 2);
	assert_string_equal(w->place.file, "shouwang.yaml");
	assert_int_equal(w->place.line, 4);
	config_close(&c);
}

static void measures_have_windows_and_reach(void **state)
{
	(void)state;
	struct config c;
	load_good(whole(RULES), &c);
	const struct watch *w = c.ruleset->watches[0];
	const struct measure *m = w->measures;
	assert_int_equal(w->n_measures, 4);
	assert_int_equal(m[0].window.length.n, 12);
	assert_int_equal(m[0].window.length.unit, SPAN_MONTHS);
	assert_true(m[0].money);
	assert_int_equal(m[1].base, 0);
	assert_true(m[1].window.whole && m[1].gaps_unknown && m[1].money);
	assert_string_equal(m[1].unit, "yuan");
	assert_int_equal(m[1].window.ago.n, 2);
	assert_int_equal(m[0].reach.n, 12); /* 1 + 2 quarters and the current one: 12 months, as the other */
	assert_true(m[2].count);
	assert_int_equal(m[2].reach.n, 4); /* 90 days */
	assert_int_equal(m[3].window.length.n, 0);
	assert_int_equal(m[3].reach.n, 0); /* for ever */
	config_close(&c);
}

static void derived_values_are_in_order(void **state)
{
	(void)state;
	struct config c;
	load_good(whole(RULES), &c);
	const struct watch *w = c.ruleset->watches[0];
	assert_int_equal(w->n_derived, 3);
	assert_string_equal(w->derived[2].name, "per_head");
	assert_true(w->derived[2].money);
	for (size_t i = 0; i < w->n_names; i++) {
		assert_non_null(w->names[i].text);
		if (w->names[i].kind == NAME_THRESHOLD)
			assert_string_equal(w->names[i].text, "threshold.line");
	}
	config_close(&c);
}

static bool reads(const struct rule *r, const char *name)
{
	for (size_t i = 0; i < r->n_reads; i++)
		if (strcmp(r->watch->names[r->reads[i]].text, name) == 0)
			return true;
	return false;
}

static bool input(const struct rule *r, size_t i)
{
	return r->inputs.bits[i / 64] >> (i % 64) & 1;
}

static void rules_know_what_they_read(void **state)
{
	(void)state;
	struct config c;
	load_good(whole(RULES), &c);
	const struct watch *w = c.ruleset->watches[0];
	/* six facts, the list with two fields, three base measures, since */
	assert_int_equal(w->n_inputs, 6 + 3 + 3 + 1);
	assert_int_equal(w->list_inputs[0], 6);
	assert_int_equal(w->measure_inputs[1], w->measure_inputs[0]);
	const struct rule *r = rule(&c, "burden");
	assert_true(reads(r, "medical") && reads(r, "dibao") && reads(r, "threshold.line"));
	assert_false(reads(r, "admissions"));
	assert_true(input(r, w->measure_inputs[0]) && input(r, 1));
	assert_true(input(r, 0)); /* the region decides the threshold */
	assert_false(input(r, w->measure_inputs[2]));
	assert_true(r->timed);
	r = rule(&c, "age");
	assert_true(reads(r, "per_head") && reads(r, "total") && reads(r, "heads") && reads(r, "person"));
	assert_true(input(r, 6) && input(r, 8)); /* presence and wage, */
	assert_false(input(r, 7));               /* not born */
	assert_false(r->timed);
	assert_true(rule(&c, "old")->timed); /* by a function of time */
	r = rule(&c, "since");
	assert_true(input(r, w->since_input) && input(r, 3) && input(r, 4));
	assert_false(r->timed);
	assert_int_equal(w->n_rules, 4);
	config_close(&c);
}

static void rules_have_levels_deadlines_and_summaries(void **state)
{
	(void)state;
	struct config c;
	load_good(whole(RULES), &c);
	const struct rule *r = rule(&c, "burden");
	assert_int_equal(r->version, 3);
	assert_int_equal(r->n_units, 2);
	assert_string_equal(c.ruleset->units[r->units[0]].name, "office");
	assert_int_equal(r->n_levels, 2);
	assert_int_equal(r->levels[0].level, 1); /* the lowest first, however written */
	assert_int_equal(r->levels[0].deadline.n, 1);
	assert_int_equal(r->levels[0].deadline.unit, SPAN_MONTHS);
	assert_int_equal(r->levels[1].deadline.n, 3);
	assert_int_equal(r->levels[1].deadline.unit, SPAN_WORKING_DAYS);
	assert_int_equal(r->hold.unit, SPAN_HOURS);
	assert_int_equal(r->keep.n, 30);
	assert_non_null(r->clear);
	assert_int_equal(r->n_summary, 5);
	assert_string_equal(r->summary[0].text, "自付");
	assert_non_null(r->summary[1].program);
	assert_string_equal(r->summary[2].text, "元,{线}");
	assert_string_equal(cel_program_text(r->summary[3].program), "threshold.line");
	assert_string_equal(cel_program_text(r->summary[4].program), "\"}\"");
	assert_int_equal(rule(&c, "old")->levels[0].deadline.n, -1);
	config_close(&c);
}

static void events_name_the_data_they_read(void **state)
{
	(void)state;
	struct config c;
	load_good(whole(RULES), &c);
	const struct watch *w = c.ruleset->watches[0];
	assert_int_equal(w->n_events, 2);
	const struct event_type *a = watch_event(w, STR("cn.a")), *b = watch_event(w, STR("cn.b"));
	assert_int_equal(a->n_data, 8);
	assert_int_equal(a->key->data, 0);
	assert_string_equal(a->data[a->set[1].data], "amount");
	assert_string_equal(a->data[a->add[0].data], "paid");
	assert_int_equal(a->n_members, 2);
	assert_int_equal(a->members[0].action, MEMBER_UPSERT);
	assert_string_equal(a->data[a->members[0].set[0].data], "born");
	assert_int_equal(a->members[1].action, MEMBER_DROP);
	assert_int_equal(b->n_data, 3);
	assert_int_equal(b->key->data, -1);
	assert_int_equal(b->add[0].data, -1); /* data.cost.paid reads `cost` */
	assert_string_equal(b->data[1], "cost");
	assert_string_equal(b->data[b->add[1].data], "in patient");
	assert_null(b->at);
	config_close(&c);
}

static double value_at(const struct threshold *t, const char *region, int64_t year, int32_t *until)
{
	*until = DAY_NEVER;
	const struct threshold_value *v =
		threshold_at(t, str_of(region), (int32_t)cel_days_from_civil(year, 6, 1), until);
	return v ? v->value : -1;
}

static void thresholds_take_the_longest_region_then_the_newest_date(void **state)
{
	(void)state;
	struct config c;
	int32_t until;
	load_good(whole(RULES), &c);
	const struct threshold *t = &c.ruleset->thresholds[0];
	assert_true(value_at(t, "360704", 2024, &until) == 3);
	assert_int_equal(until, DAY_NEVER);
	assert_true(value_at(t, "360900", 2024, &until) == 4);
	assert_true(value_at(t, "360900", 2022, &until) == 2);
	assert_int_equal(until, cel_days_from_civil(2023, 1, 1));
	assert_true(value_at(t, "110000", 2024, &until) == 1);
	assert_true(value_at(t, "360704", 2020, &until) == 1);
	assert_true(value_at(t, "360704", 2019, &until) == -1);
	config_close(&c);
}

static void the_calendar_is_the_settings_one(void **state)
{
	(void)state;
	struct config c;
	load_good(whole(RULES), &c);
	int32_t friday = (int32_t)cel_days_from_civil(2024, 3, 1);
	assert_string_equal(c.ruleset->calendar->name, "cn");
	assert_int_equal(calendar_add(c.ruleset->calendar, friday, 1), friday + 5); /* 4 and 5 are off */
	assert_true(calendar_is_working(c.ruleset->calendar, friday + 8));          /* a worked Saturday */
	config_close(&c);
}

static void fingerprint_of(const char *text, uint64_t *ruleset, uint64_t *burden, uint64_t *age, uint64_t *layout)
{
	struct config c;
	load_good(text, &c);
	*ruleset = c.ruleset->fingerprint;
	*burden = rule(&c, "burden")->fingerprint;
	*age = rule(&c, "age")->fingerprint;
	*layout = c.ruleset->watches[0]->layout;
	config_close(&c);
}

static void fingerprints_follow_what_can_change_a_verdict(void **state)
{
	(void)state;
	static const struct {
		const char *from, *to;
		bool ruleset, burden, age, layout;
	} cases[] = {
		{"watch: household\n", "watch: household # the same\n", false, false, false, false},
		{"  dibao: {type: bool, default: false, title: 低保户}\n",
		 "  dibao: {title: 低保户, default: false, type: bool}\n", false, false, false, false},
		{"hold: 1 hour\nkeep: 30 days\n", "keep: 30 days\nhold: 1 hour\n", false, false, false, false},
		{"hold: 1 hour", "hold: 2 hours", true, true, false, false},
		{"value: 3}", "value: 5}", true, true, false, false},
		{"0.6 * threshold", "0.5 * threshold", true, true, false, false},
		{"window: 12 months}", "window: 11 months}", true, true, false, false},
		{"p.wage)", "p.wage * 2)", true, false, true, false},
		{"title: 办公室", "title: 办", true, false, false, false},
		{"title: 低保户", "title: 低保", true, true, false, false},
		{"levels: {yellow: per_head < 100}", "levels: {yellow: per_head < 99}", true, false, true, false},
		{"to 2024-03-05]", "to 2024-03-06]", true, true, true, false},
		{"  phone: {type", "  phone_no: {type", true, false, false, true},
	};
	uint64_t was[4], is[4];
	fingerprint_of(whole(RULES), &was[0], &was[1], &was[2], &was[3]);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		fingerprint_of(changed(cases[i].from, cases[i].to), &is[0], &is[1], &is[2], &is[3]);
		if ((was[0] != is[0]) != cases[i].ruleset || (was[1] != is[1]) != cases[i].burden ||
		    (was[2] != is[2]) != cases[i].age || (was[3] != is[3]) != cases[i].layout)
			fail_msg("%s -> %s: ruleset %d, burden %d, age %d, layout %d", cases[i].from, cases[i].to,
				 was[0] != is[0], was[1] != is[1], was[2] != is[2], was[3] != is[3]);
	}
}

/* A watch's fingerprint follows what its own subjects depend on, and nothing else. */
static void watches_have_fingerprints_of_their_own(void **state)
{
	(void)state;
	static const char OTHER[] =
		"---\nwatch: town\ntopic: town.events\nfacts: {size: int}\n"
		"events: {cn.town: {set: {size: data.size}}}\n"
		"---\nrule: small\nwatch: town\nunit: desk\nlevels: {yellow: size < threshold.limit}\n"
		"---\nthreshold: limit\nvalues: [{from: 2020-01-01, value: 100}]\n"
		"---\nunit: desk\ntopic: alerts.desk\nremind: 1 working day\n"
		"escalate: {to: [chief], after: 1 working day}\n"
		"---\nunit: chief\ntopic: alerts.chief\n";
	static const struct {
		const char *from, *to;
		bool household, town;
	} cases[] = {
		{"{size: int}", "{size: int} # the same", false, false},
		{"{size: int}", "{size: int, old: bool}", false, true},
		{"size < threshold", "size <= threshold", false, true},
		{"value: 100", "value: 101", false, true},
		{"topic: alerts.desk\nremind: 1 working day", "topic: alerts.desk\nremind: 2 working days", false,
		 true},
		{"topic: alerts.chief", "topic: alerts.boss", false, true},
		{"value: 3}", "value: 5}", true, false},
		{"hold: 1 hour", "hold: 2 hours", true, false},
		{"topic: alerts.county", "topic: alerts.shire", true, false},
		{"to 2024-03-05]", "to 2024-03-06]", true, true},
	};
	struct config was, is;
	char base[20000], text[20000];
	snprintf(base, sizeof base, "%s%s", whole(RULES), OTHER);
	load_good(base, &was);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *at = strstr(base, cases[i].from);
		assert_non_null(at);
		snprintf(text, sizeof text, "%.*s%s%s", (int)(at - base), base, cases[i].to,
			 at + strlen(cases[i].from));
		load_good(text, &is);
		bool differs[2];
		for (size_t k = 0; k < 2; k++)
			differs[k] = is.ruleset->watches[k]->fingerprint != was.ruleset->watches[k]->fingerprint;
		if (differs[0] != cases[i].household || differs[1] != cases[i].town)
			fail_msg("%s -> %s: household %d, town %d", cases[i].from, cases[i].to, differs[0], differs[1]);
		config_close(&is);
	}
	config_close(&was);
}

static void the_order_of_documents_does_not_matter(void **state)
{
	(void)state;
	struct config a, b;
	char text[16384];
	load_good(whole(RULES), &a);
	snprintf(text, sizeof text, "%s%s---\n%s%s", SETTINGS, REST, RULES, WATCH);
	load_good(text, &b);
	assert_true(a.ruleset->fingerprint == b.ruleset->fingerprint);
	for (size_t i = 0; i < a.ruleset->n_rules; i++)
		assert_string_equal(a.ruleset->rules[i]->name, b.ruleset->rules[i]->name);
	config_close(&a);
	config_close(&b);
}

static void zones_of_expressions_are_there_when_they_run(void **state)
{
	(void)state;
	struct config c;
	load_good(changed("days_since(visited_on) > 30", "visited_on.getHours(\"Europe/Berlin\") > 3"), &c);
	bool found = false;
	for (size_t i = 0; i < c.ruleset->n_zones; i++)
		found |= strcmp(c.ruleset->zone_names[i], "Europe/Berlin") == 0;
	assert_true(found);
	config_close(&c);
}

static void all_faults_come_at_once(void **state)
{
	(void)state;
	struct config c;
	struct faults faults;
	char text[16384];
	int n = snprintf(text, sizeof text, "%s", SETTINGS);
	for (int i = 0; i < 40; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, "unit: u%d\ntopik: t\ntopic: alerts.u%d\n---\n", i, i);
	assert_false(load(text, &c, &faults));
	assert_int_equal(faults.errors, 40);
	for (uint32_t i = 0; i < faults.n; i++) {
		assert_string_equal(faults.list[i].text, "unknown key `topik`; did you mean `topic`?");
		assert_int_equal(faults.list[i].at.line, 5 + 4 * i);
		assert_int_equal(faults.list[i].at.column, 1);
	}
	assert_null(c.ruleset);
	faults_close(&faults);
}

static void nothing_is_left_when_every_expression_is_wrong(void **state)
{
	(void)state;
	struct config c;
	struct faults faults;
	char text[16384];
	size_t n = 0;
	for (const char *s = whole(RULES); *s; s++) /* the sanitizer sees what is not released */
		n += (size_t)snprintf(text + n, sizeof text - n, *s == '>' ? ">> " : *s == '<' ? "< '" : "%c", *s);
	assert_false(load(text, &c, &faults));
	assert_true(faults.errors >= 4);
	faults_close(&faults);
}

static void the_shipped_configuration_is_clean(void **state)
{
	(void)state;
	struct config c;
	struct faults faults;
	faults_init(&faults);
	setenv("SHOUWANG_CLOCK", "2026-07-01T08:00:00+08:00", 1); /* the calendar ends with 2026 */
	assert_true(config_load("config", &c, &faults));
	unsetenv("SHOUWANG_CLOCK");
	assert_int_equal(faults.n, 0);
	assert_int_equal(c.ruleset->n_rules, 5);
	assert_int_equal(c.ruleset->n_watches, 1);
	for (size_t i = 0; i < c.ruleset->n_rules; i++) {
		assert_true(c.ruleset->rules[i]->assistance[0] != '\0');
		assert_true(c.ruleset->rules[i]->basis[0] != '\0');
		assert_true(c.ruleset->rules[i]->n_summary > 0);
	}
	assert_int_equal(c.ruleset->calendar->first_day, cel_days_from_civil(2021, 1, 1));
	assert_int_equal(c.ruleset->calendar->last_day, cel_days_from_civil(2026, 12, 31));
	/* statutory days off: 11 a year, 13 from 2025; what is off beyond them on weekdays is worked on weekends */
	for (int year = 2021; year <= 2026; year++) {
		int32_t first = (int32_t)cel_days_from_civil(year, 1, 1),
			end = (int32_t)cel_days_from_civil(year + 1, 1, 1);
		int32_t weekdays = 0;
		for (int32_t d = first; d < end; d++)
			weekdays += (d % 7 + 3) % 7 < 5;
		assert_int_equal(weekdays - calendar_count(c.ruleset->calendar, first - 1, end - 1),
				 year < 2025 ? 11 : 13);
	}
	config_close(&c);
	faults_close(&faults);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_have_types_and_defaults),
		cmocka_unit_test(measures_have_windows_and_reach),
		cmocka_unit_test(derived_values_are_in_order),
		cmocka_unit_test(rules_know_what_they_read),
		cmocka_unit_test(rules_have_levels_deadlines_and_summaries),
		cmocka_unit_test(events_name_the_data_they_read),
		cmocka_unit_test(thresholds_take_the_longest_region_then_the_newest_date),
		cmocka_unit_test(the_calendar_is_the_settings_one),
		cmocka_unit_test(fingerprints_follow_what_can_change_a_verdict),
		cmocka_unit_test(watches_have_fingerprints_of_their_own),
		cmocka_unit_test(the_order_of_documents_does_not_matter),
		cmocka_unit_test(zones_of_expressions_are_there_when_they_run),
		cmocka_unit_test(all_faults_come_at_once),
		cmocka_unit_test(nothing_is_left_when_every_expression_is_wrong),
		cmocka_unit_test(the_shipped_configuration_is_clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
