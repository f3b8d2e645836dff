/* shouwangctl eval: one expression for trying, or JSON lines with --batch.  Follows the CEL standard alone; with
 * --rules it adds and refuses what the loader of rules does. */
#include "cli.h"
#include "eval_json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"usage: shouwangctl eval EXPR [--let NAME=EXPR]... [--unknown NAME]... [--rules]\n"
	"       shouwangctl eval --batch [--rules]\n\n"
	"Evaluates an expression and prints its value and type.  --let gives a variable, --unknown names one whose\n"
	"value is missing.  --rules: as in a rule, with its additions and refusals.  --batch reads JSON lines\n"
	"{\"expr\": \"...\", \"let\": {\"x\": \"...\"}, \"unknown\": [\"y\"]} and writes one line each.\n";

/* The expression with a mark under the place, where it is one line; Han characters are two cells wide. */
static void point(const char *text, size_t column, const char *message)
{
	if (column == 0 || strchr(text, '\n')) {
		fprintf(stderr, "%s\n", message);
		return;
	}
	fprintf(stderr, "%s\n", text);
	for (size_t i = 1; i < column && *text; i++) {
		bool wide = (unsigned char)*text >= 0xe2;
		fputs(wide ? "\u3000" : *text == '\t' ? "\t" : " ", stderr);
		do
			text++;
		while (((unsigned char)*text & 0xc0) == 0x80);
	}
	fprintf(stderr, "^ %s\n", message);
}

static int print_one(const json_t *input, const json_t *output)
{
	const char *error = json_string_value(json_object_get(output, "error"));
	const json_t *unknown = json_object_get(output, "unknown");
	if (error) {
		point(json_string_value(json_object_get(input, "expr")),
		      (size_t)json_integer_value(json_object_get(output, "column")), error);
		return CLI_FAILED;
	}
	if (unknown) {
		fputs("unknown", stdout);
		for (size_t i = 0; i < json_array_size(unknown); i++)
			printf("%s %s", i ? "," : ":", json_string_value(json_array_get(unknown, i)));
		putchar('\n');
		return CLI_DONE;
	}
	const json_t *value = json_object_get(output, "value");
	char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	printf("%s (%s)\n", text ? text : json_string_value(value), json_string_value(json_object_get(output, "type")));
	free(text);
	return CLI_DONE;
}

static int batch(struct evaluator *e)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	while ((len = getline(&line, &room, stdin)) >= 0) {
		if (len && line[len - 1] == '\n')
			len--;
		json_error_t fault;
		json_t *input = json_loadb(line, (size_t)len, JSON_ALLOW_NUL, &fault);
		json_t *output = input ? evaluate_json(e, input) : error_json(fault.text, (size_t)fault.column);
		char *text = json_dumps(output, JSON_COMPACT);
		puts(text ? text : "{\"error\":\"no memory is left\",\"column\":0}");
		fflush(stdout);
		free(text);
		json_decref(output);
		json_decref(input);
	}
	free(line);
	return ferror(stdout) ? CLI_FAILED : CLI_DONE;
}

static bool add_let(json_t *let, const char *text)
{
	const char *equals = strchr(text, '=');
	if (!equals || equals == text)
		return false;
	char *name = strndup(text, (size_t)(equals - text));
	bool fine = name && json_object_set_new(let, name, json_string(equals + 1)) == 0;
	free(name);
	return fine;
}

static int usage(void)
{
	fputs(help, stderr);
	return CLI_USAGE;
}

/* Reads the arguments into the input of one evaluation; a code that ends the command, or -1. */
static int read_arguments(int argc, char **argv, json_t *input, bool *rules, bool *lines)
{
	json_t *let = json_object(), *unknown = json_array();
	json_object_set_new(input, "let", let);
	json_object_set_new(input, "unknown", unknown);
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(arg, "--help") == 0) {
			fputs(help, stdout);
			return CLI_DONE;
		}
		if (strcmp(arg, "--rules") == 0)
			*rules = true;
		else if (strcmp(arg, "--batch") == 0)
			*lines = true;
		else if (strcmp(arg, "--let") == 0 && next && add_let(let, next))
			i++;
		else if (strcmp(arg, "--unknown") == 0 && next &&
			 json_array_append_new(unknown, json_string(next)) == 0)
			i++;
		else if (strncmp(arg, "--", 2) == 0 || json_object_get(input, "expr"))
			return usage();
		else if (json_object_set_new(input, "expr", json_string(arg)) != 0)
			return usage();
	}
	return *lines == !json_object_get(input, "expr") ? -1 : usage();
}

int cli_eval(int argc, char **argv)
{
	bool rules = false, lines = false;
	json_t *input = json_object();
	int code = read_arguments(argc, argv, input, &rules, &lines);
	if (code < 0) {
		struct evaluator *e = evaluator_new(rules);
		json_t *output = lines || !e ? NULL : evaluate_json(e, input);
		code = !e ? CLI_FAILED : lines ? batch(e) : print_one(input, output);
		json_decref(output);
		evaluator_free(e);
	}
	json_decref(input);
	return code;
}
