/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The container's terminal, and ours. */
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * A sentence when standard input is to be passed on to a terminal and is none: its end could not be
 * told to the other side, which would wait for ever.
 */
bool terminal_check(bool tty, bool interactive, GError **error);

/* In the container: a new pty of its own devpts. Both descriptors are the caller's. */
bool terminal_open(int *ret_master, int *ret_slave, GError **error);

/* The descriptor @fd, which may be -1, is the master of a pty. */
bool terminal_is_master(int fd);

/* The calling process begins a session with @slave as its terminal and standard descriptors. */
bool terminal_take(int slave, GError **error);

/* The window of the terminal at @from becomes that of @to. Nothing when it is none. */
void terminal_copy_size(int from, int to);

struct terminal_raw {
	bool raw;
	int pipe; /* its end tells the guard to restore the terminal */
	pid_t guard;
};

/*
 * Every key of the terminal on standard input is for the container from now on, until
 * terminal_restore(), or until we are gone: a child of ours sees to that. Nothing when standard
 * input is no terminal.
 */
void terminal_make_raw(struct terminal_raw *ret);
void terminal_restore(struct terminal_raw *raw);
