/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the host does between inference and plugins: transform, scale, products, checks, and the
 * functions that a forward plugin may leave out. */
#include <umbra/linalg.h>
#include "plug.h"

enum { ROWS = 3, COLUMNS = 4, B = 2 };

static um_env env(um_transform transform, double scale)
{
	um_env e = plug_env(1, ROWS, COLUMNS);
	e.transform = transform;
	e.scale = scale;
	return e;
}

static void fill(um_array *a, double centre, double width, int seed)
{
	um_rng r = um_rng_new(5, "fill", (uint64_t)seed);
	int64_t n = um_array_len(a);
	for (int64_t i = 0; i < n; i++) {
		double v = centre + width * um_normal(&r);
		if (a->dtype == UM_F32)
			((float *)a->data)[i] = (float)v;
		else
			((double *)a->data)[i] = v;
	}
}

struct fixture {
	plug forward, prior[2];
	um_prior factors[2];
	um_array y, sigma, op;
	um_problem *p;
};

static void open_fixture(struct fixture *f, um_transform transform, double scale)
{
	um_env e = env(transform, scale);
	CHECK_OK(plug_try(&f->forward, UM_FORWARD, "denoise", e, (const char *const[]){ "sigma=0.7", NULL }));
	CHECK_OK(plug_try(&f->prior[0], UM_PRIOR, "tv", e, (const char *const[]){ "weight=3", "epsilon=0.1", NULL }));
	CHECK_OK(plug_try(&f->prior[1], UM_PRIOR, "gaussian", e, NULL));
	f->factors[0] = f->prior[0].prior;
	f->factors[1] = f->prior[1].prior;
	int64_t ny = f->forward.forward.info.ny;
	CHECK_OK(um_array_new(&f->y, UM_F64, 2, (const int64_t[]){ 1, ny }));
	CHECK_OK(um_array_new(&f->sigma, UM_F64, 2, (const int64_t[]){ 1, ny }));
	CHECK_OK(um_array_new(&f->op, UM_F64, 2, (const int64_t[]){ 1, 0 }));
	fill(&f->y, 1, 1, 1);
	for (int64_t i = 0; i < ny; i++)
		um_row_d(&f->sigma, 0)[i] = 0.5 + 0.1 * (double)i;
	CHECK_OK(um_problem_new(&f->forward.forward, f->factors, 2, &f->y, &f->sigma, &f->op, 4, "test", &f->p));
}

static void close_fixture(struct fixture *f)
{
	um_problem_free(f->p);
	um_array_free(&f->y);
	um_array_free(&f->sigma);
	um_array_free(&f->op);
	plug_close(&f->forward);
	plug_close(&f->prior[0]);
	plug_close(&f->prior[1]);
}

/* d/dh of the log density along v against the gradient, at the float steps really taken. */
static void check_gradient(struct fixture *f, bool prior)
{
	const float h = 1e-3f;
	um_array u, up, down, g;
	double l[B], lu[B], ld[B];
	um_array *all[] = { &u, &up, &down, &g };
	for (int i = 0; i < 4; i++)
		CHECK_OK(um_problem_images(f->p, B, all[i]));
	fill(&u, -0.5, 1, 2);
	fill(&g, 0, 1, 3);
	for (int64_t i = 0; i < um_array_len(&u); i++) {
		float v = ((float *)g.data)[i];
		((float *)up.data)[i] = ((float *)u.data)[i] + h * v;
		((float *)down.data)[i] = ((float *)u.data)[i] - h * v;
	}
	CHECK_OK(prior ? um_problem_logp(f->p, NULL, &u, l, &g) : um_problem_loglike(f->p, &u, l, &g));
	CHECK_OK(prior ? um_problem_logp(f->p, NULL, &up, lu, NULL) : um_problem_loglike(f->p, &up, lu, NULL));
	CHECK_OK(prior ? um_problem_logp(f->p, NULL, &down, ld, NULL) : um_problem_loglike(f->p, &down, ld, NULL));
	for (int b = 0; b < B; b++) {
		double slope = 0;
		for (int i = 0; i < ROWS * COLUMNS; i++)
			slope += (double)um_row_f(&g, b)[i] * ((double)um_row_f(&up, b)[i] - um_row_f(&down, b)[i]);
		CHECK_NEAR(lu[b] - ld[b], slope, 1e-4 * fabs(slope) + 1e-7);
	}
	for (int i = 0; i < 4; i++)
		um_array_free(all[i]);
}

static void test_gradients(void)
{
	for (int t = UM_IDENTITY; t <= UM_SOFTPLUS; t++) {
		struct fixture f = { 0 };
		open_fixture(&f, (um_transform)t, 2.5);
		check_gradient(&f, false);
		check_gradient(&f, true);
		close_fixture(&f);
	}
}

/* u = 0: x = log 2, dx/du = 1/2, so log |dx/du| = -n log 2. */
static void test_values(void)
{
	struct fixture f = { 0 };
	um_array u, x;
	double ll, lp, want = 0;
	open_fixture(&f, UM_SOFTPLUS, 2.5);
	CHECK_OK(um_problem_images(f.p, 1, &u));
	CHECK_OK(um_problem_images(f.p, 1, &x));
	CHECK_OK(um_problem_loglike(f.p, &u, &ll, NULL));
	for (int i = 0; i < ROWS * COLUMNS; i++)
		want -= 0.5 * pow((um_row_d(&f.y, 0)[i] - 2.5 * (double)(float)log(2)) / um_row_d(&f.sigma, 0)[i], 2);
	CHECK_NEAR(ll, want, 1e-5);
	CHECK_OK(um_problem_logp(f.p, NULL, &u, &lp, NULL));
	/* tv of a constant is 0; the Gaussian is white with sd 1 */
	want = -ROWS * COLUMNS * (0.5 * log(2 * 3.141592653589793) + 0.5 * pow(log(2), 2) + log(2));
	CHECK_NEAR(lp, want, 1e-5);
	CHECK_OK(um_problem_image(f.p, &u, &x));
	CHECK_NEAR(((float *)x.data)[3], log(2), 1e-7);
	fill(&u, 0, 3, 9);
	CHECK_OK(um_problem_image(f.p, &u, &x));
	um_array back;
	CHECK_OK(um_problem_images(f.p, 1, &back));
	CHECK_OK(um_problem_preimage(f.p, &x, &back));
	for (int i = 0; i < ROWS * COLUMNS; i++)
		CHECK_NEAR(((float *)back.data)[i], ((float *)u.data)[i], 1e-4);
	um_array_free(&back);
	um_array_free(&u);
	um_array_free(&x);
	CHECK(um_problem_calls(f.p) == 1);
	close_fixture(&f);
}

/* Where a plugin has no solve of its own: (a2 Sigma + b2 s^2 I)^-1 for the identity, known. */
static void test_conjugate_gradients(void)
{
	struct fixture f = { 0 };
	um_array r, out;
	open_fixture(&f, UM_IDENTITY, 2.5);
	f.forward.forward.ops.solve = NULL;
	CHECK_OK(um_array_new(&r, UM_F64, 2, (const int64_t[]){ B, ROWS * COLUMNS }));
	CHECK_OK(um_array_new(&out, UM_F64, 2, (const int64_t[]){ B, ROWS * COLUMNS }));
	fill(&r, 0, 1, 4);
	CHECK_OK(um_problem_solve(f.p, 0.8, 1.5, &r, &out));
	for (int b = 0; b < B; b++)
		for (int i = 0; i < ROWS * COLUMNS; i++)
			CHECK_NEAR(um_row_d(&out, b)[i], um_row_d(&r, b)[i] / (0.8 * pow(um_row_d(&f.sigma, 0)[i], 2)
				+ 1.5 * 2.5 * 2.5), 1e-6);
	um_array_free(&r);
	um_array_free(&out);
	close_fixture(&f);
}

static const char *refusal(uint32_t needs, const um_forward *f, const um_prior *priors, int npriors)
{
	const um_inference inference = { .info.needs = needs };
	return um_cell_refusal(&inference, f, priors, npriors);
}

/* Not more than two pixels. */
static um_status suits(void *self, const um_problem_info *about)
{
	(void)self;
	CHECK(about->n == ROWS * COLUMNS && about->ny == ROWS * COLUMNS && about->linear && about->samples == 0);
	return about->n > 2 ? um_fail(UM_EPARAM, "%lld pixels are too many", (long long)about->n) : UM_OK;
}

static void test_refusals(void)
{
	struct fixture f = { 0 };
	open_fixture(&f, UM_SOFTPLUS, 1);
	const um_forward *fw = &f.forward.forward;
	CHECK(refusal(UM_NEEDS_LOGP, fw, f.factors, 2) == NULL);
	CHECK(refusal(UM_NEEDS_LINEAR, fw, f.factors, 2) == NULL);
	CHECK(strstr(refusal(UM_NEEDS_IDENTITY, fw, f.factors, 2), "identity") != NULL);
	CHECK(strstr(refusal(UM_NEEDS_CLOSED, fw, f.factors, 2), "closed form") != NULL);
	CHECK(refusal(UM_NEEDS_CLOSED, fw, f.factors + 1, 1) == NULL);
	CHECK(strstr(refusal(UM_NEEDS_SCORE, fw, f.factors, 1), "score") != NULL);
	CHECK(strstr(refusal(UM_NEEDS_DRAWS, fw, f.factors, 2), "drawn from") != NULL);
	CHECK(refusal(UM_NEEDS_DRAWS, fw, f.factors + 1, 1) == NULL);
	const um_inference small = { .ops.suits = suits }, closed = { .info.needs = UM_NEEDS_CLOSED, .ops.suits = suits };
	CHECK(strstr(um_cell_refusal(&small, fw, f.factors, 2), "pixels are too many") != NULL);
	CHECK(strstr(um_cell_refusal(&closed, fw, f.factors, 2), "closed form") != NULL);
	um_score_job job = { .size = sizeof(job) };
	CHECK_FAILS(um_problem_score(f.p, &job), UM_EPARAM, "product of priors has no score");
	close_fixture(&f);
}

CHECK_MAIN(CHECK_CASE(test_gradients), CHECK_CASE(test_values), CHECK_CASE(test_conjugate_gradients),
	CHECK_CASE(test_refusals))
