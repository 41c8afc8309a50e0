/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/config.h"

#include <stdio.h>
#include <string.h>

#include "bind/instance.h"
#include "daemon/holder.h"
#include "util/num.h"

/* Mount options that are on anyway, or that mean nothing to a read-only file system. */
static const char *const implied_options[] = {
	"allow_other", "default_permissions", "ro", "nosuid", "nodev", "direct_io", "use_ino", NULL
};

/* Of FUSE's own ("man 8 mount.fuse3"): the rest would change what readers see. */
static bool is_known_option(const char *option)
{
	static const char max_read[] = "max_read=";
	uint64_t bytes;

	if (g_str_has_prefix(option, max_read))
		return num_parse(option + strlen(max_read), &bytes) && bytes <= UINT32_MAX;
	return g_str_has_prefix(option, "context=");
}

static bool take_mount_options(char **given, struct config *c, GError **error)
{
	GString *out = g_string_new(NULL);

	for (char **o = given; o && *o; o++) {
		g_auto(GStrv) parts = g_strsplit(*o, ",", -1);

		for (char **p = parts; *p; p++) {
			if (!**p || g_strv_contains(implied_options, *p))
				continue;
			if (strcmp(*p, "nonempty") == 0) {
				c->nonempty = true;
				continue;
			}
			if (!is_known_option(*p)) {
				g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
					    "the mount option '%s' is none of ours", *p);
				g_string_free(out, TRUE);
				return false;
			}
			g_string_append_printf(out, ",%s", *p);
		}
	}
	c->mount_options = g_string_free(out, FALSE);
	return true;
}

static bool take_mountpoint(char **rest, struct config *c, GError **error)
{
	const char *given = rest && rest[0] ? rest[0] : DEFAULT_MOUNTPOINT;

	if (rest && rest[0] && rest[1]) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
			    "one mount point is enough, but '%s' was given too", rest[1]);
		return false;
	}
	if (!*given) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
			    "the mount point is empty");
		return false;
	}
	c->mountpoint = instance_mountpoint(given);
	return true;
}

static bool take_pidfile(const char *given, struct config *c, GError **error)
{
	if (given && !*given) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "the name of the pid file is empty");
		return false;
	}
	c->pidfile = given ? g_canonicalize_filename(given, NULL) : NULL;
	return true;
}

static bool take_fd(const char **text, char end, int *ret)
{
	uint64_t fd;

	if (!num_take(text, &fd) || fd > G_MAXINT || **text != end)
		return false;
	(*text)++;
	*ret = (int)fd;
	return true;
}

/* "--worker=" and "--keeper=", as child_exec() makes them. */
static bool take_handed(const char *text, enum config_role role, struct config *c, GError **error)
{
	struct handed *h = &c->handed;

	if (!text)
		return true;
	if (!take_fd(&text, ',', &h->fuse) || !take_fd(&text, ',', &h->shared) ||
	    !take_fd(&text, ',', &h->lock) || !take_fd(&text, ',', &h->control) ||
	    !take_fd(&text, '\0', &h->peer)) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "--worker and --keeper are for the daemon's own processes alone");
		return false;
	}
	if (h->control == 0)
		h->control = -1;
	c->role = role;
	return true;
}

/* A day: longer than readers should ever hang. */
#define MAX_HOLDER_SECONDS 86400u

static bool take_holder(const char *value, struct config *c, GError **error)
{
	uint64_t seconds;

	if (!value)
		return true;
	if (!num_parse(value, &seconds) || seconds < 1 || seconds > MAX_HOLDER_SECONDS) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "--holder=%s: not a number of seconds from 1 to %u", value,
			    MAX_HOLDER_SECONDS);
		return false;
	}
	c->holder_seconds = (unsigned)seconds;
	return true;
}

/*
 * The words for GLib, which takes some away. It would take the next word, the mount point, for an
 * optional value that is left out.
 */
static char **words_of(int argc, char **argv)
{
	static char with_default[] = "--holder=" G_STRINGIFY(HOLDER_DEFAULT_SECONDS);
	char **args = g_memdup2(argv, ((size_t)argc + 1) * sizeof(*argv));

	for (char **a = args; *a && strcmp(*a, "--") != 0; a++)
		if (strcmp(*a, "--holder") == 0)
			*a = with_default;
	return args;
}

enum config_result config_parse(int argc, char **argv, struct config *ret, GError **error)
{
	gboolean version = FALSE, debug = FALSE, no_quota = FALSE, no_swap = FALSE, no_load = FALSE;
	gboolean ignored = FALSE;
	g_auto(GStrv) mount_options = NULL;
	g_auto(GStrv) rest = NULL;
	g_autofree char *pidfile = NULL;
	g_autofree char *worker = NULL, *keeper = NULL, *holder = NULL;
	const GOptionEntry entries[] = {
		{ "debug", 'd', 0, G_OPTION_ARG_NONE, &debug, "Log what is done", NULL },
		{ "foreground", 'f', 0, G_OPTION_ARG_NONE, &ignored,
		  "Stay in the foreground (always so)", NULL },
		{ "pidfile", 'p', 0, G_OPTION_ARG_FILENAME, &pidfile, "Write our pid there",
		  "FILE" },
		{ "options", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &mount_options,
		  "FUSE mount options", "OPT,..." },
		{ "no-cpu-quota", 0, 0, G_OPTION_ARG_NONE, &no_quota,
		  "Count cpusets alone, not CPU quotas", NULL },
		{ "disable-swap", 'u', 0, G_OPTION_ARG_NONE, &no_swap, "Show containers no swap",
		  NULL },
		{ "disable-loadavg", 0, 0, G_OPTION_ARG_NONE, &no_load,
		  "Show containers the host's load averages", NULL },
		{ "enable-loadavg", 'l', 0, G_OPTION_ARG_NONE, &ignored, "On already", NULL },
		{ "enable-cfs", 0, 0, G_OPTION_ARG_NONE, &ignored, "On already", NULL },
		{ "enable-pidfd", 0, 0, G_OPTION_ARG_NONE, &ignored, "On already", NULL },
		{ "holder", 0, 0, G_OPTION_ARG_STRING, &holder,
		  "Outlive a killed pod by so long (alone: 300)", "SECONDS" },
		{ "version", 'v', 0, G_OPTION_ARG_NONE, &version, "Print the version", NULL },
		{ "worker", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_STRING, &worker, NULL, NULL },
		{ "keeper", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_STRING, &keeper, NULL, NULL },
		{ G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL,
		  "[MOUNTPOINT]" },
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autofree char **args = words_of(argc, argv);

	*ret = (struct config){ .handed = HANDED_NONE };
	g_option_context_set_summary(
		context, "Serves /proc and /sys files as each container should see them.\n"
			 "MOUNTPOINT is " DEFAULT_MOUNTPOINT " unless given, and made if missing.");
	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &args, error))
		return CONFIG_ERROR;
	if (version) {
		puts("lxcfs-clone " PROJECT_VERSION);
		return CONFIG_DONE;
	}
	ret->debug = debug;
	ret->view = (struct view_options){ .cpu_quota = !no_quota,
					   .swap = !no_swap,
					   .loadavg = !no_load };
	if (!take_pidfile(pidfile, ret, error) || !take_mountpoint(rest, ret, error) ||
	    !take_mount_options(mount_options, ret, error) ||
	    !take_handed(worker, ROLE_WORKER, ret, error) ||
	    !take_handed(keeper, ROLE_KEEPER, ret, error) || !take_holder(holder, ret, error)) {
		config_clear(ret);
		return CONFIG_ERROR;
	}
	return CONFIG_RUN;
}

void config_clear(struct config *c)
{
	g_free(c->mountpoint);
	g_free(c->pidfile);
	g_free(c->mount_options);
	*c = (struct config){ .handed = HANDED_NONE };
}
