# SPDX-License-Identifier: GPL-3.0-or-later
# Runs that can be trusted, in full: killed runs, broken files, memory, threads. SECONDS_EACH=n for fuzzing,
# KILLS=n runs.
. tests/validate/lib.sh.inc
kills=${KILLS:-100} seconds=${SECONDS_EACH:-600}
verdict() { [ "$1" = 0 ] && echo "nothing found" || echo "**findings**"; }
echo "# Trust"
echo
echo "What \`make check\` does in short forms, in full."
echo
echo "## Killed runs"
echo
echo "A pipeline with two trainings, a simulation and six cells (\`cnf\`, \`dpi\`, \`map\`, \`hmc\`, \`dps\`) that writes a"
echo "checkpoint in every step is killed with SIGKILL, half of the times at a random moment and half inside a call that"
echo "writes; then it finds files that cannot grow, and a small disk that is full. Every file under its final name has to be"
echo "whole at each of those moments, and the resumed run has to end with the bytes of one that was left alone."
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
	echo "valgrind's memcheck on a small pipeline of every inference plugin, trainings and report included:"
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
