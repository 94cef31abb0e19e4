#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs the Debian packages named as arguments that are missing; touches no network when none
# is. Without apt-get, or without the right to use it, says what is missing and goes on.
missing=
for p in "$@"; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
as_root=
if [ "$(id -u)" != 0 ]; then
	as_root=sudo
	command -v sudo >/dev/null 2>&1 || as_root=none
fi
if ! command -v apt-get >/dev/null 2>&1 || [ "$as_root" = none ]; then
	echo "These packages seem to be missing, and only root with apt-get can install them here:"
	echo " $missing"
	echo "Going on with what pkg-config and the compiler find."
	exit 0
fi
echo "Installing:$missing"
$as_root apt-get update -q && $as_root env DEBIAN_FRONTEND=noninteractive \
	apt-get install -y -q --no-install-recommends $missing
