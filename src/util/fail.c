/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/fail.h"

#include <stdarg.h>

bool fail(GError **error, int err, const char *format, ...)
{
	va_list ap;
	g_autofree char *what = NULL;

	va_start(ap, format);
	what = g_strdup_vprintf(format, ap);
	va_end(ap);
	g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(err), "%s: %s", what,
		    g_strerror(err));
	return false;
}
