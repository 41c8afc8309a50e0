/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "host/host.h"
#include "run/fail.h"
#include "util/fd.h"
#include "util/sys.h"

bool sealed_run(char **argv, GError **error)
{
	AUTO_FD int exe = -1;
	AUTO_FD int tree = -1;
	struct statvfs fs;
	struct host *host;
	int r = host_open("/", &host);

	if (r < 0)
		return run_fail(error, -r, "cannot open the host's proc and sys");
	exe = host_open_self_exe(host);
	host_free(host);
	if (exe < 0 || fstatvfs(exe, &fs) < 0)
		return run_fail(error, errno, "cannot open our own program");
	/* The mount that we made, or one where nobody writes anyway. */
	if (fs.f_flag & ST_RDONLY)
		return true;
	tree = sys_clone_tree_at(exe);
	r = tree < 0 ? tree : sys_mount_attr_set(tree, MOUNT_ATTR_RDONLY);
	if (r < 0)
		return run_fail(error, -r, "cannot copy the mount of our own program");
	execveat(tree, "", argv, environ, AT_EMPTY_PATH);
	return run_fail(error, errno, "cannot start our own program anew");
}
