"""The service under test, as seen over HTTP."""

from __future__ import annotations

import httpx

from seatrial_kit.waiting import eventually_async

# A service that was once found dead is not waited for again by every following test.
_found_dead: set[str] = set()
HOPELESS_SECONDS = 0.2
RECOVERY_SECONDS = 30.0


class Intelligence:
    """Its health, and the kill switch."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def health(self) -> tuple[int, dict[str, object]]:
        """Status (0: no HTTP answer) and body."""
        try:
            response = await self._client.get("/healthz")
        except httpx.HTTPError as error:
            return 0, {"error": f"{type(error).__name__}: {error}"}
        return response.status_code, response.json()

    async def ready(self, *, other_than: object = None, seconds: float | None = None) -> object:
        """Wait until it is ready; its worker's number. `other_than`: a worker that was killed."""

        async def probe() -> object:
            status, body = await self.health()
            assert status == httpx.codes.OK, f"{status} {body}"
            assert body["worker"] != other_than, f"worker {other_than} still runs"
            return body["worker"]

        url = str(self._client.base_url)
        limit = HOPELESS_SECONDS if url in _found_dead else seconds
        _found_dead.add(url)
        worker = await eventually_async(probe, f"200 from {url}/healthz", seconds=limit)
        _found_dead.discard(url)
        return worker

    async def kill(self, at: str) -> None:
        """Have the worker killed by SIGKILL when it comes to that point."""
        try:
            response = await self._client.post("/admin/kill", json={"at": at})
        except httpx.RemoteProtocolError:
            return  # killed before it could answer, which is what was asked for
        except httpx.ReadError:
            return
        response.raise_for_status()
