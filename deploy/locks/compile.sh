#!/bin/sh
# Resolves the locks from pyproject.toml: hashes of every wheel, no registry addresses, Linux x86_64 and aarch64, Python 3.11 to 3.14
# (SUMO, Ray and the benchmark peers have no wheels for all of these: they are locked for one platform).
#   sh deploy/locks/compile.sh [-c CONSTRAINTS] [--upgrade …]     arguments go to uv
set -eu
cd "$(dirname "$0")/../.."
lock() {
    out=$1; shift
    echo "resolving $out"
    .venv/bin/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
        --quiet --output-file "$out" "$@"
}
lock deploy/locks/dev.txt --extra dev "$@"
lock deploy/locks/runtime.txt --constraint deploy/locks/dev.txt "$@"
echo "resolving deploy/locks/extras-x86_64-py311.txt"
.venv/bin/uv pip compile pyproject.toml --python-version 3.11 --python-platform x86_64-manylinux_2_36 --generate-hashes --no-emit-index-url \
    --no-emit-find-links --no-header --no-annotate --quiet --output-file deploy/locks/extras-x86_64-py311.txt \
    --extra notebook --extra sumo --extra peers --extra ray --constraint deploy/locks/dev.txt "$@"
