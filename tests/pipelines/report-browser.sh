# SPDX-License-Identifier: GPL-3.0-or-later
# The report in a browser: a short run of the quick start, opened in headless Chromium and used with
# mouse and keys. KEEP=folder keeps the pictures of what was seen.
. tests/pipelines/lib.sh.inc
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
if [ -z "$browser" ] || ! command -v python3 >/dev/null; then
	echo "SKIPPED: no chromium or no python3 here to open a report with"
	exit 0
fi
status 0 "$UMBRA" run pipelines/quickstart.cfg -o "$T/run" --quiet --threads 1 --set 'run.[1].priors=["edges"]' \
	--set 'run.[1].samples=32' --set inference.dpi.steps=60 --set inference.dpi.average=20 \
	--set 'run.[2].priors=["smooth"]' --set 'run.[2].inference=["map"]' --set inference.map.iterations=100
there "$T/run/report.html"
# Curves of a calibration, as its stage writes them.
mkdir -p "$T/run/calibrate/eht/edges+dpi"
echo '{ "verdict": "WARN", "reason": "a made-up one" }' >"$T/run/calibrate/eht/edges+dpi/verdict.json"
printf 'rank,flux,peak,lower,upper\n0,8,5,3,13\n1,9,7,3,13\n2,6,9,3,13\n3,8,11,3,13\n' >"$T/run/calibrate/eht/edges+dpi/ranks.csv"
printf 'level,mean\n0,0\n0.25,0.2\n0.5,0.45\n0.75,0.8\n1,1\n' >"$T/run/calibrate/eht/edges+dpi/coverage.csv"
status 0 "$UMBRA" report "$T/run"
[ "$(wc -c <"$T/run/report.html")" -lt 5000000 ] || { echo "the page is larger than 5 MB"; bad=1; }
mkdir "$T/seen"
timeout 300 python3 tests/pipelines/report-browser.py "$browser" "$T/run/report.html" "$T/seen" || bad=1
[ -z "$KEEP" ] || cp "$T"/seen/*.png "$T/run/report.html" "$KEEP"
exit $bad
