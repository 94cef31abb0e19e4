# SPDX-License-Identifier: GPL-3.0-or-later
# run.sh SECONDS [TARGET...]: libFuzzer on every target of "make fuzz", for so long each, one a core. Corpora
# are kept in BUILD/fuzz/corpus and go on from there; a file that something dies of is named.
B=${UMBRA_BUILD:-build}
seconds=$1
shift
[ $# -gt 0 ] || set -- $(cd tests/fuzz && ls fuzz_*.c | sed 's/\.c$//')
export UMBRA_LOG=error UMBRA_PLUGIN_PATH="$B/fuzz/plugins"
export ASAN_OPTIONS="allocator_may_return_null=1:$ASAN_OPTIONS"
export LSAN_OPTIONS="suppressions=$(pwd)/tests/lsan.supp:print_suppressions=0"
TMPDIR=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
one() { # TARGET
	corpus=$B/fuzz/corpus/$1
	mkdir -p "$corpus"
	UMBRA_PLUGIN_PATH="$B/plugins" "$B/tests/fuzz/$1" --seeds "$corpus" 2>/dev/null
	echo "$1 for $seconds seconds"
	"$B/fuzz/tests/fuzz/$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=512 -max_len=65536 \
		-print_final_stats=1 -artifact_prefix="$B/fuzz/$1-" "$corpus" >"$B/fuzz/$1.log" 2>&1
	got=$?
	grep -E 'ERROR|SUMMARY|does not hold|runtime error|number_of_executed|Test unit written' "$B/fuzz/$1.log"
	return $got
}
# As many at once as there are cores.
bad=0
while [ $# -gt 0 ]; do
	pids=
	for core in $(seq "$(nproc)"); do
		[ $# -gt 0 ] || break
		one "$1" &
		pids="$pids $!"
		shift
	done
	for pid in $pids; do wait "$pid" || bad=1; done
done
exit $bad
