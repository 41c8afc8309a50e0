/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What only main() gets to know. */
#include <stddef.h>

/* The memory of our command line and environment, which the kernel shows in procfs. */
char *main_words(size_t *ret_size);
