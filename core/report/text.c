/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text that grows, escaping for HTML, and the files of reports. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/file.h"
#include "text.h"

void um_text_free(um_text *t)
{
	free(t->s);
	*t = (um_text){ 0 };
}

/* Room for n more bytes and the NUL. */
static bool grow(um_text *t, size_t n)
{
	if (t->failed || n > SIZE_MAX / 4 || t->len > SIZE_MAX / 4)
		t->failed = true;
	if (t->failed || t->len + n + 1 <= t->room)
		return !t->failed;
	size_t room = 2 * (t->len + n) + 256;
	char *s = realloc(t->s, room);
	if (s == NULL) {
		t->failed = true;
		return false;
	}
	t->s = s;
	t->room = room;
	return true;
}

void um_text_bytes(um_text *t, const void *bytes, size_t n)
{
	if (!grow(t, n))
		return;
	if (n > 0)
		memcpy(t->s + t->len, bytes, n);
	t->len += n;
	t->s[t->len] = '\0';
}

void um_text_add(um_text *t, const char *s)
{
	um_text_bytes(t, s, strlen(s));
}

void um_text_print(um_text *t, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line))
		t->failed = true; /* long text is added with um_text_add */
	else
		um_text_bytes(t, line, (size_t)n);
}

size_t um_utf8_length(const unsigned char *s, size_t n)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
	if (len == 0 || len > n)
		return 0;
	if (len == 1)
		return 1;
	uint32_t c = s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3fu);
	}
	return c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : len;
}

void um_text_html_n(um_text *t, const char *s, size_t n)
{
	static const char special[] = "&<>\"'";
	static const char *const entity[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };
	for (size_t i = 0, len; i < n; i += len) {
		const unsigned char *c = (const unsigned char *)s + i;
		const char *k = *c ? strchr(special, *c) : NULL;
		len = um_utf8_length(c, n - i);
		bool control = (*c < 32 && *c != '\n' && *c != '\t') || *c == 127;
		if (k)
			um_text_add(t, entity[k - special]);
		else if (len == 0 || control)
			um_text_add(t, "\xef\xbf\xbd");
		else
			um_text_bytes(t, c, len);
		len += len == 0;
	}
}

void um_text_html(um_text *t, const char *s)
{
	um_text_html_n(t, s, strlen(s));
}

void um_text_script(um_text *t, const char *json)
{
	for (const char *p = json; *p; ) {
		size_t n = strcspn(p, "<>");
		um_text_bytes(t, p, n);
		p += n;
		if (*p)
			um_text_add(t, *p++ == '<' ? "\\u003c" : "\\u003e");
	}
}

void um_text_base64(um_text *t, const unsigned char *b, size_t n)
{
	static const char code[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	if (!grow(t, (n + 2) / 3 * 4))
		return;
	char *p = t->s + t->len;
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)b[i] << 16;
		v |= i + 1 < n ? (uint32_t)b[i + 1] << 8 : 0;
		v |= i + 2 < n ? (uint32_t)b[i + 2] : 0;
		*p++ = code[v >> 18];
		*p++ = code[v >> 12 & 63];
		*p++ = i + 1 < n ? code[v >> 6 & 63] : '=';
		*p++ = i + 2 < n ? code[v & 63] : '=';
	}
	*p = '\0';
	t->len = (size_t)(p - t->s);
}

void um_text_number(um_text *t, double v)
{
	char s[40];
	if (!isfinite(v)) {
		um_text_add(t, "\xe2\x80\x93");
		return;
	}
	if (v == floor(v) && fabs(v) < 1e9)
		snprintf(s, sizeof(s), "%.0f", fabs(v));
	else
		snprintf(s, sizeof(s), fabs(v) >= 1000 && fabs(v) < 1e6 ? "%.0f" : "%.4g", fabs(v));
	if (v < 0)
		um_text_add(t, "\xe2\x88\x92");
	um_text_add(t, s);
}

um_status um_bytes_read(const char *path, size_t max, unsigned char **bytes, size_t *n)
{
	um_status st = UM_OK;
	struct stat info;
	*bytes = NULL;
	*n = 0;
	if (stat(path, &info) != 0 && (errno == ENOENT || errno == ENOTDIR))
		return UM_OK;
	FILE *f = fopen(path, "rb");
	if (f == NULL || fstat(fileno(f), &info) != 0)
		UM_TRY(um_fail(UM_EIO, "%s: cannot be read: %s", path, strerror(errno)));
	if (!S_ISREG(info.st_mode) || (uint64_t)info.st_size > max)
		UM_TRY(um_fail(UM_EDATA, "%s: not a regular file of at most %zu bytes", path, max));
	size_t size = (size_t)info.st_size;
	if ((*bytes = malloc(size + 1)) == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "%s: no memory for %zu bytes", path, size));
	*n = fread(*bytes, 1, size, f);
	(*bytes)[*n] = '\0';
	if (ferror(f)) {
		free(*bytes);
		*bytes = NULL;
		st = um_fail(UM_EIO, "%s: reading failed", path);
	}
out:
	if (f)
		fclose(f);
	return st;
}

um_status um_text_write(const char *path, const um_text *t)
{
	if (t->failed)
		return um_fail(UM_ENOMEM, "%s: no memory for its text", path);
	return um_file_put(path, t->s ? t->s : "", t->len);
}
