/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "run/command.h"
#include "run/fail.h"

static bool inspect(const struct host *host, const char *name, const void *arg, GError **error)
{
	AUTO_KNOWN struct known k = KNOWN_INIT;
	g_autofree char *text = NULL;

	(void)arg;
	if (!known_open(host, name, &k, error))
		return false;
	k.state.status = g_strdup(known_status(host, &k));
	text = state_to_json(&k.state);
	puts(text);
	return true;
}

int command_inspect(const struct host *host, char **words)
{
	GError *error = NULL;
	char **names;

	if (!flags_parse(NULL, 0, words, NULL, &names, &error))
		return run_say_error(error);
	return known_each(host, names, inspect, NULL);
}
