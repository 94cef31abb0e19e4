# SPDX-License-Identifier: GPL-3.0-or-later
# Chains at full size: two modes from five seeds.
. tests/validate/lib.sh.inc
make --no-print-directory "$B/tests/unit/test_hmc" >/dev/null
echo "# hmc with a ladder"
echo
echo "The posterior of two modes of \`pipelines/toy2d.cfg\`, five seeds, eight chains of 10^4 draws at each of five"
echo "temperatures: KL of a mixture of two Gaussians fitted to 10^4 of the draws (at most 0.005; perfect ones have"
echo "0.0006), weight of the first mode, and what the chains say of themselves."
echo
UMBRA_BUILD=$B "$B/tests/unit/test_hmc" toy >"$T/hmc" 2>&1 || status=1
grep '^|' "$T/hmc"
exit $status
