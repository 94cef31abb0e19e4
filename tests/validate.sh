#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Slow comparisons with references: tests/validate/NAME.sh writes share/results/NAME.md,
# and NAME.png, where it makes a picture.
# usage: tests/validate.sh BUILD [NAME...]; with KEEP = a folder, what was run stays there.
UMBRA_BUILD=${1:-build}
export UMBRA_BUILD
shift
T=${KEEP:-$(mktemp -d)}
[ -n "$KEEP" ] || trap 'rm -rf "$T"' EXIT
out=share/results status=0
mkdir -p "$out"
[ $# -gt 0 ] || set -- $(cd tests/validate && ls -- *.sh | sed 's/\.sh$//')
for name in "$@"; do
	[ -r "tests/validate/$name.sh" ] || { echo "there is no tests/validate/$name.sh" >&2; exit 2; }
	mkdir -p "$T/$name"
	VALIDATE_DIR=$T/$name sh "tests/validate/$name.sh" >"$T/$name.md"
	case $? in
	0) ;;
	77) continue ;;
	*) echo "FAILED: $name" >&2; status=1 ;;
	esac
	cp "$T/$name.md" "$out/$name.md"
	[ ! -e "$T/$name/$name.png" ] || cp "$T/$name/$name.png" "$out/$name.png"
	cat "$out/$name.md"
done
exit $status
