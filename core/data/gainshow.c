/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is shown of solved gains: how large they are, the table that simulations write of planted
 * ones, and plots against time. */
#include <math.h>
#include <stdlib.h>
#include <umbra/gains.h>
#include <umbra/observe.h>

#define DEGREE (3.14159265358979323846 / 180)

um_status um_gainset_rms(const um_gainset *s, const double *p, um_sink *sink)
{
	const int64_t half = s->nparams / 2;
	double sum[2] = { 0 };
	for (int64_t i = 0; i < 2 * half; i++)
		sum[i >= half] += p[i] * p[i] / (double)half;
	um_status st = um_sink_metric(sink, "gain_amplitude_rms", sqrt(sum[0]));
	return st == UM_OK ? um_sink_metric(sink, "gain_phase_rms_deg", sqrt(sum[1]) / DEGREE) : st;
}

/* Marks the stations that have data in interval k. */
static void find_present(const um_gainset *s, int64_t k, bool *present)
{
	for (int i = 0; i < s->nstations; i++)
		present[i] = false;
	for (int64_t i = s->first[k]; i < s->first[k + 1]; i++)
		present[s->t1[i]] = present[s->t2[i]] = true;
}

/* v: room for three numbers a gain. */
static um_status show(const um_gains *g, const um_gainset *s, bool *present, double *v, um_sink *sink)
{
	const int64_t most = s->nparams / 2;
	um_plot amplitude = { .name = "gain_amplitude", .title = "Amplitudes of station gains",
		.xlabel = "Time (h)", .ylabel = "Amplitude", .x = v, .y = v + most };
	um_plot phase = { .name = "gain_phase", .title = "Phases of station gains", .xlabel = "Time (h)",
		.ylabel = "Phase (deg)", .x = v, .y = v + 2 * most };
	int64_t n = 0;
	for (int64_t k = 0; k < g->nscans; k++) {
		find_present(s, k, present);
		for (int i = 0; i < g->nstations; i++) {
			const int64_t at = k * g->nstations + i;
			if (!present[i])
				continue;
			v[n] = 0.5 * (g->start[k] + g->stop[k]);
			v[most + n] = g->amplitude[at];
			v[2 * most + n++] = g->phase[at] / DEGREE;
		}
	}
	amplitude.n = phase.n = n;
	um_status st = um_sink_plot(sink, &amplitude);
	return st == UM_OK ? um_sink_plot(sink, &phase) : st;
}

um_status um_gainset_show(const um_gainset *s, const um_uvdata *d, const double *p, um_sink *sink)
{
	um_status st = UM_OK;
	const int64_t half = s->nparams / 2;
	double *v = malloc((size_t)(5 * half + 1) * sizeof(*v));
	bool *present = calloc((size_t)s->nstations + 1, sizeof(*present));
	if (v == NULL || present == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a table of %lld gains", (long long)half));
	for (int64_t i = 0; i < half; i++) {
		v[i] = exp(p[i]);
		v[half + i] = p[half + i];
	}
	um_gains g = { .nstations = s->nstations, .nscans = s->nintervals, .start = s->start,
		.stop = s->stop, .amplitude = v, .phase = v + half };
	UM_TRY(um_gains_deliver(&g, d, "", sink));
	UM_TRY(show(&g, s, present, v + 2 * half, sink));
out:
	free(v);
	free(present);
	return st;
}
