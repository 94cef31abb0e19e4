/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loops over the cells of a point for kernels W cells wide. nufft_loops.c includes this
 * once for each width, with W and NAME(f) defined: loops of constant length are what lets
 * compilers vectorise them. Rows are taken four or two at a time, so that sums stay in
 * registers longer. */

static void NAME(weigh)(const um_kernel *k, const um_nupoint *p, int n, um_nuweights *w)
{
	for (int m = 0; m < n; m++) {
		double x[W];
		double *restrict y = w->y[m];
		memcpy(x, k->c[k->degree], sizeof(x));
		memcpy(y, k->c[k->degree], sizeof(x));
		for (int j = k->degree - 1; j >= 0; j--)
			for (int i = 0; i < W; i++) {
				x[i] = x[i] * p[m].tx + k->c[j][i];
				y[i] = y[i] * p[m].ty + k->c[j][i];
			}
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
	const um_nuweights *w, double *re, double *im)
{
	for (int m = 0; m < n; m++) {
		double sum[2 * W] = { 0 };
		double a = 0;
		double b = 0;
		const double *g = grid + p[m].cell;
		for (int j = 0; j + 4 <= W; j += 4)
			NAME(sum4)(sum, g + j * stride, stride, w->y[m] + j);
		if (W % 4 == 2)
			NAME(sum2)(sum, g + (W - 2) * stride, stride, w->y[m] + W - 2);
		for (int i = 0; i < 2 * W; i += 2) {
			a += w->x[m][i] * sum[i];
			b += w->x[m][i] * sum[i + 1];
		}
		int64_t at = p[m].at < 0 ? ~p[m].at : p[m].at;
		double turned = p[m].zr * b + p[m].zi * a;
		re[at] = p[m].zr * a - p[m].zi * b;
		im[at] = p[m].at < 0 ? -turned : turned;
	}
}

static void NAME(scatter)(double *grid, int64_t stride, const um_nupoint *p, int n,
	const um_nuweights *w, const double *re, const double *im)
{
	for (int m = 0; m < n; m++) {
		double add[2 * W];
		int64_t at = p[m].at < 0 ? ~p[m].at : p[m].at;
		double turned = p[m].at < 0 ? -im[at] : im[at];
		double a = p[m].zr * re[at] + p[m].zi * turned;
		double b = p[m].zr * turned - p[m].zi * re[at];
		for (int i = 0; i < 2 * W; i += 2) {
			add[i] = w->x[m][i] * a;
			add[i + 1] = w->x[m][i + 1] * b;
		}
		for (int j = 0; j < W; j++) {
			double *restrict g = grid + p[m].cell + j * stride;
			const double y = w->y[m][j];
			for (int i = 0; i < 2 * W; i++)
				g[i] += y * add[i];
		}
	}
}

#undef W
#undef NAME
