"""Environment variables that the suite cannot do without."""

from __future__ import annotations

import os

import pytest


def required(variable: str) -> str:
    """Its value; that it is missing is an error, never a skip."""
    value = os.environ.get(variable)
    if not value:
        pytest.fail(f"{variable} is not set: this suite needs the real service; see README.md, Running", pytrace=False)
    return value
