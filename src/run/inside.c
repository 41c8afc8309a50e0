/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bind/parts.h"
#include "run/channel.h"
#include "run/fail.h"
#include "run/init.h"
#include "run/process.h"
#include "run/root.h"
#include "util/fd.h"

/* Whatever happens, it does not outlive its monitor. */
static bool die_with_parent(GError **error)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 ||
	       run_fail(error, errno, "cannot ask for a signal");
}

static bool become_root(const struct spec *spec, GError **error)
{
	if (!spec->userns)
		return true;
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return run_fail(error, errno, "cannot become root of the user namespace");
	return die_with_parent(error);
}

/* Not by clone3: its root would be where the launcher is, not where it has put us. */
static bool part_cgroups(const struct spec *spec, GError **error)
{
	return spec->shared.cgroup || unshare(CLONE_NEWCGROUP) == 0 ||
	       run_fail(error, errno, "cannot make a cgroup namespace");
}

static bool set_hostname(const struct spec *spec, GError **error)
{
	return spec->shared.uts || sethostname(spec->hostname, strlen(spec->hostname)) == 0 ||
	       run_fail(error, errno, "cannot set the host name");
}

static bool bind_lxcfs(const struct inside *in, GError **error)
{
	AUTO_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *path = "";
	int r = in->lxcfs ? parts_bind(in->lxcfs, root, &path) : 0;

	return r == 0 || run_fail(error, -r, "cannot bind lxcfs-clone's /%s", path);
}

static bool enter_root(const struct inside *in, GError **error)
{
	g_autofree char *merged = g_build_filename(in->data, "merged", NULL);
	AUTO_ROOT_OLD struct root_old old = ROOT_OLD_INIT;
	bool ok;

	umask(0);
	ok = root_enter(in->host, merged, &old, error) &&
	     mounts_make(in->spec, in->mounts, error) && root_leave_old(&old, error) &&
	     mounts_add(in->spec, in->mounts, error) && bind_lxcfs(in, error) &&
	     mounts_seal(in->spec, error);
	umask(022);
	return ok;
}

static bool run(const struct inside *in, GError **error)
{
	const struct spec *spec = in->spec;
	const struct process process = {
		.command = spec->command,
		.env = spec->env,
		.ulimits = spec->ulimits,
		.workdir = spec->workdir,
		.user = spec->user,
		.hostname = spec->hostname,
		.tty = spec->tty,
		.console = true,
		.init = spec->init,
		.security = in->security,
		.channel = in->channel,
		.stdio = { in->stdio[0], in->stdio[1], in->stdio[2] },
	};

	return die_with_parent(error) && channel_expect(in->channel, CHANNEL_GO, NULL, error) &&
	       become_root(spec, error) && part_cgroups(spec, error) && set_hostname(spec, error) &&
	       net_up(in->net, error) && enter_root(in, error) &&
	       process_raise_limits(spec->ulimits, error) && process_run(&process, error);
}

_Noreturn void inside_run(const struct inside *inside)
{
	GError *error = NULL;

	init_hide();
	if (!run(inside, &error))
		channel_fail(inside->channel, error);
	_exit(RUN_FAILED);
}
