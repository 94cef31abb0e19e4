/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How many threads, and which kernels, OpenBLAS and our own loops use. */
#include <cblas.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#include <umbra/linalg.h>
#include "base/isa.h"

void um_threads(int n)
{
#ifdef _OPENMP
	omp_set_num_threads(n);
#endif
	openblas_set_num_threads(n);
}

/* By what the processor can do, not by its model, which OpenBLAS 0.3.21 goes by and does not know
 * where it is newer than the library. */
static const char *best_core(void)
{
	const um_isa isa = um_isa_now();
	return isa >= UM_ISA_AVX512 ? "SKYLAKEX" : isa == UM_ISA_AVX2 ? "HASWELL" : NULL;
}

bool um_threads_advise(void)
{
	static const char *const slow[] = { "Prescott", "Core2", "Penryn", "Nehalem", "Generic" };
	const char *now = openblas_get_corename(), *best = best_core();
	bool changed = false;
	/* a lower set, asked for, is asked for here too */
	if (getenv("UMBRA_ISA") != NULL && getenv("OPENBLAS_CORETYPE") == NULL)
		changed |= setenv("OPENBLAS_CORETYPE", best != NULL ? best : "Prescott", 0) == 0;
	for (size_t i = 0; best != NULL && i < sizeof(slow) / sizeof(*slow); i++)
		if (strcasecmp(now, slow[i]) == 0 && getenv("OPENBLAS_CORETYPE") == NULL)
			changed |= setenv("OPENBLAS_CORETYPE", best, 0) == 0;
	/* about 50 microseconds, longer than the pauses between our loops */
	if (getenv("GOMP_SPINCOUNT") == NULL && getenv("OMP_WAIT_POLICY") == NULL)
		changed |= setenv("GOMP_SPINCOUNT", "1000", 0) == 0;
	return changed;
}
