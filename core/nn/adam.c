/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1), with clipping of the global
 * norm, linear warm-up and decay of the rate. */
#include <math.h>
#include <umbra/optim.h>

um_status um_adam_new(um_adam *a, int64_t n, double rate)
{
	*a = (um_adam){ .n = n, .rate = rate, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8 };
	return um_array_new(&a->moments, UM_F64, 2, (const int64_t[]){ 2, n });
}

void um_adam_free(um_adam *a)
{
	um_array_free(&a->moments);
}

double um_adam_rate(const um_adam *a, int64_t step)
{
	double rate = a->rate;
	if (step < a->warmup)
		rate *= (double)step / (double)a->warmup;
	if (a->decay == UM_DECAY_NONE || a->span <= 0)
		return rate;
	double t = fmin(1, (double)step / (double)a->span);
	if (a->decay == UM_DECAY_EXPONENTIAL)
		return rate * pow(a->floor, t);
	return rate * (a->floor + (1 - a->floor) * 0.5 * (1 + cos(3.141592653589793 * t)));
}

/* Returns |g| before clipping. */
static double clip(double *g, int64_t n, double most)
{
	double norm = 0;
	for (int64_t i = 0; i < n; i++)
		norm += g[i] * g[i];
	norm = sqrt(norm);
	if (most > 0) {
		double factor = most / fmax(norm + 1e-6, most);
		for (int64_t i = 0; i < n; i++)
			g[i] *= factor;
	}
	return norm;
}

double um_adam_step(um_adam *a, double *x, double *g)
{
	double *m = um_row_d(&a->moments, 0), *v = um_row_d(&a->moments, 1);
	double norm = clip(g, a->n, a->clip);
	a->step++;
	double rate = um_adam_rate(a, a->step);
	double unbias1 = 1 / (1 - pow(a->beta1, (double)a->step));
	double unbias2 = 1 / (1 - pow(a->beta2, (double)a->step));
	for (int64_t i = 0; i < a->n; i++) {
		m[i] = a->beta1 * m[i] + (1 - a->beta1) * g[i];
		v[i] = a->beta2 * v[i] + (1 - a->beta2) * g[i] * g[i];
		x[i] -= rate * m[i] * unbias1 / (sqrt(v[i] * unbias2) + a->eps);
	}
	return norm;
}
