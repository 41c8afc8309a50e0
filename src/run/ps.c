/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "run/command.h"
#include "run/fail.h"
#include "util/octal.h"

struct how {
	bool quiet;
};

static const struct flag flags[] = {
	{ .name = "quiet",
	  .letter = 'q',
	  .kind = FLAG_TRUE,
	  .offset = offsetof(struct how, quiet),
	  .does = "names alone" },
};

const struct flag *flags_of_ps(size_t *ret_n)
{
	*ret_n = G_N_ELEMENTS(flags);
	return flags;
}

/* Words as they are, but control characters as \ooo. */
static char *command_text(const GPtrArray *command)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < command->len; i++) {
		g_autofree char *word = octal_escaped(command->pdata[i]);

		g_string_append_printf(text, "%s%s", i ? " " : "", word);
	}
	(void)g_string_replace(text, "\\040", " ", 0);
	return g_string_free(text, FALSE);
}

/* "-": nobody has written it down. */
static char *time_text(uint64_t seconds)
{
	g_autoptr(GDateTime) time =
		seconds > 0 ? g_date_time_new_from_unix_local((gint64)seconds) : NULL;

	return time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S") : g_strdup("-");
}

static void print(const struct host *host, const struct known *k)
{
	g_autofree char *command = command_text(k->state.command);
	const char *word = known_status(host, k);
	g_autofree char *status =
		strcmp(word, "exited") == 0
			? g_strdup_printf("exited (%u)", (unsigned)k->state.exit_status)
			: g_strdup(word);
	g_autofree char *time = time_text(k->state.created);
	g_autofree char *pid =
		k->pidfd >= 0 ? g_strdup_printf("%u", (unsigned)k->state.pid) : g_strdup("-");

	printf("%-20s %-13s %7s  %-19s  %-15s  %s\n", k->state.name, status, pid, time,
	       k->state.address ? k->state.address : "-", command);
}

/* It may have been removed just now. */
static bool is_there(const char *name)
{
	g_auto(GStrv) names = state_names();

	return g_strv_contains((const char *const *)names, name);
}

int command_ps(const struct host *host, char **words)
{
	g_auto(GStrv) names = state_names();
	struct how how = { 0 };
	GError *error = NULL;
	char **rest;

	if (!flags_parse(flags, G_N_ELEMENTS(flags), words, &how, &rest, &error))
		return run_say_error(error);
	if (*rest)
		return run_say("ps takes no '%.64s' (see --help)", *rest);
	if (!how.quiet)
		printf("%-20s %-13s %7s  %-19s  %-15s  %s\n", "NAME", "STATUS", "PID", "CREATED",
		       "ADDRESS", "COMMAND");
	for (char **name = names; *name; name++) {
		AUTO_KNOWN struct known k = KNOWN_INIT;
		g_autoptr(GError) failure = NULL;

		if (how.quiet)
			puts(*name);
		else if (known_open(host, *name, &k, &failure))
			print(host, &k);
		else if (is_there(*name))
			printf("%-20s %s\n", *name, failure->message);
	}
	return 0;
}
