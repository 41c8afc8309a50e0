/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALL "ALL"

static const char *const names[] = {
	[CAP_CHOWN] = "CAP_CHOWN",
	[CAP_DAC_OVERRIDE] = "CAP_DAC_OVERRIDE",
	[CAP_DAC_READ_SEARCH] = "CAP_DAC_READ_SEARCH",
	[CAP_FOWNER] = "CAP_FOWNER",
	[CAP_FSETID] = "CAP_FSETID",
	[CAP_KILL] = "CAP_KILL",
	[CAP_SETGID] = "CAP_SETGID",
	[CAP_SETUID] = "CAP_SETUID",
	[CAP_SETPCAP] = "CAP_SETPCAP",
	[CAP_LINUX_IMMUTABLE] = "CAP_LINUX_IMMUTABLE",
	[CAP_NET_BIND_SERVICE] = "CAP_NET_BIND_SERVICE",
	[CAP_NET_BROADCAST] = "CAP_NET_BROADCAST",
	[CAP_NET_ADMIN] = "CAP_NET_ADMIN",
	[CAP_NET_RAW] = "CAP_NET_RAW",
	[CAP_IPC_LOCK] = "CAP_IPC_LOCK",
	[CAP_IPC_OWNER] = "CAP_IPC_OWNER",
	[CAP_SYS_MODULE] = "CAP_SYS_MODULE",
	[CAP_SYS_RAWIO] = "CAP_SYS_RAWIO",
	[CAP_SYS_CHROOT] = "CAP_SYS_CHROOT",
	[CAP_SYS_PTRACE] = "CAP_SYS_PTRACE",
	[CAP_SYS_PACCT] = "CAP_SYS_PACCT",
	[CAP_SYS_ADMIN] = "CAP_SYS_ADMIN",
	[CAP_SYS_BOOT] = "CAP_SYS_BOOT",
	[CAP_SYS_NICE] = "CAP_SYS_NICE",
	[CAP_SYS_RESOURCE] = "CAP_SYS_RESOURCE",
	[CAP_SYS_TIME] = "CAP_SYS_TIME",
	[CAP_SYS_TTY_CONFIG] = "CAP_SYS_TTY_CONFIG",
	[CAP_MKNOD] = "CAP_MKNOD",
	[CAP_LEASE] = "CAP_LEASE",
	[CAP_AUDIT_WRITE] = "CAP_AUDIT_WRITE",
	[CAP_AUDIT_CONTROL] = "CAP_AUDIT_CONTROL",
	[CAP_SETFCAP] = "CAP_SETFCAP",
	[CAP_MAC_OVERRIDE] = "CAP_MAC_OVERRIDE",
	[CAP_MAC_ADMIN] = "CAP_MAC_ADMIN",
	[CAP_SYSLOG] = "CAP_SYSLOG",
	[CAP_WAKE_ALARM] = "CAP_WAKE_ALARM",
	[CAP_BLOCK_SUSPEND] = "CAP_BLOCK_SUSPEND",
	[CAP_AUDIT_READ] = "CAP_AUDIT_READ",
	[CAP_PERFMON] = "CAP_PERFMON",
	[CAP_BPF] = "CAP_BPF",
	[CAP_CHECKPOINT_RESTORE] = "CAP_CHECKPOINT_RESTORE",
};

/* Headers are older than kernels: what the kernel has beyond these, nobody can ask for by name. */
#define N_NAMES G_N_ELEMENTS(names)

uint64_t caps_default(void)
{
	return CAPS_BIT(CAP_CHOWN) | CAPS_BIT(CAP_DAC_OVERRIDE) | CAPS_BIT(CAP_FOWNER) |
	       CAPS_BIT(CAP_FSETID) | CAPS_BIT(CAP_KILL) | CAPS_BIT(CAP_SETGID) |
	       CAPS_BIT(CAP_SETUID) | CAPS_BIT(CAP_SETPCAP) | CAPS_BIT(CAP_NET_BIND_SERVICE) |
	       CAPS_BIT(CAP_NET_RAW) | CAPS_BIT(CAP_SYS_CHROOT) | CAPS_BIT(CAP_MKNOD) |
	       CAPS_BIT(CAP_AUDIT_WRITE) | CAPS_BIT(CAP_SETFCAP);
}

uint64_t caps_bounding(void)
{
	uint64_t caps = 0;
	int has;

	for (unsigned long cap = 0; cap < 64; cap++) {
		has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
		if (has < 0) /* one above the kernel's last */
			break;
		if (has)
			caps |= CAPS_BIT(cap);
	}
	return caps;
}

int caps_number(const char *name)
{
	const char *bare = g_ascii_strncasecmp(name, "CAP_", 4) == 0 ? name + 4 : name;

	for (size_t i = 0; i < N_NAMES; i++)
		if (g_ascii_strcasecmp(bare, names[i] + 4) == 0)
			return (int)i;
	return -1;
}

const char *caps_name(unsigned number)
{
	return number < N_NAMES ? names[number] : NULL;
}

/* A list of names as a mask; *@ret_all: "ALL" is among them. */
static bool mask_of(const char *const *list, uint64_t *ret, bool *ret_all, GError **error)
{
	*ret = 0;
	*ret_all = false;
	for (; list && *list; list++) {
		int number = caps_number(*list);

		if (g_ascii_strcasecmp(*list, ALL) == 0) {
			*ret_all = true;
		} else if (number < 0) {
			g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
				    "no capability is called \"%.64s\"", *list);
			return false;
		} else {
			*ret |= CAPS_BIT((unsigned)number);
		}
	}
	return true;
}

static bool require(uint64_t named, uint64_t available, GError **error)
{
	for (unsigned i = 0; i < N_NAMES; i++)
		if (named & ~available & CAPS_BIT(i)) {
			g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
				    "cannot give %s to the container: we do not have it", names[i]);
			return false;
		}
	return true;
}

bool caps_choose(const char *const *add, const char *const *drop, uint64_t available, uint64_t *ret,
		 GError **error)
{
	uint64_t added, dropped;
	bool all_added, all_dropped;

	if (!mask_of(add, &added, &all_added, error) ||
	    !mask_of(drop, &dropped, &all_dropped, error) || !require(added, available, error))
		return false;
	if (all_added)
		*ret = available & ~dropped;
	else if (all_dropped)
		*ret = added;
	else
		*ret = (caps_default() & available & ~dropped) | added;
	return true;
}

int caps_bound(uint64_t caps)
{
	for (unsigned long cap = 0; cap < 64; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (has < 0)
			break;
		if (has && !(caps & CAPS_BIT(cap)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	}
	return 0;
}

int caps_set(uint64_t caps)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)caps, .permitted = (uint32_t)caps },
		{ .effective = (uint32_t)(caps >> 32), .permitted = (uint32_t)(caps >> 32) },
	};

	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	/*
	 * Emptied with the inheritable set; said in so many words. Before Linux 4.3 there is none.
	 */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	return 0;
}
