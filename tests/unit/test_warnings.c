/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every warning of an inference about its own samples: when it is given, and when not. */
#include "sampled.h"

static char said[4096];

static void listen(um_level level, const char *text)
{
	if (level == UM_WARN)
		snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s\n", text);
}

/* Runs and checks that what is said holds the words, or that nothing is said where they are NULL. */
static void expect(const char *name, const char *const *set, dense *d, const char *words, keeper *k)
{
	said[0] = '\0';
	CHECK_OK(infer(name, set, d, UM_IDENTITY, 50, k));
	const bool good = words != NULL ? strstr(said, words) != NULL : said[0] == '\0';
	if (!good)
		fprintf(stderr, "%s: wanted '%s', said '%s'\n", name, words != NULL ? words : "", said);
	CHECK(good);
}

static void trend(void)
{
	dense d = dense_random(16, 8, 3);
	keeper k = { 0 };
	expect("dpi", SET("steps=600", "average=300"), &d, NULL, &k);
	CHECK(fabs(um_memory_metric(&k.memory, "elbo_slope")) < 3.5 * um_memory_metric(&k.memory, "elbo_slope_se"));
	keeper_free(&k);
	expect("dpi", SET("warm=none", "steps=200", "average=100", "rate=0.003"), &d, "still climbing", &k);
	CHECK(um_memory_metric(&k.memory, "elbo_slope") > 10 * um_memory_metric(&k.memory, "elbo_slope_se"));
	keeper_free(&k);
	/* From the optimum on by steps that are too large. */
	expect("dpi", SET("steps=60", "average=60", "warmup=100", "rate=5"), &d, "is falling", &k);
	CHECK(um_memory_metric(&k.memory, "elbo_slope") < 0);
	keeper_free(&k);
	/* Too few steps tell nothing. */
	expect("dpi", SET("warm=none", "steps=40", "average=20", "rate=0.003"), &d, NULL, &k);
	CHECK(isnan(um_memory_metric(&k.memory, "elbo_slope")));
	keeper_free(&k);
	dense_free(&d);
}

static double noise_of(dense *d, um_transform transform, const char *const *set)
{
	keeper k = { 0 };
	CHECK_OK(infer("dpi", set, d, transform, 2, &k));
	const double noise = um_memory_metric(&k.memory, "gradient_noise");
	keeper_free(&k);
	return noise;
}

/* At the optimum the gradient is noise alone, on the way there it is not. Where log p is quadratic the two draws of a pair
 * cancel: there is no noise at all. */
static void noise(void)
{
	dense d = dense_random(16, 8, 3);
	const double there = noise_of(&d, UM_SOFTPLUS, SET("steps=2000", "average=1000", "rate=0.003"));
	const double far = noise_of(&d, UM_SOFTPLUS, SET("warm=none", "steps=100", "average=100", "rate=0.0001"));
	const double even = noise_of(&d, UM_IDENTITY, SET("warm=none", "steps=100", "average=100", "rate=0.0001"));
	CHECK(there > 0.9 && there < 1.05);
	CHECK(far > 1e-4 && far < 0.1);
	CHECK(even < 1e-4);
	dense_free(&d);
}

/* The slope is that of the ELBO: what it gains from here to there, over the steps between. */
static void slope(void)
{
	dense d = dense_random(16, 8, 3);
	keeper k = { 0 };
	double elbo[2], gain = 0;
	for (int i = 0; i < 2; i++) {
		char steps[32];
		snprintf(steps, sizeof(steps), "steps=%d", 300 + 100 * i);
		CHECK_OK(infer("dpi", SET("warm=none", steps, "average=1", "rate=0.003", "elbo_draws=4096"), &d, UM_IDENTITY, 2, &k));
		elbo[i] = um_memory_metric(&k.memory, "elbo");
		keeper_free(&k);
	}
	CHECK_OK(infer("dpi", SET("warm=none", "steps=400", "average=100", "rate=0.003"), &d, UM_IDENTITY, 2, &k));
	gain = 100 * um_memory_metric(&k.memory, "elbo_slope");
	CHECK_NEAR(gain, elbo[1] - elbo[0], 0.1 * fabs(elbo[1] - elbo[0]));
	keeper_free(&k);
	dense_free(&d);
}

static void seeds(void)
{
	dense toy = dense_toy(), d = dense_random(16, 8, 3);
	keeper k = { 0 };
	expect("dpi", SET("seeds=3", "steps=600", "average=300"), &d, NULL, &k);
	CHECK(um_memory_metric(&k.memory, "seed_rhat") < 1.05);
	keeper_free(&k);
	/* Narrow starts in one mode or the other. */
	expect("dpi", SET("family=realnvp", "couplings=4", "hidden=8", "seeds=4", "starts=2", "sd=0.05", "balance=0", "batch=64",
		"steps=150", "average=20", "spread=2"), &toy, "fits give other images", &k);
	CHECK(um_memory_metric(&k.memory, "seed_rhat") > 1.1);
	keeper_free(&k);
	dense_free(&toy);
	dense_free(&d);
}

/* log p = -50 sum |x_i|, whose kink L-BFGS cannot come to rest in. */
static um_status kink(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	const dense *d = self;
	(void)rng;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		lp[b] = 0;
		for (int64_t i = 0; i < d->n; i++) {
			const float v = um_row_f(x, b)[i];
			lp[b] -= 50 * fabs(v);
			if (dx != NULL)
				um_row_f(dx, b)[i] = v > 0 ? -50 : 50;
		}
	}
	return UM_OK;
}

static um_status kink_create(void **self, const void *p, const um_env *env, um_prior_info *info)
{
	(void)env, (void)info;
	*self = (void *)p;
	return UM_OK;
}

static void optimum(void)
{
	static const um_prior_ops ops = { .create = kink_create, .destroy = dense_leave, .logp = kink };
	static const um_plugin plugin = { UM_HEADER, UM_PRIOR, 0, "kink", "0", "Test.", "", sizeof(dense), NULL, 0, UM_OPS(ops) };
	dense d = dense_random(16, 8, 3);
	keeper k = { 0 };
	expect("map", NULL, &d, NULL, &k);
	CHECK(um_memory_metric(&k.memory, "gradient_fall") < 1e-2);
	keeper_free(&k);
	expect("map", SET("iterations=2"), &d, "iterations ran out", &k);
	keeper_free(&k);
	d.prior = &plugin;
	expect("map", SET("schedule=[1.0]", "iterations=5000"), &d, "no step made progress", &k);
	CHECK(um_memory_metric(&k.memory, "gradient_fall") > 1e-2);
	keeper_free(&k);
	dense_free(&d);
}

/* Samplers that fit the data as they should, too little, and exactly. */
static void residual(void)
{
	static const struct { const char *name, *set, *words; double lo, hi; } cases[] = {
		{ "dmps", "calls=100", NULL, 0.5, 1.5 },
		{ "ald", "calls=11", "do not fit the data", 1.5, INFINITY },
		{ "mcg", "calls=100", "fit the data too well", -0.1, 0.3 },
	};
	sampled p;
	CHECK_OK(sampled_try(&p, plug_env(1, 16, 16), "gaussian", SET("spectrum=power", "mean=0.5", "sigma=0.2"), "denoise",
		SET("sigma=0.1")));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		keeper k = { 0 };
		said[0] = '\0';
		CHECK_OK(sampled_run(&p, cases[i].name, SET(cases[i].set), 8, &k, NULL));
		const double chi2 = um_memory_metric(&k.memory, "residual_chi2");
		CHECK(chi2 >= cases[i].lo && chi2 <= cases[i].hi);
		CHECK(cases[i].words != NULL ? strstr(said, cases[i].words) != NULL : said[0] == '\0');
		if (!(chi2 >= cases[i].lo && chi2 <= cases[i].hi))
			fprintf(stderr, "%s: %g %s\n", cases[i].name, chi2, said);
		keeper_free(&k);
	}
	sampled_free(&p);
}

/* Chains that are long enough, and not. */
static void chains(void)
{
	dense d = dense_random(4, 4, 3);
	keeper k = { 0 };
	expect("hmc", SET("chains=4", "warmup=300", "draws=1000"), &d, NULL, &k);
	CHECK(um_memory_metric(&k.memory, "rhat") < 1.01 && um_memory_metric(&k.memory, "ess_bulk") > 400);
	keeper_free(&k);
	expect("hmc", SET("chains=4", "warmup=300", "draws=30"), &d, "too few to tell", &k);
	keeper_free(&k);
	dense_free(&d);
}

int main(void)
{
	const check_case all[] = { CHECK_CASE(trend), CHECK_CASE(noise), CHECK_CASE(slope), CHECK_CASE(seeds), CHECK_CASE(optimum), CHECK_CASE(residual),
		CHECK_CASE(chains) };
	um_log_hook(listen);
	return check_run(__FILE__, all, sizeof(all) / sizeof(*all));
}
