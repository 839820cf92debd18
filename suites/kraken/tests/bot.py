"""The service under test, as its callers see it."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from seatrial_kit.waiting import eventually_async

if TYPE_CHECKING:
    from collections.abc import Callable

# A service that was once found dead is not waited for again by every following test.
_found_dead: set[str] = set()
HOPELESS_SECONDS = 0.2
FINAL = {"closed", "canceled", "expired", "rejected", "not_placed", "validated"}


class Bot:
    """Its HTTP interface."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def health(self) -> tuple[int, dict[str, Any]]:
        """Status (0: no HTTP answer) and body."""
        try:
            response = await self.client.get("/healthz")
        except httpx.HTTPError as error:
            return 0, {"error": f"{type(error).__name__}: {error}"}
        return response.status_code, response.json()

    async def wait_ready(self) -> dict[str, Any]:
        url = str(self.client.base_url)

        async def ready() -> dict[str, Any]:
            status, body = await self.health()
            assert status == httpx.codes.OK, f"{status} {body}"
            return body

        seconds = HOPELESS_SECONDS if url in _found_dead else None
        _found_dead.add(url)
        body = await eventually_async(ready, f"200 from {url}/healthz", seconds=seconds)
        _found_dead.discard(url)
        return body

    async def get(self, path: str, expected: int = 200, **query: object) -> Any:
        params = {name: str(value) for name, value in query.items()}
        return _body(await self.client.get(f"/v1/{path}", params=params), expected)

    async def send(self, verb: str, path: str, expected: int = 200, **body: object) -> Any:
        return _body(await self.client.request(verb, f"/v1/{path}", json=body), expected)

    async def order(self, pair: str, side: str, volume: str, price: object = None, /, **more: Any) -> dict[str, Any]:
        """Place an order, a market order when no price is given; `expected` is the HTTP status (201)."""
        expected = more.pop("expected", 201)
        body = {"pair": pair, "side": side, "volume": volume, "type": "market" if price is None else "limit"}
        if price is not None:
            body["price"] = str(price)
        return dict(await self.send("POST", "orders", expected, **body | more))

    async def order_for_sure(self, pair: str, side: str, volume: str, price: str, /, **more: Any) -> dict[str, Any]:
        """As a caller does who is told that the exchange was not reached in time: the same order, by its id, again."""
        body = {"id": self.new_id(), "pair": pair, "side": side, "volume": volume, "type": "limit", "price": price}

        async def placed() -> dict[str, Any]:
            response = await self.client.post("/v1/orders", json=body | more)
            seen = f"{response.status_code}: {response.text}"
            if response.status_code not in {201, 202, 503}:
                pytest.fail(seen)  # asking again would not change it
            assert response.status_code == httpx.codes.CREATED, seen
            return dict(response.json())

        return await eventually_async(placed, f"order {body['id']} to be placed")

    async def cancel(self, order_id: str) -> dict[str, Any]:
        return dict(await self.send("DELETE", f"orders/{order_id}"))

    async def look(self, order_id: str) -> dict[str, Any]:
        return dict(await self.get(f"orders/{order_id}"))

    async def until(self, order_id: str, awaited: str, where: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The order once it is as asked for."""

        async def found() -> dict[str, Any]:
            order = await self.look(order_id)
            assert where(order), order
            return order

        return await eventually_async(found, f"order {order_id}: {awaited}")

    async def settled(self, order_id: str) -> dict[str, Any]:
        return await self.until(order_id, "an end", lambda order: order["status"] in FINAL)

    async def filled(self, order_id: str) -> dict[str, Any]:
        return await self.until(
            order_id, "closed with all of its trades", lambda o: o["status"] == "closed" and o["remaining"] == "0"
        )

    async def streaming(self, pair: str) -> None:
        """The pair's prices and book come from the stream."""
        await self.send("POST", f"watch/{pair}")

        async def streamed() -> bool:
            sources = [(await self.get(f"{name}/{pair}"))["source"] for name in ("ticker", "depth")]
            assert sources == ["stream", "stream"], sources
            return True

        await eventually_async(streamed, f"ticker and book of {pair} from the stream")

    async def until_status(self, awaited: str, where: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        async def found() -> dict[str, Any]:
            status = await self.get("status")
            assert where(status), status
            return dict(status)

        return await eventually_async(found, f"the service's status: {awaited}")

    async def samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        """All samples of that name at one moment, with their labels."""
        found = []
        for line in (await self.client.get("/metrics")).text.splitlines():
            sample = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if sample and sample[1] == name:
                labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', sample[2] or ""))
                found.append((labels, float(sample[3])))
        return found

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of all samples of that name that have these labels."""
        return sum(value for found, value in await self.samples(name) if labels.items() <= found.items())

    async def requests(self) -> Counter[str]:
        """How many requests the service has made to the exchange, by what came of them: `ok`, or a kind of failure."""
        counted: Counter[str] = Counter()
        for labels, value in await self.samples("kraken_requests_total"):
            counted[labels["outcome"]] += int(value)
        return counted

    async def kill(self, at: str = "now") -> str:
        """SIGKILL, now or when an order reaches that point; which process it was."""
        run = str((await self.wait_ready())["run"])
        try:
            response = await self.client.post("/admin/kill", json={"at": at})
            assert response.is_success, response.text
        except httpx.HTTPError:
            assert at == "now", "the process ended before it was to"
        return run

    async def reborn(self, run: str) -> None:
        """Another process than that is ready."""

        async def another() -> bool:
            status, body = await self.health()
            assert status == httpx.codes.OK, f"{status} {body}"
            assert body["run"] != run, body
            return True

        await eventually_async(another, f"another process than {run}")

    @staticmethod
    def new_id() -> str:
        return str(uuid.uuid4())


def _body(response: httpx.Response, expected: int) -> Any:
    request = response.request
    seen = f"{request.method} {request.url.path} gave {response.status_code}, not {expected}: {response.text}"
    assert response.status_code == expected, seen
    return response.json()
