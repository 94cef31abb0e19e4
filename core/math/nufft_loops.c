/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loops for any processor, and the choice between them and those for AVX2. Both do the same
 * operations in the same order, without contraction: results are equal bit for bit. */
#include "base/isa.h"

#define TABLE um_nuloops_any
#include "nufft_widths.h"

const um_nuloops *um_nuloops_for(int width)
{
	int at = width / 2 - 2;
#ifdef __x86_64__
	if (um_isa_now() >= UM_ISA_AVX2)
		return &um_nuloops_avx2[at];
#endif
	return &um_nuloops_any[at];
}
