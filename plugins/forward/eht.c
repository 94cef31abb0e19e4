/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Interferometric data: y = products of V, V(u,v) the Fourier transform of the image at
 * the points of a UVFITS file, or of an observation that is planned here. Products are complex
 * visibilities (times complex gains of stations, the operator parameters, where these are to be
 * solved for) and bispectra (all real parts, then all imaginary parts), amplitudes, closure phases
 * (radians), closure amplitudes or their logarithms, then one datum for the total flux. Noise is
 * Gaussian but for closure phases, log p = -sum (1 - cos d)/sigma^2. Averages, closures and
 * chi-squares as in eht-imaging (Chael et al. 2018, doi:10.3847/1538-4357/aab6a8). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/observe.h>
#include <umbra/plugin.h>
#include <umbra/uvmodel.h>
#include <umbra/uvplot.h>

#define DEGREE (3.14159265358979323846 / 180)
#define BOLTZMANN 1.380649e-23 /* J/K */

struct eht {
	const char *uvfits;
	um_texts more;
	bool coverage_only;
	um_texts products;
	const char *average;
	double seconds;
	const char *weights, *times;
	um_pair uv;
	um_texts stations, flag_stations, flag_baselines;
	um_pair hours;
	double snr_min, systematic;
	bool debias;
	const char *closures, *covariance, *pulse, *transform;
	double tolerance;
	double gain_budget;
	um_texts gain_budgets;
	double flux, flux_sigma;
	const char *gains;
	double gain_sd, gain_phase_sd;

	const char *array, *source;
	double ra, dec;
	int64_t mjd;
	double start, stop, integration, cadence, frequency, bandwidth;
	double min_elevation, max_elevation, ut1_utc;
	bool thermal_noise;
	double gain_amplitude, gain_phase;
	bool gain_per_scan;
	um_texts gain_errors;
};

static const um_param params[] = {
	UM_FILE(struct eht, uvfits, "", "Visibilities: a UVFITS file. Either this or array is given."),
	UM_FILES(struct eht, more, "[]", "Further UVFITS files of the same source: other bands, other days. "
		"Closures, averages and gains never mix files; times count from the earliest day."),
	UM_PARAM(struct eht, coverage_only, "false", 0, 0, "", "Take baselines and noise from the file, "
		"not its visibilities: for simulations."),
	UM_CHOICE(struct eht, products, "[\"vis\"]", "vis|amp|cphase|logcamp|camp|bispectrum", "What is "
		"fitted: complex visibilities, amplitudes, closure phases, log closure amplitudes, closure "
		"amplitudes, bispectra."),
	UM_CHOICE(struct eht, average, "none", "none|scan|time", "Coherent averaging over scans or over "
		"bins of a fixed length."),
	UM_PARAM(struct eht, seconds, "60", 0.1, 86400, "s", "Length of a bin, for average = \"time\"."),
	UM_CHOICE(struct eht, weights, "none", "none|inverse-variance", "Weights in averages; none is a "
		"plain mean, as in eht-imaging."),
	UM_CHOICE(struct eht, times, "shared", "shared|per-baseline", "Time of a scan average: one for "
		"all baselines, or the first of each, as in eht-imaging, which loses closures."),
	UM_PARAM(struct eht, uv, "[0.0, 1000.0]", 0, 1e6, "", "Shortest and longest baseline used, in "
		"units of 1e9 wavelengths."),
	UM_PARAM_TEXT(struct eht, stations, "[]", "Names of the stations used; empty: all."),
	UM_PARAM_TEXT(struct eht, flag_stations, "[]", "Names of stations that are not used."),
	UM_PARAM_TEXT(struct eht, flag_baselines, "[]", "Baselines that are not used, such as \"AA-AP\"."),
	UM_PARAM(struct eht, hours, "[0.0, 240.0]", 0, 240, "h", "First and last time used, UTC since 0h of "
		"each file's own day; may pass 24."),
	UM_PARAM(struct eht, snr_min, "0", 0, 1e6, "", "Visibilities below this ratio of signal to noise are "
		"not used, after averaging."),
	UM_PARAM(struct eht, systematic, "0", 0, 10, "", "Noise added in quadrature to every visibility, "
		"as a fraction of its amplitude."),
	UM_PARAM(struct eht, debias, "false", 0, 0, "", "Take the noise bias off amplitudes and closure "
		"amplitudes."),
	UM_CHOICE(struct eht, closures, "minimal", "minimal|maximal", "An independent set of closures, or "
		"every one."),
	UM_CHOICE(struct eht, covariance, "diagonal", "diagonal|full", "Errors of closure phases and log "
		"closure amplitudes of one time: as if independent, or with the covariance that follows from the "
		"visibilities they share; full takes closures = \"minimal\" and signals well above the noise, see "
		"snr_min."),
	UM_CHOICE(struct eht, pulse, "triangle", "triangle|rect|delta", "Shape of a pixel; triangle means "
		"linear interpolation, eht-imaging's default."),
	UM_CHOICE(struct eht, transform, "auto", "auto|direct|nufft", "Fourier transform: the direct sum, "
		"the faster one through a grid, or whichever costs less."),
	UM_PARAM(struct eht, tolerance, "1e-9", UM_NUFFT_FINEST, 0.1, "", "Largest error of a visibility "
		"through the grid, as a fraction of the sum of the absolute pixels."),
	UM_PARAM(struct eht, gain_budget, "0", 0, 10, "", "Unknown gain of every station, as a fraction; "
		"widens the errors of amplitudes."),
	UM_PARAM_TEXT(struct eht, gain_budgets, "[]", "Budgets of single stations in place of gain_budget, "
		"such as \"LM:0.3\"."),
	UM_PARAM(struct eht, flux, "0", 0, 1e6, "Jy", "Known total flux, one more datum; 0: not known."),
	UM_PARAM(struct eht, flux_sigma, "0.1", 1e-12, 1e6, "Jy", "Standard deviation of flux."),
	UM_CHOICE(struct eht, gains, "none", "none|constant|scan|time", "Complex gains of the stations that "
		"inference may solve for (as map does with selfcal): one each, one for each scan, or for each "
		"time stamp. They act on vis; amp must not be listed beside it."),
	UM_PARAM(struct eht, gain_sd, "0.2", 0, 10, "", "How far the logarithms of their amplitudes are "
		"thought to be from 0: a standard deviation; 0 solves for phases alone."),
	UM_PARAM(struct eht, gain_phase_sd, "1e4", 0, 1e6, "deg", "Standard deviation of their phases about a "
		"common one; anything above 360 leaves them free, 0 solves for amplitudes alone."),
	UM_FILE(struct eht, array, "", "Stations that observe, for simulations: a text file such as "
		"share:arrays/EHT2017.txt. source to ut1_utc below say what they observe."),
	UM_PARAM_TEXT(struct eht, source, "M87", "Name of the source."),
	UM_PARAM(struct eht, ra, "12.51372871716817", 0, 24, "h", "Right ascension of the source (J2000)."),
	UM_PARAM(struct eht, dec, "12.39112323919932", -90, 90, "deg", "Declination of the source (J2000)."),
	UM_PARAM(struct eht, mjd, "57849", 41317, 88069, "d", "Day of the observation, modified Julian "
		"date; 57849 is 2017 April 6."),
	UM_PARAM(struct eht, start, "0", 0, 24, "h", "First time stamp, UTC."),
	UM_PARAM(struct eht, stop, "24", 0, 96, "h", "End, UTC; may pass 24. Only times when two stations see "
		"the source are observed."),
	UM_PARAM(struct eht, integration, "60", 1e-3, 86400, "s", "Length of a time stamp's integration."),
	UM_PARAM(struct eht, cadence, "600", 1e-3, 86400, "s", "From one time stamp to the next."),
	UM_PARAM(struct eht, frequency, "227.070703125e9", 1e6, 1e15, "Hz", "Frequency of u, v."),
	UM_PARAM(struct eht, bandwidth, "1.856e9", 1, 1e15, "Hz", "Bandwidth, for the noise."),
	UM_PARAM(struct eht, min_elevation, "10", -90, 90, "deg", "A station observes strictly above this "
		"geocentric elevation."),
	UM_PARAM(struct eht, max_elevation, "85", -90, 90.001, "deg", "A station observes strictly below this "
		"geocentric elevation."),
	UM_PARAM(struct eht, ut1_utc, "0", -1, 1, "s", "UT1 - UTC of the day (IERS Bulletin B); 0.5 s turn the "
		"baselines by 7.5 arcsec."),
	UM_PARAM(struct eht, thermal_noise, "true", 0, 0, "", "Simulated visibilities are noisy."),
	UM_PARAM(struct eht, gain_amplitude, "0", 0, 10, "", "Simulated station gains: standard deviation of "
		"the logarithm of their amplitude."),
	UM_PARAM(struct eht, gain_phase, "0", 0, 1e4, "deg", "Simulated station gains: standard deviation of "
		"their phase."),
	UM_PARAM(struct eht, gain_per_scan, "false", 0, 0, "", "New gains in every scan (after 59.4 s without "
		"data), not one for all."),
	UM_PARAM_TEXT(struct eht, gain_errors, "[]", "Simulated visibilities of single stations are larger by a fraction, such as "
		"\"LM:0.5\", whatever else is done to them."),
};

struct self {
	const struct eht *p;
	um_uvdata d;    /* selected and averaged, thermal noise alone */
	double *budget, *error; /* gain budget and simulated gain error of each station */
	um_gainset gains;
	um_uvmodel m;   /* gains of 1 */
	bool *angles;   /* [ny] */
	bool correlated; /* closures; op holds the relative variances of the visibilities */
	double pixel;   /* radians */
	const char *stats[UM_PRODUCTS + 2];
};

static void destroy(void *self)
{
	struct self *s = self;
	um_uvmodel_free(&s->m);
	um_gainset_free(&s->gains);
	um_uvdata_free(&s->d);
	free(s->budget);
	free(s->error);
	free(s->angles);
	free(s);
}

/* ---- reading --------------------------------------------------------------- */

/* The file that baselines come from. */
static const char *origin(const struct eht *p)
{
	return p->uvfits[0] ? p->uvfits : p->array;
}

static bool has_data(const struct eht *p)
{
	return p->uvfits[0] && !p->coverage_only;
}

/* What the stations of p->array would measure; a point source stands for the unknown one, so
 * that closures exist and have typical errors. */
static um_status observe(const struct eht *p, um_uvdata *out)
{
	const um_schedule plan = { .source = p->source, .ra = p->ra, .dec = p->dec, .mjd = p->mjd,
		.start = p->start, .stop = p->stop, .integration = p->integration, .cadence = p->cadence,
		.freq = p->frequency, .bandwidth = p->bandwidth, .min_elevation = p->min_elevation,
		.max_elevation = p->max_elevation, .ut1_utc = p->ut1_utc };
	return um_observe_array(&plan, p->array, p->flux > 0 ? p->flux : 1, out);
}

static um_status read_data(struct self *s)
{
	const struct eht *p = s->p;
	const bool array = p->array[0];
	const um_uvchoice choice = { .shortest = p->uv.lo * 1e9, .longest = p->uv.hi * 1e9,
		.nstations = p->stations.n, .stations = p->stations.v,
		.flags = { .nstations = p->flag_stations.n, .stations = p->flag_stations.v,
			.nbaselines = p->flag_baselines.n, .baselines = p->flag_baselines.v,
			.start = array ? p->hours.lo : -INFINITY, .stop = array ? p->hours.hi : INFINITY,
			.snr = p->snr_min },
		.averaged = strcmp(p->average, "none") != 0,
		.average = { .seconds = strcmp(p->average, "time") == 0 ? p->seconds : 0,
			.inverse_variance = strcmp(p->weights, "none") != 0,
			.per_baseline = strcmp(p->times, "shared") != 0 } };
	um_status st = array ? observe(p, &s->d)
		: um_uvfiles_read(p->uvfits, p->more.n, p->more.v, p->hours.lo, p->hours.hi, &s->d);
	if (st != UM_OK)
		return st;
	st = um_uvdata_choose(&s->d, &choice);
	if (st != UM_OK)
		return um_context(st, "%s", origin(p));
	st = um_uvdata_fractions(&s->d, p->gain_budget, p->gain_budgets.n, p->gain_budgets.v, &s->budget);
	if (st != UM_OK)
		return um_context(st, "gain_budgets");
	st = um_uvdata_fractions(&s->d, 0, p->gain_errors.n, p->gain_errors.v, &s->error);
	return st == UM_OK ? st : um_context(st, "gain_errors");
}

/* y, sigma and op of all products from the visibilities of d, whose sigma is thermal: gains of 1,
 * or the relative variances of visibilities. */
static um_status measure(const struct self *s, const um_uvdata *d, double *y, double *sigma, double *op)
{
	const um_uverrors e = { .systematic = s->p->systematic, .budget = s->budget, .debias = s->p->debias };
	for (int64_t i = 0; i < s->gains.nparams; i++)
		op[i] = 0;
	if (s->p->flux > 0) {
		y[s->m.ny - 1] = s->p->flux;
		sigma[s->m.ny - 1] = s->p->flux_sigma;
	}
	return um_uvmodel_measure(&s->m, d, &e, y, sigma, s->correlated ? op : NULL);
}

static um_status find_products(struct self *s)
{
	static const char *const stats[UM_PRODUCTS] = { "chi2_vis", "chi2_amp", "chi2_cphase",
		"chi2_logcamp", "chi2_camp", "chi2_bispectrum" };
	const um_observe how = { .maximal = strcmp(s->p->closures, "maximal") == 0,
		.debias = s->p->debias };
	um_status st = um_uvmodel_form(&s->m, &s->d, &how, s->p->products.n, s->p->products.v);
	if (st != UM_OK)
		return um_context(st, "%s", st == UM_EPARAM ? "products" : origin(s->p));
	for (int i = 0; i < s->m.n; i++)
		s->stats[i] = stats[s->m.o[i].product];
	s->stats[s->m.n] = "flux";
	s->stats[s->m.n + 1] = "peak_tb_k";
	return UM_OK;
}

static bool listed(const struct self *s, um_product p)
{
	return um_uvmodel_find(&s->m, p) >= 0;
}

static um_status find_gains(struct self *s)
{
	um_gain_interval each;
	if (!um_gain_interval_named(s->p->gains, &each))
		return UM_OK;
	if (!listed(s, UM_VIS) || listed(s, UM_AMP))
		return um_fail(UM_EPARAM, "gains = \"%s\" is solved for with complex visibilities: products must "
			"list vis, and not amp", s->p->gains);
	s->m.gains = &s->gains;
	return um_gainset_new(&s->d, each, &s->gains);
}

static um_status find_correlations(struct self *s)
{
	const struct eht *p = s->p;
	if (strcmp(p->covariance, "full") != 0)
		return UM_OK;
	if (strcmp(p->closures, "minimal") != 0)
		return um_fail(UM_EPARAM, "covariance = \"full\" takes closures = \"minimal\": those of a maximal "
			"set depend on each other");
	if (listed(s, UM_CAMP) || listed(s, UM_BISPECTRUM))
		return um_fail(UM_EPARAM, "covariance = \"full\" is for cphase and logcamp, not for camp and "
			"bispectrum");
	if (s->m.gains != NULL)
		return um_fail(UM_EPARAM, "covariance = \"full\" and gains = \"%s\" exclude each other", p->gains);
	s->correlated = listed(s, UM_CPHASE) || listed(s, UM_LOGCAMP);
	return um_uvmodel_correlate(&s->m);
}

static um_status create(void **self, const void *p, const um_env *env, um_forward_info *info)
{
	um_status st = UM_OK;
	struct self *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return um_fail(UM_ENOMEM, "no memory for eht");
	s->p = p;
	s->m.flux = s->p->flux > 0;
	s->pixel = env->pixel;
	s->m.rows = env->shape[3];
	s->m.columns = env->shape[4];
	if (env->shape[0] * env->shape[1] * env->shape[2] != 1)
		UM_TRY(um_fail(UM_EPARAM, "eht takes images of one frame, one band and one channel"));
	if (!(env->pixel > 0))
		UM_TRY(um_fail(UM_EPARAM, "eht needs image.fov_uas: how large the image is on the sky"));
	if (!s->p->uvfits[0] == !s->p->array[0])
		UM_TRY(um_fail(UM_EPARAM, "eht takes either uvfits, a file of visibilities, or array, the "
			"stations of a simulation; %s", s->p->array[0] ? "both are given" : "neither is given"));
	if (s->p->array[0] && (s->p->coverage_only || s->p->more.n > 0))
		UM_TRY(um_fail(UM_EPARAM, "%s belongs to uvfits: array has no visibilities anyway",
			s->p->coverage_only ? "coverage_only" : "more"));
	UM_TRY(read_data(s));
	UM_TRY(find_products(s));
	UM_TRY(find_gains(s));
	UM_TRY(find_correlations(s));
	um_uvspec spec = { .pixel = env->pixel, .tolerance = s->p->tolerance };
	(void)um_pulse_named(s->p->pulse, &spec.pulse);
	(void)um_uvhow_named(s->p->transform, &spec.how);
	UM_TRY(um_uvmodel_see_at(&s->m, &s->d, &spec));
	info->ny = s->m.ny;
	info->nop = s->correlated ? s->m.nvis : s->gains.nparams;
	info->measurements = has_data(s->p);
	info->linear = s->m.n == 1 && s->m.o[0].product == UM_VIS;
	info->angles = s->angles = um_uvmodel_angles(&s->m);
	info->shift_free = !listed(s, UM_VIS);
	info->nstats = s->m.n + 2;
	info->stats = s->stats;
	info->ra = 15 * s->d.ra;
	info->dec = s->d.dec;
	info->freq = s->d.freq;
	info->mjd = (double)s->d.mjd;
	info->object = s->d.source;
	info->unit = "JY/PIXEL";
	*self = s;
out:
	if (st != UM_OK)
		destroy(s);
	return st;
}

/* ---- the model ------------------------------------------------------------- */

/* The model with the gains or variances of op. */
static um_uvmodel gained(const struct self *s, const um_array *op)
{
	um_uvmodel m = s->m;
	m.gain = m.gains != NULL ? op : NULL;
	m.noise = s->correlated ? op : NULL;
	return m;
}

static um_status apply(void *self, const um_array *op, const um_array *x, const um_array *dx,
	um_array *y, um_array *dy)
{
	const um_uvmodel m = gained(self, op);
	return um_uvmodel_apply(&m, x, dx, y, dy);
}

static um_status pullback(void *self, const um_array *op, const um_array *x, const um_array *v,
	um_array *jtv)
{
	const um_uvmodel m = gained(self, op);
	return um_uvmodel_pullback(&m, x, v, jtv);
}

static um_status loglike(void *self, const um_array *op, const um_array *x, const um_array *y,
	const um_array *sigma, double *ll, um_array *dx)
{
	const um_uvmodel m = gained(self, op);
	return um_uvmodel_loglike(&m, x, y, sigma, ll, dx);
}

/* The figures of the products, the flux, and the brightness temperature of the brightest pixel,
 * T = I c^2 / (2 k nu^2 Omega). */
static um_status stats(void *self, const um_array *op, const um_array *x, const um_array *y,
	const um_array *sigma, double *values)
{
	const struct self *s = self;
	const int64_t pixels = s->m.rows * s->m.columns, n = s->m.n + 1;
	const double length = 299792458 / (s->d.freq * s->pixel);
	const um_uvmodel m = gained(s, op);
	double *v = malloc((size_t)(x->dim[0] * n) * sizeof(*v));
	if (v == NULL)
		return um_fail(UM_ENOMEM, "eht: no memory for figures");
	um_status st = um_uvmodel_stats(&m, x, y, sigma, v);
	for (int64_t b = 0; st == UM_OK && b < x->dim[0]; b++) {
		double peak = -INFINITY;
		for (int64_t i = 0; i < pixels; i++)
			peak = fmax(peak, um_row_f(x, b)[i]);
		memcpy(values + b * (n + 1), v + b * n, (size_t)n * sizeof(*v));
		values[b * (n + 1) + n] = peak * 1e-26 * length * length / (2 * BOLTZMANN);
	}
	free(v);
	return st;
}

/* ---- measurements ---------------------------------------------------------- */

static um_status noise(void *self, um_array *sigma, um_array *op)
{
	const struct self *s = self;
	double *y = malloc((size_t)s->m.ny * sizeof(*y));
	if (y == NULL)
		return um_fail(UM_ENOMEM, "eht: no memory for %lld data", (long long)s->m.ny);
	um_status st = measure(s, &s->d, y, um_row_d(sigma, 0), um_row_d(op, 0));
	free(y);
	return st;
}

static um_status data(void *self, um_array *y, um_array *sigma, um_array *op)
{
	const struct self *s = self;
	return measure(s, &s->d, um_row_d(y, 0), um_row_d(sigma, 0), um_row_d(op, 0));
}

/* Gains and noise on the visibilities of x, from which everything else is derived. */
static um_status simulate(void *self, um_rng *rng, const um_array *x, um_array *op, um_array *y,
	um_array *sigma, um_sink *sink)
{
	const struct self *s = self;
	const um_corruption c = { .amplitude = s->p->gain_amplitude, .phase = s->p->gain_phase * DEGREE,
		.per_scan = s->p->gain_per_scan, .error = s->error, .noise = s->p->thermal_noise };
	um_uvdata d = { 0 };
	um_gains g = { 0 };
	um_status st = UM_OK;
	double *v = malloc((size_t)s->d.nrows * 2 * sizeof(*v));
	if (v == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "eht: no memory for visibilities"));
	UM_TRY(um_uvdata_copy(&s->d, &d));
	for (int64_t b = 0; b < x->dim[0]; b++) {
		UM_TRY(um_uvmodel_see(&s->m, x, b, v, v + d.nrows));
		um_observe_fill(&d, v, v + d.nrows);
		UM_TRY(um_observe_corrupt(&c, &rng[b], &d, &g));
		UM_TRY(measure(s, &d, um_row_d(y, b), um_row_d(sigma, b), um_row_d(op, b)));
		if (s->p->flux > 0)
			um_row_d(y, b)[s->m.ny - 1] = um_uvmodel_flux(&s->m, x, b)
				+ s->p->flux_sigma * um_normal(&rng[b]);
		UM_TRY(um_observe_deliver(&d, &g, s->p->ut1_utc, b, x->dim[0], sink));
		um_gains_free(&g);
	}
out:
	um_gains_free(&g);
	um_uvdata_free(&d);
	free(v);
	return st;
}

/* ---- pictures -------------------------------------------------------------- */

static um_status plot(void *self, const um_array *op, const um_array *x, const um_array *y,
	const um_array *sigma, um_sink *sink)
{
	const struct self *s = self;
	const um_uvmodel m = gained(s, op);
	const um_uvview view = { &m, &s->d, s->pixel, has_data(s->p) };
	um_status st = um_uvplot(&view, x, y, sigma, sink);
	if (st == UM_OK && s->m.gains != NULL)
		st = um_gainset_show(&s->gains, &s->d, um_row_d(op, 0), sink);
	return st;
}

/* ---- self-calibration ------------------------------------------------------ */

static um_status calibrate(void *self, const um_array *x, const um_array *y, const um_array *sigma,
	um_array *op, double *lp, um_sink *sink)
{
	const struct self *s = self;
	*lp = 0;
	if (s->m.gains == NULL) /* variances of visibilities are no matter of the image */
		return UM_OK;
	um_status st = um_uvmodel_calibrate(&s->m, s->p->gain_sd, s->p->gain_phase_sd * DEGREE, x, y, sigma, op, lp);
	return st == UM_OK ? um_gainset_rms(&s->gains, um_row_d(op, 0), sink) : st;
}

static const um_forward_ops ops = {
	.create = create, .destroy = destroy, .apply = apply, .pullback = pullback, .noise = noise,
	.data = data, .simulate = simulate, .loglike = loglike, .stats = stats, .plot = plot,
	.calibrate = calibrate,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, UM_SKY, "eht", "1.0",
	"Radio interferometry: visibilities, amplitudes and closures, from a UVFITS file or simulated.",
	"Event Horizon Telescope Collaboration et al. 2019, ApJL 875, L1-L6; Chael et al. 2018, ApJ 857, 23",
	UM_PARAMS(struct eht, params), UM_OPS(ops),
};
