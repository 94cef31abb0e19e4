/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loops for every width of kernel, and TABLE, which lists them. Included once for each set
 * of instructions that they are compiled for. */
#include <string.h>

#include "nufft_kernel.h"

#define W 4
#define NAME(f) f##_4
#include "nufft_width.h"
#define W 6
#define NAME(f) f##_6
#include "nufft_width.h"
#define W 8
#define NAME(f) f##_8
#include "nufft_width.h"
#define W 10
#define NAME(f) f##_10
#include "nufft_width.h"
#define W 12
#define NAME(f) f##_12
#include "nufft_width.h"
#define W 14
#define NAME(f) f##_14
#include "nufft_width.h"
#define W 16
#define NAME(f) f##_16
#include "nufft_width.h"

const um_nuloops TABLE[] = {
	{ weigh_4, gather_4, scatter_4 },
	{ weigh_6, gather_6, scatter_6 },
	{ weigh_8, gather_8, scatter_8 },
	{ weigh_10, gather_10, scatter_10 },
	{ weigh_12, gather_12, scatter_12 },
	{ weigh_14, gather_14, scatter_14 },
	{ weigh_16, gather_16, scatter_16 },
};
