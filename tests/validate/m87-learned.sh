# SPDX-License-Identifier: GPL-3.0-or-later
# M87 under a hand-made and a learned prior.
. tests/validate/lib.sh.inc
real_m87
echo "# M87*, 5 April 2017, under a hand-made and a learned prior"
echo
echo "\`pipelines/m87-learned.cfg\` on the public file (compact: tv times entropy, the law's entropy counts a tenth;"
echo "learned: ring-32). Ring features of samples; chi-square of the mean."
echo
titles() {
	echo
	echo "| cell | diameter (uas): 16 %, median, 84 % | | | width (uas) | brighter at (deg): 16 %, median, 84 % | | | chi2 amp | chi2 cphase | chi2 logcamp | flux (Jy) |"
	echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
}
features() { # NAME FOLDER
	row "$1" "$2" ring_diameter_uas_p16 ring_diameter_uas_p50 ring_diameter_uas_p84 ring_width_uas_p50 \
		ring_orientation_deg_p16 ring_orientation_deg_p50 ring_orientation_deg_p84 chi2_amp_mean chi2_cphase_mean \
		chi2_logcamp_mean flux_mean
}
data="--set forward.eht.uvfits=$uv --set forward.closures.uvfits=$uv"
"$B/umbra" run pipelines/m87-learned.cfg -o "$T/run" --quiet $data || status=1
titles
for cell in eht/compact+map_dpi eht/learned+dpi closures/learned+dpi; do
	features $cell "$T/run/$cell"
done
echo
echo "The same with 64 x 64 pixels and ring-64: from the posterior mean under ring-32, in steps of two images with eight times each,"
echo "as the bound is a rougher estimate of more pixels (\`slope\`: the trend of the ELBO at the end, nats a step, and its error)."
fine="--set image.pixels=[64,64] --set image.scale=0.001 --set priors.learned.factor=600.0 --set priors.learned.draws=8
	--set priors.learned.model=share:weights/ring-64.safetensors --set priors.compact.[1].flux=600.0
	--set inference.dpi.rate=0.05 --set inference.dpi.sd=0.2 --set inference.dpi.batch=2 --set inference.dpi.elbo_draws=64"
for cell in eht closures; do
	"$B/umbra" run pipelines/m87-learned.cfg -o "$T/fine-$cell" --quiet --only $cell/learned+dpi $data $fine \
		--set "inference.dpi.image=$T/run/$cell/learned+dpi/mean.fits" || status=1
done
titles
for cell in eht closures; do
	features "$cell/ring-64+dpi" "$T/fine-$cell/$cell/learned+dpi"
done
echo
for cell in eht closures; do
	echo "$cell: slope $(number elbo_slope "$T/fine-$cell/$cell/learned+dpi") +- $(number elbo_slope_se "$T/fine-$cell/$cell/learned+dpi")"
done
exit $status
