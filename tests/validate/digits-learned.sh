# SPDX-License-Identifier: GPL-3.0-or-later
# Digits out of noise under hand-made and learned priors.
. tests/validate/lib.sh.inc
mnist=$data/mnist
[ -r "$mnist/train-images-idx3-ubyte.gz" ] || skip "no MNIST in $data (set UMBRA_TEST_DATA)"
echo "# Digits out of noise"
echo
echo "\`pipelines/digits-priors.cfg\`: white noise of 0.2 on three digits of the test set, 128 samples of each posterior (Feng"
echo "et al. 2023, table 1, with digits for faces). The weight of tv is the best of 2, 3, 5, 6, 8 and 12 for the first digit"
echo "by PSNR of samples."
echo
echo "| prior | digit | PSNR of samples | SSIM of samples | PSNR of the mean | SSIM of the mean | inside 68 % | inside 95 % | seconds |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
set --
for i in 0 1; do set -- "$@" --set "run.[$i].data.files=$mnist/train-images-idx3-ubyte.gz"; done
for i in 2 3 4; do set -- "$@" --set "run.[$i].truth.files=$mnist/t10k-images-idx3-ubyte.gz"; done
"$B/umbra" run pipelines/digits-priors.cfg -o "$T/run" --quiet "$@" || status=1
for prior in tv pca flow digits; do
	for digit in two four five; do
		row "$prior | $digit" "$T/run/$digit/$prior+dpi" psnr_samples ssim_samples psnr_mean ssim_mean coverage_68 coverage_95 \
			seconds
	done
done
exit $status
