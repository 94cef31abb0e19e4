# SPDX-License-Identifier: GPL-3.0-or-later
# Nights of one array imaged by one flow, beside the exact posterior and dpi; and what it says of data of other kinds.
. tests/validate/lib.sh.inc
echo "# Nights of one array, imaged by one flow"
echo
echo "\`pipelines/eht-amortized.cfg\`: \`cnf\` learned from simulated nights of the array of 2017 (complex visibilities, thermal noise, geometric"
echo "scenes of 16 x 16 pixels, the prior of 64 principal components); new nights, 128 samples of each posterior, one thread. In \"off\" the"
echo "gain of LM is 50 % too high: the alarm has to be 1, else 0. Seconds are those of the posterior, of cnf (at most 0.1) with the alarm but"
echo "without importance weights (refine = 0). dpi: a Gaussian of independent pixels, 128 samples."
echo
echo "| posterior | seconds | chi-square of the mean | PSNR of the mean | inside 95 % | distance | at most | predictive chi-square | alarm |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
"$B/umbra" run pipelines/eht-amortized.cfg -o "$T/run" --resume --threads 1 --quiet || status=1
for cell in night/pca+exact night/pca+dpi night/pca+cnf next/pca+exact next/pca+dpi next/pca+cnf off/pca+exact off/pca+cnf; do
	row "$cell" "$T/run/$cell" seconds chi2_vis_mean psnr_mean coverage_95 condition_distance condition_distance_limit predictive_chi2 alarm |
		sed 's/|  |/| - |/g; s/|  |/| - |/g; s/| 0.000 |$/| 0 |/; s/| 1.000 |$/| 1 |/'
done
for is in night:0 next:0 off:1; do
	cell=$T/run/${is%:*}/pca+cnf
	number alarm "$cell" | awk -v want="${is#*:}" '{ exit $1 != want }' || status=1
	number seconds "$cell" | awk '{ exit !($1 < 0.1) }' || status=1
done
echo
echo "Data of another array (without SM) are refused:"
echo
if "$B/umbra" check pipelines/eht-amortized.cfg --set "inference.cnf.model=$T/run/train/cnf/cnf.safetensors" \
	--set "priors.pca.model=$T/run/train/pca/pca.safetensors" --set 'run=(
	{ stage = "simulate"; forward = "next"; truth = { prior = "shapes"; seed = 5; }; },
	{ stage = "infer"; forward = "next"; priors = ["pca"]; inference = ["cnf"]; samples = 8; })' \
	--set 'forward.next.flag_stations=["SM"]' 2>"$T/refusal"; then
	status=1
fi
sed 's/^.*: \(the model was\)/    \1/' "$T/refusal"
grep -q 'the model was trained for' "$T/refusal" || status=1
exit $status
