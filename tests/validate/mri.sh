# SPDX-License-Identifier: GPL-3.0-or-later
# Magnetic resonance from few samples under learned priors, beside total variation of umbra and of BART.
. tests/validate/lib.sh.inc
mnist=$data/mnist/t10k-images-idx3-ubyte.gz
[ -r "$mnist" ] || skip "no MNIST in $data (set UMBRA_TEST_DATA)"
problems="digit4 digit8 digit16 scene4 scene8 scene16"
set --
for i in 0 1 2; do set -- "$@" --set "run.[$i].truth.files=$mnist"; done
"$B/umbra" run pipelines/mri.cfg -o "$T/run" --quiet "$@" || status=1

# bart_can: where BART and numpy are here, and what BART makes of all of k-space is the image, whatever the conventions.
bart_py() { /usr/bin/python3 tests/validate/bart.py "$@"; }
# simulate PROBLEM TRUTH OUT [SETTING...]: measurements without noise.
simulate() {
	made=$T/$3.run stage="run=({ stage = \"simulate\"; forward = \"$1\"; truth = $2; })" file=$T/$3
	shift 3
	"$B/umbra" run pipelines/mri.cfg -o "$made" --quiet --set "$stage" "$@" && cp "$made/simulate"/*/measurements.fits "$file.fits"
}
# frequencies PROBLEM FOLDER [SETTING...]: which its samples are.
frequencies() {
	problem=$1 folder=$2
	shift 2
	mkdir -p "$T/$folder"
	bart_py deltas 32 32 "$T/$folder"
	for d in d00 d10 d01; do
		simulate "$problem" "\"$T/$folder/${d}_truth.fits\"" "$folder/$d" --set "forward.$problem.sigma=1e-12" "$@" || return 1
	done
}
bart_can() {
	command -v bart >"$T/where" && /usr/bin/python3 -c 'import numpy, astropy' 2>"$T/why" || return 1
	all="--set forward.scene4.sigma=1e-12 --set forward.scene4.pattern=random --set forward.scene4.acceleration=1.0"
	frequencies scene4 whole $all && simulate scene4 '{ prior = "shapes"; seed = 4; }' all $all || return 1
	bart_py write "$T/whole" "$T/all.fits" "$T/k"
	bart fft -u -i 3 "$T/k" "$T/image"
	bart_py figures "$T/image" "$T/all.run/simulate/scene4/truth.fits" | awk '{ exit !($3 < 1e-5) }'
}

echo "# Magnetic resonance from few samples"
echo
echo "\`pipelines/mri.cfg\`: 1/4, 1/8 and 1/16 of the k-space of 32 x 32 pixels, Poisson discs, noise of 0.01; a digit of the test"
echo "set under $(weights digits-32), a scene under ring-32 (Feng & Bouman 2023, fig. 6, in miniature: ten knees of 64 x 64 pixels, where samples of"
echo "dpi have 2.7 to 8.5 dB more than those of the samplers). The samplers: 16 samples each, weights near the best of three at 1/8 for"
echo "another digit and another scene. dpi: a Gaussian with independent pixels under the evidence lower bound, from the mean image of dps"
echo "on, 128 samples; the mean of 16 keeps a sixteenth of their variance, of 128 hardly any, which is in the column of the mean."
echo "The last column: pixels whose truth is within three standard deviations of the mean (the paper: 96 % at 1/16, 99 % at 1/4)."
echo
echo "| problem | method | PSNR of the mean | PSNR of samples | SSIM of the mean | chi2 of the mean | within 3 sd | seconds |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- |"
bart=yes
bart_can || bart=
for p in $problems; do
	case $p in digit*) prior=digits ;; *) prior=ring ;; esac
	for i in dpi dps ald proj; do
		row "$p | $i" "$T/run/$p/$prior+$i" psnr_mean psnr_samples ssim_mean chi2_mean coverage_3sd seconds
	done
	row "$p | tv" "$T/run/$p/tv+map" psnr_mean psnr_samples ssim_mean chi2_mean coverage_3sd seconds | sed 's/| 0.000 |\( [^|]* |\)$/| - |\1/'
	if [ -n "$bart" ] && frequencies "$p" "at$p"; then
		bart_py write "$T/at$p" "$T/run/simulate/$p/measurements.fits" "$T/k"
		OMP_NUM_THREADS=1 bart pics -d0 -w 1 -i 1000 -u 0.1 -c -R T:3:0:0.002 "$T/k" "$T/k_one" "$T/image"
		psnr=$(bart_py figures "$T/image" "$T/run/simulate/$p/truth.fits" | cut -d' ' -f1)
		echo "| $p | tv, BART | $psnr | $psnr | - | - | - | - |"
	fi
done
echo
if [ -n "$bart" ]; then
	echo "BART is $(bart version), \`bart pics -c -R T:3:0:0.002\`: the weight of tv times the variance of the noise, so that both minimise the"
	echo "same but for the rounding of umbra's corners (epsilon) and BART's periodic edges. Of all of k-space without noise"
	echo "\`bart fft -u -i\` makes the image to rounding."
else
	echo "BART with numpy and astropy is not here (Debian packages bart, python3-astropy), so that its total variation is left out."
fi
echo
# lead WHAT OF: the least and the most by which dpi is ahead of OF.
lead() {
	for p in $problems; do
		case $p in digit*) prior=digits ;; *) prior=ring ;; esac
		number "$1" "$T/run/$p/$prior+dpi" && number "$1" "$T/run/$p/$prior+$2"
	done | paste - - | awk '{ d = $1 - $2; if (NR == 1 || d < lo) lo = d; if (NR == 1 || d > hi) hi = d }
		END { printf "%.1f to %.1f", lo, hi }'
}
echo "dB by which dpi is ahead:"
echo
echo "| of | samples | means |"
echo "| --- | --- | --- |"
for i in dps ald proj; do
	echo "| $i | $(lead psnr_samples $i) | $(lead psnr_mean $i) |"
done
echo
echo "From the moments of the prior alone dpi ended up to 8 dB behind dps at 1/8 and 1/16, in another optimum of the bound."
exit $status
