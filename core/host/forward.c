/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The functions that a forward plugin may leave out: Gaussian likelihood, chi-square,
 * simulation with independent noise, and conjugate gradients for
 * (a2 Sigma + b2 A A^T)^-1 r. */
#include <math.h>
#include <string.h>
#include "host/problem.h"

/* f(x), finite. */
static um_status apply(um_forward *f, const um_array *op, const um_array *x, um_array *y)
{
	um_phase(f->plugin, "apply");
	const um_status st = um_in_phase(f->plugin, "apply", f->ops.apply(f->self, op, x, NULL, y, NULL));
	return st == UM_OK ? problem_check_d(f->plugin, "apply", y->data, x->dim[0], f->info.ny) : st;
}

static um_status pullback(um_forward *f, const um_array *op, const um_array *x, const um_array *v, um_array *jtv)
{
	um_phase(f->plugin, "pullback");
	return um_in_phase(f->plugin, "pullback", f->ops.pullback(f->self, op, x, v, jtv));
}

/* f(x) and v = (y - f) / sigma^2 for a batch; both [B][ny], to be freed by the caller. */
static um_status residual(um_forward *f, const um_array *op, const um_array *x, const um_array *y,
	const um_array *sigma, um_array *r)
{
	um_status st = UM_OK;
	const int64_t ny = f->info.ny;
	UM_TRY(um_array_new(r, UM_F64, 2, (const int64_t[]){ x->dim[0], ny }));
	UM_TRY(apply(f, op, x, r));
	for (int64_t b = 0; b < x->dim[0]; b++) {
		double *ri = um_row_d(r, b);
		const double *yi = um_row_d(y, b), *si = um_row_d(sigma, b);
		for (int64_t i = 0; i < ny; i++)
			ri[i] = (yi[i] - ri[i]) / si[i];
	}
out:
	return st;
}

static um_status gaussian(um_forward *f, const um_array *op, const um_array *x, const um_array *y, const um_array *sigma,
	double *ll, um_array *dx)
{
	um_status st = UM_OK;
	um_array r = { 0 };
	UM_TRY(residual(f, op, x, y, sigma, &r));
	for (int64_t b = 0; b < x->dim[0]; b++) {
		double *ri = um_row_d(&r, b);
		const double *si = um_row_d(sigma, b);
		ll[b] = 0;
		for (int64_t i = 0; i < f->info.ny; i++) {
			ll[b] -= 0.5 * ri[i] * ri[i];
			ri[i] /= si[i];
		}
	}
	if (dx != NULL)
		UM_TRY(pullback(f, op, x, &r, dx));
out:
	um_array_free(&r);
	return st;
}

um_status um_forward_loglike(um_forward *f, const um_array *op, const um_array *x, const um_array *y,
	const um_array *sigma, double *ll, um_array *dx)
{
	um_status st = UM_OK;
	if (f->ops.loglike != NULL) {
		um_phase(f->plugin, "loglike");
		UM_TRY(um_in_phase(f->plugin, "loglike", f->ops.loglike(f->self, op, x, y, sigma, ll, dx)));
	} else {
		UM_TRY(gaussian(f, op, x, y, sigma, ll, dx));
	}
	UM_TRY(problem_check_d(f->plugin, "loglike", ll, x->dim[0], 1));
	if (dx != NULL)
		UM_TRY(problem_check_f(f->plugin, "the gradient of loglike", dx));
out:
	return st;
}

int um_forward_nstats(const um_forward *f)
{
	return f->ops.stats != NULL ? f->info.nstats : 1;
}

const char *um_forward_stat(const um_forward *f, int i)
{
	return f->ops.stats != NULL ? f->info.stats[i] : "chi2";
}

um_status um_forward_stats(um_forward *f, const um_array *op, const um_array *x, const um_array *y,
	const um_array *sigma, double *values)
{
	um_status st = UM_OK;
	um_array r = { 0 };
	if (f->ops.stats != NULL) {
		um_phase(f->plugin, "stats");
		return um_in_phase(f->plugin, "stats", f->ops.stats(f->self, op, x, y, sigma, values));
	}
	UM_TRY(residual(f, op, x, y, sigma, &r));
	for (int64_t b = 0; b < x->dim[0]; b++) {
		const double *ri = um_row_d(&r, b);
		values[b] = 0;
		for (int64_t i = 0; i < f->info.ny; i++)
			values[b] += ri[i] * ri[i] / (double)f->info.ny;
	}
out:
	um_array_free(&r);
	return st;
}

bool um_forward_simulates(const um_forward *f)
{
	return f->ops.simulate != NULL || f->ops.noise != NULL;
}

um_status um_forward_simulate(um_forward *f, um_rng *rng, const um_array *x, um_array *op, um_array *y,
	um_array *sigma, um_sink *sink)
{
	um_status st = UM_OK;
	if (f->ops.simulate != NULL) {
		um_phase(f->plugin, "simulate");
		return um_in_phase(f->plugin, "simulate", f->ops.simulate(f->self, rng, x, op, y, sigma, sink));
	}
	if (f->ops.noise == NULL)
		return um_fail(UM_EPARAM, "forward/%s cannot simulate measurements: it has neither "
			"simulate() nor noise()", f->plugin->name);
	um_array one = um_array_rows(sigma, 0, 1), op1 = um_array_rows(op, 0, 1);
	um_phase(f->plugin, "noise");
	UM_TRY(um_in_phase(f->plugin, "noise", f->ops.noise(f->self, &one, &op1)));
	for (int64_t b = 1; b < x->dim[0]; b++) {
		memcpy(um_row_d(sigma, b), um_row_d(sigma, 0), sizeof(double) * (size_t)f->info.ny);
		memcpy(um_row_d(op, b), um_row_d(op, 0), sizeof(double) * (size_t)f->info.nop);
	}
	UM_TRY(apply(f, op, x, y));
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int64_t i = 0; i < f->info.ny; i++)
			um_row_d(y, b)[i] += um_row_d(sigma, b)[i] * um_normal(&rng[b]);
out:
	return st;
}

/* q = (a2 Sigma + b2 A A^T) p for one row. */
static um_status normal_matrix(um_forward *f, const um_array *op, const double *sigma, double a2,
	double b2, const um_array *zero, um_array *x, const um_array *p, um_array *q)
{
	um_status st = UM_OK;
	UM_TRY(pullback(f, op, zero, p, x));
	UM_TRY(apply(f, op, x, q));
	const double *pv = p->data;
	double *qv = q->data;
	for (int64_t i = 0; i < f->info.ny; i++)
		qv[i] = b2 * qv[i] + a2 * sigma[i] * sigma[i] * pv[i];
out:
	return st;
}

static double dot(const double *a, const double *b, int64_t n)
{
	double s = 0;
	for (int64_t i = 0; i < n; i++)
		s += a[i] * b[i];
	return s;
}

/* Conjugate gradients (Hestenes and Stiefel 1952), to the accuracy that the float images
 * between A^T and A allow. On a singular system (a2 = 0) the iterates from 0 stay in the
 * range of A, so that they tend to the pseudo-inverse. */
static um_status solve_row(um_forward *f, const um_array *op, const double *sigma, double a2, double b2,
	const double *r, double *out)
{
	enum { MOST = 1000 };
	um_status st = UM_OK;
	const int64_t ny = f->info.ny, dim[2] = { 1, ny };
	um_array zero = { 0 }, x = { 0 }, p = { 0 }, q = { 0 }, g = { 0 };
	UM_TRY(um_env_images(&f->env, 1, &zero));
	UM_TRY(um_env_images(&f->env, 1, &x));
	UM_TRY(um_array_new(&p, UM_F64, 2, dim));
	UM_TRY(um_array_new(&q, UM_F64, 2, dim));
	UM_TRY(um_array_new(&g, UM_F64, 2, dim));
	double *pv = p.data, *qv = q.data, *gv = g.data;
	memset(out, 0, sizeof(double) * (size_t)ny);
	memcpy(pv, r, sizeof(double) * (size_t)ny);
	memcpy(gv, r, sizeof(double) * (size_t)ny);
	double norm = dot(gv, gv, ny), target = 1e-14 * norm;
	for (int k = 0; k < MOST && norm > target; k++) {
		UM_TRY(normal_matrix(f, op, sigma, a2, b2, &zero, &x, &p, &q));
		double pq = dot(pv, qv, ny);
		if (!(pq > 0))
			break;
		for (int64_t i = 0; i < ny; i++) {
			out[i] += norm / pq * pv[i];
			gv[i] -= norm / pq * qv[i];
		}
		double next = dot(gv, gv, ny);
		for (int64_t i = 0; i < ny; i++)
			pv[i] = gv[i] + next / norm * pv[i];
		norm = next;
	}
out:
	um_array_free(&zero);
	um_array_free(&x);
	um_array_free(&p);
	um_array_free(&q);
	um_array_free(&g);
	return st;
}

um_status um_forward_solve(um_forward *f, const um_array *op, const um_array *sigma, double a2, double b2,
	const um_array *r, um_array *out)
{
	if (!f->info.linear)
		return um_fail(UM_EARG, "forward/%s is not linear: it has no normal equations", f->plugin->name);
	if (f->ops.solve != NULL) {
		um_phase(f->plugin, "solve");
		return um_in_phase(f->plugin, "solve", f->ops.solve(f->self, op, sigma, a2, b2, r, out));
	}
	for (int64_t b = 0; b < r->dim[0]; b++) {
		um_array op1 = um_array_rows(op, op->stride[0] ? b : 0, 1);
		um_status st = solve_row(f, &op1, um_row_d(sigma, b), a2, b2, um_row_d(r, b), um_row_d(out, b));
		if (st != UM_OK)
			return st;
	}
	return UM_OK;
}
