/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading NumPy's .npy files: "\x93NUMPY", version, length of a header that is a Python
 * dictionary {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }, then the numbers.
 * (NumPy Enhancement Proposal 1.) */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/fits.h>
#include "data/npy.h"

typedef struct npy {
	char kind;       /* f, i, u or b */
	int size;        /* bytes of a number */
	bool swap;       /* big-endian numbers */
	bool fortran;
	int rank;
	int64_t dim[UM_MAXRANK];
	int64_t len;
} npy;

#define HEADER_MAX 65536

static um_status bad(const char *path, const char *what)
{
	return um_fail(UM_EDATA, "%s: %s", path, what);
}

/* The text after 'key': in the header, or NULL. */
static const char *value_of(const char *header, const char *key)
{
	const char *p = strstr(header, key);
	if (p == NULL)
		return NULL;
	p += strlen(key);
	p += strspn(p, " \t'\"");
	if (*p != ':')
		return NULL;
	return p + 1 + strspn(p + 1, " \t");
}

static um_status parse_type(const char *path, const char *p, npy *h)
{
	static const char *const known[] = { "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8",
		"b1" };
	if (p == NULL || (*p != '\'' && *p != '"') || strchr("<>|=", p[1]) == NULL || p[1] == 0)
		return bad(path, "the .npy header has no plain 'descr'; save an array of numbers");
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strncmp(p + 2, known[i], 2) == 0 && p[4] == p[0]) {
			h->kind = p[2];
			h->size = p[3] - '0';
			h->swap = p[1] == '>';
			return UM_OK;
		}
	return um_fail(UM_EDATA, "%s: type %.6s is not float, double or an integer", path, p);
}

static um_status parse_shape(const char *path, const char *p, npy *h)
{
	if (p == NULL || *p++ != '(')
		return bad(path, "the .npy header has no 'shape'");
	for (;;) {
		p += strspn(p, " \t,");
		if (*p == ')')
			break;
		if (!isdigit((unsigned char)*p) || h->rank == UM_MAXRANK)
			return bad(path, "the .npy shape cannot be read, or has more than 8 axes");
		char *end;
		errno = 0;
		long long n = strtoll(p, &end, 10);
		if (errno != 0 || n < 1 || n > (INT64_C(1) << 40) / h->len)
			return bad(path, "the .npy shape is empty or too large");
		h->dim[h->rank++] = n;
		h->len *= n;
		p = end + (*end == 'L');
	}
	if (h->rank == 0)
		h->dim[h->rank++] = 1;
	return UM_OK;
}

static um_status read_header(const char *path, FILE *f, npy *h)
{
	um_status st = UM_OK;
	unsigned char b[12] = { 0 };
	char *text = NULL;
	if (fread(b, 1, 10, f) != 10 || memcmp(b, "\x93NUMPY", 6) != 0)
		return bad(path, "not a .npy file");
	if (b[6] < 1 || b[6] > 3)
		return um_fail(UM_EDATA, "%s: .npy version %d, 1 to 3 can be read", path, b[6]);
	size_t n = b[8] + 256u * b[9];
	if (b[6] > 1) {
		if (fread(b + 10, 1, 2, f) != 2)
			return bad(path, "truncated .npy header");
		n += 65536u * b[10] + (size_t)16777216u * b[11];
	}
	if (n > HEADER_MAX)
		return bad(path, "the .npy header is longer than 64 kB");
	text = calloc(n + 1, 1);
	if (text == NULL)
		return um_fail(UM_ENOMEM, "%s: no memory for the header", path);
	if (fread(text, 1, n, f) != n)
		UM_TRY(bad(path, "truncated .npy header"));
	UM_TRY(parse_type(path, value_of(text, "descr"), h));
	UM_TRY(parse_shape(path, value_of(text, "shape"), h));
	const char *order = value_of(text, "fortran_order");
	h->fortran = order != NULL && strncmp(order, "True", 4) == 0;
out:
	free(text);
	return st;
}

static double number(const npy *h, const unsigned char *p)
{
	unsigned char b[8] = { 0 };
	float f;
	double d;
	uint64_t u = 0;
	for (int i = 0; i < h->size; i++)
		b[i] = p[h->swap ? h->size - 1 - i : i];
	for (int i = h->size - 1; i >= 0; i--)
		u = u << 8 | b[i];
	if (h->kind == 'f' && h->size == 4) {
		uint32_t w = (uint32_t)u;
		memcpy(&f, &w, sizeof(f));
		return (double)f;
	}
	if (h->kind == 'f') {
		memcpy(&d, &u, sizeof(d));
		return d;
	}
	uint64_t top = UINT64_C(1) << (8 * h->size - 1);
	if (h->kind != 'i' || (u & top) == 0)
		return (double)u;
	return -(double)(top - (u & (top - 1)));
}

/* Where number i of the file goes. */
static int64_t place(const npy *h, int64_t i)
{
	int64_t at = 0;
	int64_t stride = h->len;
	if (!h->fortran)
		return i;
	for (int a = 0; a < h->rank; a++) {
		stride /= h->dim[a];
		at += (i % h->dim[a]) * stride;
		i /= h->dim[a];
	}
	return at;
}

um_status um_npy_read(const char *path, um_array *out)
{
	double top;
	return um_npy_read_typed(path, out, &top);
}

um_status um_npy_read_typed(const char *path, um_array *out, double *top)
{
	um_status st = UM_OK;
	npy h = { .len = 1 };
	memset(out, 0, sizeof(*out));
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return um_fail(UM_EDATA, "%s: %s", path, strerror(errno));
	UM_TRY(read_header(path, f, &h));
	long at = ftell(f);
	if (at < 0 || fseek(f, 0, SEEK_END) != 0 || (ftell(f) - at) / h.size < h.len)
		UM_TRY(um_fail(UM_EDATA, "%s: truncated: %lld numbers of %d bytes are missing in part",
			path, (long long)h.len, h.size));
	if (fseek(f, at, SEEK_SET) != 0)
		UM_TRY(bad(path, "cannot seek"));
	UM_TRY(um_array_new(out, UM_F64, h.rank, h.dim));
	for (int64_t i = 0; i < h.len; i++) {
		unsigned char b[8];
		if (fread(b, 1, (size_t)h.size, f) != (size_t)h.size)
			UM_TRY(bad(path, "truncated"));
		((double *)out->data)[place(&h, i)] = number(&h, b);
	}
	*top = h.kind == 'f' ? 0 : h.kind == 'b' ? 1 : ldexp(1, 8 * h.size - (h.kind == 'i')) - 1;
out:
	fclose(f);
	if (st != UM_OK)
		um_array_free(out);
	return st;
}
