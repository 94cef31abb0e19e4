/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The evidence by importance sampling, its lower bound, and whether to believe the first. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/host.h>
#include <umbra/linalg.h>
#include <umbra/pareto.h>
#include "base/mem.h"
#include "host/evidence.h"

enum { BLOCK = 64, MOST = 1024 };
static const uint64_t STREAM = 0x65766964; /* apart from those of plugins */
static const double LOG_2PI = 1.8378770664093453;

static um_status weigh(um_evidence *e, um_problem *p, const um_array *u, const double *logq)
{
	um_status st = UM_OK;
	double ll[BLOCK], lp[BLOCK];
	um_rng rng[BLOCK];
	const int64_t rows = u->dim[0];
	for (int64_t b = 0; b < rows; b++)
		rng[b] = um_problem_rng(p, STREAM, (uint64_t)(e->n + b));
	UM_TRY(um_problem_loglike(p, u, ll, NULL));
	UM_TRY(um_problem_logp(p, rng, u, lp, NULL));
	for (int64_t b = 0; b < rows; b++)
		e->log_weight[e->n + b] = ll[b] + lp[b] - logq[b];
	e->n += rows;
out:
	return st;
}

void um_evidence_add(um_evidence *e, um_problem *p, const um_array *u, const double *logq)
{
	const int64_t before = um_problem_calls(p);
	if (logq == NULL || um_problem_about(p)->estimate)
		e->unknown = true;
	if (e->log_weight == NULL)
		e->log_weight = um_new(sizeof(double) * MOST);
	for (int64_t at = 0, rows; at < u->dim[0] && e->n < MOST && !e->unknown; at += rows) {
		rows = u->dim[0] - at < MOST - e->n ? u->dim[0] - at : MOST - e->n;
		rows = rows < BLOCK ? rows : BLOCK;
		const um_array part = um_array_rows(u, at, rows);
		if (weigh(e, p, &part, logq + at) != UM_OK) {
			um_log(UM_INFO, "no estimate of the evidence: %s", um_message());
			e->unknown = true;
		}
	}
	e->calls += um_problem_calls(p) - before;
}

/* log of prod N(y_i; f_i, sigma_i) less the sum of squares. */
static double constant(um_problem *p)
{
	const int64_t ny = um_problem_about(p)->ny;
	const double *sigma = um_problem_sigma(p);
	double sum = -0.5 * (double)ny * LOG_2PI;
	for (int64_t i = 0; i < ny; i++)
		sum -= log(sigma[i]);
	return sum;
}

bool um_evidence_estimate(const um_evidence *e, um_problem *p, um_evidence_figures *out)
{
	const double n = (double)e->n;
	double mean = 0, square = 0;
	if (e->unknown || e->n == 0)
		return false;
	const double all = um_log_sum_exp(e->n, e->log_weight), add = constant(p);
	double *w = um_new(sizeof(*w) * (size_t)e->n);
	for (int64_t i = 0; i < e->n; i++) {
		w[i] = e->log_weight[i] - all;
		mean += e->log_weight[i] / n;
	}
	for (int64_t i = 0; i < e->n; i++)
		square += pow(e->log_weight[i] - mean, 2) / fmax(1, n - 1);
	const double worth = um_pareto_ess(e->n, w); /* 1 / worth - 1: the relative variance of exp(w) */
	*out = (um_evidence_figures){ mean + add, sqrt(square / n), all - log(n) + add,
		sqrt(fmax(0, 1 / worth - 1) / fmax(1, n - 1)), NAN };
	if (um_pareto_smooth(e->n, w, &out->k) != UM_OK)
		out->k = NAN;
	if (e->n == 1)
		out->lower_se = out->is_se = NAN;
	if (!um_problem_about(p)->normalised)
		out->lower = out->lower_se = out->is = out->is_se = NAN;
	free(w);
	return true;
}

void um_evidence_free(um_evidence *e)
{
	free(e->log_weight);
	*e = (um_evidence){ 0 };
}
