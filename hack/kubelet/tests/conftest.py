"""A stand-in beside the real nodes, on a real API server, and a namespace for its pods."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hack.cluster.layout import this_checkout
from hack.kubelet.client import Api
from hack.kubelet.network import connector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def kubeconfig() -> Path:
    path = Path(os.environ.get("KUBECONFIG") or this_checkout().kubeconfig)
    assert path.is_file(), f"{path} does not exist: run `make cluster`, or set KUBECONFIG"
    return path


@pytest.fixture
async def api(kubeconfig: Path) -> AsyncIterator[Api]:
    async with Api(kubeconfig, connector(10)) as made:
        yield made


@pytest.fixture
async def namespace(api: Api) -> AsyncIterator[str]:
    name = f"stand-in-test-{uuid.uuid4().hex[:8]}"
    await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    # The ServiceAccount admission refuses pods until the controller has made this one.
    async for kind, item in api.watch(
        f"/api/v1/namespaces/{name}/serviceaccounts", {"fieldSelector": "metadata.name=default"}
    ):
        if kind == "ADDED" or (kind == "LISTED" and item):
            break
    yield name
    await api.call("DELETE", f"/api/v1/namespaces/{name}")
