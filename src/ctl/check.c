/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An operator's first aid: is all well, and if not, what is to be done? */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bind/bind.h"
#include "bind/instance.h"
#include "bind/live.h"
#include "ctl/ask.h"
#include "ctl/checks.h"
#include "ctl/command.h"
#include "util/fd.h"
#include "util/num.h"
#include "util/octal.h"
#include "util/sys.h"

#define START   "systemctl start lxcfs-clone"
#define RESTART "systemctl restart lxcfs-clone"
#define LOG     "journalctl -u lxcfs-clone"
#define AGAIN   "lxcfs-clonectl check"

/* A repair of a few containers is over by then. */
#define LOCK_MS 5000u

/* A worker that died longer ago is history. */
#define RECENT_MS 3600000u

#define CGROUP_TEXT_SIZE (1 << 16)
#define STALE_SHOWN      8u

/* "restart AGE_MS REASON" a line: the youngest. */
static const char *last_restart(GStrv lines, uint64_t *ret_age)
{
	const char *reason = NULL;
	uint64_t age;

	*ret_age = UINT64_MAX;
	for (char **l = lines; *l; l++) {
		const char *p = *l;

		if (!g_str_has_prefix(p, "restart "))
			continue;
		p += strlen("restart ");
		if (num_take(&p, &age) && *p == ' ' && age <= *ret_age) {
			*ret_age = age;
			reason = p + 1;
		}
	}
	return reason;
}

static void look_at_workers(GStrv lines, struct findings *f)
{
	const char *standby = ask_value(lines, "standby_pid");
	uint64_t age;
	const char *restart = last_restart(lines, &age);

	if (standby && strcmp(standby, "0") == 0)
		findings_add(f, FINDING_WARN, "daemon", LOG,
			     "no worker stands by to take over, as for a moment after a death");
	if (restart && age < RECENT_MS) {
		g_autofree char *reason = octal_unescape(g_strdup(restart));

		findings_add(f, FINDING_WARN, "daemon", LOG, "a worker was replaced %u s ago: %s",
			     (unsigned)(age / 1000), reason);
	}
}

static void look_at_repair(GStrv lines, struct findings *f)
{
	const char *repair = ask_value(lines, "repair");

	if (repair && (strcmp(repair, "failed") == 0 || strcmp(repair, "waiting") == 0))
		findings_add(f, FINDING_WARN, "repair", "lxcfs-clonectl repair",
			     "the daemon could not put all files back into containers (%s)",
			     repair);
}

static void look_at_answer(GStrv lines, struct findings *f)
{
	const char *version = ask_value(lines, "version");

	if (!version) {
		findings_add(f, FINDING_FAIL, "daemon", RESTART, "it answers something else: %s",
			     lines[0]);
		return;
	}
	if (strcmp(version, PROJECT_VERSION) == 0)
		findings_add(f, FINDING_OK, "daemon", NULL, "lxcfs-clone %s serves", version);
	else
		findings_add(f, FINDING_WARN, "daemon", "systemctl reload lxcfs-clone",
			     "lxcfs-clone %s serves, and this is %s", version, PROJECT_VERSION);
	look_at_workers(lines, f);
	look_at_repair(lines, f);
}

static void look_at_mount(struct check *c, struct findings *f)
{
	AUTO_FD int dir = open(c->mountpoint, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = dir < 0 ? -errno : live_ask(dir);
	g_autofree char *held = r == -ETIMEDOUT ? live_held(c->mountpoint) : NULL;
	g_autofree char *silent = g_strdup_printf("%s does not answer", c->mountpoint);

	c->serves = r == 0;
	c->silent = r == -ETIMEDOUT;
	if (r == 0)
		findings_add(f, FINDING_OK, "mount", NULL, "%s answers", c->mountpoint);
	else if (r == -ENOTCONN)
		findings_add(f, FINDING_FAIL, "mount", RESTART, "a dead one is left at %s",
			     c->mountpoint);
	else if (r == -ETIMEDOUT)
		findings_add(f, FINDING_FAIL, "mount", held ? START : RESTART, "%s",
			     held ? held : silent);
	else
		findings_add(f, FINDING_FAIL, "mount", START, "nothing of ours is at %s (%s)",
			     c->mountpoint, g_strerror(-r));
}

void check_daemon(struct check *c, struct findings *f)
{
	g_auto(GStrv) lines = NULL;
	int r = ask_daemon(c->mountpoint, &lines);

	if (r == 0) {
		c->resends = g_strcmp0(ask_value(lines, "resend"), "yes") == 0;
		look_at_answer(lines, f);
	} else if (r == -ETIMEDOUT) {
		g_autofree char *sentence = live_silence(c->mountpoint);

		findings_add(f, FINDING_FAIL, "daemon", RESTART, "%s", sentence);
	} else if (r == -ENOENT || r == -ECONNREFUSED) {
		findings_add(f, FINDING_FAIL, "daemon", START, "no lxcfs-clone serves %s",
			     c->mountpoint);
	} else {
		findings_add(f, FINDING_FAIL, "daemon", RESTART, "it cannot be asked: %s",
			     g_strerror(-r));
	}
	look_at_mount(c, f);
}

/* The first few of what was found, by process. */
struct stale {
	GString *text;
	unsigned n;
	pid_t pid;
};

static void list_stale(const struct bind_event *event, void *arg)
{
	struct stale *list = arg;
	g_autofree char *path = octal_escaped(event->path);

	if (event->outcome != BIND_FOUND || list->n++ > STALE_SHOWN)
		return;
	if (list->n > STALE_SHOWN)
		g_string_append(list->text, ", …");
	else if (event->pid == list->pid)
		g_string_append_printf(list->text, ", %s", path);
	else
		g_string_append_printf(list->text, "%sprocess %d has %s", list->pid ? "; " : "",
				       event->pid, path);
	list->pid = event->pid;
}

/* Whoever changes containers' mounts has the lock, for a minute or two where there are many. */
static bool is_being_repaired(const char *mountpoint)
{
	g_autofree char *path = instance_path(mountpoint, "id");
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint64_t deadline = sys_coarse_ms() + LOCK_MS;

	while (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return false;
		if (sys_coarse_ms() > deadline)
			return true;
		g_usleep(10000);
	}
	return false;
}

static void look_for_stale(const struct check *c, struct findings *f)
{
	g_autoptr(GString) text = g_string_new(NULL);
	struct stale list = { .text = text };
	struct bind_report report = { 0 };
	g_autoptr(GError) error = NULL;
	bool ok = c->serves ? bind_repair(c->host, c->mountpoint, true, list_stale, &list, &report,
					  &error)
			    : bind_detach(c->host, c->mountpoint, true, list_stale, &list, &report,
					  &error);

	if (g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN))
		findings_add(f, FINDING_WARN, "containers", AGAIN, "not looked at: %s",
			     error->message);
	/* What else cannot be told of was told as the daemon's. */
	if (!ok)
		return;
	if (report.counts[BIND_FOUND] > 0)
		findings_add(f, FINDING_FAIL, "containers",
			     c->serves ? "lxcfs-clonectl repair" : START,
			     "%u dead file%s in %u container%s: %s", report.counts[BIND_FOUND],
			     report.counts[BIND_FOUND] == 1 ? "" : "s", report.containers,
			     report.containers == 1 ? "" : "s", text->str);
	else
		findings_add(f, FINDING_OK, "containers", NULL, "no dead file in any");
	if (report.incomplete || report.counts[BIND_TIMEOUT] > 0)
		findings_add(f, FINDING_WARN, "containers", AGAIN,
			     "not all could be looked at in time");
}

void check_stale(const struct check *c, struct findings *f)
{
	if (c->silent)
		return;
	if (is_being_repaired(c->mountpoint))
		findings_add(f, FINDING_WARN, "containers", AGAIN,
			     "not looked at: a repair is at work");
	else
		look_for_stale(c, f);
}

static void look_at_controllers(const struct cg_layout *l, struct findings *f)
{
	g_autoptr(GString) there = g_string_new(NULL);
	const enum cg_controller wanted[] = { CG_MEMORY, CG_CPU, CG_CPUACCT, CG_CPUSET, CG_IO };

	for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
		int hierarchy = l->controllers[wanted[i]];

		/* Of v1 alone: v2's cpu counts time, too. */
		if (wanted[i] == CG_CPUACCT && l->controllers[CG_CPU] >= 0 &&
		    l->hierarchies[l->controllers[CG_CPU]].version == CG_V2)
			continue;
		if (hierarchy < 0)
			findings_add(f, wanted[i] == CG_MEMORY ? FINDING_FAIL : FINDING_WARN,
				     "cgroups", "the kernel's command line may turn it off",
				     "this host has no controller %s: its values are the host's",
				     cg_controller_name(l, wanted[i]));
		else
			g_string_append_printf(there, "%s%s (v%d)", there->len ? ", " : "",
					       cg_controller_name(l, wanted[i]),
					       l->hierarchies[hierarchy].version == CG_V2 ? 2 : 1);
	}
	findings_add(f, FINDING_OK, "cgroups", NULL, "%s", there->len ? there->str : "none");
}

static bool has_entry(const struct check *c, const char *entry)
{
	return faccessat(host_proc_dir(c->host), entry, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What is made use of where it is. */
static void look_at_features(const struct check *c, struct findings *f)
{
	const struct {
		bool there;
		const char *what;
	} features[] = {
		{ sys_has_mount_beneath(), "dead files are replaced without a trace (6.5)" },
		/* The daemon alone can tell. */
		{ c->resends > 0,
		  c->resends < 0 ? NULL : "requests in hand are asked for again (6.9)" },
		{ has_entry(c, "self/ns/cgroup"), "cgroup namespaces" },
		{ has_entry(c, "self/ns/time"), "time namespaces" },
		{ has_entry(c, "pressure/memory"), "pressure" },
	};
	g_autoptr(GString) found = g_string_new(NULL);
	g_autoptr(GString) missing = g_string_new(NULL);
	struct utsname name;

	for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
		GString *list = features[i].there ? found : missing;

		if (!features[i].what)
			continue;
		g_string_append_printf(list, "%s%s", list->len ? ", " : "", features[i].what);
	}
	(void)uname(&name);
	findings_add(f, FINDING_OK, "kernel", NULL, "Linux %s has: %s%s%s", name.release,
		     found->len ? found->str : "nothing of use", missing->len ? "; not: " : "",
		     missing->str);
}

void check_kernel(const struct check *c, struct findings *f)
{
	look_at_controllers(c->layout, f);
	if (host_is_nested(c->host))
		findings_add(f, FINDING_FAIL, "namespace", "nsenter --target 1 --pid --mount …",
			     "this is not the host's PID namespace, which the daemon must be in");
	if (access("/dev/fuse", F_OK) < 0)
		findings_add(f, FINDING_FAIL, "kernel", "modprobe fuse", "there is no /dev/fuse");
	look_at_features(c, f);
}

static int open_layout(const struct host *host, struct cg_layout **ret)
{
	g_autofree char *mountinfo = g_malloc(MOUNTINFO_SIZE);
	g_autofree char *cgroup = g_malloc(CGROUP_TEXT_SIZE);
	AUTO_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ssize_t n = host_read_self(host, "mountinfo", mountinfo, MOUNTINFO_SIZE);

	if (n >= 0)
		n = host_read_self(host, "cgroup", cgroup, CGROUP_TEXT_SIZE);
	return n < 0 ? (int)n : cg_layout_detect(mountinfo, cgroup, root, true, ret);
}

static int look(const struct ctl_args *args, const struct host *host, struct cg_layout *layout)
{
	struct check c = { .host = host,
			   .layout = layout,
			   .mountpoint = args->mountpoint,
			   .root = args->root,
			   .resends = -1 };
	struct findings f;
	int status;

	findings_init(&f);
	check_daemon(&c, &f);
	check_probe(&c, &f);
	check_stale(&c, &f);
	check_engines(&c, &f);
	check_kernel(&c, &f);
	findings_print(&f, c.mountpoint, args->json);
	status = f.counts[FINDING_FAIL] ? CTL_FAILED : CTL_OK;
	findings_clear(&f);
	return status;
}

int ctl_check(const struct ctl_args *args)
{
	struct cg_layout *layout = NULL;
	struct host *host;
	int r = host_open("/", &host), status;

	if (r < 0)
		return ctl_error("cannot open the host's proc and sys: %s", g_strerror(-r));
	r = open_layout(host, &layout);
	status = r < 0 ? ctl_error("cannot find the host's cgroups: %s", g_strerror(-r))
		       : look(args, host, layout);
	if (r == 0)
		cg_layout_free(layout);
	host_free(host);
	return status;
}
