/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Numbers for the files of the host's tree that somebody looked up: (number of the directory, name)
 * to number and back; "directory" is another such number, or whatever the caller makes it. They are
 * in memory of the keeper, since the kernel remembers node ids longer than a process lives. Only
 * names that exist on the host are put in, so the host bounds them.
 */
#include <stddef.h>
#include <stdint.h>

struct names;

size_t names_size(void);

/* @memory of names_size() is borrowed: zeroed, or what an earlier one left. */
struct names *names_new(void *memory);
struct names *names_free(struct names *names);

/*
 * The number of @name in @parent; made when it is new. Returns it (> 0), or -ENOSPC. Thread-safe.
 */
int64_t names_intern(struct names *names, uint32_t parent, const char *name);

/* 0 with *@ret_parent and *@ret_name (valid as long as @names), or -ENOENT. */
int names_get(const struct names *names, uint32_t number, uint32_t *ret_parent,
	      const char **ret_name);
