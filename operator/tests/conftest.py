"""Settings of all tests: how long something takes is no property of the code under test, and who shares what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling

settings.register_profile("seatrial", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("seatrial")

TOGETHER = ("operator/tests/security/", "operator/tests/e2e/test_examples.py")
"""One process has all tests of these: they share runs that take seconds to start, or need much of the machine."""


class OneByOne(LoadScopeScheduling):
    """Each test goes to whichever process is free; those of a folder or file above go to one."""

    def _split_scope(self, nodeid: str) -> str:
        return next((place for place in TOGETHER if nodeid.startswith(place)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    # A mark for groups exists, and has no effect with this version of pytest.
    return OneByOne(config, log) if config.getvalue("dist") == "load" else None
