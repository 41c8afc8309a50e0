/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Our program is not to be written to through a container: /proc/PID/exe of whoever of us is in
 * there leads to it (CVE-2019-5736). So we run from a read-only mount of it that is mounted
 * nowhere.
 */
#include <glib.h>
#include <stdbool.h>

/* Starts the program anew from there, unless that is where we run from. False: it cannot. */
bool sealed_run(char **argv, GError **error);
