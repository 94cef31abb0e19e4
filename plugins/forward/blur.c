/* SPDX-License-Identifier: GPL-3.0-or-later */
/* y = h * x + sigma n in every plane, h a symmetric kernel that is a product of one along rows and one
 * along columns, of sum 1. So A is symmetric, A = U diag(c) U^T, and c is a product c1(k1) c2(k2): U is
 * the Fourier basis where the image wraps around and the cosine basis where it goes on as its mirror
 * image (pixel -1 is pixel 0), c(k) = h_0 + 2 sum_j h_j cos(2 pi j k / n) or cos(pi j k / n); where it
 * is 0 beyond its border, the eigenvectors of a band matrix h_(i-j) for each axis. With widths the width of
 * a Gaussian is op, and every measurement has its own c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/plugin.h>
#include <umbra/spectral.h>

struct blur {
	const char *kernel;
	int64_t size;
	double width;
	um_pair widths;
	const char *boundary;
	double sigma;
};

static const um_param params[] = {
	UM_CHOICE(struct blur, kernel, "gaussian", "gaussian|uniform", "Shape of the blur: a Gaussian, or a square "
		"of equal weights."),
	UM_PARAM(struct blur, size, "9", 1, 4097, "", "Side of the uniform square in pixels, an odd number; not used "
		"by gaussian."),
	UM_PARAM(struct blur, width, "1.5", 0.1, 400, "", "Standard deviation of the Gaussian in pixels (FWHM / "
		"2.3548); it is sampled at pixels and ends at five of them; not used by uniform."),
	UM_PARAM(struct blur, widths, "[0.0, 0.0]", 0, 400, "", "Simulated measurements are blurred by a width between these, each "
		"by another, in place of width; for a boundary that is reflecting or circular; 0: width."),
	UM_CHOICE(struct blur, boundary, "zero", "zero|reflecting|circular", "What lies beyond the border: nothing, "
		"the mirror image, or the opposite side."),
	UM_PARAM(struct blur, sigma, "0.05", 1e-12, 1e12, "", "Standard deviation of the noise, in units of the "
		"image that the instrument sees (scale times x)."),
};

struct self {
	struct blur p;
	int64_t planes, pixels, rows, columns;
	double width;     /* that a is for */
	um_spectral a;    /* of one plane */
	double *w;        /* [a.count] eigenvalues of A A^T */
	double *in, *out; /* [pixels] work */
};

static void destroy(void *self)
{
	struct self *f = self;
	um_spectral_free(&f->a);
	free(f->w);
	free(f->in);
	free(f->out);
	free(f);
}

/* h_0 .. h_reach. */
static um_status make_kernel(const struct blur *p, double width, int64_t *reach, double **h)
{
	const bool uniform = strcmp(p->kernel, "uniform") == 0;
	double sum = 0;
	if (uniform && p->size % 2 == 0)
		return um_fail(UM_EPARAM, "size = %lld: a kernel of an even side has no pixel in its middle; take %lld "
			"or %lld", (long long)p->size, (long long)p->size - 1, (long long)p->size + 1);
	*reach = uniform ? p->size / 2 : (int64_t)ceil(5 * width);
	*h = malloc(sizeof(double) * (size_t)(*reach + 1));
	if (*h == NULL)
		return um_fail(UM_ENOMEM, "no memory for blur");
	for (int64_t j = 0; j <= *reach; j++) {
		const double z = (double)j / width;
		(*h)[j] = uniform ? 1 : exp(-z * z / 2);
		sum += (j > 0 ? 2 : 1) * (*h)[j];
	}
	for (int64_t j = 0; j <= *reach; j++)
		(*h)[j] /= sum;
	return UM_OK;
}

/* c(k), k = 0 .. n-1, where cosines have the given period in pixels. */
static void response(int64_t reach, const double *h, int64_t n, int64_t period, double *c)
{
	for (int64_t k = 0; k < n; k++) {
		c[k] = h[0];
		for (int64_t j = 1; j <= reach; j++)
			c[k] += 2 * h[j] * cos(6.283185307179586 * (double)(j * k % period) / (double)period);
	}
}

static void band(int64_t reach, const double *h, int64_t n, double *m)
{
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j < n; j++) {
			const int64_t apart = i > j ? i - j : j - i;
			m[i * n + j] = apart <= reach ? h[apart] : 0;
		}
}

static um_status zero_beyond(int64_t reach, const double *h, int64_t rows, int64_t columns, um_spectral *a)
{
	double *down = malloc(sizeof(*down) * (size_t)(rows * rows));
	double *across = malloc(sizeof(*across) * (size_t)(columns * columns));
	um_status st = UM_OK;
	if (down == NULL || across == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for blur"));
	band(reach, h, rows, down);
	band(reach, h, columns, across);
	UM_TRY(um_spectral_axes(rows, columns, down, across, a));
out:
	free(down);
	free(across);
	return st;
}

/* c of a basis that is there already. */
static um_status respond(bool circular, int64_t reach, const double *h, int64_t rows, int64_t columns, um_spectral *a)
{
	double *down = malloc(sizeof(*down) * (size_t)(rows + columns)), *across = down + rows;
	if (down == NULL)
		return um_fail(UM_ENOMEM, "no memory for blur");
	response(reach, h, rows, circular ? rows : 2 * rows, down);
	response(reach, h, columns, circular ? columns : 2 * columns, across);
	for (int64_t i = 0; i < a->count; i++) {
		const int64_t wide = a->count / rows;
		a->c[i] = down[i / wide] * across[i % wide];
	}
	free(down);
	return UM_OK;
}

/* The operator of a width, in self. */
static um_status take_width(struct self *f, double width)
{
	const bool zero = strcmp(f->p.boundary, "zero") == 0, circular = strcmp(f->p.boundary, "circular") == 0;
	um_status st = UM_OK;
	int64_t reach = 0;
	double *h = NULL;
	if (width == f->width)
		return UM_OK;
	if (!(width > 0) || width > 1e6)
		return um_fail(UM_EDATA, "a width of %g is none of a blur", width);
	UM_TRY(make_kernel(&f->p, width, &reach, &h));
	if (f->a.c == NULL && zero)
		UM_TRY(zero_beyond(reach, h, f->rows, f->columns, &f->a));
	else if (f->a.c == NULL)
		UM_TRY(circular ? um_spectral_fourier(f->rows, f->columns, &f->a) : um_spectral_cosine(f->rows, f->columns, &f->a));
	if (!zero)
		UM_TRY(respond(circular, reach, h, f->rows, f->columns, &f->a));
	if (f->w == NULL && (f->w = malloc(sizeof(double) * (size_t)f->a.count)) == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for blur"));
	for (int64_t i = 0; i < f->a.count; i++)
		f->w[i] = f->a.c[i] * f->a.c[i];
	f->width = width;
out:
	free(h);
	return st;
}

static um_status take_op(struct self *f, const um_array *op, int64_t b)
{
	return f->p.widths.hi > 0 ? take_width(f, *um_row_d(op, b)) : UM_OK;
}

static um_status check_widths(const struct blur *p)
{
	if (p->widths.hi == 0)
		return UM_OK;
	if (strcmp(p->kernel, "gaussian") != 0 || strcmp(p->boundary, "zero") == 0)
		return um_fail(UM_EPARAM, "widths: are for kernel = \"gaussian\" and boundary = \"reflecting\" or \"circular\"");
	if (p->widths.lo < 0.1)
		return um_fail(UM_EPARAM, "widths: the lower width has to be 0.1 at least");
	return UM_OK;
}

static um_status create(void **self, const void *p_, const um_env *env, um_forward_info *info)
{
	const struct blur *p = p_;
	const int64_t *s = env->shape;
	um_status st = UM_OK;
	struct self *f = calloc(1, sizeof(*f));
	if (f == NULL)
		return um_fail(UM_ENOMEM, "no memory for blur");
	f->p = *p;
	f->planes = s[0] * s[1] * s[2];
	f->rows = s[3];
	f->columns = s[4];
	f->pixels = s[3] * s[4];
	UM_TRY(check_widths(p));
	UM_TRY(take_width(f, p->width));
	f->in = malloc(sizeof(double) * (size_t)f->pixels);
	f->out = malloc(sizeof(double) * (size_t)f->pixels);
	if (f->in == NULL || f->out == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for blur"));
	info->ny = f->planes * f->pixels;
	info->nop = p->widths.hi > 0;
	info->linear = true;
	*self = f;
out:
	if (st != UM_OK)
		destroy(f);
	return st;
}

static um_status blur(struct self *f, const um_array *op, const um_array *x, um_array *y)
{
	um_status st = UM_OK;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		UM_TRY(take_op(f, op, b));
		for (int64_t at = 0; at < f->planes * f->pixels; at += f->pixels) {
			for (int64_t i = 0; i < f->pixels; i++)
				f->in[i] = um_row_f(x, b)[at + i];
			um_spectral_apply(&f->a, f->a.c, f->in, um_row_d(y, b) + at);
		}
	}
out:
	return st;
}

static um_status apply(void *self, const um_array *op, const um_array *x, const um_array *dx, um_array *y,
	um_array *dy)
{
	um_status st = blur(self, op, x, y);
	return st == UM_OK && dx != NULL ? blur(self, op, dx, dy) : st;
}

static um_status pullback(void *self, const um_array *op, const um_array *x, const um_array *v, um_array *jtv)
{
	um_status st = UM_OK;
	struct self *f = self;
	(void)x;
	for (int64_t b = 0; b < jtv->dim[0]; b++) {
		UM_TRY(take_op(f, op, b));
		for (int64_t at = 0; at < f->planes * f->pixels; at += f->pixels) {
			um_spectral_apply(&f->a, f->a.c, um_row_d(v, b) + at, f->out);
			for (int64_t i = 0; i < f->pixels; i++)
				um_row_f(jtv, b)[at + i] = (float)f->out[i];
		}
	}
out:
	return st;
}

static um_status noise(void *self, um_array *sigma, um_array *op)
{
	const struct self *f = self;
	um_array_fill(sigma, f->p.sigma);
	if (f->p.widths.hi > 0)
		*um_row_d(op, 0) = f->p.width;
	return UM_OK;
}

static um_status simulate(void *self, um_rng *rng, const um_array *x, um_array *op, um_array *y, um_array *sigma,
	um_sink *sink)
{
	um_status st = UM_OK;
	const struct self *f = self;
	const um_pair *w = &f->p.widths;
	(void)sink;
	for (int64_t b = 0; w->hi > 0 && b < x->dim[0]; b++)
		*um_row_d(op, b) = w->lo + (w->hi - w->lo) * um_uniform(&rng[b]);
	UM_TRY(blur(self, op, x, y));
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int64_t i = 0; i < f->planes * f->pixels; i++) {
			um_row_d(sigma, b)[i] = f->p.sigma;
			um_row_d(y, b)[i] += f->p.sigma * um_normal(&rng[b]);
		}
out:
	return st;
}

static um_status solve(void *self, const um_array *op, const um_array *sigma, double a2, double b2,
	const um_array *r, um_array *out)
{
	struct self *f = self;
	um_status st = UM_OK;
	for (int64_t b = 0; b < r->dim[0]; b++) {
		UM_TRY(take_op(f, op, b));
		for (int64_t at = 0; at < f->planes * f->pixels; at += f->pixels)
			UM_TRY(um_spectral_solve(&f->a, f->w, um_row_d(sigma, b) + at, a2, b2, um_row_d(r, b) + at,
				um_row_d(out, b) + at));
	}
out:
	return st;
}

static const um_forward_ops ops = {
	.create = create, .destroy = destroy, .apply = apply, .pullback = pullback, .noise = noise,
	.simulate = simulate, .solve = solve,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "blur", "1.1",
	"The image blurred by a Gaussian or a square, with white noise.", "",
	UM_PARAMS(struct blur, params), UM_OPS(ops),
};
