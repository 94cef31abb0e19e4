/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Seconds of a clock that nobody sets, for durations. */
#ifndef UMBRA_BASE_CLOCK_H
#define UMBRA_BASE_CLOCK_H

#include <time.h>

static inline double um_clock(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
