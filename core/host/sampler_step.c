/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What steps of samplers are made of: evaluations of the score, the derivative of the mean that it predicts,
 * steps of the prior alone. With J the Jacobian of the score s, mean = (u + b^2 s) / a has d mean / d u = (1 +
 * b^2 J) / a. */
#include <math.h>
#include "base/parallel.h"
#include "host/sampler.h"

um_sampler sampler_part(const um_sampler *s, int64_t first, int64_t count)
{
	um_sampler part = *s;
	part.first += first;
	part.count = count;
	part.u += first * s->n;
	part.mean += first * s->n;
	part.guide += first * s->n;
	part.number += first;
	return part;
}

double *um_sampler_room(um_sampler *s, int k)
{
	return s->inside->room[k] + (s->first - s->inside->first) * s->n;
}

/* From the score in the call's rows "from" on, times factor. */
static void set_mean(um_sampler *s, int64_t from, double factor)
{
	const struct um_sampler_inside *in = s->inside;
	const int lanes = sampler_lanes(s);
	const double v = s->b * s->b * factor, a = s->a;
	(void)lanes;
	PARALLEL
	for (int64_t k = 0; k < s->count; k++) {
		const float *score = flow_row(&in->score.s, from + k, s->n);
		for (int64_t i = k * s->n; i < (k + 1) * s->n; i++) {
			const double mean = (s->u[i] + v * (double)score[i - k * s->n]) / a;
			s->mean[i] = fmin(fmax(mean, in->clip[0]), in->clip[1]);
		}
	}
}

static void put_states(um_sampler *s)
{
	const int lanes = sampler_lanes(s);
	(void)lanes;
	PARALLEL
	for (int64_t k = 0; k < s->count; k++)
		flow_score_put(&s->inside->score, k, s->t, s->u + k * s->n);
}

um_status um_sampler_predict(um_sampler *s)
{
	put_states(s);
	const um_status st = flow_score_call(&s->inside->score, s->count, NULL, FLOW_S);
	if (st == UM_OK)
		set_mean(s, 0, 1);
	return st;
}

/* Called within a pass when the score of some samples is there, still that by x. What is clipped does not
 * move. */
static um_status between(void *context, int64_t first, int64_t count)
{
	um_sampler *s = context;
	struct um_sampler_inside *in = s->inside;
	um_sampler part = sampler_part(s, first, count);
	set_mean(&part, first, sampler_unit(s));
	const um_status st = in->slope(&part, part.guide);
	for (int64_t i = 0; st == UM_OK && i < count * s->n; i++)
		if (part.mean[i] <= in->clip[0] || part.mean[i] >= in->clip[1])
			part.guide[i] = 0;
	for (int64_t k = 0; st == UM_OK && k < count; k++)
		flow_score_vector(&in->score, first + k, part.guide + k * s->n);
	return st;
}

um_status um_sampler_guide(um_sampler *s, um_status (*slope)(um_sampler *part, double *v))
{
	struct um_sampler_inside *in = s->inside;
	const double v = s->b * s->b;
	put_states(s);
	in->slope = slope;
	in->score.between = between;
	in->score.context = s;
	const um_status st = flow_score_call(&in->score, s->count, NULL, FLOW_S | FLOW_JTV);
	in->score.between = NULL;
	for (int64_t k = 0; st == UM_OK && k < s->count; k++)
		for (int64_t i = 0; i < s->n; i++)
			s->guide[k * s->n + i] = (s->guide[k * s->n + i] + v * (double)flow_row(&in->score.jtv, k, s->n)[i]) / s->a;
	return st;
}

void um_sampler_noise(const um_sampler *s, int64_t stream, double *z)
{
	const int lanes = sampler_lanes(s);
	(void)lanes;
	PARALLEL
	for (int64_t k = 0; k < s->count; k++) {
		um_rng rng = um_problem_rng(s->problem, (uint64_t)(SAMPLER_STREAMS * (s->step + 1) + stream),
			(uint64_t)(s->first + k));
		um_normal_fill(&rng, z + k * s->n, s->n);
	}
}

/* d of um_sampler_move; at last there is no noise. */
static double added(const um_sampler *s)
{
	const double ratio = s->a / s->a_next, left = s->b * s->b - ratio * ratio * s->b_next * s->b_next;
	return s->b_next > 0 ? sqrt(fmax(left, 0)) : 0;
}

/* c. */
static double kept(const um_sampler *s, double eta)
{
	const double fresh = s->b_next > 0 ? eta * added(s) * s->b_next / s->b : 0;
	return sqrt(fmax(s->b_next * s->b_next - fresh * fresh, 0));
}

void um_sampler_move(um_sampler *s, double eta)
{
	const char *variance = s->inside->set->variance;
	const bool large = variance != NULL && variance[0] == 'l';
	const double old = s->b_next > 0 ? kept(s, eta) / s->b : 0;
	const double new = s->b_next > 0 ? eta * added(s) * (large ? 1 : s->b_next / s->b) : 0;
	double *z = um_sampler_room(s, 0);
	if (new > 0)
		um_sampler_noise(s, 0, z);
	for (int64_t i = 0; i < s->count * s->n; i++)
		s->u[i] = s->a_next * s->mean[i] + old * (s->u[i] - s->a * s->mean[i]) + (new > 0 ? new * z[i] : 0);
}

double um_sampler_gain(const um_sampler *s, double eta)
{
	return s->a_next * s->b * s->b / s->a - kept(s, eta) * s->b;
}

void um_sampler_langevin(um_sampler *s, double snr, const double *g, int64_t stream)
{
	const double e = 2 * snr * snr * s->b * s->b, root = sqrt(2 * e), pull = 2 * snr * snr;
	double *z = um_sampler_room(s, 0);
	um_sampler_noise(s, stream, z);
	for (int64_t i = 0; i < s->count * s->n; i++)
		s->u[i] += pull * (s->a * s->mean[i] - s->u[i]) + (g != NULL ? e * g[i] : 0) + root * z[i];
}

void um_sampler_add(um_sampler *s, double factor, const double *x)
{
	for (int64_t i = 0; i < s->count * s->n; i++)
		s->u[i] += factor * x[i];
}
