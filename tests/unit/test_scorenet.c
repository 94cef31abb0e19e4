/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Score networks: what they answer at any signal and noise, in any units; that training finds a score that
 * is known; files that are no network. Their derivatives are checked by "umbra test" of score and surrogate. */
#include <math.h>
#include <unistd.h>
#include <umbra/dataset.h>
#include <umbra/diffusion.h>
#include <umbra/weights.h>
#include "plug.h"

enum { SIDE = 8, N = SIDE * SIDE };

static char folder[] = "/tmp/umbra-scorenet-XXXXXX", path[64];

/* ---- architectures ----------------------------------------------------------------------- */

/* The sizes of methods that are known: NCSN++ with 64 filters for 64 x 64 pixels has about 15.70 million
 * numbers, with 128 filters for 16 x 16 about 61.7. */
static void published_sizes(void)
{
	const struct { int64_t size, width; int attention; double millions, within; } known[] = {
		{ 64, 64, 2, 15.70, 0.01 }, { 16, 128, 0, 61.7, 0.1 } };
	for (int i = 0; i < 2; i++) {
		um_unet_spec s = { .rows = known[i].size, .columns = known[i].size, .channels = 1, .width = known[i].width,
			.levels = 4, .multiplier = { 1, 2, 2, 2 }, .blocks = 4, .resample = UM_RESAMPLE_FIR, .pyramid = true };
		s.attention[known[i].attention] = true;
		um_graph *g = um_graph_new(1);
		um_weights *w = NULL;
		um_rng rng = um_rng_new(1, "sizes", 0);
		const int64_t dim[3] = { s.rows, s.columns, 1 };
		(void)um_unet(&s, "", false, um_nn_input(g, "x", 3, dim, true), um_nn_input(g, "t", 0, NULL, true));
		CHECK_OK(um_graph_status(g));
		CHECK_OK(um_weights_new(g, &rng, &w));
		double sum = 0;
		for (int k = 0; k < w->n; k++)
			sum += 1e-6 * (double)um_array_len(&w->array[k]);
		CHECK_NEAR(sum, known[i].millions, known[i].within);
		um_weights_free(w);
		um_graph_free(g);
	}
}

/* ---- a network of chance ------------------------------------------------------------------- */

/* A weight file of the network that the settings ask for, its last layers moved away from zero. */
static void make_file(const char *const *settings, um_env env, double size)
{
	plug g;
	um_memory m = { 0 };
	um_sink sink = um_memory_sink(&m);
	um_dataset *data = NULL;
	um_array images;
	const int64_t dim[6] = { 40, 1, 1, env.shape[2], env.shape[3], env.shape[4] };
	um_rng rng = um_rng_new(3, "scorenet", 0);
	CHECK_OK(um_array_new(&images, UM_F32, 6, dim));
	for (int64_t i = 0; i < um_array_len(&images); i++)
		((float *)images.data)[i] = (float)(2 + 0.5 * um_normal(&rng));
	um_dataset_source s = { .name = "test", .key = "k", .threads = 1, .images = images, .held_out = 8 };
	memcpy(s.shape, env.shape, sizeof(s.shape));
	CHECK_OK(plug_try(&g, UM_PRIOR, "score", env, settings));
	CHECK_OK(um_dataset_new(&s, &data));
	CHECK_OK(g.prior.ops.fit(g.prior.self, data, &sink));
	for (int i = 0; i < m.tensors.n; i++)
		for (int64_t k = 0; k < um_array_len(&m.tensors.array[i]); k++)
			((float *)m.tensors.array[i].data)[k] += (float)(size * um_normal(&rng));
	CHECK_OK(um_tensors_write(path, &m.tensors));
	um_dataset_free(data);
	um_array_free(&images);
	um_memory_free(&m);
	plug_close(&g);
}

static um_array random_images(um_env env, int64_t count, uint64_t stream)
{
	um_array x;
	um_rng rng = um_rng_new(5, "images", stream);
	const int64_t dim[6] = { count, 1, 1, env.shape[2], env.shape[3], env.shape[4] };
	CHECK_OK(um_array_new(&x, UM_F32, 6, dim));
	for (int64_t i = 0; i < um_array_len(&x); i++)
		((float *)x.data)[i] = (float)(2 + 0.5 * um_normal(&rng));
	return x;
}

static const char *model(void)
{
	static char text[80];
	snprintf(text, sizeof(text), "model=%s", path);
	return text;
}

static const char *const small[] = { "width=8", "multipliers=[1.0, 2.0]", "blocks=1", "attention=[4.0]", "train_steps=0",
	"precision=float32", "batch=8", NULL };

static um_score_job job_of(const um_array *x, const double *alpha, const double *sigma, um_array *s)
{
	return (um_score_job){ .size = sizeof(um_score_job), .x = x, .alpha = alpha, .sigma = sigma, .s = s };
}

/* k x has the score of x over k; images of a batch do not see each other; beyond the noise that was learned
 * the ratio is held. */
static void signals_and_noises(void)
{
	enum { MANY = 19 };
	plug g;
	const um_env env = plug_env(1, SIDE, SIDE);
	const char *const set[] = { model(), "precision=float32", NULL };
	make_file(small, env, 0.05);
	CHECK_OK(plug_try(&g, UM_PRIOR, "score", env, set));
	um_array x = random_images(env, MANY, 0), y = random_images(env, MANY, 0), s = random_images(env, MANY, 1),
		r = random_images(env, MANY, 1);
	double alpha[MANY], sigma[MANY], alpha2[MANY], sigma2[MANY];
	for (int b = 0; b < MANY; b++) {
		alpha[b] = 0.05 * (b + 1);
		sigma[b] = 0.7 - 0.03 * b;
		alpha2[b] = 0.3 * alpha[b];
		sigma2[b] = 0.3 * sigma[b];
		for (int i = 0; i < N; i++)
			um_row_f(&y, b)[i] *= 0.3F;
	}
	um_score_job job = job_of(&x, alpha, sigma, &s), scaled = job_of(&y, alpha2, sigma2, &r);
	CHECK_OK(g.prior.ops.score(g.prior.self, &job));
	CHECK_OK(g.prior.ops.score(g.prior.self, &scaled));
	for (int b = 0; b < MANY; b++)
		for (int i = 0; i < N; i++)
			CHECK_NEAR(um_row_f(&r, b)[i], um_row_f(&s, b)[i] / 0.3, 1e-3 * (1 + fabs((double)um_row_f(&s, b)[i])));
	for (int b = 0; b < MANY; b++) {
		um_array one = um_array_rows(&x, b, 1), out = um_array_rows(&r, b, 1);
		um_score_job alone = job_of(&one, alpha + b, sigma + b, &out);
		CHECK_OK(g.prior.ops.score(g.prior.self, &alone));
		for (int i = 0; i < N; i++)
			CHECK_NEAR(um_row_f(&r, b)[i], um_row_f(&s, b)[i], 1e-4 * (1 + fabs((double)um_row_f(&s, b)[i])));
	}
	const double ends[4][2] = { { 1, 0 }, { 1, 1e-9 }, { 0, 1 }, { 1e-9, 1 } };
	for (int k = 0; k < 4; k++) {
		um_array one = um_array_rows(&x, 0, 1), out = um_array_rows(&r, k, 1);
		um_score_job held = job_of(&one, &ends[k][0], &ends[k][1], &out);
		CHECK_OK(g.prior.ops.score(g.prior.self, &held));
		for (int i = 0; i < N; i++)
			CHECK(isfinite(um_row_f(&r, k)[i]));
	}
	for (int i = 0; i < N; i++) {
		CHECK_NEAR(um_row_f(&r, 0)[i], um_row_f(&r, 1)[i], 1e-4 * (1 + fabs((double)um_row_f(&r, 0)[i])));
		CHECK_NEAR(um_row_f(&r, 2)[i], um_row_f(&r, 3)[i], 1e-4 * (1 + fabs((double)um_row_f(&r, 2)[i])));
	}
	um_array_free(&x), um_array_free(&y), um_array_free(&s), um_array_free(&r);
	plug_close(&g);
}

/* The density of factor x has factor^n times less of it, and a gradient that is so much smaller; also of
 * closed forms with a range. */
static void check_units(plug *one, plug *other, double factor)
{
	const int64_t n = one->env.shape[3] * one->env.shape[4];
	um_array x = random_images(one->env, 2, 7), y = random_images(one->env, 2, 7);
	um_array dx = random_images(one->env, 2, 7), dy = random_images(one->env, 2, 7);
	double lp[2], lq[2];
	um_rng a[2] = { um_rng_new(1, "a", 0), um_rng_new(1, "a", 1) }, b[2] = { a[0], a[1] };
	for (int64_t i = 0; i < 2 * n; i++)
		((float *)y.data)[i] *= (float)factor;
	CHECK_OK(one->prior.ops.logp(one->prior.self, a, &x, lp, &dx));
	CHECK_OK(other->prior.ops.logp(other->prior.self, b, &y, lq, &dy));
	for (int k = 0; k < 2; k++)
		CHECK_NEAR(lq[k], lp[k] - (double)n * log(factor), 1e-3 * (1 + fabs(lp[k])));
	double most = 0;
	for (int64_t i = 0; i < 2 * n; i++)
		most = fmax(most, fabs((double)((float *)dx.data)[i]));
	for (int64_t i = 0; i < 2 * n; i++)
		CHECK_NEAR(factor * (double)((float *)dy.data)[i], ((float *)dx.data)[i], 2e-3 * most);
	um_array_free(&x), um_array_free(&y), um_array_free(&dx), um_array_free(&dy);
}

static void units(void)
{
	static const char *const names[] = { "score", "surrogate" };
	const um_env env = plug_env(1, SIDE, SIDE);
	plug one, other;
	make_file(small, env, 0.02);
	for (int k = 0; k < 2; k++) {
		const char *const quick = k == 0 ? "steps=4" : "draws=1", *const few = k == 0 ? "probes=2" : "noises=1";
		const char *const set[] = { model(), "precision=float32", quick, few, NULL };
		const char *const scaled[] = { model(), "precision=float32", quick, few, "factor=256", NULL };
		CHECK_OK(plug_try(&one, UM_PRIOR, names[k], env, set));
		CHECK_OK(plug_try(&other, UM_PRIOR, names[k], env, scaled));
		check_units(&one, &other, 256);
		plug_close(&one);
		plug_close(&other);
	}
}

static void closed_form_range(void)
{
	plug g, h;
	const um_env env = plug_env(1, 4, 4);
	CHECK_OK(plug_try(&g, UM_PRIOR, "gaussian", env, SET("mean=2", "sigma=0.5")));
	CHECK_OK(plug_try(&h, UM_PRIOR, "gaussian", env, SET("mean=512", "sigma=128")));
	const um_source of[2] = { { sizeof(um_source), "gaussian", g.prior.ops.score, g.prior.self },
		{ sizeof(um_source), "gaussian", h.prior.ops.score, h.prior.self } };
	const char *const names[] = { "score", "surrogate" };
	for (int k = 0; k < 2; k++) {
		const um_plugin *p = plug_open("plugins/priors", names[k]);
		um_params *pa = NULL, *pb = NULL;
		plug one = { .env = env }, other = { .env = env };
		one.env.source = &of[0];
		other.env.source = &of[1];
		CHECK_OK(plug_params(p, SET("range=[1.0, 3.0]"), &pa));
		CHECK_OK(plug_params(p, SET("range=[256.0, 768.0]"), &pb));
		CHECK_OK(um_prior_open(p, um_params_data(pa), &one.env, &one.prior));
		CHECK_OK(um_prior_open(p, um_params_data(pb), &other.env, &other.prior));
		check_units(&one, &other, 256);
		um_prior_close(&one.prior);
		um_prior_close(&other.prior);
		um_params_free(pa);
		um_params_free(pb);
	}
	plug_close(&g);
	plug_close(&h);
}

/* ---- training -------------------------------------------------------------------------------- */

/* Independent Gaussians of 8 means and sizes. */
enum { DIM = 8 };
static double mean_of(int i) { return 0.5 + 0.1 * (i - 3.5); }
static double sd_of(int i) { return 0.1 * (1 + i % 4); }

static um_status draw(void *state, um_rng *rng, um_array *x)
{
	(void)state;
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int i = 0; i < DIM; i++)
			um_row_f(x, b)[i] = (float)(mean_of(i) + sd_of(i) * um_normal(&rng[b]));
	return UM_OK;
}

static void fit(plug *g, um_memory *m)
{
	um_dataset *data = NULL;
	um_sink sink = um_memory_sink(m);
	um_dataset_source s = { .name = "test", .key = "k", .threads = 1, .draw = draw, .held_out = 256 };
	memcpy(s.shape, g->env.shape, sizeof(s.shape));
	CHECK_OK(um_dataset_new(&s, &data));
	CHECK_OK(g->prior.ops.fit(g->prior.self, data, &sink));
	um_dataset_free(data);
}

/* A net of dense layers learns a score that is known, by each law of times; the best loss is that of the known
 * score, E |sigma s + z|^2 = 1 - sigma^2 / (alpha^2 v + sigma^2). */
static void learns_a_gaussian(void)
{
	static const char *const laws[] = { "law=uniform", "law=importance" };
	const um_env env = plug_env(1, 1, DIM);
	for (int k = 0; k < 2; k++) {
		plug g;
		um_memory m = { 0 };
		CHECK_OK(plug_try(&g, UM_PRIOR, "score", env, SET(laws[k], "width=64", "blocks=2", "train_steps=1500",
			"warmup=50", "rate=0.003", "decay=0.02", "least=1e-3", "precision=float32", "sheet=0",
			k == 0 ? "weighting=noise" : "weighting=likelihood")));
		fit(&g, &m);
		um_array x = random_images(env, 64, 9), s = random_images(env, 64, 9);
		um_rng rng = um_rng_new(8, "points", 0);
		double alpha[64], sigma[64], wrong = 0, all = 0;
		for (int b = 0; b < 64; b++) {
			sigma[b] = 0.1 + 0.8 * b / 63;
			alpha[b] = sqrt(1 - sigma[b] * sigma[b]);
			for (int i = 0; i < DIM; i++)
				um_row_f(&x, b)[i] = (float)(alpha[b] * (mean_of(i) + sd_of(i) * um_normal(&rng)) + sigma[b] * um_normal(&rng));
		}
		um_score_job job = job_of(&x, alpha, sigma, &s);
		CHECK_OK(g.prior.ops.score(g.prior.self, &job));
		for (int b = 0; b < 64; b++)
			for (int i = 0; i < DIM; i++) {
				const double v = pow(alpha[b] * sd_of(i), 2) + sigma[b] * sigma[b];
				const double known = -((double)um_row_f(&x, b)[i] - alpha[b] * mean_of(i)) / v;
				wrong += pow(sigma[b] * ((double)um_row_f(&s, b)[i] - known), 2);
				all += pow(sigma[b] * known, 2);
			}
		CHECK(sqrt(wrong / all) < 0.15);
		um_array_free(&s);
		um_array_free(&x);
		um_memory_free(&m);
		plug_close(&g);
	}
}

/* A batch that divides no number of held-out images; none held out at all. */
static void odd_batches(void)
{
	const um_env env = plug_env(1, 1, DIM);
	const char *const batches[] = { "batch=96", "batch=300", "batch=1" };
	for (int k = 0; k < 3; k++) {
		plug g;
		um_memory m = { 0 };
		CHECK_OK(plug_try(&g, UM_PRIOR, "score", env, SET(batches[k], "width=8", "blocks=1", "train_steps=2", "check=1",
			"precision=float32")));
		fit(&g, &m);
		CHECK(isfinite(um_memory_metric(&m, "held_out_loss")));
		um_memory_free(&m);
		plug_close(&g);
	}
}

/* Times drawn by either law give the same loss for each weighting. */
static void laws_agree(void)
{
	static const char *const laws[] = { "law=uniform", "law=importance" };
	static const char *const weightings[] = { "weighting=noise", "weighting=likelihood" };
	const um_env env = plug_env(1, 1, DIM);
	double loss[2][2];
	plug learned;
	um_memory kept = { 0 };
	CHECK_OK(plug_try(&learned, UM_PRIOR, "score", env, SET("width=16", "blocks=1", "train_steps=400", "warmup=50",
		"rate=0.003", "precision=float32", "least=0.01", "sheet=0")));
	fit(&learned, &kept);
	CHECK_OK(um_tensors_write(path, &kept.tensors));
	um_memory_free(&kept);
	plug_close(&learned);
	for (int w = 0; w < 2; w++) {
		for (int l = 0; l < 2; l++) {
			plug g;
			um_memory m = { 0 };
			CHECK_OK(plug_try(&g, UM_PRIOR, "score", env, SET(model(), laws[l], weightings[w], "train_steps=0",
				"precision=float32", "least=0.01")));
			fit(&g, &m);
			loss[w][l] = um_memory_metric(&m, "held_out_loss");
			um_memory_free(&m);
			plug_close(&g);
		}
		CHECK_NEAR(loss[w][0], loss[w][1], 0.12 * loss[w][0]);
	}
	CHECK(fabs(loss[0][0] - loss[1][0]) > 0.2 * loss[0][0]);
}

/* ---- files that are no network, and keys that contradict them --------------------------------------- */

static void refuse(const char *const *set, um_env env, um_status code, const char *message)
{
	plug g;
	CHECK_FAILS(plug_try(&g, UM_PRIOR, "score", env, set), code, message);
	plug_close(&g);
}

static void damage(const char *note, const char *value, int drop, bool reshape)
{
	um_tensors t = { 0 }, out = { 0 };
	CHECK_OK(um_tensors_read(path, &t));
	for (int i = 0; i < t.n; i++) {
		um_array a = t.array[i];
		if (i == drop && reshape)
			a = um_array_rows(&a, 0, a.dim[0] - 1);
		if (i != drop || reshape)
			CHECK_OK(um_tensors_add(&out, t.name[i], &a));
	}
	for (int i = 0; i < t.nmeta; i++)
		if (note == NULL || strcmp(note, t.key[i]) != 0)
			um_tensors_note(&out, t.key[i], t.value[i]);
	if (value != NULL)
		um_tensors_note(&out, note, value);
	CHECK_OK(um_tensors_write(path, &out));
	um_tensors_free(&t);
	um_tensors_free(&out);
}

static void mistakes(void)
{
	const um_env env = plug_env(1, SIDE, SIDE);
	const struct { const char *note, *value, *message; } notes[] = {
		{ "net", NULL, "metadata has no net" }, { "net", "transformer", "net = \"transformer\" is unknown" },
		{ "sde", NULL, "metadata has no sde" }, { "net.width", "x", "net.width = \"x\"" },
		{ "net.width", "8.5", "should be a whole number" }, { "net.multipliers", "1 2 3 4", "" },
		{ "range", "3 1", "range [3, 1]" }, { "sde.beta", "0.1", "should be 2 to 2 numbers" },
		{ "net.size", "1e9 8 1", "is no size" }, { "net.width", "4000", "this network needs" }, { "net.blocks", "8", "is missing" },
		{ "learned_times", "0 1", "make no sense" }, { "net.patch", "3", "net.patch does not divide" },
	};
	make_file(small, env, 0);
	refuse(SET(model(), "sde=ve"), env, UM_EPARAM, "the model has a diffusion of its own");
	refuse(SET(model(), "range=[0.0, 1.0]"), env, UM_EPARAM, "leave range out");
	refuse(SET("sde=flow", "times=[1e-6, 1e-5]", "least=0.001"), env, UM_EPARAM, "least");
	refuse(SET("multipliers=[1.5, 2.0]"), env, UM_EPARAM, "1.5 is not a whole number");
	refuse(SET("factor=2"), env, UM_EPARAM, "factor");
	refuse(SET(model()), plug_env(1, SIDE, 2 * SIDE), UM_EDATA, "the model is of images of 8 x 8 pixels");
	refuse(SET("multipliers=[1.0, 1.0, 1.0, 1.0, 1.0]"), env, UM_EPARAM, "multiples of 16, not 8 x 8");
	for (size_t i = 0; i < sizeof(notes) / sizeof(*notes); i++) {
		make_file(small, env, 0);
		damage(notes[i].note, notes[i].value, -1, false);
		refuse(SET(model()), env, UM_EDATA, notes[i].message);
	}
	make_file(small, env, 0);
	damage(NULL, NULL, 5, false);
	refuse(SET(model()), env, UM_EDATA, "score.");
	make_file(small, env, 0);
	damage(NULL, NULL, 5, true);
	refuse(SET(model()), env, UM_EDATA, "score.");
	plug g;
	CHECK_OK(plug_try(&g, UM_PRIOR, "score", env, NULL));
	um_array x = random_images(env, 1, 0);
	um_rng rng = um_rng_new(1, "r", 0);
	double lp;
	CHECK_FAILS(g.prior.ops.logp(g.prior.self, &rng, &x, &lp, NULL), UM_EPARAM, "give a model, or train one");
	um_array_free(&x);
	plug_close(&g);
}

int main(void)
{
	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/net.safetensors", folder);
	const check_case cases[] = { CHECK_CASE(published_sizes), CHECK_CASE(signals_and_noises), CHECK_CASE(units),
		CHECK_CASE(closed_form_range), CHECK_CASE(learns_a_gaussian), CHECK_CASE(odd_batches), CHECK_CASE(laws_agree), CHECK_CASE(mistakes) };
	const int bad = check_run(__FILE__, cases, sizeof(cases) / sizeof(*cases));
	unlink(path);
	rmdir(folder);
	return bad;
}
