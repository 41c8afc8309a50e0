/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The command line of a runtime (runc, crun and those like them): whether it makes a container. */
#include <stdbool.h>

struct words {
	bool makes;         /* "create" or "run" */
	bool doubtful;      /* it may make one, but of which bundle, if so, is not understood */
	const char *bundle; /* borrowed from the words; "." when not given */
	const char *config; /* the file's name below it */
};

/*
 * Of @words, NULL-terminated, without the program's name: as Go's flags and as getopt_long(3) have
 * them. What one of both refuses is as the other one has it; what means one thing to one and
 * another to the other is doubtful, as is what neither takes.
 */
struct words words_read(char *const *words);

/*
 * If *@word is the option @name ("--files") with its value behind '=' or as the next word: the
 * value, and
 * *@word moves to where that is; else NULL.
 */
char *words_value(const char *name, char *const **word);

/* What is wrong where words_timeout() is false. */
#define WORDS_TIMEOUT "--timeout takes seconds, 1 to 300, not"

/* The seconds of a --timeout, 1 to 300. False where @text is something else. */
bool words_timeout(const char *text, unsigned *ret);
