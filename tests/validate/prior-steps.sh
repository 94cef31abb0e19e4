# SPDX-License-Identifier: GPL-3.0-or-later
# The cost of a step under a learned prior.
. tests/validate/lib.sh.inc
echo "# Seconds a step under a learned prior"
echo
echo "\`tests/bench/prior_steps\` on $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) cores, in one run:"
echo "dpi with independent Gaussian pixels, 64 draws a step, networks of width 32 that are not trained (Feng & Bouman"
echo "2023, table 1, on four A6000 with 64 draws for the surrogate and 32 for the exact density: 0.029 and 19.5 s at 16"
echo "pixels, 0.038 and 41.9 at 32, 0.090 and 123 at 64, 0.294 at 128, 1.115 at 256)."
echo
UMBRA_BUILD=$B tests/bench/prior_steps || status=1
echo
UMBRA_BUILD=$B tests/bench/prior_steps posterior || status=1
exit $status
