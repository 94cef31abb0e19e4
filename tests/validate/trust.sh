# SPDX-License-Identifier: GPL-3.0-or-later
# Runs that can be trusted, in full: killed runs, broken files, memory, threads. SECONDS_EACH=n for fuzzing,
# KILLS=n runs.
. tests/validate/lib.sh.inc
kills=${KILLS:-100} seconds=${SECONDS_EACH:-600}
verdict() { [ "$1" = 0 ] && echo "nothing found" || echo "**findings**"; }
echo "# Trust"
echo
echo "What \`make check\` does in short forms, and below in full. Evidence and calibration in figures: comparison.md."
echo
# What libFuzzer runs in the check, built first.
if command -v clang >/dev/null; then
	make --no-print-directory fuzz-build B="$B" >"$T/build" 2>&1 || { cat "$T/build" >&2; status=1; }
fi
begun=$(date +%s)
make --no-print-directory check-all B="$B" >"$T/check" 2>&1
got=$?
minutes=$((($(date +%s) - begun + 59) / 60))
echo "\`make check\` ends within $minutes min on $(nproc) cores: $(tail -1 "$T/check") (at most 12 min)."
[ $got = 0 ] && [ $minutes -le 12 ] || status=1
echo
echo "| what | tests/pipelines/ | result |"
echo "| --- | --- | --- |"
while read -r script what; do
	result=$(sed -n "s;^\([^ ]*\) *pipelines/$script\(\$\| .*\);\1\2;p" "$T/check")
	case $result in
	ok) ;;
	ok*) grep -qv '^SKIPPED' "$B/tests/log/pipelines_$script.log" || status=1 ;; # a part may be left out, not all of it
	*) status=1 ;;
	esac
	echo "| $what | $script.sh | ${result:-**missing**} |"
done <<END
compare tables, evidence, agreement maps, distances and ring features of cells
sweep a cell for each value
estimate time and memory before a run
report-browser the report in a browser: no error, samples move, pictures are not empty, below 5 MB
calibrate calibration passes the exact posterior and fails wrong ones in words; interrupted replicates
warnings cells that did not converge, seeds that disagree
repeat INT, TERM, USR1 and HUP: the step is finished, status 75, samples so far; resumed with equal bytes
resume finished stages that are not run again, the key that differs, old results that come back, damaged checkpoints
kill killed runs, files that may not grow, a full disk
outside installed into a scratch folder: plugins of each kind, "umbra new", C++, man pages, completion
abi the plugin ABI beside the one written down
failing crashes, endless loops, memory, numbers that are not finite, writes outside arrays
fuzz broken files
describe help and a template of each plugin, every check of the battery in the guide
END
echo
echo "## Killed runs"
echo
echo "A pipeline with two trainings, a simulation, six cells (\`cnf\`, \`dpi\`, \`map\`, \`hmc\`, \`dps\`) and a comparison"
echo "that writes a checkpoint in every step is killed with SIGKILL, half of the times at a random moment and half inside a"
echo "call that writes; then it finds files that cannot grow, and a small disk that is full. Every file under its final name"
echo "(tables, pictures and the report, too) has to be whole at each of those moments, and the resumed run has to end with the"
echo "bytes of one that was left alone."
echo
KILLS=$kills UMBRA_BUILD=$B UMBRA=$PWD/$B/umbra sh tests/pipelines/kill.sh >"$T/kill" 2>&1
got=$?
echo "$(tail -1 "$T/kill"): $(verdict $got)."
[ $got = 0 ] || status=1
echo
echo "## Broken files"
echo
if command -v clang >/dev/null; then
	make --no-print-directory fuzz SECONDS="$seconds" B="$B" >"$T/fuzz" 2>&1
	got=$?
	echo "libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer, $seconds s for each reader:"
	echo
	echo "| target | inputs tried | findings |"
	echo "| --- | --- | --- |"
	for log in "$B"/fuzz/fuzz_*.log; do
		n=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		echo "| $(basename "$log" .log | sed 's/fuzz_//') | ${n:-0} | $(grep -c 'Test unit written' "$log") |"
	done
	[ $got = 0 ] || status=1
else
	echo "There was no clang."
fi
echo
echo "## Memory"
echo
sh tests/memcheck.sh "$B" >"$T/memory" 2>&1
got=$?
if [ $got = 77 ]; then
	echo "There was no valgrind."
else
	echo "valgrind's memcheck on a small pipeline of every inference plugin, trainings and report included, with"
	echo "\`UMBRA_ISA=avx2\`, since the processor that it shows has no AVX-512:"
	echo "$(tail -1 "$T/memory"): $(verdict $got)."
	[ $got = 0 ] || status=1
fi
echo
echo "## Threads"
echo
make --no-print-directory tsan B="$B" >"$T/threads" 2>&1
got=$?
echo "The battery of every plugin, two instances in two threads included, under ThreadSanitizer in a build without OpenMP:"
echo "$(grep 'plugins clean' "$T/threads"): $(verdict $got)."
[ $got = 0 ] || status=1
exit $status
