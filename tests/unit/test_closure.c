/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Closures: what station gains cannot change, derivatives, and eht-imaging's tables. */
#include <umbra/rng.h>
#include "eht.h"

#define SYNTHETIC "tests/data/synthetic.uvfits"

static const um_observe minimal = { 0 };
static const um_observe maximal = { .maximal = true };

/* Bispectra as argument and relative error. */
static void polar(const um_observable *o, double *y, double *s)
{
	for (int64_t i = 0; i < o->n; i++) {
		CHECK_NEAR(s[o->n + i], s[i], 0);
		s[i] /= hypot(y[i], y[o->n + i]);
		y[i] = atan2(y[o->n + i], y[i]);
	}
}

/* Each station's signal times a complex gain of its own: closures stay, and of a bispectrum its
 * argument and relative error. */
static void gains(void)
{
	um_uvdata d;
	um_observable o;
	double g[6][2];
	um_rng r = um_rng_new(3, "gains", 0);
	CHECK_OK(um_uvfits_read(SYNTHETIC, &d));
	for (int i = 0; i < 6; i++) {
		g[i][0] = exp(0.3 * um_normal(&r));
		g[i][1] = 6.3 * um_uniform(&r);
	}
	for (int p = UM_CPHASE; p < UM_PRODUCTS; p++)
		for (int m = 0; m < 2; m++) {
			um_uvdata e;
			CHECK_OK(um_uvdata_copy(&d, &e));
			CHECK_OK(um_observable_new(&d, (um_product)p, m ? &maximal : &minimal, &o));
			for (int64_t i = 0; i < e.nrows; i++) {
				um_uvrow *q = &e.rows[i];
				double a = g[q->t1][0] * g[q->t2][0];
				double t = g[q->t1][1] - g[q->t2][1];
				double re = a * (q->re * cos(t) - q->im * sin(t));
				q->im = a * (q->re * sin(t) + q->im * cos(t));
				q->re = re;
				q->sigma *= a;
			}
			double *y = calloc((size_t)o.len, sizeof(*y));
			double *s = calloc((size_t)o.len, sizeof(*s));
			um_observable_measure(&o, &e, false, y, s);
			if (p == UM_BISPECTRUM) {
				polar(&o, o.y, o.sigma);
				polar(&o, y, s);
			}
			for (int64_t i = 0; i < o.n; i++) {
				CHECK_NEAR(remainder(y[i] - o.y[i], 360 * DEGREE), 0, 1e-11 * fmax(1, fabs(y[i])));
				CHECK_REL(s[i], o.sigma[i], 1e-11);
			}
			free(y);
			free(s);
			um_observable_free(&o);
			um_uvdata_free(&e);
		}
	um_uvdata_free(&d);
}

/* Complete arrays have (n-1)(n-2)/2 phases and n(n-3)/2 amplitudes in the minimal set. */
static void counts(void)
{
	static const int64_t want[2][2] = { { 92, 192 }, { 83, 426 } };
	um_uvdata d;
	um_observable o;
	CHECK_OK(um_uvfits_read(SYNTHETIC, &d));
	for (int p = UM_CPHASE; p < UM_PRODUCTS; p++)
		for (int m = 0; m < 2; m++) {
			CHECK_OK(um_observable_new(&d, (um_product)p, m ? &maximal : &minimal, &o));
			CHECK(o.n == want[um_product_terms((um_product)p) == 4][m]);
			CHECK(o.len == (p == UM_BISPECTRUM ? 2 * o.n : o.n));
			um_observable_free(&o);
		}
	d.nrows = 15; /* the first time, complete */
	CHECK_OK(um_observable_new(&d, UM_CPHASE, &minimal, &o));
	CHECK(o.n == 10);
	um_observable_free(&o);
	CHECK_OK(um_observable_new(&d, UM_LOGCAMP, &maximal, &o));
	CHECK(o.n == 45);
	um_observable_free(&o);
	d.rows[0].re = d.rows[0].im = 0; /* no amplitude: closures through it are left out */
	CHECK_OK(um_observable_new(&d, UM_CPHASE, &maximal, &o));
	CHECK(o.n == 16);
	um_observable_free(&o);
	um_uvdata_free(&d);
}

/* jvp against central differences, vjp against jvp, for every product. */
static void derivatives(void)
{
	um_uvdata d;
	um_rng r = um_rng_new(5, "derivatives", 0);
	CHECK_OK(um_uvfits_read(SYNTHETIC, &d));
	const size_t m = (size_t)d.nrows;
	double *v = calloc(8 * m, sizeof(*v)); /* re im dre dim shifted re im, gre gim */
	um_normal_fill(&r, v, (int64_t)(4 * m));
	for (int p = UM_VIS; p < UM_PRODUCTS; p++) {
		um_observable o;
		CHECK_OK(um_observable_new(&d, (um_product)p, &minimal, &o));
		const size_t n = (size_t)o.len;
		double *f = calloc(4 * n, sizeof(*f)); /* up down df w */
		const double h = 1e-6;
		for (int side = 0; side < 2; side++) {
			for (size_t i = 0; i < 2 * m; i++)
				v[4 * m + i] = v[i] + (side ? -h : h) * v[2 * m + i];
			um_observable_model(&o, v + 4 * m, v + 5 * m, f + (size_t)side * n);
		}
		um_observable_jvp(&o, v, v + m, v + 2 * m, v + 3 * m, f + 2 * n);
		um_normal_fill(&r, f + 3 * n, (int64_t)n);
		memset(v + 6 * m, 0, 2 * m * sizeof(*v));
		um_observable_vjp(&o, v, v + m, f + 3 * n, v + 6 * m, v + 7 * m);
		double left = 0;
		double right = 0;
		double size = 0;
		for (size_t i = 0; i < n; i++) {
			double diff = f[i] - f[n + i];
			if (p == UM_CPHASE)
				diff = remainder(diff, 360 * DEGREE);
			CHECK_NEAR(diff / (2 * h), f[2 * n + i], 1e-4 * (1 + f[2 * n + i] * f[2 * n + i]));
			left += f[2 * n + i] * f[3 * n + i];
			size += fabs(f[2 * n + i] * f[3 * n + i]);
		}
		for (size_t i = 0; i < 2 * m; i++)
			right += v[2 * m + i] * v[6 * m + i];
		CHECK_NEAR(left, right, 1e-12 * size);
		free(f);
		um_observable_free(&o);
	}
	free(v);
	um_uvdata_free(&d);
}

/* camp is exp logcamp, a bispectrum has the closure phase, with the errors that follow; biases
 * that are taken off are small where signals are strong. */
static void relations(void)
{
	um_uvdata d;
	um_observable l, c, p, b, e;
	CHECK_OK(um_uvfits_read(SYNTHETIC, &d));
	for (int m = 0; m < 2; m++) {
		const um_observe *how = m ? &maximal : &minimal;
		CHECK_OK(um_observable_new(&d, UM_LOGCAMP, how, &l));
		CHECK_OK(um_observable_new(&d, UM_CAMP, how, &c));
		CHECK_OK(um_observable_new(&d, UM_CPHASE, how, &p));
		CHECK_OK(um_observable_new(&d, UM_BISPECTRUM, how, &b));
		CHECK_OK(um_observable_new(&d, UM_CAMP, &(um_observe){ m, .debias = true }, &e));
		for (int64_t i = 0; i < l.n; i++) {
			CHECK_REL(c.y[i], exp(l.y[i]), 1e-14);
			CHECK_REL(c.sigma[i], exp(l.y[i]) * l.sigma[i], 1e-14);
			CHECK(l.sigma[i] > 0.1 || fabs(e.y[i] / c.y[i] - 1) < l.sigma[i] * l.sigma[i]);
		}
		for (int64_t i = 0; i < p.n; i++) {
			CHECK_NEAR(atan2(b.y[p.n + i], b.y[i]), p.y[i], 1e-15);
			CHECK_REL(b.sigma[i], hypot(b.y[i], b.y[p.n + i]) * p.sigma[i], 1e-14);
		}
		um_observable_free(&l), um_observable_free(&c), um_observable_free(&p);
		um_observable_free(&b), um_observable_free(&e);
	}
	um_uvdata_free(&d);
}

static void check_phases(const um_uvdata *d, json_t *j)
{
	um_observable o;
	double c = 0;
	double s = 0;
	double sigma = 0;
	CHECK_OK(um_observable_new(d, UM_CPHASE, &minimal, &o));
	CHECK(o.n == (int64_t)eht_number(j, "count_min"));
	json_t *rows = eht_at(j, "min_first20");
	for (size_t i = 0; i < json_array_size(rows); i++) {
		json_t *w = json_array_get(rows, i);
		const int *t = o.closure[i].station;
		CHECK(strcmp(d->stations[t[0]].name, eht_text(w, "t1")) == 0);
		CHECK(strcmp(d->stations[t[1]].name, eht_text(w, "t2")) == 0);
		CHECK(strcmp(d->stations[t[2]].name, eht_text(w, "t3")) == 0);
		CHECK_NEAR(o.closure[i].time, eht_number(w, "time_h"), 1e-8);
		CHECK_NEAR(o.y[i], eht_number(w, "cphase_deg") * DEGREE, 1e-6);
		CHECK_REL(o.sigma[i], eht_number(w, "sigma_deg") * DEGREE, 1e-6);
	}
	for (int64_t i = 0; i < o.n; i++) {
		c += cos(o.y[i]);
		s += sin(o.y[i]);
		sigma += o.sigma[i] / DEGREE;
	}
	CHECK_NEAR(c, eht_number(j, "min_checksums.sum_cos"), 1e-6 * (double)o.n);
	CHECK_NEAR(s, eht_number(j, "min_checksums.sum_sin"), 1e-6 * (double)o.n);
	CHECK_REL(sigma, eht_number(j, "min_checksums.sum_sigma_deg"), 1e-6);
	um_observable_free(&o);
	CHECK_OK(um_observable_new(d, UM_CPHASE, &maximal, &o));
	CHECK(o.n == (int64_t)eht_number(j, "count_max"));
	c = 0;
	for (int64_t i = 0; i < o.n; i++)
		c += cos(o.y[i]);
	CHECK_NEAR(c, eht_number(j, "max_checksums_cos_only.sum_cos"), 1e-6 * (double)o.n);
	um_observable_free(&o);
}

static void check_amplitudes(const um_uvdata *d, json_t *j, bool debias)
{
	um_observable o;
	double sum = 0;
	double size = 0;
	double tol = debias ? 1e-3 : 1e-6;
	json_t *want = eht_at(j, debias ? "debias_True" : "debias_False");
	CHECK_OK(um_observable_new(d, UM_LOGCAMP, &(um_observe){ .debias = debias }, &o));
	CHECK(o.n == (int64_t)eht_number(want, "count_min"));
	json_t *rows = eht_at(want, "min_first20");
	for (size_t i = 0; i < json_array_size(rows); i++) {
		json_t *w = json_array_get(rows, i);
		const int *t = o.closure[i].station;
		static const char *const keys[] = { "t1", "t2", "t3", "t4" };
		for (int k = 0; k < 4; k++)
			CHECK(strcmp(d->stations[t[k]].name, eht_text(w, keys[k])) == 0);
		CHECK_NEAR(o.y[i], eht_number(w, "logcamp"), tol);
		CHECK_REL(o.sigma[i], eht_number(w, "sigma"), tol);
	}
	for (int64_t i = 0; i < o.n; i++) {
		sum += o.y[i];
		size += fabs(o.y[i]);
	}
	CHECK_REL(size, eht_number(want, "min_checksums.sum_abs_logcamp"), debias ? 1e-4 : 1e-6);
	CHECK_NEAR(sum, eht_number(want, "min_checksums.sum_logcamp"), (debias ? 1e-4 : 1e-6) * size);
	um_observable_free(&o);
	CHECK_OK(um_observable_new(d, UM_LOGCAMP, &maximal, &o));
	CHECK(o.n == (int64_t)eht_number(j, "count_max"));
	um_observable_free(&o);
}

static void real_files(void)
{
	static const char *const names[] = { M87, "sample", "score_prior_obs" };
	for (int f = 0; f < 3; f++) {
		um_uvdata d;
		char name[256];
		snprintf(name, sizeof(name), "ref/%s", names[f]);
		const char *path = eht_path(name, ".json");
		if (path == NULL)
			return;
		json_t *j = eht_json(path);
		CHECK_OK(um_uvfits_read(eht_path(names[f], ".uvfits"), &d));
		check_phases(&d, eht_at(j, "cphase"));
		check_amplitudes(&d, eht_at(j, "logcamp"), false);
		check_amplitudes(&d, eht_at(j, "logcamp"), true);
		json_decref(j);
		um_uvdata_free(&d);
	}
}

CHECK_MAIN(CHECK_CASE(gains), CHECK_CASE(counts), CHECK_CASE(derivatives), CHECK_CASE(relations),
	CHECK_CASE(real_files))
