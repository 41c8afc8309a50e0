/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What is known here and there, put together for who asks. */
#include "daemon/config.h"
#include "daemon/crew.h"
#include "daemon/estate.h"
#include "daemon/repair.h"
#include "daemon/status.h"

/* @ret borrows from @config. */
void report_fill(const struct config *config, const struct shared *shared, const struct crew *crew,
		 const struct estate *estate, const struct repair *repair, struct status *ret);
