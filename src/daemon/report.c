/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/report.h"

#include <glib.h>
#include <string.h>

#include "daemon/handshake.h"
#include "daemon/watchdog.h"
#include "util/sat.h"
#include "util/sys.h"

static pid_t pid_of(const struct child *child)
{
	return child ? child->pid : 0;
}

static void fill_restarts(const struct keeper_record *record, uint64_t now_ms, struct status *ret)
{
	ret->n_recent = MIN(record->restarts, MIN(SHARED_N_REASONS, STATUS_N_RECENT));
	for (unsigned i = 0; i < ret->n_recent; i++) {
		unsigned slot = (record->restarts - 1 - i) % SHARED_N_REASONS;
		struct status_restart *r = &ret->recent[i];

		g_strlcpy(r->reason, record->reasons[slot].why, sizeof(r->reason));
		r->age_ms = sat_sub(now_ms, record->reasons[slot].at_ms);
	}
}

void report_fill(const struct config *config, const struct shared *shared, const struct crew *crew,
		 const struct estate *estate, const struct repair *repair, struct status *ret)
{
	const struct shared_header *h = shared->header;
	uint64_t now_ms = sys_boottime_ns() / 1000000;

	*ret = (struct status){
		.version = PROJECT_VERSION,
		.mountpoint = config->mountpoint,
		.keeper = h->record.keeper,
		.worker = pid_of(crew_serving(crew)),
		.standby = pid_of(crew_standby(crew)),
		.holder = estate->attending >= 0,
		.uptime_ms = sat_sub(now_ms, h->record.mounted_ms),
		.restarts = h->record.restarts,
		.upgrades = h->record.upgrades,
		.keepers = h->record.keepers,
		.resend = handshake_can_resend(h),
		.beneath = sys_has_mount_beneath(),
		.stored_fds = estate->stored,
		.repair = repair_state(repair, &h->record),
		.containers = h->containers,
		.requests = watchdog_requests(shared),
		.requests_per_second = crew_requests_per_second(crew),
	};
	fill_restarts(&h->record, now_ms, ret);
}
