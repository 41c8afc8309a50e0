/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/teardown.h"

#include "run/cgroups.h"
#include "run/net.h"
#include "run/rootfs.h"
#include "run/users.h"

static bool end_cgroups(const struct host *host, const char *name, GError **error)
{
	AUTO_CGROUPS struct cgroups *cgroups = NULL;
	g_autoptr(GError) failure = NULL;

	if (cgroups_open(host, name, &cgroups, &failure))
		return cgroups_kill(cgroups, error) && cgroups_remove(cgroups, error);
	if (g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOENT))
		return true;
	g_propagate_error(error, g_steal_pointer(&failure));
	return false;
}

bool teardown_resources(const struct host *host, const char *name, GError **error)
{
	bool ok = end_cgroups(host, name, error);

	ok = net_remove(LEASES_DIR, name, ok ? error : NULL) && ok;
	return users_drop(LEASES_DIR, name, ok ? error : NULL) && ok;
}

bool teardown_all(const struct host *host, const char *name, GError **error)
{
	/* The record goes last: whatever fails, the next rm finds the rest. */
	return teardown_resources(host, name, error) && rootfs_remove(name, error) &&
	       state_remove(name, error);
}
