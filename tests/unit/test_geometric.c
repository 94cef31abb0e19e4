/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random scenes: flux, sizes and positions measured on the images, and their variety. */
#include <umbra/shapes.h>
#include "plug.h"

#define FWHM 2.3548200450309493
#define PI 3.14159265358979323846

/* Nothing but the source itself, in the middle. */
#define BARE "spot=0.0", "outflow=0.0", "background=0.0", "shift=[0.0, 0.0]", "texture=[0.0, 0.0]", \
	"blur=[0.0, 0.0]"
#define NONE "ring=0.0", "mring=0.0", "crescent=0.0", "disc=0.0", "binary=0.0", "blobs=0.0", "jet=0.0"

/* n scenes, of streams 0 to n - 1; free with um_array_free. */
static um_array draw(um_env env, const char *const *set, int n)
{
	um_array x = { 0 };
	plug p;
	um_rng *r = calloc((size_t)n, sizeof(*r));
	CHECK_OK(plug_try(&p, UM_PRIOR, "geometric", env, set));
	CHECK_OK(um_env_images(&p.env, n, &x));
	for (int i = 0; i < n; i++)
		r[i] = um_rng_new(3, "scenes", (uint64_t)i);
	CHECK_OK(p.prior.ops.sample(p.prior.self, r, &x));
	free(r);
	plug_close(&p);
	return x;
}

/* ---- what is measured ------------------------------------------------------------- */

struct moments {
	double flux, x, y;       /* centroid in pixels from the middle, right and down */
	double xx, yy, xy;       /* about the centroid */
	double r2, ratio;        /* xx + yy; minor to major axis */
	double peak;
};

static struct moments measure(const float *v, int rows, int columns)
{
	struct moments m = { 0 };
	for (int i = 0; i < rows * columns; i++) {
		m.flux += v[i];
		m.x += v[i] * (i % columns - (columns - 1) / 2.0);
		m.y += v[i] * (i / columns - (rows - 1) / 2.0);
		m.peak = fmax(m.peak, v[i]);
	}
	m.x /= m.flux;
	m.y /= m.flux;
	for (int i = 0; i < rows * columns; i++) {
		const double dx = i % columns - (columns - 1) / 2.0 - m.x;
		const double dy = i / columns - (rows - 1) / 2.0 - m.y;
		m.xx += v[i] * dx * dx / m.flux;
		m.yy += v[i] * dy * dy / m.flux;
		m.xy += v[i] * dx * dy / m.flux;
	}
	const double half = (m.xx + m.yy) / 2, split = hypot((m.xx - m.yy) / 2, m.xy);
	m.r2 = 2 * half;
	m.ratio = sqrt(fmax(0, half - split) / (half + split));
	return m;
}

/* Marks the pixels above a level that hang together with pixel i, straight or diagonally. */
static void flood(const float *v, int n, double level, int i, bool *seen)
{
	if (seen[i] || !(v[i] > level))
		return;
	seen[i] = true;
	for (int k = 0; k < 9; k++) {
		const int r = i / n + k / 3 - 1, c = i % n + k % 3 - 1;
		if (r >= 0 && r < n && c >= 0 && c < n)
			flood(v, n, level, r * n + c, seen);
	}
}

/* Separate regions brighter than a fraction of the peak. */
static int islands(const float *v, int n, double fraction)
{
	bool *seen = calloc((size_t)(n * n), sizeof(*seen));
	const double level = fraction * measure(v, n, n).peak;
	int count = 0;
	for (int i = 0; i < n * n; i++)
		if (!seen[i] && v[i] > level) {
			flood(v, n, level, i, seen);
			count++;
		}
	free(seen);
	return count;
}

/* Whether some pixel near the centroid is enclosed: in each of 8 directions from it there is
 * one that is twice as bright, and brighter than a tenth of the peak. */
static bool hollow(const float *v, int n)
{
	const struct moments m = measure(v, n, n);
	const int r0 = (int)lround(m.y + (n - 1) / 2.0), c0 = (int)lround(m.x + (n - 1) / 2.0), near = n / 8;
	for (int r = r0 - near; r <= r0 + near; r++)
		for (int c = c0 - near; c <= c0 + near; c++) {
			int walls = 0;
			for (int k = 0; k < 9 && r >= 0 && r < n && c >= 0 && c < n; k++)
				for (int step = 1; k != 4 && step < n / 2; step++) {
					const int y = r + step * (k / 3 - 1), x = c + step * (k % 3 - 1);
					if (y < 0 || y >= n || x < 0 || x >= n)
						break;
					if (v[y * n + x] > 2 * v[r * n + c] && v[y * n + x] > 0.1 * m.peak) {
						walls++;
						break;
					}
				}
			if (walls == 8)
				return true;
		}
	return false;
}

/* ---- every scene ------------------------------------------------------------------ */

static void check_flux(um_env env, const char *const *set, int n, double want)
{
	um_array x = draw(env, set, n);
	const int64_t *s = env.shape, plane = s[3] * s[4], planes = um_array_len(&x) / plane;
	int below = 0, off = 0;
	for (int64_t k = 0; k < planes; k++) {
		double flux = 0;
		for (int64_t i = 0; i < plane; i++) {
			const float v = ((float *)x.data)[k * plane + i];
			below += !(v >= 0 && isfinite(v));
			flux += v;
		}
		off += !(fabs(flux - want) < 1e-6 * want);
	}
	CHECK(below == 0);
	CHECK(off == 0);
	um_array_free(&x);
}

static void flux(void)
{
	check_flux(plug_env(1, 32, 32), NULL, 2000, 1);
	check_flux(plug_env(1, 32, 32), SET("value=173.0"), 200, 173);
	check_flux(plug_env(1, 128, 128), SET("value=0.6"), 50, 0.6);
	check_flux(plug_env(3, 20, 48), NULL, 100, 1);
	check_flux(plug_env(1, 4, 4), NULL, 500, 1);
	check_flux(plug_env(1, 7, 5), NULL, 500, 1);
}

static void peak(void)
{
	um_array x = draw(plug_env(1, 32, 32), SET("normalise=peak", "value=2.5"), 200);
	for (int i = 0; i < 200; i++)
		CHECK(measure(um_row_f(&x, i), 32, 32).peak == 2.5);
	um_array_free(&x);
}

/* The ends of every range. */
static void extremes(void)
{
	const char *const *sets[] = {
		SET("diameter=[0.001, 0.001]", "thickness=[0.0, 0.0]", "size=[0.0, 0.0]", "jet_width=[0.0, 0.0]",
			"edge=[0.0, 0.0]", "jet_length=[0.01, 0.01]", "hole=[0.01, 0.01]", "blur=[0.0, 0.0]",
			"spot=1.0"),
		SET("diameter=[1.0, 1.0]", "shift=[0.5, 0.5]", "thickness=[0.0, 0.0]", "edge=[0.0, 0.0]",
			"hole=[1.0, 1.0]", "hole_floor=[0.0, 0.0]", "separation=[1.0, 1.0]", "size=[0.0, 0.0]"),
		SET("ring_ratio=[0.1, 0.1]", "disc_ratio=[0.1, 0.1]", "axis_ratio=[0.05, 0.05]", "modes=16",
			"asymmetry=[1.0, 1.0]", "texture=[3.0, 3.0]", "background=1.0",
			"background_size=[100.0, 100.0]", "background_flux=[0.99, 0.99]"),
		SET("jet_length=[2.0, 2.0]", "jet_opening=[80.0, 80.0]", "jet_bend=[-1.0, 1.0]", "outflow=1.0",
			"blob_count=[32.0, 32.0]", "size=[4.0, 4.0]", "thickness=[2.0, 2.0]", "edge=[2.0, 2.0]",
			"blur=[4.0, 4.0]"),
		SET(NONE, "jet=1.0", BARE, "shift=[0.5, 0.5]", "jet_length=[2.0, 2.0]", "jet_opening=[0.0, 0.0]",
			"jet_width=[0.0, 0.0]", "jet_core=[0.0, 0.0]", "counterjet=[0.0, 0.0]",
			"jet_bend=[1.0, 1.0]"),
	};
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		check_flux(plug_env(1, 32, 32), sets[i], 300, 1);
		check_flux(plug_env(1, 9, 6), sets[i], 100, 1);
	}
}

static void planes(void)
{
	um_array x = draw(plug_env(3, 16, 16), NULL, 5);
	for (int i = 0; i < 5; i++)
		for (int k = 1; k < 3; k++)
			CHECK(memcmp(um_row_f(&x, i), um_row_f(&x, i) + 256 * k, 256 * sizeof(float)) == 0);
	um_array_free(&x);
}

/* ---- sizes and places --------------------------------------------------------------- */

/* A thin ring of radius R blurred by S has <r^2> = R^2 + 2 S^2; brightness 1 + a cos(angle)
 * moves its centroid by a R / 2. Pixels add a standard deviation of a half. */
static void ring_size(void)
{
	static const struct { const char *diameter, *angle, *asymmetry; double d, a, east, north; } cases[] = {
		{ "diameter=[0.4, 0.4]", "angle=[0.0, 0.0]", "asymmetry=[0.0, 0.0]", 0.4, 0, 0, 0 },
		{ "diameter=[0.25, 0.25]", "angle=[0.0, 0.0]", "asymmetry=[0.6, 0.6]", 0.25, 0.6, 0, 1 },
		{ "diameter=[0.5, 0.5]", "angle=[90.0, 90.0]", "asymmetry=[0.9, 0.9]", 0.5, 0.9, 1, 0 },
	};
	enum { N = 64 };
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const double diameter = N * cases[i].d, s2 = pow(0.1 * diameter / FWHM, 2) + 0.25;
		const double off = cases[i].a * diameter / 4;
		um_array x = draw(plug_env(1, N, N), SET(NONE, "ring=1.0", BARE, "thickness=[0.1, 0.1]",
			"ring_ratio=[1.0, 1.0]", cases[i].diameter, cases[i].angle, cases[i].asymmetry), 1);
		const struct moments m = measure(x.data, N, N);
		CHECK_NEAR(-m.x, off * cases[i].east, 2e-3);
		CHECK_NEAR(-m.y, off * cases[i].north, 2e-3);
		CHECK_NEAR(2 * sqrt(m.r2 + off * off - 2 * s2), diameter, 2e-3 * diameter);
		um_array_free(&x);
	}
}

/* The brightest pixels of the middle row are a diameter apart. */
static void ring_profile(void)
{
	enum { N = 65 };
	um_array x = draw(plug_env(1, N, N), SET(NONE, "ring=1.0", BARE, "thickness=[0.1, 0.1]",
		"diameter=[0.4, 0.4]", "ring_ratio=[1.0, 1.0]", "asymmetry=[0.0, 0.0]"), 1);
	const float *row = (float *)x.data + N / 2 * N;
	int left = 0, right = N - 1;
	for (int c = 0; c < N / 2; c++) {
		left = row[c] > row[left] ? c : left;
		right = row[N - 1 - c] > row[right] ? N - 1 - c : right;
	}
	CHECK_NEAR(right - left, 0.4 * N, 1.5);
	CHECK(row[N / 2] < 1e-3 * row[left]);
	um_array_free(&x);
}

/* Two equal Gaussians, and a single one through the beam. */
static void gaussian_size(void)
{
	enum { N = 64 };
	const double s2 = pow(0.1 * N / FWHM, 2) + 0.25;
	um_array x = draw(plug_env(1, N, N), SET(NONE, "binary=1.0", BARE, "separation=[0.4, 0.4]",
		"angle=[90.0, 90.0]", "size=[0.1, 0.1]", "axis_ratio=[1.0, 1.0]", "flux_ratio=[0.25, 0.25]"), 1);
	struct moments m = measure(x.data, N, N);
	CHECK_NEAR(m.x, -0.2 * N * 0.6, 1e-3);
	CHECK_NEAR(m.yy, s2, 1e-3);
	CHECK_NEAR(m.xx, s2 + pow(0.4 * N, 2) * 0.8 * 0.2, 1e-2);
	um_array_free(&x);
	x = draw(plug_env(1, N, N), SET(NONE, "blobs=1.0", BARE, "blob_count=[1.0, 1.0]", "angle=[0.0, 0.0]",
		"size=[0.1, 0.1]", "axis_ratio=[0.5, 0.5]", "blur=[0.08, 0.08]"), 1);
	m = measure(x.data, N, N);
	CHECK_NEAR(m.yy, s2 + pow(0.08 * N / FWHM, 2), 1e-3);
	CHECK_NEAR(m.xx, (s2 - 0.25) / 4 + 0.25 + pow(0.08 * N / FWHM, 2), 1e-3);
	um_array_free(&x);
}

/* ---- variety ------------------------------------------------------------------------ */

static int count_hollow(const um_array *x, int n)
{
	int count = 0;
	for (int64_t i = 0; i < x->dim[0]; i++)
		count += hollow(um_row_f(x, i), n);
	return count;
}

static void single_kinds(void)
{
	static const struct { const char *kind; int least, most; } cases[] = {
		{ "ring=1.0", 200, 200 }, { "mring=1.0", 190, 200 }, { "crescent=1.0", 100, 200 },
		{ "disc=1.0", 0, 0 }, { "jet=1.0", 0, 2 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		um_array x = draw(plug_env(1, 32, 32), SET(NONE, cases[i].kind, BARE, "diameter=[0.4, 0.6]",
			"thickness=[0.1, 0.25]", "asymmetry=[0.0, 0.5]", "edge=[0.05, 0.1]", "hole=[0.6, 0.8]",
			"hole_floor=[0.0, 0.1]"), 200);
		const int got = count_hollow(&x, 32);
		if (got < cases[i].least || got > cases[i].most)
			fprintf(stderr, "%s: %d of 200 are hollow\n", cases[i].kind, got);
		CHECK(got >= cases[i].least && got <= cases[i].most);
		um_array_free(&x);
	}
}

static void apart(void)
{
	um_array x = draw(plug_env(1, 32, 32), SET(NONE, "binary=1.0", BARE, "separation=[0.4, 0.5]",
		"size=[0.08, 0.12]", "flux_ratio=[0.5, 1.0]", "axis_ratio=[0.7, 1.0]"), 200);
	int two = 0, longish = 0;
	for (int i = 0; i < 200; i++)
		two += islands(um_row_f(&x, i), 32, 0.15) == 2;
	CHECK(two == 200);
	um_array_free(&x);
	x = draw(plug_env(1, 32, 32), SET(NONE, "jet=1.0", BARE, "jet_core=[0.0, 0.3]",
		"jet_opening=[0.0, 20.0]"), 200);
	for (int i = 0; i < 200; i++)
		longish += measure(um_row_f(&x, i), 32, 32).ratio < 0.6;
	CHECK(longish >= 190);
	um_array_free(&x);
}

/* Of 1000 scenes each class has its share: a dark middle, more than one island above a fifth
 * of the peak, long (axes 2 : 1), or none of these; and sizes vary by a factor of 3. */
static void variety(void)
{
	enum { MANY = 1000, N = 32 };
	int classes[4] = { 0 };
	double least = INFINITY, most = 0;
	um_array x = draw(plug_env(1, N, N), NULL, MANY);
	for (int i = 0; i < MANY; i++) {
		const float *v = um_row_f(&x, i);
		const struct moments m = measure(v, N, N);
		classes[hollow(v, N) ? 0 : islands(v, N, 0.2) > 1 ? 1 : m.ratio < 0.5 ? 2 : 3]++;
		least = fmin(least, sqrt(m.r2));
		most = fmax(most, sqrt(m.r2));
	}
	printf("hollow %d, several %d, long %d, other %d; rms size %.3g to %.3g pixels\n", classes[0], classes[1],
		classes[2], classes[3], least, most);
	CHECK(classes[0] > 350 && classes[1] > 40 && classes[2] > 40 && classes[3] > 100);
	CHECK(most > 3 * least && most > N / 4.0);
	um_array_free(&x);
}

/* ---- shapes -------------------------------------------------------------------------- */

static void plane_shapes(void)
{
	enum { N = 48 };
	static double v[N * N];
	float f[N * N];
	um_plane p = { N, N, v };
	struct moments m;
	const um_pose at = { 2.5, -3, 0.7, 0.8 };
	um_draw_disc(&p, at, &(um_disc){ .diameter = 20, .edge = 3 });
	for (int i = 0; i < N * N; i++)
		f[i] = (float)v[i];
	m = measure(f, N, N);
	const double s2 = (3 * 3 + pow(UM_PIXEL_FWHM / 0.8, 2)) / (FWHM * FWHM);
	CHECK_REL(m.flux, PI * (100 + s2) * 0.8, 1e-3);
	CHECK_NEAR(m.x, 2.5, 1e-4);
	CHECK_NEAR(m.y, -3, 1e-4);
	memset(v, 0, sizeof(v));
	const um_jet j = { .length = 15, .width = 3, .opening = 0.1, .bend = 0.3 };
	um_draw_jet(&p, (um_pose){ 0, 0, PI / 2, 1 }, &j);
	for (int i = 0; i < N * N; i++)
		f[i] = (float)v[i];
	m = measure(f, N, N);
	CHECK(m.x < -2); /* to the left, and bent to the left of that, which is down */
	CHECK(m.y > 0.2 && m.y < -m.x);
}

/* The ring against its definition: a sum of Gaussians along a circle. */
static void plane_ring(void)
{
	enum { N = 24, PARTS = 2000 };
	static double v[N * N];
	static const double a[3] = { 0.3, -0.2, 0.1 }, b[3] = { 0.1, 0.15, -0.1 };
	const double fwhm = 4, s2 = (fwhm * fwhm + UM_PIXEL_FWHM * UM_PIXEL_FWHM) / (FWHM * FWHM);
	const double radius = 7, flux = 3;
	um_plane p = { N, N, v };
	double worst = 0;
	CHECK_OK(um_draw_ring(&p, (um_pose){ 1, 0.5, 0, 1 }, 2 * radius, fwhm, 3, a, b, flux));
	for (int i = 0; i < N * N; i++) {
		const double up = -(i / N - 11.5 - 0.5), left = -(i % N - 11.5 - 1);
		double want = 0;
		for (int k = 0; k < PARTS; k++) {
			const double t = 2 * PI * k / PARTS;
			double w = 1;
			for (int q = 1; q <= 3; q++)
				w += a[q - 1] * cos(q * t) + b[q - 1] * sin(q * t);
			const double ds = up - radius * cos(t), dd = left - radius * sin(t);
			want += w * exp(-(ds * ds + dd * dd) / (2 * s2)) * flux / PARTS / (2 * PI * s2);
		}
		worst = fmax(worst, fabs(v[i] - want));
	}
	CHECK(worst < 2e-3 * flux / (2 * PI * radius * sqrt(2 * PI * s2)));
}

static void plane_blur(void)
{
	enum { ROWS = 11, COLUMNS = 20 };
	double v[ROWS * COLUMNS], before = 0, after = 0;
	um_plane p = { ROWS, COLUMNS, v };
	for (int i = 0; i < ROWS * COLUMNS; i++)
		v[i] = 2;
	CHECK_OK(um_blur(&p, 7));
	for (int i = 0; i < ROWS * COLUMNS; i++)
		CHECK_NEAR(v[i], 2, 1e-12);
	um_rng r = um_rng_new(1, "blur", 0);
	um_normal_fill(&r, v, ROWS * COLUMNS);
	for (int i = 0; i < ROWS * COLUMNS; i++)
		before += v[i];
	CHECK_OK(um_blur(&p, 30));
	for (int i = 0; i < ROWS * COLUMNS; i++)
		after += v[i];
	CHECK_NEAR(after, before, 1e-10);
}

/* Mean 0 and variance 1 over 2000 fields, to five standard errors at a pixel. */
static void random_field(void)
{
	enum { MANY = 2000 };
	double v[63], mean = 0, square = 0;
	um_plane p = { 7, 9, v };
	for (uint64_t i = 0; i < MANY; i++) {
		um_rng r = um_rng_new(2, "field", i);
		CHECK_OK(um_random_field(&p, &r, 3, 2.5));
		mean += v[40] / MANY;
		square += v[40] * v[40] / MANY;
	}
	CHECK_NEAR(mean, 0, 5 / sqrt(MANY));
	CHECK_NEAR(square, 1, 5 * sqrt(2.0 / MANY));
}

static void refused(void)
{
	plug p;
	CHECK_FAILS(plug_try(&p, UM_PRIOR, "geometric", plug_env(1, 8, 8), SET(NONE)), UM_EPARAM, "weight 0");
	plug_close(&p);
	CHECK_FAILS(plug_try(&p, UM_PRIOR, "geometric", plug_env(1, 1, 40), NULL), UM_EPARAM, "4 x 4");
	plug_close(&p);
	CHECK_FAILS(plug_try(&p, UM_PRIOR, "geometric", plug_env(1, 8, 8), SET("diameter=[0.5, 0.4]")), UM_EPARAM,
		"diameter");
	plug_close(&p);
}

CHECK_MAIN(CHECK_CASE(flux), CHECK_CASE(peak), CHECK_CASE(extremes), CHECK_CASE(planes), CHECK_CASE(ring_size),
	CHECK_CASE(ring_profile), CHECK_CASE(gaussian_size), CHECK_CASE(single_kinds), CHECK_CASE(apart),
	CHECK_CASE(variety), CHECK_CASE(plane_shapes), CHECK_CASE(plane_ring), CHECK_CASE(plane_blur),
	CHECK_CASE(random_field), CHECK_CASE(refused))
