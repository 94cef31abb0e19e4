/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Interferometric visibilities: reading UVFITS, choosing rows, averaging. Versioned with
 * libumbra; not part of the plugin ABI.
 *
 * V(u,v) = sum I(l,m) exp(+2 pi i (u l + v m)), l east, m north; (u,v) of the baseline (1,2)
 * is r1 - r2 in wavelengths, so that V(2,1) = conj V(1,2) at (-u,-v). */
#ifndef UMBRA_UVDATA_H
#define UMBRA_UVDATA_H

#include <stdbool.h>
#include <stdint.h>
#include <umbra/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UM_DIALECT 24
#define UM_SCAN_GAP 0.0165 /* hours, 59.4 s: a longer wait between time stamps begins a scan */

typedef struct um_station {
	char name[24];
	double xyz[3];  /* geocentric, metres; zeros where unknown */
	double sefd[2]; /* right and left hand, Jy; zeros where unknown */
	int set;        /* which of the files that were put together, from 0 */
} um_station;

/* One visibility of Stokes I. */
typedef struct um_uvrow {
	double time;       /* hours since 0h of mjd; may pass 24 */
	double tint;       /* integration time, seconds */
	int t1, t2;        /* stations, t1 < t2 */
	double tau1, tau2; /* zenith opacities, unused */
	double u, v;       /* wavelengths */
	double re, im;     /* Jy */
	double sigma;      /* standard deviation of re, and of im */
	int64_t group;     /* record of the file from 0, or -1 for an average */
	bool turned;       /* the file has the baseline the other way round */
} um_uvrow;

/* Rows are sorted by set, time, name of t1, tint, name of t2; stations are in the order of the
 * antenna table or, where it has SEFDs, by ascending SEFD. Rows of one integration belong to one
 * set and have equal times, bit by bit. */
typedef struct um_uvdata {
	char source[72];
	double ra, dec;         /* hours, degrees */
	double freq, bandwidth; /* Hz */
	int64_t mjd;
	int nstations;
	um_station *stations;
	int64_t nrows;
	um_uvrow *rows;
	int ndialect;           /* peculiarities of the file, a line each */
	char dialect[UM_DIALECT][160];
} um_uvdata;

/* Reads the unflagged rows of a random-groups UVFITS file. Whatever is wrong with the file is
 * UM_EDATA with its name. Release with um_uvdata_free, also after copy and average. */
UM_API UM_USED um_status um_uvfits_read(const char *path, um_uvdata *out);
UM_API UM_USED um_status um_uvdata_copy(const um_uvdata *d, um_uvdata *out);
UM_API void um_uvdata_free(um_uvdata *d);

/* Puts the rows in the order that um_uvdata describes. */
UM_API UM_USED um_status um_uvdata_sort(um_uvdata *d);

/* Distinct time stamps, the longest baseline in wavelengths, and the median |V| of the rows
 * shorter than uvmax (NaN where there is none). */
UM_API int64_t um_uvdata_times(const um_uvdata *d);
UM_API double um_uvdata_longest(const um_uvdata *d);
UM_API double um_uvdata_median(const um_uvdata *d, double uvmax);

/* Hours from the row before row i, infinite where row i begins a set: 0 within an integration. */
UM_API double um_uvdata_gap(const um_uvdata *d, int64_t i);

/* Puts more behind d as a set (or sets) of its own: a station of both files stays two, so that no
 * closure, average or gain mixes them. Times count from the earlier day. UM_EDATA where the
 * sources are more than an arcsecond apart. */
UM_API UM_USED um_status um_uvdata_append(um_uvdata *d, const um_uvdata *more);

/* How many sets there are, and one of them alone as set 0. */
UM_API int um_uvdata_sets(const um_uvdata *d);
UM_API UM_USED um_status um_uvdata_part(const um_uvdata *d, int set, um_uvdata *out);

/* The first station of this name, or -1. */
UM_API int um_uvdata_station(const um_uvdata *d, const char *name);

/* Keeps the rows with lo <= sqrt(u^2 + v^2) <= hi wavelengths whose two stations are both
 * named; n = 0 stands for all stations. An unknown name is UM_EPARAM, no row left UM_EDATA. */
UM_API UM_USED um_status um_uvdata_select(um_uvdata *d, double lo, double hi, int64_t n,
	const char *const names[]);

typedef struct um_uvflags {
	int64_t nstations, nbaselines;
	const char *const *stations;  /* names; their rows go */
	const char *const *baselines; /* such as "AA-AP", in either order */
	double start, stop;           /* hours; rows before start and after stop go */
	double snr;                   /* rows with |V| < snr sigma go */
} um_uvflags;

/* Drops rows. An unknown name is UM_EPARAM, no row left UM_EDATA. */
UM_API UM_USED um_status um_uvdata_flag(um_uvdata *d, const um_uvflags *f);

/* sigma^2 += (fraction |V|)^2 in every row. */
UM_API void um_uvdata_systematic(um_uvdata *d, double fraction);

typedef struct um_uvaverage {
	double seconds;        /* length of a bin, counted from 0h; 0: scans, which end where two
	                          times differ by more than 59.4 s */
	bool inverse_variance; /* weights 1/sigma^2; else a plain mean */
	bool per_baseline;     /* a scan's time is the first of each baseline, as in eht-imaging,
	                          which loses closures; else the middle of the scan */
} um_uvaverage;

/* Averages V, u and v coherently, baseline by baseline. Bins carry the time of their centre. */
UM_API UM_USED um_status um_uvdata_average(const um_uvdata *d, const um_uvaverage *how, um_uvdata *out);

/* A number of each station of d, common but for those that texts "NAME:FRACTION" name. UM_EPARAM
 * for what is not that, or a name that is no station. The caller frees *out. */
UM_API UM_USED um_status um_uvdata_fractions(const um_uvdata *d, double common, int64_t n,
	const char *const texts[], double **out);

/* ---- all of it ----------------------------------------------------------------- */

/* Reads the first file and n more, and appends them; of each the rows between start and stop,
 * hours since 0h of its own day, are kept. Errors name the file. */
UM_API UM_USED um_status um_uvfiles_read(const char *first, int64_t n, const char *const more[],
	double start, double stop, um_uvdata *out);

typedef struct um_uvchoice {
	double shortest, longest;     /* wavelengths */
	int64_t nstations;            /* 0: all */
	const char *const *stations;
	um_uvflags flags;             /* before averaging, except for snr, which comes last */
	bool averaged;
	um_uvaverage average;
} um_uvchoice;

/* Selects, flags and averages. Errors as theirs; d is always to be released. */
UM_API UM_USED um_status um_uvdata_choose(um_uvdata *d, const um_uvchoice *c);

#ifdef __cplusplus
}
#endif
#endif
