# SPDX-License-Identifier: GPL-3.0-or-later
# Amortized sampling at full size: 64 numbers, two modes, seconds a step.
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
echo "There training starts at the regression of truths on measurements, which is the closed form of such a problem; from the prior (\`steps = 6000\`):"
echo
echo "| mean | sd | worst sd | uniform ranks | Pareto k | ESS | alarms | held-out loss | seconds to train | draws a second |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
UMBRA_BUILD=$B UMBRA_LOG=error "$B/tests/unit/full_cnf" gaussian start=prior steps=6000 2>&1 | grep '^|' # no limit is known to hold
echo
echo "8 x 8 pixels of white noise with measurement noise of a level between 0.1 and 0.5 that the flow is not told (\`blind\`), against the"
echo "closed form, which is not told either (mixture over levels; \`steps = 6000\`): errors as above (each at most 0.15)."
echo
echo "| mean | sd | seconds to train |"
echo "| --- | --- | --- |"
case_of blind
echo "The same pixels blurred by a Gaussian of a width between 0.7 and 1.5 pixels that the flow is not told, noise of 0.05, against the"
echo "mixture over widths:"
echo
echo "| mean | sd | seconds to train |"
echo "| --- | --- | --- |"
case_of width
echo "The two modes of \`pipelines/toy2d.cfg\` with 21 measurements from -1 to 1, trained on 441 others (\`steps = 4000\`, \`batch = 256\`,"
echo "\`couplings = 16\`, \`hidden = 32\`): largest error of the weight of a mode (at most 0.05), least effective share of draws."
echo
echo "| weight | ESS | seconds to train |"
echo "| --- | --- | --- |"
case_of toy
echo "Seconds of the quickest step of 64 draws at 32 x 32 pixels, 48 couplings of width 128, with a measurement of all pixels as the condition"
echo "and without (\`dpi\`); the whole step with a score network is to stay below 1.25 times."
echo
echo "| step | with | without | ratio |"
echo "| --- | --- | --- | --- |"
case_of steps
exit $status
