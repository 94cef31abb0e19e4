/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calls of a score for states in double, some rows of a batch at a time. States are of what diffuses,
 * u = (x - lo) / unit, and so are results; the score itself is one of x. */
#ifndef UMBRA_HOST_FLOW_SCORE_H
#define UMBRA_HOST_FLOW_SCORE_H

#include <umbra/probflow.h>

/* Arrays for as many images as a batch has. */
typedef struct flow_score {
	const um_probflow *f;
	int64_t batch;
	um_array x, v, e, s, jtv, ddiv; /* float; e [batch * probes] */
	const um_array *probes;         /* [batch * probes] of all samples, or NULL */
	double *alpha, *sigma, *div;
	double *sigma_x;                /* in units of x */
	int64_t calls;                  /* images so far */
	um_status (*between)(void *context, int64_t first, int64_t count); /* as in um_score_job, but s is still that by x */
	void *context;
} flow_score;

/* What is wanted of a call. FLOW_RESIDUAL: jtv = J^T (sigma s + v). */
enum { FLOW_S = 1, FLOW_JTV = 2, FLOW_DIV = 4, FLOW_DDIV = 8, FLOW_RESIDUAL = 16 };

static inline double flow_unit(const um_probflow *f)
{
	return f->unit > 0 ? f->unit : 1;
}
static inline double flow_from_x(const um_probflow *f, double x)
{
	return (x - f->lo) / flow_unit(f);
}

um_status flow_score_new(flow_score *c, const um_probflow *f, int64_t batch, const um_array *probes);
void flow_score_free(flow_score *c);

/* Sets image k of the next call, at time t: n doubles; and the vector v of jtv. */
void flow_score_put(flow_score *c, int64_t k, double t, const double *x);
void flow_score_vector(flow_score *c, int64_t k, const double *v);
/* Calls the score for count images; image k is sample row[k], whose probes are taken. Then row k of s,
 * jtv and ddiv, and div[k], are there. */
um_status flow_score_call(flow_score *c, int64_t count, const int64_t row[], int want);

/* Row k of one of the arrays. */
static inline const float *flow_row(const um_array *a, int64_t k, int64_t n)
{
	return (const float *)a->data + k * n;
}

#endif
