/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The interferometric forward model on the invented observation. */
#include <umbra/uvdata.h>
#include <unistd.h>
#include "plug.h"

#define FILE_SET "uvfits=tests/data/synthetic.uvfits"
#define ALL "products=[\"logcamp\", \"vis\", \"cphase\", \"amp\", \"camp\", \"bispectrum\"]"

static um_env env(void)
{
	um_env e = plug_env(1, 14, 15);
	e.pixel = 6 * 4.848136811095360e-12;
	return e;
}

static um_array rows(int64_t count, int64_t n)
{
	um_array a = { 0 };
	CHECK_OK(um_array_new(&a, UM_F64, 2, (const int64_t[]){ count, n }));
	return a;
}

static void fill_images(const um_env *e, int64_t count, uint64_t index, um_array *x)
{
	um_rng r = um_rng_new(11, "eht", index);
	CHECK_OK(um_env_images(e, count, x));
	for (int64_t i = 0; i < um_array_len(x); i++)
		((float *)x->data)[i] = (float)(0.008 * um_uniform(&r));
}

/* <J dx, v> = <dx, J^T v> and J dx by differences, all products and the flux at once. */
static void derivatives(void)
{
	plug g;
	um_array x = { 0 }, dx = { 0 }, jtv = { 0 }, side = { 0 };
	CHECK_OK(plug_try(&g, UM_FORWARD, "eht", env(), SET(FILE_SET, ALL, "flux=0.9")));
	const int64_t ny = g.forward.info.ny;
	CHECK(ny == 83 + 2 * 148 + 92 + 148 + 83 + 2 * 92 + 1 && !g.forward.info.linear);
	um_array none = rows(2, 0), y = rows(2, ny), dy = rows(2, ny), v = rows(2, ny), y2 = rows(2, ny);
	fill_images(&g.env, 2, 0, &x);
	fill_images(&g.env, 2, 1, &dx);
	fill_images(&g.env, 2, 1, &jtv);
	fill_images(&g.env, 2, 0, &side);
	um_rng r = um_rng_new(2, "v", 0);
	um_normal_fill(&r, v.data, 2 * ny);
	CHECK_OK(g.forward.ops.apply(g.forward.self, &none, &x, &dx, &y, &dy));
	CHECK_OK(g.forward.ops.pullback(g.forward.self, &none, &x, &v, &jtv));
	for (int64_t b = 0; b < 2; b++) {
		double left = 0, right = 0, size = 0;
		for (int64_t i = 0; i < ny; i++) {
			left += um_row_d(&dy, b)[i] * um_row_d(&v, b)[i];
			size += fabs(um_row_d(&dy, b)[i] * um_row_d(&v, b)[i]);
		}
		for (int64_t i = 0; i < 14 * 15; i++)
			right += (double)um_row_f(&dx, b)[i] * um_row_f(&jtv, b)[i];
		CHECK_NEAR(left, right, 1e-6 * size);
	}
	const float h = 1.0f / 256;
	for (int64_t i = 0; i < um_array_len(&x); i++)
		((float *)side.data)[i] += h * ((float *)dx.data)[i];
	CHECK_OK(g.forward.ops.apply(g.forward.self, &none, &side, NULL, &y2, NULL));
	CHECK_NEAR((um_row_d(&y2, 0)[ny - 1] - um_row_d(&y, 0)[ny - 1]) / (double)h, um_row_d(&dy, 0)[ny - 1],
		1e-4);
	CHECK_NEAR((um_row_d(&y2, 0)[100] - um_row_d(&y, 0)[100]) / (double)h, um_row_d(&dy, 0)[100], 1e-4);
	um_array_free(&x), um_array_free(&dx), um_array_free(&jtv), um_array_free(&side), um_array_free(&y2);
	um_array_free(&none), um_array_free(&y), um_array_free(&dy), um_array_free(&v);
	plug_close(&g);
}

/* The log likelihood's gradient by differences; a batch is a loop over its images. */
static void likelihood(void)
{
	plug g;
	um_array x = { 0 }, dx = { 0 };
	double ll[70], one, side[2];
	CHECK_OK(plug_try(&g, UM_FORWARD, "eht", env(), SET(FILE_SET, ALL, "flux=0.9", "systematic=0.02",
		"gain_budget=0.1", "gain_budgets=[\"LM:0.3\"]", "debias=true")));
	const int64_t ny = g.forward.info.ny;
	um_array none = rows(1, 0), y = rows(1, ny), sigma = rows(1, ny);
	fill_images(&g.env, 70, 2, &x);
	fill_images(&g.env, 70, 2, &dx);
	CHECK_OK(g.forward.ops.data(g.forward.self, &y, &sigma, &none));
	y.stride[0] = sigma.stride[0] = 0;
	CHECK_OK(um_forward_loglike(&g.forward, &none, &x, &y, &sigma, ll, &dx));
	um_array last = um_array_rows(&x, 69, 1), grad = um_array_rows(&dx, 69, 1);
	CHECK_OK(um_forward_loglike(&g.forward, &none, &last, &y, &sigma, &one, NULL));
	CHECK_REL(one, ll[69], 1e-13);
	for (int64_t i = 5; i < 14 * 15; i += 37) {
		float old = um_row_f(&last, 0)[i];
		float step[2];
		for (int s = 0; s < 2; s++) {
			step[s] = um_row_f(&last, 0)[i] = old + (s ? 2e-5f : -2e-5f);
			CHECK_OK(um_forward_loglike(&g.forward, &none, &last, &y, &sigma, &side[s], NULL));
			um_row_f(&last, 0)[i] = old;
		}
		double want = (double)um_row_f(&grad, 0)[i];
		CHECK_NEAR((side[1] - side[0]) / ((double)step[1] - (double)step[0]), want, 1e-2 * fabs(want) + 50);
	}
	um_array_free(&x), um_array_free(&dx), um_array_free(&none), um_array_free(&y), um_array_free(&sigma);
	plug_close(&g);
}

/* Gradient with the covariance, of data whose noise differs from one to the next; the variances
 * travel in op. */
static void correlated(void)
{
	plug g;
	um_array x = { 0 }, dx = { 0 };
	um_rng r[2] = { um_rng_new(4, "simulate", 0), um_rng_new(4, "simulate", 1) };
	double ll[2], side[2], full[2][4], plain[2][4];
	CHECK_OK(plug_try(&g, UM_FORWARD, "eht", env(), SET(FILE_SET, "products=[\"cphase\", \"logcamp\"]",
		"covariance=full", "coverage_only=true")));
	const int64_t ny = g.forward.info.ny, nop = g.forward.info.nop;
	CHECK(nop == 148);
	um_array op = rows(2, nop), y = rows(2, ny), sigma = rows(2, ny);
	fill_images(&g.env, 2, 2, &x);
	fill_images(&g.env, 2, 2, &dx);
	CHECK_OK(um_forward_simulate(&g.forward, r, &x, &op, &y, &sigma, NULL));
	CHECK(um_row_d(&op, 0)[3] != um_row_d(&op, 1)[3]);
	for (int64_t i = 0; i < um_array_len(&x); i += 3)
		((float *)x.data)[i] *= 1.2f;
	CHECK_OK(um_forward_loglike(&g.forward, &op, &x, &y, &sigma, ll, &dx));
	CHECK_OK(um_forward_stats(&g.forward, &op, &x, &y, &sigma, &full[0][0]));
	for (int b = 0; b < 2; b++)
		CHECK_REL(ll[b], -0.5 * (92 * full[b][0] + 83 * full[b][1]), 1e-12);
	for (int64_t i = 5; i < 14 * 15; i += 37) {
		float old = um_row_f(&x, 1)[i], step[2];
		double want = (double)um_row_f(&dx, 1)[i];
		for (int s = 0; s < 2; s++) {
			step[s] = um_row_f(&x, 1)[i] = old + (s ? 2e-5f : -2e-5f);
			CHECK_OK(um_forward_loglike(&g.forward, &op, &x, &y, &sigma, ll, NULL));
			side[s] = ll[1];
		}
		um_row_f(&x, 1)[i] = old;
		CHECK_NEAR((side[1] - side[0]) / ((double)step[1] - (double)step[0]), want, 1e-2 * fabs(want) + 50);
	}
	plug_close(&g);
	CHECK_OK(plug_try(&g, UM_FORWARD, "eht", env(), SET(FILE_SET, "products=[\"cphase\", \"logcamp\"]",
		"coverage_only=true")));
	CHECK_OK(um_forward_stats(&g.forward, &op, &x, &y, &sigma, &plain[0][0]));
	CHECK(fabs(plain[0][0] / full[0][0] - 1) > 0.02 && plain[0][2] == full[0][2]);
	um_array_free(&x), um_array_free(&dx), um_array_free(&op), um_array_free(&y), um_array_free(&sigma);
	plug_close(&g);
}

/* Simulated data of an image fit that image: every reduced chi-square is near 1. */
static void simulation(void)
{
	enum { B = 30 };
	plug g;
	um_array x = { 0 };
	um_rng r[B];
	double values[B][8];
	CHECK_OK(plug_try(&g, UM_FORWARD, "eht", env(), SET(FILE_SET, ALL, "coverage_only=true")));
	CHECK(g.forward.info.measurements == 0 && g.forward.info.nstats == 8);
	const int64_t ny = g.forward.info.ny;
	um_array none = rows(B, 0), y = rows(B, ny), sigma = rows(B, ny);
	CHECK_OK(um_env_images(&g.env, B, &x));
	for (int b = 0; b < B; b++) {
		r[b] = um_rng_new(4, "simulate", (uint64_t)b);
		for (int i = 0; i < 9; i++) /* small and bright, so that no baseline is mere noise */
			um_row_f(&x, b)[(6 + i / 3) * 15 + 6 + i % 3] = 0.5f + 0.1f * (float)i;
	}
	CHECK_OK(um_forward_simulate(&g.forward, r, &x, &none, &y, &sigma, NULL));
	CHECK_OK(um_forward_stats(&g.forward, &none, &x, &y, &sigma, &values[0][0]));
	for (int k = 0; k < 6; k++) {
		double mean = 0;
		for (int b = 0; b < B; b++)
			mean += values[b][k] / B;
		CHECK_NEAR(mean, 1, 0.1);
	}
	CHECK_NEAR(values[3][6], 8.1, 1e-5);
	CHECK(strcmp(um_forward_stat(&g.forward, 0), "chi2_logcamp") == 0);
	CHECK(strcmp(um_forward_stat(&g.forward, 6), "flux") == 0);
	CHECK(strcmp(um_forward_stat(&g.forward, 7), "peak_tb_k") == 0);
	/* 1.222e6 K Jy^-1 GHz^2 arcsec^2, of a square of 6 uas with 1.3 Jy */
	CHECK_REL(values[3][7], 1.222e6 * 1.13309 * 1.3 / (36e-12 * pow(g.forward.info.freq / 1e9, 2)), 1e-3);
	um_array_free(&x), um_array_free(&none), um_array_free(&y), um_array_free(&sigma);
	plug_close(&g);
}

/* Data: what the file holds, in the listed order, with the errors asked for. */
static void measurements(void)
{
	plug g;
	um_uvdata d;
	CHECK_OK(um_uvfits_read("tests/data/synthetic.uvfits", &d));
	CHECK_OK(plug_try(&g, UM_FORWARD, "eht", env(), SET(FILE_SET, "products=[\"amp\", \"vis\"]",
		"systematic=0.05", "gain_budgets=[\"PV:0.3\", \"SM:0.4\"]")));
	const int64_t n = d.nrows;
	um_array none = rows(1, 0), y = rows(1, 3 * n), sigma = rows(1, 3 * n);
	CHECK(g.forward.info.ny == 3 * n && g.forward.info.measurements == 1);
	CHECK_OK(g.forward.ops.data(g.forward.self, &y, &sigma, &none));
	for (int64_t i = 0; i < n; i++) {
		const um_uvrow *q = &d.rows[i];
		double a = hypot(q->re, q->im);
		double s = hypot(q->sigma, 0.05 * a);
		double g1 = q->t1 == 3 ? 0.3 : q->t1 == 4 ? 0.4 : 0;
		double g2 = q->t2 == 3 ? 0.3 : q->t2 == 4 ? 0.4 : 0;
		CHECK_NEAR(um_row_d(&y, 0)[i], a, 1e-15);
		CHECK_NEAR(um_row_d(&y, 0)[2 * n + i], q->im, 0);
		CHECK_REL(um_row_d(&sigma, 0)[n + i], s, 1e-14);
		CHECK_REL(um_row_d(&sigma, 0)[i], hypot(s, a * hypot(g1, g2)), 1e-14);
	}
	um_uvdata_free(&d);
	um_array_free(&none), um_array_free(&y), um_array_free(&sigma);
	plug_close(&g);
}

static void choices(void)
{
	static const struct { const char *a, *b; int64_t ny; } cases[] = {
		{ "average=scan", "products=[\"vis\"]", 60 }, { "average=time", "seconds=50.0", 120 },
		{ "stations=[\"AA\",\"LM\",\"PV\"]", "products=[\"cphase\"]", 9 },
		{ "closures=maximal", "products=[\"cphase\"]", 192 },
		{ "uv=[3.0, 6.0]", "products=[\"amp\"]", 0 },
		{ "flag_stations=[\"SM\",\"AZ\",\"SP\"]", "products=[\"cphase\"]", 9 },
		{ "flag_baselines=[\"AA-LM\"]", "products=[\"amp\"]", 139 },
		{ "snr_min=1e-3", "products=[\"amp\"]", 148 }, { "hours=[0.0, 1.5]", "products=[\"amp\"]", 73 },
	};
	plug g;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CHECK_OK(plug_try(&g, UM_FORWARD, "eht", env(), SET(FILE_SET, cases[i].a, cases[i].b)));
		if (cases[i].ny > 0 && g.forward.info.ny != cases[i].ny)
			fprintf(stderr, "%s: %lld\n", cases[i].a, (long long)g.forward.info.ny);
		CHECK(cases[i].ny == 0 || g.forward.info.ny == cases[i].ny);
		CHECK(g.forward.info.linear == (i < 2));
		plug_close(&g);
	}
}

/* Two files: products are those of each, gains budgets and names go for both. */
static void files(void)
{
	static const char *const products[] = { "vis", "amp", "cphase", "logcamp" };
	plug a, b;
	for (int k = 0; k < 4; k++) {
		char list[40];
		snprintf(list, sizeof(list), "products=[\"%s\"]", products[k]);
		CHECK_OK(plug_try(&a, UM_FORWARD, "eht", env(), SET(FILE_SET, list, "gain_budgets=[\"LM:0.3\"]")));
		CHECK_OK(plug_try(&b, UM_FORWARD, "eht", env(), SET(FILE_SET, list, "gain_budgets=[\"LM:0.3\"]",
			"more=[\"tests/data/synthetic.uvfits\"]")));
		const int64_t n = a.forward.info.ny, half = k ? n : n / 2;
		um_array none = rows(1, 0), y = rows(1, 3 * n), z = rows(1, 3 * n);
		um_array sy = rows(1, 3 * n), sz = rows(1, 3 * n);
		CHECK(b.forward.info.ny == 2 * n);
		CHECK_OK(a.forward.ops.data(a.forward.self, &y, &sy, &none));
		CHECK_OK(b.forward.ops.data(b.forward.self, &z, &sz, &none));
		for (int64_t i = 0; i < 2 * half; i++) {
			CHECK_NEAR(um_row_d(&z, 0)[i], um_row_d(&y, 0)[i % half], 0);
			CHECK_NEAR(um_row_d(&sz, 0)[i], um_row_d(&sy, 0)[i % half], 0);
		}
		um_array_free(&none), um_array_free(&y), um_array_free(&z), um_array_free(&sy), um_array_free(&sz);
		plug_close(&a);
		plug_close(&b);
	}
}

static void refusals(void)
{
	static const plug_refusal cases[] = {
		{ FILE_SET, "products=[\"vis\", \"vis\"]", "listed twice" },
		{ FILE_SET, "stations=[\"XX\"]", "synthetic.uvfits: no station XX" },
		{ FILE_SET, "uv=[20.0, 30.0]", "synthetic.uvfits: no visibility" },
		{ FILE_SET, "gain_budgets=[\"LM=0.3\"]", "NAME:FRACTION" },
		{ FILE_SET, "gain_budgets=[\"XX:0.3\"]", "no station XX" },
		{ "uvfits=tests/data/README.md", "debias=false", "README.md: not a FITS file" },
		{ FILE_SET, "more=[\"tests/data/README.md\"]", "README.md: not a FITS file" },
		{ FILE_SET, "more=[\"tests/data/none.uvfits\"]", "none.uvfits: No such file" },
		{ FILE_SET, "flag_stations=[\"XX\"]", "synthetic.uvfits: no station XX" },
		{ FILE_SET, "flag_baselines=[\"AA-XX\"]", "two stations" },
		{ FILE_SET, "hours=[200.0, 210.0]", "synthetic.uvfits, from 200 to 210 h: no visibility" },
		{ FILE_SET, "snr_min=1e5", "synthetic.uvfits: no visibility" },
	};
	plug g;
	plug_refuses(UM_FORWARD, "eht", env(), cases, sizeof(cases) / sizeof(*cases));
	CHECK_FAILS(plug_try(&g, UM_FORWARD, "eht", env(), SET(FILE_SET, "products=[\"cphase\"]", "covariance=full",
		"closures=maximal")), UM_EPARAM, "takes closures = \"minimal\"");
	plug_close(&g);
	CHECK_FAILS(plug_try(&g, UM_FORWARD, "eht", env(), SET(FILE_SET, "products=[\"camp\"]", "covariance=full")),
		UM_EPARAM, "not for camp");
	plug_close(&g);
	um_env flat = env();
	flat.pixel = 0;
	CHECK_FAILS(plug_try(&g, UM_FORWARD, "eht", flat, SET(FILE_SET)), UM_EPARAM, "fov_uas");
	plug_close(&g);
}

/* Names of what arrived, each followed by a blank. */
struct arrived {
	char plots[400], pictures[200], files[200];
	char text[8000]; /* of the last file */
};

static void arrive(char *list, const char *name)
{
	strcat(strcat(list, name), " ");
}

static um_status on_plot(void *state, const um_plot *p)
{
	arrive(((struct arrived *)state)->plots, p->name);
	CHECK(p->n > 0 && p->title != NULL);
	for (int64_t i = 0; i < p->n; i++) {
		CHECK(isfinite(p->x[i]) && isfinite(p->y[i]));
		CHECK(p->lo == NULL || (p->lo[i] <= p->inner_lo[i] && p->inner_lo[i] <= p->mid[i] && p->mid[i] <= p->inner_hi[i]
			&& p->inner_hi[i] <= p->hi[i] && p->sigma[i] > 0));
		CHECK(p->label != NULL && strchr(p->label[i], '-') != NULL);
	}
	return UM_OK;
}

static um_status on_picture(void *state, const um_picture *p)
{
	arrive(((struct arrived *)state)->pictures, p->name);
	CHECK(p->rows == 14 && p->columns == 15 && p->pixel > 0);
	for (int64_t i = 0; i < p->rows * p->columns; i++)
		CHECK(isfinite(p->data[i]));
	return UM_OK;
}

static um_status on_file(void *state, const char *name, um_status (*write)(const char *path, void *context),
	void *context)
{
	struct arrived *a = state;
	char path[64];
	snprintf(path, sizeof(path), "/tmp/umbra-eht-%ld", (long)getpid());
	CHECK_OK(write(path, context));
	FILE *f = fopen(path, "r");
	a->text[fread(a->text, 1, sizeof(a->text) - 1, f)] = '\0';
	fclose(f);
	remove(path);
	arrive(a->files, name);
	return UM_OK;
}

/* What a report gets of five images with these products. */
static void show(const char *products, const char *more, double pixel, struct arrived *a)
{
	um_env e = env();
	const um_sink_ops ops = { .plot = on_plot, .picture = on_picture, .file = on_file };
	um_sink sink = { &ops, a };
	plug g;
	um_array x = { 0 };
	*a = (struct arrived){ .text = "" };
	e.pixel *= pixel;
	CHECK_OK(plug_try(&g, UM_FORWARD, "eht", e, SET(FILE_SET, products, more)));
	um_array none = rows(1, 0), y = rows(1, g.forward.info.ny), sigma = rows(1, g.forward.info.ny);
	fill_images(&g.env, 5, 3, &x);
	if (g.forward.info.measurements) {
		CHECK_OK(g.forward.ops.data(g.forward.self, &y, &sigma, &none));
	} else {
		um_rng r = um_rng_new(4, "simulate", 0);
		um_array one = um_array_rows(&x, 0, 1);
		CHECK_OK(um_forward_simulate(&g.forward, &r, &one, &none, &y, &sigma, NULL));
	}
	y.stride[0] = sigma.stride[0] = 0;
	CHECK_OK(g.forward.ops.plot(g.forward.self, &none, &x, &y, &sigma, &sink));
	um_array_free(&x), um_array_free(&none), um_array_free(&y), um_array_free(&sigma);
	plug_close(&g);
}

static void pictures(void)
{
	struct arrived a;
	show(ALL, "flux=0.9", 1, &a);
	CHECK(strcmp(a.plots, "log_closure_amplitude residual_logcamp amplitude residual_vis closure_phase "
		"residual_cphase residual_amp closure_amplitude residual_camp residual_bispectrum uv_coverage ") == 0);
	CHECK(strcmp(a.pictures, "dirty_beam dirty_image restored ") == 0);
	CHECK(strcmp(a.files, "triangles.csv quadrangles.csv stations.csv ") == 0);
	CHECK(strncmp(a.text, "station,n,chi2,chi2_logcamp,chi2_vis,", 37) == 0);
	show("products=[\"cphase\"]", "coverage_only=true", 1, &a); /* no visibilities were measured */
	CHECK(strcmp(a.pictures, "dirty_beam restored ") == 0);
	CHECK(strcmp(a.files, "triangles.csv stations.csv ") == 0);
	show("products=[\"vis\"]", "coverage_only=true", 1, &a);
	CHECK(strcmp(a.pictures, "dirty_beam dirty_image restored ") == 0);
	CHECK(strcmp(a.files, "stations.csv ") == 0);
	CHECK(strncmp(a.text, "station,n,chi2\n", 15) == 0);
	show("products=[\"amp\"]", "debias=true", 1e-4, &a); /* a field that nothing resolves */
	CHECK(strcmp(a.plots, "amplitude residual_amp uv_coverage ") == 0 && a.pictures[0] == '\0');
}

/* The table of triangles adds up to the figure of merit, the worst triangle first. */
static void triangles(void)
{
	const um_sink_ops ops = { .file = on_file };
	struct arrived a = { .text = "" };
	um_sink sink = { &ops, &a };
	plug g;
	um_array x = { 0 };
	double value[3], sum = 0, count = 0, last = INFINITY;
	CHECK_OK(plug_try(&g, UM_FORWARD, "eht", env(), SET(FILE_SET, "products=[\"cphase\"]")));
	um_array none = rows(1, 0), y = rows(1, g.forward.info.ny), sigma = rows(1, g.forward.info.ny);
	fill_images(&g.env, 1, 3, &x);
	CHECK_OK(g.forward.ops.data(g.forward.self, &y, &sigma, &none));
	CHECK_OK(um_forward_stats(&g.forward, &none, &x, &y, &sigma, value));
	CHECK_OK(g.forward.ops.plot(g.forward.self, &none, &x, &y, &sigma, &sink));
	CHECK(strcmp(a.files, "triangles.csv stations.csv ") == 0);
	for (char *line = strchr(a.text, '\n'); line != NULL && line[1]; line = strchr(line + 1, '\n')) {
		double n = 0, c = 0; /* stations: each datum counts three times */
		CHECK(sscanf(line + 1, "%*[^,],%lf,%lf", &n, &c) == 2);
		CHECK(c <= last);
		last = c;
		sum += n * c / 3;
		count += n / 3;
	}
	CHECK_NEAR(count, 92, 1e-9);
	CHECK_REL(sum / count, value[0], 1e-3);
	um_array_free(&x), um_array_free(&none), um_array_free(&y), um_array_free(&sigma);
	plug_close(&g);
}

CHECK_MAIN(CHECK_CASE(derivatives), CHECK_CASE(likelihood), CHECK_CASE(correlated), CHECK_CASE(simulation),
	CHECK_CASE(measurements), CHECK_CASE(choices),
	CHECK_CASE(files), CHECK_CASE(refusals), CHECK_CASE(pictures),
	CHECK_CASE(triangles))
