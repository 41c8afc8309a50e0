/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What an envoy does in a container's namespace. */
#include <stdbool.h>

#include "bind/envoys.h"
#include "bind/live.h"

struct visit {
	const struct host *host;
	const struct live *live;
	enum { VISIT_REPAIR, VISIT_DETACH } what;
	bool dry_run;
	int home, home_root; /* an envoy's own: where it comes back to */
};

/* For struct envoys_task; @visit is a struct visit. The envoy that cannot come back home ends. */
void visit_begin(int sock, void *visit);
enum envoy_result visit_place(const struct envoys_voice *voice, const struct envoy_job *job,
			      void *visit);
