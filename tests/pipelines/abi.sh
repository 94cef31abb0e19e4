# SPDX-License-Identifier: GPL-3.0-or-later
# The plugin ABI, all that plugin.h and what it includes declare, against tests/abi/plugin.abi, which is that of the
# last tagged version (of this one, before the first tag). "make abi" writes it again.
. tests/pipelines/lib.sh.inc
command -v abidw >/dev/null && command -v abidiff >/dev/null || { echo "SKIPPED: there is no abidiff (abigail-tools)"; exit 0; }
# closure HEADER: the header and those that it includes
closure() {
	echo "$1"
	sed -n 's/^#include <umbra\/\(.*\)>.*/\1/p' "core/umbra/$1" | while read -r h; do closure "$h"; done
}
headers=$(closure plugin.h | sort -u)
cat=$(cd core/umbra && cat $headers)
{
	echo '#include <umbra/plugin.h>'
	echo "$cat" | sed -n 's/^UM_API.*[ *]\(um_[a-z0-9_]*\)(.*/\1/p' | sort -u | sed 's/.*/__typeof__(&) *umbra_&;/'
	echo "$cat" | sed -n 's/^typedef struct \(um_[a-z0-9_]*\).*/\1/p; s/^typedef enum \(um_[a-z0-9_]*\).*/\1/p' | sort -u |
		sed 's/.*/& *umbra_type_&;/'
} >"$T/contract.c"
[ "$(grep -c typeof "$T/contract.c")" -gt 40 ] || { echo "few functions in"; cat "$T/contract.c"; bad=1; }
"${CC:-cc}" -std=gnu11 -g -fPIC -shared -Icore "$T/contract.c" -o "$T/contract.so" || exit 1
abidw --no-corpus-path --no-comp-dir-path --no-show-locs "$T/contract.so" >"$T/plugin.abi" || exit 1
if [ -n "$UPDATE" ]; then
	cp "$T/plugin.abi" tests/abi/plugin.abi
	exit 0
fi
if ! abidiff tests/abi/plugin.abi "$T/plugin.abi" >"$T/out" 2>&1; then
	cat "$T/out"
	echo "The plugin ABI has changed. What old plugins survive (a struct that begins with its size grew at the end, a new"
	echo "function) is written down by 'make abi'; anything else needs a new UM_ABI in core/umbra/plugin.h first."
	bad=1
fi
# It would be seen: a member that moves, a function that takes something else.
mkdir -p "$T/core"
cp -r core/umbra "$T/core/"
sed -i 's/^UM_API double um_uniform(um_rng \*/UM_API float um_uniform(um_rng */' "$T/core/umbra/rng.h"
cmp -s core/umbra/rng.h "$T/core/umbra/rng.h" && { echo "the example changes nothing"; bad=1; }
"${CC:-cc}" -std=gnu11 -g -fPIC -shared -I"$T/core" "$T/contract.c" -o "$T/contract.so" || exit 1
abidiff --no-corpus-path tests/abi/plugin.abi "$T/contract.so" >"$T/out" 2>&1 && { echo "a changed function was not seen"; bad=1; }
exit $bad
