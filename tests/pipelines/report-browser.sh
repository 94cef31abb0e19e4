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
# Two small calibrations, a right one and one that fails, join it.
cat >"$T/c.cfg" <<'C'
image = { pixels = [4, 4]; };
forward = { seen = { plugin = "denoise"; sigma = 0.3; }; noisier = { plugin = "denoise"; sigma = 0.9; }; };
priors = { field = { plugin = "gaussian"; spectrum = "power"; }; };
inference = { exact = { plugin = "exact"; }; };
run = (
  { stage = "calibrate"; forward = "seen"; prior = "field"; inference = "exact"; replicates = 40; samples = 19; name = "right"; },
  { stage = "calibrate"; forward = "seen"; prior = "field"; inference = "exact"; replicates = 40; samples = 19; name = "wrong";
    simulate = "noisier"; }
);
C
status 1 "$UMBRA" run "$T/c.cfg" -o "$T/c" --quiet --threads 1
cp -r "$T/c/calibrate" "$T/run/"
status 0 "$UMBRA" report "$T/run"
[ "$(wc -c <"$T/run/report.html")" -lt 5000000 ] || { echo "the page is larger than 5 MB"; bad=1; }
mkdir "$T/seen"
timeout 300 python3 tests/pipelines/report-browser.py "$browser" "$T/run/report.html" "$T/seen" || bad=1
[ -z "$KEEP" ] || cp "$T"/seen/*.png "$T/run/report.html" "$KEEP"
exit $bad
