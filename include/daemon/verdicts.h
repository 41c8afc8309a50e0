/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What was given up, because workers died of it: for a minute the same file is not made for the
 * same container again. Else each of its readers would end three workers more.
 */
#include <stdbool.h>

#include "daemon/handshake.h"
#include "daemon/shared.h"
#include "host/host.h"

#define VERDICT_S 60u

/*
 * Of the request @head, whose reader still waits. Not of one in the host's namespaces, who have
 * little to do with each other. To be called while nobody serves. Returns whether there is a
 * verdict now.
 */
bool verdicts_add(struct verdicts *verdicts, const struct host *host,
		  const struct request_head *head, uint64_t now_ms);

/*
 * Whether the request is to be answered with EIO. Thread-safe; costs next to nothing if there is
 * none.
 */
bool verdicts_has(struct verdicts *verdicts, const struct host *host,
		  const struct request_head *head);
