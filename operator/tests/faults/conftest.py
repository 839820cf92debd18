from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from .stage import LANES, Stage
from .world import ROOT, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A cluster, prepared. One that is missing is no reason to skip: the tests fail."""
    kubeconfig = Path(os.environ.get("KUBECONFIG", ROOT / ".cluster" / "kubeconfig"))
    async with World(kubeconfig, tmp_path_factory.mktemp("faults")) as world:
        await world.add_lanes(LANES)
        yield world


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(world: World, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """All scenarios that were asked for, under way."""
    stage = Stage(world)
    for item in request.session.items:
        callspec = getattr(item, "callspec", None)
        if callspec is not None and "scenario" in callspec.params:
            stage.begin(item.nodeid, callspec.params["scenario"])
    yield stage
    await stage.close()


@pytest.fixture
def scenario(request: pytest.FixtureRequest) -> str:
    """Under which name the scenario runs."""
    return str(request.node.nodeid)
