/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Chi-squares and their gradients: against an independent double-precision program on real
 * files, and against central differences on the invented one. */
#include <umbra/dft.h>
#include <umbra/fits.h>
#include <umbra/rng.h>
#include "eht.h"

#define SYNTHETIC "tests/data/synthetic.uvfits"

/* Data, transform and model of one image. */
struct pair {
	um_uvdata d;
	um_image im;
	um_dft *dft;
	int64_t n, rows, columns;
	double *re, *im_, *g;
};

static void pair_open(struct pair *p, const char *obs, const char *image, um_pulse pulse)
{
	CHECK_OK(um_uvfits_read(obs, &p->d));
	CHECK_OK(um_image_read(image, &p->im));
	p->n = p->d.nrows;
	p->rows = p->im.data.dim[0];
	p->columns = p->im.data.dim[1];
	double *uv = calloc((size_t)(2 * p->n), sizeof(*uv));
	for (int64_t i = 0; i < p->n; i++) {
		uv[i] = p->d.rows[i].u;
		uv[p->n + i] = p->d.rows[i].v;
	}
	CHECK_OK(um_dft_new(uv, uv + p->n, p->n, p->rows, p->columns, p->im.sky.pixel, pulse, &p->dft));
	free(uv);
	p->re = calloc((size_t)(4 * p->n + p->rows * p->columns), sizeof(double));
	p->im_ = p->re + p->n;
	p->g = p->re + 4 * p->n;
	CHECK_OK(um_dft_forward(p->dft, 1, p->im.data.data, p->re, p->im_));
}

static void pair_close(struct pair *p)
{
	um_uvdata_free(&p->d);
	um_image_free(&p->im);
	um_dft_free(p->dft);
	free(p->re);
}

/* The chi-square of a product; its gradient goes to p->g. */
static double chi2(struct pair *p, um_product product, bool debias, int64_t *n)
{
	um_observable o;
	CHECK_OK(um_observable_new(&p->d, product, &(um_observe){ .debias = debias }, &o));
	double *f = calloc((size_t)(2 * o.len), sizeof(*f));
	double *gre = p->re + 2 * p->n;
	um_observable_model(&o, p->re, p->im_, f);
	double value = um_observable_chi2(&o, o.y, o.sigma, f, f + o.len);
	memset(gre, 0, (size_t)(2 * p->n) * sizeof(*gre));
	um_observable_vjp(&o, p->re, p->im_, f + o.len, gre, gre + p->n);
	CHECK_OK(um_dft_adjoint(p->dft, 1, gre, gre + p->n, p->g));
	if (n != NULL)
		*n = o.n;
	free(f);
	um_observable_free(&o);
	return value;
}

static void check_gradient(const struct pair *p, json_t *want, const char *key)
{
	char norm[64];
	json_t *at = eht_at(want, "grad_pixels_fits_row_col");
	json_t *list = eht_at(want, key);
	double sum = 0;
	double most = 0;
	for (int64_t i = 0; i < p->rows * p->columns; i++) {
		sum += p->g[i] * p->g[i];
		most = fmax(most, fabs(p->g[i]));
	}
	snprintf(norm, sizeof(norm), "%s_l2", key);
	CHECK_REL(sqrt(sum), eht_number(want, norm), 1e-9);
	for (size_t i = 0; i < json_array_size(at); i++) {
		int64_t row = p->rows - 1 - (int64_t)eht_number(json_array_get(at, i), "0");
		int64_t column = (int64_t)eht_number(json_array_get(at, i), "1");
		CHECK_NEAR(p->g[row * p->columns + column], json_number_value(json_array_get(list, i)),
			1e-9 * most);
	}
}

static void check_pair(const char *name, const char *obs, const char *image, json_t *all)
{
	static const char *const pulses[] = { "trianglePulse2D", "deltaPulse2D" };
	static const struct { um_product p; bool debias; const char *key; double tol; } figures[] = {
		{ UM_VIS, false, "vis", 1e-9 }, { UM_AMP, false, "amp_nodebias", 1e-9 },
		{ UM_AMP, true, "amp_debias", 1e-9 }, { UM_CPHASE, false, "cphase", 1e-9 },
		{ UM_LOGCAMP, false, "logcamp_nodebias", 1e-9 }, { UM_LOGCAMP, true, "logcamp_debias", 1e-7 },
	};
	for (int k = 0; k < 2; k++) {
		struct pair p;
		json_t *want = eht_at(eht_at(all, name), pulses[k]);
		pair_open(&p, eht_path(obs, ".uvfits"), eht_path(image, ".fits"), k ? UM_DELTA : UM_TRIANGLE);
		for (size_t i = 0; i < sizeof(figures) / sizeof(*figures); i++) {
			int64_t n;
			double got = chi2(&p, figures[i].p, figures[i].debias, &n);
			CHECK_REL(got, eht_number(want, figures[i].key), figures[i].tol);
			if (figures[i].p == UM_VIS) {
				CHECK(n == (int64_t)eht_number(want, "n.0"));
				check_gradient(&p, want, "grad_vis");
			} else if (figures[i].p == UM_CPHASE) {
				CHECK(n == (int64_t)eht_number(want, "n.1"));
				check_gradient(&p, want, "grad_cphase");
			}
		}
		pair_close(&p);
	}
}

static void real_files(void)
{
	const char *path = eht_path("ref/float64_chi2", ".json");
	if (path == NULL)
		return;
	json_t *j = eht_json(path);
	json_t *all = eht_at(j, "chi2");
	check_pair("score_prior", "score_prior_obs", "score_prior_truth", all);
	check_pair("gaussian_on_M87_095_lo", M87, "gaussian40uas_64px_160uas_M87", all);
	json_decref(j);
}

/* References, measurements and images. */
static const char *const cases[][3] = {
	{ "ref/pair_score_prior", "score_prior_obs", "score_prior_truth" },
	{ "ref/pair_gaussian_on_M87_095_lo", M87, "gaussian40uas_64px_160uas_M87" },
};

/* Closure amplitudes and bispectra, for which eht-imaging itself is the reference. */
static void products_of_ehtim(void)
{
	for (int c = 0; c < 2; c++)
		for (int k = 0; k < 2; k++) {
			struct pair p;
			int64_t n;
			const char *path = eht_path(cases[c][0], ".json");
			if (path == NULL)
				return;
			json_t *j = eht_json(path);
			json_t *want = eht_at(j, k ? "deltaPulse2D" : "trianglePulse2D");
			pair_open(&p, eht_path(cases[c][1], ".uvfits"), eht_path(cases[c][2], ".fits"),
				k ? UM_DELTA : UM_TRIANGLE);
			CHECK_REL(chi2(&p, UM_BISPECTRUM, false, &n), eht_number(want, "chi2.bs"), 1e-6);
			CHECK(n == (int64_t)eht_number(want, "n.bs.n"));
			CHECK_REL(chi2(&p, UM_CAMP, true, &n), eht_number(want, "chi2.camp_debias_True"), 1e-4);
			CHECK(n == (int64_t)eht_number(want, "n.camp_debias_True.n"));
			pair_close(&p);
			json_decref(j);
		}
}

/* Model visibilities of eht-imaging, whose pi is short by 6e-13. */
static void model_rows(void)
{
	for (int c = 0; c < 2; c++)
		for (int k = 0; k < 2; k++) {
			struct pair p;
			const char *path = eht_path(cases[c][0], ".json");
			if (path == NULL)
				return;
			json_t *j = eht_json(path);
			json_t *rows = eht_at(j, k ? "deltaPulse2D.model_vis_random20" :
				"trianglePulse2D.model_vis_random20");
			double flux = eht_number(j, "image_info.total_flux_jy");
			pair_open(&p, eht_path(cases[c][1], ".uvfits"), eht_path(cases[c][2], ".fits"),
				k ? UM_DELTA : UM_TRIANGLE);
			for (size_t i = 0; i < json_array_size(rows); i++) {
				json_t *row = json_array_get(rows, i);
				int index = (int)eht_number(row, "index");
				CHECK_NEAR(p.re[index], eht_number(row, "model.0"), 2e-8 * flux);
				CHECK_NEAR(p.im_[index], eht_number(row, "model.1"), 2e-8 * flux);
			}
			pair_close(&p);
			json_decref(j);
		}
}

/* A ring of pixels as a FITS file, for tests without other data. */
static const char *make_image(void)
{
	static char path[64];
	um_array a;
	const um_sky sky = { .ra = 187.7, .dec = 12.4, .pixel = 6 * 4.84813681109536e-12 };
	um_rng r = um_rng_new(9, "image", 0);
	snprintf(path, sizeof(path), "/tmp/umbra-test-%ld.fits", (long)getpid());
	remove(path);
	CHECK_OK(um_array_new(&a, UM_F64, 2, (const int64_t[]){ 13, 16 }));
	for (int i = 0; i < 13 * 16; i++)
		((double *)a.data)[i] = 0.005 * um_uniform(&r);
	CHECK_OK(um_fits_write(path, &(um_fits_file){ .data = &a, .sky = &sky }));
	um_array_free(&a);
	return path;
}

static void central_differences(void)
{
	const char *path = make_image();
	const double h = 1e-7;
	struct pair p;
	pair_open(&p, SYNTHETIC, path, UM_TRIANGLE);
	double *x = p.im.data.data;
	for (um_product k = UM_VIS; k < UM_PRODUCTS; k++)
		for (int64_t i = 3; i < p.rows * p.columns; i += 41) {
			double side[2];
			double old = x[i];
			for (int s = 0; s < 2; s++) {
				x[i] = old + (s ? h : -h);
				CHECK_OK(um_dft_forward(p.dft, 1, x, p.re, p.im_));
				side[s] = chi2(&p, k, false, NULL);
			}
			x[i] = old;
			CHECK_OK(um_dft_forward(p.dft, 1, x, p.re, p.im_));
			chi2(&p, k, false, NULL);
			CHECK_NEAR((side[1] - side[0]) / (2 * h), p.g[i], 1e-5 * fabs(p.g[i]) + 1e-3);
		}
	pair_close(&p);
	remove(path);
}

/* An image without light has no phases; nothing becomes infinite for that. */
static void darkness(void)
{
	const char *path = make_image();
	struct pair p;
	pair_open(&p, SYNTHETIC, path, UM_TRIANGLE);
	memset(p.re, 0, (size_t)(2 * p.n) * sizeof(double));
	for (um_product k = UM_VIS; k < UM_PRODUCTS; k++) {
		CHECK(isfinite(chi2(&p, k, false, NULL)));
		for (int64_t i = 0; i < p.rows * p.columns; i++)
			CHECK(isfinite(p.g[i]));
	}
	pair_close(&p);
	remove(path);
}

CHECK_MAIN(CHECK_CASE(real_files), CHECK_CASE(model_rows), CHECK_CASE(products_of_ehtim),
	CHECK_CASE(central_differences),
	CHECK_CASE(darkness))
