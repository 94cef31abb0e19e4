/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loops over the cells of a point for kernels W cells wide. nufft_widths.h includes this
 * once for each width, with W and NAME(f) defined: loops of constant length are what lets
 * compilers vectorise them. Rows are taken four or two at a time, so that sums stay in
 * registers longer. */

/* Horner's scheme in t^2, two coefficients at a time; the degree is odd. */
static inline void NAME(horner)(const um_kernel *restrict k, double t, double *restrict out)
{
	const double t2 = t * t;
	for (int i = 0; i < W; i++)
		out[i] = k->c[k->degree][i] * t + k->c[k->degree - 1][i];
	for (int j = k->degree - 2; j > 0; j -= 2) {
		const double *restrict odd = k->c[j];
		const double *restrict even = k->c[j - 1];
		for (int i = 0; i < W; i++)
			out[i] = out[i] * t2 + (odd[i] * t + even[i]);
	}
}

static void NAME(weigh)(const um_kernel *k, const um_nupoint *p, int n, um_nuweights *w)
{
	for (int m = 0; m < n; m++) {
		double x[W];
		NAME(horner)(k, p[m].tx, x);
		NAME(horner)(k, p[m].ty, w->y[m]);
		for (int i = 0; i < W; i++)
			w->x[m][2 * i] = w->x[m][2 * i + 1] = x[i];
	}
}

static inline void NAME(sum4)(double *restrict sum, const double *restrict g, int64_t s,
	const double *restrict y)
{
	const double *a = g;
	const double *b = g + s;
	const double *c = g + 2 * s;
	const double *d = g + 3 * s;
	for (int i = 0; i < 2 * W; i++)
		sum[i] += (y[0] * a[i] + y[1] * b[i]) + (y[2] * c[i] + y[3] * d[i]);
}

static inline void NAME(sum2)(double *restrict sum, const double *restrict g, int64_t s,
	const double *restrict y)
{
	const double *a = g;
	const double *b = g + s;
	for (int i = 0; i < 2 * W; i++)
		sum[i] += y[0] * a[i] + y[1] * b[i];
}

static void NAME(gather)(const double *grid, int64_t stride, const um_nupoint *p, int n,
	const um_nuweights *w, double (*out)[2])
{
	for (int m = 0; m < n; m++) {
		double sum[2 * W] = { 0 };
		double a[2] = { 0 };
		double b[2] = { 0 };
		const double *g = grid + p[m].cell;
		for (int j = 0; j + 4 <= W; j += 4)
			NAME(sum4)(sum, g + j * stride, stride, w->y[m] + j);
		if (W % 4 == 2)
			NAME(sum2)(sum, g + (W - 2) * stride, stride, w->y[m] + W - 2);
		for (int i = 0; i < 2 * W; i += 4) {
			a[0] += w->x[m][i] * sum[i];
			b[0] += w->x[m][i + 1] * sum[i + 1];
			a[1] += w->x[m][i + 2] * sum[i + 2];
			b[1] += w->x[m][i + 3] * sum[i + 3];
		}
		out[m][0] = a[0] + a[1];
		out[m][1] = b[0] + b[1];
	}
}

static inline void NAME(add4)(double *restrict a, double *restrict b, double *restrict c,
	double *restrict d, const double *restrict x, const double *restrict y)
{
	for (int i = 0; i < 2 * W; i++) {
		a[i] += y[0] * x[i];
		b[i] += y[1] * x[i];
		c[i] += y[2] * x[i];
		d[i] += y[3] * x[i];
	}
}

static inline void NAME(add2)(double *restrict a, double *restrict b, const double *restrict x,
	const double *restrict y)
{
	for (int i = 0; i < 2 * W; i++) {
		a[i] += y[0] * x[i];
		b[i] += y[1] * x[i];
	}
}

static void NAME(scatter)(double *grid, int64_t stride, const um_nupoint *p, int n,
	const um_nuweights *w, double (*in)[2])
{
	for (int m = 0; m < n; m++) {
		double add[2 * W];
		double *g = grid + p[m].cell;
		const double *y = w->y[m];
		for (int i = 0; i < 2 * W; i += 2) {
			add[i] = w->x[m][i] * in[m][0];
			add[i + 1] = w->x[m][i + 1] * in[m][1];
		}
		for (int j = 0; j + 4 <= W; j += 4, g += 4 * stride)
			NAME(add4)(g, g + stride, g + 2 * stride, g + 3 * stride, add, y + j);
		if (W % 4 == 2)
			NAME(add2)(g, g + stride, add, y + W - 2);
	}
}

#undef W
#undef NAME
