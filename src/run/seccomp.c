/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run/caps.h"
#include "util/fail.h"
#include "util/fd.h"

#define CAP(name) CAPS_BIT(CAP_##name)

/* Twenty times as long as docker's: each container has it in its record. */
#define PROFILE_SIZE ((size_t)256 << 10)

/*
 * Every system call up to this number was looked at: it is allowed, or stands below. Numbers that
 * are above it are the same on all architectures, and nobody has decided about them.
 */
#define LAST_DECIDED 466 /* removexattrat, Linux 6.13 */
/* But ARM has some of its own, and x32 has the others' once more and then its own. */
#define ARMS_OWN     0xf0000
#define X32          0x40000000
#define X32S_OWN     (X32 + 512)

/* These fail with EPERM, unless the process has one of the capabilities. */
static const struct refused {
	uint64_t caps; /* 0: whoever calls */
	const char *names[28];
} refused[] = {
	{ .names = { "add_key", "io_uring_enter", "io_uring_register", "io_uring_setup",
		     "kexec_file_load", "kexec_load", "keyctl", "migrate_pages", "move_pages",
		     "nfsservctl", "request_key", "swapoff", "swapon", "sysfs", "uprobe",
		     "userfaultfd", "ustat", "vm86", "vm86old" } },
	/* Of one architecture alone: into its firmware, its other processors, its pages. */
	{ .names = { "multiplexer", "pciconfig_iobase", "pciconfig_read", "pciconfig_write", "rtas",
		     "s390_guarded_storage", "s390_sthyi", "spu_create", "spu_run", "subpage_prot",
		     "switch_endian", "sys_debug_setcontext" } },
	/* Replaced long ago, or never there. */
	{ .names = { "_sysctl",     "afs_syscall", "bdflush",  "create_module", "get_kernel_syms",
		     "getpmsg",     "idle",        "nice",     "oldfstat",      "oldlstat",
		     "oldolduname", "oldstat",     "olduname", "putpmsg",       "query_module",
		     "security",    "sgetmask",    "ssetmask", "tuxcall",       "uselib",
		     "vserver" } },
	{ .names = { "break", "ftime", "gtty", "lock", "mpx", "prof", "profil", "stty",
		     "ulimit" } },
	{ .caps = CAP(SYS_ADMIN),
	  .names = { "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr",
		     "move_mount", "open_tree", "pivot_root", "umount", "umount2" } },
	{ .caps = CAP(SYS_ADMIN),
	  .names = { "fanotify_init", "lookup_dcookie", "lsm_get_self_attr", "lsm_list_modules",
		     "lsm_set_self_attr", "quotactl", "quotactl_fd", "setdomainname", "sethostname",
		     "setns", "unshare" } },
	{ .caps = CAP(SYS_ADMIN) | CAPS_BIT(39), .names = { "bpf" } },             /* CAP_BPF */
	{ .caps = CAP(SYS_ADMIN) | CAPS_BIT(38), .names = { "perf_event_open" } }, /* CAP_PERFMON */
	{ .caps = CAP(SYS_ADMIN) | CAP(SYSLOG), .names = { "syslog" } },
	{ .caps = CAP(SYS_BOOT), .names = { "reboot" } },
	{ .caps = CAP(SYS_CHROOT), .names = { "chroot" } },
	{ .caps = CAP(SYS_MODULE), .names = { "delete_module", "finit_module", "init_module" } },
	{ .caps = CAP(SYS_PACCT), .names = { "acct" } },
	{ .caps = CAP(SYS_PTRACE), .names = { "kcmp", "pidfd_getfd", "process_madvise" } },
	{ .caps = CAP(SYS_RAWIO), .names = { "ioperm", "iopl" } },
	{ .caps = CAP(SYS_TIME),
	  .names = { "clock_settime", "clock_settime64", "settimeofday", "stime" } },
	{ .caps = CAP(SYS_TTY_CONFIG), .names = { "vhangup" } },
	{ .caps = CAP(SYS_NICE),
	  .names = { "get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node" } },
	{ .caps = CAP(DAC_READ_SEARCH), .names = { "open_by_handle_at" } },
};

/* The architectures of a machine's own programs, and of the others that its kernel runs. */
static const uint32_t machines[][3] = {
	{ SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32 },
	{ SCMP_ARCH_AARCH64, SCMP_ARCH_ARM },
	{ SCMP_ARCH_S390X, SCMP_ARCH_S390 },
};

#define LOAD(offset)             BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define IF(test, value, yes, no) BPF_JUMP(BPF_JMP | BPF_##test | BPF_K, value, yes, no)
#define FAIL(error)              BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))

/* The lower half of an argument: more of it the calls below do not look at either. */
#define LOWER_HALF  (G_BYTE_ORDER == G_BIG_ENDIAN ? sizeof(uint32_t) : 0)
#define ARGUMENT(n) (offsetof(struct seccomp_data, args[n]) + LOWER_HALF)
#ifdef __s390__
#define CLONE_FLAGS ARGUMENT(1)
#else
#define CLONE_FLAGS ARGUMENT(0)
#endif

/* Where an argument decides: the end is EPERM, and what is allowed jumps behind it. */

/* 0 and 8: Linux, 32 bits; the same with UNAME26; and the question which one it is. */
static const struct sock_filter personality_code[] = {
	LOAD(ARGUMENT(0)),      IF(JEQ, 0, 5, 0),          IF(JEQ, 8, 4, 0), IF(JEQ, 0x20000, 3, 0),
	IF(JEQ, 0x20008, 2, 0), IF(JEQ, 0xffffffff, 1, 0), FAIL(EPERM),
};

/*
 * Not AF_VSOCK, which knows no namespaces and leads to the host's hypervisor, nor AF_ALG, which
 * leads to all of the kernel's ciphers; nor what is newer than AF_MCTP. In docker's profile, too,
 * socketcall remains a way to them: its arguments are in memory, where no filter looks, and 32-bit
 * programs have no other way to any socket.
 */
static const struct sock_filter socket_code[] = {
	LOAD(ARGUMENT(0)),      IF(JEQ, AF_ALG, 2, 0), IF(JEQ, AF_VSOCK, 1, 0),
	IF(JGT, AF_MCTP, 0, 1), FAIL(EPERM),
};

static const struct sock_filter clone_code[] = {
	LOAD(CLONE_FLAGS),
	IF(JSET,
	   CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
		   CLONE_NEWCGROUP,
	   0, 1),
	FAIL(EPERM),
};

static const struct condition {
	const char *name;
	uint64_t caps; /* that lift it */
	const struct sock_filter *code;
	uint8_t n;
} conditions[] = {
	{ .name = "personality", .code = personality_code, .n = G_N_ELEMENTS(personality_code) },
	{ .name = "socket", .code = socket_code, .n = G_N_ELEMENTS(socket_code) },
	{ .name = "clone",
	  .caps = CAP(SYS_ADMIN),
	  .code = clone_code,
	  .n = G_N_ELEMENTS(clone_code) },
};

/*
 * Where there is a socketcall, too, libseccomp's number of socket stands for a part of that; the
 * call's own can be found by its name alone.
 */
static uint32_t number_of(const char *name, uint32_t arch)
{
	int number = seccomp_syscall_resolve_name_arch(arch, name);

	for (int own = 0; own <= LAST_DECIDED && number < 0; own++) {
		char *found = seccomp_syscall_resolve_num_arch(arch, own);

		if (g_strcmp0(found, name) == 0)
			number = own;
		free(found);
	}
	return (uint32_t)number;
}

static void add_condition(GArray *code, const struct condition *c, uint32_t arch)
{
	/* To the kernel, x32 is only a bit of the number. */
	const struct sock_filter only[] = {
		LOAD(offsetof(struct seccomp_data, nr)),
		IF(JEQ, number_of(c->name, arch), 0, c->n + 2),
		LOAD(offsetof(struct seccomp_data, arch)),
		IF(JEQ, arch == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : arch, 0, c->n),
	};

	g_array_append_vals(code, only, G_N_ELEMENTS(only));
	g_array_append_vals(code, c->code, c->n);
}

/* What this libseccomp has a name for, it has a rule for. */
static uint32_t last_known(void)
{
	for (int number = LAST_DECIDED; number > 0; number--) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
		bool known = name;

		free(name);
		if (known)
			return (uint32_t)number;
	}
	return 0;
}

/* After ENOSYS libc does what it did before there was such a call; after EPERM it would give up. */
static void add_newer(GArray *code)
{
	uint32_t last = last_known();
	const struct sock_filter newer[] = {
		LOAD(offsetof(struct seccomp_data, nr)),
		IF(JGE, X32S_OWN, 4, 0),
		IF(JGT, X32 + last, 2, 0),
		IF(JGE, ARMS_OWN, 2, 0),
		IF(JGT, last, 0, 1),
		FAIL(ENOSYS),
	};

	g_array_append_vals(code, newer, G_N_ELEMENTS(newer));
}

static int refuse(scmp_filter_ctx ctx, const char *name, uint16_t error)
{
	int number = seccomp_syscall_resolve_name(name);

	return number == __NR_SCMP_ERROR ? 0
					 : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(error), number, 0);
}

static int refuse_all(scmp_filter_ctx ctx, uint64_t caps)
{
	int r = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(refused); i++)
		for (size_t k = 0; k < G_N_ELEMENTS(refused[i].names) && refused[i].names[k]; k++)
			if (!(refused[i].caps & caps) && r == 0)
				r = refuse(ctx, refused[i].names[k], EPERM);
	/* Its flags are in memory, where no filter looks: libc goes on with clone. */
	if (!(caps & CAP(SYS_ADMIN)) && r == 0)
		r = refuse(ctx, "clone3", ENOSYS);
	return r;
}

/*
 * Whatever is refused by its number alone is libseccomp's matter, in @ctx. The rest is in @code,
 * which is asked before: of a refused family libseccomp would make a refused socketcall.
 */
static int add_all(scmp_filter_ctx ctx, GArray *code, uint64_t caps)
{
	uint32_t archs[3] = { seccomp_arch_native() };
	/* A tree: 35 instructions for a call, where a list has 154. */
	int r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);

	for (size_t i = 0; i < G_N_ELEMENTS(machines); i++)
		if (machines[i][0] == archs[0])
			memcpy(archs, machines[i], sizeof(archs));
	add_newer(code);
	for (size_t i = 0; i < G_N_ELEMENTS(archs) && archs[i] && r == 0; i++) {
		for (size_t k = 0; k < G_N_ELEMENTS(conditions); k++)
			if (!(conditions[k].caps & caps))
				add_condition(code, &conditions[k], archs[i]);
		if (i > 0)
			r = seccomp_arch_add(ctx, archs[i]);
	}
	return r < 0 ? r : refuse_all(ctx, caps);
}

bool seccomp_filter_export(void *context, const char *source, struct seccomp_filter *ret,
			   GError **error)
{
	AUTO_FD int fd = memfd_create("seccomp", MFD_CLOEXEC);
	struct stat st = { 0 };
	g_autofree char *code = NULL;
	int r = fd < 0 ? -errno : seccomp_export_bpf(context, fd);

	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r == 0 && (st.st_size <= 0 || (size_t)st.st_size / sizeof(*ret->code) > BPF_MAXINSNS))
		r = -E2BIG;
	if (r == 0) {
		code = g_malloc((size_t)st.st_size);
		if (pread(fd, code, (size_t)st.st_size, 0) != st.st_size)
			r = -EIO;
	}
	if (r < 0) {
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(-r),
			    "cannot make the seccomp filter of %s: %s", source, g_strerror(-r));
		return false;
	}
	ret->n = (unsigned short)((size_t)st.st_size / sizeof(*ret->code));
	ret->code = (struct sock_filter *)(void *)g_steal_pointer(&code);
	return true;
}

bool seccomp_filter_default(uint64_t caps, struct seccomp_filter *ret, GError **error)
{
	g_autoptr(GArray) code = g_array_new(FALSE, FALSE, sizeof(struct sock_filter));
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx ? add_all(ctx, code, caps) : -ENOMEM;
	bool ok = false;

	if (r == 0)
		ok = seccomp_filter_export(ctx, "docker's defaults", ret, error);
	else
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(-r),
			    "cannot make the default seccomp filter: %s", g_strerror(-r));
	if (ok) {
		g_array_append_vals(code, ret->code, ret->n);
		g_free(ret->code);
		ret->n = (unsigned short)code->len;
		ret->code =
			(struct sock_filter *)(void *)g_array_free(g_steal_pointer(&code), FALSE);
	}
	if (ctx)
		seccomp_release(ctx);
	return ok;
}

static bool is_path(const char *option)
{
	return option && strcmp(option, "unconfined") != 0;
}

bool seccomp_profile_read(const char *option, char **ret_profile, GError **error)
{
	g_autofree char *text = NULL;
	AUTO_FD int fd = -1;
	struct stat st;
	ssize_t n;

	*ret_profile = NULL;
	if (!is_path(option))
		return true;
	fd = open(option, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(error, errno, "cannot open the seccomp profile %s", option);
	if (!S_ISREG(st.st_mode))
		return fail(error, EINVAL, "the seccomp profile %s is no file", option);
	text = g_malloc(PROFILE_SIZE);
	n = fd_read(fd, text, PROFILE_SIZE);
	if (n < 0)
		return fail(error, (int)-n, "cannot read the seccomp profile %s", option);
	/* What is not UTF-8 would not be in the record what it is here. */
	if (!g_utf8_validate(text, n, NULL))
		return fail(error, EILSEQ, "the seccomp profile %s is no JSON", option);
	*ret_profile = g_strdup(text);
	return true;
}

bool seccomp_filter_make(const char *option, const char *profile, uint64_t caps,
			 struct seccomp_filter *ret, GError **error)
{
	*ret = (struct seccomp_filter){ 0 };
	if (!option)
		return seccomp_filter_default(caps, ret, error);
	if (!is_path(option))
		return true;
	return profile ? seccomp_filter_profile(profile, option, caps, ret, error)
		       : fail(error, ENODATA, "the seccomp profile %s", option);
}

void seccomp_filter_clear(struct seccomp_filter *filter)
{
	g_free(filter->code);
	*filter = (struct seccomp_filter){ 0 };
}

int seccomp_filter_load(const struct seccomp_filter *filter)
{
	struct sock_fprog program = { .len = filter->n, .filter = filter->code };

	if (filter->code && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return -errno;
	return 0;
}
