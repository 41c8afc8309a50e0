/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * /proc/cpuinfo of every architecture: the host's, without the cpus that a container doesn't see.
 */
#include "util/cpuset.h"
#include "util/text.h"

/*
 * Append @host_text to @out with
 * - the paragraphs that begin with "processor : N" (s390x: "cpu number : N") for visible N alone,
 * - s390x's "processor N:" lines for visible N alone, and "# processors" their number,
 * - "siblings" and "cpu cores" at most that number,
 * - every other paragraph and line as it is.
 */
void cpuinfo_render(const char *host_text, const struct cpuset *visible, struct text *out);
