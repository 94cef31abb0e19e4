# SPDX-License-Identifier: GPL-3.0-or-later
# M87*, real data: with the compact prior a ring of 36 to 46 microarcseconds that is brighter in
# the south-east, closures fitted; with smoothness alone closures fitted, and no ring.
. tests/pipelines/lib.sh.inc
data=${UMBRA_TEST_DATA:-../shared/data}/eht/SR1_M87_2017_095_lo_hops_netcal_StokesI.uvfits
if [ ! -r "$data" ]; then
	echo "SKIPPED: no M87 data in $data (set UMBRA_TEST_DATA)"
	exit 0
fi
# within NAME VALUE LOW HIGH
within() {
	echo "$1 $2"
	awk -v v="$2" -v a="$3" -v b="$4" 'BEGIN { exit !(v >= a && v <= b) }' && return
	echo "$1 is $2, not between $3 and $4"
	bad=1
}
# metric CELL NAME: a figure of metrics.json.
metric() {
	sed -n "s/.*\"$2\": *\([-0-9.e+]*\).*/\1/p" "$T/m87/eht/$1/metrics.json"
}
status 0 "$UMBRA" run pipelines/m87.cfg -o "$T/m87" --quiet --set "forward.eht.uvfits=$data" \
	--set 'run.[0].inference=["map", "dpi"]'
for cell in ring+map ring+dpi smooth+map; do
	most=1
	case $cell in ring*) most=1.5 ;; esac
	within "$cell: chi2 of closure phases" "$(metric $cell chi2_cphase_mean)" 0.3 $most
	within "$cell: chi2 of log closure amplitudes" "$(metric $cell chi2_logcamp_mean)" 0.3 2
	found=$("$UMBRA_BUILD/tests/unit/test_ring" "$T/m87/eht/$cell/mean.fits")
	set -- $(echo "$found" | sed 's/.*: diameter \([0-9.]*\) uas, scatter \([0-9.]*\), brighter at \([0-9]*\).*/\1 \2 \3/')
	case $cell in
	ring*)
		within "$cell: diameter" "$1" 36 46
		within "$cell: scatter of the radius" "$2" 0 0.12
		within "$cell: angle of the brighter side" "$3" 90 200 ;;
	*)
		within "$cell: scatter of the radius" "$2" 0.15 10 ;;
	esac
done
exit $bad
