# SPDX-License-Identifier: GPL-3.0-or-later
# run.sh SECONDS [TARGET...]: libFuzzer on every target of "make fuzz", for so long each. Corpora
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
bad=0
for t; do
	corpus=$B/fuzz/corpus/$t
	mkdir -p "$corpus"
	"$B/tests/fuzz/$t" --seeds "$corpus" 2>/dev/null
	echo "$t for $seconds seconds"
	"$B/fuzz/tests/fuzz/$t" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=512 -max_len=65536 \
		-print_final_stats=1 -artifact_prefix="$B/fuzz/$t-" "$corpus" >"$B/fuzz/$t.log" 2>&1 || bad=1
	grep -E 'ERROR|SUMMARY|does not hold|runtime error|number_of_executed|Test unit written' "$B/fuzz/$t.log"
done
exit $bad
