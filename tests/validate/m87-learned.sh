# SPDX-License-Identifier: GPL-3.0-or-later
# M87 under a hand-made and a learned prior.
. tests/validate/lib.sh.inc
real_m87
echo "# M87*, 5 April 2017, under a hand-made and a learned prior"
echo
echo "\`pipelines/m87-learned.cfg\` on the public file, 64 x 64 pixels (compact: tv times entropy, the law's entropy counts a tenth;"
echo "learned: ring-64, a law fitted from the mean under compact on). closures: without amplitudes. Ring features of 256 samples;"
echo "chi-square of the mean; slope: the trend of the ELBO in the last quarter, nats a step, and its error. Two threads."
echo
echo "| cell | diameter (uas): 16 %, median, 84 % | | | width (uas) | brighter at (deg): 16 %, median, 84 % | | | chi2 amp | chi2 cphase | chi2 logcamp | flux (Jy) | ELBO | slope | error | seconds |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
"$B/umbra" run pipelines/m87-learned.cfg -o "$T/run" --resume --threads 2 --quiet --set forward.eht.uvfits="$uv" \
	--set forward.closures.uvfits="$uv" || status=1
for cell in eht/compact+map_dpi eht/learned+near closures/compact+map_dpi closures/learned+near; do
	row $cell "$T/run/$cell" ring_diameter_uas_p16 ring_diameter_uas_p50 ring_diameter_uas_p84 ring_width_uas_p50 \
		ring_orientation_deg_p16 ring_orientation_deg_p50 ring_orientation_deg_p84 chi2_amp_mean chi2_cphase_mean \
		chi2_logcamp_mean flux_mean elbo elbo_slope elbo_slope_se seconds
done
echo
echo "![Means and standard deviations of all cells](m87-learned.png)"
cp "$T/run/compare/comparison.png" "$T/m87-learned.png"
exit $status
