/* shouwangctl: the tools around the daemon.  A table of commands; each has a file of its own. */
#include "cli.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int cli_version(int argc, char **argv);
static int cli_help(int argc, char **argv);

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments, *what;
} commands[] = {
	{"check", cli_check, "[DIR]", "check a configuration; prints every fault with file, line and column"},
	{"test", cli_test, "[DIR]", "run a configuration's rule tests in virtual time"},
	{"eval", cli_eval, "EXPR [--let x=…] [--batch] [--rules]", "evaluate an expression"},
	{"run", cli_run, "DIR FILE… [--partitions N] [--state]",
	 "send events from files through the engine, without servers"},
	{"sample", cli_sample, "--households N --months M --seed S", "write synthetic events"},
	{"publish", cli_publish, "FILE|- --topic T", "send events to a topic"},
	{"answer", cli_answer, "CASE TYPE [--by --note --until]", "send feedback on a case"},
	{"topics", cli_topics, "[--check]", "create or verify all topics"},
	{"read", cli_read, "TOPIC [--until-end] [--json|--text]", "print the committed messages of a topic"},
	{"report", cli_report, "[--file FILE]", "cases by unit and level, rejects by reason, some cases whole"},
	{"reposition", cli_reposition, "TOPIC --to earliest|recorded|OFFSET",
	 "decide where to go on after records were lost"},
	{"version", cli_version, "", "print the version"},
	{"help", cli_help, "", "print this"},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static int cli_version(int argc, char **argv)
{
	(void)argc, (void)argv;
	puts("shouwangctl " SHOUWANG_VERSION);
	return CLI_DONE;
}

static void usage(FILE *to)
{
	fputs("usage: shouwangctl COMMAND [ARGUMENTS]\n\n", to);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(to, "  %-10s %-38s %s\n", commands[i].name, commands[i].arguments, commands[i].what);
	fputs("\nA command with --help says more.  --config DIR names the configuration (default: $SHOUWANG_CONFIG, "
	      "else\n"
	      "/etc/shouwang).\n",
	      to);
}

static int cli_help(int argc, char **argv)
{
	(void)argc, (void)argv;
	usage(stdout);
	return CLI_DONE;
}

const char *cli_config_dir(void)
{
	const char *dir = getenv("SHOUWANG_CONFIG");
	return dir && *dir ? dir : "/etc/shouwang";
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0)
		name = "version";
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (*name)
		fprintf(stderr, "shouwangctl: no command %s\n\n", name);
	usage(stderr);
	return CLI_USAGE;
}
