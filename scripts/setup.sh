#!/bin/sh
# Creates the virtual environment: scripts/setup.sh VENV [EXTRA]
# Requires Python 3.11 or later. If Python has no venv module (Debian packages it separately), the
# script installs it with apt-get if that is allowed.
set -eu
venv=$1
extra=${2:-}

find_python() {
    for name in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "Python 3.11 or later is required; set PYTHON=/path/to/python3" >&2
    exit 1
}

python=$(find_python)
if [ ! -x "$venv/bin/python" ]; then
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        "$(dirname "$0")/packages.sh" "python$version-venv" || "$(dirname "$0")/packages.sh" python3-venv
    fi
    "$python" -m venv "$venv"
fi
PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -m pip install --quiet \
    --constraint constraints.txt --editable ".${extra:+[$extra]}"
