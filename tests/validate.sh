#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Slow comparisons with references; writes share/results/. $1 is the build folder.
B=${1:-build}
data=${UMBRA_TEST_DATA:-../shared/data}
out=share/results
mkdir -p "$out"
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
status=0

# The ring of M87 over two orders of entropy weight.
uv=$data/eht/SR1_M87_2017_095_lo_hops_netcal_StokesI.uvfits
if [ -r "$uv" ]; then
	make --no-print-directory "$B/tests/unit/test_ring" >/dev/null
	{
		echo "# M87*, 5 April 2017, against the weight of the entropy"
		echo
		echo "\`make validate\` runs \`pipelines/m87.cfg\` on the public file for several entropy weights."
		echo "An independent float64 code with L-BFGS reached 38.9-40.5 uas, chi2 0.7-1.4 (closure phases)"
		echo "and 1.4-1.7 (log closure amplitudes) over a factor 10 of weights."
		echo
		echo "| entropy weight | cell | diameter (uas) | scatter | brighter at (deg) | chi2 cphase | chi2 logcamp | flux (Jy) |"
		echo "| --- | --- | --- | --- | --- | --- | --- | --- |"
		for w in 0.1 0.3 0.5 1.0 2.0; do
			"$B/umbra" run pipelines/m87.cfg -o "$T/$w" --quiet --set "forward.eht.uvfits=$uv" \
				--set "priors.ring.[1].weight=$w" --set 'run.[0].priors=["ring"]' \
				--set 'run.[0].inference=["map", "dpi"]' || status=1
			for c in ring+map ring+dpi; do
				m=$T/$w/eht/$c/metrics.json
				get() { sed -n "s/.*\"$1\": *\([-0-9.e+]*\).*/\1/p" "$m" | awk '{ printf "%.2f", $1 }'; }
				ring=$("$B/tests/unit/test_ring" "$T/$w/eht/$c/mean.fits" |
					sed 's/.*: diameter \([0-9.]*\) uas, scatter \([0-9.]*\), brighter at \([0-9]*\).*/\1 | \2 | \3/')
				echo "| $w | $c | $ring | $(get chi2_cphase_mean) | $(get chi2_logcamp_mean) | $(get flux_mean) |"
			done
		done
	} >"$T/m87.md"
	mv "$T/m87.md" "$out/m87.md"
	cat "$out/m87.md"
else
	echo "SKIPPED: no M87 data in $data (set UMBRA_TEST_DATA)"
fi

# Flows at full size: two modes from five seeds, 64 correlated numbers.
make --no-print-directory "$B/tests/unit/test_dpi_flow" >/dev/null
{
	echo "# dpi with a flow"
	echo
	echo "The posterior of two modes of \`pipelines/toy2d.cfg\`, five seeds, defaults of \`family = \"realnvp\"\`"
	echo "with one fit each: KL of a mixture of two Gaussians fitted to 10^4 samples (at most 0.03), weight of the"
	echo "first mode (within 0.06)."
	echo
	UMBRA_BUILD=$B "$B/tests/unit/test_dpi_flow" toy seeds=1 >"$T/toy" 2>&1 || status=1
	grep '^|' "$T/toy"
	echo
	echo "A Gaussian posterior, 10^5 samples (mean within 0.03, covariance within 0.1 by the Frobenius norm):"
	echo
	UMBRA_BUILD=$B "$B/tests/unit/test_dpi_flow" gaussian >"$T/gaussian" 2>&1 || status=1
	grep 'numbers:' "$T/gaussian"
} >"$out/flow.md"
cat "$out/flow.md"

# Diffusions as densities: solvers, probes, the toy from five seeds, a known Gaussian posterior.
make --no-print-directory "$B/tests/unit/test_probflow" >/dev/null
number() { sed -n "s/.*\"$1\": *\([-0-9.e+]*\).*/\1/p" "$2/metrics.json"; }
{
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
			echo "| $prior | $seed | $("$B/tests/unit/test_dpi_flow" samples "$cell/samples.fits") |" \
				"$(echo "$(number seconds "$cell") $(number steps "$cell")" | awk '{ printf "%.3f", $1 / $2 }') |"
		done
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
} >"$out/score-math.md"
cat "$out/score-math.md"

# Learned densities against the one that they learned.
make --no-print-directory "$B/tests/unit/test_score_learned" "$B/tests/plugins/score_output.so" >/dev/null
{
	echo "# A density, learned"
	echo
	echo "Made by \`make validate\`: the network of \`share/weights/gauss-16.safetensors\` against the Gaussian of 16 x 16"
	echo "pixels that it learned (\`share/weights/gauss-16.cfg\`). \`test_score_learned tables WHAT\` makes one table."
	echo
	for what in errors densities gradients solvers probes; do
		case $what in
		errors) echo "Error of the score, root mean square, relative to the score:" ;;
		densities) echo "log p by the equation (64 probes, dopri5) against the known one (Feng et al. 2023, fig. 2):" ;;
		gradients) echo "Its gradient (4 probes), and the output of the network at the first time (fig. 3):" ;;
		solvers) echo "KL(q, p) of 512 samples by the equation, log q by the same solver with one probe (supplement, table 1):" ;;
		probes) echo "log p of one image against the number of probes, 50 trials (supplement, fig. 1):" ;;
		esac
		echo
		UMBRA_BUILD=$B "$B/tests/unit/test_score_learned" tables $what | grep '^|' || status=1
		echo
	done
	echo "## The posterior (fig. 5)"
	echo
	echo "\`pipelines/gauss-learned.cfg\` with 8192 samples: posterior mean (root mean square, in standard deviations of the"
	echo "prior; at most 10 %) and standard deviations of pixels (median; at most 20 %) against exact samples; \`output\` takes"
	echo "the network's output at the first time for the gradient of log p (\`tests/plugins/score_output.c\`)."
	echo
	echo "| prior | mean off by | deviations off by | seconds |"
	echo "| --- | --- | --- | --- |"
	mkdir -p "$T/plugins/priors"
	ln -s "$(cd "$B" && pwd)/tests/plugins/score_output.so" "$T/plugins/priors/"
	sed 's/"field", "learned"/"field", "learned", "output"/; s/^  learned = .*/&\n  output = { plugin = "score_output"; model = "share:weights\/gauss-16.safetensors"; };/' \
		pipelines/gauss-learned.cfg >"$T/output.cfg"
	UMBRA_PLUGIN_PATH=$T/plugins: "$B/umbra" run "$T/output.cfg" -o "$T/output" --quiet \
		--set 'run.[1].samples=8192' --set 'run.[2].samples=8192' || status=1
	for prior in field learned output; do
		cell=$T/output/blurred/$prior+dpi
		echo "| $prior | $("$B/tests/unit/test_dpi_flow" moments "$T/output/blurred/field+exact/samples.fits" \
			"$cell/samples.fits" 0.2236) | $(number seconds "$cell" | awk '{ printf "%.0f", $1 }') |"
	done
} >"$out/score-learned.md"
cat "$out/score-learned.md"

# Samplers of diffusion priors: the toy, biases in 64 dimensions, cost.
make --no-print-directory "$B/tests/unit/test_samplers" >/dev/null
{
	echo "# Samplers of diffusion priors"
	echo
	echo "Made by \`make validate\`. The two-dimensional toy, 10^4 samples, five seeds averaged, KL of a fitted mixture (paper,"
	echo "best weights: DPS 0.064, ALD 0.10, SDE+Proj 0.12; perfect samples 0.0006). Weights are the key that is named."
	echo
	UMBRA_BUILD=$B "$B/tests/unit/test_samplers" toy 5 >"$T/samplers" 2>&1 || status=1
	grep '^|' "$T/samplers"
	echo
	echo "## What each gets wrong"
	echo
	echo "Images of 8 x 8 pixels under a Gaussian with a power spectrum and under a mixture of two, 1000 samples: the mean"
	echo "against that of exact samples, in standard deviations of the posterior, and the ratio of summed variances; the best"
	echo "of the weights that were tried. dmps takes the prior as flat about the noisy image: too narrow where the data are"
	echo "noisy, and with deterministic steps (flow) without any width in what they see. dps forgets that the clean image is"
	echo "not certain, pigdm and ot-ode give it one variance in all directions (as the score, for a white prior of that"
	echo "variance, pigdm is exact); pigdm with the paper's weight is too narrow in many steps. mcg and sde-proj take the data as"
	echo "free of noise, ald is exact where steps are many and small."
	echo
	UMBRA_BUILD=$B "$B/tests/unit/test_samplers" gaussian >"$T/samplers" 2>&1 || status=1
	grep '^|' "$T/samplers"
	echo
	echo "## Cost"
	echo
	echo "\`umbra bench samplers\` on $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) cores (paper of dmps: dps 2.9"
	echo "and pigdm 2.7 times its time):"
	echo
	"$B/umbra" bench samplers | sed 's/^/    /'
} >"$out/samplers.md"
cat "$out/samplers.md"

# The cost of a step under a learned prior.
{
	echo "# Seconds a step under a learned prior"
	echo
	echo "\`tests/bench/prior_steps\` on $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) cores, in one run:"
	echo "dpi with independent Gaussian pixels, 64 draws a step, networks of width 32 that are not trained (Feng & Bouman"
	echo "2023, table 1, on four A6000 with 64 draws for the surrogate and 32 for the exact density: 0.029 and 19.5 s at 16"
	echo "pixels, 0.038 and 41.9 at 32, 0.090 and 123 at 64, 0.294 at 128, 1.115 at 256)."
	echo
	UMBRA_BUILD=$B tests/bench/prior_steps || status=1
} >"$out/prior-steps.md"
cat "$out/prior-steps.md"

# One night under hand-made and learned priors; fewer stations; the real M87.
row() { # CELL FOLDER KEY...
	printf '| %s |' "$1"
	folder=$2
	shift 2
	for key in "$@"; do
		printf ' %s |' "$(number "$key" "$folder" | awk '{ f = ($1 >= 100) ? "%.0f" : ($1 >= 10) ? "%.1f" : "%.3f"; printf f, $1 }')"
	done
	echo
}
{
	echo "# Black holes under learned priors"
	echo
	echo "Made by \`make validate\`. \`pipelines/eht-priors.cfg\`: a simulated night of the 2017 array, complex visibilities with"
	echo "thermal noise, a draw of \`geometric\`; of five weights of tv the report takes the one with the best PSNR among those"
	echo "whose reduced chi-square is below 1.2."
	echo
	echo "| cell | PSNR of the mean | SSIM | PSNR of samples | chi2 of the mean | chi2 of samples | inside 68 % | inside 95 % | seconds |"
	echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
	"$B/umbra" run pipelines/eht-priors.cfg -o "$T/priors" --quiet || status=1
	for cell in all/tv03+map_dpi all/tv1+map_dpi all/tv3+map_dpi all/tv10+map_dpi all/tv30+map_dpi all/pca+dpi all/flow+dpi \
		all/ring+dpi five/ring+dpi three/ring+dpi all/density+few; do
		row $cell "$T/priors/$cell" psnr_mean ssim_mean psnr_samples chi2_vis_mean chi2_vis_samples coverage_68 coverage_95 \
			seconds
	done
	echo
	echo "The exact density (\`density\`) made $(number steps "$T/priors/all/density+few") steps of 4 draws with one probe in" \
		"the time that is stated, the bound $(number steps "$T/priors/all/ring+dpi") of 16 draws."
	if [ -r "$uv" ]; then
		echo
		echo "M87 on 5 April 2017, \`pipelines/m87-learned.cfg\` (compact: tv times entropy, entropy of the law a tenth):"
		echo
		echo "| cell | diameter (uas): 16 %, median, 84 % | | | width (uas) | brighter at (deg): 16 %, median, 84 % | | | chi2 amp | chi2 cphase | chi2 logcamp | flux (Jy) |"
		echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
		"$B/umbra" run pipelines/m87-learned.cfg -o "$T/m87l" --quiet --set "forward.eht.uvfits=$uv" \
			--set "forward.closures.uvfits=$uv" || status=1
		for cell in eht/compact+map_dpi eht/learned+dpi closures/learned+dpi; do
			row $cell "$T/m87l/$cell" ring_diameter_uas_p16 ring_diameter_uas_p50 ring_diameter_uas_p84 ring_width_uas_p50 \
				ring_orientation_deg_p16 ring_orientation_deg_p50 ring_orientation_deg_p84 chi2_amp_mean chi2_cphase_mean \
				chi2_logcamp_mean flux_mean
		done
	fi
} >"$out/eht-learned.md"
cat "$out/eht-learned.md"
if [ -n "$KEEP" ]; then
	cp -r "$T/priors" "$T/m87l" "$KEEP"/
fi

# Speed of the instrument.
{
	echo "# Speed of chi-square and gradient"
	echo
	echo "\`umbra bench eht\` on $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) cores:"
	echo
	"$B/umbra" bench eht | sed 's/^/    /'
} >"$out/bench-eht.md"
cat "$out/bench-eht.md"

# Speed of networks, beside PyTorch where it is.
{
	echo "# Speed of networks"
	echo
	echo "\`tests/bench/compare_torch\` on $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) cores:"
	echo "the network of torch_unet.py in PyTorch and in umbra, in turn, milliseconds."
	echo
	UMBRA_BUILD=$B tests/bench/compare_torch --rounds 3 --seconds 1 | sed 's/^/    /'
} >"$T/bench-nn.md"
if grep -q ratio "$T/bench-nn.md"; then
	mv "$T/bench-nn.md" "$out/bench-nn.md"
	cat "$out/bench-nn.md"
else
	echo "SKIPPED: no comparison with PyTorch ($(sed -n 's/^    //p' "$T/bench-nn.md" | head -1))"
fi
exit $status
