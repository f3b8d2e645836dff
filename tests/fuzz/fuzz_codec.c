/* libFuzzer: any bytes as a stored state.  They are refused with a reason, or read; and what is read is written the
 * same way each time, and can be shown. */
#include "../../daemon/conf/documents.h"
#include "../../daemon/conf/config.h"
#include "../../daemon/state/state_json.h"
#include <stdlib.h>
#include <string.h>

static const char yaml[] =
	"instance: fuzz\n---\n"
	"watch: household\ntopic: t\nregion: region\n"
	"facts:\n  region: string\n  dibao: {type: bool, default: false}\n  visited_on: date\n  n: int\n"
	"  amount: {type: double, unit: yuan}\n  category: {enum: [a, b], default: a}\n"
	"  phone: {type: string, sensitive: true}\n"
	"members:\n  person:\n    born: date\n    wage: {type: double, unit: yuan/month, default: 0}\n"
	"measures:\n  paid: {sum: double, unit: yuan, window: 12 months}\n"
	"  admissions: {count: true, window: 90 days}\n  share: {sum: double, window: 12 whole months}\n"
	"events:\n  s:\n    key: data.k\n    add: {paid: data.p, admissions: data.i, share: data.s}\n"
	"    set: {region: data.r, dibao: data.d, visited_on: data.v, n: data.n, amount: data.m, category: data.c, "
	"phone: data.f}\n"
	"  m:\n    upsert: {person: {key: data.k, set: {born: data.b, wage: data.w}}}\n---\n"
	"rule: r\nversion: 1\ntitle: t\nwatch: household\nbasis: b\nassistance: a\nunit: u\n"
	"levels:\n  yellow: paid > 5.0\n  red: paid > 10.0\ndeadline: 3 working days\nkeep: 3 days\n"
	"summary: s {paid}\n---\n"
	"unit: u\ntitle: u\ntopic: alerts.u\n---\n"
	"calendar: cn\nyears:\n  2025: {off: [2025-01-01], work: []}\n";

static void require(bool holds)
{
	if (!holds)
		abort();
}

static const struct ruleset *rules(void)
{
	static struct config config;
	if (!config.ruleset) {
		struct documents docs = {0};
		struct faults faults;
		faults_init(&faults);
		documents_add(&docs, "shouwang.yaml", yaml, sizeof yaml - 1, &faults);
		require(config_build(&docs, &config, &faults));
		documents_close(&docs);
		faults_close(&faults);
	}
	return config.ruleset;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ruleset *r = rules();
	struct arena arena = {0};
	struct subject s, again;
	struct err why = {{0}};
	struct buffer first = {0}, second = {0}, text = {0};
	int64_t due;
	char *bytes = malloc(size ? size : 1); /* exactly as long as it is */
	memcpy(bytes, data, size);
	struct str stored = {bytes, (uint32_t)size};
	bool due_told = codec_due(stored, &due);
	if (size && codec_decode(&s, &arena, r, r->watches[0], STR("h1"), stored, &why)) {
		require(due_told && due == s.due);
		state_json(&s, r, false, &text);
		codec_encode(&s, r, &first);
		require(codec_decode(&again, &arena, r, r->watches[0], STR("h1"),
				     (struct str){first.data, (uint32_t)first.len}, &why));
		codec_encode(&again, r, &second);
		require(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
	} else {
		require(!size || why.text[0]);
	}
	buffer_free(&first);
	buffer_free(&second);
	buffer_free(&text);
	arena_close(&arena);
	free(bytes);
	return 0;
}
