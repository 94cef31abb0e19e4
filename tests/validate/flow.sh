# SPDX-License-Identifier: GPL-3.0-or-later
# Flows at full size: two modes from five seeds, 64 correlated numbers.
. tests/validate/lib.sh.inc
make --no-print-directory "$B/tests/unit/test_dpi_flow" >/dev/null
echo "# dpi with a flow"
echo
echo "The posterior of two modes of \`pipelines/toy2d.cfg\`, five seeds, defaults of \`family = \"realnvp\"\`"
echo "with one fit each: KL of a mixture of two Gaussians fitted to 10^4 samples (at most 0.03), weight of the"
echo "first mode (within 0.06)."
echo
UMBRA_BUILD=$B "$B/tests/unit/test_dpi_flow" toy seeds=1 >"$T/toy" 2>&1 || status=1
grep '^|' "$T/toy"
echo
echo "A Gaussian posterior, 10^5 samples (mean within 0.03, covariance within 0.1 by the Frobenius norm):"
echo
UMBRA_BUILD=$B "$B/tests/unit/test_dpi_flow" gaussian >"$T/gaussian" 2>&1 || status=1
grep 'numbers:' "$T/gaussian"
exit $status
