/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of samplers share: the walk (sampler.c), steps (sampler_step.c), data (sampler_data.c). */
#ifndef UMBRA_HOST_SAMPLER_H
#define UMBRA_HOST_SAMPLER_H

#include <umbra/sampler.h>
#include "host/flow_score.h"

enum { SAMPLER_ROOMS = 3, SAMPLER_STREAMS = 1 << 20 };

struct um_sampler_inside {
	const um_sampling *set;
	um_probflow flow;        /* lo, unit, and the score of the problem */
	flow_score score;
	int64_t first;           /* of the samples of the batch */
	double *room[SAMPLER_ROOMS];
	double clip[2];          /* of u_0 */
	double strength[2];      /* of um_sampler_strength, weighted or not; 0: not known yet */
	um_status (*slope)(um_sampler *part, double *v);
};

static inline double sampler_lo(const um_sampler *s)
{
	return s->inside->flow.lo;
}
static inline double sampler_unit(const um_sampler *s)
{
	return flow_unit(&s->inside->flow);
}

static inline int sampler_lanes(const um_sampler *s)
{
	return s->about->threads > 1 ? s->about->threads : 1;
}

/* Samples first .. first + count - 1 of those of s, as a sampler of their own. */
um_sampler sampler_part(const um_sampler *s, int64_t first, int64_t count);

#endif
