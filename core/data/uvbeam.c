/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dirty and clean beams. A Gaussian with covariance C falls to one half where r^T A r = ln 2,
 * A = C^-1 / 2; A is fitted by least squares to the points where rays from the centre cross one
 * half, a q_x^2 + 2 b q_x q_y + c q_y^2 = ln 2 / r^2 for directions q. Convolution multiplies by
 * exp(-2 pi^2 k^T C k) in the Fourier plane (Hogbom 1974, A&AS 15, 417). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/fft.h>
#include <umbra/uvbeam.h>
#include <umbra/uvop.h>

#define PI 3.14159265358979323846
#define SHORT 0.05 /* baseline times field, in cycles, that sees no structure */
#define RAYS 24    /* over half a turn: the beam is the same on the other side */
#define STEPS 25   /* of a ray, per 1/longest baseline */

static double extent(const um_uvfield *f)
{
	return (double)(f->rows > f->columns ? f->rows : f->columns) * f->pixel;
}

static double weight(const um_uvrow *r, const um_uvfield *f)
{
	return hypot(r->u, r->v) * extent(f) < SHORT ? 0 : 1;
}

static um_status nothing(const um_uvfield *f)
{
	return um_fail(UM_EDATA, "no baseline resolves a field of %.3g uas: no beam; make the field larger",
		extent(f) / (PI / 180 / 3600e6));
}

um_status um_uvbeam_image(const um_uvdata *d, const double *re, const double *im,
	const um_uvfield *field, double *out)
{
	const int64_t n = d->nrows;
	um_status st = UM_OK;
	um_uvop *op = NULL;
	const um_uvspec spec = { field->rows, field->columns, field->pixel, UM_DELTA, UM_UV_AUTO, 1e-6 };
	double sum = 0;
	double *uv = calloc((size_t)(4 * n + 1), sizeof(*uv)); /* u v re im */
	if (uv == NULL)
		return um_fail(UM_ENOMEM, "no memory for %lld visibilities", (long long)n);
	for (int64_t i = 0; i < n; i++) {
		double w = weight(&d->rows[i], field);
		uv[i] = d->rows[i].u;
		uv[n + i] = d->rows[i].v;
		uv[2 * n + i] = w * (re != NULL ? re[i] : 1);
		uv[3 * n + i] = re != NULL ? w * im[i] : 0;
		sum += w;
	}
	if (!(sum > 0))
		UM_TRY(nothing(field));
	for (int64_t i = 0; i < 2 * n; i++)
		uv[2 * n + i] /= sum;
	UM_TRY(um_uvop_new(uv, uv + n, n, &spec, &op));
	UM_TRY(um_uvop_adjoint(op, 1, uv + 2 * n, uv + 3 * n, out));
out:
	um_uvop_free(op);
	free(uv);
	return st;
}

/* The dirty beam at l, m radians; w are weights of sum 1. */
static double beam_at(const um_uvdata *d, const double *w, double l, double m)
{
	double sum = 0;
	for (int64_t i = 0; i < d->nrows; i++)
		if (w[i] > 0)
			sum += w[i] * cos(2 * PI * (d->rows[i].u * l + d->rows[i].v * m));
	return sum;
}

/* Where the ray in direction (x, y) falls to one half; end if it does not. */
static double half_power(const um_uvdata *d, const double *w, double x, double y, double end)
{
	const double step = 1 / (STEPS * um_uvdata_longest(d));
	double last = 1;
	for (double r = step; r < end; r += step) {
		double now = beam_at(d, w, r * x, r * y);
		if (now < 0.5)
			return r - step * (0.5 - now) / (last - now);
		last = now;
	}
	return end;
}

/* Solves the normal equations of the three unknowns by Cramer's rule. */
static bool solve3(const double m[3][3], const double b[3], double x[3])
{
	double det = 0;
	for (int i = 0; i < 3; i++)
		det += m[0][i] * (m[1][(i + 1) % 3] * m[2][(i + 2) % 3] - m[1][(i + 2) % 3] * m[2][(i + 1) % 3]);
	for (int k = 0; k < 3; k++) {
		double c[3][3];
		double top = 0;
		memcpy(c, m, sizeof(c));
		for (int i = 0; i < 3; i++)
			c[i][k] = b[i];
		for (int i = 0; i < 3; i++)
			top += c[0][i] * (c[1][(i + 1) % 3] * c[2][(i + 2) % 3] - c[1][(i + 2) % 3] * c[2][(i + 1) % 3]);
		x[k] = top / det;
	}
	return isfinite(x[0]) && isfinite(x[1]) && isfinite(x[2]);
}

/* The curvatures a, b, c of the half-power ellipse. */
static bool fit_ellipse(const um_uvdata *d, const double *w, double end, double a[3])
{
	double m[3][3] = { { 0 } }, b[3] = { 0 };
	for (int k = 0; k < RAYS; k++) {
		double x = cos(PI * k / RAYS), y = sin(PI * k / RAYS);
		double r = half_power(d, w, x, y, end);
		const double q[3] = { x * x, 2 * x * y, y * y };
		double r4 = r * r * r * r; /* weights r^6, so that errors of r weigh alike */
		for (int i = 0; i < 3; i++) {
			for (int j = 0; j < 3; j++)
				m[i][j] += r4 * r * r * q[i] * q[j];
			b[i] += r4 * q[i] * log(2);
		}
	}
	return solve3((const double (*)[3])m, b, a);
}

um_status um_uvbeam_fit(const um_uvdata *d, const um_uvfield *field, um_beam *out)
{
	const double end = 0.5 * extent(field);
	double all = 0, a[3];
	double *w = malloc((size_t)(d->nrows + 1) * sizeof(*w));
	if (w == NULL)
		return um_fail(UM_ENOMEM, "no memory for %lld weights", (long long)d->nrows);
	for (int64_t i = 0; i < d->nrows; i++)
		all += w[i] = weight(&d->rows[i], field);
	for (int64_t i = 0; all > 0 && i < d->nrows; i++)
		w[i] /= all;
	bool good = all > 0 && fit_ellipse(d, w, end, a);
	free(w);
	if (!(all > 0))
		return nothing(field);
	if (!good)
		return um_fail(UM_ENUM, "no Gaussian fits the main lobe of the beam");
	double mean = 0.5 * (a[0] + a[2]), diff = 0.5 * (a[0] - a[2]), root = hypot(diff, a[1]);
	double flat = fmax(mean - root, log(2) / (end * end));
	out->major = 2 * sqrt(log(2) / flat);
	out->minor = 2 * sqrt(log(2) / (mean + root));
	/* the minor axis is at atan2(b, (a - c)/2)/2 from east to north */
	out->angle = remainder(-0.5 * atan2(a[1], diff), PI);
	return UM_OK;
}

um_status um_beam_restore(const um_beam *b, const double *image, const um_uvfield *field, double *out)
{
	const int64_t rows = 2 * field->rows, columns = 2 * field->columns; /* nothing wraps around */
	const double p = field->pixel;
	um_fft2 *f = NULL;
	um_status st = um_fft2_new(rows, columns, &f);
	if (st != UM_OK)
		return st;
	double *x = um_fft2_image(f);
	memset(x, 0, (size_t)(rows * columns) * sizeof(*x));
	for (int64_t i = 0; i < field->rows; i++)
		memcpy(x + i * columns, image + i * field->columns, (size_t)field->columns * sizeof(*x));
	um_fft2_forward(f);
	double s1 = b->major / sqrt(8 * log(2)), s2 = b->minor / sqrt(8 * log(2));
	double east = sin(b->angle), north = cos(b->angle);
	double size = 2 * PI * s1 * s2 / (p * p * (double)(rows * columns));
	double *y = um_fft2_spectrum(f);
	for (int64_t i = 0; i < rows; i++)
		for (int64_t k = 0; k <= columns / 2; k++) {
			double v = (double)(i < rows - i ? i : i - rows) / ((double)rows * p);
			double u = (double)k / ((double)columns * p);
			double k1 = s1 * (u * east + v * north), k2 = s2 * (u * north - v * east);
			double g = size * exp(-2 * PI * PI * (k1 * k1 + k2 * k2));
			y[2 * (i * (columns / 2 + 1) + k)] *= g;
			y[2 * (i * (columns / 2 + 1) + k) + 1] *= g;
		}
	um_fft2_backward(f);
	for (int64_t i = 0; i < field->rows; i++)
		memcpy(out + i * field->columns, x + i * columns, (size_t)field->columns * sizeof(*x));
	um_fft2_free(f);
	return UM_OK;
}
