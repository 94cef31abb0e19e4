/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small allocations that end the process when memory is exhausted; arrays sized by
 * a user's file use um_array_new, which returns UM_ENOMEM instead. */
#ifndef UMBRA_BASE_MEM_H
#define UMBRA_BASE_MEM_H

#include <stddef.h>
#include <umbra/status.h>

UM_API void *um_new(size_t bytes); /* zeroed */
UM_API void *um_grow(void *p, size_t bytes);
UM_API char *um_strdup(const char *s);
UM_API char *um_format(const char *fmt, ...) UM_PRINTF(1, 2); /* a new string */

#endif
