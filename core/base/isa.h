/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Instruction sets, chosen while running. A loop is written once and compiled for each of them, and
 * the program takes the highest that the processor and the system have; UMBRA_ISA=base, avx2, avx512
 * or amx forces a lower one. */
#ifndef UMBRA_BASE_ISA_H
#define UMBRA_BASE_ISA_H

#include <umbra/status.h>

typedef enum um_isa {
	UM_ISA_BASE,   /* what every processor of the architecture has */
	UM_ISA_AVX2,   /* x86-64-v3: AVX2 and fused products */
	UM_ISA_AVX512, /* x86-64-v4: F, BW, CD, DQ, VL */
	UM_ISA_AMX,    /* and tiles with products of bfloat16 */
} um_isa;

/* The one in use. By cpuid, the registers that the system saves (XCR0) and its permission for
 * tiles, never by the model of the processor. */
UM_API um_isa um_isa_now(void);
UM_API const char *um_isa_name(um_isa isa);
/* Whether UMBRA_ISA, if it is set, names one of them. */
UM_API UM_USED um_status um_isa_check(void);

/* UM_KERNEL(type, name, (parameters), (arguments)) { body } is a static function compiled for each
 * instruction set. The body may call static inline functions of its file; they are compiled with it. */
#ifdef __x86_64__
#define UM_KERNEL(type, name, parameters, arguments) UM_KERNEL_OF(type, name, parameters, arguments)
#define UM_KERNEL_OF(type, name, parameters, arguments) \
	static inline __attribute__((always_inline)) type name##_body parameters; \
	__attribute__((target("arch=x86-64-v4"))) static type name##_avx512 parameters \
	{ \
		return name##_body arguments; \
	} \
	__attribute__((target("arch=x86-64-v3"))) static type name##_avx2 parameters \
	{ \
		return name##_body arguments; \
	} \
	static type name parameters \
	{ \
		const um_isa isa_ = um_isa_now(); \
		if (isa_ >= UM_ISA_AVX512) \
			return name##_avx512 arguments; \
		if (isa_ == UM_ISA_AVX2) \
			return name##_avx2 arguments; \
		return name##_body arguments; \
	} \
	static inline type name##_body parameters
#else
#define UM_KERNEL(type, name, parameters, arguments) static type name parameters
#endif

/* Before a loop whose turns do not depend on each other, though what it writes may be what it
 * reads at the same place. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wpass-failed"
#define UM_EACH _Pragma("clang loop vectorize(assume_safety)")
#else
#define UM_EACH _Pragma("GCC ivdep")
#endif

#endif
