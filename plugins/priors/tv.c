/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Total variation (Rudin, Osher and Fatemi 1992): log p(x) = -weight TV(x) up to a constant,
 * with forward differences dx, dy that are zero across the last column and row.
 *   isotropic:   sum over pixels of |(dx, dy)|         anisotropic: sum |dx| + sum |dy|
 * where |d| is smoothed to sqrt(d^2 + epsilon^2) - epsilon, so that the gradient exists
 * everywhere. As a mean the sums are divided by the number of their terms. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/plugin.h>

struct tv {
	double weight;
	const char *norm, *reduce;
	double epsilon;
};

static const um_param params[] = {
	UM_PARAM(struct tv, weight, "1", 0, 1e12, "", "Factor of the total variation in -log p."),
	UM_CHOICE(struct tv, norm, "isotropic", "isotropic|anisotropic", "Length of the gradient vector, or "
		"the sum of its absolute components."),
	UM_CHOICE(struct tv, reduce, "sum", "sum|mean", "Sum over all differences, or their mean."),
	UM_PARAM(struct tv, epsilon, "1e-4", 1e-12, 1e6, "", "Differences well below this, in units of x, are "
		"penalised quadratically; a tenth of the faintest structure that matters is a good choice."),
};

struct self {
	double weight, epsilon;
	bool isotropic, mean;
	int64_t planes, rows, columns;
};

static um_status create(void **self, const void *p_, const um_env *env, um_prior_info *info)
{
	const struct tv *p = p_;
	const int64_t *s = env->shape;
	struct self *t = malloc(sizeof(*t));
	(void)info;
	if (t == NULL)
		return um_fail(UM_ENOMEM, "no memory for tv");
	*t = (struct self){ p->weight, p->epsilon, strcmp(p->norm, "isotropic") == 0,
		strcmp(p->reduce, "mean") == 0, s[0] * s[1] * s[2], s[3], s[4] };
	*self = t;
	return UM_OK;
}

/* Adds factor * (|(a, b)| - epsilon) and its derivatives by a and b. */
static double term(double epsilon, double a, double b, double factor, double *da, double *db)
{
	double length = sqrt(a * a + b * b + epsilon * epsilon);
	*da += factor * a / length;
	*db += factor * b / length;
	return factor * (length - epsilon);
}

/* Accumulates the gradient of pixel (r, c)'s terms into g; g is NULL where not wanted. */
static double pixel(const struct self *t, const float *x, double *g, int64_t r, int64_t c, double fx, double fy)
{
	const int64_t i = r * t->columns + c;
	const double a = c + 1 < t->columns ? (double)x[i + 1] - x[i] : 0;
	const double b = r + 1 < t->rows ? (double)x[i + t->columns] - x[i] : 0;
	double da = 0, db = 0, none = 0, value;
	if (t->isotropic)
		value = term(t->epsilon, a, b, fx, &da, &db);
	else
		value = term(t->epsilon, a, 0, fx, &da, &none) + term(t->epsilon, b, 0, fy, &db, &none);
	if (g == NULL)
		return value;
	g[i] -= da + db;
	if (c + 1 < t->columns)
		g[i + 1] += da;
	if (r + 1 < t->rows)
		g[i + t->columns] += db;
	return value;
}

/* Factors of the terms along columns (or of both, isotropic) and along rows. */
static void factors(const struct self *t, double *fx, double *fy)
{
	const double n = (double)t->planes, r = (double)t->rows, c = (double)t->columns;
	*fx = *fy = -t->weight;
	if (!t->mean)
		return;
	*fx /= t->isotropic ? n * r * c : n * r * fmax(1, c - 1);
	*fy /= n * c * fmax(1, r - 1);
}

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	const struct self *t = self;
	const int64_t plane = t->rows * t->columns;
	double fx, fy, *g = NULL;
	(void)rng;
	factors(t, &fx, &fy);
	if (dx != NULL && (g = malloc(sizeof(double) * (size_t)plane)) == NULL)
		return um_fail(UM_ENOMEM, "tv: no memory for %lld pixels", (long long)plane);
	for (int64_t b = 0; b < x->dim[0]; b++) {
		lp[b] = 0;
		for (int64_t p = 0; p < t->planes; p++) {
			const int64_t at = p * plane;
			if (g != NULL)
				memset(g, 0, sizeof(double) * (size_t)plane);
			for (int64_t i = 0; i < plane; i++)
				lp[b] += pixel(t, um_row_f(x, b) + at, g, i / t->columns, i % t->columns, fx, fy);
			for (int64_t i = 0; g != NULL && i < plane; i++)
				um_row_f(dx, b)[at + i] = (float)g[i];
		}
	}
	free(g);
	return UM_OK;
}

static const um_prior_ops ops = { .create = create, .destroy = free, .logp = logp };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "tv", "1.0",
	"Total variation: few edges, smooth in between.",
	"Rudin, Osher & Fatemi 1992, Physica D 60, 259, doi:10.1016/0167-2789(92)90242-F",
	UM_PARAMS(struct tv, params), UM_OPS(ops),
};
