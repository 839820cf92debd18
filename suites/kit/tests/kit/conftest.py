from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .pytest_run import Suite

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path)
