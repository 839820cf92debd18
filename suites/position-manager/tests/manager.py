"""The service under test, as seen over HTTP."""

from __future__ import annotations

import re

import httpx

from seatrial_kit.waiting import eventually_async

# A service that was once found dead is not waited for again by every following test.
_found_dead: set[str] = set()
HOPELESS_SECONDS = 0.2


class Manager:
    """Its health, its metrics, and the restart."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def health(self) -> tuple[int, dict[str, object] | str]:
        """Status (0: no HTTP answer) and body."""
        try:
            response = await self._client.get("/healthz")
        except httpx.HTTPError as error:
            return 0, f"{type(error).__name__}: {error}"
        return response.status_code, response.json()

    async def wait_ready(self) -> None:
        url = str(self._client.base_url)

        async def probe() -> bool:
            status, body = await self.health()
            assert status == httpx.codes.OK, f"{status} {body}"
            return True

        seconds = HOPELESS_SECONDS if url in _found_dead else None
        _found_dead.add(url)
        await eventually_async(probe, f"200 from {url}/healthz", seconds=seconds)
        _found_dead.discard(url)

    async def exposition(self) -> str:
        response = await self._client.get("/metrics")
        response.raise_for_status()
        return response.text

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of all samples of that name that have these labels; 0 if there is none (yet)."""
        total = 0.0
        for line in (await self.exposition()).splitlines():
            sample = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if sample and sample[1] == name:
                found = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', sample[2] or ""))
                if labels.items() <= found.items():
                    total += float(sample[3])
        return total

    async def wait_metric(self, at_least: float, name: str, **labels: str) -> float:
        async def probe() -> float:
            value = await self.metric(name, **labels)
            assert value >= at_least, value
            return value

        return await eventually_async(probe, f"{name}{labels} to reach {at_least:g}")

    async def restart(self) -> None:
        """Make the service go through its start again: drop everything in memory, restore, rejoin its group."""
        response = await self._client.post("/admin/restart", timeout=40)
        response.raise_for_status()
