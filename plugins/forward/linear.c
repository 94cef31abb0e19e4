/* SPDX-License-Identifier: GPL-3.0-or-later */
/* y = A x + sigma n with a matrix of one row a measurement. The normal matrix
 * A A^T = Q diag(w) Q^T is decomposed once, when a sampler first asks for it; then
 * (a2 s^2 I + b2 A A^T)^-1 = Q diag(1 / (a2 s^2 + b2 w)) Q^T. Where the noise differs from
 * row to row, Cholesky. */
#include <stdlib.h>
#include <string.h>
#include <umbra/linalg.h>
#include <umbra/plugin.h>
#include <umbra/table.h>

struct linear {
	const char *matrix, *y;
	um_reals rows, values;
	double sigma;
};

static const um_param params[] = {
	UM_FILE(struct linear, matrix, "", "The matrix A, FITS image or .npy, one row a measurement, one "
		"column a pixel (all pixels of an image in order, columns fastest)."),
	UM_PARAM(struct linear, rows, "[]", -1e30, 1e30, "", "The matrix A here instead of in a file, one row "
		"after the other."),
	UM_FILE(struct linear, y, "", "Measurements, FITS or .npy, one or more rows as long as A is high."),
	UM_PARAM(struct linear, values, "[]", -1e30, 1e30, "", "Measurements here instead of in a file."),
	UM_PARAM(struct linear, sigma, "1", 1e-12, 1e12, "", "Standard deviation of the noise of every "
		"measurement, in units of y."),
};

struct self {
	int64_t ny, n;
	double sigma;
	um_array a, y;       /* [ny][n], and the user's measurements or empty */
	double *x;           /* [n] work */
	double *aat, *q, *w; /* [ny][ny] A A^T, its eigenvectors as rows and eigenvalues, once needed; */
	double *t;           /* [ny][ny] work; all four in the memory at aat */
};

static void destroy(void *self)
{
	struct self *f = self;
	um_array_free(&f->a);
	um_array_free(&f->y);
	free(f->x);
	free(f->aat);
	free(f);
}

/* A table from a file, or of rows of n numbers; which is what messages call it. */
static um_status table(const char *file, const um_reals *list, int64_t n, um_array *out)
{
	if (*file != '\0')
		return um_table_read(file, out);
	if (list->n == 0)
		return UM_OK;
	const int64_t dim[2] = { list->n % n == 0 ? list->n / n : 1, list->n % n == 0 ? n : list->n };
	um_status st = um_array_new(out, UM_F64, 2, dim);
	if (st == UM_OK)
		memcpy(out->data, list->v, sizeof(double) * (size_t)list->n);
	return st;
}

static um_status read_files(struct self *f, const struct linear *p)
{
	um_status st = UM_OK;
	const char *matrix = *p->matrix != '\0' ? p->matrix : "rows", *y = *p->y != '\0' ? p->y : "values";
	if ((*p->matrix != '\0') == (p->rows.n > 0))
		return um_fail(UM_EPARAM, "linear: the matrix comes from a file (matrix) or a list (rows); give one");
	if (*p->y != '\0' && p->values.n > 0)
		return um_fail(UM_EPARAM, "linear: measurements come from a file (y) or a list (values); give one");
	UM_TRY(table(p->matrix, &p->rows, f->n, &f->a));
	f->ny = um_array_len(&f->a) / f->n;
	if (f->ny < 1 || f->a.dim[f->a.rank - 1] != f->n)
		UM_TRY(um_fail(UM_EDATA, "%s: rows of %lld numbers, but the image has %lld pixels; set "
			"image.pixels to match", matrix, (long long)f->a.dim[f->a.rank - 1], (long long)f->n));
	UM_TRY(table(p->y, &p->values, f->ny, &f->y));
	if (f->y.data != NULL && (um_array_len(&f->y) < 1 || um_array_len(&f->y) % f->ny != 0))
		UM_TRY(um_fail(UM_EDATA, "%s: %lld numbers are not rows of %lld measurements, the height of %s",
			y, (long long)um_array_len(&f->y), (long long)f->ny, matrix));
out:
	return st;
}

static um_status create(void **self, const void *p_, const um_env *env, um_forward_info *info)
{
	const struct linear *p = p_;
	um_status st = UM_OK;
	struct self *f = calloc(1, sizeof(*f));
	if (f == NULL)
		return um_fail(UM_ENOMEM, "no memory for linear");
	f->sigma = p->sigma;
	f->n = 1;
	for (int i = 0; i < 5; i++)
		f->n *= env->shape[i];
	f->x = calloc((size_t)f->n, sizeof(double));
	if (f->x == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for linear"));
	UM_TRY(read_files(f, p));
	info->ny = f->ny;
	info->linear = true;
	info->measurements = f->y.data != NULL ? um_array_len(&f->y) / f->ny : 0;
	*self = f;
out:
	if (st != UM_OK)
		destroy(f);
	return st;
}

static void product(struct self *f, const um_array *x, um_array *y)
{
	for (int64_t b = 0; b < x->dim[0]; b++) {
		for (int64_t i = 0; i < f->n; i++)
			f->x[i] = um_row_f(x, b)[i];
		um_gemv(false, f->ny, f->n, f->a.data, f->x, um_row_d(y, b));
	}
}

static um_status apply(void *self, const um_array *op, const um_array *x, const um_array *dx, um_array *y,
	um_array *dy)
{
	(void)op;
	product(self, x, y);
	if (dx != NULL)
		product(self, dx, dy);
	return UM_OK;
}

static um_status pullback(void *self, const um_array *op, const um_array *x, const um_array *v, um_array *jtv)
{
	struct self *f = self;
	(void)op, (void)x;
	for (int64_t b = 0; b < jtv->dim[0]; b++) {
		um_gemv(true, f->ny, f->n, f->a.data, um_row_d(v, b), f->x);
		for (int64_t i = 0; i < f->n; i++)
			um_row_f(jtv, b)[i] = (float)f->x[i];
	}
	return UM_OK;
}

static um_status noise(void *self, um_array *sigma, um_array *op)
{
	(void)op;
	um_array_fill(sigma, ((const struct self *)self)->sigma);
	return UM_OK;
}

static um_status data(void *self, um_array *y, um_array *sigma, um_array *op)
{
	const struct self *f = self;
	(void)op;
	um_array_fill(sigma, f->sigma);
	return um_array_copy(y, &f->y);
}

static um_status decompose(struct self *f)
{
	const int64_t square = f->ny * f->ny;
	if (f->aat != NULL)
		return UM_OK;
	double *m = malloc(sizeof(double) * (size_t)(3 * square + f->ny));
	if (m == NULL)
		return um_fail(UM_ENOMEM, "linear: no memory for a matrix of %lld x %lld numbers",
			(long long)f->ny, (long long)f->ny);
	f->q = m + square;
	f->t = m + 2 * square;
	f->w = m + 3 * square;
	um_gemm(false, true, f->ny, f->ny, f->n, f->a.data, f->a.data, m);
	memcpy(f->q, m, sizeof(double) * (size_t)square);
	um_status st = um_eigh(f->ny, f->q, f->w);
	if (st == UM_OK)
		f->aat = m;
	else
		free(m);
	return st;
}

/* Equal noise everywhere, or none: the pseudo-inverse drops eigenvalues that are rounding. */
static void solve_equal(struct self *f, double noise2, double b2, const double *r, double *out)
{
	const double least = 1e-10 * f->w[f->ny - 1];
	um_gemv(false, f->ny, f->ny, f->q, r, f->t);
	for (int64_t k = 0; k < f->ny; k++) {
		double w = f->w[k] > least ? f->w[k] : 0, d = noise2 + b2 * w;
		f->t[k] = d > 0 ? f->t[k] / d : 0;
	}
	um_gemv(true, f->ny, f->ny, f->q, f->t, out);
}

static um_status solve_row(struct self *f, const double *sigma, double a2, double b2, const double *r,
	double *out)
{
	bool equal = true;
	for (int64_t i = 1; i < f->ny; i++)
		equal = equal && sigma[i] == sigma[0];
	if (equal || a2 == 0) {
		solve_equal(f, a2 * sigma[0] * sigma[0], b2, r, out);
		return UM_OK;
	}
	for (int64_t i = 0; i < f->ny * f->ny; i++)
		f->t[i] = b2 * f->aat[i] + (i % (f->ny + 1) ? 0 : a2 * sigma[i / f->ny] * sigma[i / f->ny]);
	um_status st = um_cholesky(f->ny, f->t);
	if (st != UM_OK)
		return st;
	memcpy(out, r, sizeof(double) * (size_t)f->ny);
	um_cholesky_solve(f->ny, f->t, 1, out);
	return UM_OK;
}

static um_status solve(void *self, const um_array *op, const um_array *sigma, double a2, double b2,
	const um_array *r, um_array *out)
{
	struct self *f = self;
	um_status st = decompose(f);
	(void)op;
	for (int64_t b = 0; b < r->dim[0] && st == UM_OK; b++)
		st = solve_row(f, um_row_d(sigma, b), a2, b2, um_row_d(r, b), um_row_d(out, b));
	return st;
}

static const um_forward_ops ops = {
	.create = create, .destroy = destroy, .apply = apply, .pullback = pullback, .noise = noise,
	.data = data, .solve = solve,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "linear", "1.0",
	"A matrix from a file or a list applied to the image, with white noise.", "",
	UM_PARAMS(struct linear, params), UM_OPS(ops),
};
