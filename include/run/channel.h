/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What launcher and container tell each other before the command runs, over a socket that closes
 * with exec: "G" (go: you are in your cgroups), "C" (exec's child is there, with its pidfd), "R"
 * (ready, with the terminal if there is one), "S" (start), and a sentence when something fails.
 */
#include <glib.h>
#include <stdbool.h>

enum channel_word {
	CHANNEL_GO = 'G',
	CHANNEL_CHILD = 'C',
	CHANNEL_READY = 'R',
	CHANNEL_START = 'S'
};

/* Two ends. */
bool channel_make(int ret[2], GError **error);

/* @fd travels along unless it is -1. */
bool channel_say(int channel, enum channel_word word, int fd, GError **error);

/* Tells the other end what went wrong. */
void channel_fail(int channel, const GError *error);

/*
 * Waits for @word; *@ret_fd, unless NULL, is the descriptor that came along or -1. What the other
 * end says of its failure is the @error.
 */
bool channel_expect(int channel, enum channel_word word, int *ret_fd, GError **error);

/* Waits for the other end to close, which is what exec does. */
bool channel_expect_end(int channel, GError **error);
