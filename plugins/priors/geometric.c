/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random scenes for black-hole imaging, to draw truths and training data from: a ring (Johnson
 * et al. 2020), m-ring, crescent (Kamruddin and Dexter 2013, doi:10.1093/mnras/stt1068), disc,
 * double source, group of Gaussian blobs or a jet with a core, at times with a hot spot, an
 * outflow or a wide background. A scene is: kind by weight; each number uniform in its range;
 * all of it blurred; scaled to the stated flux or peak.
 * Lengths are fractions of the field, that is of its shorter side: for a square image of the
 * sky uas / fov_uas, so that 42 uas in a field of 128 uas is 0.328. Angles are in degrees from
 * up towards the left, on the sky from north through east. Every frame, band and channel shows
 * the same scene and has the stated flux. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/plugin.h>
#include <umbra/shapes.h>

struct geometric {
	double ring, mring, crescent, disc, binary, blobs, jet;
	um_pair diameter, thickness, ring_ratio, asymmetry;
	int64_t modes;
	um_pair hole, hole_offset, hole_floor, edge, disc_ratio;
	um_pair separation, size, axis_ratio, flux_ratio, blob_count;
	um_pair jet_length, jet_width, jet_opening, jet_bend, jet_limb, jet_core, counterjet;
	um_pair shift, angle, texture;
	double spot, outflow, background, clouds;
	um_pair spot_size, spot_flux, outflow_peak, background_flux, background_size;
	um_pair blur;
	const char *normalise;
	double value;
};

#define WEIGHT(f, def, doc) UM_PARAM(struct geometric, f, def, 0, 1e6, "", "Relative weight of " doc)
#define PAIR(f, def, min, max, doc) UM_PARAM(struct geometric, f, def, min, max, "", doc)
#define CHANCE(f, def, doc) UM_PARAM(struct geometric, f, def, 0, 1, "", "Probability of " doc)

static const um_param params[] = {
	WEIGHT(ring, "2", "rings: a thin ring blurred by a Gaussian, brighter on one side."),
	WEIGHT(mring, "2", "rings with more azimuthal modes."),
	WEIGHT(crescent, "1", "crescents: a disc with an off-centre hole."),
	WEIGHT(disc, "0.5", "filled discs."),
	WEIGHT(binary, "0.5", "two Gaussians side by side."),
	WEIGHT(blobs, "1", "groups of elliptical Gaussians."),
	WEIGHT(jet, "1", "jets with a core."),
	PAIR(diameter, "[0.2, 0.6]", 1e-3, 1, "Diameter of rings, crescents and discs, in fields."),
	PAIR(thickness, "[0.1, 0.45]", 0, 2, "FWHM of the Gaussian that blurs rings, in diameters."),
	PAIR(ring_ratio, "[0.8, 1.0]", 0.1, 1, "Minor to major axis of rings and crescents."),
	PAIR(asymmetry, "[0.0, 0.9]", 0, 1, "Amplitude a of 1 + a cos(angle) in rings and of the slope in "
		"crescents and discs: the sides are in the ratio (1 + a) / (1 - a)."),
	UM_PARAM(struct geometric, modes, "4", 2, UM_RING_MODES, "", "Highest order of the modes of "
		"m-rings; each has an order from 2 to this, mode m an amplitude from asymmetry / sqrt(m) and "
		"a random phase."),
	PAIR(hole, "[0.4, 0.85]", 0.01, 1, "Diameter of a crescent's hole, in diameters of the crescent."),
	PAIR(hole_offset, "[0.1, 1.0]", 0, 1, "Displacement of the hole; at 1 it touches the rim."),
	PAIR(hole_floor, "[0.0, 0.4]", 0, 1, "Brightness in the hole relative to that around it."),
	PAIR(edge, "[0.03, 0.25]", 0, 2, "Softness of the edges of crescents and discs, FWHM in diameters."),
	PAIR(disc_ratio, "[0.4, 1.0]", 0.1, 1, "Minor to major axis of discs."),
	PAIR(separation, "[0.15, 0.45]", 0, 1, "Distance of the two sources, and twice that of blobs from their "
		"centre at most, in fields."),
	PAIR(size, "[0.05, 0.25]", 0, 4, "FWHM along the major axis of Gaussians, in fields."),
	PAIR(axis_ratio, "[0.4, 1.0]", 0.05, 1, "Minor to major axis of Gaussians."),
	PAIR(flux_ratio, "[0.15, 1.0]", 1e-3, 1, "Flux of a further Gaussian relative to the first."),
	PAIR(blob_count, "[1.0, 4.0]", 1, 32, "Number of blobs."),
	PAIR(jet_length, "[0.3, 0.7]", 0.01, 2, "Length of jets, in fields."),
	PAIR(jet_width, "[0.03, 0.1]", 0, 1, "FWHM of a jet at its base, in fields; that of its core is "
		"1.5 times as much."),
	PAIR(jet_opening, "[3.0, 25.0]", 0, 80, "Opening angle of jets in degrees."),
	PAIR(jet_bend, "[-0.25, 0.25]", -1, 1, "Displacement of a jet's end to the left, in lengths."),
	PAIR(jet_limb, "[0.0, 1.0]", 0, 1, "Limb brightening of jets: 0 brightest in the middle, 1 at the "
		"borders."),
	PAIR(jet_core, "[0.1, 0.6]", 0, 0.99, "Fraction of a jet's flux in its core."),
	PAIR(counterjet, "[0.0, 0.4]", 0, 1, "Brightness of the counter-jet relative to the jet."),
	PAIR(shift, "[0.0, 0.06]", 0, 0.5, "Distance of the source from the centre of the field, in fields, in a "
		"random direction."),
	PAIR(angle, "[0.0, 360.0]", -360, 360, "Orientation in degrees: of the bright side of rings, "
		"crescents and discs, of jets, of the line between two sources, of a single blob's major axis."),
	PAIR(texture, "[0.0, 0.5]", 0, 3, "Standard deviation of the logarithm of a smooth random field that "
		"multiplies the source."),
	CHANCE(spot, "0.15", "a hot spot, a round Gaussian somewhere within the source."),
	CHANCE(outflow, "0.15", "a jet that leaves rings and crescents at their outer edge."),
	CHANCE(background, "0.4", "a wide background."),
	CHANCE(clouds, "0.5", "clouds in a background that there is: a log-normal power-law field."),
	PAIR(spot_size, "[0.03, 0.08]", 0, 1, "FWHM of the hot spot, in fields."),
	PAIR(spot_flux, "[0.02, 0.15]", 0, 0.99, "Fraction of the total flux in the hot spot."),
	PAIR(outflow_peak, "[0.1, 0.6]", 0, 10, "Brightness of the outflow at its base relative to the "
		"brightest pixel of the source."),
	PAIR(background_flux, "[0.05, 0.5]", 0, 0.99, "Fraction of the total flux in the background."),
	PAIR(background_size, "[0.5, 1.2]", 0.01, 100, "FWHM of the background, in fields."),
	PAIR(blur, "[0.0, 0.1]", 0, 4, "FWHM of a Gaussian beam that blurs the scene, in fields."),
	UM_CHOICE(struct geometric, normalise, "flux", "flux|peak", "What value states: the sum over all "
		"pixels, or the brightest pixel."),
	UM_PARAM(struct geometric, value, "1", 1e-12, 1e12, "", "Total flux or peak, in units of x."),
};

struct self {
	struct geometric p;
	double total, field; /* sum of the weights; shorter side in pixels */
	double radius;       /* of the source drawn last, in pixels */
	int64_t planes;
	bool to_peak;
	um_plane part, scene, waves; /* waves: work space for random fields */
};

/* ---- numbers --------------------------------------------------------------------- */

static double pick(um_rng *r, um_pair range)
{
	return range.lo + (range.hi - range.lo) * um_uniform(r);
}

/* A length in pixels. */
static double length(const struct self *g, um_rng *r, um_pair range)
{
	return g->field * pick(r, range);
}

/* One of the whole numbers lo to hi. */
static int whole(um_rng *r, double lo, double hi)
{
	return (int)fmin(floor(lo + (floor(hi) - lo + 1) * um_uniform(r)), floor(hi));
}

static double any_angle(um_rng *r)
{
	return 2 * acos(-1) * um_uniform(r);
}

static bool happens(um_rng *r, double probability)
{
	return um_uniform(r) < probability;
}

/* ---- planes ---------------------------------------------------------------------- */

static int64_t pixels(const struct self *g)
{
	return g->scene.rows * g->scene.columns;
}

static double sum(const struct self *g, const um_plane *p)
{
	double s = 0;
	for (int64_t i = 0; i < pixels(g); i++)
		s += p->v[i];
	return s;
}

static double peak(const struct self *g, const um_plane *p)
{
	double most = 0;
	for (int64_t i = 0; i < pixels(g); i++)
		most = fmax(most, p->v[i]);
	return most;
}

static void clear(const struct self *g, um_plane *p)
{
	memset(p->v, 0, sizeof(double) * (size_t)pixels(g));
}

/* Scales to a total flux. */
static um_status rescale(const struct self *g, um_plane *p, double flux)
{
	const double s = sum(g, p);
	if (!(s > 1e-200))
		return um_fail(UM_EPARAM, "a source fell out of the field; narrow shift, separation or "
			"jet_length");
	for (int64_t i = 0; i < pixels(g); i++)
		p->v[i] *= flux / s;
	return UM_OK;
}

/* The part becomes a fraction of the scene, and what was there the rest. */
static um_status add_part(struct self *g, double fraction)
{
	um_status st = UM_OK;
	UM_TRY(rescale(g, &g->part, fraction));
	for (int64_t i = 0; i < pixels(g); i++)
		g->scene.v[i] = (1 - fraction) * g->scene.v[i] + g->part.v[i];
out:
	return st;
}

/* part *= exp(strength f), f a random field. */
static um_status modulate(struct self *g, um_rng *r, int cycles, double slope, double strength)
{
	um_status st = UM_OK;
	if (!(strength > 0))
		return UM_OK;
	UM_TRY(um_random_field(&g->waves, r, cycles, slope));
	for (int64_t i = 0; i < pixels(g); i++)
		g->part.v[i] *= exp(strength * g->waves.v[i]);
out:
	return st;
}

/* ---- sources, each drawn on the empty part ------------------------------------------ */

static double diameter_of(struct self *g, um_rng *r)
{
	const double d = length(g, r, g->p.diameter);
	g->radius = d / 2;
	return d;
}

static um_status draw_ring(struct self *g, um_rng *r, um_pose at)
{
	const double diameter = diameter_of(g, r), fwhm = diameter * pick(r, g->p.thickness);
	const double a = pick(r, g->p.asymmetry), b = 0;
	at.ratio = pick(r, g->p.ring_ratio);
	return um_draw_ring(&g->part, at, diameter, fwhm, 1, &a, &b, 1);
}

/* Amplitudes are reduced together where the ring would be negative otherwise. */
static um_status draw_mring(struct self *g, um_rng *r, um_pose at)
{
	const double diameter = diameter_of(g, r), fwhm = diameter * pick(r, g->p.thickness);
	const int modes = whole(r, 2, (double)g->p.modes);
	double a[UM_RING_MODES], b[UM_RING_MODES], total = 0;
	at.ratio = pick(r, g->p.ring_ratio);
	for (int m = 1; m <= modes; m++) {
		const double size = pick(r, g->p.asymmetry) / sqrt(m), phase = m > 1 ? any_angle(r) : 0;
		a[m - 1] = size * cos(phase);
		b[m - 1] = size * sin(phase);
		total += size;
	}
	for (int m = 0; m < modes && total > 1; m++) {
		a[m] /= total;
		b[m] /= total;
	}
	return um_draw_ring(&g->part, at, diameter, fwhm, modes, a, b, 1);
}

static um_status draw_crescent(struct self *g, um_rng *r, um_pose at)
{
	um_disc d = { .diameter = diameter_of(g, r) };
	d.edge = d.diameter * pick(r, g->p.edge);
	d.slope = pick(r, g->p.asymmetry);
	d.hole = d.diameter * pick(r, g->p.hole);
	d.shift = (d.diameter - d.hole) / 2 * pick(r, g->p.hole_offset);
	d.floor = pick(r, g->p.hole_floor);
	at.ratio = pick(r, g->p.ring_ratio);
	um_draw_disc(&g->part, at, &d);
	return UM_OK;
}

static um_status draw_disc(struct self *g, um_rng *r, um_pose at)
{
	um_disc d = { .diameter = diameter_of(g, r) };
	d.edge = d.diameter * pick(r, g->p.edge);
	d.slope = pick(r, g->p.asymmetry);
	at.ratio = pick(r, g->p.disc_ratio);
	um_draw_disc(&g->part, at, &d);
	return UM_OK;
}

static void draw_blob(struct self *g, um_rng *r, um_pose at, double flux)
{
	const double fwhm = length(g, r, g->p.size);
	at.ratio = pick(r, g->p.axis_ratio);
	um_draw_gaussian(&g->part, at, fwhm, flux);
}

/* The brighter one lies on the axis, each at the same distance from the middle. */
static um_status draw_binary(struct self *g, um_rng *r, um_pose at)
{
	const double away = length(g, r, g->p.separation) / 2, ratio = pick(r, g->p.flux_ratio);
	g->radius = away;
	um_pose front = um_pose_move(at, away, 0), back = um_pose_move(at, -away, 0);
	front.angle = any_angle(r);
	back.angle = any_angle(r);
	draw_blob(g, r, front, 1);
	draw_blob(g, r, back, ratio);
	return UM_OK;
}

/* The first in the middle, the others around it. */
static um_status draw_blobs(struct self *g, um_rng *r, um_pose at)
{
	const int count = whole(r, g->p.blob_count.lo, g->p.blob_count.hi);
	g->radius = g->field * g->p.separation.hi / 2;
	draw_blob(g, r, at, 1);
	for (int i = 1; i < count; i++) {
		um_pose other = { at.x, at.y, any_angle(r), 1 };
		other = um_pose_move(other, length(g, r, g->p.separation) / 2, 0);
		other.angle = any_angle(r);
		draw_blob(g, r, other, pick(r, g->p.flux_ratio));
	}
	return UM_OK;
}

static um_jet random_jet(const struct self *g, um_rng *r)
{
	um_jet j = { .length = length(g, r, g->p.jet_length), .width = length(g, r, g->p.jet_width) };
	j.opening = tan(pick(r, g->p.jet_opening) / 2 * acos(-1) / 180);
	j.bend = pick(r, g->p.jet_bend);
	j.counter = pick(r, g->p.counterjet);
	j.limb = pick(r, g->p.jet_limb);
	return j;
}

/* The base is set back, so that the jet as a whole is about where at is. */
static um_status draw_jet(struct self *g, um_rng *r, um_pose at)
{
	const um_jet j = random_jet(g, r);
	const double core = pick(r, g->p.jet_core);
	um_status st = UM_OK;
	g->radius = j.length / 3;
	at = um_pose_move(at, -0.35 * fmin(j.length, g->field) * (1 - j.counter), 0);
	um_draw_jet(&g->part, at, &j);
	UM_TRY(rescale(g, &g->part, 1 - core));
	at.ratio = pick(r, g->p.axis_ratio);
	um_draw_gaussian(&g->part, at, 1.5 * j.width, core);
out:
	return st;
}

static const struct kind {
	size_t weight;
	bool hollow;
	um_status (*draw)(struct self *g, um_rng *r, um_pose at);
} kinds[] = {
	{ offsetof(struct geometric, ring), true, draw_ring },
	{ offsetof(struct geometric, mring), true, draw_mring },
	{ offsetof(struct geometric, crescent), true, draw_crescent },
	{ offsetof(struct geometric, disc), false, draw_disc },
	{ offsetof(struct geometric, binary), false, draw_binary },
	{ offsetof(struct geometric, blobs), false, draw_blobs },
	{ offsetof(struct geometric, jet), false, draw_jet },
};
enum { KINDS = sizeof(kinds) / sizeof(*kinds) };

static double weight(const struct geometric *p, int kind)
{
	return *(const double *)((const char *)p + kinds[kind].weight);
}

/* ---- scenes ---------------------------------------------------------------------- */

static const struct kind *pick_kind(const struct self *g, um_rng *r)
{
	const struct kind *last = NULL;
	double left = g->total * um_uniform(r);
	for (int k = 0; k < KINDS && left > 0; k++) {
		left -= weight(&g->p, k);
		if (weight(&g->p, k) > 0)
			last = &kinds[k];
	}
	return last;
}

static um_status add_spot(struct self *g, um_rng *r, um_pose at)
{
	at.angle = any_angle(r);
	at = um_pose_move(at, g->radius * sqrt(um_uniform(r)), 0);
	clear(g, &g->part);
	um_draw_gaussian(&g->part, at, length(g, r, g->p.spot_size), 1);
	return add_part(g, pick(r, g->p.spot_flux));
}

/* By brightness rather than flux, most of which may lie beyond the field. */
static um_status add_outflow(struct self *g, um_rng *r, um_pose at)
{
	um_jet j = random_jet(g, r);
	const double bright = pick(r, g->p.outflow_peak) * peak(g, &g->scene);
	j.counter = 0;
	j.width = fmax(j.width, 0.7 * g->radius);
	at.angle = any_angle(r);
	at = um_pose_move(at, g->radius, 0);
	clear(g, &g->part);
	um_draw_jet(&g->part, at, &j);
	for (int64_t i = 0; i < pixels(g); i++)
		g->scene.v[i] += bright * g->part.v[i];
	return rescale(g, &g->scene, 1);
}

static um_status add_background(struct self *g, um_rng *r)
{
	um_status st = UM_OK;
	um_pose at = { 0.1 * g->field * um_normal(r), 0.1 * g->field * um_normal(r), any_angle(r), 1 };
	const double fwhm = length(g, r, g->p.background_size);
	const bool cloudy = happens(r, g->p.clouds);
	at.ratio = 0.6 + 0.4 * um_uniform(r);
	clear(g, &g->part);
	um_draw_gaussian(&g->part, at, fwhm, 1);
	if (cloudy)
		UM_TRY(modulate(g, r, 3, 2 + 2 * um_uniform(r), 0.7));
	st = add_part(g, pick(r, g->p.background_flux));
out:
	return st;
}

static um_status draw_scene(struct self *g, um_rng *r)
{
	const struct kind *kind = pick_kind(g, r);
	um_status st = UM_OK;
	um_pose at = { 0, 0, any_angle(r), 1 };
	at = um_pose_move(at, length(g, r, g->p.shift), 0);
	at.angle = pick(r, g->p.angle) * acos(-1) / 180;
	clear(g, &g->scene);
	clear(g, &g->part);
	UM_TRY(kind->draw(g, r, at));
	UM_TRY(modulate(g, r, 6, 3, pick(r, g->p.texture)));
	UM_TRY(add_part(g, 1));
	if (happens(r, g->p.spot))
		UM_TRY(add_spot(g, r, at));
	if (happens(r, kind->hollow ? g->p.outflow : 0))
		UM_TRY(add_outflow(g, r, at));
	if (happens(r, g->p.background))
		UM_TRY(add_background(g, r));
	st = um_blur(&g->scene, length(g, r, g->p.blur));
out:
	return st;
}

static um_status sample(void *self, um_rng *rng, um_array *x)
{
	struct self *g = self;
	const int64_t n = pixels(g);
	um_status st = UM_OK;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		float *out = um_row_f(x, b);
		UM_TRY(draw_scene(g, &rng[b]));
		const double unit = g->to_peak ? peak(g, &g->scene) : sum(g, &g->scene);
		for (int64_t i = 0; i < g->planes * n; i++)
			out[i] = (float)(g->scene.v[i % n] / unit * g->p.value);
	}
out:
	return st;
}

/* ---- life ------------------------------------------------------------------------ */

static void destroy(void *self)
{
	struct self *g = self;
	free(g->part.v);
	free(g->scene.v);
	free(g->waves.v);
	free(g);
}

static um_status new_plane(const int64_t *shape, um_plane *p)
{
	*p = (um_plane){ shape[3], shape[4], calloc((size_t)(shape[3] * shape[4]), sizeof(double)) };
	return p->v != NULL ? UM_OK : um_fail(UM_ENOMEM, "no memory for geometric");
}

static um_status create(void **self, const void *p, const um_env *env, um_prior_info *info)
{
	const int64_t *s = env->shape;
	um_status st = UM_OK;
	struct self *g = calloc(1, sizeof(*g));
	(void)info;
	if (g == NULL)
		return um_fail(UM_ENOMEM, "no memory for geometric");
	g->p = *(const struct geometric *)p;
	g->planes = s[0] * s[1] * s[2];
	g->field = (double)(s[3] < s[4] ? s[3] : s[4]);
	g->to_peak = strcmp(g->p.normalise, "peak") == 0;
	for (int k = 0; k < KINDS; k++)
		g->total += weight(&g->p, k);
	if (!(g->total > 0))
		UM_TRY(um_fail(UM_EPARAM, "every kind has weight 0; give one of ring, mring, crescent, "
			"disc, binary, blobs and jet a positive one"));
	if (g->field < 4)
		UM_TRY(um_fail(UM_EPARAM, "a scene needs at least 4 x 4 pixels, not %lld x %lld", (long long)s[4],
			(long long)s[3]));
	UM_TRY(new_plane(s, &g->part));
	UM_TRY(new_plane(s, &g->scene));
	UM_TRY(new_plane(s, &g->waves));
	*self = g;
out:
	if (st != UM_OK)
		destroy(g);
	return st;
}

static const um_prior_ops ops = { .create = create, .destroy = destroy, .sample = sample };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "geometric", "1.0",
	"Random scenes to draw from: rings, crescents, discs, doubles, blobs and jets.",
	"Johnson et al. 2020, Sci. Adv. 6, eaaz1310, doi:10.1126/sciadv.aaz1310",
	UM_PARAMS(struct geometric, params), UM_OPS(ops),
};
