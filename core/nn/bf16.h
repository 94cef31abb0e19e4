/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bfloat16 in loops: the upper half of a float. */
#ifndef UMBRA_NN_BF16_H
#define UMBRA_NN_BF16_H

#include <stdint.h>
#include <string.h>

/* The nearest, ties to even; beyond the largest, infinity; NaN stays NaN. */
static inline uint16_t um_bf16_round(float x)
{
	uint32_t u;
	memcpy(&u, &x, sizeof(u));
	const uint32_t near = (u + 0x7fff + (u >> 16 & 1)) >> 16, nan = u >> 16 | 0x40;
	return (uint16_t)((u & 0x7fffffff) > 0x7f800000 ? nan : near);
}

static inline float um_bf16_value(uint16_t h)
{
	const uint32_t u = (uint32_t)h << 16;
	float x;
	memcpy(&x, &u, sizeof(x));
	return x;
}

#endif
