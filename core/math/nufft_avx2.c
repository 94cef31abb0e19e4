/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loops once more, for processors with AVX2; the rest of the build runs on any x86-64. */
#ifdef __x86_64__
#include <string.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif

#define TABLE um_nuloops_avx2
#include "nufft_widths.h"

#ifdef __clang__
#pragma clang attribute pop
#endif
#else
typedef int um_nuloops_need_x86; /* a file is not empty */
#endif
