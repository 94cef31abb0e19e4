# SPDX-License-Identifier: GPL-3.0-or-later
# Amortized sampling at full size: 64 numbers, two modes, a field with gaps, seconds a step.
. tests/validate/lib.sh.inc
make --no-print-directory "$B/tests/unit/full_cnf" >/dev/null
case_of() { # NAME
	UMBRA_BUILD=$B UMBRA_LOG=error "$B/tests/unit/full_cnf" "$1" >"$T/$1" 2>&1 || status=1
	grep '^|' "$T/$1"
	echo
}
echo "# Amortized sampling"
echo
echo "\`cnf\` with defaults but for what is said, trained on simulated measurements, on one core of"
echo "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)."
echo
echo "64 numbers, 48 measurements of them, Gaussian prior; 200 unseen measurements, 1000 samples each, against the closed form"
echo "(\`steps = 1500\`, \`rate = 0.002\`). Errors of means in units of the prior's standard deviation (at most 0.08), of standard"
echo "deviations relative to the exact ones (at most 0.15), root mean square; coordinates of which ranks of the truth are uniform"
echo "(p > 0.01; at least 95 %); alarms are expected for 3 of 200."
echo
echo "| mean | sd | worst sd | uniform ranks | Pareto k | ESS | alarms | held-out loss | seconds to train | draws a second |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
case_of gaussian
echo "The two modes of \`pipelines/toy2d.cfg\` with 21 measurements from -1 to 1, trained on 441 of them (\`steps = 3000\`, \`couplings = 16\`,"
echo "\`hidden = 32\`): largest error of the weight of a mode (at most 0.05), least effective share of draws."
echo
echo "| weight | ESS | seconds to train |"
echo "| --- | --- | --- |"
case_of toy
echo "A Gaussian field on 642 vertices of a sphere (angular spectrum (9 + l^2)^-2, mean 0.5, standard deviation 0.2), noise of 0.05 at what is"
echo "seen, other vertices hidden in every measurement, in training too; \`summary = wiener\`, 8 couplings, 100 steps. 20 unseen measurements"
echo "a row, 128 samples each: PSNR (of 1) of the closed-form mean, of the mean of the samples and of one sample; by how much the mean is"
echo "behind (at most 1 dB told, 1.5 blind); truths inside the middle 95 % of samples. Blind, one flow has no mask and no share of it."
echo
echo "| problem | closed form | mean of 128 | one sample | dB behind | inside 95 % | seconds to train | draws a second |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- |"
case_of sphere
echo "Seconds of the quickest step of 64 draws at 32 x 32 pixels, 48 couplings of width 128, with a measurement of all pixels as the condition"
echo "and without (\`dpi\`); the whole step with a score network is to stay below 1.25 times."
echo
echo "| step | with | without | ratio |"
echo "| --- | --- | --- | --- |"
case_of steps
exit $status
