/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Asking the daemon how it does. */
#include <glib.h>

/*
 * The answer of the daemon at @mountpoint, as owned lines "KEY VALUE". 0, -ENOENT or -ECONNREFUSED:
 * there is none, -ETIMEDOUT: it does not answer within seconds, or -errno.
 */
int ask_daemon(const char *mountpoint, GStrv *ret_lines);

/* The value behind "@key " in such lines, borrowed; NULL: there is no such line. */
const char *ask_value(GStrv lines, const char *key);
