# SPDX-License-Identifier: GPL-3.0-or-later
# One night of the Event Horizon Telescope: samplers with weights low, right and high, beside variational inference.
. tests/validate/lib.sh.inc
echo "# A simulated night and the weight of its data"
echo
echo "\`pipelines/eht-samplers.cfg\`: the data of \`pipelines/eht-priors.cfg\` (2017 array, complex visibilities, thermal noise) under"
echo "ring-32; samplers with a weight of the data that is too low, the best that was found, and too high (Feng et al. 2023, fig. 9:"
echo "largest standard deviations of a pixel relative to the range of images: ald 0.202, dps 0.237, 0.242 and 0.444 as its weight"
echo "rises, dpi 0.036). Here they are relative to the brightest pixel of the truth."
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
echo "weight, until (gamma below snr = 0.16) steps grow without bounds and the cell fails with that message. dmps with weight 1, which"
echo "follows from the likelihood, is level with dpi and fits the data, in a minute; with little weight scenes are too small and blurred,"
echo "with 5 and no limit of its steps images are waves without a scene. Error bars of all but dpi change with the weight."
exit $status
