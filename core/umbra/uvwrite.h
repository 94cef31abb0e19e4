/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing visibilities as UVFITS. Versioned with libumbra; not part of the plugin ABI. */
#ifndef UMBRA_UVWRITE_H
#define UMBRA_UVWRITE_H

#include <umbra/uvdata.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes a new random-groups file with antenna and frequency tables at path, which must not
 * exist. The visibilities are RR = LL = I with weights 1/(2 sigma^2), so that I and sigma come
 * back; RL and LR are flagged. Numbers are kept to float32: V, sigma, u, v to 6e-8 of
 * themselves, times to 1.3 ms, from 0h of the day. SEFDs that differ between the hands are kept
 * as their root mean square. ut1_utc (seconds) is noted for other programs. Equal input gives
 * equal bytes. UM_EARG where a row is not finite, sigma not positive, or a station unknown. */
UM_API UM_USED um_status um_uvfits_write(const char *path, const um_uvdata *d, double ut1_utc);

#ifdef __cplusplus
}
#endif
#endif
