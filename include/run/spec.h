/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a container is to be: filled from the command line, checked whole before anything is made.
 */
#include <glib.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "cgroup/limits.h"

/* A device of the host's that the container gets (--device HOST[:CONTAINER[:rwm]]). */
struct spec_device {
	char *host;  /* where on the host */
	char *path;  /* where in the container, "/dev/fuse" */
	mode_t mode; /* as the host's has it, with its type */
	uid_t uid;
	gid_t gid;
	unsigned major, minor;
	unsigned access;
};

/* What .access is made of. */
enum { SPEC_DEVICE_READ = 1, SPEC_DEVICE_WRITE = 2, SPEC_DEVICE_MKNOD = 4, SPEC_DEVICE_ALL = 7 };

enum spec_net { SPEC_NET_NONE, SPEC_NET_HOST, SPEC_NET_BRIDGE };

/* --net and --ip, see net_parse(). */
struct spec_network {
	enum spec_net kind;
	char *bridge; /* SPEC_NET_BRIDGE: its name, else NULL */
	bool nat;
	struct in_addr ip; /* 0: any that is free */
};

/* -v and --tmpfs, in the order of the command line. */
struct spec_mount {
	char *source; /* NULL: a tmpfs */
	char *target; /* absolute */
	bool read_only;
};

/* What --ulimit means. */
struct spec_rlimit {
	int resource;
	struct rlimit limit;
};

/* Namespaces that are the host's: --uts host and the like. */
struct spec_shared {
	bool uts, ipc, pid, cgroup, time;
};

struct spec {
	char *name;
	GPtrArray *layers; /* char *: absolute paths, the first on top */
	GPtrArray *command;
	bool detach, interactive, tty, remove;
	bool init;
	bool read_only;
	bool bind_lxcfs; /* not --no-lxcfs */
	char *lxcfs;     /* where the daemon is mounted */
	char *hostname;
	char *workdir;  /* absolute */
	char *user;     /* as given: UID or NAME, ":GID" may follow; NULL: root */
	GPtrArray *env; /* char *: "K=V" */
	char *pid_file;
	struct cg_limits limits; /* its texts and its array are the spec's */
	GArray *devices;         /* struct spec_device */
	GArray *mounts;          /* struct spec_mount */
	GPtrArray *ulimits;      /* char *: as given, see values_parse_ulimit() */
	char *net, *ip;          /* as given; .network is what they mean */
	struct spec_network network;
	bool userns;                   /* --userns auto */
	GPtrArray *cap_add, *cap_drop; /* char *: as given, "NET_ADMIN", "cap_net_admin", "ALL" */
	char *seccomp;                 /* NULL: the default; "unconfined"; else a file */
	struct spec_shared shared;
};

/* All unset, every array there and empty. */
struct spec *spec_new(void);
struct spec *spec_free(struct spec *spec);

static inline void spec_cleanup(struct spec **spec)
{
	*spec = spec_free(*spec);
}
#define AUTO_SPEC __attribute__((cleanup(spec_cleanup)))
