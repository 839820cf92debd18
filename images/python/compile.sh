#!/bin/sh
# compile-python FOLDER: bytecode that is used whatever the time of its source, since layers set all times to one value.
set -eu
exec python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash "$1"
