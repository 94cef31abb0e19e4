/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fourier samples through FFTs of real images, whose half spectrum has k2 <= columns / 2. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/kspace.h>

static int64_t negative(const um_kspace *k, int64_t place)
{
	const int64_t k1 = place / k->columns, k2 = place % k->columns;
	return (k->rows - k1) % k->rows * k->columns + (k->columns - k2) % k->columns;
}

/* Which samples are at -k; there is room for one number a pixel at where. */
static um_status find_mirrors(um_kspace *k, int64_t *where)
{
	const int64_t pixels = k->rows * k->columns;
	for (int64_t i = 0; i < pixels; i++)
		where[i] = -1;
	for (int64_t i = 0; i < k->n; i++) {
		if (k->place[i] < 0 || k->place[i] >= pixels || where[k->place[i]] >= 0)
			return um_fail(UM_EARG, "frequency %lld of %lld is out of range or there twice", (long long)i,
				(long long)k->n);
		where[k->place[i]] = i;
	}
	for (int64_t i = 0; i < k->n; i++)
		k->mirror[i] = where[negative(k, k->place[i])];
	return UM_OK;
}

um_status um_kspace_new(int64_t planes, int64_t rows, int64_t columns, double scale, int64_t n,
	const int64_t *place, um_kspace *out)
{
	um_status st = UM_OK;
	int64_t *where = malloc(sizeof(*where) * (size_t)(rows * columns));
	*out = (um_kspace){ .rows = rows, .columns = columns, .planes = planes, .n = n, .scale = scale };
	out->place = malloc(sizeof(*place) * (size_t)n);
	out->mirror = malloc(sizeof(*place) * (size_t)n);
	if (where == NULL || out->place == NULL || out->mirror == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for %lld frequencies", (long long)n));
	memcpy(out->place, place, sizeof(*place) * (size_t)n);
	UM_TRY(find_mirrors(out, where));
	UM_TRY(um_fft2_new(rows, columns, &out->fft));
out:
	free(where);
	if (st != UM_OK)
		um_kspace_free(out);
	return st;
}

void um_kspace_free(um_kspace *k)
{
	free(k->place);
	free(k->mirror);
	um_fft2_free(k->fft);
	*k = (um_kspace){ 0 };
}

void um_kspace_destroy(void *self)
{
	um_kspace_free(self);
	free(self);
}

/* The entry of the half spectrum at a place of the whole one, or NULL. */
static double *entry(const um_kspace *k, int64_t place)
{
	const int64_t half = k->columns / 2 + 1, k2 = place % k->columns;
	return k2 < half ? um_fft2_spectrum(k->fft) + 2 * (place / k->columns * half + k2) : NULL;
}

static void sample(const um_kspace *k, const float *x, double *re, double *im)
{
	double *image = um_fft2_image(k->fft);
	for (int64_t i = 0; i < k->rows * k->columns; i++)
		image[i] = x[i];
	um_fft2_forward(k->fft);
	for (int64_t i = 0; i < k->n; i++) {
		const double *here = entry(k, k->place[i]);
		const double *from = here != NULL ? here : entry(k, negative(k, k->place[i]));
		re[i] = k->scale * from[0];
		im[i] = k->mirror[i] == i ? 0 : k->scale * (here != NULL ? from[1] : -from[1]);
	}
}

/* x(r) = scale Re sum_k Z(k) exp(2 pi i k r), Z = re + i im: the transform of the Hermitian part of Z. */
static void transpose(const um_kspace *k, const double *re, const double *im, float *x)
{
	const double half = k->scale / 2;
	memset(um_fft2_spectrum(k->fft), 0, sizeof(double) * (size_t)(2 * k->rows * (k->columns / 2 + 1)));
	for (int64_t i = 0; i < k->n; i++) {
		double *here = entry(k, k->place[i]), *there = entry(k, negative(k, k->place[i]));
		const double imaginary = k->mirror[i] == i ? 0 : im[i];
		if (here != NULL) {
			here[0] += half * re[i];
			here[1] += half * imaginary;
		}
		if (there != NULL) {
			there[0] += half * re[i];
			there[1] -= half * imaginary;
		}
	}
	um_fft2_backward(k->fft);
	for (int64_t i = 0; i < k->rows * k->columns; i++)
		x[i] = (float)um_fft2_image(k->fft)[i];
}

static void samples(const um_kspace *k, const um_array *x, um_array *y)
{
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int64_t p = 0; p < k->planes; p++) {
			double *re = um_row_d(y, b) + p * k->n;
			sample(k, um_row_f(x, b) + p * k->rows * k->columns, re, re + k->planes * k->n);
		}
}

um_status um_kspace_apply(void *self, const um_array *op, const um_array *x, const um_array *dx, um_array *y,
	um_array *dy)
{
	(void)op;
	samples(self, x, y);
	if (dx != NULL)
		samples(self, dx, dy);
	return UM_OK;
}

um_status um_kspace_pullback(void *self, const um_array *op, const um_array *x, const um_array *v, um_array *jtv)
{
	const um_kspace *k = self;
	(void)op, (void)x;
	for (int64_t b = 0; b < jtv->dim[0]; b++)
		for (int64_t p = 0; p < k->planes; p++) {
			const double *re = um_row_d(v, b) + p * k->n;
			transpose(k, re, re + k->planes * k->n, um_row_f(jtv, b) + p * k->rows * k->columns);
		}
	return UM_OK;
}

um_status um_kspace_noise(void *self, um_array *sigma, um_array *op)
{
	(void)op;
	um_array_fill(sigma, ((const um_kspace *)self)->sigma);
	return UM_OK;
}

/* Solves (diag(d, e) + g [[1, s], [s, 1]]) (x, y) = (r, q), s = 1 or -1; first element only.
 * With d = e = 0 the pseudo-inverse [[1, s], [s, 1]] / (4 g). */
static double solve_pair(double d, double e, double g, double s, double r, double q)
{
	if (d == 0 && e == 0)
		return (r + s * q) / (4 * g);
	return (e * r + g * (r - s * q)) / (d * e + g * (d + e));
}

/* The real or the imaginary part of one plane. */
static void solve_part(const um_kspace *k, bool imaginary, const double *sigma, double a2, double b2,
	const double *r, double *out)
{
	const double h = b2 * k->scale * k->scale * (double)(k->rows * k->columns) / 2;
	for (int64_t i = 0; i < k->n; i++) {
		const int64_t j = k->mirror[i];
		const double d = a2 * sigma[i] * sigma[i];
		if (j < 0)
			out[i] = r[i] / (d + h);
		else if (j != i)
			out[i] = solve_pair(d, a2 * sigma[j] * sigma[j], h, imaginary ? -1 : 1, r[i], r[j]);
		else if (!imaginary)
			out[i] = r[i] / (d + 2 * h);
		else
			out[i] = d > 0 ? r[i] / d : 0;
	}
}

um_status um_kspace_solve(void *self, const um_array *op, const um_array *sigma, double a2, double b2,
	const um_array *r, um_array *out)
{
	const um_kspace *k = self;
	(void)op;
	for (int64_t b = 0; b < r->dim[0]; b++)
		for (int64_t p = 0; p < 2 * k->planes; p++)
			solve_part(k, p >= k->planes, um_row_d(sigma, b) + p * k->n, a2, b2,
				um_row_d(r, b) + p * k->n, um_row_d(out, b) + p * k->n);
	return UM_OK;
}
