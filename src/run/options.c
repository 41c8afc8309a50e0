/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/options.h"

#include "bind/instance.h"
#include "run/fail.h"
#include "run/flags.h"
#include "run/net.h"
#include "run/values.h"

#define ROW(flag, sort, member)                                                                    \
	.name = (flag), .kind = (sort), .offset = offsetof(struct spec, member)
#define CALL(flag, function) .name = (flag), .kind = FLAG_CALL, .set = (function)

/* clang-format off: a line a flag */
static const struct flag flags[] = {
	{ CALL("rootfs", values_rootfs), .value = "DIR[,DIR]", .does = "layers, top first" },
	{ CALL("name", values_name), .value = "NAME", .does = "else a random one" },
	{ CALL("hostname", values_hostname), .value = "NAME", .does = "else its name" },
	{ ROW("detach", FLAG_TRUE, detach), .letter = 'd', .does = "in the background" },
	{ ROW("interactive", FLAG_TRUE, interactive), .letter = 'i', .does = "pass input on" },
	{ ROW("tty", FLAG_TRUE, tty), .letter = 't', .does = "a terminal for it" },
	{ ROW("rm", FLAG_TRUE, remove), .does = "then remove it" },
	{ ROW("init", FLAG_TRUE, init), .does = "our pid 1: usual" },
	{ ROW("no-init", FLAG_FALSE, init), .does = "COMMAND is pid 1" },
	{ ROW("workdir", FLAG_PATH, workdir), .letter = 'w', .value = "DIR",
	  .does = "where it starts" },
	{ ROW("user", FLAG_TEXT, user), .letter = 'u', .value = "UID[:GID]", .does = "as whom" },
	{ CALL("env", values_env), .letter = 'e', .value = "K[=V]", .does = "K alone: ours" },
	{ CALL("volume", values_bind), .letter = 'v', .value = "SRC:DST[:ro]",
	  .does = "a host path" },
	{ CALL("tmpfs", values_tmpfs), .value = "DST", .does = "memory at DST" },
	{ ROW("read-only", FLAG_TRUE, read_only), .does = "no writes to /" },
	{ CALL("memory", values_memory), .letter = 'm', .value = "SIZE", .does = "as 256m, 1.5g" },
	{ CALL("memory-swap", values_memory_swap), .value = "SIZE", .does = "with swap, or -1" },
	{ CALL("cpus", values_cpus), .value = "N", .does = "as 1.5" },
	{ CALL("cpu-shares", values_cpu_shares), .value = "N", .does = "1024 is usual" },
	{ CALL("cpuset-cpus", values_cpuset_cpus), .value = "LIST", .does = "CPUs, as 0-3,8" },
	{ CALL("cpuset-mems", values_cpuset_mems), .value = "LIST", .does = "NUMA nodes" },
	{ CALL("pids-limit", values_pids), .value = "N", .does = "threads; -1: all" },
	{ CALL("device-read-bps", values_read_bps), .value = "DEV:SIZE", .does = "a second" },
	{ CALL("device-write-bps", values_write_bps), .value = "DEV:SIZE", .does = "a second" },
	{ CALL("device", values_device), .value = "DEV[:PATH[:rwm]]", .does = "of the host" },
	{ ROW("net", FLAG_TEXT, net), .value = "host|bridge[:NAME][,nat]", .does = "or none" },
	{ ROW("ip", FLAG_TEXT, ip), .value = "ADDRESS", .does = "in its bridge" },
	{ CALL("userns", values_userns), .value = "auto|host", .does = "auto: own users" },
	{ ROW("cap-add", FLAG_LIST, cap_add), .value = "CAP", .does = "beside docker's" },
	{ ROW("cap-drop", FLAG_LIST, cap_drop), .value = "CAP", .does = "or ALL" },
	{ CALL("security-opt", values_security), .value = "seccomp=FILE", .does = "a profile" },
	{ CALL("uts", values_uts), .value = "host", .does = "the host's names" },
	{ CALL("ipc", values_ipc), .value = "host", .does = "the host's IPC" },
	{ CALL("pid", values_pid), .value = "host", .does = "the host's pids" },
	{ CALL("cgroupns", values_cgroupns), .value = "host", .does = "the host's cgroups" },
	{ ROW("no-time-ns", FLAG_TRUE, shared.time), .does = "the host's clock" },
	{ ROW("lxcfs", FLAG_PATH, lxcfs), .value = "DIR", .does = "the daemon's mount" },
	{ ROW("no-lxcfs", FLAG_FALSE, bind_lxcfs), .does = "the kernel's files" },
	{ ROW("pid-file", FLAG_TEXT, pid_file), .value = "FILE", .does = "gets its pid" },
	{ CALL("ulimit", values_ulimit), .value = "NAME=SOFT[:HARD]", .does = "as nofile=99" },
};
/* clang-format on */

static bool check_limits(const struct cg_limits *l, GError **error)
{
	if (l->memory_swap == CG_LIMIT_UNSET)
		return true;
	if (l->memory == CG_LIMIT_UNSET)
		return run_fail(error, 0, "--memory-swap needs --memory");
	return l->memory_swap >= l->memory ||
	       run_fail(error, 0, "--memory-swap counts memory too: it is less than --memory");
}

/* The record is JSON: exec has them from there. */
static bool check_texts(const struct spec *s, GError **error)
{
	const char *const texts[] = { s->workdir, s->user, s->seccomp, s->pid_file };

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		if (texts[i] && !g_utf8_validate(texts[i], -1, NULL))
			return run_fail(error, 0, "'%.64s' is not UTF-8", texts[i]);
	for (guint i = 0; i < s->env->len; i++)
		if (!g_utf8_validate(s->env->pdata[i], -1, NULL))
			return run_fail(error, 0, "--env: '%.64s' is not UTF-8",
					(const char *)s->env->pdata[i]);
	return true;
}

/* What flags mean only together. */
static bool check(const struct spec *s, GError **error)
{
	const struct spec_shared *shared = &s->shared;

	if (s->layers->len == 0)
		return run_fail(error, 0, "no --rootfs is given (see --help)");
	if (s->command->len == 0)
		return run_fail(error, 0, "no command is given (see --help)");
	if (s->hostname && shared->uts)
		return run_fail(error, 0, "--hostname would change the host's with --uts host");
	if (s->userns && (shared->uts || shared->ipc || shared->pid || shared->cgroup ||
			  s->network.kind == SPEC_NET_HOST))
		return run_fail(error, 0,
				"--userns auto does not go with a namespace that is the host's");
	return check_limits(&s->limits, error) && check_texts(s, error);
}

static void fill_defaults(struct spec *s)
{
	if (!s->name)
		s->name = g_strdup_printf("c%08x", g_random_int());
	if (!s->hostname)
		s->hostname = g_strdup(s->name);
	if (!s->lxcfs)
		s->lxcfs = g_strdup(DEFAULT_MOUNTPOINT);
	if (!s->workdir)
		s->workdir = g_strdup("/");
	if (s->pid_file) {
		g_autofree char *given = s->pid_file;

		s->pid_file = g_canonicalize_filename(given, NULL);
	}
}

bool options_parse(char **words, struct spec **ret, GError **error)
{
	AUTO_SPEC struct spec *s = spec_new();
	char **rest;

	if (!flags_parse(flags, G_N_ELEMENTS(flags), words, s, &rest, error))
		return false;
	for (; *rest; rest++)
		g_ptr_array_add(s->command, g_strdup(*rest));
	if (!net_parse(s->net ? s->net : "none", s->ip, &s->network, error) || !check(s, error))
		return false;
	fill_defaults(s);
	*ret = g_steal_pointer(&s);
	return true;
}

void options_print(void)
{
	flags_print(flags, G_N_ELEMENTS(flags));
}
