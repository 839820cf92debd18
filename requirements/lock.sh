#!/bin/sh
# Write the hashed lock files anew from what the projects ask for. Called by `make lock`.
set -eu
cd "$(dirname "$0")/.."
ours="pytest-seatrial seatrial alpha-panda intelligence-service kraken position-manager tbot"
lock() {
    output=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        $(for member in $ours; do echo --no-emit-package "$member"; done) \
        --output-file "requirements/$output.lock" "$@"
}
# The operator reads the plugin's source and never runs it, so pytest is no part of the product's image.
lock operator operator/pyproject.toml --no-emit-package pytest --no-emit-package pluggy --no-emit-package iniconfig
lock suite requirements/suite.in
lock alpha-panda suites/alpha-panda/pyproject.toml
lock alpha-panda-suite requirements/suite.in suites/alpha-panda/pyproject.toml
lock intelligence-service suites/intelligence-service/pyproject.toml
lock kraken suites/kraken/pyproject.toml
lock position-manager suites/position-manager/pyproject.toml
lock audit requirements/audit.in
lock tbot suites/tbot/pyproject.toml
lock tbot-suite requirements/suite.in suites/tbot/pyproject.toml requirements/tbot-suite.in
lock dev --group pyproject.toml:dev requirements/suite.in operator/pyproject.toml suites/alpha-panda/pyproject.toml \
    suites/intelligence-service/pyproject.toml suites/kraken/pyproject.toml suites/position-manager/pyproject.toml suites/tbot/pyproject.toml
