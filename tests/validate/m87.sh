# SPDX-License-Identifier: GPL-3.0-or-later
# The ring of M87 over two orders of entropy weight.
. tests/validate/lib.sh.inc
real_m87
make --no-print-directory "$B/tests/unit/test_ring" >/dev/null
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
exit $status
