/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Measurements of any forward model from a file that the user names. */
#include <string.h>
#include <umbra/host.h>
#include <umbra/table.h>

/* Copies rows, or one row to all of them. */
static um_status spread(um_array *to, const um_array *from, const char *path, const char *what)
{
	const int64_t n = um_array_len(from), row = to->dim[1], all = um_array_len(to);
	if (n == 0 || (n != row && n != all))
		return um_fail(UM_EDATA, "%s: %s has %lld numbers; %lld measurements of %lld are in the file", path, what, (long long)n,
			(long long)to->dim[0], (long long)row);
	for (int64_t k = 0; k < to->dim[0]; k++)
		memcpy(um_row_d(to, k), (const double *)from->data + (n == all ? k * row : 0), sizeof(double) * (size_t)row);
	return UM_OK;
}

/* Rows of ny numbers, as simulate writes them, or measurements that are images. */
static um_status read_y(um_forward *f, const char *path)
{
	um_status st = UM_OK;
	um_array y = { 0 };
	const int64_t ny = f->info.ny;
	UM_TRY(um_table_read(path, &y));
	const int64_t n = um_array_len(&y);
	const bool rows = y.rank > 0 && y.dim[y.rank - 1] == ny;
	const bool images = y.rank > 1 && n % ny == 0 && n > 0 && ny % (y.dim[y.rank - 1] * y.dim[y.rank - 2]) == 0;
	if (!rows && images) {
		um_array_free(&y);
		UM_TRY(um_table_image(path, n, &y));
	}
	if (n < ny || n % ny != 0 || !(rows || images || n == ny))
		UM_TRY(um_fail(UM_EDATA, "%s: %lld numbers in rows of %lld; a measurement of forward/%s has %lld", path, (long long)n,
			(long long)(y.rank > 0 ? y.dim[y.rank - 1] : 1), f->plugin->name, (long long)ny));
	UM_TRY(um_array_new(&f->y, UM_F64, 2, (const int64_t[]){ n / ny, ny }));
	UM_TRY(um_array_copy(&f->y, &y));
out:
	um_array_free(&y);
	return st;
}

/* What the file does not say is as the settings have it. */
static um_status fill(um_forward *f, const char *path, bool sigma, bool op)
{
	um_status st = UM_OK;
	um_array s = { 0 }, o = { 0 };
	if (sigma && op)
		return UM_OK;
	if (f->ops.noise == NULL)
		return um_fail(UM_EDATA, "%s: it has no extension %s, and forward/%s knows no noise of its own", path,
			sigma ? "OPERATOR" : "SIGMA", f->plugin->name);
	UM_TRY(um_array_new(&s, UM_F64, 2, (const int64_t[]){ 1, f->info.ny }));
	UM_TRY(um_array_new(&o, UM_F64, 2, (const int64_t[]){ 1, f->info.nop }));
	um_phase(f->plugin, "noise");
	UM_TRY(um_in_phase(f->plugin, "noise", f->ops.noise(f->self, &s, &o)));
	if (!sigma)
		UM_TRY(spread(&f->sigma, &s, path, "SIGMA"));
	if (!op)
		UM_TRY(spread(&f->op, &o, path, "OPERATOR"));
out:
	um_phase(NULL, NULL);
	um_array_free(&s);
	um_array_free(&o);
	return st;
}

um_status um_forward_read(um_forward *f, const char *path)
{
	um_status st = UM_OK;
	um_array sigma = { 0 }, op = { 0 };
	if (f->info.measurements > 0)
		return um_fail(UM_EPARAM, "forward/%s has measurements of its own; leave out measurements = \"%s\"", f->plugin->name, path);
	UM_TRY(read_y(f, path));
	const int64_t count = f->y.dim[0];
	UM_TRY(um_array_new(&f->sigma, UM_F64, 2, (const int64_t[]){ count, f->info.ny }));
	UM_TRY(um_array_new(&f->op, UM_F64, 2, (const int64_t[]){ count, f->info.nop }));
	UM_TRY(um_table_extension(path, "SIGMA", &sigma));
	if (f->info.nop > 0)
		UM_TRY(um_table_extension(path, "OPERATOR", &op));
	if (sigma.data != NULL)
		UM_TRY(spread(&f->sigma, &sigma, path, "SIGMA"));
	if (op.data != NULL)
		UM_TRY(spread(&f->op, &op, path, "OPERATOR"));
	UM_TRY(fill(f, path, sigma.data != NULL, op.data != NULL || f->info.nop == 0));
	f->info.measurements = count;
out:
	um_array_free(&sigma);
	um_array_free(&op);
	return st;
}

um_status um_forward_data(um_forward *f, um_array *y, um_array *sigma, um_array *op)
{
	um_status st = UM_OK;
	if (f->y.data == NULL) {
		um_phase(f->plugin, "data");
		st = um_in_phase(f->plugin, "data", f->ops.data(f->self, y, sigma, op));
		um_phase(NULL, NULL);
		return st;
	}
	UM_TRY(um_array_copy(y, &f->y));
	UM_TRY(um_array_copy(sigma, &f->sigma));
	UM_TRY(um_array_copy(op, &f->op));
out:
	return st;
}
