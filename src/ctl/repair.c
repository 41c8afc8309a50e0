/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "bind/bind.h"
#include "ctl/command.h"
#include "ctl/report.h"
#include "host/host.h"

typedef bool change_fn(const struct host *host, const char *mountpoint, bool dry_run, bind_fn *fn,
		       void *arg, struct bind_report *ret, GError **error);

static bool change(change_fn *fn, const struct ctl_args *args, struct bind_report *ret)
{
	g_autoptr(GError) error = NULL;
	struct host *host;
	int r = host_open("/", &host);
	bool ok;

	if (r < 0) {
		ctl_error("cannot open the host's proc and sys: %s", g_strerror(-r));
		return false;
	}
	ok = fn(host, args->mountpoint, args->dry_run, report_event, NULL, ret, &error);
	host_free(host);
	if (!ok)
		ctl_error("%s", error->message);
	return ok;
}

int ctl_repair(const struct ctl_args *args)
{
	struct bind_report report;

	if (!change(bind_repair, args, &report))
		return CTL_FAILED;
	return args->dry_run ? report_end(&report, "would put back", report.counts[BIND_FOUND])
			     : report_end(&report, "put back", bind_report_repaired(&report));
}

int ctl_detach(const struct ctl_args *args)
{
	struct bind_report report;

	if (!change(bind_detach, args, &report))
		return CTL_FAILED;
	return args->dry_run ? report_end(&report, "would detach", report.counts[BIND_FOUND])
			     : report_end(&report, "detached", report.counts[BIND_DETACHED]);
}
