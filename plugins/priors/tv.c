/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Total variation (Rudin, Osher and Fatemi 1992): log p(x) = -weight TV(x) up to a constant,
 * with forward differences dx, dy that are zero across the last column and row.
 *   isotropic:   sum over pixels of |(dx, dy)|         anisotropic: sum |dx| + sum |dy|
 * where |d| is smoothed to sqrt(d^2 + epsilon^2) - epsilon, so that the gradient exists
 * everywhere. As a mean the sums are divided by the number of their terms. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/planes.h>

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
	um_planes planes;
	double across, down; /* factors of the terms along columns (or of both, isotropic) and along rows */
	double epsilon;
	bool isotropic;
};

/* Adds factor * (|(a, b)| - epsilon) and its derivatives by a and b. */
static double term(double epsilon, double a, double b, double factor, double *da, double *db)
{
	double length = sqrt(a * a + b * b + epsilon * epsilon);
	*da += factor * a / length;
	*db += factor * b / length;
	return factor * (length - epsilon);
}

/* Accumulates the gradient of pixel (r, c)'s terms into g; g is NULL where not wanted. */
static double pixel(const struct self *t, const float *x, double *g, int64_t r, int64_t c)
{
	const int64_t rows = t->planes.rows, columns = t->planes.columns, i = r * columns + c;
	const double a = c + 1 < columns ? (double)x[i + 1] - x[i] : 0;
	const double b = r + 1 < rows ? (double)x[i + columns] - x[i] : 0;
	double da = 0, db = 0, none = 0, value;
	if (t->isotropic)
		value = term(t->epsilon, a, b, t->across, &da, &db);
	else
		value = term(t->epsilon, a, 0, t->across, &da, &none) + term(t->epsilon, b, 0, t->down, &db, &none);
	if (g == NULL)
		return value;
	g[i] -= da + db;
	if (c + 1 < columns)
		g[i + 1] += da;
	if (r + 1 < rows)
		g[i + columns] += db;
	return value;
}

static um_status plane(const void *self, const float *x, double *lp, double *g)
{
	const struct self *t = self;
	for (int64_t r = 0; r < t->planes.rows; r++)
		for (int64_t c = 0; c < t->planes.columns; c++)
			*lp += pixel(t, x, g, r, c);
	return UM_OK;
}

static um_status create(void **self, const void *p_, const um_env *env, um_prior_info *info)
{
	const struct tv *p = p_;
	const um_planes s = um_planes_of(env, plane);
	const double n = (double)s.count, r = (double)s.rows, c = (double)s.columns;
	const bool isotropic = strcmp(p->norm, "isotropic") == 0;
	struct self *t = malloc(sizeof(*t));
	(void)info;
	if (t == NULL)
		return um_fail(UM_ENOMEM, "no memory for tv");
	*t = (struct self){ s, -p->weight, -p->weight, p->epsilon, isotropic };
	if (strcmp(p->reduce, "mean") == 0) {
		t->across /= isotropic ? n * r * c : n * r * fmax(1, c - 1);
		t->down /= n * c * fmax(1, r - 1);
	}
	*self = t;
	return UM_OK;
}

static const um_prior_ops ops = { .create = create, .destroy = free, .logp = um_planes_logp };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "tv", "1.0",
	"Total variation: few edges, smooth in between.",
	"Rudin, Osher & Fatemi 1992, Physica D 60, 259, doi:10.1016/0167-2789(92)90242-F",
	UM_PARAMS(struct tv, params), UM_OPS(ops),
};
