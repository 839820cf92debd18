"""The kit on real services. Every test has its own topics, schema, database and bucket, so they run in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from inner import Inner

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def inner(tmp_path: Path) -> Inner:
    return Inner(tmp_path)
