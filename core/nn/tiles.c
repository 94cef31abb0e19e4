/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A tile holds 16 rows of 64 bytes. The instruction multiplies a tile of 16 x 32 numbers of bfloat16 by
 * one of 32 x 16 whose rows are pairs of rows, [k/2][column][2], and adds to 16 x 16 floats.
 *
 * Here the 32 are positions of an image. Positions are counted along rows that are "width" long, with
 * zeros between the rows of x wide enough that a tap which leaves a row meets zeros; then every tap
 * is a shift by p width + q positions. x is transposed to [channel][position], from which tiles are
 * read at any shift, y becomes [position/2][channel][2]. */
#include "base/isa.h"
#include "nn/tiles.h"

#ifdef __x86_64__
#include <immintrin.h>
#include <string.h>

#define TILES __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512dq")))

enum { SIDE = 16, DEPTH = 32, STRETCH = 384, GROUP_BYTES = 1 << 19 };

/* Positions and bytes of an image as the kernel has it. */
typedef struct plan {
	int64_t width;        /* of a row of positions */
	int64_t deep;         /* positions of y, a multiple of DEPTH */
	int64_t line;         /* positions of x, of a channel */
	int64_t x_bytes, y_bytes;
} plan;

static int64_t up(int64_t n, int64_t to)
{
	return (n + to - 1) / to * to;
}

static plan plan_of(const um_outer *o)
{
	plan p;
	const int64_t right = o->out_columns + o->kc - 1 - o->left - o->columns; /* zeros needed there */
	const int64_t gap = o->left > right ? o->left : right > 0 ? right : 0;
	p.width = o->columns + gap > o->out_columns ? o->columns + gap : o->out_columns;
	p.deep = up(o->out_rows * p.width, DEPTH);
	p.line = up(p.deep + (o->kr - 1) * p.width + o->kc - 1, DEPTH);
	p.x_bytes = up(2 * p.line * o->ci, 64);
	p.y_bytes = up(2 * p.deep * o->co, 64);
	return p;
}

/* Images that are worked on at once: small ones together, so that sums leave the tiles less often. */
static int64_t group_of(const plan *p, int64_t images)
{
	const int64_t fit = GROUP_BYTES / (p->x_bytes + p->y_bytes);
	return fit < 1 ? 1 : fit < images ? fit : images;
}

bool um_outer_possible(const um_outer *o)
{
	return um_isa_now() >= UM_ISA_AMX && o->ci % SIDE == 0 && o->co % SIDE == 0 && o->top >= 0 &&
		o->left >= 0;
}

int64_t um_outer_scratch(const um_outer *o, int64_t images)
{
	const plan p = plan_of(o);
	return group_of(&p, images) * (p.x_bytes + p.y_bytes);
}

/* ---- layouts ------------------------------------------------------------------------ */

/* A position: where its channels are, or zeros, from which no channel is further away. */
typedef struct place {
	int64_t i, j;
	const uint16_t *at;
	int64_t far;          /* 1 where channels follow each other, 0 for zeros */
} place;

static inline void put(place *p, const uint16_t *x, int64_t rows, int64_t columns, int64_t channels)
{
	static const uint16_t zeros[SIDE] __attribute__((aligned(32))) = { 0 };
	p->far = p->i >= 0 && p->i < rows && p->j >= 0 && p->j < columns;
	p->at = p->far ? x + (p->i * columns + p->j) * channels : zeros;
}

/* The position after it in rows from column "first" to column "last". */
static inline void step(place *p, int64_t first, int64_t last)
{
	p->j++;
	if (p->j > last) {
		p->j = first;
		p->i++;
	}
}

/* Sixteen channels of two positions as pairs. */
TILES static inline __m512i pairs(const place *a, const place *b, int64_t c)
{
	const __m256i *even = (const void *)(a->at + c * a->far), *odd = (const void *)(b->at + c * b->far);
	return _mm512_or_si512(_mm512_cvtepu16_epi32(_mm256_loadu_si256(even)),
		_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(odd)), 16));
}

TILES static void pair_y(const um_outer *o, const plan *p, const uint16_t *y, uint16_t *out)
{
	place a = { 0 }, b;
	for (int64_t k = 0; k < p->deep; k += 2) {
		b = a;
		step(&b, 0, p->width - 1);
		put(&a, y, o->out_rows, o->out_columns, o->co);
		put(&b, y, o->out_rows, o->out_columns, o->co);
		for (int64_t c = 0; c < o->co; c += SIDE)
			_mm512_store_si512((void *)(out + k * o->co + 2 * c), pairs(&a, &b, c));
		a = b;
		step(&a, 0, p->width - 1);
	}
}

/* Rows become columns in a block of 16 x 16. */
TILES static inline void transpose(__m512i r[SIDE])
{
	__m512i t[SIDE];
	for (int i = 0; i < SIDE; i += 2) {
		t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
	}
	for (int i = 0; i < SIDE; i += 4)
		for (int k = 0; k < 2; k++) {
			r[i + 2 * k] = _mm512_unpacklo_epi64(t[i + k], t[i + k + 2]);
			r[i + 2 * k + 1] = _mm512_unpackhi_epi64(t[i + k], t[i + k + 2]);
		}
	for (int k = 0; k < 4; k++) {
		t[k] = _mm512_shuffle_i32x4(r[k], r[k + 4], 0x88);
		t[k + 4] = _mm512_shuffle_i32x4(r[k], r[k + 4], 0xdd);
		t[k + 8] = _mm512_shuffle_i32x4(r[k + 8], r[k + 12], 0x88);
		t[k + 12] = _mm512_shuffle_i32x4(r[k + 8], r[k + 12], 0xdd);
	}
	for (int k = 0; k < 8; k++) {
		r[k] = _mm512_shuffle_i32x4(t[k], t[k + 8], 0x88);
		r[k + 8] = _mm512_shuffle_i32x4(t[k], t[k + 8], 0xdd);
	}
}

TILES static void transpose_x(const um_outer *o, const plan *p, const uint16_t *x, uint16_t *out)
{
	place here = { .i = -o->top, .j = -o->left };
	for (int64_t k = 0; k < p->line; k += DEPTH) {
		place spot[DEPTH];
		for (int s = 0; s < DEPTH; s++) {
			put(&here, x, o->rows, o->columns, o->ci);
			spot[s] = here;
			step(&here, -o->left, p->width - 1 - o->left);
		}
		for (int64_t c = 0; c < o->ci; c += SIDE) {
			__m512i r[SIDE];
			for (int s = 0; s < SIDE; s++)
				r[s] = pairs(&spot[2 * s], &spot[2 * s + 1], c);
			transpose(r);
			for (int s = 0; s < SIDE; s++)
				_mm512_storeu_si512((void *)(out + (c + s) * p->line + k), r[s]);
		}
	}
}

/* ---- products ---------------------------------------------------------------------------- */

#define LOAD(tile, from, step) \
	__asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile : : "r"(from), "r"(step) : "memory")
#define STORE(tile, to, step) \
	__asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" : : "r"(to), "r"(step) : "memory")
#define CLEAR(tile) __asm__ volatile("tilezero %%tmm" #tile : : : "memory")
#define MULTIPLY(sum, a, b) \
	__asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #sum : : : "memory")

TILES static void configure(void)
{
	struct {
		uint8_t palette, start, reserved[14];
		uint16_t row_bytes[16];
		uint8_t rows[16];
	} all = { .palette = 1 };
	for (int i = 0; i < 8; i++) {
		all.row_bytes[i] = 64;
		all.rows[i] = SIDE;
	}
	__asm__ volatile("ldtilecfg %0" : : "m"(all) : "memory");
}

/* A block of w, of one or two tiles each way: rows of channels of x, columns of channels of y. */
typedef struct block {
	const uint16_t *x, *y;  /* of the first image, where the block and the tap begin */
	int64_t x_image, y_image, x_step, y_step; /* numbers from image to image, from row to row */
	int64_t deep;
	bool tall, wide;
	float *w;
	int64_t w_step;
} block;

TILES static void load_sums(const block *b, bool add)
{
	const int64_t step = 4 * b->w_step;
	if (!add) {
		CLEAR(0);
		CLEAR(1);
		CLEAR(2);
		CLEAR(3);
		return;
	}
	LOAD(0, b->w, step);
	if (b->wide)
		LOAD(1, b->w + SIDE, step);
	if (b->tall)
		LOAD(2, b->w + SIDE * b->w_step, step);
	if (b->tall && b->wide)
		LOAD(3, b->w + SIDE * b->w_step + SIDE, step);
}

TILES static void store_sums(const block *b)
{
	const int64_t step = 4 * b->w_step;
	STORE(0, b->w, step);
	if (b->wide)
		STORE(1, b->w + SIDE, step);
	if (b->tall)
		STORE(2, b->w + SIDE * b->w_step, step);
	if (b->tall && b->wide)
		STORE(3, b->w + SIDE * b->w_step + SIDE, step);
}

TILES static void sum_block(const block *b, int64_t images, bool add)
{
	const int64_t x_step = 2 * b->x_step, y_step = 2 * b->y_step;
	load_sums(b, add);
	for (int64_t n = 0; n < images; n++) {
		const uint16_t *x = b->x + n * b->x_image, *y = b->y + n * b->y_image;
		for (int64_t k = 0; k < b->deep; k += DEPTH, x += DEPTH, y += SIDE * b->y_step) {
			LOAD(4, x, x_step);
			LOAD(6, y, y_step);
			MULTIPLY(0, 4, 6);
			if (b->wide) {
				LOAD(7, y + DEPTH, y_step);
				MULTIPLY(1, 4, 7);
			}
			if (b->tall) {
				LOAD(5, x + SIDE * b->x_step, x_step);
				MULTIPLY(2, 5, 6);
			}
			if (b->tall && b->wide)
				MULTIPLY(3, 5, 7);
		}
	}
	store_sums(b);
}

/* Positions of an image come in stretches that stay in the first-level cache while every tap is
 * summed over them. */
TILES static void sum_group(const um_outer *o, const plan *p, int64_t images, const uint16_t *x,
	const uint16_t *y, bool add, float *w)
{
	const int64_t stretches = (p->deep + STRETCH - 1) / STRETCH;
	const int64_t stretch = up((p->deep + stretches - 1) / stretches, DEPTH);
	for (int64_t c = 0; c < o->ci; c += 2 * SIDE)
		for (int64_t d = 0; d < o->co; d += 2 * SIDE)
			for (int64_t k = 0; k < p->deep; k += stretch)
				for (int64_t tap = 0; tap < o->kr * o->kc; tap++) {
					const int64_t shift = tap / o->kc * p->width + tap % o->kc;
					const block b = { x + c * p->line + k + shift, y + k * o->co + 2 * d,
						p->x_bytes / 2, p->y_bytes / 2, p->line, 2 * o->co,
						p->deep - k < stretch ? p->deep - k : stretch, c + SIDE < o->ci,
						d + SIDE < o->co, w + (tap * o->ci + c) * o->co + d, o->co };
					sum_block(&b, images, add || k > 0);
				}
}

TILES void um_outer_run(const um_outer *o, int64_t images, const uint16_t *x, const uint16_t *y, bool add,
	float *w, void *scratch)
{
	const plan p = plan_of(o);
	const int64_t group = group_of(&p, images);
	const int64_t x_len = o->rows * o->columns * o->ci, y_len = o->out_rows * o->out_columns * o->co;
	uint16_t *xs = scratch, *ys = xs + group * p.x_bytes / 2;
	configure();
	for (int64_t first = 0; first < images; first += group) {
		const int64_t count = images - first < group ? images - first : group;
		for (int64_t n = 0; n < count; n++) {
			transpose_x(o, &p, x + (first + n) * x_len, xs + n * p.x_bytes / 2);
			pair_y(o, &p, y + (first + n) * y_len, ys + n * p.y_bytes / 2);
		}
		sum_group(o, &p, count, xs, ys, add || first > 0, w);
	}
	__asm__ volatile("tilerelease" : : : "memory");
}

#else
bool um_outer_possible(const um_outer *o)
{
	(void)o;
	return false;
}

int64_t um_outer_scratch(const um_outer *o, int64_t images)
{
	(void)o, (void)images;
	return 0;
}

void um_outer_run(const um_outer *o, int64_t images, const uint16_t *x, const uint16_t *y, bool add,
	float *w, void *scratch)
{
	(void)o, (void)images, (void)x, (void)y, (void)add, (void)w, (void)scratch;
}
#endif
