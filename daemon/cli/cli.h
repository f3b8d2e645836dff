/* The commands of shouwangctl: each takes its own argv (argv[0] is the command's name) and returns the exit code:
 * 0 done, 1 the answer is no or something failed, 2 called wrongly. */
#ifndef CLI_H
#define CLI_H

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

int cli_check(int argc, char **argv);
int cli_test(int argc, char **argv);
int cli_eval(int argc, char **argv);
int cli_run(int argc, char **argv);
int cli_sample(int argc, char **argv);
int cli_publish(int argc, char **argv);
int cli_answer(int argc, char **argv);
int cli_topics(int argc, char **argv);
int cli_read(int argc, char **argv);
int cli_report(int argc, char **argv);
int cli_reposition(int argc, char **argv);

/* Where the configuration is unless --config says otherwise: $SHOUWANG_CONFIG, else /etc/shouwang. */
const char *cli_config_dir(void);
#endif
