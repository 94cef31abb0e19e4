/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Low spatial frequencies: the corner block k1, k2 in 0..n-1 of the unnormalised Fourier
 * transform Y(k) = sum_r x(r) exp(-2 pi i (k1 r1/R + k2 r2/C)) of each R x C plane,
 * y = [all Re Y, all Im Y] (Feng et al. 2023, "deblurring"). A real image has
 * Y(-k) = conj Y(k). So with h = R C / 2 the rows of A are orthogonal, |row|^2 = h, except:
 * where k = -k (DC, Nyquist) Re has 2 h and Im has 0; and where k and -k are both kept,
 * their Re rows are equal and their Im rows opposite. Hence A A^T is known exactly. */
#include <math.h>
#include <stdlib.h>
#include <umbra/plugin.h>

struct lowfreq {
	int64_t keep;
	double sigma;
};

static const um_param params[] = {
	UM_PARAM(struct lowfreq, keep, "4", 1, 4096, "", "How many frequencies are kept along each axis, "
		"from zero up; at most the shorter side of the image."),
	UM_PARAM(struct lowfreq, sigma, "1", 1e-12, 1e12, "", "Standard deviation |n| of the complex noise: "
		"real and imaginary parts each have sigma / sqrt(2)."),
};

struct self {
	double sigma;
	int64_t keep, planes, rows, columns, half; /* half of y: the real parts */
	double *down, *across; /* (cos, -sin) of 2 pi k r / R [keep][rows], and along columns */
	double *half_done;     /* [keep][rows] complex: transformed along columns only */
};

static void destroy(void *self)
{
	struct self *f = self;
	free(f->down);
	free(f->across);
	free(f->half_done);
	free(f);
}

static double *phases(int64_t keep, int64_t length)
{
	double *t = calloc((size_t)(2 * keep * length), sizeof(*t));
	for (int64_t k = 0; t != NULL && k < keep; k++)
		for (int64_t r = 0; r < length; r++) {
			int64_t turn = k * r % length;
			double angle = 6.283185307179586 * (double)turn / (double)length;
			t[2 * (k * length + r)] = cos(angle);
			t[2 * (k * length + r) + 1] = 2 * turn % length ? -sin(angle) : 0; /* exact */
		}
	return t;
}

static um_status create(void **self, const void *p_, const um_env *env, um_forward_info *info)
{
	const struct lowfreq *p = p_;
	const int64_t *s = env->shape;
	if (p->keep > s[3] || p->keep > s[4])
		return um_fail(UM_EPARAM, "keep = %lld is more than the image has, %lld x %lld pixels; make it "
			"at most half of the shorter side", (long long)p->keep, (long long)s[4], (long long)s[3]);
	struct self *f = calloc(1, sizeof(*f));
	if (f == NULL)
		return um_fail(UM_ENOMEM, "no memory for lowfreq");
	*f = (struct self){ p->sigma, p->keep, s[0] * s[1] * s[2], s[3], s[4], 0, NULL, NULL, NULL };
	f->half = f->planes * f->keep * f->keep;
	f->down = phases(f->keep, f->rows);
	f->across = phases(f->keep, f->columns);
	f->half_done = calloc((size_t)(2 * f->keep * f->rows), sizeof(double));
	if (f->down == NULL || f->across == NULL || f->half_done == NULL) {
		destroy(f);
		return um_fail(UM_ENOMEM, "no memory for lowfreq");
	}
	info->ny = 2 * f->half;
	info->linear = true;
	*self = f;
	return UM_OK;
}

/* One plane: along columns into half_done[k2][r], then along rows. */
static void transform(struct self *f, const float *x, double *re, double *im)
{
	for (int64_t k2 = 0; k2 < f->keep; k2++)
		for (int64_t r = 0; r < f->rows; r++) {
			const double *w = f->across + 2 * k2 * f->columns;
			double *t = f->half_done + 2 * (k2 * f->rows + r);
			t[0] = t[1] = 0;
			for (int64_t c = 0; c < f->columns; c++) {
				t[0] += w[2 * c] * x[r * f->columns + c];
				t[1] += w[2 * c + 1] * x[r * f->columns + c];
			}
		}
	for (int64_t k1 = 0; k1 < f->keep; k1++)
		for (int64_t k2 = 0; k2 < f->keep; k2++) {
			const double *w = f->down + 2 * k1 * f->rows, *t = f->half_done + 2 * k2 * f->rows;
			double a = 0, b = 0;
			for (int64_t r = 0; r < f->rows; r++) {
				a += w[2 * r] * t[2 * r] - w[2 * r + 1] * t[2 * r + 1];
				b += w[2 * r] * t[2 * r + 1] + w[2 * r + 1] * t[2 * r];
			}
			re[k1 * f->keep + k2] = a;
			im[k1 * f->keep + k2] = b;
		}
}

/* Its transpose: x(r) = Re sum_k conj(w_k(r)) (re + i im)(k). */
static void transpose(struct self *f, const double *re, const double *im, float *x)
{
	for (int64_t k2 = 0; k2 < f->keep; k2++)
		for (int64_t r = 0; r < f->rows; r++) {
			double *t = f->half_done + 2 * (k2 * f->rows + r);
			t[0] = t[1] = 0;
			for (int64_t k1 = 0; k1 < f->keep; k1++) {
				const double *w = f->down + 2 * (k1 * f->rows + r);
				double a = re[k1 * f->keep + k2], b = im[k1 * f->keep + k2];
				t[0] += w[0] * a + w[1] * b;
				t[1] += w[0] * b - w[1] * a;
			}
		}
	for (int64_t r = 0; r < f->rows; r++)
		for (int64_t c = 0; c < f->columns; c++) {
			double sum = 0;
			for (int64_t k2 = 0; k2 < f->keep; k2++) {
				const double *w = f->across + 2 * (k2 * f->columns + c);
				const double *t = f->half_done + 2 * (k2 * f->rows + r);
				sum += w[0] * t[0] + w[1] * t[1];
			}
			x[r * f->columns + c] = (float)sum;
		}
}

static void image_to_data(struct self *f, const um_array *x, um_array *y)
{
	const int64_t pixels = f->rows * f->columns, block = f->keep * f->keep;
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int64_t p = 0; p < f->planes; p++) {
			double *re = um_row_d(y, b) + p * block;
			transform(f, um_row_f(x, b) + p * pixels, re, re + f->half);
		}
}

static um_status apply(void *self, const um_array *op, const um_array *x, const um_array *dx, um_array *y,
	um_array *dy)
{
	(void)op;
	image_to_data(self, x, y);
	if (dx != NULL)
		image_to_data(self, dx, dy);
	return UM_OK;
}

static um_status pullback(void *self, const um_array *op, const um_array *x, const um_array *v, um_array *jtv)
{
	struct self *f = self;
	const int64_t pixels = f->rows * f->columns, block = f->keep * f->keep;
	(void)op, (void)x;
	for (int64_t b = 0; b < jtv->dim[0]; b++)
		for (int64_t p = 0; p < f->planes; p++) {
			const double *re = um_row_d(v, b) + p * block;
			transpose(f, re, re + f->half, um_row_f(jtv, b) + p * pixels);
		}
	return UM_OK;
}

static um_status noise(void *self, um_array *sigma, um_array *op)
{
	const struct self *f = self;
	(void)op;
	for (int64_t i = 0; i < 2 * f->half; i++)
		um_row_d(sigma, 0)[i] = f->sigma / sqrt(2);
	return UM_OK;
}

/* Solves (diag(d, e) + g [[1, s], [s, 1]]) (x, y) = (r, q), s = 1 or -1; first element only.
 * With d = e = 0 the pseudo-inverse [[1, s], [s, 1]] / (4 g). */
static double solve_pair(double d, double e, double g, double s, double r, double q)
{
	if (d == 0 && e == 0)
		return (r + s * q) / (4 * g);
	return ((e + g) * r - s * g * q) / (d * e + g * (d + e));
}

/* One row of y. i and j are the places of k and -k in a plane, in the real or imaginary part. */
static void solve_row(const struct self *f, const double *sigma, double a2, double b2, const double *r,
	double *out)
{
	const int64_t n = f->keep, block = n * n;
	const double h = b2 * (double)(f->rows * f->columns) / 2;
	for (int64_t i = 0; i < 2 * f->half; i++) {
		int64_t k = i % f->half % block, k1 = k / n, k2 = k % n;
		int64_t m1 = (f->rows - k1) % f->rows, m2 = (f->columns - k2) % f->columns;
		int64_t j = i - k + m1 * n + m2;
		bool imaginary = i >= f->half;
		double d = a2 * sigma[i] * sigma[i];
		if (m1 >= n || m2 >= n)
			out[i] = r[i] / (d + h);
		else if (j != i)
			out[i] = solve_pair(d, a2 * sigma[j] * sigma[j], h, imaginary ? -1 : 1, r[i], r[j]);
		else if (!imaginary)
			out[i] = r[i] / (d + 2 * h);
		else
			out[i] = d > 0 ? r[i] / d : 0;
	}
}

static um_status solve(void *self, const um_array *op, const um_array *sigma, double a2, double b2,
	const um_array *r, um_array *out)
{
	(void)op;
	for (int64_t b = 0; b < r->dim[0]; b++)
		solve_row(self, um_row_d(sigma, b), a2, b2, um_row_d(r, b), um_row_d(out, b));
	return UM_OK;
}

static const um_forward_ops ops = {
	.create = create, .destroy = destroy, .apply = apply, .pullback = pullback, .noise = noise,
	.solve = solve,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "lowfreq", "1.0",
	"The lowest non-negative spatial frequencies of the image, with noise.",
	"Feng et al. 2023, Score-based diffusion models as principled priors for inverse imaging, "
	"arXiv:2304.11751",
	UM_PARAMS(struct lowfreq, params), UM_OPS(ops),
};
