/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Data sets: every training image once an epoch, held-out images never, batches that depend on
 * nothing but their number, flips that form the group that they should, noise of its width. */
#include <umbra/dataset.h>
#include "check.h"

enum { N = 23, ROWS = 3, COLUMNS = 3, PIXELS = ROWS * COLUMNS };

/* Pixel p of image i is 100 i + p. */
static um_dataset_source source(um_array *images)
{
	um_dataset_source s = { .name = "test", .key = "train/test", .seed = 5, .threads = 1,
		.shape = { 1, 1, 1, ROWS, COLUMNS }, .held_out = 5 };
	CHECK_OK(um_array_new(images, UM_F32, 6, (const int64_t[]){ N, 1, 1, 1, ROWS, COLUMNS }));
	for (int i = 0; i < N * PIXELS; i++)
		((float *)images->data)[i] = (float)(i / PIXELS * 100 + i % PIXELS);
	s.images = *images;
	return s;
}

static um_array room(int64_t count)
{
	um_array x;
	CHECK_OK(um_array_new(&x, UM_F32, 6, (const int64_t[]){ count, 1, 1, 1, ROWS, COLUMNS }));
	return x;
}

static int number(const um_array *x, int64_t row)
{
	return (int)um_row_f(x, row)[0] / 100;
}

/* um_normal of the stream in every pixel. */
static um_status draw(void *state, um_rng *rng, um_array *x)
{
	int *calls = state;
	*calls += (int)x->dim[0];
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int p = 0; p < PIXELS; p++)
			um_row_f(x, b)[p] = (float)um_normal(&rng[b]);
	return UM_OK;
}

static void epochs(void)
{
	um_array images, x = room(18), rest = room(5);
	um_dataset_source s = source(&images);
	um_dataset *d;
	int first[18];
	bool held[N] = { false };
	CHECK_OK(um_dataset_new(&s, &d));
	CHECK(um_dataset_about(d)->train == 18 && um_dataset_about(d)->held == 5);
	CHECK_OK(um_dataset_rows(d, true, 0, 5, &rest));
	for (int i = 0; i < 5; i++) {
		held[number(&rest, i)] = true;
		CHECK(i == 0 || number(&rest, i) > number(&rest, i - 1));
	}
	int moved = 0;
	for (int e = 0; e < 3; e++) {
		bool seen[N] = { false };
		CHECK_OK(um_dataset_batch(d, e, 18, &x));
		for (int i = 0; i < 18; i++) {
			int k = number(&x, i);
			CHECK(!held[k] && !seen[k]);
			seen[k] = true;
			moved += e > 0 && first[i] != k;
			first[i] = k;
		}
	}
	CHECK(moved > 20);
	CHECK_OK(um_dataset_rows(d, false, 0, 18, &x));
	for (int i = 1; i < 18; i++)
		CHECK(number(&x, i) > number(&x, i - 1) && !held[number(&x, i)]);
	CHECK_FAILS(um_dataset_rows(d, true, 1, 5, &rest), UM_EARG, "were asked for");
	CHECK_FAILS(um_dataset_batch(d, 0, 6, &rest), UM_EARG, "do not fit");
	um_dataset_free(d);
	um_array_free(&images);
	um_array_free(&x);
	um_array_free(&rest);
}

/* Batches of 7 in any order are those of another instance in order, and those of 14 in halves. */
static void pure(void)
{
	um_array images, a = room(7), b = room(7), c = room(14);
	um_dataset_source s = source(&images);
	um_dataset *d, *other;
	s.augment = UM_AUGMENT_DIHEDRAL;
	s.step = 0.5;
	CHECK_OK(um_dataset_new(&s, &d));
	CHECK_OK(um_dataset_new(&s, &other));
	for (int k = 0; k < 12; k++) {
		int step = k * 5 % 12;
		CHECK_OK(um_dataset_batch(d, step, 7, &a));
		CHECK_OK(um_dataset_batch(other, k, 7, &b));
		CHECK_OK(um_dataset_batch(other, step, 7, &b));
		CHECK(memcmp(a.data, b.data, 7 * PIXELS * sizeof(float)) == 0);
		CHECK_OK(um_dataset_batch(other, step / 2, 14, &c));
		CHECK(memcmp(a.data, um_row_f(&c, step % 2 * 7), 7 * PIXELS * sizeof(float)) == 0);
	}
	um_dataset_free(other);
	s.order = 1;
	CHECK_OK(um_dataset_new(&s, &other));
	CHECK_OK(um_dataset_batch(d, 0, 7, &a));
	CHECK_OK(um_dataset_batch(other, 0, 7, &b));
	CHECK(memcmp(a.data, b.data, 7 * PIXELS * sizeof(float)) != 0);
	um_dataset_free(other);
	um_dataset_free(d);
	um_array_free(&images);
	um_array_free(&a);
	um_array_free(&b);
	um_array_free(&c);
}

/* How many different pictures of one image come up, each of which has its corners and its middle
 * where a symmetry of the square puts them. */
static int symmetries(um_augment how)
{
	um_array images, x = room(400);
	um_dataset_source s = source(&images);
	um_dataset *d;
	int found = 0;
	float seen[16][PIXELS];
	s.images = um_array_rows(&images, 0, 1);
	s.held_out = 0;
	s.augment = how;
	CHECK_OK(um_dataset_new(&s, &d));
	CHECK_OK(um_dataset_batch(d, 0, 400, &x));
	for (int i = 0; i < 400; i++) {
		const float *v = um_row_f(&x, i);
		int k = 0;
		CHECK(v[4] == 4 && v[0] + v[8] == 8 && v[2] + v[6] == 8 && v[1] + v[7] == 8 &&
			v[3] + v[5] == 8);
		CHECK(fabsf(v[0] - 4) == 4 || fabsf(v[0] - 4) == 2);
		while (k < found && memcmp(seen[k], v, sizeof(seen[k])) != 0)
			k++;
		CHECK_FATAL(k < 16);
		memcpy(seen[k], v, sizeof(seen[k]));
		found += k == found;
	}
	um_dataset_free(d);
	um_array_free(&images);
	um_array_free(&x);
	return found;
}

static void flips(void)
{
	CHECK(symmetries(UM_AUGMENT_NONE) == 1);
	CHECK(symmetries(UM_AUGMENT_FLIPS) == 4);
	CHECK(symmetries(UM_AUGMENT_DIHEDRAL) == 8);
}

static void noise(void)
{
	um_array images, a = room(N), b = room(N);
	um_dataset_source s = source(&images);
	um_dataset *d;
	double sum = 0, square = 0;
	const int steps = 200;
	s.step = -2;
	s.held_out = 0;
	CHECK_OK(um_dataset_new(&s, &d));
	CHECK(um_dataset_about(d)->step == 2);
	for (int k = 0; k < steps; k++) {
		CHECK_OK(um_dataset_batch(d, k, N, &a));
		for (int i = 0; i < N * PIXELS; i++) {
			double off = fmod((double)((float *)a.data)[i] + 1000,
				100); /* 0 .. 8 less noise in (0, 2) */
			off = off > 50 ? off - 100 : off;
			sum += off - i % PIXELS;
			square += (off - i % PIXELS) * (off - i % PIXELS);
			CHECK(off > i % PIXELS - 2.001 && off < i % PIXELS + 0.001);
		}
	}
	const double n = (double)steps * N * PIXELS, mean = sum / n;
	CHECK_NEAR(mean, -1, 5 * sqrt(1 / 3.0 / n));
	CHECK_NEAR(square / n - mean * mean, 1 / 3.0, 0.01);
	CHECK_OK(um_dataset_rows(d, false, 0, N, &a));
	CHECK_OK(um_dataset_rows(d, false, 0, N, &b));
	CHECK(memcmp(a.data, b.data, sizeof(float) * N * PIXELS) == 0);
	CHECK_OK(um_dataset_rows(d, false, 3, 4, &b));
	CHECK(memcmp(um_row_f(&a, 3), b.data, sizeof(float) * 4 * PIXELS) == 0);
	um_dataset_free(d);
	um_array_free(&images);
	um_array_free(&a);
	um_array_free(&b);
}

static void draws(void)
{
	int calls = 0;
	um_array a = room(8), b = room(8);
	um_dataset *d;
	um_dataset_source s = { .name = "draws", .key = "train/test", .seed = 5, .threads = 1,
		.shape = { 1, 1, 1, ROWS, COLUMNS }, .held_out = 0.1, .draw = draw, .state = &calls };
	CHECK_OK(um_dataset_new(&s, &d)); /* for ever */
	CHECK(um_dataset_about(d)->train == 0 && um_dataset_about(d)->held == 1000 && calls == 0);
	CHECK_OK(um_dataset_batch(d, 3, 8, &a));
	CHECK_OK(um_dataset_batch(d, 1000000, 8, &b));
	CHECK(memcmp(a.data, b.data, sizeof(float) * 8 * PIXELS) != 0);
	CHECK_OK(um_dataset_rows(d, false, 24, 8, &b));
	CHECK(memcmp(a.data, b.data, sizeof(float) * 8 * PIXELS) == 0);
	CHECK_OK(um_dataset_rows(d, true, 24, 8, &b));
	CHECK(memcmp(a.data, b.data, sizeof(float) * 8 * PIXELS) != 0);
	um_dataset_free(d);
	s.count = 20;
	calls = 0;
	CHECK_OK(um_dataset_new(&s, &d)); /* made once */
	CHECK(um_dataset_about(d)->train == 18 && um_dataset_about(d)->held == 2 && calls == 20);
	for (int k = 0; k < 30; k++)
		CHECK_OK(um_dataset_batch(d, k, 8, &a));
	CHECK(calls == 20);
	um_dataset_free(d);
	um_array_free(&a);
	um_array_free(&b);
}

static um_status bad_draw(void *state, um_rng *rng, um_array *x)
{
	um_status st = draw(state, rng, x);
	um_row_f(x, 0)[4] = NAN;
	return st;
}

static void refused(void)
{
	int calls = 0;
	um_array images;
	um_dataset_source s = source(&images);
	um_dataset *d = NULL;
	s.held_out = N;
	CHECK_FAILS(um_dataset_new(&s, &d), UM_EPARAM, "leaves nothing to learn from");
	s.held_out = 0.99;
	CHECK_FAILS(um_dataset_new(&s, &d), UM_EPARAM, "lower held_out");
	s.shape[3] = 1;
	s.augment = UM_AUGMENT_DIHEDRAL;
	CHECK_FAILS(um_dataset_new(&s, &d), UM_EPARAM, "not square");
	s = (um_dataset_source){ .name = "bad", .key = "k", .shape = { 1, 1, 1, ROWS, COLUMNS },
		.draw = bad_draw,
		.state = &calls, .count = 4 };
	CHECK_FAILS(um_dataset_new(&s, &d), UM_ENUM, "bad: pixel 5 of a draw is not finite");
	CHECK(d == NULL);
	um_array_free(&images);
}

CHECK_MAIN(CHECK_CASE(epochs), CHECK_CASE(pure), CHECK_CASE(flips), CHECK_CASE(noise), CHECK_CASE(draws),
	CHECK_CASE(refused))
