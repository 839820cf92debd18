#!/bin/sh
# Fills the cache of rewritten plugins (`__pycache__/*-pytest-*.pyc`) with one run of pytest. Fails when it stays empty.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo 'def test_nothing(): pass' > test_nothing.py
env -u PYTHONDONTWRITEBYTECODE python3 -m pytest -q -p no:cacheprovider
packages=$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
[ "$(find "$packages" -name '*-pytest-*.pyc' | wc -l)" -gt 0 ]
