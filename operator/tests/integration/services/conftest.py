from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .servers import Server, postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    # Not pytest's folder: that is for its owner alone, and root has somebody else run the server.
    with (
        tempfile.TemporaryDirectory(prefix="seatrial-") as folder,
        postgres_server(Path(folder), "postgres-s3cret") as server,
    ):
        yield server
