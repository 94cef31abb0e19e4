/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers of 16 bits as weight files store them: IEEE binary16 ("f16": 5 bits of exponent, 10 of
 * fraction) and bfloat16 ("bf16": the upper half of a float). To float exactly; from float to the
 * nearest, ties to even, beyond the largest to infinity. NaNs keep what fits of their bits. */
#ifndef UMBRA_BASE_HALF_H
#define UMBRA_BASE_HALF_H

#include <stdint.h>
#include <umbra/status.h>

UM_API float um_f16_to_float(uint16_t h);
UM_API uint16_t um_f16_from_float(float x);
UM_API float um_bf16_to_float(uint16_t h);
UM_API uint16_t um_bf16_from_float(float x);

#endif
