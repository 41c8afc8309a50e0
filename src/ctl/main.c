/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bind/instance.h"
#include "ctl/command.h"

static const struct command {
	const char *name, *options;
	ctl_run *run;
	bool takes_dry_run, takes_json;
	const char *does;
} commands[] = {
	{ .name = "status",
	  .options = "[--json]",
	  .run = ctl_status,
	  .takes_json = true,
	  .does = "show how the daemon does" },
	{ .name = "repair",
	  .options = "[--dry-run]",
	  .run = ctl_repair,
	  .takes_dry_run = true,
	  .does = "put files back into containers that a dead daemon left" },
	{ .name = "detach",
	  .options = "[--dry-run]",
	  .run = ctl_detach,
	  .takes_dry_run = true,
	  .does = "take all files out of containers: they see the host's" },
};

int ctl_error(const char *format, ...)
{
	va_list ap;
	g_autofree char *sentence = NULL;

	va_start(ap, format);
	sentence = g_strdup_vprintf(format, ap);
	va_end(ap);
	(void)fflush(stdout);
	(void)fprintf(stderr, "lxcfs-clonectl: %s\n", sentence);
	return CTL_FAILED;
}

static int usage_error(const char *what, const char *word)
{
	ctl_error("%s '%s' (see --help)", what, word);
	return CTL_USAGE;
}

static int help(void)
{
	puts("Usage: lxcfs-clonectl COMMAND [MOUNTPOINT]\n\n"
	     "Commands:");
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		printf("  %s %-12s %s\n", commands[i].name, commands[i].options, commands[i].does);
	puts("\nOptions:\n"
	     "  --dry-run           change nothing, say what would be done\n"
	     "  --json              for programs\n"
	     "  -h, --help          this text\n"
	     "  --version           the version\n\n"
	     "MOUNTPOINT is " DEFAULT_MOUNTPOINT " unless given.");
	return CTL_OK;
}

static int parse(const struct command *command, char **words, struct ctl_args *ret)
{
	const char *given = NULL;
	bool options = true;

	for (char **w = words; *w; w++) {
		if (options && strcmp(*w, "--") == 0)
			options = false;
		else if (options && command->takes_dry_run && strcmp(*w, "--dry-run") == 0)
			ret->dry_run = true;
		else if (options && command->takes_json && strcmp(*w, "--json") == 0)
			ret->json = true;
		else if (options && **w == '-')
			return usage_error("there is no option", *w);
		else if (given)
			return usage_error("one mount point is enough, not also", *w);
		else if (!**w)
			return usage_error("the mount point is empty:", *w);
		else
			given = *w;
	}
	ret->mountpoint = instance_mountpoint(given ? given : DEFAULT_MOUNTPOINT);
	return CTL_OK;
}

/* A container with many files of ours needs a descriptor for each while it is repaired. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int run(const struct command *command, char **words)
{
	struct ctl_args args = { 0 };
	int status = parse(command, words, &args);

	if (status == CTL_OK && geteuid() != 0)
		status = ctl_error("only root can do this");
	if (status == CTL_OK) {
		raise_descriptor_limit();
		status = command->run(&args);
	}
	g_free(args.mountpoint);
	return status;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		ctl_error("no command is given (see --help)");
		return CTL_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help();
	if (strcmp(argv[1], "--version") == 0) {
		puts("lxcfs-clonectl " PROJECT_VERSION);
		return CTL_OK;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return run(&commands[i], argv + 2);
	return usage_error("there is no command", argv[1]);
}
