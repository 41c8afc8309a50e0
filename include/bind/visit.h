/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What a worker of the envoys does in a container's namespace, after it went there for good. */
#include <stdbool.h>

#include "bind/envoys.h"
#include "bind/live.h"
#include "bind/scan.h"

struct visit {
	const struct host *host;
	const struct live *live;
	const struct view_of *view;
	bool dry_run;
};

/* Whether there is something to put back, or to take away. */
bool visit_wants_repair(const struct visit *visit);
bool visit_wants_detach(const struct visit *visit);

/* A envoys_work each; @visit is a struct visit. Tells of each mount. */
void visit_repair(const struct envoys_voice *voice, const void *visit);
void visit_detach(const struct envoys_voice *voice, const void *visit);
