/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Philox streams through Random123. */
#include <Random123/philox.h>
#include <math.h>
#include <umbra/rng.h>

/* FNV-1a, 64 bits. */
static uint64_t hash(const char *s)
{
	uint64_t h = 14695981039346656037u;
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h;
}

um_rng um_rng_new(uint64_t seed, const char *name, uint64_t index)
{
	return (um_rng){ .key = { seed, hash(name) }, .counter = { 0, index, 0, 0 } };
}

um_rng um_rng_at(const um_rng *base, uint64_t stream, uint64_t index)
{
	return (um_rng){ .key = { base->key[0], base->key[1] }, .counter = { 0, index, stream, 1 } };
}

uint64_t um_rng_bits(um_rng *r)
{
	if (r->left == 0) {
		philox4x64_ctr_t c = { { r->counter[0], r->counter[1], r->counter[2], r->counter[3] } };
		philox4x64_key_t k = { { r->key[0], r->key[1] } };
		c = philox4x64(c, k);
		for (int i = 0; i < 4; i++)
			r->block[i] = c.v[i];
		r->counter[0]++;
		r->left = 4;
	}
	return r->block[4 - r->left--];
}

double um_uniform(um_rng *r)
{
	return ((double)(um_rng_bits(r) >> 11) + 0.5) * 0x1p-53;
}

double um_normal(um_rng *r)
{
	if (r->has_spare) {
		r->has_spare = 0;
		return r->spare;
	}
	double radius = sqrt(-2 * log(um_uniform(r)));
	double angle = 6.283185307179586 * um_uniform(r);
	r->spare = radius * sin(angle);
	r->has_spare = 1;
	return radius * cos(angle);
}

double um_rademacher(um_rng *r)
{
	return um_rng_bits(r) >> 63 ? 1.0 : -1.0;
}

void um_normal_fill(um_rng *r, double *out, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		out[i] = um_normal(r);
}
