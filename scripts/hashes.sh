#!/bin/sh
# Writes the pinned versions that the router needs, with the hashes of all their files, for
# pip install --require-hashes: scripts/hashes.sh FILE [SOURCE]
set -eu
file=$1
source=${2:-pyproject.toml}
extra=""
[ "$source" = pyproject.toml ] && extra="--extra=postgres --extra=otel"
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"${PYTHON:-python3}" -m venv "$tools"
"$tools/bin/pip" install --quiet uv
# shellcheck disable=SC2086  # no argument where there is no extra
"$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
    --no-annotate --constraint constraints.txt $extra --output-file "$file" "$source"
