/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What readers and writers of FITS files share: opening with care, keywords, messages. */
#ifndef DATA_FITSFILE_H
#define DATA_FITSFILE_H

#include <fitsio.h>
#include <stdbool.h>
#include <stdint.h>
#include <umbra/status.h>

/* Opens an uncompressed FITS file for reading; *bytes is its length. No extended file name
 * syntax. A missing file or one that is not FITS is UM_EDATA. */
UM_USED um_status um_fitsfile_open(const char *path, fitsfile **f, int64_t *bytes);
void um_fitsfile_close(fitsfile *f);

/* Ends a new file, in its last HDU, and closes it: UM_EIO, and no file, where status is not 0 or it is shorter than it should
 * be, since cfitsio does not tell that the disk was full for what it wrote last. f may be NULL, with a status that says why. */
UM_USED um_status um_fitsfile_finish(fitsfile *f, const char *path, int status);

/* UM_EDATA with the file, what was being done, and cfitsio's words for the status. */
UM_USED um_status um_fitsfile_fail(const char *path, const char *what, int status);

/* A keyword of the current HDU, or the fallback where it is missing or of another type. */
double um_fitsfile_number(fitsfile *f, const char *key, double fallback);
double um_fitsfile_number_at(fitsfile *f, const char *key, int axis, double fallback);
bool um_fitsfile_has(fitsfile *f, const char *key);
/* Trailing blanks and everything that is not printable ASCII removed. */
void um_fitsfile_text(fitsfile *f, const char *key, char *out, size_t size);
void um_fitsfile_text_at(fitsfile *f, const char *key, int axis, char *out, size_t size);
void um_fitsfile_clean(char *text);

/* A keyword of the current HDU, with a text that is cleaned. */
void um_fitsfile_put(fitsfile *f, const char *key, const char *s, const char *comment, int *status);

#endif
