# SPDX-License-Identifier: GPL-3.0-or-later
# Digits on a mesh, 30 % of the vertices hidden, by one flow and by dps.
. tests/validate/lib.sh.inc
mnist=$data/mnist
[ -r "$mnist/train-images-idx3-ubyte.gz" ] || skip "no MNIST in $data (set UMBRA_TEST_DATA)"
echo "# Digits on a mesh"
echo
echo "\`pipelines/mesh-digits.cfg\`: digits of the test set on the 1962 vertices of a bumpy surface, 30 % of them hidden, noise of 0.1; the prior"
echo "is a score network of dense layers that learned on the same mesh. \`cnf\` was trained on measurements, with other vertices hidden"
echo "every time, and is not told which. 128 samples, two threads. (No SSIM: its windows need rows and columns.)"
echo
echo "| digit | posterior | PSNR of the mean | PSNR of samples | inside 95 % | seconds a sample |"
echo "| --- | --- | --- | --- | --- | --- |"
set -- --threads 2
for i in 0 1; do set -- "$@" --set "run.[$i].data.files=$mnist/train-images-idx3-ubyte.gz"; done
for i in 2 3 4; do set -- "$@" --set "run.[$i].truth.files=$mnist/t10k-images-idx3-ubyte.gz"; done
"$B/umbra" run pipelines/mesh-digits.cfg -o "$T/run" --resume --quiet "$@" || status=1
for digit in seven two one; do
	for how in cnf dps; do
		cell=$T/run/$digit/digits+$how
		[ -r "$cell/metrics.json" ] || { echo "$digit/digits+$how is missing" >&2; status=1; continue; }
		row "$digit | $how" "$cell" psnr_mean psnr_samples coverage_95 | tr -d '\n'
		awk -v s="$(number seconds "$cell")" -v n="$(number samples "$cell")" 'BEGIN { printf " %.2g |\n", s / n }'
	done
done
echo
echo "The score network made $(whole steps "$T/run/train/digits") steps in $(whole seconds "$T/run/train/digits") s, the flow" \
	"$(whole steps "$T/run/train/cnf") in $(whole seconds "$T/run/train/cnf") s."
echo
echo "![Truths, means and standard deviations, front and back](amortized-mesh.png)"
cp "$T/run/compare/comparison.png" "$T/amortized-mesh.png"
exit $status
