/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The command line of run. */
#include "run/spec.h"

/*
 * @words, NULL-terminated: the flags, then the command. Checked whole; what it names on the host
 * (rootfs, devices) is there. Owned *@ret, or false with @error.
 */
bool options_parse(char **words, struct spec **ret, GError **error);

/* The flags, for --help. */
void options_print(void);
