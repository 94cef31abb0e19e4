# SPDX-License-Identifier: GPL-3.0-or-later
# Learned densities against the one that they learned.
. tests/validate/lib.sh.inc
make --no-print-directory "$B/tests/unit/test_score_learned" "$B/tests/unit/test_dpi_flow" "$B/tests/plugins/score_output.so" >/dev/null
echo "# A density, learned"
echo
echo "Made by \`make validate\`: the network of \`share/weights/gauss-16.safetensors\` against the Gaussian of 16 x 16"
echo "pixels that it learned (\`share/weights/gauss-16.cfg\`). \`test_score_learned tables WHAT\` makes one table."
echo
for what in errors densities gradients solvers probes; do
	case $what in
	errors) echo "Error of the score, root mean square, relative to the score:" ;;
	densities) echo "log p by the equation (64 probes, dopri5) against the known one (Feng et al. 2023, fig. 2):" ;;
	gradients) echo "Its gradient (32 probes in distribution, 4 out of it), and the output of the network at the first time, and in how many images each is the closer one (fig. 3):" ;;
	solvers) echo "KL(q, p) of samples by the equation (dopri5), log q by each solver with one probe (supplement, table 1):" ;;
	probes) echo "log p of one image against the number of probes, 50 trials (supplement, fig. 1):" ;;
	esac
	echo
	UMBRA_BUILD=$B "$B/tests/unit/test_score_learned" tables $what | grep '^|' || status=1
	echo
done
# The same for weights that were trained as in the paper (4 minutes), whose output at the first time is worse.
"$B/umbra" run share/weights/gauss-16.cfg -o "$T/uniform" --resume --quiet --threads 2 --set priors.gauss.law=uniform \
	--set priors.gauss.weighting=noise --set priors.gauss.least=0.00001 --set priors.gauss.train_steps=4500 || status=1
echo "Its gradient, and the output, of a network that was trained 4500 steps at uniform times with the noise's error weighted alike:"
echo
UMBRA_BUILD=$B "$B/tests/unit/test_score_learned" tables gradients "$T/uniform/train/gauss/gauss.safetensors" | grep '^|' || status=1
echo
echo "## The posterior (fig. 5)"
echo
echo "\`pipelines/gauss-learned.cfg\` with 8192 samples: posterior mean (root mean square, in standard deviations of the"
echo "prior; at most 10 %) and standard deviations of pixels (median; at most 20 %) against exact samples; \`output\` takes"
echo "the network's output at the first time for the gradient of log p (\`tests/plugins/score_output.c\`), \`least\` at 0.0005,"
echo "the least time that it learned."
echo
echo "| prior | mean off by | deviations off by | seconds |"
echo "| --- | --- | --- | --- |"
mkdir -p "$T/plugins/priors"
ln -s "$(cd "$B" && pwd)/tests/plugins/score_output.so" "$T/plugins/priors/"
sed 's/"field", "learned"/"field", "learned", "output", "least"/; s/^  learned = .*/&\n  output = { plugin = "score_output"; model = "share:weights\/gauss-16.safetensors"; };\n  least = { plugin = "score_output"; model = "share:weights\/gauss-16.safetensors"; times = [0.0005, 1.0]; };/' \
	pipelines/gauss-learned.cfg >"$T/output.cfg"
UMBRA_PLUGIN_PATH=$T/plugins: "$B/umbra" run "$T/output.cfg" -o "$T/output" --quiet \
	--set 'run.[1].samples=8192' --set 'run.[2].samples=8192' || status=1
for prior in field learned output least; do
	cell=$T/output/blurred/$prior+dpi
	echo "| $prior | $("$B/tests/unit/test_dpi_flow" moments "$T/output/blurred/field+exact/samples.fits" \
		"$cell/samples.fits" 0.2236) | $(number seconds "$cell" | awk '{ printf "%.0f", $1 }') |"
done
exit $status
