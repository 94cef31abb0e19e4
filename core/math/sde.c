/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Coefficients of diffusions. With B the integral of beta from 0 to t everything of VP and subVP follows
 * from B, and near t = 0 from expm1(B). */
#include <math.h>
#include <string.h>
#include <umbra/sde.h>

um_sde um_sde_default(um_sde_kind kind)
{
	return (um_sde){ .kind = kind, .beta_min = 0.1, .beta_max = 20, .sigma_min = 0.01, .sigma_max = 50 };
}

um_sde_kind um_sde_named(const char *name)
{
	return strcmp(name, "subvp") == 0 ? UM_SDE_SUBVP : strcmp(name, "ve") == 0 ? UM_SDE_VE :
		strcmp(name, "flow") == 0 ? UM_SDE_FLOW : UM_SDE_VP;
}

static double beta(const um_sde *s, double t)
{
	return s->beta_min + t * (s->beta_max - s->beta_min);
}

static double integral(const um_sde *s, double t)
{
	return t * (s->beta_min + t * (s->beta_max - s->beta_min) / 2);
}

/* The t with B(t) = b, without cancellation. */
static double time_of_integral(const um_sde *s, double b)
{
	const double rise = s->beta_max - s->beta_min;
	return 2 * b / (s->beta_min + sqrt(s->beta_min * s->beta_min + 2 * rise * b));
}

static double growth(const um_sde *s)
{
	return log(s->sigma_max / s->sigma_min);
}

double um_sde_alpha(const um_sde *s, double t)
{
	switch (s->kind) {
	case UM_SDE_VE: return 1;
	case UM_SDE_FLOW: return 1 - t;
	default: return exp(-integral(s, t) / 2);
	}
}

double um_sde_sigma(const um_sde *s, double t)
{
	switch (s->kind) {
	case UM_SDE_VP: return sqrt(-expm1(-integral(s, t)));
	case UM_SDE_SUBVP: return -expm1(-integral(s, t));
	case UM_SDE_VE: return s->sigma_min * exp(t * growth(s));
	default: return t;
	}
}

double um_sde_drift(const um_sde *s, double t)
{
	switch (s->kind) {
	case UM_SDE_VE: return 0;
	case UM_SDE_FLOW: return -1 / (1 - t);
	default: return -beta(s, t) / 2;
	}
}

double um_sde_diffusion2(const um_sde *s, double t)
{
	const double sigma = um_sde_sigma(s, t);
	switch (s->kind) {
	case UM_SDE_VP: return beta(s, t);
	case UM_SDE_SUBVP: return beta(s, t) * -expm1(-2 * integral(s, t));
	case UM_SDE_VE: return 2 * sigma * sigma * growth(s);
	default: return 2 * t / (1 - t);
	}
}

double um_sde_noise(const um_sde *s)
{
	return s->kind == UM_SDE_VE ? s->sigma_max : 1;
}

/* log(1 - e^-b) for b > 0. */
static double log_complement(double b)
{
	return b < 0.6931471805599453 ? log(-expm1(-b)) : log1p(-exp(-b));
}

double um_sde_log_ratio(const um_sde *s, double t)
{
	const double b = integral(s, t);
	switch (s->kind) {
	case UM_SDE_VP: return (b + log_complement(b)) / 2;
	case UM_SDE_SUBVP: return b / 2 + log_complement(b);
	case UM_SDE_VE: return log(s->sigma_min) + t * growth(s);
	default: return log(t) - log1p(-t);
	}
}

/* log(1 + e^x), e^x where that is small, x where it is large. */
static double softplus(double x)
{
	return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

/* 2 asinh(e^x / 2) for any x: the b with e^b/2 - e^-b/2 = e^x. */
static double twice_asinh(double x)
{
	return x < 300 ? 2 * asinh(exp(x) / 2) : 2 * x;
}

double um_sde_time(const um_sde *s, double log_ratio)
{
	switch (s->kind) {
	case UM_SDE_VP: return time_of_integral(s, softplus(2 * log_ratio));
	case UM_SDE_SUBVP: return time_of_integral(s, twice_asinh(log_ratio));
	case UM_SDE_VE: return (log_ratio - log(s->sigma_min)) / growth(s);
	default: return 1 / (1 + exp(-log_ratio));
	}
}

/* An antiderivative of g^2 / sigma^2: 2 log(sigma / alpha) for all four, since
 * (log sigma^2/alpha^2)' = (sigma^2)'/sigma^2 - 2 f = g^2 / sigma^2. */
double um_sde_importance(const um_sde *s, double from, double to)
{
	return 2 * (um_sde_log_ratio(s, to) - um_sde_log_ratio(s, from));
}

double um_sde_draw(const um_sde *s, double from, double to, double u)
{
	const double low = um_sde_log_ratio(s, from), high = um_sde_log_ratio(s, to);
	const double t = um_sde_time(s, low + u * (high - low));
	return t < from ? from : t > to ? to : t;
}

void um_sde_predict(const um_sde *s, um_prediction what, double t, double *a, double *b)
{
	const double alpha = um_sde_alpha(s, t), sigma = um_sde_sigma(s, t);
	*a = 0;
	switch (what) {
	case UM_PREDICT_SCORE:
		*b = 1;
		break;
	case UM_PREDICT_NOISE:
		*b = -sigma;
		break;
	case UM_PREDICT_MEAN:
		*a = 1 / alpha;
		*b = sigma * sigma / alpha;
		break;
	case UM_PREDICT_VELOCITY:
		*a = um_sde_drift(s, t);
		*b = -um_sde_diffusion2(s, t) / 2;
		break;
	}
}

void um_sde_translate(const um_sde *s, double t, const um_sde *from, double *time, double *factor)
{
	*time = um_sde_time(from, um_sde_log_ratio(s, t));
	*factor = um_sde_alpha(from, *time) / um_sde_alpha(s, t);
}
