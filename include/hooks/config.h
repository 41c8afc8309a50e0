/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A hook more in a bundle's config.json, of which all else stays as it is, byte for byte. */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#define CONFIG_HOOK "lxcfs-clone-hook"

/*
 * The text of a hook, an object of config.json: the program at the absolute path @program, with the
 * arguments @args behind its name. Owned; NULL and a sentence when one of them is no UTF-8.
 */
char *config_hook(const char *program, const char *const *args, GError **error);

/*
 * The owned text of the config.json @text, which a NUL follows, with @hook as the last of its
 * createRuntime hooks. *@ret is NULL when a hook that is called CONFIG_HOOK is there already, in a
 * stage before the container's program begins. False and a sentence when @text is not what it
 * should be, or has a key that is but for its case one of those of the hooks.
 */
bool config_add(const char *text, size_t len, const char *hook, char **ret, GError **error);

/* The same in the file @name of @bundle, which is replaced as a whole; owner and mode are kept. */
bool config_edit(const char *bundle, const char *name, const char *hook, GError **error);
