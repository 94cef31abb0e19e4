/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: a fit that is resumed leaves out a step. */
#define NAME "forgetful"
#define SKIPPED 1
#include "meanfit.c"
