/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/command.h"
#include "run/fail.h"
#include "run/log.h"

struct how {
	bool follow;
};

static const struct flag flags[] = {
	{ .name = "follow",
	  .letter = 'f',
	  .kind = FLAG_TRUE,
	  .offset = offsetof(struct how, follow),
	  .does = "go on until it ends" },
};

const struct flag *flags_of_logs(size_t *ret_n)
{
	*ret_n = G_N_ELEMENTS(flags);
	return flags;
}

static bool has_monitor(const void *place)
{
	return state_is_held(place);
}

static bool show(const struct host *host, const char *name, bool follow, GError **error)
{
	AUTO_KNOWN struct known k = KNOWN_INIT;

	return known_open(host, name, &k, error) &&
	       (!k.state.data ||
		log_print(k.state.data, follow ? has_monitor : NULL, &k.place, error));
}

int command_logs(const struct host *host, char **words)
{
	struct how how = { 0 };
	GError *error = NULL;
	char **names;

	if (!flags_parse(flags, G_N_ELEMENTS(flags), words, &how, &names, &error))
		return run_say_error(error);
	if (!names[0] || names[1])
		return run_say("logs takes one container (see --help)");
	return show(host, names[0], how.follow, &error) ? 0 : run_say_error(error);
}
