# SPDX-License-Identifier: GPL-3.0-or-later
# A simulated night with gain and phase errors and a known truth, which is not in the field's centre:
# closures alone give the image to 25 dB, and fit.
. tests/pipelines/lib.sh.inc
data=${UMBRA_TEST_DATA:-../shared/data}/eht
if [ ! -r "$data/score_prior_obs.uvfits" ]; then
	echo "SKIPPED: no observation with a truth in $data (set UMBRA_TEST_DATA)"
	exit 0
fi
status 0 "$UMBRA" run pipelines/closures.cfg -o "$T/a" --quiet \
	--set "forward.eht.uvfits=$data/score_prior_obs.uvfits" --set "forward.eht.truth=$data/score_prior_truth.fits"
metric() {
	sed -n "s/.*\"$1\": *\([-0-9.e+]*\).*/\1/p" "$T/a/eht/compact+map/metrics.json"
}
awk -v p="$(metric psnr_mean)" -v c="$(metric chi2_cphase_mean)" -v a="$(metric chi2_logcamp_mean)" 'BEGIN {
	print "PSNR " p " dB, chi2 of closure phases " c ", of log closure amplitudes " a
	exit !(p >= 25 && c < 1.3 && a < 1.6) }' || bad=1
exit $bad
