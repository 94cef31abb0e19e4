/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Real 2-D transforms: Fourier (FFTW's r2c and c2r) and cosine (REDFT10 and REDFT01). The buffers
 * belong to the plan, so that their alignment, and with it the kernel that FFTW picks, is always the
 * same. */
#include <fftw3.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <umbra/fft.h>

struct um_fft2 {
	double *image;
	fftw_complex *spectrum;
	fftw_plan forward, backward;
};

struct um_dct2 {
	double *buffer;
	fftw_plan forward, backward;
};

static pthread_mutex_t planner = PTHREAD_MUTEX_INITIALIZER;

void um_fft_lock(void)
{
	pthread_mutex_lock(&planner);
}

void um_fft_unlock(void)
{
	pthread_mutex_unlock(&planner);
}

static um_status check_size(int64_t rows, int64_t columns)
{
	if (rows < 1 || columns < 1 || rows > INT_MAX || columns > INT_MAX)
		return um_fail(UM_EARG, "a Fourier transform of %lld x %lld pixels", (long long)columns,
			(long long)rows);
	return UM_OK;
}

static um_status no_memory(int64_t rows, int64_t columns)
{
	return um_fail(UM_ENOMEM, "no memory for a Fourier transform of %lld x %lld pixels", (long long)columns,
		(long long)rows);
}

um_status um_fft2_new(int64_t rows, int64_t columns, um_fft2 **out)
{
	*out = NULL;
	um_status st = check_size(rows, columns);
	if (st != UM_OK)
		return st;
	um_fft2 *f = calloc(1, sizeof(*f));
	if (f == NULL)
		return no_memory(rows, columns);
	um_fft_lock();
	f->image = fftw_alloc_real((size_t)(rows * columns));
	f->spectrum = fftw_alloc_complex((size_t)(rows * (columns / 2 + 1)));
	if (f->image != NULL && f->spectrum != NULL) {
		f->forward = fftw_plan_dft_r2c_2d((int)rows, (int)columns, f->image, f->spectrum,
			FFTW_ESTIMATE | FFTW_PRESERVE_INPUT);
		f->backward = fftw_plan_dft_c2r_2d((int)rows, (int)columns, f->spectrum, f->image,
			FFTW_ESTIMATE);
	}
	um_fft_unlock();
	if (f->forward == NULL || f->backward == NULL) {
		um_fft2_free(f);
		return no_memory(rows, columns);
	}
	*out = f;
	return UM_OK;
}

void um_fft2_free(um_fft2 *f)
{
	if (f == NULL)
		return;
	um_fft_lock();
	if (f->forward != NULL)
		fftw_destroy_plan(f->forward);
	if (f->backward != NULL)
		fftw_destroy_plan(f->backward);
	fftw_free(f->image);
	fftw_free(f->spectrum);
	um_fft_unlock();
	free(f);
}

double *um_fft2_image(um_fft2 *f)
{
	return f->image;
}

double *um_fft2_spectrum(um_fft2 *f)
{
	return (double *)f->spectrum;
}

void um_fft2_forward(um_fft2 *f)
{
	fftw_execute(f->forward);
}

void um_fft2_backward(um_fft2 *f)
{
	fftw_execute(f->backward);
}

um_status um_dct2_new(int64_t rows, int64_t columns, um_dct2 **out)
{
	*out = NULL;
	um_status st = check_size(rows, columns);
	if (st != UM_OK)
		return st;
	um_dct2 *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return no_memory(rows, columns);
	um_fft_lock();
	d->buffer = fftw_alloc_real((size_t)(rows * columns));
	if (d->buffer != NULL) {
		d->forward = fftw_plan_r2r_2d((int)rows, (int)columns, d->buffer, d->buffer, FFTW_REDFT10,
			FFTW_REDFT10, FFTW_ESTIMATE);
		d->backward = fftw_plan_r2r_2d((int)rows, (int)columns, d->buffer, d->buffer, FFTW_REDFT01,
			FFTW_REDFT01, FFTW_ESTIMATE);
	}
	um_fft_unlock();
	if (d->forward == NULL || d->backward == NULL) {
		um_dct2_free(d);
		return no_memory(rows, columns);
	}
	*out = d;
	return UM_OK;
}

void um_dct2_free(um_dct2 *d)
{
	if (d == NULL)
		return;
	um_fft_lock();
	if (d->forward != NULL)
		fftw_destroy_plan(d->forward);
	if (d->backward != NULL)
		fftw_destroy_plan(d->backward);
	fftw_free(d->buffer);
	um_fft_unlock();
	free(d);
}

double *um_dct2_buffer(um_dct2 *d)
{
	return d->buffer;
}

void um_dct2_forward(um_dct2 *d)
{
	fftw_execute(d->forward);
}

void um_dct2_backward(um_dct2 *d)
{
	fftw_execute(d->backward);
}
