/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The default filter, number by number, for all programs that the kernel runs. */
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fixture.h"
#include "run/caps.h"
#include "run/seccomp.h"

#define X32 0x40000000

/* What docker refuses to who has its default capabilities. */
static const char refused[] =
	" acct add_key bpf clock_settime clock_settime64 delete_module fanotify_init finit_module"
	" fsconfig fsmount fsopen fspick get_mempolicy init_module io_uring_enter io_uring_register"
	" io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie"
	" lsm_get_self_attr lsm_list_modules lsm_set_self_attr mbind migrate_pages mount"
	" mount_setattr move_mount move_pages nfsservctl open_by_handle_at open_tree"
	" perf_event_open pidfd_getfd pivot_root process_madvise quotactl quotactl_fd reboot"
	" request_key set_mempolicy set_mempolicy_home_node setdomainname sethostname setns"
	" settimeofday stime swapoff swapon sysfs syslog umount umount2 unshare uprobe userfaultfd"
	" ustat vhangup vm86 vm86old"
	" _sysctl afs_syscall bdflush break create_module ftime get_kernel_syms getpmsg gtty idle"
	" lock mpx nice oldfstat oldlstat oldolduname oldstat olduname prof profil putpmsg"
	" query_module security sgetmask ssetmask stty tuxcall ulimit uselib vserver ";

/* A program's way into the kernel: numbers, and what else the filter is told. */
struct way {
	uint32_t arch, audit;
	long first; /* of its numbers */
	long (*call)(long number);
};

/* No argument is a good one, so that what is not refused does nothing either. -errno, or >= 0. */
static long native_call(long number)
{
	long r = syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);

	return r < 0 ? -errno : r;
}

#ifdef __x86_64__
static long int80_call(long number)
{
	__asm__ volatile("int $0x80"
			 : "+a"(number)
			 : "b"(-1L), "c"(-1L), "d"(-1L), "S"(-1L), "D"(-1L)
			 : "memory", "r8", "r9", "r10", "r11");
	return number;
}

static const struct way ways[] = {
	{ .arch = SCMP_ARCH_X86_64, .audit = AUDIT_ARCH_X86_64, .call = native_call },
	{ .arch = SCMP_ARCH_X86, .audit = AUDIT_ARCH_I386, .call = int80_call },
	{ .arch = SCMP_ARCH_X32, .audit = AUDIT_ARCH_X86_64, .first = X32, .call = native_call },
};
#else
static const struct way ways[] = { { .arch = SCMP_ARCH_NATIVE, .call = native_call } };
#endif

static bool is_refused(const char *name)
{
	g_autofree char *word = g_strdup_printf(" %s ", name);

	return strstr(refused, word);
}

/* What the kernel would find, were it asked. */
static uint32_t answer(const struct seccomp_filter *f, const struct way *w, long number,
		       uint64_t arg)
{
	const struct seccomp_data data = {
		.nr = (int)number,
		.arch = w->audit ? w->audit : seccomp_arch_native(),
		.args = { arg, arg, arg, arg, arg, arg },
	};
	uint32_t a = 0;

	for (size_t i = 0; i < f->n; i++) {
		const struct sock_filter *s = &f->code[i];
		bool yes = false;

		switch (s->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)&data + s->k, sizeof(a));
			continue;
		case BPF_RET | BPF_K:
			return s->k;
		case BPF_JMP | BPF_JA:
			i += s->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = a == s->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = a >= s->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			yes = a > s->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			yes = a & s->k;
			break;
		default:
			fail_msg("code %#x", s->code);
		}
		i += yes ? s->jt : s->jf;
	}
	fail_msg("no end");
	return 0;
}

static struct seccomp_filter filter(uint64_t caps)
{
	struct seccomp_filter f;
	g_autoptr(GError) error = NULL;

	if (!seccomp_filter_make(NULL, NULL, caps, &f, &error))
		fail_msg("%s", error->message);
	return f;
}

static void test_each_number_that_has_a_name(void **state)
{
	struct seccomp_filter f = filter(caps_default());

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
		for (long number = ways[i].first; number < ways[i].first + 467; number++) {
			char *name = seccomp_syscall_resolve_num_arch(ways[i].arch, (int)number);
			uint32_t wanted = SECCOMP_RET_ALLOW, got;

			if (!name)
				continue;
			if (is_refused(name))
				wanted = SECCOMP_RET_ERRNO | EPERM;
			else if (strcmp(name, "clone3") == 0)
				wanted = SECCOMP_RET_ERRNO | ENOSYS;
			got = answer(&f, &ways[i], number, 0);
			if (got != wanted)
				fail_msg("%s of %#x: %#x", name, ways[i].arch, got);
			free(name);
		}
		for (long number = ways[i].first + 467; number < ways[i].first + 512; number++)
			assert_int_equal(answer(&f, &ways[i], number, 0),
					 SECCOMP_RET_ERRNO | ENOSYS);
	}
	seccomp_filter_clear(&f);
}

static void test_each_refused_call_fails_in_the_kernel(void **state)
{
	struct seccomp_filter f = filter(caps_default());
	g_autofree char *copy = g_strdup(refused);
	g_auto(GStrv) names = g_strsplit(g_strstrip(copy), " ", -1);

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
		pid_t pid = fork();
		int status = 0;

		if (pid == 0) {
			if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			    seccomp_filter_load(&f) < 0)
				_exit(255);
			for (int k = 0; names[k]; k++) {
				int number =
					seccomp_syscall_resolve_name_arch(ways[i].arch, names[k]);

				if (number >= 0 && ways[i].call(number) != -EPERM)
					_exit(k + 1);
			}
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV)
			continue; /* this kernel runs no 32-bit programs */
		assert_true(WIFEXITED(status));
		assert_int_not_equal(WEXITSTATUS(status), 255);
		if (WEXITSTATUS(status))
			fail_msg("%s of %#x", names[WEXITSTATUS(status) - 1], ways[i].arch);
	}
	seccomp_filter_clear(&f);
}

#ifdef __x86_64__
static void test_arguments_by_every_way(void **state)
{
	static const struct {
		const char *name;
		long numbers[3]; /* as the ways are */
		uint64_t good[6], bad[10];
	} cases[] = {
		{ .name = "socket",
		  .numbers = { 41, 359, X32 + 41 },
		  .good = { AF_UNIX, AF_INET6, AF_PACKET, 39, AF_MCTP },
		  .bad = { AF_ALG, AF_VSOCK, AF_MCTP + 1, AF_MAX + 100, UINT32_MAX,
			   1ULL << 32 | AF_ALG } },
		{ .name = "personality",
		  .numbers = { 135, 136, X32 + 135 },
		  .good = { PER_LINUX32, UNAME26, UNAME26 | PER_LINUX32, UINT32_MAX },
		  .bad = { 1, 9, ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC, UNAME26 | 1, UINT32_MAX - 1,
			   INT32_MAX, 1ULL << 32 | ADDR_NO_RANDOMIZE } },
		{ .name = "clone",
		  .numbers = { 56, 120, X32 + 56 },
		  .good = { SIGCHLD, CLONE_VM | CLONE_VFORK | SIGCHLD, 0x3d0f00 /* a thread */ },
		  .bad = { CLONE_NEWNS | SIGCHLD, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER,
			   CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP,
			   CLONE_NEWUSER | CLONE_NEWNS } },
		{ .name = "socketcall", .numbers = { -1, 102, -1 }, .good = { 1, 2, 3 } },
	};
	struct seccomp_filter f = filter(caps_default());

	(void)state;
	for (size_t c = 0; c < G_N_ELEMENTS(cases); c++)
		for (size_t i = 0; i < G_N_ELEMENTS(ways) && cases[c].numbers[i]; i++) {
			for (size_t k = 0; k < 6; k++)
				if (answer(&f, &ways[i], cases[c].numbers[i], cases[c].good[k]) !=
				    SECCOMP_RET_ALLOW)
					fail_msg("%s %zu of %zu", cases[c].name, k, i);
			for (size_t k = 0; k < 10 && cases[c].bad[k]; k++)
				if (answer(&f, &ways[i], cases[c].numbers[i], cases[c].bad[k]) !=
				    (SECCOMP_RET_ERRNO | EPERM))
					fail_msg("%s, bad %zu of %zu", cases[c].name, k, i);
		}
	seccomp_filter_clear(&f);
}
#endif

static void test_who_has_all_capabilities(void **state)
{
	static const char *const allowed[] = { "bpf",     "clone3",  "kcmp",   "mbind",
					       "mount",   "reboot",  "syslog", "settimeofday",
					       "unshare", "vhangup", "chroot", "process_madvise" };
	static const char *const never[] = { "add_key", "kexec_load", "swapon", "userfaultfd" };
	struct seccomp_filter f = filter(UINT64_MAX);

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
		for (size_t k = 0; k < G_N_ELEMENTS(allowed); k++)
			assert_int_equal(
				answer(&f, &ways[i],
				       seccomp_syscall_resolve_name_arch(ways[i].arch, allowed[k]),
				       CLONE_NEWUSER),
				SECCOMP_RET_ALLOW);
		for (size_t k = 0; k < G_N_ELEMENTS(never); k++)
			assert_int_equal(
				answer(&f, &ways[i],
				       seccomp_syscall_resolve_name_arch(ways[i].arch, never[k]),
				       0),
				SECCOMP_RET_ERRNO | EPERM);
	}
	seccomp_filter_clear(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_number_that_has_a_name),
		cmocka_unit_test(test_each_refused_call_fails_in_the_kernel),
#ifdef __x86_64__
		cmocka_unit_test(test_arguments_by_every_way),
#endif
		cmocka_unit_test(test_who_has_all_capabilities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
