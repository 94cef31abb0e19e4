# SPDX-License-Identifier: GPL-3.0-or-later
# The rules of the house: headers stand alone, libumbra exports um_ names only, includes point one
# way, nothing outside core/cli ends the process or prints.
. tests/pipelines/lib.sh.inc
for h in core/umbra/*.h; do
	${CC:-cc} -std=c11 -Icore -Wall -Wextra -Werror -fsyntax-only -x c "$h" || bad=1
	g++ -std=c++17 -Icore -Wall -Wextra -Werror -fsyntax-only -x c++ "$h" || bad=1
done
# Instrumented builds export what the instrumentation needs.
if [ -n "$SAN$COV" ]; then
	plugins=
else
	plugins=$(ls "$UMBRA_BUILD"/plugins/*/*.so)
fi
if [ -n "$plugins" ] && nm -D --defined-only "$UMBRA_BUILD/libumbra.so" | awk '$2 ~ /[A-Z]/ { print $3 }' |
	grep -v -e '^um_' -e '^__' -e '^_init$' -e '^_fini$' -e '^_edata$' -e '^_end$' -e gcov; then
	echo "exported names without um_"
	bad=1
fi
for p in $plugins; do
	n=$(nm -D --defined-only "$p" | awk '$2 ~ /[A-Z]/ { print $3 }' | grep -v -e '^__' -e '^_init$' -e '^_fini$' -e '^_edata$' -e '^_end$' -e gcov)
	[ "$n" = umbra_plugin_1 ] || { echo "$p exports: $n"; bad=1; }
done
if grep -nE '(^|[^_a-zA-Z>.])(exit|_exit|abort|longjmp|printf|puts) *\(' core/[!c]*/*.c plugins/*/*.c; then
	echo "ends the process or prints"
	bad=1
fi
if grep -nE '#include "\.\./' core/*/*.[ch] core/nn/ops/*.c; then
	echo "includes of core are spelled from core: \"folder/file.h\""
	bad=1
fi
# forbidden FOLDER REGEX: what the folder must not include
forbidden() {
	if grep -nE "#include \"($2)/" "core/$1"/*.[ch]; then
		echo "core/$1 includes upwards"
		bad=1
	fi
}
forbidden base 'math|nn|data|host|report|pipeline|cli'
forbidden math 'nn|data|host|report|pipeline|cli'
forbidden nn 'math|data|host|report|pipeline|cli'
forbidden data 'math|nn|host|report|pipeline|cli'
forbidden host 'report|pipeline|cli'
forbidden report 'pipeline|cli'
forbidden pipeline cli
if grep -n '#include "' plugins/*/*.c; then
	echo "a plugin includes a private header"
	bad=1
fi
for f in core/*/*.[ch] core/nn/ops/*.c plugins/*/*.c tests/*/*.[ch]; do
	head -1 "$f" | grep -q 'SPDX-License-Identifier: GPL-3.0-or-later' || { echo "$f: no SPDX line"; bad=1; }
done
exit $bad
