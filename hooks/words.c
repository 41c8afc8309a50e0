/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks/words.h"

#include <glib.h>
#include <string.h>

#include "util/num.h"

#define TIMEOUT_MAX_S 300u

/* Runtimes read their words in one of two manners. */
enum manner {
	GO, /* runc, runsc: one dash or two, options behind other words, too */
	GETOPT, /* crun, youki: names cut short, letters in one word; what follows the first other word counts */
	N_MANNERS,
};

enum effect { NOTHING, BUNDLE, CONFIG, NO_WORK };

struct flag {
	const char *name;
	char letter; /* '\0': none */
	bool valued; /* behind '=', or the next word */
	enum effect effect;
};

/* Of runc, crun, youki and runsc: those before the command … */
static const struct flag before[] = {
	{ "root", 'r', true, NOTHING },         { "log", 'l', true, NOTHING },
	{ "log-format", 0, true, NOTHING },     { "log-level", 0, true, NOTHING },
	{ "criu", 0, true, NOTHING },           { "rootless", 0, true, NOTHING },
	{ "cgroup-manager", 0, true, NOTHING }, { "debug-log", 0, true, NOTHING },
	{ "platform", 0, true, NOTHING },       { "network", 0, true, NOTHING },
	{ "debug", 0, false, NOTHING },         { "systemd-cgroup", 's', false, NOTHING },
	{ "help", 'h', false, NO_WORK },        { "help", '?', false, NO_WORK },
	{ "usage", 0, false, NO_WORK },         { "version", 'v', false, NO_WORK },
	{ "version", 'V', false, NO_WORK },     { 0 },
};

/* … and behind "create" and "run". */
static const struct flag behind[] = {
	{ "bundle", 'b', true, BUNDLE },
	{ "config", 'f', true, CONFIG },
	{ "console-socket", 0, true, NOTHING },
	{ "pidfd-socket", 0, true, NOTHING },
	{ "pid-file", 'p', true, NOTHING },
	{ "preserve-fds", 0, true, NOTHING },
	{ "user-log", 0, true, NOTHING },
	{ "detach", 'd', false, NOTHING },
	{ "keep", 0, false, NOTHING },
	{ "no-pivot", 0, false, NOTHING },
	{ "no-subreaper", 0, false, NOTHING },
	{ "no-new-keyring", 0, false, NOTHING },
	{ "help", 'h', false, NO_WORK },
	{ "help", '?', false, NO_WORK },
	{ "usage", 0, false, NO_WORK },
	{ "version", 'V', false, NO_WORK },
	{ 0 },
};

/* Of one manner. */
struct reader {
	enum manner manner;
	const struct flag *flags;
	char *const *word;
	struct words found;
	bool no_work; /* help alone is asked for */
};

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

static const struct flag *find_letter(const struct reader *r, char letter)
{
	for (const struct flag *f = r->flags; f->name; f++)
		if (f->letter == letter)
			return f;
	return NULL;
}

/* NULL: none is called so, or several might be meant. */
static const struct flag *find_name(const struct reader *r, const char *name, size_t len)
{
	const struct flag *found = NULL;
	unsigned n = 0;

	for (const struct flag *f = r->flags; f->name; f++) {
		if (strncmp(f->name, name, len) != 0)
			continue;
		if (f->name[len] == '\0')
			return f;
		n += !found || strcmp(found->name, f->name) != 0;
		found = f;
	}
	return r->manner == GETOPT && n == 1 ? found : NULL;
}

/* @value: what is in the same word; NULL: nothing. */
static bool take_flag(struct reader *r, const struct flag *f, const char *value)
{
	if (f->valued && !value) {
		value = r->word[1];
		if (!value)
			return false;
		r->word++;
	}
	/* Go's flags may be said to be false. */
	if (!f->valued && value && (r->manner != GO || f->effect != NOTHING))
		return false;
	if (f->effect == BUNDLE)
		r->found.bundle = value;
	else if (f->effect == CONFIG)
		r->found.config = value;
	r->no_work |= f->effect == NO_WORK;
	return true;
}

/* "bundle", "bundle=DIR"; of Go's also "b=DIR". */
static bool take_name(struct reader *r, const char *name)
{
	size_t len = strcspn(name, "=");
	const struct flag *f;

	if (len == 0 || *name == '-')
		return false;
	f = r->manner == GO && len == 1 ? find_letter(r, *name) : find_name(r, name, len);
	return f && take_flag(r, f, name[len] ? name + len + 1 : NULL);
}

/* "dbDIR" */
static bool take_letters(struct reader *r, const char *letters)
{
	for (; *letters; letters++) {
		const struct flag *f = find_letter(r, *letters);

		if (!f)
			return false;
		if (f->valued)
			return take_flag(r, f, letters[1] ? letters + 1 : NULL);
		if (!take_flag(r, f, NULL))
			return false;
	}
	return true;
}

/* The option at r->word, which moves to the last word that belongs to it. */
static bool take_option(struct reader *r)
{
	const char *word = *r->word;

	if (word[1] == '-')
		return take_name(r, word + 2);
	return r->manner == GO ? take_name(r, word + 1) : take_letters(r, word + 1);
}

static bool is_making(const char *word)
{
	return strcmp(word, "create") == 0 || strcmp(word, "run") == 0;
}

/* What is not understood does not matter where nothing behind it could make a container. */
static bool makes_none(char *const *words)
{
	for (; *words; words++)
		if (is_making(*words))
			return false;
	return true;
}

/* Moves r->word to the command. False: which one that is cannot be said. */
static bool read_to_command(struct reader *r)
{
	r->flags = before;
	for (; *r->word && is_option(*r->word); r->word++) {
		if (strcmp(*r->word, "--") == 0) {
			r->word++;
			break;
		}
		/* An option of tomorrow that has its value with it is passed over. */
		if (!take_option(r) && !strchr(*r->word, '='))
			return makes_none(r->word);
	}
	return true;
}

static bool read_behind(struct reader *r)
{
	unsigned others = 0;

	r->flags = behind;
	for (; *r->word; r->word++) {
		if (strcmp(*r->word, "--") == 0) {
			while (*++r->word)
				others++;
			break;
		}
		if (!is_option(*r->word))
			others++;
		else if ((r->manner == GETOPT && others > 0) || !take_option(r))
			return false;
	}
	/* The container's name alone; of help, none. */
	return others <= 1;
}

/*
 * False: such words are not understood, neither by us nor, it is to be hoped, by a runtime of that
 * manner.
 */
static bool read_as(enum manner manner, char *const *words, struct words *ret)
{
	struct reader r = {
		.manner = manner,
		.word = words,
		.found = { .bundle = ".", .config = "config.json" },
	};

	if (!read_to_command(&r))
		return false;
	if (!r.no_work && *r.word && is_making(*r.word)) {
		r.word++;
		if (!read_behind(&r))
			return false;
		r.found.makes = !r.no_work;
	}
	*ret = r.found;
	return true;
}

static bool are_alike(const struct words *a, const struct words *b)
{
	return a->makes == b->makes && strcmp(a->bundle, b->bundle) == 0 &&
	       strcmp(a->config, b->config) == 0;
}

struct words words_read(char *const *words)
{
	struct words found[N_MANNERS];
	unsigned n = 0;

	for (enum manner manner = 0; manner < N_MANNERS; manner++)
		n += read_as(manner, words, &found[n]);
	if (n == 0 || (n == 2 && !are_alike(&found[0], &found[1])))
		return (struct words){ .doubtful = true, .bundle = ".", .config = "config.json" };
	return found[0];
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
