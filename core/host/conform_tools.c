/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Test points, poisoned outputs and comparisons of the conformance battery. */
#include <math.h>
#include <string.h>
#include "base/mem.h"
#include "host/conform.h"

static void *take(struct fixture *f, size_t bytes)
{
	f->memory = um_grow(f->memory, sizeof(*f->memory) * (size_t)(f->npool + 1));
	return f->memory[f->npool++] = um_new(bytes);
}

static um_array *take_array(struct fixture *f, um_dtype type, int rank, const int64_t dim[])
{
	um_array *a = take(f, sizeof(*a));
	*a = um_array_view(NULL, type, rank, dim);
	a->data = conform_guarded(f, (size_t)um_array_len(a) * (type == UM_F32 ? sizeof(float) : sizeof(double)));
	um_array_fill(a, NAN);
	return a;
}

um_array *conform_images(struct fixture *f, int64_t count)
{
	const int64_t *s = f->env.shape;
	return take_array(f, UM_F32, 6, (const int64_t[]){ count, s[0], s[1], s[2], s[3], s[4] });
}

um_array *conform_rows(struct fixture *f, int64_t count, int64_t n)
{
	return take_array(f, UM_F64, 2, (const int64_t[]){ count, n });
}

double *conform_doubles(struct fixture *f, int64_t n)
{
	return take_array(f, UM_F64, 1, &n)->data;
}

um_rng *conform_rngs(struct fixture *f, int64_t count)
{
	um_rng *r = take(f, sizeof(*r) * (size_t)count);
	for (int64_t i = 0; i < count; i++)
		r[i] = um_rng_new(f->env.seed, "conform", (uint64_t)i);
	return r;
}

um_array *conform_point(struct fixture *f, int64_t count, bool positive, uint64_t stream)
{
	um_array *x = conform_images(f, count);
	um_rng r = um_rng_new(f->env.seed, positive ? "positive" : "point", stream);
	for (int64_t i = 0; i < um_array_len(x); i++)
		((float *)x->data)[i] = (float)(positive ? 0.2 + um_uniform(&r) : 0.7 * um_normal(&r));
	return x;
}

um_array *conform_normal(struct fixture *f, int64_t count, uint64_t stream)
{
	um_array *v = conform_images(f, count);
	um_rng r = um_rng_new(f->env.seed, "direction", stream);
	for (int64_t i = 0; i < um_array_len(v); i++)
		((float *)v->data)[i] = (float)um_normal(&r);
	return v;
}

um_array *conform_normal_rows(struct fixture *f, int64_t count, int64_t n, uint64_t stream)
{
	um_array *v = conform_rows(f, count, n);
	um_rng r = um_rng_new(f->env.seed, "rows", stream);
	um_normal_fill(&r, v->data, count * n);
	return v;
}

/* The difference of two nearby floats is a float: nothing is lost. */
void conform_step(const um_array *x, const um_array *v, double h, um_array *up, um_array *down, um_array *d)
{
	const float *xv = x->data, *vv = v->data;
	float *u = up->data, *l = down->data, *dv = d->data;
	for (int64_t i = 0; i < um_array_len(x); i++) {
		u[i] = (float)(xv[i] + h * vv[i]);
		l[i] = (float)(xv[i] - h * vv[i]);
		dv[i] = u[i] - l[i];
	}
}

const double conform_steps[CONFORM_STEPS] = { 1e-5, 1e-4, 1e-3, 1e-2 };

static double element(const um_array *a, int64_t i)
{
	return a->dtype == UM_F32 ? ((const float *)a->data)[i] : ((const double *)a->data)[i];
}

double conform_dot(const um_array *a, const um_array *b)
{
	double sum = 0;
	for (int64_t i = 0; i < um_array_len(a); i++)
		sum += element(a, i) * element(b, i);
	return sum;
}

double conform_norm(const um_array *a)
{
	return sqrt(conform_dot(a, a));
}

static um_status within(double got, double want, double allowed, const char *what)
{
	double off = fabs(got - want);
	if (off <= allowed)
		return UM_OK;
	return um_fail(UM_EPLUGIN, "%s: %.6g against %.6g (they differ by %.1e, allowed are %.1e)", what, got,
		want, off, allowed);
}

um_status conform_near(double got, double want, double tol, double scale, const char *what)
{
	return within(got, want, tol * fmax(fmax(fabs(got), fabs(want)), scale), what);
}

um_status conform_same(const um_array *a, const um_array *b, double tol, const char *what)
{
	double off = 0, worst = 0;
	int64_t where = 0;
	for (int64_t i = 0; i < um_array_len(a); i++) {
		double d = fabs(element(a, i) - element(b, i));
		off += d * d;
		if (!(d <= worst)) {
			worst = d;
			where = i;
		}
	}
	double size = fmax(conform_norm(a), conform_norm(b));
	if (sqrt(off) <= tol * size)
		return UM_OK;
	return um_fail(UM_EPLUGIN, "%s: element %lld is %.6g against %.6g (relative distance of all %.1e, "
		"allowed %.1e)", what, (long long)where, element(a, where), element(b, where),
		sqrt(off) / size, tol);
}

um_status conform_gradient(struct fixture *f, const um_array *x, const um_array *g, const um_array *v,
	um_status (*value)(struct fixture *f, const void *context, const um_array *x, double *out), const void *context)
{
	um_status st = UM_OK;
	um_array *up = conform_images(f, 1), *down = conform_images(f, 1), *d = conform_images(f, 1);
	double rounding = 0; /* of the values: smaller steps miss by no more. A wrong gradient misses by as much as h, ten times more */
	for (int k = 0; k < CONFORM_STEPS; k++) {
		double at[2] = { NAN, NAN }, slope = 0, change = 0;
		for (int far = 0; far < 2; far++) {
			const double weight = far ? -1.0 / 6 : 4.0 / 3; /* with these, terms of h^3 cancel */
			conform_step(x, v, conform_steps[k] * (1 + far), up, down, d);
			UM_TRY(value(f, context, up, &at[0]));
			UM_TRY(value(f, context, down, &at[1]));
			slope += weight * conform_dot(g, d);
			change += weight * (at[0] - at[1]);
		}
		double size = fmax(fabs(slope), conform_norm(g) * conform_norm(d) / (2 * sqrt((double)f->n)));
		st = within(slope, change, 1e-3 * size + 4 * rounding, "gradient against differences");
		if (st == UM_OK)
			break;
		rounding = fmax(rounding, fabs(slope - change));
	}
out:
	return st;
}

um_status conform_finite(const um_array *a, const char *what)
{
	for (int64_t i = 0; i < um_array_len(a); i++)
		if (!isfinite(element(a, i)))
			return um_fail(UM_EPLUGIN, "%s: element %lld is %g or was not written", what, (long long)i,
				element(a, i));
	return UM_OK;
}

um_status conform_numbers(const double *v, int64_t n, const char *what)
{
	for (int64_t i = 0; i < n; i++)
		if (!isfinite(v[i]))
			return um_fail(UM_EPLUGIN, "%s: number %lld is %g or was not written", what, (long long)i, v[i]);
	return UM_OK;
}

um_status conform_bytes(const um_array *a, const um_array *b, const char *what)
{
	const size_t size = a->dtype == UM_F32 ? sizeof(float) : sizeof(double);
	for (int64_t i = 0; i < um_array_len(a); i++)
		if (memcmp((char *)a->data + size * (size_t)i, (char *)b->data + size * (size_t)i, size) != 0)
			return um_fail(UM_EPLUGIN, "%s: element %lld is %.9g one time and %.9g the other", what,
				(long long)i, element(a, i), element(b, i));
	return UM_OK;
}
