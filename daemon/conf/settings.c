/* The settings as a table: path, reader, default, whether a reload may change it.  The environment overrides the file
 * by the same path: kafka.bootstrap is SHOUWANG_KAFKA_BOOTSTRAP (maps and lists as YAML: `{compression.type: lz4}`). */
#include "load_settings.h"
#include "properties.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct setting {
	const char *path;
	void (*read)(struct loader *l, const struct node *n, const struct setting *row);
	size_t offset;       /* in struct settings, where the reader needs it */
	const char *initial; /* NULL: none; instance must be given */
	bool reloadable;
	int64_t min, max;
	const char *const *words;
	size_t n_words;
};

static void *target(struct loader *l, const struct setting *row)
{
	return (char *)l->settings + row->offset;
}

static const char *what(struct loader *l, const struct setting *row)
{
	return arena_printf(&l->scratch, "`%s`", row->path);
}

static const char *own(struct loader *l, struct str text)
{
	return arena_text(&l->settings->arena, text.s, text.len);
}

/* --- readers */
static void read_plain(struct loader *l, const struct node *n, const struct setting *row)
{
	if (read_scalar(l, n, what(l, row)))
		*(const char **)target(l, row) = own(l, n->text);
}

static void read_name(struct loader *l, const struct node *n, const struct setting *row)
{
	if (read_label(l, n, what(l, row)))
		*(const char **)target(l, row) = own(l, n->text);
}

static void read_topic_name(struct loader *l, const struct node *n, const struct setting *row)
{
	if (read_topic(l, n, false))
		*(const char **)target(l, row) = own(l, n->text);
}

static void read_int32(struct loader *l, const struct node *n, const struct setting *row)
{
	int64_t i;
	if (read_int(l, n, what(l, row), row->min, row->max, &i))
		*(int32_t *)target(l, row) = (int32_t)i;
}

static void read_int64(struct loader *l, const struct node *n, const struct setting *row)
{
	int64_t i; /* cost_limit is a uint64_t of the same size, and not negative */
	if (read_int(l, n, what(l, row), row->min, row->max, &i))
		*(int64_t *)target(l, row) = i;
}

static void read_ms(struct loader *l, const struct node *n, const struct setting *row)
{
	int64_t ms;
	if (!read_milliseconds(l, n, what(l, row), &ms))
		return;
	if (ms < row->min || ms > row->max)
		FAULT(l, n, "%s is `%s`; expected from %lld ms to %lld ms", what(l, row), n->text.s,
		      (long long)row->min, (long long)row->max);
	*(int64_t *)target(l, row) = ms;
}

static void read_bytes(struct loader *l, const struct node *n, const struct setting *row)
{
	char *end = NULL;
	if (!read_scalar(l, n, what(l, row)))
		return;
	long long count = isdigit((unsigned char)n->text.s[0]) ? strtoll(n->text.s, &end, 10) : -1;
	int shift = end && strcmp(end, " MiB") == 0 ? 20 : end && strcmp(end, " KiB") == 0 ? 10 : -1;
	if (shift < 0 || count < row->min >> shift || count > row->max >> shift)
		FAULT(l, n, "%s is `%s`; expected from %lld KiB to %lld MiB, as in `16 MiB`", what(l, row), n->text.s,
		      (long long)row->min >> 10, (long long)row->max >> 20);
	else
		*(int64_t *)target(l, row) = (int64_t)count << shift;
}

static void read_choice(struct loader *l, const struct node *n, const struct setting *row)
{
	int i = read_word(l, n, what(l, row), row->words, row->n_words);
	if (i >= 0)
		*(const char **)target(l, row) = row->words[i];
}

static void read_flag(struct loader *l, const struct node *n, const struct setting *row)
{
	int i = read_word(l, n, what(l, row), row->words, row->n_words);
	if (i >= 0)
		*(bool *)target(l, row) = i == 1;
}

static void read_levels(struct loader *l, const struct node *n, const struct setting *row)
{
	struct settings *s = l->settings;
	if (!read_list(l, n, what(l, row)))
		return;
	if (n->n == 0 || n->n > MAX_LEVELS) {
		FAULT(l, n, "`levels` has %u entries; expected 1 to %d, the lowest first", n->n, MAX_LEVELS);
		return;
	}
	const char **levels = ARENA_ARRAY(&s->arena, const char *, n->n);
	s->n_levels = 0;
	for (uint32_t i = 0; i < n->n; i++) {
		const struct node *item = n->entries[i].value;
		if (!read_label(l, item, "a level"))
			continue;
		size_t k = 0;
		while (k < s->n_levels && !node_is(item, levels[k]))
			k++;
		if (k < s->n_levels)
			FAULT(l, item, "the level `%s` is given twice; expected it once", item->text.s);
		else
			levels[s->n_levels++] = own(l, item->text);
	}
	s->levels = levels;
}

static void read_properties(struct loader *l, const struct node *n, const struct setting *row)
{
	struct settings *s = l->settings;
	if (!read_map(l, n, what(l, row), NULL, 0))
		return;
	s->kafka.properties = ARENA_ARRAY(&s->arena, struct property, n->n);
	s->kafka.n_properties = 0;
	for (uint32_t i = 0; i < n->n; i++) {
		const struct node *key = n->entries[i].key, *value = n->entries[i].value;
		char said[512];
		if (key->bad || value->bad)
			continue;
		if (value->kind != NODE_SCALAR) {
			FAULT(l, value, "the property `%s` is no text; expected a value as librdkafka takes it",
			      key->text.s);
			continue;
		}
		const char *why = property_refused(key->text.s, value->text.s);
		if (why)
			FAULT(l, key, "the property `%s` can't be set: %s", key->text.s, why);
		else if (property_wrong(key->text.s, value->text.s, said, sizeof said))
			FAULT(l, key, "%s", said);
		struct place at = node_place(key);
		at.file = own(l, str_of(at.file));
		s->kafka.properties[s->kafka.n_properties++] =
			(struct property){own(l, key->text), own(l, value->text), at};
	}
}

static void read_zone(struct loader *l, const struct node *n, const struct setting *row)
{
	if (!read_scalar(l, n, what(l, row)))
		return;
	l->settings->timezone = own(l, n->text);
	l->r->zone = find_zone(l->zones, n->text.s, n->text.len);
	if (!l->r->zone)
		FAULT(l, n, "there is no time zone `%s`; expected an IANA name such as Asia/Shanghai", n->text.s);
}

static void read_clock(struct loader *l, const struct node *n, const struct setting *row)
{
	static const char *const words[] = {"wall", "events"};
	struct settings *s = l->settings;
	if (!read_scalar(l, n, what(l, row)))
		return;
	if (node_is(n, "wall"))
		s->clock = CLOCK_WALL;
	else if (node_is(n, "events"))
		s->clock = CLOCK_EVENTS;
	else if (l->r->zone && n->text.len > 10 && time_parse(l->r->zone, n->text, &s->fixed_clock))
		s->clock = CLOCK_FIXED;
	else if (cel_nearest(n->text.s, words, COUNT(words)))
		FAULT(l, n, "`clock` is `%s`; did you mean `%s`?", n->text.s,
		      cel_nearest(n->text.s, words, COUNT(words)));
	else
		FAULT(l, n, "`clock` is `%s`; expected wall, events or an instant such as 2026-07-01T08:00:00+08:00",
		      n->text.s);
}

static void read_node(struct loader *l, const struct node *n, const struct setting *row)
{
	char id[65] = "";
	if (!node_is(n, "auto")) {
		read_name(l, n, row);
		return;
	}
	FILE *f = fopen("/etc/machine-id", "re");
	if (f) {
		if (!fgets(id, sizeof id, f))
			id[0] = '\0';
		fclose(f);
	}
	id[strcspn(id, "\n")] = '\0';
	if (!id[0] && gethostname(id, sizeof id - 1) != 0)
		FAULT(l, n, "`node` is auto and this machine has no /etc/machine-id; expected a name");
	l->settings->node = own(l, str_of(id));
}

static void read_http(struct loader *l, const struct node *n, const struct setting *row)
{
	char *end = NULL;
	if (!read_scalar(l, n, what(l, row)))
		return;
	const char *colon = strrchr(n->text.s, ':');
	long port = colon && isdigit((unsigned char)colon[1]) ? strtol(colon + 1, &end, 10) : -1;
	if (!end || *end || port < 0 || port > 65535 || colon == n->text.s) {
		FAULT(l, n, "`http` is `%s`; expected an address and a port such as 127.0.0.1:9464", n->text.s);
		return;
	}
	struct str host = {n->text.s, (uint32_t)(colon - n->text.s)};
	if (host.len > 2 && host.s[0] == '[' && host.s[host.len - 1] == ']')
		host = (struct str){host.s + 1, host.len - 2};
	l->settings->http_host = own(l, host);
	l->settings->http_port = (uint16_t)port;
}

static void read_redis_url(struct loader *l, const struct node *n, const struct setting *row)
{
	read_plain(l, n, row);
	const char *url = l->settings->redis.url;
	if (!url || strncmp(url, "unix:///", 8) == 0 || (strncmp(url, "redis://", 8) == 0 && url[8]))
		return;
	FAULT(l, n, "`redis.url` is `%s`; expected unix:///path/of/the/socket or redis://host:port", n->text.s);
}

static void read_secret_file(struct loader *l, const struct node *n, const struct setting *row)
{
	if (!read_scalar(l, n, what(l, row)))
		return;
	*(const char **)target(l, row) = own(l, n->text);
	const char *dir = strchr(n->text.s, '/') ? NULL : getenv("CREDENTIALS_DIRECTORY");
	const char *path = arena_printf(&l->scratch, "%s%s%s", dir ? dir : "", dir ? "/" : "", n->text.s);
	if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
		FAULT(l, n, "there is no file %s; expected one whose first line is the password", path);
}

/* --- the table */
static const char *const partitioners[] = {"murmur2", "consistent"};
static const char *const unknown_words[] = {"ignore", "reject"};
static const char *const log_targets[] = {"auto", "stderr", "journal", "syslog"};
static const char *const log_levels[] = {"error", "warning", "info", "debug"};
#define AT(member) offsetof(struct settings, member)
#define WORDS(list) .words = (list), .n_words = COUNT(list)
enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static const struct setting table[] = {
	{"instance", read_name, AT(instance), NULL, false, 0, 0, NULL, 0},
	{"revision", read_int64, AT(revision), "0", true, 0, INT64_MAX, NULL, 0},
	{"node", read_node, AT(node), "auto", false, 0, 0, NULL, 0},
	{"timezone", read_zone, AT(timezone), "Asia/Shanghai", true, 0, 0, NULL, 0},
	{"calendar", read_name, AT(calendar), "cn", true, 0, 0, NULL, 0},
	{"levels", read_levels, 0, "[green, yellow, red]", true, 0, 0, NULL, 0},
	{"clock", read_clock, 0, "wall", false, 0, 0, NULL, 0},
	{"kafka.bootstrap", read_plain, AT(kafka.bootstrap), "127.0.0.1:9092", false, 0, 0, NULL, 0},
	{"kafka.username", read_plain, AT(kafka.username), NULL, false, 0, 0, NULL, 0},
	{"kafka.password_file", read_secret_file, AT(kafka.password_file), NULL, false, 0, 0, NULL, 0},
	{"kafka.properties", read_properties, 0, "{compression.type: lz4}", false, 0, 0, NULL, 0},
	{"redis.url", read_redis_url, AT(redis.url), "unix:///run/redis/redis-server.sock", false, 0, 0, NULL, 0},
	{"redis.username", read_plain, AT(redis.username), NULL, false, 0, 0, NULL, 0},
	{"redis.password_file", read_secret_file, AT(redis.password_file), NULL, false, 0, 0, NULL, 0},
	{"topics.feedback", read_topic_name, AT(topics.feedback), "case.feedback", false, 0, 0, NULL, 0},
	{"topics.outcomes", read_topic_name, AT(topics.outcomes), "case.outcomes", false, 0, 0, NULL, 0},
	{"topics.rejects", read_topic_name, AT(topics.rejects), "shouwang.rejects", false, 0, 0, NULL, 0},
	{"topics.forward", read_topic_name, AT(topics.forward), "shouwang.forward", false, 0, 0, NULL, 0},
	{"topics.state", read_topic_name, AT(topics.state), "shouwang.state", false, 0, 0, NULL, 0},
	{"partitioner", read_choice, AT(partitioner), "murmur2", false, 0, 0, WORDS(partitioners)},
	{"workers", read_int32, AT(workers), "2", false, 1, 256, NULL, 0},
	{"partitions", read_int32, AT(partitions), "8", true, 1, 100000, NULL, 0},
	{"replication", read_int32, AT(replication), "1", true, 1, 100, NULL, 0},
	{"min_insync_replicas", read_int32, AT(min_insync_replicas), "1", true, 1, 100, NULL, 0},
	{"batch.events", read_int32, AT(batch.events), "5000", true, 1, 100000, NULL, 0},
	{"batch.bytes", read_bytes, AT(batch.bytes), "16 MiB", false, 64 << 10, 1 << 30, NULL, 0},
	{"batch.wait", read_ms, AT(batch.wait), "20 ms", true, 0, 10000, NULL, 0},
	{"sweep", read_int32, AT(sweep), "2000", true, 1, 1000000, NULL, 0},
	{"unknown_events", read_flag, AT(reject_unknown_events), "ignore", true, 0, 0, WORDS(unknown_words)},
	{"future_tolerance", read_ms, AT(future_tolerance), "1 hour", true, 0, 3650 * (int64_t)DAY, NULL, 0},
	{"stall", read_ms, AT(stall), "2 minutes", true, 1000, DAY, NULL, 0},
	{"cost_limit", read_int64, AT(cost_limit), "100000", true, 100, 1000000000, NULL, 0},
	{"http", read_http, 0, "127.0.0.1:9464", false, 0, 0, NULL, 0},
	{"log.target", read_choice, AT(log_target), "auto", true, 0, 0, WORDS(log_targets)},
	{"log.level", read_choice, AT(log_level), "info", true, 0, 0, WORDS(log_levels)},
};

/* --- where a value comes from: the environment, the file, the default */
static const struct node *value_node(struct loader *l, const char *name, const char *text)
{
	size_t n;
	if (text[0] == '[' || text[0] == '{') {
		struct document *d = yaml_read(name, text, strlen(text), &l->scratch, l->faults, &n);
		return n == 1 && !d->broken ? d->root : NULL;
	}
	struct source *s = arena_zero(&l->scratch, sizeof *s);
	*s = (struct source){.name = name, .text = text, .len = strlen(text)};
	source_lines(s, &l->scratch);
	struct node *node = arena_zero(&l->scratch, sizeof *node);
	*node = (struct node){.kind = NODE_SCALAR,
			      .source = s,
			      .line = 1,
			      .column = 1,
			      .end = (uint32_t)s->len,
			      .text = str_of(text)};
	return node;
}

static const char PREFIX[] = "SHOUWANG_";

static char *environment_name(struct loader *l, const char *path)
{
	char *name = arena_printf(&l->scratch, "%s%s", PREFIX, path);
	for (char *c = name; *c; c++)
		*c = (char)(*c == '.' ? '_' : toupper((unsigned char)*c));
	return name;
}

/* A variable that is nearly a setting's: others may have uses of their own (SHOUWANG_CONFIG is the tools'). */
static void warn_environment(struct loader *l)
{
	const char *names[COUNT(table)];
	size_t len = strlen(PREFIX);
	for (size_t i = 0; i < COUNT(table); i++)
		names[i] = environment_name(l, table[i].path) + len;
	for (char **variable = environ; *variable; variable++) {
		const char *end = strchr(*variable, '=');
		if (strncmp(*variable, PREFIX, len) != 0 || !end)
			continue;
		char *name = arena_text(&l->scratch, *variable, (size_t)(end - *variable));
		bool known = strcmp(name + len, "CONFIG") == 0;
		for (size_t i = 0; i < COUNT(table); i++)
			known |= strcmp(name + len, names[i]) == 0;
		const char *near = known ? NULL : cel_nearest(name + len, names, COUNT(table));
		if (near)
			faults_warn(l->faults, (struct place){name, 0, 0},
				    "this variable is no setting and changes nothing; did you mean `%s%s`?", PREFIX,
				    near);
	}
}

static const struct node *from_environment(struct loader *l, const char *path)
{
	char *name = environment_name(l, path);
	const char *value = getenv(name);
	return value ? value_node(l, name, arena_text(&l->scratch, value, strlen(value))) : NULL;
}

static const struct node *from_file(const struct node *root, const char *path)
{
	char first[64];
	const char *dot = strchr(path, '.');
	if (!dot)
		return node_get(root, path);
	snprintf(first, sizeof first, "%.*s", (int)(dot - path), path);
	return node_get(node_get(root, first), dot + 1);
}

/* What was given, as one text that can be compared. */
static const char *written_text(struct loader *l, const struct node *n)
{
	struct arena *a = &l->settings->arena;
	if (n->kind == NODE_SCALAR)
		return own(l, n->text);
	const char *text = "";
	for (uint32_t i = 0; i < n->n; i++)
		text = arena_printf(a, "%s%s\n%s\n", text, n->entries[i].key ? n->entries[i].key->text.s : "",
				    written_text(l, n->entries[i].value));
	return text;
}

/* Unknown keys, of the whole and of each group. */
static void check_keys(struct loader *l, const struct node *map, const char *group)
{
	const char *keys[COUNT(table)];
	size_t n = 0, len = strlen(group);
	for (size_t i = 0; i < COUNT(table); i++) {
		if (strncmp(table[i].path, group, len) != 0)
			continue;
		const char *rest = table[i].path + len, *dot = strchr(rest, '.');
		const char *key = arena_text(&l->scratch, rest, dot ? (size_t)(dot - rest) : strlen(rest));
		if (!n || strcmp(keys[n - 1], key) != 0)
			keys[n++] = key;
	}
	const char *name = len ? arena_printf(&l->scratch, "`%.*s`", (int)len - 1, group) : "the settings";
	if (!read_map(l, map, name, keys, n) || len)
		return;
	for (size_t i = 0; i < n; i++) {
		const char *inner = arena_printf(&l->scratch, "%s.", keys[i]);
		const struct node *value = node_get(map, keys[i]);
		bool is_group = false;
		for (size_t k = 0; k < COUNT(table); k++)
			is_group |= strncmp(table[k].path, inner, strlen(inner)) == 0;
		if (value && is_group)
			check_keys(l, value, inner);
	}
}

static void check_topics(struct loader *l, const struct node *root)
{
	const struct settings *s = l->settings;
	const char *topics[] = {s->topics.feedback, s->topics.outcomes, s->topics.rejects, s->topics.forward,
				s->topics.state};
	for (size_t i = 0; i < COUNT(topics); i++)
		for (size_t k = 0; k < i; k++)
			if (topics[i] && topics[k] && strcmp(topics[i], topics[k]) == 0)
				FAULT(l, node_get(root, "topics") ? node_get(root, "topics") : root,
				      "two of `topics` are `%s`; expected each to be its own", topics[i]);
	if (s->min_insync_replicas > s->replication)
		FAULT(l, root, "`min_insync_replicas` is above `replication`; expected at most %d", s->replication);
}

/* Where the setting is set: the environment overrides the file; NULL: nowhere. */
static const struct node *given(struct loader *l, const struct node *root, const char *path)
{
	const struct node *n = from_environment(l, path);
	return n ? n : from_file(root, path);
}

/* A worker doesn't go on by a lower revision than the one that a partition was judged by. */
static void check_revision(struct loader *l, const struct node *root)
{
	int64_t was = l->in_use->revision, is = l->settings->revision;
	const struct node *n = given(l, root, "revision");
	if (is < was)
		FAULT(l, n ? n : root,
		      "`revision` is %lld, and %lld is in use; expected at least that (to go back to earlier rules, "
		      "give "
		      "them a higher one)",
		      (long long)is, (long long)was);
}

/* The rules are checked against what stays in use until a restart: names in messages, the daemon's own topics. */
static void keep_in_use(struct loader *l)
{
	struct settings *s = l->settings;
	const struct settings *start = l->in_use->start;
	s->instance = own(l, str_of(start->instance));
	s->topics.feedback = own(l, str_of(start->topics.feedback));
	s->topics.outcomes = own(l, str_of(start->topics.outcomes));
	s->topics.rejects = own(l, str_of(start->topics.rejects));
	s->topics.forward = own(l, str_of(start->topics.forward));
	s->topics.state = own(l, str_of(start->topics.state));
}

static void fill_ruleset(struct loader *l)
{
	struct ruleset *r = l->r;
	const struct settings *s = l->settings;
	const char **levels = ARENA_ARRAY(&r->arena, const char *, s->n_levels);
	for (size_t i = 0; i < s->n_levels; i++)
		levels[i] = keep_text(l, str_of(s->levels[i]));
	r->levels = levels;
	r->n_levels = s->n_levels;
	r->instance = keep_text(l, str_of(s->instance));
	r->cost_limit = s->cost_limit;
	r->reject_unknown_events = s->reject_unknown_events;
	r->future_tolerance = s->future_tolerance;
	if (!r->zone) /* told already; the rest is still checked */
		r->zone = find_zone(l->zones, "Asia/Shanghai", strlen("Asia/Shanghai"));
	if (!r->zone)
		r->zone = find_zone(l->zones, "UTC", strlen("UTC"));
}

void load_settings(struct loader *l, const struct node *root)
{
	l->settings->written = ARENA_ARRAY(&l->settings->arena, const char *, COUNT(table));
	if (root)
		check_keys(l, root, "");
	for (size_t i = 0; i < COUNT(table); i++) {
		const struct setting *row = &table[i];
		if (row->initial) /* first, so that a fault leaves it */
			row->read(l, value_node(l, "default", row->initial), row);
		const struct node *n = given(l, root, row->path);
		if (n)
			row->read(l, n, row);
		else if (!row->initial && strcmp(row->path, "instance") == 0 && root)
			FAULT(l, root, "the settings have no `instance`; expected a name for this group of daemons");
		l->settings->written[i] = n ? written_text(l, n) : row->initial ? row->initial : "";
	}
	l->calendar = given(l, root, "calendar");
	warn_environment(l);
	if (root)
		check_topics(l, root);
	if (root && l->in_use) {
		check_revision(l, root);
		keep_in_use(l);
	}
	fill_ruleset(l);
}

void settings_close(struct settings *s)
{
	arena_close(&s->arena);
	*s = (struct settings){0};
}

struct tuning settings_tuning(const struct settings *s)
{
	return (struct tuning){.revision = s->revision,
			       .partitions = s->partitions,
			       .batch = {s->batch.events, s->batch.wait},
			       .sweep = s->sweep};
}

const char *settings_differences(struct arena *a, const struct settings *was, const struct settings *is)
{
	const char *paths = "";
	for (size_t i = 0; i < COUNT(table); i++)
		if (!table[i].reloadable && strcmp(was->written[i], is->written[i]) != 0)
			paths = arena_printf(a, "%s%s%s", paths, *paths ? ", " : "", table[i].path);
	return paths;
}
