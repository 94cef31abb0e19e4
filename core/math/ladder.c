/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Swaps of parallel tempering: chains a and b of neighbouring rungs change places with probability
 *   min(1, exp((1/T_a - 1/T_b) (part_b - part_a))). */
#include <math.h>
#include <umbra/ladder.h>

int um_ladder_state(um_ladder *l, const char *name[], um_array *array[])
{
	static const char *const names[] = { "swaps", "trips", "hot" };
	um_array *const arrays[] = { &l->swaps, &l->trips, &l->hot };
	for (int i = 0; i < UM_LADDER_ARRAYS; i++) {
		name[i] = names[i];
		array[i] = arrays[i];
	}
	return UM_LADDER_ARRAYS;
}

um_status um_ladder_new(um_ladder *l)
{
	um_status st = UM_OK;
	UM_TRY(um_array_new(&l->swaps, UM_F64, 2, (const int64_t[]){ l->rungs, 2 }));
	UM_TRY(um_array_new(&l->trips, UM_I64, 1, (const int64_t[]){ 1 }));
	UM_TRY(um_array_new(&l->hot, UM_F64, 1, (const int64_t[]){ l->rungs * l->chains }));
out:
	return st;
}

void um_ladder_free(um_ladder *l)
{
	um_array_free(&l->swaps);
	um_array_free(&l->trips);
	um_array_free(&l->hot);
}

double um_ladder_beta(const um_ladder *l, int64_t rung)
{
	return 1 / l->temperature[rung];
}

static void exchange(double *a, double *b)
{
	const double first = *a;
	*a = *b;
	*b = first;
}

/* lp changes with the temperature, by gap part. */
static void swap(um_ladder *l, um_nuts *s, double gap, int64_t a, int64_t b)
{
	double *lp = s->lp.data, *part = s->part.data, *hot = l->hot.data;
	for (int64_t i = 0; i < s->n; i++)
		exchange(um_row_d(&s->x, a) + i, um_row_d(&s->x, b) + i);
	exchange(&lp[a], &lp[b]);
	exchange(&part[a], &part[b]);
	exchange(&hot[a], &hot[b]);
	lp[a] += gap * part[a];
	lp[b] -= gap * part[b];
}

bool um_ladder_swap(um_ladder *l, um_nuts *s, int64_t t, bool counts, um_rng *rng)
{
	const double *part = s->part.data;
	double *hot = l->hot.data;
	bool any = false;
	for (int64_t g = t % 2; g + 1 < l->rungs; g += 2) {
		const double gap = um_ladder_beta(l, g) - um_ladder_beta(l, g + 1);
		for (int64_t a = g * l->chains; a < (g + 1) * l->chains; a++) {
			const int64_t b = a + l->chains;
			const double p = fmin(1, exp(gap * (part[b] - part[a])));
			um_row_d(&l->swaps, g)[0] += counts ? p : 0;
			um_row_d(&l->swaps, g)[1] += counts;
			if (um_uniform(&rng[a]) < p) {
				swap(l, s, gap, a, b);
				any = true;
			}
		}
	}
	for (int64_t c = 0; c < l->chains && l->rungs > 1; c++) {
		hot[(l->rungs - 1) * l->chains + c] = 1;
		*(int64_t *)l->trips.data += counts && hot[c] > 0;
		hot[c] = 0;
	}
	return any;
}

double um_ladder_least(const um_ladder *l, int64_t *rung)
{
	double least = NAN;
	*rung = 0;
	for (int64_t g = 0; g + 1 < l->rungs; g++) {
		const double share = um_row_d(&l->swaps, g)[0] / um_row_d(&l->swaps, g)[1];
		if (!(share >= least))
			*rung = g;
		least = fmin(least, share);
	}
	return least;
}

int64_t um_ladder_trips(const um_ladder *l)
{
	return *(const int64_t *)l->trips.data;
}
