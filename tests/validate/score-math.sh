# SPDX-License-Identifier: GPL-3.0-or-later
# Diffusions as densities: solvers, probes, the toy from five seeds, a known Gaussian posterior.
. tests/validate/lib.sh.inc
make --no-print-directory "$B/tests/unit/test_probflow" "$B/tests/unit/test_dpi_flow" >/dev/null
echo "# Densities of diffusions whose score is known"
echo
echo "Made by \`make validate\`. log p of 16 x 16 pixels (power-law spectrum, 0.01 on the diagonal), sixteen draws,"
echo "against a solution with errors of 1e-7, which \`test_probflow\` holds against closed forms; then log p of the"
echo "first draw with 1 to 128 probes of the trace, 200 times (signs; the mean and Gaussian probes beside it)."
echo "The score sees images in float32: tolerances below 1e-7 gain nothing and cost many rejected steps."
echo
UMBRA_BUILD=$B "$B/tests/unit/test_probflow" tables >"$T/tables" 2>&1 || status=1
grep -e '^|' -e '^log p' -e '^$' "$T/tables" | sed '/^$/d; s/^log p/\nlog p/; s/^| probes/\n| probes/'
echo
echo "## The toy"
echo
echo "\`pipelines/toy2d.cfg\`, a RealNVP fitted with the diffusion's density (paper: KL 0.030) and with its bound"
echo "(64 draws of t; paper: 0.037), one thread: KL of a mixture fitted to 10^4 samples, weight of a mode, seconds a step."
echo
echo "| prior | seed | KL, weight (0.696) | seconds a step |"
echo "| --- | --- | --- | --- |"
for prior in diffusion bound; do
	for seed in 1 2 3 4 5; do
		"$B/umbra" run pipelines/toy2d.cfg -o "$T/$prior$seed" --threads 1 --quiet --set seed=$seed \
			--only "line/$prior+flow" || status=1
		cell=$T/$prior$seed/line/$prior+flow
		"$B/tests/unit/test_dpi_flow" samples "$cell/samples.fits" >"$T/kl"
		cat "$T/kl" >>"$T/$prior.kl"
		echo "| $prior | $seed | $(cat "$T/kl") |" "$(echo "$(number seconds "$cell") $(number steps "$cell")" | awk '{ printf "%.3f", $1 / $2 }') |"
	done
	awk -v prior=$prior '{ sum += $2 } END { printf "| %s | mean of %d | %.4f | |\n", prior, NR, sum / NR }' "$T/$prior.kl"
done
echo
echo "## A Gaussian posterior"
echo
echo "\`pipelines/gauss-deblur.cfg\` with 8192 samples: posterior mean (root mean square, in standard deviations of the"
echo "prior; at most 5 %) and standard deviations of pixels (median; at most 10 %) against exact samples."
echo
echo "| prior | mean off by | deviations off by | seconds |"
echo "| --- | --- | --- | --- |"
"$B/umbra" run pipelines/gauss-deblur.cfg -o "$T/deblur" --quiet --set 'run.[1].samples=8192' \
	--set 'run.[2].samples=8192' || status=1
for prior in field diffusion bound; do
	cell=$T/deblur/blurred/$prior+dpi
	echo "| $prior | $("$B/tests/unit/test_dpi_flow" moments "$T/deblur/blurred/field+exact/samples.fits" \
		"$cell/samples.fits" 0.2236) | $(number seconds "$cell" | awk '{ printf "%.0f", $1 }') |"
done
exit $status
