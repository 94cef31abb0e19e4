/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A loop over the images of a batch, spread over "lanes" threads in a fixed order where there is
 * OpenMP, serial where there is not. The number of threads is um_threads' (umbra/linalg.h). */
#ifndef UMBRA_BASE_PARALLEL_H
#define UMBRA_BASE_PARALLEL_H

#ifdef _OPENMP
#include <omp.h>
#define PARALLEL _Pragma("omp parallel for schedule(static) num_threads(lanes)")
#define THREADS() omp_get_max_threads()
#define THREAD() omp_get_thread_num()
#else
#define PARALLEL
#define THREADS() 1
#define THREAD() 0
#endif

#endif
