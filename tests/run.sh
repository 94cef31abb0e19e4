#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Every test of "make check", from the project folder: unit tests, the conformance battery on every
# plugin, and the scripts in tests/pipelines. Prints a line a test and the log of what failed.
B=${UMBRA_BUILD:-build}
log=$B/tests/log
passed=0
failed=0
skipped=0
mkdir -p "$log"
export UMBRA_BUILD="$B" UMBRA="$(cd "$B" && pwd)/umbra"
# Libraries that keep memory for the life of the process are no leaks of ours.
export LSAN_OPTIONS="suppressions=$(pwd)/tests/lsan.supp:print_suppressions=0"
export ASAN_OPTIONS="allocator_may_return_null=1:$ASAN_OPTIONS"
# As the program asks for itself: threads that wait let go of a core.
export GOMP_SPINCOUNT=1000

try() { # NAME COMMAND...
	name=$1
	shift
	out=$log/$(echo "$name" | tr / _).log
	if "$@" >"$out" 2>&1; then
		if grep -q '^SKIPPED' "$out"; then
			skipped=$((skipped + 1))
			echo "ok      $name ($(grep -c '^SKIPPED' "$out") skipped: $(grep -m1 '^SKIPPED' "$out" | cut -c10-80))"
		else
			echo "ok      $name"
		fi
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED  $name"
		tail -40 "$out"
	fi
}

for t in tests/unit/test_*.c; do
	n=$(basename "$t" .c)
	try "unit/$n" "$B/tests/unit/$n"
done
for p in plugins/*/*.c; do
	n=${p#plugins/}
	n=${n%.c}
	try "conformance/$n" sh tests/battery.sh "$UMBRA" "$n"
done
for s in tests/pipelines/*.sh; do
	try "pipelines/$(basename "$s" .sh)" sh "$s"
done
[ "$skipped" = 0 ] || echo "$skipped tests skipped a part; their logs in $log say why."
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
