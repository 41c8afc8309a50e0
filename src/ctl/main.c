/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bind/instance.h"
#include "ctl/command.h"

/* Options that a command takes, beside its words. */
enum {
	DRY_RUN = 1 << 0,
	JSON = 1 << 1,
	ROOT = 1 << 2,
	DEFAULT = 1 << 3,
	MOUNT = 1 << 4,
	ENGINES = 1 << 5, /* the words are names of engines, not a mount point */
};

static const struct command {
	const char *name, *options;
	ctl_run *run;
	unsigned takes;
	const char *does;
} commands[] = {
	{ .name = "status",
	  .options = "[--json]",
	  .run = ctl_status,
	  .takes = JSON | ROOT,
	  .does = "show how the daemon does, and which engines use it" },
	{ .name = "check",
	  .options = "[--json]",
	  .run = ctl_check,
	  .takes = JSON | ROOT,
	  .does = "look whether all is well, and say what to do where not" },
	{ .name = "repair",
	  .options = "[--dry-run]",
	  .run = ctl_repair,
	  .takes = DRY_RUN,
	  .does = "put files back into containers that a dead daemon left" },
	{ .name = "detach",
	  .options = "[--dry-run]",
	  .run = ctl_detach,
	  .takes = DRY_RUN,
	  .does = "take all files out of containers: they see the host's" },
	{ .name = "install",
	  .options = "[ENGINE...]",
	  .run = ctl_install,
	  .takes = DRY_RUN | ROOT | DEFAULT | MOUNT | ENGINES,
	  .does = "have engines put the files into every new container" },
	{ .name = "uninstall",
	  .options = "[ENGINE...]",
	  .run = ctl_uninstall,
	  .takes = DRY_RUN | ROOT | ENGINES,
	  .does = "undo that" },
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

int ctl_usage(const char *what, const char *word)
{
	ctl_error("%s '%s' (see --help)", what, word);
	return CTL_USAGE;
}

static int help(void)
{
	puts("Usage: lxcfs-clonectl COMMAND [MOUNTPOINT]\n"
	     "       lxcfs-clonectl install|uninstall "
	     "[podman|crio|docker|cdi|lxc|containerd]...\n\n"
	     "Commands:");
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		printf("  %-9s %-11s  %s\n", commands[i].name, commands[i].options,
		       commands[i].does);
	puts("\nOptions:\n"
	     "  --dry-run           change nothing, say what would be done\n"
	     "  --json              for programs\n"
	     "  --default           install docker: for all containers, without --runtime\n"
	     "  --root DIR          status, check, (un)install: the host's root is at DIR\n"
	     "  --mountpoint DIR    install: where the daemon serves\n"
	     "  -h, --help          this text\n"
	     "  --version           the version\n\n"
	     "MOUNTPOINT is " DEFAULT_MOUNTPOINT
	     " unless given. No ENGINE: all that the host has.");
	return CTL_OK;
}

/* The switch @word, if the command takes it. */
static bool take_switch(const struct command *command, const char *word, struct ctl_args *ret)
{
	const struct {
		const char *word;
		unsigned takes;
		bool *value;
	} switches[] = {
		{ .word = "--dry-run", .takes = DRY_RUN, .value = &ret->dry_run },
		{ .word = "--json", .takes = JSON, .value = &ret->json },
		{ .word = "--default", .takes = DEFAULT, .value = &ret->make_default },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(switches); i++) {
		if (command->takes & switches[i].takes && strcmp(word, switches[i].word) == 0) {
			*switches[i].value = true;
			return true;
		}
	}
	return false;
}

/* "--root DIR" and "--root=DIR": 1 and *@w on its last word, 0: something else, -1: no value. */
static int take_value(char ***w, const char *option, const char **ret)
{
	size_t len = strlen(option);

	if (strncmp(**w, option, len) != 0 || (**w)[len] == '\0' ? strcmp(**w, option) != 0
								 : (**w)[len] != '=')
		return 0;
	if ((**w)[len] == '=')
		*ret = **w + len + 1;
	else if ((*w)[1])
		*ret = *++*w;
	else
		return -1;
	return **ret ? 1 : -1;
}

static int take_option(const struct command *command, char ***w, struct ctl_args *ret,
		       const char **point)
{
	const char *word = **w;
	int r = 0;

	if (take_switch(command, word, ret))
		return CTL_OK;
	if (command->takes & ROOT)
		r = take_value(w, "--root", &ret->root);
	if (r == 0 && command->takes & MOUNT)
		r = take_value(w, "--mountpoint", point);
	if (r < 0)
		return ctl_usage("there is no folder behind", word);
	return r ? CTL_OK : ctl_usage("there is no option", word);
}

/* @words become those that are no option, if the command takes such. */
static int parse(const struct command *command, char **words, struct ctl_args *ret)
{
	const char *given = NULL;
	char **names = words;
	bool options = true;
	int status;

	ret->words = words;
	for (char **w = words; *w; w++) {
		if (options && strcmp(*w, "--") == 0) {
			options = false;
		} else if (options && **w == '-') {
			status = take_option(command, &w, ret, &given);
			if (status != CTL_OK)
				return status;
		} else if (command->takes & ENGINES) {
			*names++ = *w;
		} else if (given) {
			return ctl_usage("one mount point is enough, not also", *w);
		} else if (!**w) {
			return ctl_usage("the mount point is empty:", *w);
		} else {
			given = *w;
		}
	}
	*names = NULL;
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
	struct ctl_args args = { .root = "/" };
	int status;

	if (*words && (strcmp(*words, "--help") == 0 || strcmp(*words, "-h") == 0))
		return help();
	status = parse(command, words, &args);
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
	return ctl_usage("there is no command", argv[1]);
}
