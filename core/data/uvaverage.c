/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Coherent averaging in time, as eht-imaging's avg_coherent: V, u, v are means over a bin and a
 * baseline; sigma = sqrt(sum sigma^2)/n for a plain mean, 1/sqrt(sum 1/sigma^2) with weights
 * 1/sigma^2. Opacities are part of what tells baselines apart. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "uvfits.h"

/* A row on the way into its bin. */
struct item {
	int64_t bin;
	um_uvrow row;
};

#define BY(x, y) do { if ((x) < (y)) return -1; if ((x) > (y)) return 1; } while (0)

static int compare_items(const void *a, const void *b)
{
	const struct item *p = a;
	const struct item *q = b;
	BY(p->bin, q->bin);
	BY(p->row.t1, q->row.t1);
	BY(p->row.t2, q->row.t2);
	BY(p->row.tau1, q->row.tau1);
	BY(p->row.tau2, q->row.tau2);
	BY(p->row.time, q->row.time);
	BY(p->row.group, q->row.group);
	return 0;
}

static bool together(const struct item *p, const struct item *q)
{
	return p->bin == q->bin && p->row.t1 == q->row.t1 && p->row.t2 == q->row.t2
		&& p->row.tau1 == q->row.tau1 && p->row.tau2 == q->row.tau2;
}

/* Times carry the rounding of the file's float32: 0.1 s first, so that a stamp on the edge of
 * a bin falls into the right one. */
static int64_t bin_of(double time, double seconds)
{
	return (int64_t)floor(round(time * 36000) / 10 / seconds);
}

static um_uvrow mean(const struct item *p, int64_t n, bool weighted)
{
	um_uvrow r = p->row;
	double sum = 0;
	double s2 = 0;
	r.u = r.v = r.re = r.im = r.tint = 0;
	r.group = -1;
	for (int64_t i = 0; i < n; i++) {
		const um_uvrow *q = &p[i].row;
		double w = weighted ? 1 / (q->sigma * q->sigma) : 1;
		sum += w;
		s2 += w * w * q->sigma * q->sigma;
		r.tint += q->tint;
		r.u += w * q->u;
		r.v += w * q->v;
		r.re += w * q->re;
		r.im += w * q->im;
	}
	r.u /= sum;
	r.v /= sum;
	r.re /= sum;
	r.im /= sum;
	r.sigma = sqrt(s2) / sum;
	return r;
}

/* Assigns bins; centre[bin] is the middle of a scan. Rows are sorted by time. */
static void assign(const um_uvdata *d, const um_uvaverage *how, struct item *items, double *centre)
{
	int64_t scan = 0;
	double start = d->nrows > 0 ? d->rows[0].time : 0;
	for (int64_t i = 0; i < d->nrows; i++) {
		double time = d->rows[i].time;
		if (um_uvdata_gap(d, i) > UM_SCAN_GAP) {
			scan += i > 0;
			start = time;
		}
		centre[scan] = 0.5 * (start + time);
		items[i].row = d->rows[i];
		items[i].bin = how->seconds > 0 ? bin_of(time, how->seconds) : scan;
	}
}

um_status um_uvdata_average(const um_uvdata *d, const um_uvaverage *how, um_uvdata *out)
{
	um_status st = um_uvdata_copy(d, out);
	if (st != UM_OK)
		return st;
	struct item *items = calloc((size_t)d->nrows + 1, sizeof(*items));
	double *centre = calloc((size_t)d->nrows + 1, sizeof(*centre));
	if (items == NULL || centre == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory to average %lld visibilities", (long long)d->nrows));
	assign(d, how, items, centre);
	qsort(items, (size_t)d->nrows, sizeof(*items), compare_items);
	out->nrows = 0;
	for (int64_t i = 0, n; i < d->nrows; i += n) {
		um_uvrow *r = &out->rows[out->nrows++];
		for (n = 1; i + n < d->nrows && together(&items[i], &items[i + n]);)
			n++;
		*r = mean(&items[i], n, how->inverse_variance);
		if (how->seconds > 0)
			r->time = ((double)items[i].bin + 0.5) * how->seconds / 3600;
		else if (!how->per_baseline)
			r->time = centre[items[i].bin];
	}
	UM_TRY(um_uvdata_sort(out));
out:
	free(items);
	free(centre);
	if (st != UM_OK)
		um_uvdata_free(out);
	return st;
}
