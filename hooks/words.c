/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks/words.h"

#include <glib.h>
#include <string.h>

#include "util/num.h"

#define TIMEOUT_MAX_S 300u

/* Options whose value is the next word, before the command; of runc, crun, youki and runsc. */
static const char *const before[] = {
	"root",      "r",          "log",
	"l",         "log-format", "log-level",
	"criu",      "rootless",   "cgroup-manager",
	"debug-log", "platform",   "network",
	NULL,
};

/* The same behind "create" and "run". */
static const char *const behind[] = {
	"bundle", "b", "console-socket", "pid-file", "p", "preserve-fds", "config", "f", NULL,
};

/* Whatever is none of these was the value of an option that we do not know. */
static const char *const commands[] = {
	"create", "run",        "start",   "state",    "kill",   "delete", "exec",
	"ps",     "list",       "events",  "pause",    "resume", "update", "spec",
	"init",   "checkpoint", "restore", "features", "info",   "help",   NULL,
};

struct option {
	const char *name; /* without dashes; owned by nobody: see len */
	size_t len;
	const char *value; /* behind '='; NULL: none */
};

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

/* "-b", "--bundle", "--bundle=DIR", and Go's "-bundle". */
static struct option split(const char *word)
{
	const char *name = word + strspn(word, "-");
	const char *equals = strchr(name, '=');

	return (struct option){ .name = name,
				.len = equals ? (size_t)(equals - name) : strlen(name),
				.value = equals ? equals + 1 : NULL };
}

static bool is_called(const struct option *o, const char *name)
{
	return o->len == strlen(name) && strncmp(o->name, name, o->len) == 0;
}

static bool is_one_of(const struct option *o, const char *const *names)
{
	for (; *names; names++)
		if (is_called(o, *names))
			return true;
	return false;
}

/* A letter with its value in the same word, as getopt has it: "-bDIR". */
static bool split_letter(const char *word, char letter, struct option *o)
{
	if (word[0] != '-' || word[1] != letter || word[2] == '\0' || word[2] == '=')
		return false;
	*o = (struct option){ .name = word + 1, .len = 1, .value = word + 2 };
	return true;
}

static char *const *find_command(char *const *words)
{
	for (; *words; words++) {
		struct option o;

		if (!is_option(*words)) {
			if (g_strv_contains(commands, *words))
				return words;
			continue;
		}
		if (strcmp(*words, "--") == 0)
			return NULL;
		o = split(*words);
		if (!o.value && is_one_of(&o, before) && words[1])
			words++;
	}
	return NULL;
}

struct words words_read(char *const *words)
{
	struct words found = { .bundle = ".", .config = "config.json" };
	char *const *w = find_command(words);

	if (!w || (strcmp(*w, "create") != 0 && strcmp(*w, "run") != 0))
		return found;
	found.makes = true;
	for (w++; *w && strcmp(*w, "--") != 0; w++) {
		struct option o;

		if (!is_option(*w))
			continue;
		o = split(*w);
		if (!is_one_of(&o, behind) && !split_letter(*w, 'b', &o) &&
		    !split_letter(*w, 'f', &o))
			continue;
		if (!o.value) {
			if (!w[1])
				break;
			o.value = *++w;
		}
		if (is_called(&o, "bundle") || is_called(&o, "b"))
			found.bundle = o.value;
		else if (is_called(&o, "config") || is_called(&o, "f"))
			found.config = o.value;
	}
	return found;
}

char *words_value(const char *name, char *const **word)
{
	size_t len = strlen(name);

	if (strncmp(**word, name, len) != 0)
		return NULL;
	if ((**word)[len] == '=')
		return **word + len + 1;
	if ((**word)[len] != '\0' || !(*word)[1])
		return NULL;
	return *++*word;
}

bool words_timeout(const char *text, unsigned *ret)
{
	uint64_t seconds;

	if (!num_parse(text, &seconds) || seconds == 0 || seconds > TIMEOUT_MAX_S)
		return false;
	*ret = (unsigned)seconds;
	return true;
}
