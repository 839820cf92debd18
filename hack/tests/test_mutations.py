"""The table of the checks for deliberate bugs; the checks themselves are `make mutations`."""

import subprocess
import sys

import pytest

from hack.local_run import ROOT
from hack.mutations import CHECKS

BUNDLED = sorted({path.parents[1].name for path in (ROOT / "suites").glob("*/*/__main__.py")})


def test_every_suite_with_a_service_has_one() -> None:
    assert sorted(CHECKS) == BUNDLED


@pytest.mark.parametrize("name", BUNDLED)
def test_what_is_called_is_there(name: str) -> None:
    assert (ROOT / CHECKS[name][-1]).exists()


def test_an_unknown_suite_is_refused() -> None:
    command = [sys.executable, "-m", "hack.mutations", "no-such-suite"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no-such-suite" in done.stderr
    assert "position-manager" in done.stderr
