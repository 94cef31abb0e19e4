/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Total squared variation (Kuramochi et al. 2018): log p(x) = -weight TSV(x) up to a constant,
 * with forward differences that are zero across the last column and row.
 *   sum:  sum dx^2 + sum dy^2              mean:  mean dx^2 + mean dy^2
 * The means are over the differences there are: columns - 1 a row, rows - 1 a column. Frames,
 * bands and channels are separate images: sums and means are over all of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/planes.h>

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
	um_planes planes;
	double across, down; /* factors of the two sums in log p */
};

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

static um_status plane(const void *self, const float *x, double *lp, double *g)
{
	const struct self *t = self;
	const um_planes *n = &t->planes;
	double value = 0;
	for (int64_t r = 0; r < n->rows; r++)
		for (int64_t c = 0; c < n->columns; c++) {
			const int64_t i = r * n->columns + c;
			if (c + 1 < n->columns)
				value += term(x, g, i + 1, i, t->across);
			if (r + 1 < n->rows)
				value += term(x, g, i + n->columns, i, t->down);
		}
	*lp += value;
	return UM_OK;
}

static um_status create(void **self, const void *p_, const um_env *env, um_prior_info *info)
{
	const struct tsv *p = p_;
	const um_planes n = um_planes_of(env, plane);
	struct self *t = malloc(sizeof(*t));
	(void)info;
	if (t == NULL)
		return um_fail(UM_ENOMEM, "no memory for tsv");
	*t = (struct self){ n, -p->weight, -p->weight };
	if (strcmp(p->reduce, "mean") == 0) {
		t->across /= (double)n.count * (double)n.rows * fmax(1, (double)n.columns - 1);
		t->down /= (double)n.count * (double)n.columns * fmax(1, (double)n.rows - 1);
	}
	*self = t;
	return UM_OK;
}

static const um_prior_ops ops = { .create = create, .destroy = free, .logp = um_planes_logp };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "tsv", "1.0",
	"Total squared variation: smooth images, edges softened.",
	"Kuramochi et al. 2018, ApJ 858, 56, doi:10.3847/1538-4357/aab6b5",
	UM_PARAMS(struct tsv, params), UM_OPS(ops),
};
