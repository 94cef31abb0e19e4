# SPDX-License-Identifier: GPL-3.0-or-later
# umbra bench nn: every kind of row, at a tiny size; its JSON is a list; wrong options are refused.
. tests/pipelines/lib.sh.inc
for what in block forward vjp second train flow_train flow_sample; do
	"$UMBRA" bench nn --json --what $what --width 8 --batch 2 --couplings 2 --seconds 0 >"$T/$what.json" || bad=1
	python3 - "$T/$what.json" $what <<'P' || bad=1
import json, sys
rows = json.load(open(sys.argv[1]))
assert isinstance(rows, list) and len(rows) == 1, rows
r = rows[0]
assert (r["what"], r["width"], r["batch"], r["precision"]) == (sys.argv[2], 8, 2, "float32"), r
assert r["seconds"] > 0 and r["gflops"] > 0 and r["arena_bytes"] > 0, r
assert r["of_peak"] > 0 and r["of_bandwidth"] > 0 and r["isa"] and r["kernel"], r
P
done
for wrong in "--what nothing" "--width 0" "--batch" "--precision float16" "--speed 3"; do
	status 2 "$UMBRA" bench nn $wrong
	says "options of umbra bench nn"
done
exit $bad
