/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The idx format: 0, 0, type, number of axes, each size as 32 bits, then the numbers, big-endian
 * (LeCun, Cortes and Burges, "The MNIST database", section on file formats). zlib reads plain files
 * and files packed by gzip alike. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>
#include "data/imageset.h"

#define RATIO 1032 /* the most that deflate can pack */

static const struct kind { int code, size; double top; } kinds[] = {
	{ 0x08, 1, 255 }, { 0x09, 1, 127 }, { 0x0b, 2, 32767 }, { 0x0c, 4, 2147483647 },
	{ 0x0d, 4, 0 }, { 0x0e, 8, 0 },
};

static um_status bad(const char *path, const char *what)
{
	return um_fail(UM_EDATA, "%s: %s", path, what);
}

static double number(int code, const unsigned char *p)
{
	uint64_t u = 0;
	float f;
	double d;
	int size = code == 0x08 || code == 0x09 ? 1 : code == 0x0b ? 2 : code == 0x0e ? 8 : 4;
	for (int i = 0; i < size; i++)
		u = u << 8 | p[i];
	switch (code) {
	case 0x08: return (double)u;
	case 0x09: return (double)(int8_t)u;
	case 0x0b: return (double)(int16_t)u;
	case 0x0c: return (double)(int32_t)u;
	case 0x0d: {
		uint32_t w = (uint32_t)u;
		memcpy(&f, &w, sizeof(f));
		return (double)f;
	}
	default:
		memcpy(&d, &u, sizeof(d));
		return d;
	}
}

static um_status read_header(const char *path, gzFile f, const struct kind **kind, int *rank, int64_t dim[])
{
	unsigned char b[4];
	if (gzread(f, b, 4) != 4 || b[0] != 0 || b[1] != 0)
		return bad(path, "not an idx file: it does not begin with two zero bytes, a type "
			"and a number of axes");
	*kind = NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (kinds[i].code == b[2])
			*kind = &kinds[i];
	if (*kind == NULL)
		return um_fail(UM_EDATA, "%s: idx type 0x%02x is unknown; 08, 09, 0b, 0c, 0d and "
			"0e are known", path, b[2]);
	*rank = b[3];
	if (*rank < 1 || *rank > UM_MAXRANK)
		return um_fail(UM_EDATA, "%s: idx with %d axes, 1 to %d can be read", path,
			*rank, UM_MAXRANK);
	for (int i = 0; i < *rank; i++) {
		if (gzread(f, b, 4) != 4)
			return bad(path, "truncated idx header");
		dim[i] = (int64_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
		if (dim[i] < 1)
			return um_fail(UM_EDATA, "%s: idx axis %d is empty", path, i + 1);
	}
	return UM_OK;
}

/* A header must not promise what the file cannot hold. */
static um_status check_size(const char *path, gzFile f, int rank, const int64_t dim[], int size)
{
	struct stat s;
	double need = size;
	for (int i = 0; i < rank; i++)
		need *= (double)dim[i];
	if (stat(path, &s) != 0)
		return um_fail(UM_EDATA, "%s: %s", path, strerror(errno));
	if (need > (double)s.st_size * (gzdirect(f) ? 1 : RATIO))
		return um_fail(UM_EDATA, "%s: truncated: the idx header promises %.0f bytes, the "
			"file has %lld%s", path,
			need, (long long)s.st_size, gzdirect(f) ? "" : " packed ones");
	return UM_OK;
}

static um_status read_numbers(const char *path, gzFile f, const struct kind *k, um_array *out)
{
	enum { CHUNK = 1 << 16 };
	unsigned char b[CHUNK];
	const int64_t n = um_array_len(out), most = CHUNK / k->size;
	float *x = out->data;
	for (int64_t i = 0; i < n; i += most) {
		int64_t count = n - i < most ? n - i : most;
		if (gzread(f, b, (unsigned)(count * k->size)) != count * k->size)
			return bad(path, "truncated or damaged: it holds fewer numbers than the "
				"idx header promises");
		for (int64_t j = 0; j < count; j++)
			x[i + j] = (float)number(k->code, b + j * k->size);
	}
	int more = gzread(f, b, 1);
	if (more < 0)
		return bad(path, "damaged: the sum that ends the packed file is wrong");
	return more == 0 ? UM_OK : bad(path, "longer than the idx header says");
}

um_status um_idx_read(const char *path, um_array *out, double *top)
{
	um_status st = UM_OK;
	const struct kind *k = NULL;
	int rank = 0;
	int64_t dim[256];
	*out = (um_array){ 0 };
	gzFile f = gzopen(path, "rb");
	if (f == NULL)
		return um_fail(UM_EDATA, "%s: %s", path, strerror(errno));
	UM_TRY(read_header(path, f, &k, &rank, dim));
	UM_TRY(check_size(path, f, rank, dim, k->size));
	st = um_array_new(out, UM_F32, rank, dim);
	if (st != UM_OK)
		UM_TRY(um_context(st, "%s", path));
	UM_TRY(read_numbers(path, f, k, out));
	*top = k->top;
out:
	gzclose(f);
	if (st != UM_OK)
		um_array_free(out);
	return st;
}
