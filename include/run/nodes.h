/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* /dev of a container. */
#include <glib.h>
#include <stdbool.h>

#include "run/spec.h"

/* The nodes that every container has, as struct spec_device; *@ret_n of them. */
const struct spec_device *nodes_usual(size_t *ret_n);

/* Makes the usual nodes, unless @bound (they will be bound), and the usual links. */
bool nodes_make(bool bound, GError **error);

/* Makes the node that --device asks for. */
bool nodes_add(const struct spec_device *device, GError **error);
