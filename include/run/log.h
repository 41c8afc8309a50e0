/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a container has written, kept beside its other files in two parts of a fixed size: when the
 * newer one is full it takes the place of the older.
 */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct log {
	int dir; /* -1: nothing is kept */
	int fd;
	uint64_t size;
};
#define LOG_INIT                                                                                   \
	{                                                                                          \
		.dir = -1, .fd = -1                                                                \
	}

/* A container's own in its folder @data. Without one there is nothing to write to. */
void log_open(const char *data, struct log *ret);
void log_close(struct log *log);
#define AUTO_LOG __attribute__((cleanup(log_close)))

/* A disk that is full costs the log, not the container. */
void log_write(struct log *log, const char *text, size_t len);

/*
 * Copies it to standard output, the older part first. Goes on while @is_more(@arg), unless that is
 * NULL. False with @error when it cannot be read or written; none is as good as an empty one.
 */
bool log_print(const char *data, bool (*is_more)(const void *arg), const void *arg, GError **error);
