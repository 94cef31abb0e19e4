/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Self-calibration of a simulated night of the 2017 array with planted station gains: what comes
 * back of gains and image, that it beats closures, and that interruptions leave no trace. */
#include "posterior.h"
#include "report/align.h"

enum { SIDE = 24, STATIONS = 8 };
#define DEGREE (3.14159265358979323846 / 180)
#define ARRAY "array=share/arrays/EHT2017.txt"

typedef struct night {
	um_env env;
	um_array truth;     /* [image], Jy */
	double east, north; /* its centroid in pixels */
	plug forward, tv, entropy, centroid;
	um_prior factors[3];
	um_array y, sigma, op;
	double amplitude[STATIONS], phase[STATIONS]; /* planted, degrees */
	int planted;
} night;

/* Reads the gains that a simulation sends to its sink. */
static um_status on_file(void *state, const char *name, um_status (*write)(const char *path, void *context),
	void *context)
{
	night *n = state;
	char path[] = "/tmp/umbra-gains-XXXXXX", station[32];
	if (strcmp(name, "gains.csv") != 0)
		return UM_OK;
	int fd = mkstemp(path);
	CHECK(fd >= 0);
	close(fd);
	um_status st = write(path, context);
	FILE *f = fopen(path, "r");
	CHECK_FATAL(f != NULL);
	CHECK(fscanf(f, "%*[^\n]") == 0);
	while (n->planted < STATIONS && fscanf(f, "%*f,%*f,%31[^,],%lf,%lf\n", station,
		&n->amplitude[n->planted], &n->phase[n->planted]) == 3)
		n->planted++;
	fclose(f);
	remove(path);
	return st;
}

static void draw_truth(night *n, const char *shape, uint64_t seed)
{
	static const char *const kinds[] = { "ring", "mring", "crescent", "disc", "binary", "blobs", "jet" };
	char text[7][32];
	const char *set[10] = { "value=100.0", "shift=[0.0, 0.0]" };
	um_rng r = um_rng_new(seed, "truth", 0);
	plug p;
	double sum = 0, east = 0, north = 0;
	for (int i = 0; i < 7; i++) {
		snprintf(text[i], sizeof(text[i]), "%s=%d.0", kinds[i], strcmp(kinds[i], shape) == 0);
		set[2 + i] = text[i];
	}
	CHECK_OK(um_env_images(&n->env, 1, &n->truth));
	CHECK_OK(plug_try(&p, UM_PRIOR, "geometric", n->env, set));
	CHECK_OK(p.prior.ops.sample(p.prior.self, &r, &n->truth));
	plug_close(&p);
	for (int i = 0; i < SIDE * SIDE; i++) {
		float *x = (float *)n->truth.data + i;
		*x = (float)(n->env.scale * *x);
		sum += *x;
		east += *x * (0.5 * (SIDE - 1) - i % SIDE);
		north += *x * (0.5 * (SIDE - 1) - i / SIDE);
	}
	n->east = east / sum;
	n->north = north / sum;
}

static void open_night(night *n, const char *shape, uint64_t seed, const char *const *forward)
{
	static const um_sink_ops ops = { .file = on_file };
	um_sink sink = { &ops, n };
	char east[40], north[40];
	um_rng r = um_rng_new(seed, "night", 0);
	*n = (night){ .env = plug_env(1, SIDE, SIDE) };
	n->env.pixel = 4 * 4.848136811095360e-12;
	n->env.scale = 0.01;
	n->env.transform = UM_SOFTPLUS;
	draw_truth(n, shape, seed);
	snprintf(east, sizeof(east), "east=%.4f", n->east);
	snprintf(north, sizeof(north), "north=%.4f", n->north);
	CHECK_OK(plug_try(&n->forward, UM_FORWARD, "eht", n->env, forward));
	CHECK_OK(plug_try(&n->tv, UM_PRIOR, "tv", n->env, SET("weight=0.3", "epsilon=0.01")));
	CHECK_OK(plug_try(&n->entropy, UM_PRIOR, "entropy", n->env, SET("weight=0.3", "fwhm=40.0", "flux=100.0")));
	CHECK_OK(plug_try(&n->centroid, UM_PRIOR, "centroid", n->env, SET("weight=100.0", east, north)));
	n->factors[0] = n->tv.prior;
	n->factors[1] = n->entropy.prior;
	n->factors[2] = n->centroid.prior;
	const um_forward_info *info = &n->forward.forward.info;
	CHECK_OK(um_array_new(&n->y, UM_F64, 2, (const int64_t[]){ 1, info->ny }));
	CHECK_OK(um_array_new(&n->sigma, UM_F64, 2, (const int64_t[]){ 1, info->ny }));
	CHECK_OK(um_array_new(&n->op, UM_F64, 2, (const int64_t[]){ 1, info->nop }));
	CHECK_OK(um_forward_simulate(&n->forward.forward, &r, &n->truth, &n->op, &n->y, &n->sigma, &sink));
}

static void close_night(night *n)
{
	plug_close(&n->forward);
	plug_close(&n->tv);
	plug_close(&n->entropy);
	plug_close(&n->centroid);
	um_array_free(&n->truth);
	um_array_free(&n->y);
	um_array_free(&n->sigma);
	um_array_free(&n->op);
}

/* Runs map and keeps the samples in k; op becomes the operator parameters in the end. */
static um_status image(night *n, const char *const *settings, keeper *k, double *op)
{
	um_status st = UM_OK;
	um_params *params = NULL;
	um_problem *problem = NULL;
	um_inference map = { 0 };
	um_sink sink = keeper_sink(k);
	const um_plugin *p = plug_open("plugins/inference", "map");
	UM_TRY(plug_params(p, settings, &params));
	UM_TRY(um_inference_open(p, um_params_data(params), &n->env, &map));
	UM_TRY(um_problem_new(&n->forward.forward, n->factors, 3, &n->y, &n->sigma, &n->op, 1, "cell", &problem));
	st = map.ops.run(map.self, problem, &sink);
	const int64_t nop = n->op.dim[1];
	for (int64_t i = 0; op != NULL && i < nop; i++)
		op[i] = um_row_d(um_problem_op(problem), 0)[i];
out:
	um_problem_free(problem);
	um_inference_close(&map);
	um_params_free(params);
	return st;
}

/* Of the first sample; free says that its position means nothing. */
static double psnr(const night *n, const keeper *k, bool free)
{
	um_array x = { 0 };
	double peak = 0, sum = 0;
	const float *u = k->memory.samples.data, *t = n->truth.data;
	CHECK_OK(um_env_images(&n->env, 1, &x));
	float *v = x.data;
	for (int i = 0; i < SIDE * SIDE; i++)
		v[i] = (float)(n->env.scale * log1p(exp((double)u[i])));
	um_array reference = um_array_view(n->truth.data, UM_F32, 5, n->truth.dim + 1);
	if (free)
		CHECK_OK(um_align_reference(&x, &reference, &(um_aligned){ 0 }));
	for (int i = 0; i < SIDE * SIDE; i++) {
		peak = fmax(peak, t[i]);
		sum += ((double)v[i] - t[i]) * ((double)v[i] - t[i]);
	}
	um_array_free(&x);
	return 10 * log10(peak * peak * SIDE * SIDE / sum);
}

/* Amplitudes to 2 %, phases relative to the first station to 4 degrees; stations that see nothing
 * keep what they have. */
static void check_gains(const night *n, const double *op)
{
	double ref = NAN;
	CHECK(n->planted == STATIONS && n->op.dim[1] == 2 * STATIONS);
	for (int i = 0; i < STATIONS; i++) {
		const double phase = op[STATIONS + i] / DEGREE;
		if (op[i] == 0 && phase == 0)
			continue;
		if (isnan(ref))
			ref = n->phase[i] - phase;
		CHECK_NEAR(exp(op[i]), n->amplitude[i], 0.02 * n->amplitude[i]);
		CHECK_NEAR(remainder(phase - n->phase[i] + ref, 360), 0, 4);
	}
}

#define PLANTED "gain_amplitude=0.1", "gain_phase=30.0", "flux=1.0", "flux_sigma=0.01"
static const char *const vis[] = { ARRAY, "products=[\"vis\"]", "gains=constant", "gain_sd=0.1",
	"gain_phase_sd=60.0", PLANTED, NULL };
static const char *const closures[] = { ARRAY, "products=[\"cphase\", \"logcamp\"]", PLANTED, NULL };
static const char *const calibrating[] = { "start=blob", "schedule=[0.001, 0.01, 0.1, 1.0]", "iterations=100",
	"selfcal=30", NULL };

/* Position is taken to be known: gains of constant phase and a shift to the north look much alike
 * for a source near the equator. */
static void recovery(void)
{
	static const struct { const char *shape; uint64_t seed; } cases[] = { { "crescent", 1 }, { "disc", 2 } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		night n;
		keeper k = { 0 }, c = { 0 }, raw = { 0 };
		double op[2 * STATIONS];
		open_night(&n, cases[i].shape, cases[i].seed, vis);
		CHECK_OK(image(&n, calibrating, &k, op));
		CHECK_OK(image(&n, SET("start=blob"), &raw, NULL));
		check_gains(&n, op);
		double before = um_memory_metric(&k.memory, "loglike_before");
		double after = um_memory_metric(&k.memory, "loglike_after");
		CHECK(after > before && after > -0.55 * (double)n.y.dim[1]);
		CHECK(um_memory_metric(&k.memory, "selfcal_rounds") >= 1);
		const double with = psnr(&n, &k, false), without = psnr(&n, &raw, false);
		close_night(&n);
		open_night(&n, cases[i].shape, cases[i].seed, closures);
		CHECK_OK(image(&n, SET("start=blob"), &c, NULL));
		const double other = psnr(&n, &c, true);
		printf("%s: PSNR %.1f dB self-calibrated, %.1f dB without, %.1f dB from closures\n",
			cases[i].shape, with, without, other);
		CHECK(with > other - 0.5 && with > without + 3);
		keeper_free(&k), keeper_free(&c), keeper_free(&raw);
		close_night(&n);
	}
}

/* Holding gains during a minimisation is the older way: likelihoods rise, too. */
static void alternating(void)
{
	night n;
	keeper k = { 0 };
	double op[2 * STATIONS];
	const char *const set[] = { "selfcal=5", "selfcal_how=alternate", "iterations=50", "start=blob", NULL };
	open_night(&n, "crescent", 1, vis);
	CHECK_OK(image(&n, set, &k, op));
	CHECK(um_memory_metric(&k.memory, "loglike_after") > 0.1 * um_memory_metric(&k.memory, "loglike_before"));
	CHECK_NEAR(um_memory_metric(&k.memory, "selfcal_rounds"), 5, 0);
	keeper_free(&k);
	close_night(&n);
}

/* Interrupted anywhere, it goes on to the same bytes of image and gains. */
static void interrupted(void)
{
	const char *const sets[][5] = { { "selfcal=2", "iterations=15", "starts=2", NULL },
		{ "selfcal=2", "iterations=15", "selfcal_how=alternate", NULL } };
	const int64_t stops[] = { 1, 40, 70 };
	night n;
	open_night(&n, "disc", 2, vis);
	for (int s = 0; s < 2; s++) {
		keeper whole = { 0 };
		double want[2 * STATIONS], got[2 * STATIONS];
		CHECK_OK(image(&n, sets[s], &whole, want));
		for (int i = 0; i < 3; i++) {
			keeper k = { .stop = stops[i] };
			CHECK_FAILS(image(&n, sets[s], &k, got), UM_EINTR, "stopped");
			um_memory_free(&k.memory);
			k.room = 0;
			CHECK_OK(image(&n, sets[s], &k, got));
			CHECK(memcmp(want, got, sizeof(want)) == 0);
			CHECK(memcmp(whole.memory.samples.data, k.memory.samples.data,
				sizeof(float) * (size_t)um_array_len(&k.memory.samples)) == 0);
			keeper_free(&k);
		}
		keeper_free(&whole);
	}
	close_night(&n);
}

/* With gains that differ from image to image: <J dx, v> = <dx, J^T v>, and the gradient of the log
 * likelihood by differences. */
static void derivatives(void)
{
	enum { B = 3 };
	night n;
	um_array x = { 0 }, dx = { 0 }, g = { 0 }, y = { 0 }, dy = { 0 }, v = { 0 }, op = { 0 };
	double ll[B], up[B], down[B];
	um_rng r = um_rng_new(5, "derivatives", 0);
	open_night(&n, "disc", 2, SET(ARRAY, "products=[\"vis\", \"cphase\"]", "gains=scan", "flux=1.0"));
	um_forward *f = &n.forward.forward;
	const int64_t ny[2] = { B, f->info.ny }, nop[2] = { B, f->info.nop };
	um_array *rows[] = { &y, &dy, &v }, *images[] = { &x, &dx, &g };
	for (int i = 0; i < 3; i++) {
		CHECK_OK(um_array_new(rows[i], UM_F64, 2, ny));
		CHECK_OK(um_env_images(&n.env, B, images[i]));
	}
	CHECK_OK(um_array_new(&op, UM_F64, 2, nop));
	um_normal_fill(&r, v.data, B * ny[1]);
	um_normal_fill(&r, op.data, B * nop[1]);
	for (int64_t i = 0; i < B * nop[1]; i++)
		((double *)op.data)[i] *= 0.2;
	for (int64_t i = 0; i < um_array_len(&x); i++) {
		((float *)x.data)[i] = (float)(0.002 * um_uniform(&r));
		((float *)dx.data)[i] = (float)(0.002 * um_uniform(&r));
	}
	n.y.stride[0] = n.sigma.stride[0] = 0;
	CHECK_OK(f->ops.apply(f->self, &op, &x, &dx, &y, &dy));
	CHECK_OK(f->ops.pullback(f->self, &op, &x, &v, &g));
	for (int b = 0; b < B; b++) {
		double left = um_dot(ny[1], um_row_d(&dy, b), um_row_d(&v, b)), right = 0;
		for (int i = 0; i < SIDE * SIDE; i++)
			right += (double)um_row_f(&dx, b)[i] * um_row_f(&g, b)[i];
		CHECK_NEAR(left, right, 1e-4 * fabs(right) + 1e-6);
	}
	CHECK_OK(um_forward_loglike(f, &op, &x, &n.y, &n.sigma, ll, &g));
	const float h = 1.0f / 1024;
	for (int64_t i = 0; i < um_array_len(&x); i++)
		((float *)x.data)[i] += h * ((float *)dx.data)[i];
	CHECK_OK(um_forward_loglike(f, &op, &x, &n.y, &n.sigma, up, NULL));
	for (int64_t i = 0; i < um_array_len(&x); i++)
		((float *)x.data)[i] -= 2 * h * ((float *)dx.data)[i];
	CHECK_OK(um_forward_loglike(f, &op, &x, &n.y, &n.sigma, down, NULL));
	for (int b = 0; b < B; b++) {
		double want = 0;
		for (int i = 0; i < SIDE * SIDE; i++)
			want += (double)um_row_f(&dx, b)[i] * um_row_f(&g, b)[i];
		CHECK_NEAR((up[b] - down[b]) / (2 * (double)h), want, 1e-3 * fabs(want) + 1e-3);
	}
	for (int i = 0; i < 3; i++)
		um_array_free(rows[i]), um_array_free(images[i]);
	um_array_free(&op);
	close_night(&n);
}

static void refusals(void)
{
	night n;
	keeper k = { 0 };
	open_night(&n, "disc", 2, closures);
	CHECK_FAILS(image(&n, SET("selfcal=1"), &k, NULL), UM_EPARAM, "nothing to calibrate");
	const um_inference calibrates = { .info.needs = UM_NEEDS_CALIBRATE };
	CHECK(strstr(um_cell_refusal(&calibrates, &n.forward.forward, n.factors, 3), "calibrate") != NULL);
	keeper_free(&k);
	close_night(&n);
	plug g;
	CHECK_FAILS(plug_try(&g, UM_FORWARD, "eht", n.env, SET(ARRAY, "gains=scan", "products=[\"cphase\"]")),
		UM_EPARAM, "must list vis");
	plug_close(&g);
	CHECK_FAILS(plug_try(&g, UM_FORWARD, "eht", n.env, SET(ARRAY, "gains=scan", "products=[\"amp\",\"vis\"]")),
		UM_EPARAM, "not amp");
	plug_close(&g);
}

CHECK_MAIN(CHECK_CASE(recovery), CHECK_CASE(alternating), CHECK_CASE(interrupted), CHECK_CASE(derivatives),
	CHECK_CASE(refusals))
