/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/log.h"

#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/sys.h"

/* A burst of 20 lines, then one each half second. */
#define BURST     20u
#define REFILL_MS 500u

#define LINE_SIZE 1024

static enum log_level max_level = LOG_LEVEL_INFO;
static bool for_journald;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static unsigned tokens = BURST;
static unsigned long long last_ms;
static unsigned long dropped;

void log_init(enum log_level max)
{
	max_level = max;
	for_journald = getenv("JOURNAL_STREAM") != NULL;
}

bool log_admit(unsigned *left, unsigned long long *last, unsigned long long now_ms)
{
	unsigned long long earned = (now_ms - *last) / REFILL_MS;

	if (earned > 0) {
		*left = earned + *left > BURST ? BURST : (unsigned)earned + *left;
		*last = now_ms;
	}
	if (*left == 0)
		return false;
	(*left)--;
	return true;
}

static const char *name_of(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error: ";
	case LOG_LEVEL_WARNING:
		return "warning: ";
	case LOG_LEVEL_DEBUG:
		return "debug: ";
	case LOG_LEVEL_INFO:
		break;
	}
	return "";
}

static void put(enum log_level level, const char *sentence)
{
	char line[LINE_SIZE + 64];
	int n = for_journald ? snprintf(line, sizeof(line), "<%d>%s\n", level, sentence)
			     : snprintf(line, sizeof(line), "lxcfs-clone: %s%s\n", name_of(level),
					sentence);

	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	/*
	 * Who reads our log may have stopped doing so: containers' reads are not to wait for that.
	 */
	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
		return;
	/* One write: lines of two processes don't mix. Nobody is left to tell when it fails. */
	if (n > 0 && write(STDERR_FILENO, line, strnlen(line, sizeof(line))) < 0)
		return;
}

void log_say(enum log_level level, const char *format, ...)
{
	char sentence[LINE_SIZE];
	unsigned long missed = 0;
	bool admit;
	va_list ap;

	if (level > max_level)
		return;
	pthread_mutex_lock(&lock);
	admit = log_admit(&tokens, &last_ms, sys_coarse_ms());
	if (admit) {
		missed = dropped;
		dropped = 0;
	} else {
		dropped++;
	}
	pthread_mutex_unlock(&lock);
	if (!admit)
		return;
	va_start(ap, format);
	(void)vsnprintf(sentence, sizeof(sentence), format, ap);
	va_end(ap);
	if (missed) {
		char note[64];

		(void)snprintf(note, sizeof(note), "%lu messages were left out", missed);
		put(LOG_LEVEL_WARNING, note);
	}
	put(level, sentence);
}
