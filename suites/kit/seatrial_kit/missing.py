"""What happens when a service cannot be reached: the test fails, unless somebody has said that it may be skipped."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from types import ModuleType

OPTION = "--skip-missing-services"
SKIPPED = "missing service: "


class MissingServiceError(Exception):
    """A service could not be reached; says which, where, what was seen and which variable names another one."""


def missing(request: pytest.FixtureRequest, reason: object) -> NoReturn:
    """End the test for want of a service."""
    if request.config.getoption(OPTION):
        pytest.skip(f"{SKIPPED}{reason}")
    pytest.fail(f"{reason}\n({OPTION} skips the tests that need it, and counts them)", pytrace=False)


def required(request: pytest.FixtureRequest, variable: str) -> str:
    """An environment variable that says where a service is. Not set, or empty: the service is missing."""
    value = os.environ.get(variable)
    if not value:
        missing(request, f"{variable} is not set, so nobody knows where the service is")
    return value


def client(module: str, extra: str) -> ModuleType:
    """A client library's module. Raises UsageError that names the extra which installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise pytest.UsageError(
            f"{error.name} is not installed; run: pip install 'pytest-seatrial[{extra}]'"
        ) from error
