/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shapes as smooth functions of the coordinates (s, d) along and across their axis. Rings are
 * exact convolutions: a thin ring of radius R with modes m, blurred by a Gaussian of standard
 * deviation S, is
 *   exp(-(r - R)^2 / 2 S^2) / (2 pi S^2) sum_m (a_m cos m phi + b_m sin m phi) e^-z I_m(z),
 * z = r R / S^2 (Johnson et al. 2020, doi:10.1126/sciadv.aaz1310, have its Fourier transform),
 * whose radial parts are tabulated once a ring. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/shapes.h>

#define PI 3.14159265358979323846
#define FWHM 2.3548200450309493 /* of a Gaussian with standard deviation 1 */
#define REACH 6                 /* standard deviations until a ring has faded */
#define STEPS 12                /* radii of the table in one standard deviation */

/* Standard deviation, not below that of a pixel once squeezed. */
static double sigma_of(double fwhm, double ratio)
{
	return hypot(fwhm, UM_PIXEL_FWHM / ratio) / FWHM;
}

um_pose um_pose_move(um_pose p, double along, double across)
{
	const double c = cos(p.angle), s = sin(p.angle);
	p.x += -s * along - c * across;
	p.y += -c * along + s * across;
	return p;
}

/* Turns pixels into coordinates along the axis and across it. */
struct frame {
	double x, y, cos, sin, squeeze;
};

static struct frame frame_of(const um_plane *p, um_pose at)
{
	return (struct frame){ (double)(p->columns - 1) / 2 + at.x, (double)(p->rows - 1) / 2 + at.y,
		cos(at.angle), sin(at.angle), 1 / at.ratio };
}

static void locate(const struct frame *f, int64_t row, int64_t column, double *s, double *d)
{
	const double x = (double)column - f->x, y = (double)row - f->y;
	*s = -f->sin * x - f->cos * y;
	*d = (-f->cos * x + f->sin * y) * f->squeeze;
}

void um_draw_gaussian(um_plane *p, um_pose at, double fwhm, double flux)
{
	const double along = sigma_of(fwhm, 1), across = sigma_of(fwhm * at.ratio, 1);
	const double peak = flux / (2 * PI * along * across);
	at.ratio = across / along;
	const struct frame f = frame_of(p, at);
	for (int64_t i = 0; i < p->rows * p->columns; i++) {
		double s, d;
		locate(&f, i / p->columns, i % p->columns, &s, &d);
		p->v[i] += peak * exp(-(s * s + d * d) / (2 * along * along));
	}
}

/* ---- rings ----------------------------------------------------------------------- */

/* e^-z I_m(z), m = 0 to n - 1, by Miller's downward recurrence, I_{m-1} = I_{m+1} + 2m/z I_m,
 * normalised with e^z = I_0 + 2 sum I_m. */
static void bessel(double z, int n, double *out)
{
	const int start = n + 20 + (int)(9 * sqrt(z));
	double above = 0, here = 1e-300, sum = 0;
	memset(out, 0, sizeof(double) * (size_t)n);
	out[0] = 1;
	if (z < 1e-9)
		return;
	for (int m = start; m >= 0; m--) {
		if (m < n)
			out[m] = here;
		sum += m > 0 ? 2 * here : here;
		const double below = above + 2 * m / z * here;
		above = here;
		here = below;
		if (here > 1e250) {
			const double small = 1e-250;
			above *= small, here *= small, sum *= small;
			for (int k = m; k < n; k++)
				out[k] *= small;
		}
	}
	for (int m = 0; m < n; m++)
		out[m] /= sum;
}

/* Radial parts of modes 0 to modes at radii first + k / scale. */
struct radial {
	int modes;
	int64_t n;
	double first, scale, *value; /* [n][modes + 1] */
};

static um_status tabulate(struct radial *t, double radius, double sigma, double flux)
{
	t->first = fmax(0, radius - REACH * sigma);
	t->scale = STEPS / sigma;
	t->n = (int64_t)ceil((radius + REACH * sigma - t->first) * t->scale) + 1;
	t->value = malloc(sizeof(double) * (size_t)(t->n * (t->modes + 1)));
	if (t->value == NULL)
		return um_fail(UM_ENOMEM, "no memory for the table of a ring");
	for (int64_t k = 0; k < t->n; k++) {
		const double r = t->first + (double)k / t->scale, off = (r - radius) / sigma;
		double *v = t->value + k * (t->modes + 1);
		bessel(r * radius / (sigma * sigma), t->modes + 1, v);
		for (int m = 0; m <= t->modes; m++)
			v[m] *= flux * exp(-off * off / 2) / (2 * PI * sigma * sigma);
	}
	return UM_OK;
}

/* Linear between the radii of the table, zero beyond it. */
static double ring_at(const struct radial *t, const double *a, const double *b, double s, double d)
{
	const double r = sqrt(s * s + d * d), at = (r - t->first) * t->scale;
	const int64_t k = (int64_t)at;
	if (at < 0 || k + 1 >= t->n)
		return 0;
	const double *low = t->value + k * (t->modes + 1), *high = low + t->modes + 1, w = at - (double)k;
	const double c1 = r > 0 ? s / r : 1, s1 = r > 0 ? d / r : 0;
	double value = low[0] + w * (high[0] - low[0]), c = 1, sn = 0;
	for (int m = 1; m <= t->modes; m++) {
		const double next = c * c1 - sn * s1;
		sn = c * s1 + sn * c1;
		c = next;
		value += (a[m - 1] * c + b[m - 1] * sn) * (low[m] + w * (high[m] - low[m]));
	}
	return fmax(0, value);
}

um_status um_draw_ring(um_plane *p, um_pose at, double diameter, double fwhm, int modes, const double *a,
	const double *b, double flux)
{
	struct radial t = { .modes = modes < UM_RING_MODES ? modes : UM_RING_MODES };
	const struct frame f = frame_of(p, at);
	um_status st = tabulate(&t, diameter / 2, sigma_of(fwhm, at.ratio), flux / at.ratio);
	if (st != UM_OK)
		return st;
	for (int64_t i = 0; i < p->rows * p->columns; i++) {
		double s, d;
		locate(&f, i / p->columns, i % p->columns, &s, &d);
		p->v[i] += ring_at(&t, a, b, s, d);
	}
	free(t.value);
	return UM_OK;
}

/* ---- discs and jets -------------------------------------------------------------- */

/* 1 well inside, 0 well outside of an edge that is outside by this much. */
static double edge(double outside, double sigma)
{
	return erfc(outside / (sqrt(2) * sigma)) / 2;
}

void um_draw_disc(um_plane *p, um_pose at, const um_disc *disc)
{
	const struct frame f = frame_of(p, at);
	const double sigma = sigma_of(disc->edge, at.ratio), radius = disc->diameter / 2;
	for (int64_t i = 0; i < p->rows * p->columns; i++) {
		double s, d;
		locate(&f, i / p->columns, i % p->columns, &s, &d);
		double v = edge(sqrt(s * s + d * d) - radius, sigma) * fmax(0, 1 + disc->slope * s / radius);
		if (disc->hole > 0) {
			const double back = s + disc->shift;
			v *= 1 - (1 - disc->floor) * edge(sqrt(back * back + d * d) - disc->hole / 2, sigma);
		}
		p->v[i] += v;
	}
}

/* Along the axis the brightness falls as 1 / (1 + 4 u), u = s / length, up to a soft end;
 * across it is a Gaussian, or two at the borders, that widens as it goes. */
static double jet_at(const um_jet *j, double base, double s, double d)
{
	const double ahead = (1 + tanh(s / base)) / 2;
	const double u = (sqrt(s * s + base * base) - base) / j->length, end = u * u * u * u;
	if (end > 30)
		return 0;
	const double width = hypot(base, j->opening * j->length * u), off = j->limb * width;
	const double wall = width * (1 - j->limb / 2), side = d - j->bend * s * fabs(s) / j->length;
	const double left = (side - off) / wall, right = (side + off) / wall;
	const double across = (exp(-left * left / 2) + exp(-right * right / 2)) / 2;
	return (ahead + (1 - ahead) * j->counter) * exp(-end) / (1 + 4 * u) * across;
}

void um_draw_jet(um_plane *p, um_pose at, const um_jet *j)
{
	const struct frame f = frame_of(p, at);
	const double base = sigma_of(j->width, at.ratio);
	for (int64_t i = 0; i < p->rows * p->columns; i++) {
		double s, d;
		locate(&f, i / p->columns, i % p->columns, &s, &d);
		p->v[i] += jet_at(j, base, s, d);
	}
}

/* ---- random fields --------------------------------------------------------------- */

enum { WAVES = 2 * UM_FIELD_CYCLES + 1 };

/* Amplitudes (re, im) [ky + cycles][kx] of half the waves; the other half is conjugate. */
static void draw_waves(um_rng *rng, int cycles, double slope, double wave[WAVES][UM_FIELD_CYCLES + 1][2])
{
	double power = 0;
	for (int y = -cycles; y <= cycles; y++)
		for (int x = 0; x <= cycles; x++) {
			const int k2 = x * x + y * y;
			const bool used = k2 <= cycles * cycles && (x > 0 || y > 0);
			const double size = used ? pow(k2, -slope / 4) : 0;
			wave[y + cycles][x][0] = size * um_normal(rng);
			wave[y + cycles][x][1] = size * um_normal(rng);
			power += size * size;
		}
	for (int y = 0; y <= 2 * cycles; y++)
		for (int x = 0; x <= cycles; x++) {
			wave[y][x][0] /= sqrt(power);
			wave[y][x][1] /= sqrt(power);
		}
}

/* (re, im) of exp(i k t), k = 0 to cycles. */
static void powers(double t, int cycles, double e[][2])
{
	const double c = cos(t), s = sin(t);
	e[0][0] = 1, e[0][1] = 0;
	for (int k = 1; k <= cycles; k++) {
		e[k][0] = e[k - 1][0] * c - e[k - 1][1] * s;
		e[k][1] = e[k - 1][0] * s + e[k - 1][1] * c;
	}
}

/* Sum over ky at one row: an amplitude for each kx. */
static void sum_row(double wave[WAVES][UM_FIELD_CYCLES + 1][2], int cycles, double e[][2], double out[][2])
{
	memset(out, 0, sizeof(double[2]) * (size_t)(cycles + 1));
	for (int y = -cycles; y <= cycles; y++) {
		const double c = e[abs(y)][0], s = y < 0 ? -e[abs(y)][1] : e[abs(y)][1];
		for (int x = 0; x <= cycles; x++) {
			const double *w = wave[y + cycles][x];
			out[x][0] += w[0] * c - w[1] * s;
			out[x][1] += w[0] * s + w[1] * c;
		}
	}
}

um_status um_random_field(um_plane *p, um_rng *rng, int cycles, double slope)
{
	double wave[WAVES][UM_FIELD_CYCLES + 1][2], row[UM_FIELD_CYCLES + 1][2], sum[UM_FIELD_CYCLES + 1][2];
	const int64_t longer = p->rows > p->columns ? p->rows : p->columns;
	const double unit = 2 * PI / (1.25 * (double)longer);
	double (*column)[UM_FIELD_CYCLES + 1][2];
	cycles = cycles < UM_FIELD_CYCLES ? cycles : UM_FIELD_CYCLES;
	column = malloc(sizeof(*column) * (size_t)p->columns);
	if (column == NULL)
		return um_fail(UM_ENOMEM, "no memory for a random field");
	draw_waves(rng, cycles, slope, wave);
	for (int64_t c = 0; c < p->columns; c++)
		powers(unit * (double)c, cycles, column[c]);
	for (int64_t r = 0; r < p->rows; r++) {
		powers(unit * (double)r, cycles, row);
		sum_row(wave, cycles, row, sum);
		for (int64_t c = 0; c < p->columns; c++) {
			double v = 0;
			for (int k = 0; k <= cycles; k++)
				v += sum[k][0] * column[c][k][0] - sum[k][1] * column[c][k][1];
			p->v[r * p->columns + c] = v;
		}
	}
	free(column);
	return UM_OK;
}

/* ---- blur ------------------------------------------------------------------------ */

/* Weights of -reach to reach: the Gaussian averaged over each pixel, of sum 1. */
static void make_kernel(double sigma, int64_t reach, double *kernel)
{
	double sum = 0;
	for (int64_t k = -reach; k <= reach; k++)
		sum += kernel[k + reach] = erf(((double)k + 0.5) / (sqrt(2) * sigma))
			- erf(((double)k - 0.5) / (sqrt(2) * sigma));
	for (int64_t k = 0; k <= 2 * reach; k++)
		kernel[k] /= sum;
}

/* Convolves each row of in [lines][n] and writes it as a column of out [n][lines]. */
static void blur_rows(const double *in, int64_t lines, int64_t n, const double *kernel, int64_t reach,
	double *padded, double *out)
{
	for (int64_t l = 0; l < lines; l++) {
		for (int64_t k = -reach; k < n + reach; k++) {
			const int64_t m = ((k % (2 * n)) + 2 * n) % (2 * n);
			padded[k + reach] = in[l * n + (m < n ? m : 2 * n - 1 - m)];
		}
		for (int64_t i = 0; i < n; i++) {
			double v = 0;
			for (int64_t k = 0; k <= 2 * reach; k++)
				v += kernel[k] * padded[i + k];
			out[i * lines + l] = v;
		}
	}
}

um_status um_blur(um_plane *p, double fwhm)
{
	const double sigma = sqrt(fmax(0, fwhm * fwhm / (FWHM * FWHM) - 1 / 12.0)); /* a pixel's own is 1/12 */
	const int64_t longer = p->rows > p->columns ? p->rows : p->columns;
	const int64_t reach = (int64_t)fmin(ceil(5 * sigma), 4 * (double)longer);
	if (sigma < 1e-3)
		return UM_OK;
	double *work = malloc(sizeof(double) * (size_t)(p->rows * p->columns + longer + 4 * reach + 1));
	if (work == NULL)
		return um_fail(UM_ENOMEM, "no memory to blur an image");
	double *kernel = work + p->rows * p->columns, *padded = kernel + 2 * reach + 1;
	make_kernel(sigma, reach, kernel);
	blur_rows(p->v, p->rows, p->columns, kernel, reach, padded, work);
	blur_rows(work, p->columns, p->rows, kernel, reach, padded, p->v);
	free(work);
	return UM_OK;
}
