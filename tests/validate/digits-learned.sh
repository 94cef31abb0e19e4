# SPDX-License-Identifier: GPL-3.0-or-later
# Digits out of noise under hand-made and learned priors.
. tests/validate/lib.sh.inc
mnist=$data/mnist
[ -r "$mnist/train-images-idx3-ubyte.gz" ] || skip "no MNIST in $data (set UMBRA_TEST_DATA)"
echo "# Digits out of noise"
echo
echo "\`pipelines/digits-priors.cfg\`: white noise of 0.2 on three digits of the test set, 128 samples of each posterior (Feng"
echo "et al. 2023, table 1, with digits for faces). The weight of tv is the best of 2, 3, 5, 6, 8 and 12 for the first digit"
echo "by PSNR of samples. digits: the bound of $(weights digits-32), fitted from the mean of 16 samples of \`dmps\` on."
echo
echo "| prior | digit | PSNR of samples | SSIM of samples | PSNR of the mean | SSIM of the mean | inside 68 % | inside 95 % | seconds |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
set --
for i in 0 1; do set -- "$@" --set "run.[$i].data.files=$mnist/train-images-idx3-ubyte.gz"; done
for i in 2 3 4; do set -- "$@" --set "run.[$i].truth.files=$mnist/t10k-images-idx3-ubyte.gz"; done
"$B/umbra" run pipelines/digits-priors.cfg -o "$T/run" --resume --quiet "$@" || status=1
for prior in tv pca flow digits; do
	[ $prior = digits ] && how=near || how=dpi
	for digit in two four five; do
		row "$prior | $digit" "$T/run/$digit/$prior+$how" psnr_samples ssim_samples psnr_mean ssim_mean coverage_68 coverage_95 \
			seconds
	done
done
echo
for prior in tv pca flow digits; do
	[ $prior = digits ] && how=near || how=dpi
	for digit in two four five; do
		echo "$prior $(number psnr_samples "$T/run/$digit/$prior+$how") $(number ssim_samples "$T/run/$digit/$prior+$how")"
	done
done | awk '{ p[$1] += $2 / 3; s[$1] += $3 / 3 } END {
	printf "Means over the digits, PSNR and SSIM of samples: "
	for (i = split("tv pca flow digits", n, " "); i > 0; i--) {
		printf "%s %.1f and %.2f%s", n[i], p[n[i]], s[n[i]], (i > 1 ? ", " : ".\n")
		bad += i < 4 && (p[n[i]] > p["digits"] || s[n[i]] > s["digits"]) }
	exit bad }' || status=1
exit $status
