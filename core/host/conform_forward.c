/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Forward models: the derivative is the derivative of f, the transpose its transpose, and
 * what is optional agrees with what is not. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "host/conform.h"

/* Typical sigma and op, each one shared row; sigma = 1 where the model says nothing. */
static um_status noise(struct fixture *f, um_array **sigma, um_array **op)
{
	const um_forward_info *info = &f->forward.info;
	um_status st = UM_OK;
	*sigma = conform_rows(f, 1, info->ny);
	*op = conform_rows(f, 1, info->nop);
	if (f->forward.ops.noise != NULL) {
		UM_TRY(f->forward.ops.noise(f->forward.self, *sigma, *op));
	} else if (info->measurements > 0) {
		um_array *y = conform_rows(f, info->measurements, info->ny);
		um_array *s = conform_rows(f, info->measurements, info->ny);
		um_array *o = conform_rows(f, info->measurements, info->nop);
		UM_TRY(f->forward.ops.data(f->forward.self, y, s, o));
		memcpy((*sigma)->data, s->data, sizeof(double) * (size_t)info->ny);
		memcpy((*op)->data, o->data, sizeof(double) * (size_t)info->nop);
	} else {
		um_array_fill(*sigma, 1);
		um_array_fill(*op, 1);
	}
	UM_TRY(conform_finite(*sigma, "sigma"));
	UM_TRY(conform_finite(*op, "op"));
	(*sigma)->stride[0] = (*op)->stride[0] = 0;
out:
	return st;
}

static um_status apply(struct fixture *f, const um_array *op, const um_array *x, um_array *y)
{
	return f->forward.ops.apply(f->forward.self, op, x, NULL, y, NULL);
}

static um_status pull(struct fixture *f, const um_array *op, const um_array *x, const um_array *v, um_array *out)
{
	return f->forward.ops.pullback(f->forward.self, op, x, v, out);
}

/* dy = f(x + h v) - f(x - h v), and the step d that was really taken. */
static um_status difference(struct fixture *f, const um_array *op, const um_array *x, const um_array *v,
	double h, um_array *d, um_array *dy)
{
	um_status st = UM_OK;
	um_array *up = conform_images(f, 1), *down = conform_images(f, 1);
	um_array *low = conform_rows(f, 1, f->forward.info.ny);
	conform_step(x, v, h, up, down, d);
	UM_TRY(apply(f, op, up, dy));
	UM_TRY(apply(f, op, down, low));
	for (int64_t i = 0; i < f->forward.info.ny; i++)
		um_row_d(dy, 0)[i] -= um_row_d(low, 0)[i];
out:
	return st;
}

static um_status check_written(struct fixture *f)
{
	um_status st = UM_OK;
	const int64_t ny = f->forward.info.ny;
	um_array *sigma, *op;
	UM_TRY(noise(f, &sigma, &op));
	um_array *x = conform_point(f, 1, true, 0), *dx = conform_normal(f, 1, 0);
	um_array *y = conform_rows(f, 1, ny), *dy = conform_rows(f, 1, ny), *jtv = conform_images(f, 1);
	UM_TRY(f->forward.ops.apply(f->forward.self, op, x, dx, y, dy));
	UM_TRY(conform_finite(y, "y of apply"));
	UM_TRY(conform_finite(dy, "dy of apply"));
	UM_TRY(pull(f, op, x, conform_normal_rows(f, 1, ny, 0), jtv));
	UM_TRY(conform_finite(jtv, "jtv of pullback"));
out:
	return st;
}

static um_status check_tangent(struct fixture *f)
{
	um_status st = UM_OK;
	const int64_t ny = f->forward.info.ny;
	um_array *sigma, *op;
	UM_TRY(noise(f, &sigma, &op));
	um_array *x = conform_point(f, 1, true, 1), *v = conform_normal(f, 1, 1), *d = conform_images(f, 1);
	um_array *y = conform_rows(f, 1, ny), *dy = conform_rows(f, 1, ny), *want = conform_rows(f, 1, ny);
	for (int k = 0; k < CONFORM_STEPS; k++) {
		UM_TRY(difference(f, op, x, v, conform_steps[k], d, want));
		UM_TRY(f->forward.ops.apply(f->forward.self, op, x, d, y, dy));
		st = conform_same(dy, want, 1e-4, "dy against differences of y");
		if (st == UM_OK)
			break;
	}
out:
	return st;
}

/* <J v, w> with J v by differences, so that a wrong tangent is not blamed on the adjoint. */
static um_status check_adjoint(struct fixture *f)
{
	um_status st = UM_OK;
	const int64_t ny = f->forward.info.ny;
	um_array *sigma, *op;
	UM_TRY(noise(f, &sigma, &op));
	um_array *x = conform_point(f, 1, true, 2), *v = conform_normal(f, 1, 2), *d = conform_images(f, 1);
	um_array *jv = conform_rows(f, 1, ny), *jtw = conform_images(f, 1), *w = conform_normal_rows(f, 1, ny, 2);
	UM_TRY(pull(f, op, x, w, jtw));
	for (int k = 0; k < CONFORM_STEPS; k++) {
		UM_TRY(difference(f, op, x, v, conform_steps[k], d, jv));
		double scale = conform_norm(jv) * conform_norm(w) / sqrt((double)ny);
		st = conform_near(conform_dot(d, jtw), conform_dot(jv, w), 1e-4, scale, "<v, J^T w> against <J v, w>");
		if (st == UM_OK)
			break;
	}
out:
	return st;
}

static const char *not_linear(const struct fixture *f)
{
	return f->forward.info.linear ? NULL : "not linear";
}

static um_status check_linear(struct fixture *f)
{
	um_status st = UM_OK;
	const int64_t ny = f->forward.info.ny;
	um_array *sigma, *op;
	UM_TRY(noise(f, &sigma, &op));
	um_array *x = conform_point(f, 1, true, 3), *z = conform_normal(f, 1, 3), *sum = conform_images(f, 1);
	um_array *fx = conform_rows(f, 1, ny), *fz = conform_rows(f, 1, ny), *fsum = conform_rows(f, 1, ny);
	for (int64_t i = 0; i < f->n; i++) /* powers of two: no rounding but in the sum */
		um_row_f(sum, 0)[i] = 2 * um_row_f(x, 0)[i] - 0.5f * um_row_f(z, 0)[i];
	UM_TRY(apply(f, op, x, fx));
	UM_TRY(apply(f, op, z, fz));
	UM_TRY(apply(f, op, sum, fsum));
	for (int64_t i = 0; i < ny; i++)
		um_row_d(fx, 0)[i] = 2 * um_row_d(fx, 0)[i] - 0.5 * um_row_d(fz, 0)[i];
	st = conform_same(fsum, fx, 1e-5, "f(2 x - z/2) against 2 f(x) - f(z)/2");
out:
	return st;
}

static um_status positive(const um_array *sigma)
{
	um_status st = conform_finite(sigma, "sigma");
	for (int64_t i = 0; i < um_array_len(sigma) && st == UM_OK; i++)
		if (!(((const double *)sigma->data)[i] > 0))
			st = um_fail(UM_EPLUGIN, "sigma: element %lld is %g", (long long)i,
				((const double *)sigma->data)[i]);
	return st;
}

static const char *no_simulation(const struct fixture *f)
{
	return um_forward_simulates(&f->forward) ? NULL : "not offered";
}

static um_status check_simulate(struct fixture *f)
{
	um_status st = UM_OK;
	const um_forward_info *info = &f->forward.info;
	um_array *x = conform_point(f, 1, true, 4), *y[2];
	um_memory kept = { 0 };
	um_sink sink = um_memory_sink(&kept);
	for (int k = 0; k < 2; k++) {
		um_array *sigma = conform_rows(f, 1, info->ny), *op = conform_rows(f, 1, info->nop);
		y[k] = conform_rows(f, 1, info->ny);
		UM_TRY(um_forward_simulate(&f->forward, conform_rngs(f, 1), x, op, y[k], sigma, &sink));
		UM_TRY(positive(sigma));
		UM_TRY(conform_finite(y[k], "y"));
		UM_TRY(conform_finite(op, "op"));
	}
	UM_TRY(conform_bytes(y[0], y[1], "y, twice with one random stream"));
out:
	um_memory_free(&kept);
	return st;
}

static const char *no_data(const struct fixture *f)
{
	return f->forward.info.measurements == 0 ? "no files of its own" : NULL;
}

static um_status check_data(struct fixture *f)
{
	um_status st = UM_OK;
	const um_forward_info *info = &f->forward.info;
	um_array *y = conform_rows(f, info->measurements, info->ny);
	um_array *sigma = conform_rows(f, info->measurements, info->ny);
	um_array *op = conform_rows(f, info->measurements, info->nop);
	UM_TRY(f->forward.ops.data(f->forward.self, y, sigma, op));
	UM_TRY(conform_finite(y, "y"));
	UM_TRY(positive(sigma));
	UM_TRY(conform_finite(op, "op"));
out:
	return st;
}

/* A measurement that fits x to within its noise. */
static um_status observe(struct fixture *f, const um_array *op, const um_array *sigma, const um_array *x,
	um_array *y)
{
	um_status st = apply(f, op, x, y);
	um_array *n = conform_normal_rows(f, 1, f->forward.info.ny, 9);
	for (int64_t i = 0; i < f->forward.info.ny; i++)
		um_row_d(y, 0)[i] += um_row_d(sigma, 0)[i] * um_row_d(n, 0)[i];
	y->stride[0] = 0;
	return st;
}

static const char *no_loglike(const struct fixture *f)
{
	return f->forward.ops.loglike == NULL ? "not offered: the host's Gaussian one" : NULL;
}

struct measured {
	const um_array *op, *y, *sigma;
};

static um_status loglike(struct fixture *f, const void *context, const um_array *x, double *ll)
{
	const struct measured *m = context;
	return f->forward.ops.loglike(f->forward.self, m->op, x, m->y, m->sigma, ll, NULL);
}

static um_status check_loglike(struct fixture *f)
{
	um_status st = UM_OK;
	um_array *sigma, *op;
	double ll = NAN;
	UM_TRY(noise(f, &sigma, &op));
	um_array *x = conform_point(f, 1, true, 5), *v = conform_normal(f, 1, 5), *g = conform_images(f, 1);
	um_array *y = conform_rows(f, 1, f->forward.info.ny);
	UM_TRY(observe(f, op, sigma, conform_point(f, 1, true, 6), y));
	UM_TRY(f->forward.ops.loglike(f->forward.self, op, x, y, sigma, &ll, g));
	UM_TRY(conform_numbers(&ll, 1, "ll"));
	UM_TRY(conform_finite(g, "dx"));
	st = conform_gradient(f, x, g, v, loglike, &(struct measured){ op, y, sigma });
out:
	return st;
}

/* q = (a2 Sigma + b2 A A^T) p. */
static um_status normal(struct fixture *f, const um_array *op, const um_array *sigma, double a2, double b2,
	const um_array *p, um_array *q)
{
	um_status st = UM_OK;
	um_array *x = conform_images(f, 1);
	UM_TRY(pull(f, op, conform_point(f, 1, true, 0), p, x));
	UM_TRY(apply(f, op, x, q));
	for (int64_t i = 0; i < f->forward.info.ny; i++)
		um_row_d(q, 0)[i] = b2 * um_row_d(q, 0)[i] + a2 * pow(um_row_d(sigma, 0)[i], 2) * um_row_d(p, 0)[i];
out:
	return st;
}

/* An a2 for which noise and A A^T weigh the same, so that float images between A^T and A do
 * not decide the outcome. */
static um_status balance(struct fixture *f, const um_array *op, const um_array *sigma, double *a2)
{
	const int64_t ny = f->forward.info.ny;
	um_array *w = conform_normal_rows(f, 1, ny, 7), *q = conform_rows(f, 1, ny);
	um_status st = normal(f, op, sigma, 0, 1, w, q);
	*a2 = fabs(conform_dot(w, q)) / conform_dot(w, w) / (conform_dot(sigma, sigma) / (double)ny);
	return st;
}

static const char *no_solve(const struct fixture *f)
{
	const char *why = not_linear(f);
	return why == NULL && f->forward.ops.solve == NULL ? "not offered: the host's conjugate gradients" : why;
}

static um_status check_solve(struct fixture *f)
{
	um_status st = UM_OK;
	const int64_t ny = f->forward.info.ny;
	um_array *given, *op, *sigma = conform_rows(f, 1, ny);
	double a2;
	UM_TRY(noise(f, &given, &op));
	um_array *r = conform_normal_rows(f, 1, ny, 8), *p = conform_rows(f, 1, ny), *q = conform_rows(f, 1, ny);
	for (int uneven = 0; uneven < 2; uneven++) {
		for (int64_t i = 0; i < ny; i++)
			um_row_d(sigma, 0)[i] = um_row_d(given, 0)[i] * (uneven && i % 2 ? 1.5 : 1);
		UM_TRY(balance(f, op, sigma, &a2));
		UM_TRY(f->forward.ops.solve(f->forward.self, op, sigma, 0.5 * a2, 1.5, r, p));
		UM_TRY(conform_finite(p, "out"));
		UM_TRY(normal(f, op, sigma, 0.5 * a2, 1.5, p, q));
		UM_TRY(conform_same(q, r, 1e-4, uneven ? "(a2 Sigma + b2 A A^T) solve(r) against r, noise uneven" :
			"(a2 Sigma + b2 A A^T) solve(r) against r"));
	}
out:
	return st;
}

/* With M = A A^T and P = solve at a2 = 0: M P M w = M w, and P M P r = P r. */
static um_status check_pseudo(struct fixture *f)
{
	um_status st = UM_OK;
	const int64_t ny = f->forward.info.ny;
	um_array *sigma, *op;
	UM_TRY(noise(f, &sigma, &op));
	um_array *r = conform_rows(f, 1, ny), *p = conform_rows(f, 1, ny), *q = conform_rows(f, 1, ny);
	UM_TRY(apply(f, op, conform_point(f, 1, false, 8), r));
	UM_TRY(f->forward.ops.solve(f->forward.self, op, sigma, 0, 1, r, p));
	UM_TRY(conform_finite(p, "out"));
	UM_TRY(normal(f, op, sigma, 0, 1, p, q));
	UM_TRY(conform_same(q, r, 1e-3, "A A^T solve(r) against r = A x"));
	r = conform_normal_rows(f, 1, ny, 10);
	UM_TRY(f->forward.ops.solve(f->forward.self, op, sigma, 0, 1, r, p));
	UM_TRY(normal(f, op, sigma, 0, 1, p, q));
	um_array *again = conform_rows(f, 1, ny);
	UM_TRY(f->forward.ops.solve(f->forward.self, op, sigma, 0, 1, q, again));
	UM_TRY(conform_same(again, p, 1e-3, "solve(A A^T solve(r)) against solve(r)"));
out:
	return st;
}

static const char *no_stats(const struct fixture *f)
{
	return f->forward.ops.stats == NULL ? "not offered: the host's chi2" : NULL;
}

static um_status check_stats(struct fixture *f)
{
	um_status st = UM_OK;
	const int n = f->forward.info.nstats;
	um_array *sigma, *op;
	UM_TRY(noise(f, &sigma, &op));
	um_array *x = conform_point(f, 1, true, 11), *y = conform_rows(f, 1, f->forward.info.ny);
	double *v = conform_doubles(f, n);
	UM_TRY(observe(f, op, sigma, x, y));
	for (int i = 0; i < n; i++)
		if (f->forward.info.stats == NULL || f->forward.info.stats[i] == NULL)
			UM_TRY(um_fail(UM_EPLUGIN, "info.stats[%d] has no name", i));
	UM_TRY(f->forward.ops.stats(f->forward.self, op, x, y, sigma, v));
	UM_TRY(conform_numbers(v, n, "values"));
out:
	return st;
}

static const char *no_plot(const struct fixture *f)
{
	return f->forward.ops.plot == NULL ? "not offered" : NULL;
}

static um_status check_plot(struct fixture *f)
{
	um_status st = UM_OK;
	um_array *sigma, *op;
	um_memory kept = { 0 };
	um_sink sink = um_memory_sink(&kept);
	UM_TRY(noise(f, &sigma, &op));
	um_array *y = conform_rows(f, 1, f->forward.info.ny);
	UM_TRY(observe(f, op, sigma, conform_point(f, 1, true, 12), y));
	UM_TRY(f->forward.ops.plot(f->forward.self, op, conform_point(f, CONFORM_BATCH, true, 13), y, sigma, &sink));
out:
	um_memory_free(&kept);
	return st;
}

static const char *no_calibration(const struct fixture *f)
{
	return f->forward.ops.calibrate == NULL ? "not offered" : f->forward.info.nop == 0 ? "no operator parameters" : NULL;
}

/* From op as it is before anything is known, with a measurement of another image whose parameters
 * differ: the likelihood does not fall, and the same call gives the same bytes. */
static um_status check_calibrate(struct fixture *f)
{
	um_status st = UM_OK;
	const um_forward_info *info = &f->forward.info;
	um_array *sigma, *op, *best[2], *x = conform_point(f, 1, true, 17);
	double ll[2], lp[2] = { NAN, NAN };
	UM_TRY(noise(f, &sigma, &op));
	um_array *y = conform_rows(f, 1, info->ny), *other = conform_normal_rows(f, 1, info->nop, 17);
	for (int64_t i = 0; i < info->nop; i++)
		um_row_d(other, 0)[i] = um_row_d(op, 0)[i] + 0.1 * um_row_d(other, 0)[i];
	UM_TRY(observe(f, other, sigma, x, y));
	for (int k = 0; k < 2; k++) {
		best[k] = conform_rows(f, 1, info->nop);
		memcpy(best[k]->data, op->data, sizeof(double) * (size_t)info->nop);
		UM_TRY(um_forward_loglike(&f->forward, best[k], x, y, sigma, &ll[0], NULL));
		UM_TRY(f->forward.ops.calibrate(f->forward.self, x, y, sigma, best[k], &lp[k], NULL));
		UM_TRY(conform_finite(best[k], "op"));
	}
	UM_TRY(conform_numbers(lp, 2, "lp"));
	UM_TRY(conform_bytes(best[0], best[1], "op, twice from one image"));
	UM_TRY(um_forward_loglike(&f->forward, best[0], x, y, sigma, &ll[1], NULL));
	if (!(ll[1] >= ll[0] - 1e-9 * fabs(ll[0])))
		UM_TRY(um_fail(UM_EPLUGIN, "log p(y | x, op) falls from %.9g to %.9g", ll[0], ll[1]));
out:
	return st;
}

/* Everything that a batch of images yields, in one row of numbers each. */
static um_status everything(struct fixture *f, const um_array *x, const um_array *v, const um_array *w,
	um_array *op, um_array *sigma, um_array *y0, int64_t first, um_array **out)
{
	um_status st = UM_OK;
	const int64_t count = x->dim[0], ny = f->forward.info.ny;
	um_array *y = conform_rows(f, count, ny), *dy = conform_rows(f, count, ny), *jtv = conform_images(f, count);
	um_array *g = conform_images(f, count);
	double *ll = conform_doubles(f, count);
	op->dim[0] = sigma->dim[0] = y0->dim[0] = count; /* one shared row */
	UM_TRY(f->forward.ops.apply(f->forward.self, op, x, v, y, dy));
	UM_TRY(pull(f, op, x, w, jtv));
	UM_TRY(um_forward_loglike(&f->forward, op, x, y0, sigma, ll, g));
	for (int64_t b = 0; b < count; b++) {
		double *row[] = { um_row_d(out[0], first + b), um_row_d(out[1], first + b), um_row_d(out[2], first + b),
			um_row_d(out[3], first + b), um_row_d(out[4], first + b) };
		memcpy(row[0], um_row_d(y, b), sizeof(double) * (size_t)ny);
		memcpy(row[1], um_row_d(dy, b), sizeof(double) * (size_t)ny);
		for (int64_t i = 0; i < f->n; i++) {
			row[2][i] = um_row_f(jtv, b)[i];
			row[3][i] = um_row_f(g, b)[i];
		}
		row[4][0] = ll[b];
	}
out:
	return st;
}

static um_status check_batch(struct fixture *f)
{
	static const char *const names[] = { "y of apply", "dy of apply", "pullback", "gradient of loglike",
		"loglike" };
	um_status st = UM_OK;
	const int64_t ny = f->forward.info.ny, width[] = { ny, ny, f->n, f->n, 1 };
	um_array *sigma, *op, *all[5], *each[5], *y = conform_rows(f, 1, ny);
	UM_TRY(noise(f, &sigma, &op));
	um_array *x = conform_point(f, CONFORM_BATCH, true, 14), *v = conform_normal(f, CONFORM_BATCH, 14);
	um_array *w = conform_normal_rows(f, CONFORM_BATCH, ny, 14);
	UM_TRY(observe(f, op, sigma, conform_point(f, 1, true, 15), y));
	for (int k = 0; k < 5; k++) {
		all[k] = conform_rows(f, CONFORM_BATCH, width[k]);
		each[k] = conform_rows(f, CONFORM_BATCH, width[k]);
	}
	UM_TRY(everything(f, x, v, w, op, sigma, y, 0, all));
	for (int64_t b = 0; b < CONFORM_BATCH; b++) {
		um_array x1 = um_array_rows(x, b, 1), v1 = um_array_rows(v, b, 1), w1 = um_array_rows(w, b, 1);
		UM_TRY(everything(f, &x1, &v1, &w1, op, sigma, y, b, each));
	}
	for (int k = 0; k < 5; k++)
		UM_TRY(conform_same(all[k], each[k], 1e-6, names[k]));
out:
	return st;
}

/* A second instance, and one made after the first two were destroyed, give the same bytes. */
static um_status check_instances(struct fixture *f)
{
	um_status st = UM_OK;
	const int64_t ny = f->forward.info.ny;
	um_array *sigma, *op, *want = conform_rows(f, 1, ny), *x = conform_point(f, 1, true, 16);
	UM_TRY(noise(f, &sigma, &op));
	UM_TRY(apply(f, op, x, want));
	for (int k = 0; k < 2; k++) {
		struct fixture other;
		um_array *y = conform_rows(f, 1, ny), *again = conform_rows(f, 1, ny);
		UM_TRY(conform_instance(f->b, &f->env, &other));
		st = other.forward.info.ny == ny ? UM_OK : um_fail(UM_EPLUGIN, "the length of y differs");
		if (st == UM_OK)
			st = apply(&other, op, x, y);
		if (st == UM_OK)
			st = apply(f, op, x, again);
		conform_close(&other);
		UM_TRY(st);
		UM_TRY(conform_bytes(y, want, "y of two instances"));
		UM_TRY(conform_bytes(again, want, "y before and after another instance"));
	}
out:
	return st;
}

/* y and the transpose of the derivative at x, one behind the other. */
static um_status both(struct fixture *own, struct fixture *f, um_array *out)
{
	um_status st = UM_OK;
	const int64_t ny = own->forward.info.ny;
	um_array *sigma, *op, *x = conform_point(f, 1, true, 16), *jtv = conform_images(f, 1);
	um_array y = um_array_view(out->data, UM_F64, 2, (const int64_t[]){ 1, ny });
	UM_TRY(noise(own, &sigma, &op));
	UM_TRY(apply(own, op, x, &y));
	UM_TRY(pull(own, op, x, &y, jtv));
	for (int64_t i = 0; i < f->n; i++)
		um_row_d(out, 0)[ny + i] = um_row_f(jtv, 0)[i];
out:
	return st;
}

static um_status see_alone(struct fixture *f, um_array **out)
{
	um_status st = UM_OK;
	struct fixture own = { 0 };
	UM_TRY(conform_instance(f->b, &f->env, &own));
	*out = conform_rows(f, 1, own.forward.info.ny + f->n);
	st = both(&own, f, *out);
out:
	conform_close(&own);
	return st;
}

static um_status check_threads(struct fixture *f)
{
	return conform_threads(f, see_alone);
}

static const struct check checks[] = {
	{ "instances", check_instances, NULL }, { "instances in threads", check_threads, NULL },
	{ "outputs", check_written, NULL }, { "tangent", check_tangent, NULL }, { "adjoint", check_adjoint, NULL },
	{ "linear", check_linear, not_linear }, { "simulate", check_simulate, no_simulation }, { "data", check_data, no_data },
	{ "gradient of loglike", check_loglike, no_loglike }, { "solve", check_solve, no_solve },
	{ "pseudo-inverse", check_pseudo, no_solve }, { "stats", check_stats, no_stats }, { "plot", check_plot, no_plot },
	{ "calibrate", check_calibrate, no_calibration }, { "batch = loop", check_batch, NULL },
};

void conform_forward(struct battery *b, struct fixture *f, int n)
{
	conform_run(b, f, n, checks, sizeof(checks) / sizeof(*checks));
}
