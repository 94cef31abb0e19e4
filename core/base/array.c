/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Allocation, views and conversion of arrays. */
#include <stdlib.h>
#include <string.h>
#include <umbra/array.h>

static int64_t element_size(um_dtype type)
{
	return type == UM_F32 ? 4 : 8;
}

um_array um_array_view(void *data, um_dtype type, int rank, const int64_t dim[])
{
	um_array a = { .dtype = type, .rank = rank, .data = data };
	int64_t stride = 1;
	for (int i = rank - 1; i >= 0; i--) {
		a.dim[i] = dim[i];
		a.stride[i] = stride;
		stride *= dim[i];
	}
	return a;
}

um_status um_array_new(um_array *a, um_dtype type, int rank, const int64_t dim[])
{
	*a = (um_array){ 0 };
	if (rank < 1 || rank > UM_MAXRANK)
		return um_fail(UM_EARG, "array rank %d is not in 1..%d", rank, UM_MAXRANK);
	int64_t n = element_size(type);
	for (int i = 0; i < rank; i++) {
		if (dim[i] < 0 || (dim[i] > 0 && n > (INT64_MAX / 2) / dim[i]))
			return um_fail(UM_ENOMEM, "an array axis of %lld is out of bounds", (long long)dim[i]);
		n *= dim[i];
	}
	size_t bytes = ((size_t)n + 63) / 64 * 64;
	void *data = aligned_alloc(64, bytes ? bytes : 64);
	if (data == NULL)
		return um_fail(UM_ENOMEM, "no memory for an array of %.3g MB", (double)bytes / 1e6);
	memset(data, 0, bytes);
	*a = um_array_view(data, type, rank, dim);
	return UM_OK;
}

void um_array_free(um_array *a)
{
	free(a->data);
	*a = (um_array){ 0 };
}

um_array um_array_rows(const um_array *a, int64_t first, int64_t count)
{
	um_array v = *a;
	v.dim[0] = count;
	v.data = (char *)a->data + first * a->stride[0] * element_size(a->dtype);
	return v;
}

int64_t um_array_len(const um_array *a)
{
	int64_t n = 1;
	for (int i = 0; i < a->rank; i++)
		n *= a->dim[i];
	return n;
}

int64_t um_array_rowlen(const um_array *a)
{
	int64_t n = 1;
	for (int i = 1; i < a->rank; i++)
		n *= a->dim[i];
	return n;
}

void um_array_fill(um_array *a, double value)
{
	const int64_t n = um_array_len(a);
	for (int64_t i = 0; i < n; i++)
		if (a->dtype == UM_F32)
			((float *)a->data)[i] = (float)value;
		else if (a->dtype == UM_F64)
			((double *)a->data)[i] = value;
		else
			((int64_t *)a->data)[i] = (int64_t)value;
}

um_status um_array_copy(um_array *dst, const um_array *src)
{
	int64_t n = um_array_len(src);
	if (n != um_array_len(dst))
		return um_fail(UM_EARG, "copying %lld elements into %lld", (long long)n,
			(long long)um_array_len(dst));
	if (dst->dtype == src->dtype)
		memcpy(dst->data, src->data, (size_t)(n * element_size(src->dtype)));
	else if (src->dtype == UM_F32 && dst->dtype == UM_F64)
		for (int64_t i = 0; i < n; i++)
			((double *)dst->data)[i] = ((const float *)src->data)[i];
	else if (src->dtype == UM_F64 && dst->dtype == UM_F32)
		for (int64_t i = 0; i < n; i++)
			((float *)dst->data)[i] = (float)((const double *)src->data)[i];
	else
		return um_fail(UM_EARG, "no conversion between array types %d and %d", (int)src->dtype,
			(int)dst->dtype);
	return UM_OK;
}
