/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The launch of a container, and its monitor. */
#include <glib.h>
#include <stdbool.h>

#include "host/host.h"
#include "run/spec.h"

/*
 * Makes and starts the container that @spec describes, stays until it ends, and tidies up behind
 * it. *@ret_status is then its exit status. @report is where to say that it has been started (-1:
 * nobody waits); see channel.h. False when it could not be started: nothing is left of it then.
 */
bool launch_run(const struct host *host, const struct spec *spec, int report, int *ret_status,
		GError **error);
