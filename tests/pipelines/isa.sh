# SPDX-License-Identifier: GPL-3.0-or-later
# The same numbers with every instruction set that this processor has: networks against PyTorch's
# numbers, products of bfloat16 against float64, element-wise functions against the library.
. tests/pipelines/lib.sh.inc
for isa in base avx2 avx512 amx; do
	for t in test_torch test_bf16 test_nnops_values; do
		UMBRA_ISA=$isa "$UMBRA_BUILD/tests/unit/$t" >"$T/log" 2>&1 || { cat "$T/log"; echo "with UMBRA_ISA=$isa"; bad=1; }
	done
	UMBRA_ISA=$isa "$UMBRA" bench nn --json --what forward --width 8 --batch 2 --seconds 0 --precision bfloat16 \
		>"$T/$isa.json" || bad=1
	python3 - "$T/$isa.json" $isa <<'P' || bad=1
import json, sys
r, asked = json.load(open(sys.argv[1]))[0], sys.argv[2]
order = ["base", "avx2", "avx512", "amx"]
assert order.index(r["isa"]) <= order.index(asked), r
assert r["precision"] == ("bfloat16" if r["isa"] == "amx" else "float32"), r
if r["isa"] != asked:
    print("SKIPPED: this machine has no " + asked)
P
done
UMBRA_ISA=sse9 status 2 "$UMBRA" list
says "UMBRA_ISA=sse9: it is one of base, avx2, avx512, amx"
exit $bad
