"""The service under test, as seen over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from seatrial_kit.waiting import eventually_async

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# A service that was once found dead is not waited for again by every following test.
_found_dead: set[str] = set()
HOPELESS_SECONDS = 0.2
RECOVERY_SECONDS = 30.0
ROUNDS = 10


class Intelligence:
    """Its health, and the kill switch."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.last_kill: object = None
        """Number of the worker before this one and the point at which it was killed, as `ready` has seen it."""

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
            self.last_kill = body["last_kill"]
            return body["worker"]

        url = str(self._client.base_url)
        limit = HOPELESS_SECONDS if url in _found_dead else seconds
        _found_dead.add(url)
        worker = await eventually_async(probe, f"200 from {url}/healthz", seconds=limit)
        _found_dead.discard(url)
        return worker

    async def kill(self, at: str) -> object:
        """Have the worker killed by SIGKILL when it comes to that point; its number, unless that was at once."""
        try:
            response = await self.arm(at)
        except (httpx.RemoteProtocolError, httpx.ReadError):
            return None  # killed before it could answer, which is what was asked for
        return response.raise_for_status().json()["worker"]

    async def arm(self, at: str) -> httpx.Response:
        """What the kill switch says. A worker that is not there, since somebody else has killed it, is waited for."""

        async def probe() -> httpx.Response:
            try:
                return await self._client.post("/admin/kill", json={"at": at})
            except httpx.TransportError as error:
                if at == "now" and isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
                    raise  # it was told, and the next one is not to be told, too
                raise AssertionError(f"{type(error).__name__}: {error}") from None

        return await eventually_async(probe, f"an answer from {self._client.base_url}/admin/kill")

    async def kill_during(self, work: Callable[[], Awaitable[object]], at: str) -> None:
        """Do some work during which the worker is killed at that point, and wait for the next one.

        Once more when something else has killed it, by which the point was forgotten: another suite has a kill switch,
        too.
        """
        for _ in range(ROUNDS):
            worker = await self.kill(at)
            await work()
            await self.ready(other_than=worker)
            if self.last_kill == f"{worker} {at}":
                return
        raise AssertionError(f"in {ROUNDS} rounds no worker was killed at {at!r}; the last kill was {self.last_kill!r}")
