/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Simulated observations: when which station sees a source, what baselines and noise that
 * makes, what noise and station gains do to visibilities, and the files of them. Versioned with
 * libumbra; not part of the plugin ABI.
 *
 * (u,v) of a baseline is its projection at the time stamp, in wavelengths, from the mean
 * sidereal time; no precession, nutation or aberration, as in eht-imaging. */
#ifndef UMBRA_OBSERVE_H
#define UMBRA_OBSERVE_H

#include <umbra/rng.h>
#include <umbra/sink.h>
#include <umbra/stations.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Greenwich mean sidereal time in hours, IAU 2006, at so many hours UTC after 0h of mjd;
 * ut1_utc in seconds. UM_EPARAM where UTC is not defined. */
UM_API UM_USED um_status um_gmst(int64_t mjd, double hours, double ut1_utc, double *gmst);

/* Geocentric elevation in degrees of a source at ra (hours), dec (degrees): above the plane at
 * right angles to the line from the Earth's centre. It is up to 0.2 degrees from the horizon's
 * elevation; it needs no ellipsoid, and rows at the limits are those of eht-imaging. */
UM_API double um_elevation(const double xyz[3], double gmst, double ra, double dec);

/* A vector from the second to the first station, projected: uv[0] east, uv[1] north, in its unit. */
UM_API void um_project(const double xyz[3], double gmst, double ra, double dec, double uv[2]);

typedef struct um_schedule {
	const char *source;           /* name or NULL */
	double ra, dec;               /* hours, degrees */
	int64_t mjd;
	double start, stop;           /* hours UTC since 0h of mjd; stop is not observed */
	double integration, cadence;  /* seconds of a time stamp, and from one to the next */
	double freq, bandwidth;       /* Hz */
	double min_elevation, max_elevation; /* degrees; both stations are strictly between */
	double ut1_utc;               /* seconds */
} um_schedule;

/* Visibilities of zero wherever two stations see the source, with the thermal noise
 * sigma_RR = sqrt(SEFD1 SEFD2 / (2 bandwidth integration)) / 0.88 (two-bit sampling), and
 * sigma_I = sqrt(sigma_RR^2 + sigma_LL^2) / 2. A station without an SEFD is UM_EDATA; settings
 * that contradict each other, and a source that is never seen by two, are UM_EPARAM. */
UM_API UM_USED um_status um_observe_schedule(const um_schedule *s, const um_stations *a, um_uvdata *out);

/* As um_observe_schedule, of the stations of a text file, which UM_EDATA names, and a point source of so many Jy. */
UM_API UM_USED um_status um_observe_array(const um_schedule *s, const char *path, double flux, um_uvdata *out);

/* Puts re[i], im[i] into row i; adds sigma n to both parts of every row. */
UM_API void um_observe_fill(um_uvdata *d, const double *re, const double *im);
UM_API void um_observe_noise(um_uvdata *d, um_rng *rng);

/* What the stations do to a signal: V(1,2) becomes g1 conj(g2) V(1,2), g = amplitude exp(i phase). */
typedef struct um_gains {
	int nstations;
	int64_t nscans;     /* 1: constant */
	double *start;      /* first and last time stamp of each scan, hours */
	double *stop;
	double *amplitude;  /* [scan][station] */
	double *phase;      /* radians */
} um_gains;

/* Draws amplitudes exp(amplitude n) and phases phase n (radians), n normal: one for each
 * station, or for each station and scan. A scan ends where times differ by more than 59.4 s.
 * Release with um_gains_free. */
UM_API UM_USED um_status um_gains_draw(const um_uvdata *d, double amplitude, double phase, bool per_scan,
	um_rng *rng, um_gains *out);
UM_API void um_gains_apply(const um_gains *g, um_uvdata *d);
UM_API void um_gains_free(um_gains *g);

/* Writes them as text: start_h,stop_h,station,amplitude,phase_deg; or sends that to the sink as gainsSUFFIX.csv. */
UM_API UM_USED um_status um_gains_write(const char *path, const um_gains *g, const um_uvdata *d);
UM_API UM_USED um_status um_gains_deliver(const um_gains *g, const um_uvdata *d, const char *suffix, um_sink *sink);

/* All that is done to the visibilities of a simulation. */
typedef struct um_corruption {
	double amplitude, phase; /* of gains, as in um_gains_draw; both 0: no gains */
	bool per_scan;
	const double *error;     /* visibilities of each station are larger by a fraction; NULL: none are */
	bool noise;              /* thermal noise is added */
} um_corruption;

/* Does it; *g becomes the gains, empty without them. Gains have random numbers of their own, so that they leave the noise as
 * it is without them. */
UM_API UM_USED um_status um_observe_corrupt(const um_corruption *c, um_rng *rng, um_uvdata *d, um_gains *g);

/* Sends measurement b of count to the sink: measurements.uvfits, for further sets of d measurements-file2.uvfits and so on, and,
 * where there are gains, gains.csv. Of several measurements the names are measurements-1.uvfits, gains-1.csv and so on. */
UM_API UM_USED um_status um_observe_deliver(const um_uvdata *d, const um_gains *g, double ut1_utc, int64_t b, int64_t count,
	um_sink *sink);

#ifdef __cplusplus
}
#endif
#endif
