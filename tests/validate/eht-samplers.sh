# SPDX-License-Identifier: GPL-3.0-or-later
# One night of the Event Horizon Telescope: samplers with weights low, right and high, beside variational inference.
. tests/validate/lib.sh.inc
echo "# A simulated night and the weight of its data"
echo
echo "\`pipelines/eht-samplers.cfg\`: the data of \`pipelines/eht-priors.cfg\` (2017 array, complex visibilities, thermal noise) under"
echo "ring-32; samplers, 16 samples each, with a weight of the data that is low, about right by chi-square, and high (of ald the highest that"
echo "works, which fits best; Feng et al. 2023, fig. 9: largest standard deviations of a pixel relative to the range of images: ald 0.202,"
echo "dps 0.237, 0.242 and 0.444 as its weight rises, dpi 0.036; here relative to the brightest pixel of the truth). dpi has no weight:"
echo "128 samples of a law about the mean of dmps."
echo
echo "| inference | key | PSNR of the mean | PSNR of samples | chi2 of the mean | chi2 of samples | inside 95 % | largest sd | seconds |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
"$B/umbra" run pipelines/eht-samplers.cfg -o "$T/run" --quiet || status=1
# most FILE: the largest number of an image.
most() { "$B/umbra" info "$1" | sed -n 's/^max *//p'; }
for i in dpi dps_low dps dps_high ald_low ald ald_high dmps_low dmps dmps_high; do
	cell=$T/run/all/ring+$i
	key=$(sed -n "s/^  $i = .*\(weight\|gamma\) = \([0-9.]*\);.*/\1 \2/p" pipelines/eht-samplers.cfg)
	if [ ! -s "$cell/metrics.json" ]; then
		echo "| $i | $key | fails | - | - | - | - | - | - |"
		continue
	fi
	sd=$(awk "BEGIN { printf \"%.3f\", $(most "$cell/std.fits") / $(most "$T/run/simulate/all/truth.fits") }")
	row "$i | ${key:--}" "$cell" psnr_mean psnr_samples chi2_vis_mean chi2_vis_samples coverage_95 seconds |
		sed "s/ \([^|]*\) |\$/ $sd | \1 |/"
done
echo
echo "What is seen: dps with little weight makes a bright spot, then rings whose shape is right while the data are missed, and"
echo "its largest deviation falls as the weight rises; no weight fits these data. ald leaves noise everywhere, and fits better with more"
echo "weight, until (gamma below snr = 0.16) steps grow without bounds and the cell fails with that message. dmps with weight 1, which follows"
echo "from the likelihood, fits the data; with little weight scenes are too small and blurred, with 5 and no limit of its steps images"
echo "are waves without a scene. The error bars of each sampler change with its weight."
exit $status
