// SPDX-License-Identifier: GPL-3.0-or-later
// A prior in C++: independent pixels with Cauchy laws, log p = -sum log(1 + (x / scale)^2) up to a constant.
#include <cmath>
#include <cstdint>
#include <new>
#include <umbra/plugin.h>

namespace {

struct example {
	double scale;
};

const um_param params[] = {
	UM_PARAM(example, scale, "1", 1e-12, 1e12, "", "Width of the law, in units of x."),
};

// Nothing may be thrown through the functions of a plugin.
class cauchy {
public:
	cauchy(double width, std::int64_t pixels) : scale(width), n(pixels) {}
	double operator()(const float *x, float *dx) const
	{
		double sum = 0;
		for (std::int64_t i = 0; i < n; i++) {
			const double z = x[i] / scale;
			sum -= std::log1p(z * z);
			if (dx != nullptr)
				dx[i] = static_cast<float>(-2 * z / (1 + z * z) / scale);
		}
		return sum;
	}

private:
	double scale;
	std::int64_t n;
};

um_status create(void **self, const void *p, const um_env *env, um_prior_info *)
{
	std::int64_t n = 1;
	for (std::int64_t k : env->shape)
		n *= k;
	auto *made = new (std::nothrow) cauchy(static_cast<const example *>(p)->scale, n);
	if (made == nullptr)
		return um_fail(UM_ENOMEM, "no memory for example");
	*self = made;
	return UM_OK;
}

void destroy(void *self)
{
	delete static_cast<cauchy *>(self);
}

um_status logp(void *self, um_rng *, const um_array *x, double *lp, um_array *dx)
{
	for (std::int64_t b = 0; b < x->dim[0]; b++)
		lp[b] = (*static_cast<cauchy *>(self))(um_row_f(x, b), dx != nullptr ? um_row_f(dx, b) : nullptr);
	return UM_OK;
}

const um_prior_ops ops = { create, destroy, logp }; // a constant: no code runs when a plugin is looked at

} // namespace

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "example", "0.1.0", "Independent pixels with Cauchy laws.", "", UM_PARAMS(example, params), UM_OPS(ops),
};
