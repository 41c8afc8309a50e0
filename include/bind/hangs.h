/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Which containers held up those that worked in them, again and again. A container, whatever it has
 * made in it, is known by its outermost pid namespace; all that share the host's are one.
 */
#include <stdbool.h>
#include <sys/types.h>

struct host;
struct hangs;

struct hangs *hangs_new(const struct host *host); /* @host is borrowed */
struct hangs *hangs_free(struct hangs *hangs);    /* returns NULL */

/* Somebody was held up where the process @pid is. */
void hangs_add(struct hangs *hangs, pid_t pid);

/* Whether that was so several times in the container of @pid. Costs nothing while it never was. */
bool hangs_often(const struct hangs *hangs, pid_t pid);
