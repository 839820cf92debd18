"""The profiles of the property tests: the same examples every time, or many more with SEATRIAL_HYPOTHESIS=long."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from seatrial import cleanup, follow, reconcile, report
from tests.simulation import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

PROFILE_VARIABLE = "SEATRIAL_HYPOTHESIS"
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example]

settings.register_profile(
    "property",
    deadline=None,
    derandomize=True,  # a pull request must not fail for what another one has brought in
    max_examples=40,
    stateful_step_count=20,
    suppress_health_check=SLOW,
)
settings.register_profile(
    "property-long",
    deadline=None,
    max_examples=3000,
    stateful_step_count=50,
    suppress_health_check=SLOW,
    print_blob=True,
)


def profile() -> str:
    wanted = os.environ.get(PROFILE_VARIABLE, "")
    if wanted not in {"", "long"}:
        raise pytest.UsageError(f"{PROFILE_VARIABLE} is {wanted!r}; expected long, or nothing")
    return "property-long" if wanted else "property"


def few(examples: int) -> settings:
    """For a test of which each example takes long: so many of them, or a thousand."""
    name = profile()
    return settings(settings.get_profile(name), max_examples=1000 if name.endswith("long") else examples)


@pytest.fixture(autouse=True, scope="module")
def _profile() -> Iterator[None]:
    """The profile of these tests alone."""
    before = settings.get_current_profile_name()
    settings.load_profile(profile())
    yield
    settings.load_profile(before)


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    """A clock that stands still, and no pauses between attempts."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconcile, "time", clock)
        patch.setattr(report, "time", clock)
        patch.setattr(reconcile, "RETRY_SECONDS", 0.001)
        patch.setattr(cleanup, "GONE_SECONDS", 0.001)
        patch.setattr(follow, "AGAIN_SECONDS", 0.001)
        yield clock
