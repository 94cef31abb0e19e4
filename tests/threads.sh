# SPDX-License-Identifier: GPL-3.0-or-later
# threads.sh BUILD [KIND/NAME...]: two instances of each plugin in two threads, and the rest of its battery, under
# ThreadSanitizer. "make tsan" builds without OpenMP, whose runtime is not instrumented.
B=$1
shift
[ $# -gt 0 ] || set -- $(cd plugins && ls -d -- */*.c | sed 's/\.c$//')
mkdir -p "$B/tests/log"
export TSAN_OPTIONS="exitcode=66:$TSAN_OPTIONS"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 UMBRA_PLUGIN_PATH="$PWD/$B/plugins"
clean=0 bad=0
for n; do
	log=$B/tests/log/tsan_$(echo "$n" | tr / _).log
	sh tests/battery.sh "$PWD/$B/umbra" "$n" >"$log" 2>&1
	got=$?
	races=$(grep -c 'WARNING: ThreadSanitizer' "$log")
	if [ "$got" = 0 ] && [ "$races" = 0 ]; then
		clean=$((clean + 1))
	else
		bad=$((bad + 1))
		echo "FAILED  $n: status $got, $races reports, in $log"
		grep -E '^FAIL|WARNING: Thread' "$log" | head -5
	fi
done
# A counter that two instances share is seen.
"$B/umbra" test "$B/tests/plugins/writable_static.so" >"$B/tests/log/tsan_writable_static.log" 2>&1
[ $? = 66 ] || { echo "FAILED  a race on purpose was not seen"; bad=$((bad + 1)); }
echo "$clean plugins clean, $bad not"
[ "$bad" = 0 ]
