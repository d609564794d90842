#!/bin/sh
# Installs missing Debian packages: scripts/packages.sh PACKAGE...
# Fails with a message if apt-get is missing or not allowed.
set -eu
missing=""
for package in "$@"; do
    dpkg-query --show --showformat '${Status}' "$package" 2>/dev/null | grep -q ' installed' ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null; then
    echo "cannot install, apt-get is missing:$missing" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    sudo=""
elif sudo -n true 2>/dev/null; then
    sudo="sudo"
else
    echo "cannot install, apt-get needs root:$missing" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # word splitting is intended
$sudo apt-get install --quiet --quiet --yes --no-install-recommends $missing >/dev/null 2>&1 || {
    $sudo apt-get update --quiet --quiet
    $sudo apt-get install --quiet --quiet --yes --no-install-recommends $missing >/dev/null
}
