/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Magnetic resonance with one coil, the image real: y = [all Re k, all Im k], where
 *   k(q) = (R C)^(-1/2) sum_r x(r) exp(-2 pi i (q1 r1/R + q2 r2/C))
 * of each R x C plane (the orthonormal transform, r from the first pixel), at the frequencies q that a
 * mask lets through, row after row of the centred mask. Real and imaginary parts each have noise sigma.
 * A A^T is not I: umbra/kspace.h has it, with q and -q and with self-conjugate q. One mask serves all
 * measurements; a drawn one depends on the seed of the pipeline alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/kspace.h>
#include <umbra/mask.h>
#include <umbra/plugin.h>

struct mri {
	const char *pattern;
	double acceleration;
	int64_t centre;
	const char *mask;
	double sigma;
};

static const um_param params[] = {
	UM_CHOICE(struct mri, pattern, "random", "random|equispaced|poisson|radial", "Which frequencies are "
		"sampled: whole columns of the centred k-space at random or evenly spaced, points of a Poisson disc "
		"that are sparser outwards, or spokes."),
	UM_PARAM(struct mri, acceleration, "4", 1, 1e6, "", "Frequencies of the image for each one that is "
		"sampled."),
	UM_PARAM(struct mri, centre, "-1", -1, 65536, "", "How many columns about zero frequency are sampled in any "
		"case, part of those that acceleration leaves; of poisson the side of a square; radial has none; "
		"-1: about a quarter of what is sampled."),
	UM_FILE(struct mri, mask, "", "A mask in place of a pattern: .npy or FITS, as large as the image, 1 where "
		"k-space is sampled and else 0, zero frequency in the middle (row R/2, column C/2, counted from 0), "
		"rows as they are stored."),
	UM_PARAM(struct mri, sigma, "0.01", 1e-12, 1e12, "", "Standard deviation of the noise of each real and each "
		"imaginary part, in units of the image (the transform is orthonormal)."),
};

/* How many columns or points are sampled, and how many columns, or what side of a square, in the centre. */
static um_status count(const struct mri *p, bool lines, int64_t rows, int64_t columns, int64_t *many,
	int64_t *centre)
{
	const int64_t all = lines ? columns : rows * columns, shorter = rows < columns ? rows : columns;
	const char *what = lines ? "columns" : "frequencies";
	*many = llround((double)all / p->acceleration);
	*centre = p->centre;
	if (*many < 1)
		return um_fail(UM_EPARAM, "acceleration = %g leaves none of the %lld %s; make it at most %lld",
			p->acceleration, (long long)all, what, (long long)all);
	if (p->centre < 0)
		*centre = lines ? (*many + 3) / 4 : (int64_t)fmin(sqrt((double)*many / 4), (double)shorter);
	if (lines ? *centre > *many : *centre > shorter || *centre * *centre > *many)
		return um_fail(UM_EPARAM, "centre = %lld does not fit into what acceleration = %g leaves, %lld of "
			"%lld %s; lower one of them", (long long)*centre, p->acceleration, (long long)*many,
			(long long)all, what);
	return UM_OK;
}

static um_status draw(const struct mri *p, uint64_t seed, int64_t rows, int64_t columns, double *mask)
{
	um_rng rng = um_rng_new(seed, "mri", 0);
	const bool random = strcmp(p->pattern, "random") == 0;
	const bool lines = random || strcmp(p->pattern, "equispaced") == 0;
	int64_t many = 0, centre = 0;
	if (strcmp(p->pattern, "radial") == 0) {
		um_mask_radial(rows, columns, (int64_t)ceil((double)(rows * columns) / p->acceleration), mask);
		return UM_OK;
	}
	um_status st = count(p, lines, rows, columns, &many, &centre);
	if (st != UM_OK)
		return st;
	if (lines)
		return um_mask_lines(random ? &rng : NULL, rows, columns, many, centre, mask);
	return um_mask_poisson(&rng, rows, columns, many, centre, mask);
}

/* The samples of a centred mask, as places of the transform. */
static void find_places(int64_t rows, int64_t columns, const double *mask, int64_t *place)
{
	for (int64_t i = 0; i < rows * columns; i++) {
		const int64_t k1 = (i / columns + rows - rows / 2) % rows;
		const int64_t k2 = (i % columns + columns - columns / 2) % columns;
		if (mask[i] != 0)
			*place++ = k1 * columns + k2;
	}
}

static um_status create(void **self, const void *p_, const um_env *env, um_forward_info *info)
{
	const struct mri *p = p_;
	const int64_t *s = env->shape, pixels = s[3] * s[4];
	um_status st = UM_OK;
	um_kspace *k = calloc(1, sizeof(*k));
	double *mask = calloc((size_t)pixels, sizeof(*mask));
	int64_t *place = calloc((size_t)pixels, sizeof(*place));
	if (k == NULL || mask == NULL || place == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for mri"));
	if (*p->mask != '\0')
		UM_TRY(um_mask_read(p->mask, false, s[3], s[4], mask));
	else
		UM_TRY(draw(p, env->seed, s[3], s[4], mask));
	find_places(s[3], s[4], mask, place);
	UM_TRY(um_kspace_new(s[0] * s[1] * s[2], s[3], s[4], 1 / sqrt((double)pixels),
		um_mask_count(pixels, mask), place, k));
	k->sigma = p->sigma;
	info->ny = 2 * k->planes * k->n;
	info->linear = true;
	*self = k;
	k = NULL;
out:
	free(place);
	free(mask);
	free(k);
	return st;
}

static const um_forward_ops ops = {
	.create = create, .destroy = um_kspace_destroy, .apply = um_kspace_apply, .pullback = um_kspace_pullback,
	.noise = um_kspace_noise, .solve = um_kspace_solve,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "mri", "1.0",
	"Magnetic resonance with one coil: a part of the Fourier transform of the image, with noise.", "",
	UM_PARAMS(struct mri, params), UM_OPS(ops),
};
