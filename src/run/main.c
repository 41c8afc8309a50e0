/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/main.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/command.h"
#include "run/fail.h"
#include "run/options.h"
#include "run/sealed.h"
#include "util/fd.h"

static const struct command {
	const char *name, *words;
	command_fn *run;
	command_flags *flags; /* NULL: none, or run's */
	bool enters;          /* a container: from a sealed program */
	const char *does;
} commands[] = {
	{ .name = "run",
	  .words = "[OPTIONS] --rootfs DIR[,DIR...] [--] COMMAND [ARG...]",
	  .run = command_run,
	  .enters = true,
	  .does = "run a command in a new container" },
	{ .name = "exec",
	  .words = "[OPTIONS] NAME COMMAND [ARG...]",
	  .run = command_exec,
	  .flags = flags_of_exec,
	  .enters = true,
	  .does = "run a command in one that runs" },
	{ .name = "ps",
	  .words = "[-q]",
	  .run = command_ps,
	  .flags = flags_of_ps,
	  .does = "list all containers" },
	{ .name = "stop",
	  .words = "[-t SECONDS] NAME...",
	  .run = command_stop,
	  .flags = flags_of_stop,
	  .does = "end it: SIGTERM, then SIGKILL" },
	{ .name = "kill",
	  .words = "[-s SIGNAL] NAME...",
	  .run = command_kill,
	  .flags = flags_of_kill,
	  .does = "send it a signal" },
	{ .name = "pause", .words = "NAME...", .run = command_pause, .does = "let it stand still" },
	{ .name = "resume", .words = "NAME...", .run = command_resume, .does = "let it go on" },
	{ .name = "logs",
	  .words = "[-f] NAME",
	  .run = command_logs,
	  .flags = flags_of_logs,
	  .does = "show what it has written" },
	{ .name = "rm",
	  .words = "[-f] NAME...",
	  .run = command_rm,
	  .flags = flags_of_rm,
	  .does = "remove it, and what a killed launcher left" },
	{ .name = "inspect",
	  .words = "NAME...",
	  .run = command_inspect,
	  .does = "show its record as JSON" },
};

static struct {
	char *start;
	size_t size;
} words_area;

/* The kernel has put all words one behind the other. */
static void find_words(int argc, char **argv)
{
	char *end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;

	for (char **e = environ; *e; e++)
		if (*e == end)
			end += strlen(end) + 1;
	words_area.start = argv[0];
	words_area.size = (size_t)(end - argv[0]);
}

char *main_words(size_t *ret_size)
{
	*ret_size = words_area.size;
	return words_area.start;
}

static int help(void)
{
	puts("Usage: lxcfs-clone-run COMMAND ...\n\nCommands:");
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].does);
	puts("\nCOMMAND --help tells more. Options: --help, --version.");
	return 0;
}

static int help_of(const struct command *c)
{
	size_t n = 0;
	const struct flag *flags = c->flags ? c->flags(&n) : NULL;

	printf("Usage: lxcfs-clone-run %s %s\n", c->name, c->words);
	if (c->run == command_run)
		options_print();
	else if (flags)
		flags_print(flags, n);
	return 0;
}

/* Before the words that are the container's. */
static bool asks_for_help(char *const *words)
{
	return *words && (strcmp(*words, "--help") == 0 || strcmp(*words, "-h") == 0);
}

/* What we open never is a standard descriptor; a child of ours is waited for. */
static bool make_usual(void)
{
	int none[] = { -1 };
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	/* What we make is the container's to see, whatever our caller keeps to himself. */
	umask(022);
	/* A monitor would keep what our caller has left open, a container might get it. */
	fd_close_others(none, G_N_ELEMENTS(none));
	return fd >= 0 && signal(SIGCHLD, SIG_DFL) != SIG_ERR;
}

static int run(const struct command *c, char **argv)
{
	GError *error = NULL;
	struct host *host;
	int r;

	if (asks_for_help(argv + 2))
		return help_of(c);
	if (geteuid() != 0)
		return run_say("only root can do this");
	if (!make_usual())
		return run_say("cannot open /dev/null");
	if (c->enters) {
		/* What they are for is an error of a write, which is told of and leaves nothing. */
		(void)signal(SIGPIPE, SIG_IGN);
		(void)signal(SIGXFSZ, SIG_IGN);
		if (!sealed_run(argv, &error))
			return run_say_error(error);
	}
	r = host_open("/", &host);
	if (r < 0)
		return run_say("cannot open the host's proc and sys: %s", g_strerror(-r));
	r = c->run(host, argv + 2);
	host_free(host);
	return r;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		run_say("no command is given (see --help)");
		return RUN_FAILED;
	}
	/* Started anew, it would be called by the number of a descriptor. */
	(void)prctl(PR_SET_NAME, "lxcfs-clone-run");
	find_words(argc, argv);
	if (asks_for_help(argv + 1))
		return help();
	if (strcmp(argv[1], "--version") == 0) {
		puts("lxcfs-clone-run " PROJECT_VERSION);
		return 0;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return run(&commands[i], argv);
	return run_say("there is no command '%.64s' (see --help)", argv[1]);
}
