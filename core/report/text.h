/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Growing text for the files of a report, and files that appear whole or not at all. */
#ifndef UM_REPORT_TEXT_H
#define UM_REPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umbra/status.h>

/* Zero it before use. After a failed allocation it stays failed and further additions do
 * nothing, so that only the end has to look. */
typedef struct um_text {
	char *s; /* NUL-terminated once something was added */
	size_t len, room;
	bool failed;
} um_text;

void um_text_free(um_text *t);
void um_text_bytes(um_text *t, const void *bytes, size_t n);
void um_text_add(um_text *t, const char *s);
void um_text_print(um_text *t, const char *fmt, ...) UM_PRINTF(2, 3);

/* Text from a file into HTML, safe inside elements and quoted attributes: & < > " ' are
 * escaped; control characters and bytes that are not UTF-8 become U+FFFD. */
void um_text_html(um_text *t, const char *s);

/* As um_text_html for n bytes that may hold NUL. */
void um_text_html_n(um_text *t, const char *s, size_t n);

/* JSON from jansson, or anything else that is ASCII, into a script element: < and > are written as \u003c and
 * \u003e, so that nothing in it ends the element. */
void um_text_script(um_text *t, const char *json);

void um_text_base64(um_text *t, const unsigned char *bytes, size_t n);

/* Length of the well-formed UTF-8 sequence that begins n > 0 bytes, 0 where there is none. */
size_t um_utf8_length(const unsigned char *s, size_t n);

/* A number as people read it: 4 significant digits, whole numbers whole, a true minus sign;
 * an en dash where it is not finite. */
void um_text_number(um_text *t, double v);

/* Reads a regular file of at most max bytes, NUL added behind it; the caller frees *bytes.
 * *bytes is NULL, with UM_OK, where the file does not exist. */
UM_USED um_status um_bytes_read(const char *path, size_t max, unsigned char **bytes, size_t *n);

/* Writes a whole file, as um_file_put; a failed text is UM_ENOMEM. */
UM_USED um_status um_text_write(const char *path, const um_text *t);

#endif
