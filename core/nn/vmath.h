/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Elementary functions in single precision without branches or tables, so that compilers vectorise
 * loops over them; the libraries' are vectorised only where NaN may be ignored. Arguments are reduced
 * as in Cody & Waite (Software Manual for the Elementary Functions, 1980); the polynomials are
 * minimax in relative error, found by Remez' exchange with 40 digits and then rounded. Errors are a
 * few units in the last place (tests/unit/test_nnops_values.c bounds them). NaN gives NaN. Results below
 * about 1e-36 may become zero. Double precision uses libm. */
#ifndef UMBRA_NN_VMATH_H
#define UMBRA_NN_VMATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t um_float_bits(float x)
{
	uint32_t u;
	memcpy(&u, &x, sizeof u);
	return u;
}

static inline float um_bits_float(uint32_t u)
{
	float x;
	memcpy(&x, &u, sizeof x);
	return x;
}

/* Adding this to |x| < 2^22 rounds x to an integer, which the low bits then hold. */
#define UM_ROUNDER 0x1.8p23f

/* x = n ln 2 + r, |r| <= ln 2 / 2; returns r. ln 2 is split so that n times its head is exact. */
static inline float um_exp_reduce(float x, uint32_t *n)
{
	float t = x * 1.44269504f + UM_ROUNDER, k = t - UM_ROUNDER;
	*n = um_float_bits(t) - um_float_bits(UM_ROUNDER);
	return (x - k * 0x1.62e4p-1f) - k * 1.42860682e-6f;
}

/* e^r - 1 for |r| <= ln 2 / 2. */
static inline float um_expm1_poly(float r)
{
	float q = 0x1.6bebf8p-10f;
	q = q * r + 0x1.1227f6p-7f;
	q = q * r + 0x1.555674p-5f;
	q = q * r + 0x1.5554bp-3f;
	q = q * r + 0x1.fffffep-2f;
	return r * r * q + r;
}

/* e^x; infinite where it exceeds FLT_MAX (x > 88.7228), 0 where it is below FLT_MIN (x < -87.3365).
 * The exponent is added to the bits of a number in (0.7, 1.42). */
static inline float um_expf(float x)
{
	uint32_t n;
	float y = um_expm1_poly(um_exp_reduce(x, &n)) + 1;
	y = um_bits_float(um_float_bits(y) + (n << 23));
	y = x <= 88.7228317f ? y : x + INFINITY;
	return x < -87.3365402f ? 0 : y;
}

/* log(1 + f), sqrt(1/2) - 1 <= f <= sqrt(2) - 1. */
static inline float um_log1p_poly(float f)
{
	float p = -0x1.38b564p-4f, f2 = f * f;
	p = p * f + 0x1.055b5ap-3f;
	p = p * f - 0x1.0d854p-3f;
	p = p * f + 0x1.22da2p-3f;
	p = p * f - 0x1.547246p-3f;
	p = p * f + 0x1.99a008p-3f;
	p = p * f - 0x1.000226p-2f;
	p = p * f + 0x1.555554p-2f;
	return (f * f2 * p - 0.5f * f2) + f;
}

/* log x = k ln 2 + log m, sqrt(1/2) <= m < sqrt(2); NaN below 0, -infinity at 0. Numbers below
 * FLT_MIN are scaled by 2^24 first. */
static inline float um_logf(float x)
{
	const uint32_t half = 0x3f3504f3; /* sqrt(1/2) */
	float shift = x < 0x1p-126f ? 24 : 0;
	float s = x < 0x1p-126f ? x * 0x1p24f : x;
	uint32_t u = um_float_bits(s) - half;
	float k = (float)((int32_t)u >> 23) - shift;
	float y = um_log1p_poly(um_bits_float((u & 0x7fffff) + half) - 1);
	y = k * 1.42860682e-6f + y;
	y = k * 0x1.62e4p-1f + y;
	y = x < INFINITY ? y : x;
	return x > 0 ? y : x == 0 ? -INFINITY : NAN;
}

/* e / (e + 2) with e = e^2|x| - 1, which loses nothing near 0; 1 to the last bit from 9.02 on. */
static inline float um_tanhf(float x)
{
	uint32_t n;
	float a = fabsf(x);
	a = a > 9.02f ? 9.02f : a;
	float p = um_expm1_poly(um_exp_reduce(2 * a, &n));
	float s = um_bits_float((n + 127) << 23);
	float e = s * p + (s - 1);
	return copysignf(e / (e + 2), x);
}

/* 1 / d for 1 <= d <= 1e38, by Newton's iteration from a guess that is 12 % off: division takes as
 * long as ten products. */
static inline float um_recipf(float d)
{
	float y = um_bits_float(0x7ef311c7 - um_float_bits(d));
	y = y + y * (1 - d * y);
	y = y + y * (1 - d * y);
	return y + y * (1 - d * y);
}

/* Below -85 the sigmoid stays 1e-37, and silu -1e-35, which is 0 beside anything else. */
static inline float um_sigmoid_clamp(float x)
{
	return x < -85 ? -85 : x;
}

/* 1 / (1 + e^-x) for x >= -85; 1 above 85. */
static inline float um_sigmoid_above(float x)
{
	uint32_t n;
	float e = um_expm1_poly(um_exp_reduce(x > 85 ? -85 : -x, &n)) + 1;
	return um_recipf(1 + um_bits_float(um_float_bits(e) + (n << 23)));
}

static inline float um_sigmoidf(float x)
{
	const float y = um_sigmoid_above(um_sigmoid_clamp(x));
	return x == x ? y : x;
}

static inline float um_siluf(float x)
{
	x = um_sigmoid_clamp(x);
	return x * um_sigmoid_above(x);
}

/* max(x, 0) + log(1 + e), e = e^-|x|. Above sqrt(2) - 1 the logarithm is log 2 + log((1 + e) / 2);
 * both arguments of the polynomial are exact. */
static inline float um_softplusf(float x)
{
	float e = um_expf(-fabsf(x));
	float f = e > 0.414213562f ? (e - 1) * 0.5f : e;
	float log2 = e > 0.414213562f ? 0.693147181f : 0;
	return (x > 0 ? x : 0) + (log2 + um_log1p_poly(f));
}

/* Beyond it the reduction by multiples of pi is not exact any more. */
#define UM_SIN_MOST 8192.0f

/* r - r^3/6 + ... for |r| <= pi / 2. */
static inline float um_sin_poly(float r)
{
	float z = r * r, p = 0x1.5dc84ap-19f;
	p = p * z - 0x1.9f70eap-13f;
	p = p * z + 0x1.110edap-7f;
	p = p * z - 0x1.55554cp-3f;
	return r * z * p + r;
}

/* x - k pi; pi in three parts, so that products of the first two with k are exact. */
static inline float um_sin_reduce(float x, float k)
{
	return ((x - k * 3.140625f) - k * 9.67502594e-4f) - k * 1.50995799e-7f;
}

/* sin(k pi + r) = (-1)^k sin r, for |x| <= UM_SIN_MOST. */
static inline float um_sinf(float x)
{
	float t = x * 0.318309886f + UM_ROUNDER;
	float y = um_sin_poly(um_sin_reduce(x, t - UM_ROUNDER));
	return um_bits_float(um_float_bits(y) ^ (um_float_bits(t) << 31));
}

/* cos((k + 1/2) pi + r) = -(-1)^k sin r, for |x| <= UM_SIN_MOST. */
static inline float um_cosf(float x)
{
	float t = (x * 0.318309886f - 0.5f) + UM_ROUNDER;
	float y = um_sin_poly(um_sin_reduce(x, (t - UM_ROUNDER) + 0.5f));
	return um_bits_float(um_float_bits(y) ^ ((um_float_bits(t) + 1) << 31));
}

#endif
