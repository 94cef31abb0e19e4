/* SPDX-License-Identifier: GPL-3.0-or-later */
/* binary16 and bfloat16 by integer arithmetic on the bits of floats. */
#include <string.h>
#include "base/half.h"

static uint32_t bits_of(float x)
{
	uint32_t u;
	memcpy(&u, &x, sizeof(u));
	return u;
}

static float float_of(uint32_t u)
{
	float x;
	memcpy(&x, &u, sizeof(x));
	return x;
}

/* Drops the low bits, to nearest, ties to even; a carry into the exponent is what is wanted. */
static uint32_t shift_even(uint32_t u, int bits)
{
	uint32_t odd = u >> bits & 1;
	return (u + (1u << (bits - 1)) - 1 + odd) >> bits;
}

float um_f16_to_float(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, a = h & 0x7fff;
	if (a >= 0x7c00) /* infinity, NaN */
		return float_of(sign | 0x7f800000 | (a & 0x3ff) << 13);
	if (a >= 0x400) /* exponent biases differ by 112 */
		return float_of(sign | ((a << 13) + (112u << 23)));
	return float_of(sign | bits_of((float)a * 0x1p-24f));
}

uint16_t um_f16_from_float(float x)
{
	uint32_t u = bits_of(x), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
	if (a > 0x7f800000) { /* a NaN stays one when all its bits are dropped */
		uint32_t fraction = a >> 13 & 0x3ff;
		return (uint16_t)(sign | 0x7c00 | (fraction != 0 ? fraction : 0x200));
	}
	if (a >= 0x47800000) /* 2^16 */
		return (uint16_t)(sign | 0x7c00);
	if (a >= 0x38800000) /* 2^-14, the smallest normal number */
		return (uint16_t)(sign | shift_even(a - (112u << 23), 13));
	if (a < 0x33000000) /* below half of 2^-24 */
		return (uint16_t)sign;
	uint32_t fraction = (a & 0x7fffff) | 0x800000; /* times 2^(exponent - 150), wanted times 2^-24 */
	return (uint16_t)(sign | shift_even(fraction, 126 - (int)(a >> 23)));
}

float um_bf16_to_float(uint16_t h)
{
	return float_of((uint32_t)h << 16);
}

uint16_t um_bf16_from_float(float x)
{
	uint32_t u = bits_of(x);
	if ((u & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(u >> 16 | ((u >> 16 & 0x7f) == 0 ? 0x40 : 0));
	return (uint16_t)shift_even(u, 16);
}
