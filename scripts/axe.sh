#!/bin/sh
# Fetches axe-core, with which the tests check the pages: scripts/axe.sh VENV
# Puts axe.min.js into VENV/axe-core. Requires npm.
set -eu
version=4.14.1
sha256=e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745
folder=$1/axe-core
[ ! -e "$folder/axe.min.js" ] || exit 0
if ! command -v npm >/dev/null; then
    echo "cannot fetch axe-core, npm is missing" >&2
    exit 1
fi
mkdir -p "$folder"
npm pack "axe-core@$version" --silent --pack-destination "$folder" >/dev/null
echo "$sha256  $folder/axe-core-$version.tgz" | sha256sum --check --quiet
tar -xzf "$folder/axe-core-$version.tgz" -C "$folder" --strip-components=1 package/axe.min.js package/LICENSE
