/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The container's side of the launch: from the clone to its command. */
#include "host/host.h"
#include "run/mounts.h"
#include "run/net.h"
#include "run/security.h"
#include "run/spec.h"

struct inside {
	const struct host *host;
	const struct spec *spec;
	const char *data;
	const struct mounts *mounts;
	const GArray *lxcfs; /* struct part; NULL: none */
	const struct net *net;
	const struct security *security;
	int channel;
	int stdio[3];
};

/* In the new process, with all signals blocked. */
_Noreturn void inside_run(const struct inside *inside);
