# SPDX-License-Identifier: GPL-3.0-or-later
# Evidence and calibration where both are known.
. tests/validate/lib.sh.inc
echo "# Evidence and calibration"
echo
echo "\`pipelines/evidence.cfg\`: log p(y) under Gaussian priors of five widths (the truth has 0.2): in closed form, and from 512 samples of"
echo "a fitted law: a lower bound, and by importance sampling with its standard error and the Pareto k of the weights."
echo
echo "| width | closed form | lower bound | by importance | error | k |"
echo "| --- | --- | --- | --- | --- | --- |"
"$B/umbra" run pipelines/evidence.cfg -o "$T/evidence" --quiet --jobs 1 || status=1
for width in 0.05 0.1 0.2 0.4 0.8; do
	exact=$T/evidence/blurred/field+exact@priors.field.sigma=$width dpi=$T/evidence/blurred/field+dpi@priors.field.sigma=$width
	for key in exact:log_evidence_is dpi:log_evidence_lower dpi:log_evidence_is dpi:log_evidence_is_se dpi:pareto_k; do
		case $key in exact:*) number "${key#*:}" "$exact" ;; *) number "${key#*:}" "$dpi" ;; esac
	done | tr '\n' ' ' | awk -v w="$width" '{ d = $1 - $3; printf "| %s | %.3f | %.3f | %.3f | %.3f | %.2f |\n", w, $1, $2, $3, $4, $5
		exit $5 < 0.7 && d * d > 16 * $4 * $4 + 1e-4 }' || status=1
done
echo
echo "\`pipelines/calibrate.cfg\` (100 replicates), then with truths of twice the width, noise of twice the size, and a fit that ends too early:"
echo
"$B/umbra" run pipelines/calibrate.cfg -o "$T/right" --quiet || status=1
"$B/umbra" run pipelines/calibrate.cfg -o "$T/wrong" --quiet \
	--set 'inference.early={ plugin = "dpi"; warm = "none"; steps = 20; average = 5; sd = 0.05; elbo_draws = 0; batch = 8; }' \
	--set 'run=( { stage = "calibrate"; forward = "blurred"; prior = "field"; inference = "exact"; truths = "wide"; name = "truths"; },
	{ stage = "calibrate"; forward = "blurred"; prior = "field"; inference = "exact"; simulate = "noisier"; name = "noise"; },
	{ stage = "calibrate"; forward = "blurred"; prior = "field"; inference = "early"; name = "early"; } )' 2>"$T/err"
[ $? = 1 ] || status=1
echo "| calibration | verdict | reason |"
echo "| --- | --- | --- |"
for folder in "$T"/right/calibrate/* "$T"/wrong/calibrate/*; do
	word=$(sed -n 's/.*"verdict": *"\(.*\)".*/\1/p' "$folder/verdict.json")
	case $folder:$word in */right/*:PASS|*/right/*:WARN|*/wrong/*:FAIL) ;; *) status=1 ;; esac
	echo "| $(basename "$folder") | $word | $(sed -n 's/.*"reason": *"\(.*\)".*/\1/p' "$folder/verdict.json") |"
done
exit $status
