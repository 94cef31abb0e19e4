# SPDX-License-Identifier: GPL-3.0-or-later
# The readers of files on a fixed set of broken ones: each is read or refused with a reason. The
# input that one dies of is kept; "make fuzz" looks for more, and what it built runs here for 2 s each.
. tests/pipelines/lib.sh.inc
export UMBRA_LOG=error UMBRA_PLUGIN_PATH="$UMBRA_BUILD/plugins"
mkdir -p "$UMBRA_BUILD/tests/log"
for source in tests/fuzz/fuzz_*.c; do
	n=$(basename "$source" .c)
	case $n in fuzz_pipeline) loops=1000 ;; fuzz_uvfits) loops=3000 ;; *) loops=6000 ;; esac
	timeout 60 "$UMBRA_BUILD/tests/fuzz/$n" --loop "$loops" >"$T/out" 2>"$T/err" && continue
	bad=1
	mv "$(sed -n 's/.*input in //p' "$T/out")" "$UMBRA_BUILD/tests/log/$n.input"
	echo "$n dies, or takes a minute, of the file $UMBRA_BUILD/tests/log/$n.input"
	tail -30 "$T/err"
done
if [ -x "$UMBRA_BUILD/fuzz/tests/fuzz/fuzz_npy" ]; then
	sh tests/fuzz/run.sh 2 >"$T/out" 2>&1 || { cat "$T/out"; bad=1; }
else
	echo "SKIPPED: libFuzzer, since 'make fuzz' has built nothing yet"
fi
exit $bad
