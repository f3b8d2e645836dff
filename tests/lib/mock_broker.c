/* librdkafka's in-process Kafka as a program of its own, for the demo and for tests of error paths.  It forgets a
 * partition's oldest records beyond 5 MiB, drops transactional offsets, shows aborted records and never fences: it
 * proves nothing about exactly-once.
 *
 *     mock_broker --topics household.events:8,shouwang.state:8
 *
 * prints its address once the topics are there and ends at SIGTERM, at SIGINT or when its standard input closes.
 * Lines on its standard input:
 *
 *     down | up                          the broker refuses connections, or takes them again
 *     delay MILLISECONDS                 every answer comes so much later
 *     fail API-KEY ERROR-CODE COUNT      the next requests of that kind fail (API keys and codes as in Kafka's
 * protocol)
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

enum { BROKER = 1 };

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "mock_broker: %s: %s\n", what, why);
	return 1;
}

/* list: name:partitions,…; cut up in place. */
static int create_topics(rd_kafka_mock_cluster_t *cluster, char *list)
{
	char *rest = NULL;
	for (char *topic = strtok_r(list, ",", &rest); topic; topic = strtok_r(NULL, ",", &rest)) {
		char *colon = strrchr(topic, ':');
		int partitions = colon ? atoi(colon + 1) : 0;
		if (partitions < 1 || colon == topic)
			return complain(topic, "expected name:partitions");
		*colon = 0;
		rd_kafka_resp_err_t e = rd_kafka_mock_topic_create(cluster, topic, partitions, 1);
		if (e)
			return complain(topic, rd_kafka_err2str(e));
	}
	return 0;
}

static void obey(rd_kafka_mock_cluster_t *cluster, const char *line)
{
	int api_key, code, n, delay;
	if (strcmp(line, "down") == 0) {
		rd_kafka_mock_broker_set_down(cluster, BROKER);
	} else if (strcmp(line, "up") == 0) {
		rd_kafka_mock_broker_set_up(cluster, BROKER);
	} else if (sscanf(line, "delay %d", &delay) == 1) {
		rd_kafka_mock_broker_set_rtt(cluster, BROKER, delay);
	} else if (sscanf(line, "fail %d %d %d", &api_key, &code, &n) == 3) {
		for (int i = 0; i < n; i++)
			rd_kafka_mock_push_request_errors(cluster, (int16_t)api_key, 1, (rd_kafka_resp_err_t)code);
	} else {
		complain(line, "expected down, up, delay or fail");
	}
}

/* Waits for the end: a signal or the end of standard input; obeys each line. */
static void serve(rd_kafka_mock_cluster_t *cluster, int signals)
{
	char text[4096];
	size_t held = 0;
	for (;;) {
		struct pollfd fds[] = {{.fd = signals, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (fds[0].revents)
			return;
		if (!fds[1].revents)
			continue;
		ssize_t got = read(STDIN_FILENO, text + held, sizeof text - 1 - held);
		if (got <= 0)
			return;
		held += (size_t)got;
		text[held] = 0;
		char *line = text;
		for (char *end; (end = strchr(line, '\n')); line = end + 1) {
			*end = 0;
			obey(cluster, line);
		}
		held = strlen(line);
		memmove(text, line, held + 1);
		if (held == sizeof text - 1)
			held = 0;
	}
}

int main(int argc, char **argv)
{
	if (argc != 3 || strcmp(argv[1], "--topics") != 0) {
		fprintf(stderr, "usage: mock_broker --topics NAME:PARTITIONS,…\n");
		return 2;
	}
	sigset_t ends;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	int signals = signalfd(-1, &ends, SFD_CLOEXEC);

	char why[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set(conf, "log_level", "4", why, sizeof why); /* it has no bootstrap.servers, and says so */
	rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	if (!client) {
		rd_kafka_conf_destroy(conf);
		return complain("cannot start", why);
	}
	rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(client, 1);
	if (!cluster) {
		rd_kafka_destroy(client);
		return complain("cannot start", "no cluster");
	}
	int status = create_topics(cluster, argv[2]);
	if (status == 0) {
		printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
		fflush(stdout);
		serve(cluster, signals);
	}
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(client);
	close(signals);
	return status;
}
