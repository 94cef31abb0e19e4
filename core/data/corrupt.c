/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What happens to ideal visibilities on the way: thermal noise, independent in both parts of
 * each row, and station gains V12 -> g1 conj(g2) V12, which amplitudes do not survive and
 * closures do. Log-normal amplitudes stay positive whatever their spread. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/observe.h>

#define DEGREE (3.14159265358979323846 / 180)

void um_observe_fill(um_uvdata *d, const double *re, const double *im)
{
	for (int64_t i = 0; i < d->nrows; i++) {
		d->rows[i].re = re[i];
		d->rows[i].im = im[i];
	}
}

void um_observe_noise(um_uvdata *d, um_rng *rng)
{
	for (int64_t i = 0; i < d->nrows; i++) {
		d->rows[i].re += d->rows[i].sigma * um_normal(rng);
		d->rows[i].im += d->rows[i].sigma * um_normal(rng);
	}
}

static int64_t count_scans(const um_uvdata *d)
{
	int64_t n = 0;
	for (int64_t i = 0; i < d->nrows; i++)
		n += um_uvdata_gap(d, i) > UM_SCAN_GAP;
	return n;
}

static void set_times(const um_uvdata *d, um_gains *g)
{
	int64_t k = 0;
	for (int64_t i = 0; i < d->nrows; i++) {
		bool next = i > 0 && um_uvdata_gap(d, i) > UM_SCAN_GAP;
		k += next && g->nscans > 1;
		if (i == 0 || (next && g->nscans > 1))
			g->start[k] = d->rows[i].time;
		g->stop[k] = d->rows[i].time;
	}
}

um_status um_gains_draw(const um_uvdata *d, double amplitude, double phase, bool per_scan, um_rng *rng,
	um_gains *out)
{
	um_gains g = { .nstations = d->nstations, .nscans = per_scan ? count_scans(d) : 1 };
	const int64_t n = g.nscans * g.nstations;
	*out = (um_gains){ 0 };
	g.start = calloc((size_t)(2 * g.nscans + 2 * n) + 1, sizeof(double));
	if (g.start == NULL)
		return um_fail(UM_ENOMEM, "no memory for %lld gains", (long long)n);
	g.stop = g.start + g.nscans;
	g.amplitude = g.stop + g.nscans;
	g.phase = g.amplitude + n;
	set_times(d, &g);
	for (int64_t i = 0; i < n; i++) {
		g.amplitude[i] = exp(amplitude * um_normal(rng));
		g.phase[i] = phase * um_normal(rng);
	}
	*out = g;
	return UM_OK;
}

void um_gains_apply(const um_gains *g, um_uvdata *d)
{
	int64_t k = 0;
	for (int64_t i = 0; i < d->nrows; i++) {
		um_uvrow *r = &d->rows[i];
		while (k + 1 < g->nscans && r->time >= g->start[k + 1])
			k++;
		const int64_t a = k * g->nstations + r->t1;
		const int64_t b = k * g->nstations + r->t2;
		double size = g->amplitude[a] * g->amplitude[b];
		double turn = g->phase[a] - g->phase[b];
		double c = size * cos(turn);
		double s = size * sin(turn);
		double re = r->re;
		r->re = c * re - s * r->im;
		r->im = s * re + c * r->im;
	}
}

void um_gains_free(um_gains *g)
{
	free(g->start);
	memset(g, 0, sizeof(*g));
}

um_status um_gains_write(const char *path, const um_gains *g, const um_uvdata *d)
{
	FILE *f = fopen(path, "w");
	if (f == NULL)
		return um_fail(UM_EIO, "%s: %s", path, strerror(errno));
	fprintf(f, "start_h,stop_h,station,amplitude,phase_deg\n");
	for (int64_t k = 0; k < g->nscans; k++)
		for (int i = 0; i < g->nstations; i++)
			fprintf(f, "%.9g,%.9g,%s,%.17g,%.17g\n", g->start[k], g->stop[k], d->stations[i].name,
				g->amplitude[k * g->nstations + i], g->phase[k * g->nstations + i] / DEGREE);
	bool bad = ferror(f) != 0;
	if (fclose(f) != 0 || bad) {
		remove(path);
		return um_fail(UM_EIO, "%s: cannot write: %s", path, strerror(errno));
	}
	return UM_OK;
}

um_status um_observe_corrupt(const um_corruption *c, um_rng *rng, um_uvdata *d, um_gains *g)
{
	um_rng own = um_rng_at(rng, 1, rng->counter[1]);
	*g = (um_gains){ 0 };
	if (c->amplitude > 0 || c->phase > 0) {
		um_status st = um_gains_draw(d, c->amplitude, c->phase, c->per_scan, &own, g);
		if (st != UM_OK)
			return st;
		um_gains_apply(g, d);
	}
	for (int64_t i = 0; c->error != NULL && i < d->nrows; i++) {
		const double off = (1 + c->error[d->rows[i].t1]) * (1 + c->error[d->rows[i].t2]);
		d->rows[i].re *= off;
		d->rows[i].im *= off;
	}
	if (c->noise)
		um_observe_noise(d, rng);
	return UM_OK;
}
