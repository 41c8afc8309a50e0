/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/cpus.h"
#include "view/views.h"

int cpu_online_generate(const struct request *req, struct text *out)
{
	struct cpuset visible;
	int r = cpus_visible(req, &visible);

	if (r < 0)
		return r;
	cpuset_format(&visible, out);
	text_str(out, "\n");
	return 0;
}

int cpu_is_online_generate(const struct request *req, struct text *out)
{
	struct cpuset visible;
	int r = cpus_visible(req, &visible);

	if (r < 0)
		return r;
	text_str(out, cpuset_has(&visible, req->number) ? "1\n" : "0\n");
	return 0;
}
