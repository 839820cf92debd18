"""What tests of whole programs on this machine share."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from seatrial.local import scratch
from tests.integration.local_machine import Machine, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    # Not pytest's folder: root has somebody else run PostgreSQL, who must reach it.
    memory = str(scratch.MEMORY) if scratch.MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="seatrial-test-", dir=memory) as data:
        Path(data).chmod(0o711)
        machine = Machine(tmp_path, Path(data))
        yield machine
        eventually("no process is left", lambda: not machine.left() or machine.left())
        assert machine.folders() == []
