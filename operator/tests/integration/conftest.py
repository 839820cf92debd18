"""What tests of whole programs on this machine share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.local_machine import Machine, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    eventually("no process is left", lambda: not machine.left() or machine.left())
    assert machine.folders() == []
