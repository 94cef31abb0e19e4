/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Settings that are 0 by family and size. The batch of a flow is large where it is cheap: on a
 * two-dimensional posterior of two modes fits with 512 draws, one narrow start and log-determinants as
 * the only gradient fell into one mode. */
#include <math.h>
#include <string.h>
#include "host/law.h"

static void choose(int64_t *value, int64_t otherwise)
{
	*value = *value == 0 ? otherwise : *value;
}

static void choose_real(double *value, double otherwise)
{
	*value = *value == 0 ? otherwise : *value;
}

static int64_t batch_of_flow(int64_t n)
{
	return 2 * (int64_t)fmin(512, fmax(32, 1800 / sqrt((double)n)));
}

um_flow_spec um_variational_flow(const um_variational *set, const int64_t shape[5])
{
	return (um_flow_spec){ strcmp(set->couplings_of, "images") == 0, shape[3], shape[4],
		shape[0] * shape[1] * shape[2], set->couplings, set->hidden, set->depth, set->batchnorm, 0, 0 };
}

um_status um_variational_fill(um_variational *set, const int64_t shape[5])
{
	const int64_t n = shape[0] * shape[1] * shape[2] * shape[3] * shape[4];
	const bool flow = strcmp(set->family, "realnvp") == 0, low = strcmp(set->family, "lowrank") == 0;
	const bool small = n <= 16;
	choose(&set->starts, !flow ? 1 : small ? 32 : 8);
	choose(&set->steps, flow && !small ? 4000 : 2000);
	choose(&set->batch, flow ? batch_of_flow(n) : low ? 32 : 16);
	choose(&set->seeds, flow && small ? 2 : 1);
	choose(&set->couplings, small ? 12 : 16);
	choose_real(&set->rate, flow ? 1e-3 : low ? 0.01 : 0.03);
	choose_real(&set->decay, flow ? 0.02 : low ? 0.1 : 1);
	if (set->balance < 0)
		set->balance = flow && n <= 8 ? 8 : 0;
	if (set->elbo_draws == 0 && set->seeds > 1)
		return um_fail(UM_EPARAM, "elbo_draws: the best of %lld fits is known by its bound, which takes draws",
			(long long)set->seeds);
	if (set->batch % 2 != 0)
		return um_fail(UM_EPARAM, "batch = %lld is odd, but draws come in pairs; use %lld",
			(long long)set->batch, (long long)set->batch + 1);
	if (flow && n < 2)
		return um_fail(UM_EPARAM, "a flow needs at least two pixels; use family = \"gaussian\"");
	um_flow_spec spec = um_variational_flow(set, shape);
	return flow ? um_flow_check(&spec) : UM_OK;
}
