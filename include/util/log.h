/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The log, on stderr: "<3>..." for journald when it listens, else "lxcfs-clone: error: ...". At
 * most a few lines a second get through, however often something fails: a container cannot fill the
 * log.
 */
#include <stdbool.h>

/* syslog(3)'s numbers. */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

/* Once, before threads: lines above @max are dropped. */
void log_init(enum log_level max);

/* One sentence without a newline. What comes from a container must have been escaped. */
void log_say(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_say(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_say(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_say(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_say(LOG_LEVEL_DEBUG, __VA_ARGS__)

/*
 * How many lines may be said at @now_ms, given *@tokens left at *@last_ms: pure, for the tests.
 * Returns whether one more may be said.
 */
bool log_admit(unsigned *tokens, unsigned long long *last_ms, unsigned long long now_ms);
