# SPDX-License-Identifier: GPL-3.0-or-later
# Samplers of a diffusion prior, a fitted posterior and total variation on inverse problems of held-out digits. DIGITS has
# other images of the test set, e.g. to choose weights by; FITS those for which dpi, which takes longest, is fitted as well.
. tests/validate/lib.sh.inc
t10k=$data/mnist/t10k-images-idx3-ubyte.gz
[ -r "$t10k" ] || skip "no MNIST in $data (set UMBRA_TEST_DATA)"
digits=${DIGITS:-0 1 2 3 4 5 6 7 8 9}
fits=${FITS-$digits}
forwards="denoise05 denoise02 superres4 superres2 uniform gaussian inpaint lowfreq mri grey"
cells="digits+dmps digits+dmps-flow digits+dps digits+dps-flow digits+pigdm digits+ot-ode digits+ald digits+mcg
	digits+noise2score digits+dpi tv+map"
quick='["dmps", "dmps-flow", "dps", "dps-flow", "pigdm", "ot-ode", "ald", "mcg"'
# run PIPELINE FOLDER MEASUREMENTS MORE: of $digit; MORE goes with the quick ones. Exit status 1 is a cell that fails, which
# the table says.
run() {
	pipeline=$1 to=$2 n=$3 list="$quick$4]" i=0
	set --
	while [ "$i" -lt "$n" ]; do
		set -- "$@" --set "run.[$i].truth.files=$t10k" --set "run.[$i].truth.index=$digit"
		case " $fits " in *" $digit "*) ;; *) set -- "$@" --set "run.[$((n + 2 * i))].inference=$list" ;; esac
		i=$((i + 1))
	done
	"$B/umbra" run "$pipeline" -o "$to" --jobs 1 --quiet "$@"
	[ $? -le 1 ] || status=1
}
for digit in $digits; do
	run pipelines/digits-inverse.cfg "$T/$digit" 9 ', "noise2score"'
	run pipelines/digits-colorize.cfg "$T/$digit-colour" 1 ""
done
# mean KEY FORWARD CELL: over the digits; nothing where no cell was, "fails" where one has.
mean() {
	for digit in $digits; do
		run=$T/$digit
		[ "$2" = grey ] && run=$T/$digit-colour
		[ -e "$run/$2/$3" ] || continue
		value=$([ -e "$run/$2/$3/metrics.json" ] && number "$1" "$run/$2/$3")
		echo "${value:-fails}"
	done | awk '$1 == "fails" { bad = 1 } { sum += $1 } END { if (bad) print "fails"; else if (NR) print sum / NR }'
}
# entry FORWARD CELL: of the table.
entry() {
	psnr=$(mean psnr_samples "$@")
	case $psnr in
	'') printf ' - |' ;;
	fails) printf ' fails |' ;;
	*) printf ' %.1f, %.2f, %.1f |' "$psnr" "$(mean ssim_samples "$@")" "$(mean seconds "$@")" ;;
	esac
}
# The numbers that were chosen, as the pipeline has them.
weights=$(sed -n 's/^  \([a-z0-9-]*\) = { plugin = .* \(weight\|gamma\) = \([0-9.]*\);.*/\1 \3/p' pipelines/digits-inverse.cfg |
	paste -sd, | sed 's/,/, /g')
cat <<END
# Inverse problems of handwritten digits

\`pipelines/digits-inverse.cfg\` and, for the last column, \`pipelines/digits-colorize.cfg\`: MNIST at 32 x 32 pixels with
$(weights digits-32), in colours $(weights digits-rgb-32), means over numbers $digits of the test set (dpi: $fits).
An entry is PSNR (dB) and SSIM of a sample, averaged over two, and seconds for these two ($(nproc) cores); of tv the
optimum, of dpi the samples of independent pixels. Noise is 0.05 except where a name says otherwise (denoise05: 0.5), for
lowfreq 1 on numbers of size 1 to 100. One weight for all problems, chosen on other digits:
$weights.

END
printf '| sampler |'
for f in $forwards; do printf ' %s |' "$f"; done
printf '\n| --- |'
for f in $forwards; do printf ' --- |'; done
echo
for c in $cells; do
	name=${c#digits+}
	[ "$c" = tv+map ] && name=tv
	printf '| %s |' "$name"
	for f in $forwards; do entry "$f" "$c"; done
	echo
done
cat <<END

Numbers 10 and 11 of the test set chose the weights, by PSNR behind the Gaussian blur and of half of the pixels, tv numbers
10 to 12 in all problems: the best of dmps 1, 1.75, 3 and 4, dmps-flow 1, 2 and 4, dps 1 and 2, dps-flow 0.3, 1 and 2,
pigdm 0.5 and 1, ald 0.5 and 1, tv 3, 6, 12 and 24; mcg, of 0.3, 1 and 3, by the latter problem alone (1 and 3 are alike).
There, dB averaged over both problems: pigdm 25.1, ald 24.1, dps-flow 24.0, ot-ode 23.2, dps 22.6, dmps 20.5 and dmps-flow 20.4.

- dmps takes the prior as flat about the noisy image, which tells it too little early on where data leave much open: some
  of its samples mix two ways to complete a digit. A thousand calls do not change that (20.9 dB behind the blur with 100 and
  with 1000); where data say most (denoising, k-space) it is as good as the others for a third of the time.
- ot-ode with the prior variance of 1 of the paper has 19.3 dB in place of 23.2: the range of a learned model is four standard
  deviations of its images, so that 1/16 is right, and a guidance that takes images as much wider is too weak.
- ald needs large steps (snr) on a grid of equal ratios: with the default step and 201 uniform times it has 12.3 dB.
- mcg takes data as free of noise: it gives the noise back in denoising, and behind a blur, whose pseudo-inverse makes noise
  large, its images are nonsense (uniform) or the cell fails (Gaussian).
- dpi has independent pixels: its samples have noise that those of the others lack. Its fits are short, 500 steps of four draws
  from the moments of the prior on, and the bound has several optima; mri.md starts them from the mean of a sampler.
END
exit $status
