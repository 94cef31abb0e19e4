/* SPDX-License-Identifier: GPL-3.0-or-later */
/* With the correlations R = D^-1 T diag(r) T^T D^-1 of each time, D the closures' standard
 * deviations by r, and a = R^-1 (z / sigma): chi2 = Re (z/sigma)^H a, and for phases
 * d chi2/d f = 2 Re (dz/df)^* a / sigma, dz/df = i exp(i d). R comes from the visibilities and
 * sigma from the data, so that errors may be widened without a second table. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/correlation.h>
#include <umbra/linalg.h>

struct um_correlation {
	const um_observable *o;
	bool set;
	int64_t nblocks;
	int64_t *first;  /* [nblocks + 1] closures of a block, which is a time */
	int64_t *at;     /* [nblocks] where its Cholesky factor begins in l */
	double *l;
	double *r;       /* [rows] what l was made of */
	double *e, *a;   /* [2][largest block] */
};

void um_correlation_free(um_correlation *c)
{
	if (c == NULL)
		return;
	free(c->first);
	free(c->at);
	free(c->l);
	free(c->r);
	free(c->e);
	free(c);
}

static bool begins(const um_observable *o, int64_t k)
{
	return k == 0 || o->closure[k].time != o->closure[k - 1].time;
}

/* Blocks, how much room their factors take, and the largest. */
static int64_t partition(um_correlation *c, int64_t *largest)
{
	int64_t room = 0;
	*largest = 0;
	for (int64_t k = 0; k < c->o->n; k++)
		if (begins(c->o, k))
			c->first[c->nblocks++] = k;
	c->first[c->nblocks] = c->o->n;
	for (int64_t b = 0; b < c->nblocks; b++) {
		int64_t n = c->first[b + 1] - c->first[b];
		c->at[b] = room;
		room += n * n;
		*largest = n > *largest ? n : *largest;
	}
	return room;
}

um_status um_correlation_new(const um_observable *o, um_correlation **out)
{
	int64_t largest, room;
	um_status st = UM_OK;
	um_correlation *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return um_fail(UM_ENOMEM, "no memory for correlations");
	c->o = o;
	if (o->product != UM_CPHASE && o->product != UM_LOGCAMP)
		UM_TRY(um_fail(UM_EARG, "correlations are known of cphase and logcamp, not of %s",
			um_product_name(o->product)));
	c->first = calloc((size_t)o->n + 2, sizeof(*c->first));
	c->at = calloc((size_t)o->n + 1, sizeof(*c->at));
	c->r = calloc((size_t)o->rows + 1, sizeof(*c->r));
	if (c->first == NULL || c->at == NULL || c->r == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for correlations of %lld closures", (long long)o->n));
	room = partition(c, &largest);
	c->l = calloc((size_t)room + 1, sizeof(*c->l));
	c->e = calloc((size_t)(4 * largest) + 1, sizeof(*c->e));
	if (c->l == NULL || c->e == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for %lld correlations", (long long)room));
	c->a = c->e + 2 * largest;
	*out = c;
	c = NULL;
out:
	um_correlation_free(c);
	return st;
}

static double sign_of(const um_observable *o, const um_closure *c, int i)
{
	return (o->product == UM_CPHASE ? c->conj[i] : i >= 2) ? -1 : 1;
}

static double covariance(const um_observable *o, const um_closure *p, const um_closure *q, const double *r)
{
	const int terms = um_product_terms(o->product);
	double sum = 0;
	for (int i = 0; i < terms; i++)
		for (int j = 0; j < terms; j++)
			if (p->row[i] == q->row[j])
				sum += sign_of(o, p, i) * sign_of(o, q, j) * r[p->row[i]];
	return sum;
}

static um_status factor(um_correlation *c, int64_t b, const double *r)
{
	const um_closure *k = c->o->closure + c->first[b];
	const int64_t n = c->first[b + 1] - c->first[b];
	double *l = c->l + c->at[b];
	for (int64_t i = 0; i < n; i++)
		c->e[i] = 1 / sqrt(covariance(c->o, &k[i], &k[i], r));
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j < n; j++)
			l[i * n + j] = i == j ? 1 : covariance(c->o, &k[i], &k[j], r) * c->e[i] * c->e[j];
	um_status st = um_cholesky(n, l);
	if (st == UM_OK && !(l[n * n - 1] > 1e-7)) /* rounding of a rank that is not full */
		st = um_fail(UM_ENUM, "not positive definite");
	return st == UM_OK ? st : um_context(st, "covariance of %s at %.6g h: closures depend on each other; "
		"take the minimal set", um_product_name(c->o->product), k->time);
}

um_status um_correlation_set(um_correlation *c, const double *r)
{
	const size_t bytes = (size_t)c->o->rows * sizeof(*r);
	um_status st = UM_OK;
	if (c->set && memcmp(c->r, r, bytes) == 0)
		return UM_OK;
	c->set = false;
	for (int64_t b = 0; st == UM_OK && b < c->nblocks; b++)
		st = factor(c, b, r);
	memcpy(c->r, r, bytes);
	c->set = st == UM_OK;
	return st;
}

double um_correlation_chi2(um_correlation *c, const double *y, const double *sigma, const double *f,
	double *df)
{
	const bool phase = c->o->product == UM_CPHASE;
	const double all = (double)c->o->len;
	double sum = 0;
	for (int64_t b = 0; b < c->nblocks; b++) {
		const int64_t first = c->first[b], n = c->first[b + 1] - first;
		for (int64_t i = 0; i < n; i++) { /* real parts, then imaginary ones */
			double d = f[first + i] - y[first + i], half = sin(0.5 * d), s = sigma[first + i];
			c->e[i] = (phase ? -2 * half * half : d) / s;
			c->e[n + i] = phase ? sin(d) / s : 0;
		}
		memcpy(c->a, c->e, (size_t)(2 * n) * sizeof(*c->a));
		um_cholesky_solve(n, c->l + c->at[b], phase ? 2 : 1, c->a);
		sum += um_dot(phase ? 2 * n : n, c->e, c->a);
		for (int64_t i = 0; df != NULL && i < n; i++) {
			double d = f[first + i] - y[first + i];
			double g = phase ? cos(d) * c->a[n + i] - sin(d) * c->a[i] : c->a[i];
			df[first + i] = 2 * g / (sigma[first + i] * all);
		}
	}
	return c->o->n > 0 ? sum / all : NAN;
}
