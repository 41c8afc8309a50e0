/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a runtime tells a hook (OCI runtime specification 1.0): the state on standard input, and the
 * bundle's config.json. What is not ours to know may be anything.
 */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define OCI_STATE_MAX ((size_t)1 << 20)

/* Above the kernel's greatest pid (PID_MAX_LIMIT). */
#define OCI_PID_MAX 4194304

/* What the annotations ask for. */
struct oci_wish {
	bool off;     /* lxcfs-clone: "off" */
	char **files; /* lxcfs-clone/files, see oci_files(); NULL: not given */
};

struct oci_state {
	pid_t pid; /* as who started the hook sees it; 0: not known there */
	char *bundle;
	char *root; /* crun tells it here too; NULL: not given */
	struct oci_wish wish;
};

struct oci_config {
	char *root; /* of the bundle, unless absolute */
	struct oci_wish wish;
};

/* Of @text with a NUL behind it. False and a sentence; *@ret is set on success alone. */
bool oci_state_parse(const char *text, size_t len, struct oci_state *ret, GError **error);
bool oci_config_parse(const char *text, size_t len, struct oci_config *ret, GError **error);

void oci_state_clear(struct oci_state *state);
void oci_config_clear(struct oci_config *config);
#define AUTO_OCI_STATE  __attribute__((cleanup(oci_state_clear)))
#define AUTO_OCI_CONFIG __attribute__((cleanup(oci_config_clear)))

/*
 * "meminfo,sys/devices/system/cpu", or with blanks: names of files that a daemon may serve, as an
 * owned list. False and a sentence when one could not be such a name.
 */
bool oci_files(const char *text, char ***ret, GError **error);
