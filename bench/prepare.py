"""The namespace of the TestRuns, and the ConfigMaps with their tests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bench.api import ApiError
from bench.cases import NAMESPACE, TESTS, config_map, is_finished

if TYPE_CHECKING:
    from bench.api import Api

CONFLICT = 409
PATIENCE_SECONDS = 60


async def alone(api: Api) -> None:
    """Wait for what is still being deleted: it would go missing later. Raises LookupError, TimeoutError, ApiError.

    LookupError: runs of somebody else are under way; neither would come to anything.
    """
    runs = await api.items("/apis/seatrial.dev/v1alpha1/testruns")
    active = [f"{run['metadata']['namespace']}/{run['metadata']['name']}" for run in runs if not is_finished(run)]
    if active:
        raise LookupError(f"the cluster is in use by {', '.join(active[:5])}; wait for them, or delete them")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if not any("deletionTimestamp" in item["metadata"] for item in await api.items("/api/v1/namespaces")):
                return
            await asyncio.sleep(0.5)


async def prepare(api: Api) -> None:
    """Make what is not there. After `alone`: nothing can be made in a namespace that is going. Raises ApiError."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    for item in (namespace, *(config_map(name) for name in TESTS)):
        try:
            await api.create(item)
        except ApiError as error:
            if error.status != CONFLICT:
                raise
