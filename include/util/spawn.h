/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Asking another program. */
#include <stddef.h>
#include <sys/types.h>

/*
 * Run @argv (found in PATH, with the C locale; NULL-terminated) and read what it prints into @buf,
 * ended with a NUL. It is killed when it takes longer than @timeout_ms. SIGCHLD must not be
 * ignored. Returns the length, -ETIMEDOUT, -EFBIG, -EIO: it ended with another status than 0, or
 * -errno: it could not be started.
 */
ssize_t spawn_read(const char *const *argv, unsigned timeout_ms, char *buf, size_t size);
