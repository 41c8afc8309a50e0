/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include <glib.h>
#include <stdbool.h>

/*
 * Sets @error to one sentence, what @format says and what the errno @err means, with that errno's
 * code of G_FILE_ERROR. Returns false, so that its caller can.
 */
bool fail(GError **error, int err, const char *format, ...) G_GNUC_PRINTF(3, 4);
