# SPDX-License-Identifier: GPL-3.0-or-later
# umbra bench nn and samplers: every kind of row, at a tiny size; their JSON is a list; wrong options are refused.
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
"$UMBRA" bench samplers --json --samples 2 --calls 5 --rounds 1 >"$T/samplers.json" || bad=1
python3 - "$T/samplers.json" <<'P' || bad=1
import json, sys
rows = json.load(open(sys.argv[1]))
names = [r["what"] for r in rows]
assert names[:2] == ["evaluation", "dmps"] and {"dps", "pigdm", "ot-ode", "ald", "mcg", "sde-proj"} <= set(names), names
assert all(r["seconds_a_sample"] > 0 and r["evaluations_a_step"] > 0 and r["samples"] == 2 for r in rows), rows
assert rows[0]["evaluations_a_step"] == 1 and rows[1]["times_dmps"] == 1, rows
P
for wrong in "--samples 0" "--calls 4" "--model" "--fast 1"; do
	status 2 "$UMBRA" bench samplers $wrong
	says "options of umbra bench samplers"
done
exit $bad
