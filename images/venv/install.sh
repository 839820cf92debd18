#!/bin/sh
# The steps of every image that holds a virtual environment; run in a build stage, so that pip and setuptools stay behind.
#
#   install.sh tools               pip and setuptools, in /build/tools
#   install.sh requirements LOCK   /opt/venv with what the lock file lists, each file checked against its hash
#   install.sh packages FOLDER...  our own packages, laid out below /out as they go into the final image
set -eu

step=$1
shift
pip() { /build/tools/bin/python -m pip --python /opt/venv/bin/python --quiet "$@"; }

case $step in
tools)
    python3 -m venv /build/tools
    /build/tools/bin/python -m pip --quiet install --require-hashes -r /build/tools.txt
    ;;
requirements)
    python3 -m venv --without-pip /opt/venv
    pip install --require-hashes --no-deps --only-binary :all: --no-compile -r "$1"
    compile-python /opt/venv/lib
    ;;
packages)
    # setuptools comes from /build/tools: an isolated build would download it once more.
    /build/tools/bin/python -m pip --quiet wheel --no-deps --no-build-isolation --wheel-dir /build/wheels "$@"
    pip install --no-deps --no-index --no-compile --root /out --prefix /opt/venv /build/wheels/*.whl
    compile-python /out/opt/venv/lib
    ;;
*)
    echo "install.sh: unknown step $step" >&2
    exit 64
    ;;
esac
