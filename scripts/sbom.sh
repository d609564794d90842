#!/bin/sh
# Writes the CycloneDX bill of materials of an environment in which alert-router is installed:
# scripts/sbom.sh PYTHON ENVIRONMENT FILE. PYTHON is one that has cyclonedx-bom.
set -eu
"$1" -m cyclonedx_py environment --pyproject pyproject.toml --output-reproducible \
    --output-file "$3" "$2"
