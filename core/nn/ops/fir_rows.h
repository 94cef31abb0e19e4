/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loops of fir.c, included once for float and once for double: REAL, NAME(x) and the weights
 * U, V and K are set by who includes it. */

/* o[c] (+)= sum over t < count of w[t * w_step] x[t * x_step + c], two terms at a time. */
static inline __attribute__((always_inline)) void NAME(mix)(int64_t n, REAL *restrict o, int64_t count,
	const REAL *w, int64_t w_step, const REAL *restrict x, int64_t x_step, bool add)
{
	int64_t t = 0;
	if (!add && count == 1) {
		for (int64_t c = 0; c < n; c++)
			o[c] = w[0] * x[c];
		return;
	}
	if (!add && count > 1) {
		const REAL w0 = w[0], w1 = w[w_step], *x1 = x + x_step;
		for (int64_t c = 0; c < n; c++)
			o[c] = w0 * x[c] + w1 * x1[c];
		t = 2;
	} else if (!add)
		memset(o, 0, (size_t)n * sizeof(*o));
	for (; t + 1 < count; t += 2) {
		const REAL w0 = w[t * w_step], w1 = w[(t + 1) * w_step];
		const REAL *x0 = x + t * x_step, *x1 = x0 + x_step;
		for (int64_t c = 0; c < n; c++)
			o[c] += w0 * x0[c] + w1 * x1[c];
	}
	for (; t < count; t++)
		for (int64_t c = 0; c < n; c++)
			o[c] += w[t * w_step] * x[t * x_step + c];
}

/* One row of the result from one row of x (or of sums of rows), by weights along columns. */
static inline __attribute__((always_inline)) void NAME(across)(const plan *p, REAL *o, const REAL *w,
	const REAL *x, bool add)
{
	int64_t n = p->channels;
	for (int64_t j = 0; j < p->size.columns; j += p->column[j].run) {
		const taps *t = &p->column[j];
		NAME(mix)(t->run * n, o + j * n, t->count, w + t->tap, p->size.up, x + t->source * n, n,
			add);
	}
}

/* Row r of an image: o from x, with a line of scratch. */
static inline __attribute__((always_inline)) void NAME(row)(const plan *p, int64_t r, REAL *o,
	const REAL *x, REAL *line)
{
	const taps *t = &p->row[r];
	const REAL *from = x + t->source * p->width;
	int64_t up = p->size.up;
	if (t->count == 0)
		memset(o, 0, (size_t)p->out_width * sizeof(*o));
	else if (p->separable && t->count == 1 && p->U[t->tap] == 1)
		NAME(across)(p, o, p->V, from, false);
	else if (p->separable) {
		NAME(mix)(p->width, line, t->count, p->U + t->tap, up, from, p->width, false);
		NAME(across)(p, o, p->V, line, false);
	} else
		for (int64_t a = 0; a < t->count; a++)
			NAME(across)(p, o, p->K + (t->tap + a * up) * p->size.kernel_columns,
				from + a * p->width, a > 0);
}

/* Rows from .. to - 1 of all rows of all images. */
UM_KERNEL(void, NAME(rows), (const plan *p, const um_call *call, int64_t from, int64_t to, void *line),
	(p, call, from, to, line))
{
	for (int64_t i = from; i < to; i++) {
		int64_t image = i / p->size.rows, r = i % p->size.rows;
		REAL *o = (REAL *)call->out + i * p->out_width;
		if (i > from && r > 0 && p->row[r].again)
			memcpy(o, o - p->out_width, (size_t)p->out_width * sizeof(*o));
		else
			NAME(row)(p, r, o, (const REAL *)call->in[0] + image * call->stride[0], line);
	}
}
