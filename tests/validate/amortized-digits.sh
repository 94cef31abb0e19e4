# SPDX-License-Identifier: GPL-3.0-or-later
# Digits by one call of a flow a sample, beside samplers that call the score network a thousand times.
. tests/validate/lib.sh.inc
mnist=$data/mnist
[ -r "$mnist/train-images-idx3-ubyte.gz" ] || skip "no MNIST in $data (set UMBRA_TEST_DATA)"
seconds=${SECONDS_TO_TRAIN:-900}
echo "# Digits by one call a sample"
echo
echo "\`pipelines/digits-amortized.cfg\`, $seconds seconds of training a measurement: a digit of the test set with noise, at half the"
echo "resolution, blurred; 128 samples of \`cnf\`, 8 of the others, two threads."
echo
echo "| measurement | posterior | PSNR of the mean | PSNR of samples | SSIM of the mean | inside 95 % | seconds a sample |"
echo "| --- | --- | --- | --- | --- | --- | --- |"
set -- --threads 2
for i in 0 1 2; do set -- "$@" --set "run.[$i].seconds=$seconds.0" --set "run.[$i].data.files=$mnist/train-images-idx3-ubyte.gz"; done
for i in 3 4 5; do set -- "$@" --set "run.[$i].truth.files=$mnist/t10k-images-idx3-ubyte.gz"; done
"$B/umbra" run pipelines/digits-amortized.cfg -o "$T/run" --resume --quiet "$@" || status=1
for what in noisy small blurred; do
	for how in $what noise2score dmps dps dpi; do
		cell=$T/run/$what/digits+$how
		[ -r "$cell/metrics.json" ] || continue
		row "$what | $how" "$cell" psnr_mean psnr_samples ssim_mean coverage_95 | tr -d '\n'
		awk -v s="$(number seconds "$cell")" -v n="$(number samples "$cell")" 'BEGIN { printf " %.2g |\n", s / n }'
	done
done
exit $status
