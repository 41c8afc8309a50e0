/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* sd_notify(3): a datagram to the socket that systemd names in the environment. */

/* @state is "READY=1" and the like. Nothing happens when nobody asked for it. */
void notify(const char *state);
