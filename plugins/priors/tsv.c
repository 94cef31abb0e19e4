/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Total squared variation (Kuramochi et al. 2018): log p(x) = -weight TSV(x) up to a constant,
 * with forward differences that are zero across the last column and row.
 *   sum:  sum dx^2 + sum dy^2              mean:  mean dx^2 + mean dy^2
 * The means are over the differences there are: columns - 1 a row, rows - 1 a column. Frames,
 * bands and channels are separate images: sums and means are over all of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/plugin.h>

struct tsv {
	double weight;
	const char *reduce;
};

static const um_param params[] = {
	UM_PARAM(struct tsv, weight, "1", 0, 1e12, "", "Factor of the total squared variation in -log p."),
	UM_CHOICE(struct tsv, reduce, "sum", "sum|mean", "Sum over all differences, or the mean of those along "
		"rows plus the mean of those along columns."),
};

struct self {
	double across, down; /* factors of the two sums in log p */
	int64_t planes, rows, columns;
};

static um_status create(void **self, const void *p_, const um_env *env, um_prior_info *info)
{
	const struct tsv *p = p_;
	const int64_t *s = env->shape;
	struct self *t = malloc(sizeof(*t));
	(void)info;
	if (t == NULL)
		return um_fail(UM_ENOMEM, "no memory for tsv");
	*t = (struct self){ -p->weight, -p->weight, s[0] * s[1] * s[2], s[3], s[4] };
	if (strcmp(p->reduce, "mean") == 0) {
		t->across /= (double)t->planes * (double)t->rows * fmax(1, (double)t->columns - 1);
		t->down /= (double)t->planes * (double)t->columns * fmax(1, (double)t->rows - 1);
	}
	*self = t;
	return UM_OK;
}

/* factor (x[i] - x[j])^2 and, where g is wanted, its gradient, added to g. */
static double term(const float *x, double *g, int64_t i, int64_t j, double factor)
{
	const double d = (double)x[i] - x[j];
	if (g != NULL) {
		g[i] += 2 * factor * d;
		g[j] -= 2 * factor * d;
	}
	return factor * d * d;
}

static double plane(const struct self *t, const float *x, double *g)
{
	double value = 0;
	for (int64_t r = 0; r < t->rows; r++)
		for (int64_t c = 0; c < t->columns; c++) {
			const int64_t i = r * t->columns + c;
			if (c + 1 < t->columns)
				value += term(x, g, i + 1, i, t->across);
			if (r + 1 < t->rows)
				value += term(x, g, i + t->columns, i, t->down);
		}
	return value;
}

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	const struct self *t = self;
	const int64_t n = t->rows * t->columns;
	double *g = NULL;
	(void)rng;
	if (dx != NULL && (g = malloc(sizeof(double) * (size_t)n)) == NULL)
		return um_fail(UM_ENOMEM, "tsv: no memory for %lld pixels", (long long)n);
	for (int64_t b = 0; b < x->dim[0]; b++) {
		lp[b] = 0;
		for (int64_t p = 0; p < t->planes; p++) {
			if (g != NULL)
				memset(g, 0, sizeof(double) * (size_t)n);
			lp[b] += plane(t, um_row_f(x, b) + p * n, g);
			for (int64_t i = 0; g != NULL && i < n; i++)
				um_row_f(dx, b)[p * n + i] = (float)g[i];
		}
	}
	free(g);
	return UM_OK;
}

static const um_prior_ops ops = { .create = create, .destroy = free, .logp = logp };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "tsv", "1.0",
	"Total squared variation: smooth images, edges softened.",
	"Kuramochi et al. 2018, ApJ 858, 56, doi:10.3847/1538-4357/aab6b5",
	UM_PARAMS(struct tsv, params), UM_OPS(ops),
};
