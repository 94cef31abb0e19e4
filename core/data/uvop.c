/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The choice between the direct transform, whose cost is points times pixels, and the gridded
 * one, whose cost is points plus pixels with larger factors; both behind one face. */
#include <stdlib.h>
#include <string.h>
#include <umbra/uvop.h>

/* Operations a second, and seconds for what is not arithmetic, fitted to "umbra bench nufft" at
 * a tolerance of 1e-9 on one core of a Xeon with AVX-512 (which OpenBLAS and FFTW use; sums over
 * cells use AVX2) that other work shared: within a factor of 2 for 32 x 32 to 1024 x 1024
 * pixels and 1e3 to 1e6 points. */
#define DIRECT_RATE 55e9
#define ROW_SECONDS 1.1e-9   /* a point and row of the image */
#define CELL_RATE 25e9
#define FFT_RATE 12e9
#define POINT_SECONDS 2e-8   /* a point: results come and go in another order */

/* An operator of more bytes than this is never built unless asked for. */
#define DIRECT_BYTES 2e9

struct um_uvop {
	um_dft *direct; /* one of the two */
	um_nufft *nufft;
};

int um_uvhow_named(const char *name, um_uvhow *out)
{
	static const char *const names[] = { "auto", "direct", "nufft" };
	for (int i = 0; i < 3; i++)
		if (strcmp(name, names[i]) == 0) {
			*out = (um_uvhow)i;
			return 1;
		}
	return 0;
}

double um_uvop_cost(int64_t n, const um_uvspec *s, um_uvhow how)
{
	double cells = 0;
	double fft = 0;
	if (how == UM_UV_DIRECT)
		return (double)n * (double)s->rows * (2 * (double)s->columns / DIRECT_RATE + ROW_SECONDS);
	um_nufft_flops(n, s->rows, s->columns, s->tolerance, &cells, &fft);
	return cells / CELL_RATE + fft / FFT_RATE + (double)n * POINT_SECONDS;
}

static um_uvhow cheaper(int64_t n, const um_uvspec *s)
{
	double bytes = 16 * (double)n * (double)(s->rows + s->columns) / 2;
	if (bytes > DIRECT_BYTES)
		return UM_UV_NUFFT;
	return um_uvop_cost(n, s, UM_UV_NUFFT) < um_uvop_cost(n, s, UM_UV_DIRECT) ? UM_UV_NUFFT
		: UM_UV_DIRECT;
}

static um_status new_nufft(const double *u, const double *v, int64_t n, const um_uvspec *s,
	um_nufft **out)
{
	double *pulse = malloc((size_t)n * sizeof(*pulse));
	if (pulse == NULL)
		return um_fail(UM_ENOMEM, "no memory for %lld visibilities", (long long)n);
	for (int64_t i = 0; i < n; i++)
		pulse[i] = um_pulse_at(s->pulse, u[i] * s->pixel, v[i] * s->pixel);
	um_status st = um_nufft_new(u, v, pulse, n, s->rows, s->columns, s->pixel, s->tolerance, out);
	free(pulse);
	return st;
}

um_status um_uvop_new(const double *u, const double *v, int64_t n, const um_uvspec *s,
	um_uvop **out)
{
	*out = NULL;
	if (n < 1 || s->rows < 1 || s->columns < 1 || !(s->pixel > 0))
		return um_fail(UM_EARG, "a Fourier transform needs points, pixels and a pixel size above 0");
	um_uvop *o = calloc(1, sizeof(*o));
	if (o == NULL)
		return um_fail(UM_ENOMEM, "no memory for a Fourier transform");
	um_uvhow how = s->how == UM_UV_AUTO ? cheaper(n, s) : s->how;
	um_status st = how == UM_UV_NUFFT ? new_nufft(u, v, n, s, &o->nufft)
		: um_dft_new(u, v, n, s->rows, s->columns, s->pixel, s->pulse, &o->direct);
	if (st == UM_OK)
		*out = o;
	else
		um_uvop_free(o);
	return st;
}

void um_uvop_free(um_uvop *o)
{
	if (o == NULL)
		return;
	um_dft_free(o->direct);
	um_nufft_free(o->nufft);
	free(o);
}

um_status um_uvop_forward(const um_uvop *o, int64_t batch, const double *images, double *re,
	double *im)
{
	return o->nufft != NULL ? um_nufft_forward(o->nufft, batch, images, re, im)
		: um_dft_forward(o->direct, batch, images, re, im);
}

um_status um_uvop_adjoint(const um_uvop *o, int64_t batch, const double *re, const double *im,
	double *images)
{
	return o->nufft != NULL ? um_nufft_adjoint(o->nufft, batch, re, im, images)
		: um_dft_adjoint(o->direct, batch, re, im, images);
}

um_uvhow um_uvop_how(const um_uvop *o)
{
	return o->nufft != NULL ? UM_UV_NUFFT : UM_UV_DIRECT;
}

double um_uvop_bytes(const um_uvop *o)
{
	return o->nufft != NULL ? um_nufft_bytes(o->nufft) : um_dft_bytes(o->direct);
}
