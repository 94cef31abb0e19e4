/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Station gains by alternating least squares, as in StEFCal (Salvini and Wijnholds 2014,
 * doi:10.1051/0004-6361/201424487). Over one interval V = g_p conj(g_q) M + noise, so that
 *   -log p(V | g) = 1/2 sum_{p<q} (N_pq |g_p g_q|^2 - 2 Re conj(g_p) C_pq g_q) + const,
 *   N_pq = sum |M|^2 / sigma^2,  C_pq = sum V conj(M) / sigma^2,  C_qp = conj(C_pq)
 * over the rows of the baseline: two numbers a baseline are all that the data say. With the others
 * held, g_p = a exp(i phi) enters as 1/2 H a^2 - a Re(exp(-i phi) B), H = sum_q N_pq |g_q|^2,
 * B = sum_q C_pq g_q, and without priors the minimum is g_p = B / H. Here stations take turns
 * (StEFCal updates all at once and averages every other step to stop swings), so that every
 * step lowers the objective, also with priors. Such sweeps find the way from anywhere but are slow
 * at the end where one station is far more sensitive than the others; each is followed by a
 * Gauss-Newton step in l and phi. With W_pq = N_pq |g_p g_q|^2 its matrices are W + diag(sum_q W_pq)
 * for l and the graph's Laplacian diag(sum_q W_pq) - W for phi, and the two do not mix. */
#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/gains.h>
#include <umbra/linalg.h>

#define PI 3.14159265358979323846
#define LARGEST 20.0 /* of |l|: gains beyond e^20 are no gains */

bool um_gain_interval_named(const char *name, um_gain_interval *out)
{
	static const char *const names[] = { "constant", "scan", "time" };
	for (int i = 0; i < 3; i++)
		if (strcmp(name, names[i]) == 0) {
			*out = (um_gain_interval)i;
			return true;
		}
	return false;
}

/* ---- intervals ------------------------------------------------------------- */

static bool begins(const um_uvdata *d, um_gain_interval each, int64_t i)
{
	if (i == 0)
		return true;
	double gap = um_uvdata_gap(d, i); /* infinite at the first row of a file */
	return (each == UM_GAIN_SCAN && gap > UM_SCAN_GAP) || (each == UM_GAIN_TIME && gap > 0);
}

um_status um_gainset_new(const um_uvdata *d, um_gain_interval each, um_gainset *out)
{
	um_gainset s = { .nstations = d->nstations, .nrows = d->nrows };
	*out = (um_gainset){ 0 };
	for (int64_t i = 0; i < d->nrows; i++)
		s.nintervals += begins(d, each, i);
	s.nparams = 2 * s.nintervals * s.nstations;
	s.first = calloc((size_t)s.nintervals + 1, sizeof(*s.first));
	s.start = calloc(2 * (size_t)s.nintervals + 1, sizeof(*s.start));
	s.t1 = calloc(2 * (size_t)s.nrows + 1, sizeof(*s.t1));
	if (s.first == NULL || s.start == NULL || s.t1 == NULL) {
		um_gainset_free(&s);
		return um_fail(UM_ENOMEM, "no memory for gains of %lld visibilities", (long long)d->nrows);
	}
	s.stop = s.start + s.nintervals;
	s.t2 = s.t1 + s.nrows;
	for (int64_t i = 0, k = -1; i < d->nrows; i++) {
		if (begins(d, each, i)) {
			s.first[++k] = i;
			s.start[k] = d->rows[i].time;
		}
		s.stop[k] = d->rows[i].time;
		s.t1[i] = d->rows[i].t1;
		s.t2[i] = d->rows[i].t2;
	}
	s.first[s.nintervals] = s.nrows;
	*out = s;
	return UM_OK;
}

void um_gainset_free(um_gainset *s)
{
	free(s->first);
	free(s->start);
	free(s->t1);
	memset(s, 0, sizeof(*s));
}

void um_gainset_factor(const um_gainset *s, const double *p, double *re, double *im)
{
	for (int64_t k = 0; k < s->nintervals; k++) {
		const double *l = p + k * s->nstations;
		const double *phi = l + s->nparams / 2;
		for (int64_t i = s->first[k]; i < s->first[k + 1]; i++) {
			double size = exp(l[s->t1[i]] + l[s->t2[i]]);
			double turn = phi[s->t1[i]] - phi[s->t2[i]];
			re[i] = size * cos(turn);
			im[i] = size * sin(turn);
		}
	}
}

/* ---- solving --------------------------------------------------------------- */

/* One interval of n stations. */
struct interval {
	int n;
	double *l, *phi;
	double *norm;            /* N [n][n] */
	double complex *cross;   /* C [n][n] */
	double complex *g;
	double wl, wphi;         /* inverse variances of the priors */
	double *al, *aphi;       /* [n][n] of the Gauss-Newton step */
	double *dl, *dphi, *old; /* [n] that step; [2 n] where it starts */
};

static void gather(struct interval *v, const um_gainset *s, const um_gainfit *f, int64_t k)
{
	const size_t n2 = (size_t)v->n * (size_t)v->n;
	memset(v->norm, 0, n2 * sizeof(*v->norm));
	memset(v->cross, 0, n2 * sizeof(*v->cross));
	for (int64_t i = s->first[k]; i < s->first[k + 1]; i++) {
		const int at = s->t1[i] * v->n + s->t2[i];
		const int turned = s->t2[i] * v->n + s->t1[i];
		double w = 1 / (f->sigma[i] * f->sigma[i]);
		double complex m = f->model_re[i] + I * f->model_im[i];
		double complex c = w * (f->re[i] + I * f->im[i]) * conj(m);
		double norm = w * creal(m * conj(m));
		v->norm[at] += norm;
		v->norm[turned] += norm;
		v->cross[at] += c;
		v->cross[turned] += conj(c);
	}
}

static bool present(const struct interval *v, int p)
{
	for (int q = 0; q < v->n; q++)
		if (v->norm[p * v->n + q] > 0)
			return true;
	return false;
}

/* The root of the increasing end of a derivative in [lo, hi], by Newton's method kept inside by
 * bisection; slope gives the derivative's derivative. */
static double root(double (*derivative)(const double *c, double t, double *slope), const double *c,
	double lo, double hi, double t)
{
	for (int i = 0; i < 100; i++) {
		double slope;
		double d = derivative(c, t, &slope);
		if (d > 0)
			hi = t;
		else
			lo = t;
		double next = t - d / slope;
		if (!(slope > 0) || !(next > lo) || !(next < hi))
			next = 0.5 * (lo + hi);
		if (fabs(next - t) <= 1e-15 * (1 + fabs(t)))
			return next;
		t = next;
	}
	return t;
}

/* h(l) = 1/2 H e^2l - b e^l + 1/2 w l^2, c = { H, b, w }. */
static double amplitude_cost(const double *c, double l)
{
	return 0.5 * c[0] * exp(2 * l) - c[1] * exp(l) + 0.5 * c[2] * l * l;
}

static double amplitude_slope(const double *c, double l, double *slope)
{
	double a = exp(l);
	*slope = 2 * c[0] * a * a - c[1] * a + c[2];
	return c[0] * a * a - c[1] * a + c[2] * l;
}

/* The minimum lies between the prior's, 0, and the data's, log(b/H); where the data ask for
 * less than nothing, above where the prior wins whatever they say. */
static double best_amplitude(const double *c, double old)
{
	double data = c[1] > 0 ? log(c[1] / c[0]) : (c[1] - c[0]) / c[2];
	data = fmin(fmax(data, -LARGEST), LARGEST);
	double l = root(amplitude_slope, c, fmin(data, 0), fmax(data, 0), data);
	return amplitude_cost(c, l) <= amplitude_cost(c, old) ? l : old;
}

/* h(phi) = -b cos(phi - beta) + 1/2 w phi^2, c = { b, beta, w }. */
static double phase_cost(const double *c, double phi)
{
	return -c[0] * cos(phi - c[1]) + 0.5 * c[2] * phi * phi;
}

static double phase_slope(const double *c, double phi, double *slope)
{
	*slope = c[0] * cos(phi - c[1]) + c[2];
	return c[0] * sin(phi - c[1]) + c[2] * phi;
}

static double best_phase(const double *c, double old)
{
	double phi = root(phase_slope, c, fmin(c[1], 0), fmax(c[1], 0), c[1]);
	return phase_cost(c, phi) <= phase_cost(c, old) ? phi : old;
}

/* The best gain of station p with the others held; how far its parameters moved. */
static double update(struct interval *v, int p)
{
	const double old[2] = { v->l[p], v->phi[p] };
	double complex b = 0;
	double h = 0;
	for (int q = 0; q < v->n; q++) {
		b += v->cross[p * v->n + q] * v->g[q];
		h += v->norm[p * v->n + q] * creal(v->g[q] * conj(v->g[q]));
	}
	if (!(h > 0))
		return 0;
	if (isfinite(v->wphi))
		v->phi[p] = best_phase((double[]){ exp(v->l[p]) * cabs(b), carg(b), v->wphi }, old[1]);
	if (isfinite(v->wl))
		v->l[p] = best_amplitude((double[]){ h, creal(b * cexp(-I * v->phi[p])), v->wl }, old[0]);
	v->g[p] = cexp(v->l[p] + I * v->phi[p]);
	return fmax(fabs(v->l[p] - old[0]), fabs(remainder(v->phi[p] - old[1], 2 * PI)));
}

/* Adds a common phase, which changes nothing but its own distance from 0. */
static void turn(struct interval *v, double by)
{
	for (int p = 0; p < v->n; p++)
		if (present(v, p))
			v->phi[p] = remainder(v->phi[p] + by, 2 * PI);
}

static double common_phase(const struct interval *v)
{
	double sum = 0;
	int n = 0;
	for (int p = 0; p < v->n; p++)
		if (present(v, p)) {
			sum += v->phi[p];
			n++;
		}
	return n > 0 ? sum / n : 0;
}

static double logp(const struct interval *v)
{
	double sum = 0;
	for (int p = 0; p < v->n; p++) {
		if (isfinite(v->wl))
			sum -= 0.5 * v->wl * v->l[p] * v->l[p];
		if (isfinite(v->wphi) && present(v, p))
			sum -= 0.5 * v->wphi * v->phi[p] * v->phi[p];
	}
	return sum;
}

/* -log p(V | g) - log p(g), up to a constant. */
static double cost(const struct interval *v)
{
	double sum = -logp(v);
	for (int p = 0; p < v->n; p++)
		for (int q = 0; q < p; q++) {
			double complex g = v->g[p] * conj(v->g[q]);
			sum += 0.5 * v->norm[p * v->n + q] * creal(g * conj(g)) - creal(conj(g) * v->cross[p * v->n + q]);
		}
	return sum;
}

/* Matrices and right-hand sides of the Gauss-Newton step. A ridge takes care of the common phase
 * and of stations without data, in whose directions nothing changes. */
static void linearise(struct interval *v)
{
	const int n = v->n;
	double trace = 0;
	memset(v->al, 0, 2 * (size_t)n * (size_t)n * sizeof(*v->al));
	for (int p = 0; p < n; p++) {
		v->dl[p] = v->dphi[p] = 0;
		for (int q = 0; q < n; q++) {
			double complex g = v->g[p] * conj(v->g[q]);
			double complex c = conj(g) * v->cross[p * n + q];
			double w = v->norm[p * n + q] * creal(g * conj(g));
			v->al[p * n + q] += w;
			v->aphi[p * n + q] -= w;
			v->al[p * n + p] += w;
			v->aphi[p * n + p] += w;
			v->dl[p] += creal(c) - w;
			v->dphi[p] += cimag(c);
			trace += w;
		}
	}
	for (int p = 0; p < n; p++) {
		const double ridge = 1e-12 * trace / n + 1e-300;
		v->al[p * n + p] += ridge + (isfinite(v->wl) ? v->wl : 0);
		v->aphi[p * n + p] += ridge + (isfinite(v->wphi) ? v->wphi : 0);
		v->dl[p] -= isfinite(v->wl) ? v->wl * v->l[p] : 0;
		v->dphi[p] -= isfinite(v->wphi) ? v->wphi * v->phi[p] : 0;
	}
}

static void move(struct interval *v, double by)
{
	for (int p = 0; p < v->n; p++) {
		v->l[p] = v->old[p] + by * v->dl[p];
		v->phi[p] = v->old[v->n + p] + by * v->dphi[p];
		v->g[p] = cexp(v->l[p] + I * v->phi[p]);
	}
}

/* One step, shortened until the cost does not rise; how far the parameters moved. */
static double gauss_newton(struct interval *v)
{
	const double before = cost(v);
	double far = 0;
	const size_t bytes = (size_t)v->n * sizeof(double);
	linearise(v);
	memcpy(v->old, v->l, bytes);
	memcpy(v->old + v->n, v->phi, bytes);
	if (um_cholesky(v->n, v->al) != UM_OK || um_cholesky(v->n, v->aphi) != UM_OK)
		return 0;
	um_cholesky_solve(v->n, v->al, 1, v->dl);
	um_cholesky_solve(v->n, v->aphi, 1, v->dphi);
	for (int p = 0; p < v->n; p++) {
		v->dl[p] = isfinite(v->wl) && present(v, p) ? v->dl[p] : 0;
		v->dphi[p] = isfinite(v->wphi) && present(v, p) ? v->dphi[p] : 0;
		far = fmax(far, fmax(fabs(v->dl[p]), fabs(v->dphi[p])));
	}
	for (double by = 1; by > 0.01; by /= 2) {
		move(v, by);
		if (cost(v) <= before)
			return by * far;
	}
	move(v, 0);
	return 0;
}

/* The best gains, whose log density is returned. */
static double solve(struct interval *v, int64_t sweeps, double tolerance)
{
	if (isfinite(v->wphi))
		turn(v, -common_phase(v));
	for (int p = 0; p < v->n; p++)
		v->g[p] = cexp(v->l[p] + I * v->phi[p]);
	double moved = INFINITY;
	for (int64_t i = 0; i < sweeps && moved > tolerance; i++) {
		moved = 0;
		for (int p = 0; p < v->n; p++)
			moved = fmax(moved, update(v, p));
		moved = fmax(moved, gauss_newton(v));
	}
	const double density = logp(v);
	for (int p = 0; p < v->n && isfinite(v->wphi); p++)
		if (present(v, p)) {
			turn(v, -v->phi[p]);
			break;
		}
	return density;
}

um_status um_gainset_solve(const um_gainset *s, um_gainfit *f, double *p)
{
	const size_t n = (size_t)s->nstations;
	struct interval v = { .n = s->nstations, .wl = 1 / (f->amplitude_sd * f->amplitude_sd),
		.wphi = 1 / (f->phase_sd * f->phase_sd) };
	v.cross = malloc((n * n + n) * sizeof(*v.cross) + (3 * n * n + 4 * n) * sizeof(double));
	if (v.cross == NULL)
		return um_fail(UM_ENOMEM, "no memory for the gains of %d stations", s->nstations);
	v.g = v.cross + n * n;
	v.norm = (double *)(v.g + n);
	v.al = v.norm + n * n;
	v.aphi = v.al + n * n;
	v.dl = v.aphi + n * n;
	v.dphi = v.dl + n;
	v.old = v.dphi + n;
	f->logp = 0;
	for (int64_t k = 0; k < s->nintervals; k++) {
		v.l = p + k * s->nstations;
		v.phi = v.l + s->nparams / 2;
		gather(&v, s, f, k);
		f->logp += solve(&v, f->sweeps > 0 ? f->sweeps : 1000, f->tolerance > 0 ? f->tolerance : 1e-10);
	}
	free(v.cross);
	return UM_OK;
}
