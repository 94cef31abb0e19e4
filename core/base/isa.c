/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which instruction set is in use. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#include "base/isa.h"

static const char *const names[] = { "base", "avx2", "avx512", "amx" };
enum { COUNT = sizeof(names) / sizeof(*names) };

const char *um_isa_name(um_isa isa)
{
	return names[isa];
}

#ifdef __x86_64__
typedef struct leaf {
	unsigned a, b, c, d;
} leaf;

static leaf cpuid(unsigned number, unsigned part)
{
	leaf l = { 0 };
	if (__get_cpuid_count(number, part, &l.a, &l.b, &l.c, &l.d) == 0)
		l = (leaf){ 0 };
	return l;
}

/* The registers that the system saves when it changes between programs. */
static uint64_t saved_registers(void)
{
	unsigned low, high;
	if ((cpuid(1, 0).c >> 27 & 1) == 0)
		return 0;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

static bool all(uint64_t value, uint64_t bits)
{
	return (value & bits) == bits;
}

/* Linux saves tile data only for processes that ask. */
static bool tiles_allowed(void)
{
	enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 }; /* asm/prctl.h, of Linux 5.16 */
	return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

static um_isa detect(void)
{
	const leaf one = cpuid(1, 0), seven = cpuid(7, 0), extended = cpuid(0x80000001, 0);
	const uint64_t saved = saved_registers();
	/* FMA, MOVBE, F16C; BMI1, AVX2, BMI2; LZCNT */
	if (!all(saved, 6) || !all(one.c, 1u << 12 | 1u << 22 | 1u << 29) ||
		!all(seven.b, 1u << 3 | 1u << 5 | 1u << 8) || !all(extended.c, 1u << 5))
		return UM_ISA_BASE;
	/* F, DQ, CD, BW, VL */
	if (!all(saved, 0xe6) || !all(seven.b, 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31))
		return UM_ISA_AVX2;
	/* AMX-BF16, AMX-TILE; AVX512-BF16 */
	if (!all(saved, 3u << 17) || !all(seven.d, 1u << 22 | 1u << 24) || !all(cpuid(7, 1).a, 1u << 5) ||
		!tiles_allowed())
		return UM_ISA_AVX512;
	return UM_ISA_AMX;
}
#else
static um_isa detect(void)
{
	return UM_ISA_BASE;
}
#endif

static int named(const char *text)
{
	for (int i = 0; i < COUNT; i++)
		if (strcmp(names[i], text) == 0)
			return i;
	return -1;
}

um_isa um_isa_now(void)
{
	static _Atomic int known = -1;
	int isa = atomic_load_explicit(&known, memory_order_relaxed);
	if (isa >= 0)
		return (um_isa)isa;
	const char *text = getenv("UMBRA_ISA");
	const int most = text != NULL ? named(text) : -1, have = (int)detect();
	isa = most >= 0 && most < have ? most : have;
	atomic_store_explicit(&known, isa, memory_order_relaxed);
	return (um_isa)isa;
}

um_status um_isa_check(void)
{
	const char *text = getenv("UMBRA_ISA");
	if (text == NULL || named(text) >= 0)
		return UM_OK;
	return um_fail(UM_EPARAM, "UMBRA_ISA=%s: it is one of base, avx2, avx512, amx", text);
}
