/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The ways by which engines get our files into every container: which file of theirs, or of ours in
 * a folder of theirs, says so, and how.
 */
#include <glib.h>
#include <stdbool.h>

#define HOOK_PROGRAM    "/usr/bin/lxcfs-clone-hook"
#define RUNTIME_PROGRAM "/usr/bin/lxcfs-clone-runtime"
#define LXC_PROGRAM     "/usr/share/lxcfs-clone/lxc.mount.hook"

#define WAY_RUNTIME "lxcfs-clone" /* what engines call our runtime */
#define WAY_EVERY   "every container"

struct way_options {
	const char *mountpoint; /* the daemon's; absolute */
	bool make_default;      /* docker: of all containers, asked for or not */
};

/*
 * What the file at @path must say. @base is what it says without us, NULL where there is none.
 * Returns an owned text, or NULL with a sentence in *@error that does not name the file.
 */
typedef char *way_add(const char *base, const struct way_options *options, GError **error);

/*
 * An owned text: @text without what is ours. @original, if there is one, is what it said before we
 * came. NULL with a sentence in *@error as above.
 */
typedef char *way_strip(const char *text, const char *original, GError **error);

struct way {
	const char *name;
	const char *path;    /* from the root of the host: "/etc/docker/daemon.json" */
	const char *program; /* what the engine is told to run */
	const char *whom;    /* for which containers, unless ours is the default */
	way_add *add;
	way_strip *strip;                        /* NULL: the whole file is ours */
	bool (*makes_default)(const char *text); /* our runtime is the default; NULL: never */
	/*
	 * Owned: what is ours in it, whatever its form; NULL: nothing. NULL itself: the whole file
	 * is.
	 */
	char *(*part)(const char *text);
	/* It has what is ours with words of its own, which may be an operator's; NULL: never. */
	bool (*has_arguments)(const char *text);
	const char *(*idle)(const char *text); /* why the engine takes no notice; may be NULL */
	const char *const *signs;              /* paths, any of which says that it is there */
	/*
	 * What a running engine waits for, after it was told and when it is to forget; may be NULL.
	 */
	const char *then, *then_without;
};

extern const struct way ways[];
extern const size_t n_ways;

/* Some of them. */
struct way_set {
	size_t n;
	const struct way *way[8];
};

/* Put in once. */
void way_set_add(struct way_set *set, const struct way *way);

/* NULL: there is no such way. */
const struct way *way_find(const char *name);

/* For which containers it is, as the host's files are now, whose root directory is @root. */
const char *way_for_whom(int root, const struct way *way);

/* The files of the whole tree, as lists of hooks have them: "proc/meminfo". Owned. */
GPtrArray *way_files(void);

/* Whether such a file can: JSON is UTF-8, and a newline would end a line of LXC's. */
bool way_can_name(const char *mountpoint, GError **error);

way_add hooks_add, cdi_add, lxc_add, docker_add, containerd_add;
way_strip docker_strip, containerd_strip;
bool docker_makes_default(const char *text), docker_has_arguments(const char *text);
char *docker_part(const char *text), *containerd_part(const char *text);
const char *containerd_idle(const char *text);
