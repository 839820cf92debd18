"""The services under test, as seen over HTTP."""

from __future__ import annotations

import os
import re
from typing import Any

import httpx

from seatrial_kit.waiting import eventually_async


class ServiceClient:
    """One service: its health, metrics and configuration."""

    def __init__(self, name: str, client: httpx.AsyncClient) -> None:
        self.name, self._client = name, client

    async def get(self, path: str) -> Any:
        response = await self._client.get(path)
        response.raise_for_status()
        return response.json()

    async def post(self, path: str, body: Any) -> httpx.Response:
        return await self._client.post(path, json=body)

    async def health(self) -> tuple[int, object]:
        """Status (0: no HTTP answer) and body."""
        try:
            response = await self._client.get("/healthz")
        except httpx.HTTPError as error:
            return 0, f"{type(error).__name__}: {error}"
        return response.status_code, response.json()

    async def wait_ready(self) -> None:
        async def probe() -> bool:
            status, body = await self.health()
            assert status == httpx.codes.OK, f"{status} {body}"
            return True

        await eventually_async(probe, f"200 from {self._client.base_url}healthz ({self.name})")

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of all samples of that name that have these labels; 0 if there is none (yet)."""
        response = await self._client.get("/metrics")
        response.raise_for_status()
        total = 0.0
        for line in response.text.splitlines():
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

        return await eventually_async(probe, f"{self.name}: {name}{labels} to reach {at_least:g}")


def url_of(service: str) -> str:
    """Where Seatrial has put it; by its name in a cluster."""
    return os.environ.get(f"{service.upper()}_URL", f"http://{service}:8080")
