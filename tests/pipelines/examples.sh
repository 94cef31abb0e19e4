# SPDX-License-Identifier: GPL-3.0-or-later
# Every example pipeline runs at a tiny size: settings in tests/pipelines/tiny/NAME.
. tests/pipelines/lib.sh.inc
for f in pipelines/*.cfg; do
	name=$(basename "$f" .cfg)
	set --
	if [ -f "tests/pipelines/tiny/$name" ]; then
		while read -r line; do
			case $line in ''|'#'*) ;; *) set -- "$@" --set "$line" ;; esac
		done <"tests/pipelines/tiny/$name"
	fi
	status 0 "$UMBRA" run "$f" "$@" -o "$T/$name" --quiet
	there "$T/$name/report.html" "$T/$name/run.json" "$T/$name/pipeline.cfg"
	for cell in "$T/$name"/*/*+*; do
		case $cell in */calibrate/*)
			there "$cell/verdict.json" "$cell/ranks.csv" "$cell/coverage.csv" "$cell/tarp.csv" "$cell/figures/ranks.png"
			continue ;;
		esac
		there "$cell/samples.fits" "$cell/mean.fits" "$cell/std.fits" "$cell/metrics.json" "$cell/figures/mean.png"
	done
	for fits in "$T/$name"/*/*/*.fits; do
		[ -e "$fits" ] || continue # calibrations keep none
		fitsverify -q "$fits" | grep -q 'verification OK' || { fitsverify "$fits"; bad=1; }
	done
	# Windows of SSIM need rows and columns.
	for metrics in "$T/$name"/*/*+*/metrics.json; do
		[ -e "$metrics" ] && grep -q '"psnr_mean"' "$metrics" || continue
		grep -q surface "pipelines/$name.cfg" && mesh=1 || mesh=0
		[ $((mesh + $(grep -c '"ssim_mean"' "$metrics"))) = 1 ] || { echo "SSIM: $metrics"; bad=1; }
	done
	if grep -rl -e 'nan' -e 'inf,' "$T/$name" --include=metrics.json; then bad=1; fi
done
python=
for p in python3 /usr/bin/python3; do
	[ -z "$python" ] && $p -c 'import astropy' 2>/dev/null && python=$p
done
if [ -n "$python" ]; then
	$python - "$T/lowfreq/blurred/field+exact/samples.fits" <<-'P' || bad=1
	import sys
	from astropy.io import fits
	with fits.open(sys.argv[1]) as f:
	    assert len(f) == 1 and f[0].data.dtype.name == "float32" and f[0].data.ndim == 3, f.info()
	P
else
	echo "SKIPPED: astropy is not there to open the cubes"
fi
exit $bad
