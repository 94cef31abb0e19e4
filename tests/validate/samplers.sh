# SPDX-License-Identifier: GPL-3.0-or-later
# Samplers of diffusion priors: the toy, biases in 64 dimensions, cost.
. tests/validate/lib.sh.inc
make --no-print-directory "$B/tests/unit/test_samplers" >/dev/null
echo "# Samplers of diffusion priors"
echo
echo "The two-dimensional toy, 10^4 samples, five seeds averaged, KL of a fitted mixture (paper,"
echo "best weights: DPS 0.064, ALD 0.10, SDE+Proj 0.12; perfect samples 0.0006). Weights are the key that is named."
echo
UMBRA_BUILD=$B "$B/tests/unit/test_samplers" toy 5 >"$T/samplers" 2>&1 || status=1
grep '^|' "$T/samplers"
for prior in diffusion bound; do
	sed -n "s/^| $prior | mean of \([0-9]*\) | \([0-9.]*\) |.*/| dpi, realnvp, $prior | \1 seeds, share\/results\/score-math.md | \2 | - |/p" \
		share/results/score-math.md
done
sed -n 's/^| mean | \([0-9.]*\) |.*/| hmc with a ladder | share\/results\/hmc.md | \1 | - |/p' share/results/hmc.md
echo
echo "## What each gets wrong"
echo
echo "Images of 8 x 8 pixels under a Gaussian with a power spectrum and under a mixture of two, 1000 samples: the mean"
echo "against that of exact samples, in standard deviations of the posterior, and the ratio of summed variances; the best"
echo "of the weights that were tried. dmps takes the prior as flat about the noisy image: too narrow where the data are"
echo "noisy, and with deterministic steps (flow) without any width in what they see. dps forgets that the clean image is"
echo "not certain, pigdm and ot-ode give it one variance in all directions (as the score, for a white prior of that"
echo "variance, pigdm is exact); pigdm with the paper's weight is too narrow in many steps. mcg and sde-proj take the data as"
echo "free of noise, ald is exact where steps are many and small."
echo
UMBRA_BUILD=$B "$B/tests/unit/test_samplers" gaussian >"$T/samplers" 2>&1 || status=1
grep '^|' "$T/samplers"
echo
echo "sde-proj behind a blur divides by what the blur nearly takes away, and its mean is far off; mcg has no finite row there."
echo
echo "## Cost"
echo
echo "\`umbra bench samplers\` on $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) cores (paper of dmps: dps 2.9"
echo "and pigdm 2.7 times its time):"
echo
"$B/umbra" bench samplers | sed 's/^/    /'
exit $status
