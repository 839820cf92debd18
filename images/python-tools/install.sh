#!/bin/sh
# install-python requirements LOCK     makes /opt/venv with what the lock file lists, each file checked against its hash
# install-python packages FOLDER...    lays our own packages out below /out, as they belong into an image with a /opt/venv
set -eu

step=$1
shift
tool() { /build/tools/bin/python -m pip --quiet "$@"; }

python3 -m venv --without-pip /opt/venv
case $step in
requirements)
    tool --python /opt/venv/bin/python install --require-hashes --no-deps --only-binary :all: --no-compile -r "$1"
    compile-python /opt/venv/lib
    ;;
packages)
    # setuptools is here already: an isolated build would download it once more.
    tool wheel --no-deps --no-build-isolation --no-index --wheel-dir /build/wheels "$@"
    tool --python /opt/venv/bin/python install --no-deps --no-index --no-compile --root /out --prefix /opt/venv /build/wheels/*.whl
    compile-python /out/opt/venv/lib
    ;;
*)
    echo "install-python: unknown step $step" >&2
    exit 64
    ;;
esac
