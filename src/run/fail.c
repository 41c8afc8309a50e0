/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

GQuark run_error_quark(void)
{
	return g_quark_from_static_string("lxcfs-clone-run");
}

bool run_fail(GError **error, int err, const char *format, ...)
{
	g_autofree char *what = NULL;
	va_list ap;

	va_start(ap, format);
	what = g_strdup_vprintf(format, ap);
	va_end(ap);
	if (err)
		g_set_error(error, RUN_ERROR, RUN_FAILED, "%s: %s", what, g_strerror(err));
	else
		g_set_error_literal(error, RUN_ERROR, RUN_FAILED, what);
	return false;
}

bool run_fail_status(GError **error, enum run_status status, const char *format, ...)
{
	g_autofree char *what = NULL;
	va_list ap;

	va_start(ap, format);
	what = g_strdup_vprintf(format, ap);
	va_end(ap);
	g_set_error_literal(error, RUN_ERROR, (int)status, what);
	return false;
}

int run_exit_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? RUN_SIGNAL + WTERMSIG(wait_status)
					: WEXITSTATUS(wait_status);
}

/* Names may be anything, and a container may have made them: a terminal is to obey none. */
static char *printable(const char *sentence)
{
	g_autofree char *valid = g_utf8_make_valid(sentence, -1);
	GString *out = g_string_new(NULL);

	for (char *p = valid; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);

		if (g_unichar_iscntrl(c))
			g_string_append_printf(out, "\\%03o", c);
		else
			g_string_append_unichar(out, c);
	}
	return g_string_free(out, FALSE);
}

int run_say(const char *format, ...)
{
	g_autofree char *sentence = NULL, *clean = NULL;
	va_list ap;

	va_start(ap, format);
	sentence = g_strdup_vprintf(format, ap);
	va_end(ap);
	clean = printable(sentence);
	(void)fflush(stdout);
	(void)fprintf(stderr, "lxcfs-clone-run: %s\n", clean);
	return RUN_FAILED;
}

int run_say_error(GError *error)
{
	int status = error->domain == RUN_ERROR ? error->code : RUN_FAILED;

	run_say("%s", error->message);
	g_error_free(error);
	return status;
}
