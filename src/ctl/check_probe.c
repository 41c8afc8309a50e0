/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup/group.h"
#include "ctl/checks.h"
#include "host/meminfo.h"
#include "install/ways.h"
#include "util/fd.h"
#include "util/num.h"

#define ABOVE     "lxcfs-clone-check"
#define LIMIT     ((uint64_t)64 << 20)
#define WAIT_MS   5000
#define REMOVE_MS 2000u

#define TEXT_SIZE ((size_t)1 << 16)

/* What the process in the cgroup has to tell. */
struct answer {
	int error; /* an errno, or 0 */
	char file[64];
	uint64_t mem_total;
};

/* A file may be longer than what is looked at here, or empty: no disk was used yet. */
static int read_file(int mount, const char *file, char *text)
{
	ssize_t n = fd_read_at(mount, file, text, TEXT_SIZE);

	return n == -EFBIG || n >= 0 ? 0 : (int)n;
}

static void read_files(int mount, const char *const *files, char *text, struct answer *ret)
{
	struct host_meminfo info = { 0 };

	for (; *files && ret->error == 0; files++) {
		g_strlcpy(ret->file, *files, sizeof(ret->file));
		ret->error = -read_file(mount, *files, text);
	}
	if (ret->error)
		return;
	g_strlcpy(ret->file, "proc/meminfo", sizeof(ret->file));
	ret->error = -read_file(mount, ret->file, text);
	if (ret->error == 0)
		ret->error = -host_meminfo_parse(text, &info);
	ret->mem_total = info.mem_total;
}

static void probe(const struct cg_group *group, int mount, const char *const *files, int out)
{
	struct answer answer = { 0 };
	char *text = g_malloc(TEXT_SIZE);
	size_t hierarchy;

	g_strlcpy(answer.file, "its cgroup", sizeof(answer.file));
	answer.error = -cg_group_enter(group, 0, &hierarchy);
	if (answer.error == 0)
		read_files(mount, files, text, &answer);
	_exit(write(out, &answer, sizeof(answer)) == sizeof(answer) ? 0 : 1);
}

/* What of a tree is read: of a folder the file that tells its CPUs or nodes. */
static GPtrArray *files_of_tree(void)
{
	g_autoptr(GPtrArray) all = way_files();
	GPtrArray *files = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < all->len; i++) {
		const char *path = all->pdata[i];

		g_ptr_array_add(files, g_str_has_prefix(path, "proc/")
					       ? g_strdup(path)
					       : g_build_filename(path, "online", NULL));
	}
	g_ptr_array_add(files, NULL);
	return files;
}

/* Has a process in @group read, and waits for what it tells. 0 or -errno. */
static int ask(const struct cg_group *group, int mount, struct answer *ret)
{
	g_autoptr(GPtrArray) files = files_of_tree();
	struct pollfd p = { .events = POLLIN };
	AUTO_FD int in = -1;
	AUTO_FD int out = -1;
	int fds[2], status, r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	in = p.fd = fds[0];
	out = fds[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		probe(group, mount, (const char *const *)files->pdata, out);
	fd_close(&out);
	r = poll(&p, 1, WAIT_MS);
	if (r > 0)
		r = read(in, ret, sizeof(*ret)) == sizeof(*ret) ? 0 : -EIO;
	else
		r = r < 0 ? -errno : -ETIMEDOUT;
	/* A read of a FUSE file ends with its reader; one that cannot die is not waited for. */
	(void)kill(pid, SIGKILL);
	for (int i = 0; i < 200 && waitpid(pid, &status, WNOHANG) == 0; i++)
		g_usleep(10000);
	return r;
}

static void judge(const struct answer *a, int r, struct findings *f)
{
	static const char remedy[] = "lxcfs-clonectl status; journalctl -u lxcfs-clone";

	if (r < 0)
		findings_add(f, FINDING_FAIL, "probe", remedy,
			     "a process in a cgroup of its own has not read all files: %s",
			     g_strerror(-r));
	else if (a->error)
		findings_add(f, FINDING_FAIL, "probe", remedy,
			     "a process in a cgroup of its own cannot read %s: %s", a->file,
			     g_strerror(a->error));
	else if (a->mem_total != LIMIT)
		findings_add(f, FINDING_FAIL, "probe", remedy,
			     "a process with a limit of %u kB reads MemTotal %llu kB",
			     (unsigned)(LIMIT >> 10), (unsigned long long)a->mem_total >> 10);
	else
		findings_add(f, FINDING_OK, "probe", NULL,
			     "a process with a limit of 64 MiB reads all files, and MemTotal %u kB",
			     (unsigned)(LIMIT >> 10));
}

static int set_limits(const struct cg_group *group)
{
	struct cg_limits limits = CG_LIMITS_INIT;
	g_autoptr(GArray) settings = NULL;

	limits.memory = LIMIT;
	settings = cg_limits_settings(group->layout, &limits);
	for (guint i = 0; i < settings->len; i++) {
		const struct cg_setting *s = &g_array_index(settings, struct cg_setting, i);
		int r = cg_group_set(group, s);

		if (r < 0 && !(r == -ENOENT && s->optional))
			return r;
	}
	return 0;
}

/* Names are pids; what is not empty the kernel keeps. */
static void remove_left_in(const struct cg_hierarchy *h)
{
	int fd = openat(h->dir, ABOVE, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		fd_close(&fd);
		return;
	}
	while ((entry = readdir(dir))) {
		uint64_t pid;

		if (entry->d_type == DT_DIR && num_parse(entry->d_name, &pid) && pid > 0 &&
		    pid <= INT_MAX && kill((pid_t)pid, 0) < 0 && errno == ESRCH)
			(void)unlinkat(fd, entry->d_name, AT_REMOVEDIR);
	}
	(void)closedir(dir);
	(void)unlinkat(h->dir, ABOVE, AT_REMOVEDIR);
}

/*
 * Of a check that was killed. Those of one that runs are not told from them in another PID
 * namespace.
 */
static void remove_left(const struct check *c)
{
	for (size_t i = 0; !host_is_nested(c->host) && i < c->layout->n_hierarchies; i++)
		remove_left_in(&c->layout->hierarchies[i]);
}

void check_probe(const struct check *c, struct findings *f)
{
	AUTO_FD int mount = -1;
	struct answer answer = { 0 };
	struct cg_group group;
	size_t hierarchy;
	char name[32];
	int r;

	remove_left(c);
	if (!c->serves)
		return;
	mount = open(c->mountpoint, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	(void)snprintf(name, sizeof(name), "%d", (int)getpid());
	r = cg_group_make(c->layout, ABOVE, name, &group, &hierarchy);
	if (r == 0) {
		r = set_limits(&group);
		if (r == 0)
			judge(&answer, ask(&group, mount, &answer), f);
		(void)cg_group_kill(&group, REMOVE_MS);
		(void)cg_group_remove(&group, REMOVE_MS);
		cg_group_clear(&group);
	}
	if (r < 0)
		findings_add(f, FINDING_WARN, "probe", NULL,
			     "no cgroup with a limit can be made here to try it in: %s",
			     g_strerror(-r));
}
