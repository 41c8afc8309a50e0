/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Sentences for what went wrong, and the exit statuses that go with them. */
#include <glib.h>
#include <stdbool.h>

/* Exit statuses, docker's: also the code of a GError of RUN_ERROR. */
enum run_status {
	RUN_FAILED = 125,
	RUN_NOT_EXECUTABLE = 126,
	RUN_NOT_FOUND = 127,
	RUN_SIGNAL = 128, /* added to the number */
};

#define RUN_ERROR (run_error_quark())
GQuark run_error_quark(void);

/*
 * Sets *@error to the sentence; @err, an errno, is spelled out behind it unless it is 0. Returns
 * false.
 */
bool run_fail(GError **error, int err, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The same with an exit status of its own. */
bool run_fail_status(GError **error, enum run_status status, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

/* The exit status of a process that waitpid(2) says @wait_status of. */
int run_exit_status(int wait_status);

/* Says "lxcfs-clone-run: SENTENCE" on standard error. Returns RUN_FAILED. */
int run_say(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Says @error's sentence, frees it and returns its exit status. */
int run_say_error(GError *error);
