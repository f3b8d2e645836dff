/* shouwangctl reposition: where an instance goes on reading a topic whose records were lost, or that was made anew.  A
 * decision for people: the daemon stops the partition and never takes it.  Written as the daemon writes, the partition
 * record and the group's offset in one transaction. */
#include "../../consumers/kafka_client.h"
#include "../outbox/outbox_kafka.h"
#include "../state/changelog.h"
#include "../state/partition_record.h"
#include "cli.h"
#include "kafka.h"
#include "options.h"
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"usage: shouwangctl reposition TOPIC --to earliest|recorded|OFFSET [--partition P] [--check] [OPTIONS]\n"
	"\n"
	"Decides where the instance goes on reading TOPIC in partitions that shouwangd has stopped for it.  Stop "
	"every\n"
	"shouwangd of the instance first.\n"
	"\n"
	"  --to earliest     at the topic's first record: what was removed before it was read is lost, and a topic "
	"that was\n"
	"                    made anew is read from its beginning.  Without --partition only where the recorded "
	"position\n"
	"                    isn't there any more, or the group has lost it\n"
	"  --to recorded     where the changelog says: what the group knows beyond it is worked on again, and its "
	"messages\n"
	"                    may come twice, with the same ids.  Without --partition only where the two differ\n"
	"  --to OFFSET       there; needs --partition\n"
	"  --partition P     this one only\n"
	"  --check           change nothing, only say what would be done\n"
	"  --config DIR      the configuration (default: $SHOUWANG_CONFIG, else /etc/shouwang)\n";

enum { PATIENCE = 15000, TAIL = 20000 /* records of a partition among which a partition record is */ };
enum target { TO_NOTHING, TO_EARLIEST, TO_RECORDED, TO_OFFSET };

struct plan { /* a partition */
	struct partition_record record;
	bool known; /* it has one */
	int64_t recorded, group, first, end, to;
	bool forgotten; /* the group has lost this topic's offset alone */
	bool chosen;
};
struct repositioning {
	struct config config;
	const char *topic;
	enum target target;
	int64_t offset, partition; /* -1: all that need it */
	bool check;
	struct changelog *changelog;
	struct plan *plans; /* by partition */
	int32_t n;
};

/* --- what is there */

static rd_kafka_t *client(const struct repositioning *r)
{
	return changelog_client(r->changelog);
}

/* A member could write a newer record meanwhile. */
static bool check_members(const struct repositioning *r, struct err *why)
{
	size_t n = 0, members = 0;
	const char *group = r->config.settings.instance;
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client(r));
	rd_kafka_DescribeConsumerGroups(client(r), &group, 1, NULL, queue);
	rd_kafka_event_t *e = rd_kafka_queue_poll(queue, PATIENCE);
	if (!e || rd_kafka_event_error(e)) {
		err_set(why, "asking for the members of the group %s: %s", group,
			e ? rd_kafka_event_error_string(e) : "no answer");
	} else {
		const rd_kafka_ConsumerGroupDescription_t **list = rd_kafka_DescribeConsumerGroups_result_groups(
			rd_kafka_event_DescribeConsumerGroups_result(e), &n);
		for (size_t i = 0; i < n; i++)
			members += rd_kafka_ConsumerGroupDescription_member_count(list[i]);
	}
	if (e)
		rd_kafka_event_destroy(e);
	rd_kafka_queue_destroy(queue);
	if (members)
		err_set(why, "the group %s has %zu members: stop every shouwangd of the instance first", group,
			members);
	return !why->text[0];
}

static bool count_partitions(struct repositioning *r, struct err *why)
{
	const struct rd_kafka_metadata *all = kafka_metadata(client(r), why);
	if (!all)
		return false;
	const struct rd_kafka_metadata_topic *state = kafka_topic(all, r->config.settings.topics.state),
					     *topic = kafka_topic(all, r->topic);
	if (!state || !topic)
		err_set(why, "topic %s: there is none", state ? r->topic : r->config.settings.topics.state);
	else if (state->partition_cnt != topic->partition_cnt)
		err_set(why, "topic %s has %d partitions and %s has %d", r->topic, topic->partition_cnt,
			r->config.settings.topics.state, state->partition_cnt);
	else if (r->partition >= state->partition_cnt)
		err_set(why, "partition %" PRId64 ": there are %d", r->partition, state->partition_cnt);
	else
		r->n = state->partition_cnt;
	rd_kafka_metadata_destroy(all);
	r->plans = calloc((size_t)r->n + 1, sizeof *r->plans);
	if (!r->plans)
		abort();
	return !why->text[0];
}

static bool take_item(struct repositioning *r, enum changelog_news news, const struct changelog_item *item,
		      struct err *why)
{
	struct plan *p = &r->plans[item->partition];
	if (news != CHANGELOG_RECORD)
		return news == CHANGELOG_END;
	if (!str_equal(item->key, STR(PARTITION_RECORD_KEY)))
		return true;
	p->known = true;
	return partition_record_decode(&p->record, item->value, why);
}

/* Reads the rest of those partitions whose record isn't known. */
static bool read_records(struct repositioning *r, int64_t from, struct err *why)
{
	size_t n = 0, ended = 0;
	struct changelog_item item;
	struct changelog_start *starts = calloc((size_t)r->n + 1, sizeof *starts);
	if (!starts)
		abort();
	for (int32_t p = 0; p < r->n; p++)
		if (!r->plans[p].known)
			starts[n++] = (struct changelog_start){p, from};
	bool ok = n == 0 || changelog_read(r->changelog, starts, n, why);
	while (ok && ended < n) {
		enum changelog_news news = changelog_poll(r->changelog, PATIENCE, &item, why);
		ok = news != CHANGELOG_NOTHING ? take_item(r, news, &item, why)
					       : err_set(why, "the changelog's end doesn't come");
		ended += ok && news == CHANGELOG_END;
	}
	changelog_stop(r->changelog);
	free(starts);
	return ok;
}

static bool ask(rd_kafka_resp_err_t code, const rd_kafka_topic_partition_list_t *l, const char *doing, struct err *why)
{
	for (int i = 0; i < l->cnt && !code; i++)
		code = l->elems[i].err;
	return !code || err_set(why, "asking for %s: %s", doing, rd_kafka_err2str(code));
}

static bool ask_group(struct repositioning *r, int32_t partition, struct err *why)
{
	struct plan *p = &r->plans[partition];
	bool others = false;
	rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(MAX_TOPICS);
	for (size_t i = 0; i < p->record.n_positions; i++)
		rd_kafka_topic_partition_list_add(l, p->record.positions[i].topic, partition);
	if (!partition_record_position(&p->record, r->topic))
		rd_kafka_topic_partition_list_add(l, r->topic, partition);
	bool ok = ask(rd_kafka_committed(client(r), l, PATIENCE), l, "the group's offsets", why);
	for (int i = 0; i < l->cnt; i++)
		if (strcmp(l->elems[i].topic, r->topic) == 0)
			p->group = l->elems[i].offset < 0 ? -1 : l->elems[i].offset;
		else
			others |= l->elems[i].offset >= 0;
	p->forgotten = p->group < 0 && others;
	rd_kafka_topic_partition_list_destroy(l);
	return ok;
}

static bool ask_end(const struct repositioning *r, int32_t partition, int64_t time, int64_t *out, struct err *why)
{
	rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(l, r->topic, partition)->offset = time;
	bool ok = ask(rd_kafka_offsets_for_times(client(r), l, PATIENCE), l, "the topic's first and last offset", why);
	*out = l->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(l);
	return ok;
}

static bool look(struct repositioning *r, struct err *why)
{
	if (!check_members(r, why) || !count_partitions(r, why) || !read_records(r, RD_KAFKA_OFFSET_TAIL(TAIL), why) ||
	    !read_records(r, RD_KAFKA_OFFSET_BEGINNING, why))
		return false;
	for (int32_t i = 0; i < r->n; i++) {
		struct plan *p = &r->plans[i];
		const struct position *at = partition_record_position(&p->record, r->topic);
		p->recorded = at ? at->next : -1;
		if (!ask_group(r, i, why) || !ask_end(r, i, RD_KAFKA_OFFSET_BEGINNING, &p->first, why) ||
		    !ask_end(r, i, RD_KAFKA_OFFSET_END, &p->end, why))
			return false;
	}
	return true;
}

/* --- what to do */

static bool needs_it(const struct repositioning *r, const struct plan *p)
{
	if (r->target == TO_RECORDED)
		return p->group != p->recorded;
	return p->recorded < p->first || p->recorded > p->end || p->forgotten;
}

static void say(const struct repositioning *r, int32_t partition)
{
	const struct plan *p = &r->plans[partition];
	printf("partition %" PRId32 ": recorded %" PRId64 ", the group %" PRId64 ", the topic %" PRId64 " to %" PRId64
	       ": ",
	       partition, p->recorded, p->group, p->first, p->end);
	if (!p->chosen)
		puts("nothing to do");
	else if (p->to > p->recorded)
		printf("goes on at %" PRId64 ", without the %" PRId64 " records before it\n", p->to,
		       p->to - p->recorded);
	else
		printf("%s at %" PRId64 "\n", r->check ? "would go on" : "goes on", p->to);
}

static bool choose(struct repositioning *r, struct err *why)
{
	for (int32_t i = 0; i < r->n; i++) {
		struct plan *p = &r->plans[i];
		if (r->partition >= 0 && r->partition != i)
			continue;
		p->chosen = p->recorded >= 0 && (r->partition >= 0 || needs_it(r, p));
		p->to = r->target == TO_EARLIEST ? p->first : r->target == TO_RECORDED ? p->recorded : r->offset;
		say(r, i);
		if (p->recorded < 0 && r->partition >= 0)
			return err_set(why, "partition %" PRId32 ": the changelog has no position of %s; restore it", i,
				       r->topic);
		if (p->chosen && (p->to < p->first || p->to > p->end))
			return err_set(why, "partition %" PRId32 ": offset %" PRId64 " isn't there", i, p->to);
	}
	return true;
}

static bool write_all(struct repositioning *r, struct outbox *o, struct err *why)
{
	size_t n = 0;
	struct buffer *records = calloc((size_t)r->n, sizeof *records);
	struct outbox_partition *out = calloc((size_t)r->n, sizeof *out);
	struct outbox_offset *offsets = calloc((size_t)r->n, sizeof *offsets);
	rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new(r->config.settings.instance);
	if (!records || !out || !offsets)
		abort();
	for (int32_t i = 0; i < r->n; i++) {
		struct plan *p = &r->plans[i];
		if (!p->chosen)
			continue;
		partition_record_move(&p->record, r->topic, p->to);
		partition_record_encode(&p->record, &records[n]);
		out[n] = (struct outbox_partition){.partition = i};
		offsets[n] = (struct outbox_offset){r->topic, i, p->to};
		outbox_state(o, &out[n], STR(PARTITION_RECORD_KEY),
			     (struct str){records[n].data, (uint32_t)records[n].len});
		n++;
	}
	bool ok = outbox_commit(o, offsets, n, group, why) == OUTBOX_OK;
	rd_kafka_consumer_group_metadata_destroy(group);
	for (size_t i = 0; i < n; i++)
		buffer_free(&records[i]);
	free(records);
	free(out);
	free(offsets);
	return ok;
}

static bool write(struct repositioning *r, struct err *why)
{
	bool away;
	struct settings s = r->config.settings;
	const char *topics[] = {s.topics.state};
	s.node = "reposition"; /* part of the transactional id */
	struct outbox *o = outbox_new(&s, 0, why);
	bool ok = o && outbox_open_producer(o, topics, 1, PATIENCE, why, &away) && outbox_begin(o, why) &&
		  write_all(r, o, why);
	outbox_free(o);
	return ok;
}

static bool reposition(struct repositioning *r, struct err *why)
{
	bool any = false;
	r->changelog = changelog_open(&r->config.settings, why);
	if (!r->changelog || !look(r, why) || !choose(r, why))
		return false;
	for (int32_t i = 0; i < r->n; i++)
		any |= r->plans[i].chosen;
	return r->check || !any || write(r, why);
}

/* --- argv */

enum { O_TO = 256, O_PARTITION, O_CHECK, O_CONFIG, O_HELP };
static const struct option options[] = {
	{"to", required_argument, NULL, O_TO}, {"partition", required_argument, NULL, O_PARTITION},
	{"check", no_argument, NULL, O_CHECK}, {"config", required_argument, NULL, O_CONFIG},
	{"help", no_argument, NULL, O_HELP},   {NULL, 0, NULL, 0},
};

static bool read_target(struct repositioning *r, const char *text)
{
	r->target = strcmp(text, "earliest") == 0   ? TO_EARLIEST
		    : strcmp(text, "recorded") == 0 ? TO_RECORDED
						    : TO_OFFSET;
	return r->target != TO_OFFSET || option_number("reposition", "--to", text, 0, INT64_MAX, &r->offset);
}

static int read_options(struct repositioning *r, int argc, char **argv, const char **dir)
{
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case O_TO:
			if (!read_target(r, optarg))
				return CLI_USAGE;
			break;
		case O_PARTITION:
			if (!option_number("reposition", "--partition", optarg, 0, INT32_MAX, &r->partition))
				return CLI_USAGE;
			break;
		case O_CHECK:
			r->check = true;
			break;
		case O_CONFIG:
			*dir = optarg;
			break;
		default:
			fputs(help, o == O_HELP ? stdout : stderr);
			return o == O_HELP ? -1 : CLI_USAGE;
		}
	}
	r->topic = argc == optind + 1 ? argv[optind] : NULL;
	if (r->topic && r->target != TO_NOTHING && (r->target != TO_OFFSET || r->partition >= 0))
		return CLI_DONE;
	fputs(help, stderr);
	return CLI_USAGE;
}

int cli_reposition(int argc, char **argv)
{
	struct repositioning r = {.partition = -1};
	struct err why = {0};
	const char *dir = cli_config_dir();
	int code = read_options(&r, argc, argv, &dir);
	if (code != CLI_DONE)
		return code < 0 ? CLI_DONE : code;
	if (!option_config("reposition", dir, &r.config))
		return CLI_FAILED;
	if (!reposition(&r, &why)) {
		fprintf(stderr, "shouwangctl reposition: %s\n", why.text);
		code = CLI_FAILED;
	}
	changelog_close(r.changelog);
	free(r.plans);
	config_close(&r.config);
	return option_end("reposition", code);
}
