/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From visibilities to the data of a model: which products, their values and their errors. */
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <umbra/uvmodel.h>

int um_uvmodel_find(const um_uvmodel *m, um_product p)
{
	for (int i = 0; i < m->n; i++)
		if (m->o[i].product == p)
			return i;
	return -1;
}

static um_status no_product(void)
{
	return um_fail(UM_EPARAM, "name some of vis, amp, cphase, logcamp, camp, bispectrum");
}

um_status um_uvmodel_form(um_uvmodel *m, const um_uvdata *d, const um_observe *how, int64_t n, const char *const names[])
{
	if (n < 1)
		return no_product();
	for (int64_t i = 0; i < n; i++) {
		um_product k;
		if (!um_product_named(names[i], &k))
			return no_product();
		if (um_uvmodel_find(m, k) >= 0)
			return um_fail(UM_EPARAM, "%s is listed twice", um_product_name(k));
		um_status st = um_observable_new(d, k, how, &m->o[m->n]);
		if (st != UM_OK)
			return st;
		if (m->o[m->n++].n == 0)
			return um_fail(UM_EDATA, "no %s can be formed of the selected visibilities", um_product_name(k));
	}
	return UM_OK;
}

um_status um_uvmodel_measure(const um_uvmodel *m, const um_uvdata *thermal, const um_uverrors *e, double *y, double *sigma,
	double *noise)
{
	um_uvdata d = { 0 };
	um_status st = um_uvdata_copy(thermal, &d);
	if (st != UM_OK)
		return st;
	um_uvdata_systematic(&d, e->systematic);
	for (int i = 0; i < m->n; i++) {
		double *sd = sigma + m->first[i];
		um_observable_measure(&m->o[i], &d, e->debias, y + m->first[i], sd);
		for (int64_t k = 0; e->budget != NULL && m->o[i].product == UM_AMP && k < d.nrows; k++) {
			const um_uvrow *r = &d.rows[k];
			double g = hypot(e->budget[r->t1], e->budget[r->t2]);
			sd[k] = hypot(sd[k], g * hypot(r->re, r->im));
		}
	}
	for (int64_t i = 0; noise != NULL && i < d.nrows; i++) {
		const um_uvrow *r = &d.rows[i];
		double power = fmax(r->re * r->re + r->im * r->im, DBL_MIN);
		noise[i] = fmin(r->sigma * r->sigma / power, 1e30);
	}
	um_uvdata_free(&d);
	return UM_OK;
}
